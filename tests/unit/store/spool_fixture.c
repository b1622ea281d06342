/* SPDX-License-Identifier: MIT */
#include "tests/unit/store/spool_fixture.h"

#include <criterion/criterion.h>

struct shop shop;
struct order owner, follower;
struct idem_spool spool = IDEM_SPOOL_INIT;
struct reel reel;
const char body[] = "{\"prompt\":1}";

void open_pair(void)
{
  shop_open(&shop, "");
  owner = order_of(&shop, body);
  follower = order_of(&shop, body);
  reel = reel_of('a', 56);
}

void close_pair(void)
{
  idem_spool_release(&spool);
  shop_close(&shop);
}

void both_enter(void)
{
  cr_assert_eq(order_enter(&owner), IDEM_OWNED);
  cr_assert_eq(order_enter(&follower), IDEM_BUSY);
}

int look(void)
{
  return idem_store_look(shop.store, &follower.call, &spool);
}
