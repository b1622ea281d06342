/* SPDX-License-Identifier: MIT */
#include "tests/unit/store/spool_fixture.h"

#include <criterion/criterion.h>

struct caller owner, follower;
struct idem_spool spool = IDEM_SPOOL_INIT;
struct stream stream;
const char body[] = "{\"prompt\":1}";

void open_spool_fixture(void)
{
  open_fixture();
  owner = caller_of(&fixture, body);
  follower = caller_of(&fixture, body);
  stream = stream_of('a', 56);
}

void close_spool_fixture(void)
{
  idem_spool_release(&spool);
  close_fixture();
}

void both_enter(void)
{
  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  cr_assert_eq(caller_enter(&follower), IDEM_BUSY);
}

int look(void)
{
  return idem_store_look(fixture.store, &follower.call, &spool);
}
