/* SPDX-License-Identifier: MIT */
/* The steps of an operation, on a real server: what each says, that each may be repeated, and that it
 * does what the model does. */
#include "tests/unit/fleet/model.h"
#include "tests/unit/fleet/server.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(fleet_operation, .init = open_server, .fini = close_server);

#define API (&idem_fleet_api)

static int commit(struct idem_fleet_client *client, const struct idem_fleet_fence *fence, const char *record)
{
  return API->commit(client, patience(), fence, record, strlen(record), 60000, 120000);
}

Test(fleet_operation, one_owns_it_and_the_others_wait_until_there_is_an_answer)
{
  struct idem_fleet_client *a = client_of(""), *b = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k'), other = ask_for(b, 'k');
  cr_expect_eq(mine.verdict, IDEM_FLEET_OWNED);
  cr_expect(!mine.resent);
  cr_expect_eq(other.verdict, IDEM_FLEET_BUSY);
  cr_expect_eq(other.generation, mine.fence.generation);
  cr_expect(other.left_ms > 0 && other.left_ms <= 15000, "%lld", (long long)other.left_ms);
  cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 1);
  cr_expect_eq(commit(a, &mine.fence, "the answer"), 1);
  other = ask_for(b, 'k');
  cr_assert_eq(other.verdict, IDEM_FLEET_ANSWER);
  cr_expect_eq(other.record_len, 10);
  cr_expect_arr_eq(other.record, "the answer", 10);
  cr_expect(other.left_ms > 0 && other.left_ms <= 60000);
  cr_expect_eq(other.fence.epoch, 1);
}

Test(fleet_operation, a_record_may_be_any_bytes)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  char bytes[512];
  for (size_t i = 0; i < sizeof(bytes); i++)
    bytes[i] = (char)i;
  cr_expect_eq(API->commit(a, patience(), &mine.fence, bytes, sizeof(bytes), 60000, 60000), 1);
  struct idem_fleet_claim got = ask_for(a, 'k');
  cr_assert_eq(got.record_len, sizeof(bytes));
  cr_expect_arr_eq(got.record, bytes, sizeof(bytes));
}

/* The answer comes beside what the script says, also from a server that does not have the script yet. */
Test(fleet_operation, an_answer_comes_with_its_claim_and_from_a_server_without_the_script)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(commit(a, &mine.fence, "the answer"), 1);
  for (int i = 0; i < 2; i++) {
    told("SCRIPT FLUSH");
    struct idem_fleet_claim first = ask_for(a, 'k'), again = ask_for(a, 'k');
    cr_assert_eq(first.verdict, IDEM_FLEET_ANSWER);
    cr_assert_eq(again.verdict, IDEM_FLEET_ANSWER);
    cr_expect_str_eq(first.record, "the answer");
    cr_expect_str_eq(again.record, "the answer");
    cr_expect_eq(again.generation, mine.fence.generation);
    cr_expect(again.left_ms > 0 && again.left_ms <= 60000 && again.age_ms >= 0);
    /* No reply is left over for the next. */
    cr_expect_eq(ask_for(a, 'm').verdict, i ? IDEM_FLEET_BUSY : IDEM_FLEET_OWNED);
  }
}

/* Another one's value in the place of the answer is none of ours. */
Test(fleet_operation, what_is_no_text_is_no_answer)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k'), next = claim_for('k');
  cr_expect_eq(commit(a, &mine.fence, "the answer"), 1);
  told("DEL %s", name_of('k', 'a'));
  told("HSET %s x y", name_of('k', 'a'));
  told("EXPIRE %s 100", name_of('k', 'a'));
  cr_expect_eq(API->claim(a, patience(), &next), -EPROTO);
  cr_expect_null(next.record);
  cr_expect_eq(ask_for(a, 'm').verdict, IDEM_FLEET_OWNED);
  /* Where it is asked for by itself. */
  told("SCRIPT FLUSH");
  next = claim_for('k');
  cr_expect_eq(API->claim(a, patience(), &next), -EREMOTEIO);
  cr_expect_null(next.record);
}

Test(fleet_operation, each_step_may_be_repeated)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = claim_for('k');
  cr_assert_eq(API->claim(a, patience(), &mine), 0);
  uint64_t generation = mine.fence.generation;
  cr_assert_eq(API->claim(a, patience(), &mine), 0);
  cr_expect_eq(mine.verdict, IDEM_FLEET_OWNED);
  cr_expect_eq(mine.fence.generation, generation);
  for (int i = 0; i < 2; i++)
    cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 1);
  for (int i = 0; i < 2; i++)
    cr_expect_eq(commit(a, &mine.fence, "x"), 1);
  cr_expect_str_eq(told("HGET %s e", name_of('k', 'c')), "1");
}

Test(fleet_operation, a_lease_that_ends_is_free_before_it_was_sent_and_in_doubt_after)
{
  struct idem_fleet_client *a = client_of("lease=1ms"), *b = client_of("");
  struct idem_fleet_claim late = ask_for(a, 'k');
  struct idem_fleet_claim next = ask_for(b, 'k');
  while (next.verdict == IDEM_FLEET_BUSY)
    next = ask_for(b, 'k');
  cr_expect_eq(next.verdict, IDEM_FLEET_OWNED);
  cr_expect(!next.resent);
  cr_expect_gt(next.fence.generation, late.fence.generation);
  cr_expect_eq(API->sent(a, patience(), &late.fence, 0), 0, "it must not go out");
  cr_expect_eq(API->sent(b, patience(), &next.fence, 0), 1);

  struct idem_fleet_claim sent = ask_for(a, 'm');
  cr_expect_eq(API->sent(a, patience(), &sent.fence, 0), 1);
  struct idem_fleet_claim refusing = claim_for('m');
  refusing.refuses = true;
  do
    cr_assert_eq(API->claim(b, patience(), &refusing), 0);
  while (refusing.verdict == IDEM_FLEET_BUSY);
  cr_expect_eq(refusing.verdict, IDEM_FLEET_IN_DOUBT);
  next = ask_for(b, 'm');
  cr_expect_eq(next.verdict, IDEM_FLEET_OWNED);
  cr_expect(next.resent);
  cr_expect_eq(next.fence.epoch, sent.fence.epoch, "the same key for upstream");
  cr_expect_eq(commit(b, &next.fence, "second"), 1);
  cr_expect_eq(commit(a, &sent.fence, "first"), 0, "superseded");
  next = ask_for(a, 'm');
  cr_expect_arr_eq(next.record, "second", 6);
}

Test(fleet_operation, whoever_was_not_passed_over_may_finish_after_its_lease)
{
  struct idem_fleet_client *a = client_of("lease=1ms");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 1);
  told("HSET %s u 1", name_of('k', 'c'));
  cr_expect_eq(commit(a, &mine.fence, "late"), 1);
}

Test(fleet_operation, an_owner_that_is_known_to_be_dead_is_not_waited_for)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim dead = ask_for(a, 'k');
  cr_expect_eq(API->sent(a, patience(), &dead.fence, 0), 1);
  struct idem_fleet_claim next = claim_for('k');
  next.dead = dead.fence.generation;
  cr_assert_eq(API->claim(a, patience(), &next), 0);
  cr_expect_eq(next.verdict, IDEM_FLEET_OWNED);
  cr_expect(next.resent);
}

Test(fleet_operation, other_content_is_a_mismatch_where_it_counts)
{
  static const uint8_t other_print[IDEM_FLEET_KEY] = {2};
  struct idem_fleet_client *a = client_of("lease=1ms"), *b = client_of("");
  struct idem_fleet_claim first = ask_for(a, 'k'), other = claim_for('k');
  cr_expect_eq(API->sent(a, patience(), &first.fence, 0), 1);
  other.fingerprint = other_print;
  other.any_content = false;
  do
    cr_assert_eq(API->claim(b, patience(), &other), 0);
  while (other.verdict == IDEM_FLEET_BUSY);
  cr_expect_eq(other.verdict, IDEM_FLEET_MISMATCH);
  other.any_content = true;
  cr_assert_eq(API->claim(b, patience(), &other), 0);
  cr_expect_eq(other.verdict, IDEM_FLEET_OWNED);
  cr_expect(!other.resent, "it is no retry");
}

Test(fleet_operation, a_release_frees_it_and_without_an_outcome_leaves_it_in_doubt)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 1);
  cr_expect_eq(API->release(a, patience(), &mine.fence, true), 1);
  mine = ask_for(a, 'k');
  cr_expect_eq(mine.verdict, IDEM_FLEET_OWNED);
  cr_expect(mine.resent);
  /* It sends nothing, and so learns nothing of the first. */
  cr_expect_eq(API->release(a, patience(), &mine.fence, false), 1);
  mine = ask_for(a, 'k');
  cr_expect(mine.resent);
  cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 1);
  cr_expect_eq(API->release(a, patience(), &mine.fence, false), 1);
  mine = ask_for(a, 'k');
  cr_expect(!mine.resent);
}

Test(fleet_operation, what_the_server_has_forgotten_is_adopted_unless_there_is_an_answer)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 1);
  told("FLUSHALL");
  cr_expect_eq(API->renew(a, &mine.fence), 1, "nothing was said yet");
  cr_expect_eq(commit(a, &mine.fence, "x"), 1);
  struct idem_fleet_claim late = mine;
  late.fence.generation--;
  told("DEL %s", name_of('k', 'c'));
  cr_expect_eq(commit(a, &late.fence, "y"), 0);
  struct idem_fleet_claim got = ask_for(a, 'k');
  cr_assert_eq(got.verdict, IDEM_FLEET_ANSWER);
  cr_expect_arr_eq(got.record, "x", 1);
}

Test(fleet_operation, an_answer_may_be_too_old_or_not_wanted_at_all)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k'), again = claim_for('k');
  cr_expect_eq(commit(a, &mine.fence, "x"), 1);
  told("HINCRBY %s t -5000", name_of('k', 'c'));
  again.most_age_ms = 60000;
  cr_assert_eq(API->claim(a, patience(), &again), 0);
  cr_expect_eq(again.verdict, IDEM_FLEET_ANSWER);
  cr_expect_geq(again.age_ms, 5000);
  API->answer_free(&again);
  again.most_age_ms = 4000;
  cr_assert_eq(API->claim(a, patience(), &again), 0);
  cr_expect_eq(again.verdict, IDEM_FLEET_OWNED);
  cr_expect_eq(again.fence.epoch, 1, "another key for upstream than the first answer's");
}

Test(fleet_operation, who_only_looks_claims_nothing)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim look = claim_for('k');
  look.keep_ms = 0;
  cr_assert_eq(API->claim(a, patience(), &look), 0);
  cr_expect_eq(look.verdict, IDEM_FLEET_NO_ANSWER);
  cr_expect_str_eq(told("EXISTS %s", name_of('k', 'c')), "0");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(commit(a, &mine.fence, "x"), 1);
  cr_assert_eq(API->claim(a, patience(), &look), 0);
  cr_expect_eq(look.verdict, IDEM_FLEET_ANSWER);
  API->answer_free(&look);
}

Test(fleet_operation, an_answer_that_expires_is_asked_for_under_another_epoch)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(API->commit(a, patience(), &mine.fence, "x", 1, 60000, 120000), 1);
  told("DEL %s", name_of('k', 'a'));
  mine = ask_for(a, 'k');
  cr_expect_eq(mine.verdict, IDEM_FLEET_OWNED);
  cr_expect_eq(mine.fence.epoch, 1);
  cr_expect(!mine.resent);
}

Test(fleet_operation, a_renewal_tells_at_the_next_turn_what_became_of_the_last)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  int said = 1;
  cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 1);
  told("HSET %s u 1", name_of('k', 'c'));
  cr_expect_eq(API->renew(a, &mine.fence), 1);
  while (!strcmp(told("HGET %s u", name_of('k', 'c')), "1"))
    ;
  told("HSET %s w 1", name_of('k', 'c'));
  for (int i = 0; i < 1000000 && said == 1; i++)
    said = API->renew(a, &mine.fence);
  cr_expect_eq(said, 2, "somebody follows");
  told("HSET %s o another", name_of('k', 'c'));
  for (int i = 0; i < 1000000 && said != 0; i++)
    said = API->renew(a, &mine.fence);
  cr_expect_eq(said, 0, "it is another's");
}

/* The server was away when it was sent. Were it a claim that has sent nothing, its end would leave
 * it free for the next. */
Test(fleet_operation, a_renewal_says_that_it_was_sent)
{
  struct idem_fleet_client *a = client_of("lease=1ms"), *b = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(API->renew(a, &mine.fence), 1);
  for (int i = 0; i < 3000 && strcmp(told("HGET %s s", name_of('k', 'c')), "S") != 0; i++)
    usleep(1000);
  struct idem_fleet_claim next = ask_for(b, 'k');
  while (next.verdict == IDEM_FLEET_BUSY)
    next = ask_for(b, 'k');
  cr_expect(next.resent);
}

/* Until the server has said that it has no such claim, or for ten seconds. */
static int renew_until_refused(struct idem_fleet_client *client, const struct idem_fleet_fence *fence)
{
  int said = 1;
  for (int i = 0; i < 10000 && said != 0; i++) {
    said = API->renew(client, fence);
    usleep(1000);
  }
  return said;
}

/* A call of minutes is all that the machine does: nobody else finds out that the server is back. */
Test(fleet_operation, a_renewal_finds_a_server_that_was_away)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 1);
  cr_expect_eq(API->renew(a, &mine.fence), 1);
  kill(server.pid, SIGKILL);
  waitpid(server.pid, NULL, 0);
  for (int i = 0; i < 1000 && !idem_fleet_is_away(shared_of(a)); i++)
    API->renew(a, &mine.fence);
  cr_assert(idem_fleet_is_away(shared_of(a)));
  restart_server();
  cr_expect_eq(renew_until_refused(a, &mine.fence), 0, "it has lost the claim, and the script");
  cr_expect(!idem_fleet_is_away(shared_of(a)));
}

Test(fleet_operation, a_renewal_brings_the_script_where_it_is_lost)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 1);
  told("SCRIPT FLUSH");
  told("HSET %s o another", name_of('k', 'c'));
  cr_expect_eq(renew_until_refused(a, &mine.fence), 0);
}

Test(fleet_operation, a_server_that_closes_the_idle_connection_of_renewals_is_not_away)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(API->renew(a, &mine.fence), 1);
  told("CLIENT KILL TYPE normal SKIPME yes");
  told("HSET %s u 1", name_of('k', 'c'));
  cr_expect_eq(API->renew(a, &mine.fence), 1);
  for (int i = 0; i < 3000 && !strcmp(told("HGET %s u", name_of('k', 'c')), "1"); i++)
    usleep(1000);
  cr_expect_str_neq(told("HGET %s u", name_of('k', 'c')), "1", "the same turn renews it");
  cr_expect_eq(atomic_load(&shared_of(a)->changes), 0);
}

struct pieces {
  char all[64];
  bool over;
};

static int take_piece(void *arg, uint64_t number, const char *bytes, size_t len, bool over)
{
  struct pieces *pieces = arg;
  (void)number;
  pieces->over = over;
  if (!over)
    strncat(pieces->all, bytes, len);
  return 0;
}

Test(fleet_operation, pieces_come_in_order_and_once_and_the_end_is_seen)
{
  struct idem_fleet_client *a = client_of(""), *b = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  struct pieces pieces = {.over = false};
  uint64_t next = 0;
  cr_expect_eq(API->follow(b, mine.fence.key, mine.fence.generation, 1, &next, take_piece, &pieces), 0);
  cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 2, "somebody follows");
  cr_expect_eq(API->publish(a, &mine.fence, 0, "one ", 4), 1);
  cr_expect_eq(API->publish(a, &mine.fence, 1, "two ", 4), 1);
  cr_expect_eq(API->follow(b, mine.fence.key, mine.fence.generation, 1000, &next, take_piece, &pieces),
               IDEM_FLEET_PIECES);
  cr_expect_eq(next, 2);
  cr_expect_eq(API->publish(a, &mine.fence, 2, "three", 5), 1);
  cr_expect_eq(API->follow(b, mine.fence.key, mine.fence.generation, 1000, &next, take_piece, &pieces),
               IDEM_FLEET_PIECES);
  cr_expect_str_eq(pieces.all, "one two three");
  cr_expect(!pieces.over);
  cr_expect_eq(commit(a, &mine.fence, "x"), 1);
  cr_expect_eq(API->follow(b, mine.fence.key, mine.fence.generation, 1000, &next, take_piece, &pieces),
               IDEM_FLEET_OVER);
}

/* Its reply was lost with the connection. */
Test(fleet_operation, a_piece_may_be_told_again)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  struct pieces pieces = {.over = false};
  uint64_t next = 0;
  for (int i = 0; i < 2; i++)
    cr_expect_eq(API->publish(a, &mine.fence, 0, "one ", 4), 1, "%s", API->problem(a));
  for (int i = 0; i < 2; i++)
    cr_expect_eq(API->publish(a, &mine.fence, 1, "two", 3), 1, "%s", API->problem(a));
  API->follow(a, mine.fence.key, mine.fence.generation, 1, &next, take_piece, &pieces);
  cr_expect_str_eq(pieces.all, "one two");
  cr_expect_eq(atomic_load(&shared_of(a)->changes), 0);
}

static unsigned removed_keys;

/* `failing` is what it returns. */
static int count_removed(void *failing, const uint8_t (*keys)[IDEM_FLEET_KEY], size_t count)
{
  for (size_t i = 0; i < count; i++)
    removed_keys += keys[i][0] == 'k';
  return failing ? *(int *)failing : 0;
}

Test(fleet_operation, what_is_removed_is_told_to_the_others_once)
{
  struct idem_fleet_client *a = client_of(""), *b = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(commit(a, &mine.fence, "x"), 1);
  cr_expect_eq(API->removed(b, patience(), count_removed, NULL), 0);
  cr_expect_eq(API->remove(a, patience(), mine.fence.key), 1);
  cr_expect_eq(API->remove(a, patience(), mine.fence.key), 0);
  int failing = -ENOSPC;
  cr_expect_eq(API->removed(b, patience(), count_removed, &failing), -ENOSPC);
  removed_keys = 0;
  cr_expect_geq(API->removed(b, patience(), count_removed, NULL), 1);
  cr_expect_geq(removed_keys, 1, "what could not be done is told again");
  cr_expect_eq(API->removed(b, patience(), count_removed, NULL), 0);
  mine = ask_for(b, 'k');
  cr_expect_eq(mine.verdict, IDEM_FLEET_OWNED);
  cr_expect_eq(mine.fence.epoch, 1);
}

Test(fleet_operation, an_answer_is_removed_that_has_outlived_its_claim)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(commit(a, &mine.fence, "x"), 1);
  cr_expect_str_eq(told("DEL %s", name_of('k', 'c')), "1");
  cr_expect_eq(API->remove(a, patience(), mine.fence.key), 1);
  cr_expect_str_eq(told("EXISTS %s", name_of('k', 'a')), "0");
  cr_expect_eq(ask_for(a, 'k').verdict, IDEM_FLEET_OWNED);
}

Test(fleet_operation, the_first_machine_says_who_the_fleet_is)
{
  struct idem_fleet_client *a = client_of(""), *b = client_of("");
  char one[IDEM_FLEET_IDENTITY], two[IDEM_FLEET_IDENTITY];
  cr_assert_eq(API->identity(a, patience(), "I am A", one), 0);
  cr_assert_eq(API->identity(b, patience(), "I am B", two), 0);
  cr_expect_str_eq(one, "I am A");
  cr_expect_str_eq(two, "I am A");
  /* Lost, it is told again by whoever connects; another one is not served. */
  told("FLUSHALL");
  told("CLIENT KILL TYPE normal SKIPME yes");
  ask_for(a, 'k');
  cr_expect_str_eq(told("GET idemshim:default:identity"), "I am A");
  told("SET idemshim:default:identity other");
  told("CLIENT KILL TYPE normal SKIPME yes");
  struct idem_fleet_claim claim = claim_for('k');
  cr_expect_eq(API->claim(a, patience(), &claim), -ESTALE);
}

/* Long answers. */

static char *long_record(size_t len)
{
  char *record = malloc(len);
  for (size_t i = 0; i < len; i++)
    record[i] = (char)(i * 2654435761u >> 24);
  return record;
}

Test(fleet_operation, a_long_answer_goes_in_parts_and_one_that_lacks_a_part_is_none)
{
  const size_t len = (3 << 20) + 17;
  struct idem_fleet_client *a = client_of("");
  char *record = long_record(len);
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(API->commit(a, patience(), &mine.fence, record, len, 60000, 120000), 1);
  struct idem_fleet_claim got = ask_for(a, 'k');
  cr_assert_eq(got.verdict, IDEM_FLEET_ANSWER);
  cr_assert_eq(got.record_len, len);
  cr_expect_arr_eq(got.record, record, len);
  told("DEL %s:%llx:2", name_of('k', 'a'), (unsigned long long)mine.fence.generation);
  got = ask_for(a, 'k');
  cr_expect_eq(got.verdict, IDEM_FLEET_OWNED);
  free(record);
}

/* What a look says; its record is freed with the server. */
static struct idem_fleet_claim look_for(struct idem_fleet_client *client, char key, int64_t most_age_ms)
{
  struct idem_fleet_claim claim = claim_for(key);
  claim.most_age_ms = most_age_ms;
  int rc = API->look(client, patience(), &claim);
  cr_assert_eq(rc, 0, "%d: %s", rc, API->problem(client));
  keep_record(&claim);
  return claim;
}

Test(fleet_operation, a_look_finds_what_a_claim_would_be_answered_with_and_changes_nothing)
{
  struct idem_fleet_client *a = client_of("");
  cr_expect_eq(look_for(a, 'k', -1).verdict, IDEM_FLEET_NO_ANSWER);
  cr_expect_str_eq(told("DBSIZE"), "0");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(look_for(a, 'k', -1).verdict, IDEM_FLEET_NO_ANSWER, "claimed");
  cr_expect_eq(API->sent(a, patience(), &mine.fence, 0), 1);
  cr_expect_eq(look_for(a, 'k', -1).verdict, IDEM_FLEET_NO_ANSWER, "sent");
  cr_expect_eq(commit(a, &mine.fence, "the answer"), 1);
  struct idem_fleet_claim got = look_for(a, 'k', 60000);
  cr_assert_eq(got.verdict, IDEM_FLEET_ANSWER);
  cr_expect_eq(got.record_len, 10);
  cr_expect_str_eq(got.record, "the answer");
  cr_expect(got.left_ms > 0 && got.left_ms <= 60000, "%lld", (long long)got.left_ms);
  cr_expect(got.age_ms >= 0 && got.age_ms < 60000, "%lld", (long long)got.age_ms);
  /* It is older than they take. */
  told("HSET %s t 1000", name_of('k', 'c'));
  cr_expect_eq(look_for(a, 'k', 60000).verdict, IDEM_FLEET_NO_ANSWER);
  cr_expect_eq(look_for(a, 'k', -1).verdict, IDEM_FLEET_ANSWER);
  /* Nobody knows its end. */
  told("PERSIST %s", name_of('k', 'a'));
  cr_expect_eq(look_for(a, 'k', -1).verdict, IDEM_FLEET_NO_ANSWER);
  /* It has outlived its claim. */
  told("PEXPIRE %s 60000", name_of('k', 'a'));
  told("DEL %s", name_of('k', 'c'));
  got = look_for(a, 'k', 1);
  cr_expect_eq(got.verdict, IDEM_FLEET_ANSWER);
  cr_expect_eq(got.age_ms, 0);
  cr_expect_eq(API->remove(a, patience(), got.fence.key), 1);
  cr_expect_eq(look_for(a, 'k', -1).verdict, IDEM_FLEET_NO_ANSWER, "removed");
}

Test(fleet_operation, a_look_finds_a_long_answer_and_none_that_lacks_a_part)
{
  const size_t len = (1 << 20) + 17;
  struct idem_fleet_client *a = client_of("");
  char *record = long_record(len);
  struct idem_fleet_claim mine = ask_for(a, 'k');
  cr_expect_eq(API->commit(a, patience(), &mine.fence, record, len, 60000, 120000), 1);
  struct idem_fleet_claim got = look_for(a, 'k', -1);
  cr_assert_eq(got.verdict, IDEM_FLEET_ANSWER);
  cr_assert_eq(got.record_len, len);
  cr_expect_arr_eq(got.record, record, len);
  told("DEL %s:%llx:1", name_of('k', 'a'), (unsigned long long)mine.fence.generation);
  cr_expect_eq(look_for(a, 'k', -1).verdict, IDEM_FLEET_NO_ANSWER);
  free(record);
}

/* Where the rule says so, or where its time is over while it is on its way. */
Test(fleet_operation, an_answer_without_any_time_to_live_is_stored_all_the_same)
{
  struct idem_fleet_client *a = client_of("");
  struct idem_fleet_claim mine = ask_for(a, 'k'), longer = ask_for(a, 'm');
  char *record = long_record((1 << 20) + 1);
  cr_expect_eq(API->commit(a, patience(), &mine.fence, "x", 1, 0, 60000), 1, "%s", API->problem(a));
  cr_expect_eq(API->commit(a, patience(), &longer.fence, record, (1 << 20) + 1, 0, 60000), 1, "%s",
               API->problem(a));
  cr_expect_eq(atomic_load(&shared_of(a)->changes), 0);
  free(record);
}

Test(fleet_operation, an_answer_that_is_too_long_stays_at_home)
{
  struct idem_fleet_client *a = client_of("max-value=1M");
  struct idem_fleet_claim mine = ask_for(a, 'k');
  char *record = long_record((1 << 20) + 1);
  cr_expect_eq(API->commit(a, patience(), &mine.fence, record, (1 << 20) + 1, 60000, 120000), -EMSGSIZE);
  free(record);
}

/* What others have written. */

Test(fleet_operation, a_record_of_another_kind_is_a_failure_and_no_crash)
{
  /* The command, and what stands behind the key. */
  static const char *const odd[][2] = {{"SET", "x"},
                                       {"HSET", "s A"},
                                       {"HSET", "s S g x o y u z"},
                                       {"HSET", "s C g -5 o y u 99999999999999"},
                                       {"HSET", "s Q g 1"},
                                       {"HSET", "s A g 1 t x"},
                                       {"LPUSH", "a"},
                                       {"HSET", "s C g 1e400 o y u 1e400 f f"}};
  struct idem_fleet_client *a = client_of("");
  for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
    struct idem_fleet_claim claim = claim_for('k');
    told("FLUSHALL");
    told("%s %s %s", odd[i][0], name_of('k', 'c'), odd[i][1]);
    told("SET %s idemshim PX 60000", name_of('k', 'a'));
    int rc = API->look(a, patience(), &claim);
    cr_expect(rc == 0 || rc == -EREMOTEIO, "%s %s: %d", odd[i][0], odd[i][1], rc);
    bool is_answered = strncmp(odd[i][1], "s A", 3) == 0 && !strstr(odd[i][1], "t x");
    cr_expect_eq(claim.verdict == IDEM_FLEET_ANSWER, is_answered, "%s %s", odd[i][0], odd[i][1]);
    API->answer_free(&claim);
    told("PERSIST %s", name_of('k', 'a'));
    rc = API->claim(a, patience(), &claim);
    cr_expect(rc == 0 || rc == -EREMOTEIO || rc == -EPROTO, "%s %s: %d", odd[i][0], odd[i][1], rc);
    API->answer_free(&claim);
    cr_expect(!idem_fleet_is_away(shared_of(a)), "the other operations go on");
  }
  told("CONFIG SET maxmemory 1");
  struct idem_fleet_claim claim = claim_for('m');
  cr_expect_eq(API->claim(a, patience(), &claim), -EREMOTEIO);
  cr_expect(idem_fleet_is_away(shared_of(a)), "%s", API->problem(a));
}

/* The model. */

struct walker {
  struct model record;
  struct {
    struct idem_fleet_claim claim;
    uint8_t generation, epoch;
    bool owns;
  } actor[3];
  uint64_t real[256]; /* generations of the server, by the model's */
  uint8_t claims, nonces;
};

static void walk_claim(struct walker *walker, struct idem_fleet_client *client, int i)
{
  uint8_t nonce = (uint8_t)(1 + i), next = (uint8_t)(walker->claims + 1);
  struct model before = walker->record;
  bool refuses = rand() % 4 == 0;
  struct model_claim model = model_claim(&walker->record, MODEL_FENCED, nonce, next, refuses);
  struct idem_fleet_claim claim = claim_for('k');
  snprintf(claim.fence.owner, sizeof(claim.fence.owner), "%d", i);
  claim.refuses = refuses;
  cr_assert_eq(API->look(client, patience(), &claim), 0, "%s", API->problem(client));
  cr_assert_eq(claim.verdict == IDEM_FLEET_ANSWER, model.verdict == MODEL_ANSWER);
  API->answer_free(&claim);
  cr_assert_eq(API->claim(client, patience(), &claim), 0, "%s", API->problem(client));
  walker->claims += memcmp(&before, &walker->record, sizeof(before)) != 0;
  cr_assert_eq(claim.verdict == IDEM_FLEET_OWNED, model.verdict == MODEL_OWNED);
  cr_assert_eq(claim.verdict == IDEM_FLEET_ANSWER, model.verdict == MODEL_ANSWER);
  cr_assert_eq(claim.verdict == IDEM_FLEET_BUSY, model.verdict == MODEL_BUSY);
  cr_assert_eq(claim.verdict == IDEM_FLEET_IN_DOUBT, model.verdict == MODEL_IN_DOUBT);
  API->answer_free(&claim);
  walker->actor[i].owns = model.verdict == MODEL_OWNED;
  if (!walker->actor[i].owns)
    return;
  cr_assert_eq(claim.resent, model.resent);
  cr_assert_eq(claim.fence.epoch, model.epoch);
  walker->actor[i].claim = claim;
  walker->actor[i].generation = model.generation;
  walker->actor[i].epoch = model.epoch;
}

/* A step of one who has, or once had, the claim. */
static void walk_step(struct walker *walker, struct idem_fleet_client *client, int i)
{
  uint8_t nonce = (uint8_t)(1 + i), generation = walker->actor[i].generation;
  const struct idem_fleet_fence *fence = &walker->actor[i].claim.fence;
  bool unknown = rand() % 2;
  int expected, got;
  switch (rand() % 3) {
  case 0:
    expected = model_sent(&walker->record, MODEL_FENCED, nonce, generation);
    got = API->sent(client, patience(), fence, 0);
    break;
  case 1:
    expected = model_commit(&walker->record, MODEL_FENCED, nonce, generation, walker->actor[i].epoch);
    got = commit(client, fence, "x");
    break;
  default:
    expected = model_release(&walker->record, MODEL_FENCED, nonce, generation, unknown);
    got = API->release(client, patience(), fence, unknown);
  }
  cr_assert_eq(got, expected, "%d instead of %d", got, expected);
}

static void walk_event(struct walker *walker)
{
  struct model *record = &walker->record;
  bool is_open = record->state == MODEL_CLAIMED || record->state == MODEL_SENT;
  switch (rand() % 8) {
  case 0:
    told("FLUSHALL");
    *record = (struct model){.state = MODEL_NONE};
    break;
  case 1:
    told("DEL %s", name_of('k', 'a'));
    record->answer = 0;
    break;
  case 2:
    told("DEL %s", name_of('k', 'c'));
    *record = (struct model){.state = MODEL_NONE, .answer = record->answer};
    break;
  default:
    if (is_open) {
      told("HSET %s u 1", name_of('k', 'c'));
      record->leased = false;
    }
  }
}

Test(fleet_operation, a_server_does_what_the_model_does)
{
  struct idem_fleet_client *client = client_of("lease=1h");
  struct walker walker = {.claims = 0};
  srand(1);
  for (int step = 0; step < 4000 && walker.claims < 250; step++) {
    int i = rand() % 3;
    if (rand() % 4 == 0)
      walk_event(&walker);
    else if (walker.actor[i].owns && rand() % 3)
      walk_step(&walker, client, i);
    else
      walk_claim(&walker, client, i);
  }
  cr_expect_geq(walker.claims, 200);
}
