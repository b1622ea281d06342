/* SPDX-License-Identifier: MIT */
/* What a replay has come to, by the state that its processes share; and from where on its calls go out. */
#include "tests/unit/tape/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static struct tape_matcher *matcher;
static struct tape_matching matching;
static struct tape_match match;

static void open_replay(void)
{
  open_fixture();
  matching.state = strdup(fixture_beside(&fixture, "state"));
}

static void close_replay(void)
{
  tape_close_matcher(matcher);
  free((char *)(uintptr_t)matching.state);
  close_fixture();
}

TestSuite(tape_account, .init = open_replay, .fini = close_replay);

static void recorded(const char *body, enum tape_what what)
{
  struct exchange exchange = exchange_of(&fixture, body);
  exchange.call.what = what;
  exchange_record(&exchange);
}

static void begin_replay(void)
{
  tape_close_matcher(matcher);
  cr_assert_eq(tape_open_matcher(&matcher, fixture_tape(&fixture), &matching, &fixture.error), 0, "%s",
               fixture.error.text);
}

static void gets(const char *body, enum tape_verdict verdict)
{
  struct exchange exchange = exchange_of(&fixture, body);
  exchange.request.rule = fixture.config.rules;
  exchange.request.headers = exchange.headers;
  tape_name(&exchange.request, &exchange.call);
  cr_expect_eq(tape_match(matcher, &exchange.request, &exchange.call, &match), verdict, "%s: %s", body,
               match.note);
}

/* As the command that began the replay looks at it. */
static void comes_to(struct tape_account wanted)
{
  struct tape_account account;
  cr_assert_eq(tape_account(fixture.tape, matching.state, &account, &fixture.error), 0, "%s",
               fixture.error.text);
  cr_expect_eq(account.replayable, wanted.replayable, "%zu replayable", (size_t)account.replayable);
  cr_expect_eq(account.used, wanted.used, "%zu used", (size_t)account.used);
  cr_expect_eq(account.first_unused, wanted.first_unused, "%zu is unused", (size_t)account.first_unused);
  cr_expect_eq(account.misses, wanted.misses, "%zu misses", (size_t)account.misses);
  cr_expect_eq(account.live, wanted.live, "%zu live", (size_t)account.live);
}

#define COMES_TO(...) comes_to((struct tape_account){__VA_ARGS__})

static void record_three(void)
{
  recorded("{\"n\":1}", TAPE_LIVE);
  recorded("{\"n\":2}", TAPE_LIVE);
  recorded("{\"n\":3}", TAPE_LIVE);
  begin_replay();
}

Test(tape_account, a_replay_that_has_not_asked_yet_has_used_nothing)
{
  record_three();
  COMES_TO(.replayable = 3, .first_unused = 1);
}

/* Of a child that no call was made in. */
Test(tape_account, nor_has_one_of_which_no_process_has_opened_the_tape)
{
  recorded("{\"n\":1}", TAPE_LIVE);
  fixture_tape(&fixture);
  COMES_TO(.replayable = 1, .first_unused = 1);
  cr_expect_eq(access(matching.state, F_OK), 0, "whoever is later joins that");
}

Test(tape_account, what_was_given_is_used_and_the_first_that_was_not_is_named)
{
  record_three();
  gets("{\"n\":1}", TAPE_FOUND);
  COMES_TO(.replayable = 3, .used = 1, .first_unused = 2);
  gets("{\"n\":3}", TAPE_FOUND);
  COMES_TO(.replayable = 3, .used = 2, .first_unused = 2);
  gets("{\"n\":2}", TAPE_FOUND);
  COMES_TO(.replayable = 3, .used = 3);
}

Test(tape_account, who_was_given_nothing_has_missed)
{
  record_three();
  gets("{\"n\":1}", TAPE_FOUND);
  gets("{\"n\":1}", TAPE_EXHAUSTED);
  gets("{\"n\":4}", TAPE_MISS);
  COMES_TO(.replayable = 3, .used = 1, .first_unused = 2, .misses = 2);
}

/* The app never saw what a rescue finished. */
Test(tape_account, what_was_finished_by_a_rescue_is_not_to_be_used)
{
  recorded("{\"n\":1}", TAPE_RESCUE);
  recorded("{\"n\":2}", TAPE_LIVE);
  recorded("{\"n\":3}", TAPE_RESCUE);
  begin_replay();
  COMES_TO(.replayable = 1, .first_unused = 2);
  gets("{\"n\":2}", TAPE_FOUND);
  COMES_TO(.replayable = 1, .used = 1);
}

Test(tape_account, the_state_of_another_tape_is_no_account_of_this_one)
{
  struct tape_account account;
  record_three();
  recorded("{\"n\":4}", TAPE_LIVE);
  cr_expect_eq(tape_account(fixture_tape(&fixture), matching.state, &account, &fixture.error), -EINVAL);
  cr_expect(strstr(fixture.error.text, "another tape"), "%s", fixture.error.text);
  cr_expect(!account.replayable && !account.used && !account.misses);
  cr_expect_lt(tape_account(fixture.tape, "/nowhere/state", &account, &fixture.error), 0);
}

/* Going live. */

/* The call that would get exchange 2, and all that come after it: also those of what was recorded before. */
Test(tape_account, from_where_it_is_asked_to_calls_go_out)
{
  matching.live_from = 2;
  record_three();
  gets("{\"n\":1}", TAPE_FOUND);
  COMES_TO(.replayable = 3, .used = 1, .first_unused = 2);
  gets("{\"n\":2}", TAPE_GO_LIVE);
  gets("{\"n\":1}", TAPE_GO_LIVE);
  gets("{\"n\":4}", TAPE_GO_LIVE);
  COMES_TO(.replayable = 3, .used = 1, .first_unused = 2, .live = 3);
}

Test(tape_account, a_miss_before_that_is_a_miss)
{
  matching.live_from = 2;
  record_three();
  gets("{\"n\":4}", TAPE_MISS);
  COMES_TO(.replayable = 3, .first_unused = 1, .misses = 1);
}

/* They are processes of one replay. */
Test(tape_account, once_one_process_has_gone_live_so_do_the_others)
{
  matching.live_from = 3;
  record_three();
  gets("{\"n\":3}", TAPE_GO_LIVE);
  begin_replay();
  gets("{\"n\":1}", TAPE_GO_LIVE);
  COMES_TO(.replayable = 3, .first_unused = 1, .live = 2);
}

Test(tape_account, without_such_a_place_nothing_goes_out)
{
  record_three();
  gets("{\"n\":3}", TAPE_FOUND);
  gets("{\"n\":3}", TAPE_EXHAUSTED);
  COMES_TO(.replayable = 3, .used = 1, .first_unused = 1, .misses = 1);
}
