/* SPDX-License-Identifier: MIT */
/* A store that is too small for everything, and clearing out. */
#include "store/records/evict.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SMALL = 4 << 20, LARGE_ANSWER = 50000 };

static struct idem_error error;

static void open_small(void)
{
  open_fixture();
  idem_store_close(fixture.store);
  fixture.options.size = SMALL;
  static char dir[256];
  strcpy(dir, fixture_path(&fixture, "small"));
  fixture.options.dir = dir;
  cr_assert_eq(idem_store_open(&fixture.store, &fixture.options, &error), 0, "%s", error.text);
}

TestSuite(store_room, .init = open_small, .fini = close_fixture, .timeout = 60);

static const char *scope = "";

static int ask_number(int i, size_t size)
{
  char body[32], *answer = malloc(size + 1);
  snprintf(body, sizeof(body), "{\"n\":%d}", i);
  memset(answer, ' ', size);
  memcpy(answer, "{}", 2);
  answer[size] = '\0';
  struct caller caller = caller_of(&fixture, body);
  caller.request.scope = (struct idem_span){scope, strlen(scope)};
  int verdict = caller_ask(&caller, answer);
  free(answer);
  return verdict;
}

static uint64_t entries(enum pages_tree tree)
{
  struct reader *reader;
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0, "%s", error.text);
  uint64_t count = reader->snapshot.tree[tree].entries;
  reader_end(reader);
  return count;
}

static bool count_claim(void *count, const uint8_t *key, const struct claim_record *record)
{
  (void)key;
  (void)record;
  ++*(unsigned *)count;
  return false;
}

/* In the table, with what contents were noted under, and in LMDB. */
static unsigned claims(void)
{
  unsigned count = 0;
  claim_table_sweep(fixture.store->claim_table, &fixture.store->claims_file, NULL, count_claim, &count);
  return count + (unsigned)entries(PAGES_OPS) + (unsigned)entries(PAGES_PRINTS);
}

Test(store_room, the_oldest_make_room_and_the_newest_stay)
{
  for (int i = 0; i < 400; i++)
    cr_assert_eq(ask_number(i, LARGE_ANSWER), IDEM_OWNED, "%d", i);
  struct idem_stats stats;
  cr_assert_eq(idem_store_stats(fixture.store, &stats, &error), 0);
  cr_expect_gt(stats.counter[IDEM_COUNTER_evicted], 300);
  cr_expect_leq(stats.answer_bytes, SMALL);
  cr_expect_gt(stats.answers, 40, "half of it is in use");
  cr_expect_eq(ask_number(399, LARGE_ANSWER), IDEM_HIT);
  cr_expect_eq(ask_number(0, LARGE_ANSWER), IDEM_OWNED);
  struct stat file;
  stat(fixture_path(&fixture, "small/data.mdb"), &file);
  cr_expect_leq(file.st_size, SMALL + SMALL / 8 + (8 << 20));
}

/* They are the first that came, and would be the first to go. */
Test(store_room, what_an_unfinished_run_has_paid_for_goes_last)
{
  scope = "run:night";
  for (int i = 0; i < 20; i++)
    cr_assert_eq(ask_number(i, LARGE_ANSWER), IDEM_OWNED, "%d", i);
  scope = "running";
  for (int i = 100; i < 400; i++)
    cr_assert_eq(ask_number(i, LARGE_ANSWER), IDEM_OWNED, "%d", i);
  cr_expect_eq(ask_number(100, LARGE_ANSWER), IDEM_OWNED);
  cr_expect_eq(ask_number(399, LARGE_ANSWER), IDEM_HIT);
  scope = "run:night";
  for (int i = 0; i < 20; i++)
    cr_expect_eq(ask_number(i, LARGE_ANSWER), IDEM_HIT, "%d", i);
}

Test(store_room, a_run_alone_in_the_store_makes_room_for_itself)
{
  struct idem_stats stats;
  scope = "run:night";
  for (int i = 0; i < 200; i++)
    cr_assert_eq(ask_number(i, LARGE_ANSWER), IDEM_OWNED, "%d", i);
  cr_assert_eq(idem_store_stats(fixture.store, &stats, &error), 0);
  cr_expect_leq(stats.answer_bytes, SMALL);
  cr_expect_eq(ask_number(199, LARGE_ANSWER), IDEM_HIT);
}

Test(store_room, many_small_answers_fit_as_well)
{
  for (int i = 0; i < 6000; i++)
    cr_assert_eq(ask_number(i, 100), IDEM_OWNED, "%d", i);
  cr_expect_eq(ask_number(5999, 100), IDEM_HIT);
  struct idem_verify verify;
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect_eq(verify.damaged + verify.strays, 0);
}

Test(store_room, an_answer_too_large_for_the_store_is_refused_by_name)
{
  struct caller caller = caller_of(&fixture, "{}");
  char *answer = malloc(SMALL / 2);
  memset(answer, ' ', SMALL / 2);
  memcpy(answer, "{}", 2);
  answer[SMALL / 2 - 1] = '\0';
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect_eq(caller_commit(&caller, answer), -EFBIG);
  cr_expect_not_null(strstr(caller.error.text, "IDEMSHIM_STORE_SIZE"));
  caller_leave(&caller, true);
  free(answer);
}

Test(store_room, failed_calls_do_not_fill_it_for_ever)
{
  for (int i = 0; i < 8000; i++) {
    char body[32];
    snprintf(body, sizeof(body), "{\"failed\":%d}", i);
    struct caller caller = caller_of(&fixture, body);
    caller_enter(&caller);
    caller_leave(&caller, false);
  }
  for (int i = 0; i < 200; i++)
    cr_assert_eq(ask_number(i, LARGE_ANSWER), IDEM_OWNED, "%d", i);
}

/* Whatever its app does with it, and however long that takes: what has come meanwhile is five times
 * what the file may have. */
Test(store_room, an_answer_that_is_not_left_keeps_no_room)
{
  const size_t sizes[] = {100, 10000, LARGE_ANSWER};
  struct caller slow[] = {caller_of(&fixture, "{\"n\":0}"), caller_of(&fixture, "{\"n\":1}"),
                          caller_of(&fixture, "{\"n\":2}")};
  for (int i = 0; i < 3; i++)
    cr_assert_eq(ask_number(i, sizes[i]), IDEM_OWNED);
  for (int i = 0; i < 3; i++)
    cr_assert_eq(caller_enter(&slow[i]), IDEM_HIT);
  for (int i = 10; i < 1200; i++)
    cr_assert_eq(ask_number(i, LARGE_ANSWER), IDEM_OWNED);
  for (int i = 0; i < 3; i++) {
    cr_expect_eq(slow[i].call.answer.body.len, sizes[i]);
    cr_expect_eq(memcmp(slow[i].call.answer.body.data, "{}  ", 4), 0);
    cr_expect_eq(slow[i].call.answer.body.data[sizes[i] - 1], ' ');
    caller_leave(&slow[i], true);
  }
  cr_expect_eq(ask_number(0, 100), IDEM_OWNED);
}

/* So may who looks on while a store is verified: what it is told may go to a pager. */
static void fill_meanwhile(void *calls, uint64_t done, uint64_t total)
{
  int *made = calls;
  (void)done;
  (void)total;
  for (int i = 0; i < 400 && *made < 800; i++, ++*made)
    cr_assert_eq(ask_number(1000 + *made, LARGE_ANSWER), IDEM_OWNED);
}

Test(store_room, a_verification_that_waits_keeps_no_room)
{
  struct idem_verify verify;
  int made = 0;
  for (int i = 0; i < 20; i++)
    cr_assert_eq(ask_number(i, LARGE_ANSWER), IDEM_OWNED);
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, fill_meanwhile, &made, &error), 0);
  cr_expect_eq(made, 800);
  cr_expect_eq(verify.damaged + verify.strays, 0, "commits in between are no damage");
  cr_expect_gt(verify.answers, 10);
}

/* More entries than a batch has, and each of them is looked at once. */
Test(store_room, a_verification_looks_at_all)
{
  enum { MANY = 2600 };
  struct idem_verify verify;
  fixture.options.size = 64 << 20;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  for (int i = 0; i < MANY; i++)
    cr_assert_eq(ask_number(i, 100), IDEM_OWNED);
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect_eq(verify.answers, MANY);
  cr_expect_eq(verify.damaged + verify.strays, 0);
}

static bool is_blocked(int signal)
{
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, NULL, &blocked);
  return sigismember(&blocked, signal);
}

/* Ctrl-Z of a command would keep its snapshot for as long as it is stopped; an app's
 * signals are the app's. */
Test(store_room, a_command_is_not_stopped_while_it_has_a_snapshot)
{
  for (int is_command = 0; is_command < 2; is_command++) {
    struct reader *reader;
    fixture.options.patience_ms = is_command ? 10000 : 0;
    cr_assert_eq(fixture_reopen(&fixture, &error), 0);
    cr_assert_eq(state_read(fixture.store, &reader, &error), 0);
    cr_expect_eq(is_blocked(SIGTSTP), is_command);
    cr_expect_not(is_blocked(SIGINT));
    reader_end(reader);
    cr_expect_not(is_blocked(SIGTSTP));
  }
}

/* How far it has come. */
struct mix {
  int number;
  uint64_t state, came, left, gone; /* bytes; before, and of those that are not there any more */
};

static size_t size_of_mix(struct mix *mix, bool is_long)
{
  enum { KB = 1000 };
  mix->state = mix->state * 6364136223846793005u + 1442695040888963407u;
  uint64_t random = mix->state >> 33, percent = random / 1000003 % 100;
  return (size_t)(is_long        ? 1000 * KB + random % (2000 * KB)
                  : percent < 80 ? KB + random % (6 * KB)
                  : percent < 95 ? 20 * KB + random % (40 * KB)
                                 : 200 * KB + random % (600 * KB));
}

struct held {
  uint64_t count, first, last;
};

static int hold(void *arg, struct idem_span age, struct idem_span key)
{
  struct held *held = arg;
  (void)key;
  held->last = (uint64_t)answer_index_expiry_time(age.data);
  held->first = held->count++ ? held->first : held->last;
  return 0;
}

/* Those that are there are the newest, without a gap. */
static struct held held(void)
{
  struct held held = {.count = 0};
  struct reader *reader;
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0);
  cr_assert_eq(pages_each(&reader->snapshot, PAGES_AGE, NULL, hold, &held), 0);
  reader_end(reader);
  cr_expect_eq(held.count ? held.last - held.first + 1 : 0, held.count);
  return held;
}

/* What is needed to drop anything was kept. */
Test(store_room, on_a_full_disk_the_oldest_make_room_and_rm_and_gc_work)
{
  static char dir[256];
  struct idem_stats stats;
  struct idem_gc gc;
  snprintf(dir, sizeof(dir), "%s", fixture_path(&fixture, "disk"));
  mkdir(dir, 0700);
  if (mount("tmpfs", dir, "tmpfs", 0, "size=12m,mode=700"))
    cr_skip_test("no file system may be mounted here");
  idem_store_close(fixture.store);
  fixture.options.size = 64 << 20;
  fixture.options.dir = dir;
  cr_assert_eq(idem_store_open(&fixture.store, &fixture.options, &error), 0, "%s", error.text);
  for (int i = 0; i < 1000; i++)
    cr_assert_eq(ask_number(i, i % 50 ? 3000 : 1000000), IDEM_OWNED, "%d", i);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_not_stored), 0);
  cr_assert_eq(idem_store_stats(fixture.store, &stats, &error), 0);
  cr_expect_gt(stats.answer_bytes, 4 << 20, "most of the disk is in use");
  cr_expect_gt(held().first, 1);
  cr_expect_eq(ask_number(999, 3000), IDEM_HIT);
  struct caller caller = caller_of(&fixture, "{\"n\":998}");
  cr_assert_eq(idem_store_remove(fixture.store, caller_key(&caller), &error), 0, "%s", error.text);
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &error), 0, "%s", error.text);
  cr_expect_eq(ask_number(1000, 3000), IDEM_OWNED);
  idem_store_close(fixture.store);
  fixture.store = NULL;
  umount2(dir, MNT_DETACH);
}

/* Of the usual sizes, then of long ones, then of the usual again; each is stored, or ask_number() fails.
 * Serial numbers are from 1. */
Test(store_room, a_full_store_takes_any_mix_of_sizes_for_as_much_that_is_oldest)
{
  enum { ROOM = 16 << 20, MOST = 10000 };
  static uint64_t before[MOST]; /* all bytes that came before this one */
  struct mix mix = {.state = 1};
  fixture.options.size = ROOM;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  for (int phase = 0; phase < 4; phase++) {
    uint64_t came = before[mix.number], gone = before[held().first ? held().first - 1 : 0];
    while (phase ? before[mix.number] - came < ROOM : !fixture_counter(&fixture, IDEM_COUNTER_evicted)) {
      size_t size = size_of_mix(&mix, phase == 2);
      cr_assert_eq(ask_number(mix.number++, size), IDEM_OWNED);
      before[mix.number] = before[mix.number - 1] + size;
    }
    came = before[mix.number] - came;
    gone = before[held().first - 1] - gone;
    cr_expect(gone <= came + came / 5, "%d: %d came, %d went", phase, (int)came, (int)gone);
    cr_expect_gt(before[mix.number] - before[held().first - 1], ROOM / 2, "half of it is in use");
  }
  struct stat file;
  stat(fixture_path(&fixture, "small/data.mdb"), &file);
  cr_expect_leq(file.st_size, ROOM + ROOM / 2 + (8 << 20));
  struct idem_verify verify;
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect_eq(verify.damaged + verify.strays, 0);
}

Test(store_room, gc_removes_what_has_expired_and_nothing_else)
{
  struct idem_gc gc;
  struct idem_stats stats;
  fixture_rule(&fixture, "ttl=0");
  for (int i = 0; i < 100; i++)
    ask_number(i, 100);
  fixture_rule(&fixture, "ttl=1h");
  for (int i = 1000; i < 1010; i++)
    ask_number(i, 100);
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &error), 0, "%s", error.text);
  cr_assert_eq(idem_store_stats(fixture.store, &stats, &error), 0);
  cr_expect_eq(stats.answers, 10);
  cr_expect_eq(ask_number(1005, 100), IDEM_HIT);
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &error), 0);
  cr_expect_eq(gc.removed, 0);
}

/* More than one batch, of which the later are larger. */
Test(store_room, gc_clears_answers_out_with_all_of_their_indexes)
{
  enum { MANY = 1500 };
  static const enum pages_tree trees[] = {PAGES_ANSWERS, PAGES_RAW, PAGES_AGE, PAGES_EXPIRY, PAGES_PRINTS};
  struct idem_gc gc;
  struct idem_verify verify;
  fixture_rule(&fixture, "ttl=1h");
  ask_number(MANY, 100);
  fixture_rule(&fixture, "ttl=1s");
  for (int i = 0; i < MANY; i++)
    ask_number(i, 100);
  usleep(1000000);
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &error), 0, "%s", error.text);
  for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++)
    cr_expect_eq(entries(trees[i]), 1, "%s: %d", pages_names[trees[i]], (int)entries(trees[i]));
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect_eq(verify.damaged + verify.strays, 0);
}

/* One commit does what it has to, and the store gets there after some. */
Test(store_room, a_store_whose_size_was_lowered_shrinks_as_it_is_used)
{
  struct idem_stats stats;
  for (int i = 0; i < 60; i++)
    cr_assert_eq(ask_number(i, LARGE_ANSWER), IDEM_OWNED);
  fixture.options.size = SMALL / 4;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  cr_assert_eq(ask_number(100, LARGE_ANSWER), IDEM_OWNED);
  uint64_t evicted = fixture_counter(&fixture, IDEM_COUNTER_evicted);
  cr_expect(evicted > 1 && evicted < 20, "%d", (int)evicted);
  for (int i = 101; i < 140; i++)
    cr_assert_eq(ask_number(i, LARGE_ANSWER), IDEM_OWNED, "%d", i);
  cr_assert_eq(idem_store_stats(fixture.store, &stats, &error), 0);
  cr_expect_leq(stats.answer_bytes, SMALL / 4);
  cr_expect_eq(ask_number(139, LARGE_ANSWER), IDEM_HIT);
}

Test(store_room, gc_frees_the_reader_slots_of_the_dead)
{
  struct idem_gc gc;
  ask_number(1, 100);
  for (int i = 0; i < 5; i++) {
    pid_t child = fork();
    if (child == 0) {
      ask_number(1, 100);
      raise(SIGKILL);
    }
    waitpid(child, NULL, 0);
  }
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &error), 0);
  cr_expect_eq(gc.readers, 5);
}

/* Nobody has left the snapshot that it held, so what is dropped could not be used again. */
Test(store_room, a_reader_that_died_keeps_no_room)
{
  ask_number(0, 100);
  pid_t child = fork();
  if (child == 0) {
    struct caller caller = caller_of(&fixture, "{\"n\":0}");
    if (caller_enter(&caller) == IDEM_HIT)
      raise(SIGKILL);
    _exit(1);
  }
  int status;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFSIGNALED(status));
  for (int i = 1; i <= 400; i++)
    cr_assert_eq(ask_number(i, LARGE_ANSWER), IDEM_OWNED);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_stored), 401);
  cr_expect_eq(ask_number(400, LARGE_ANSWER), IDEM_HIT);
}

Test(store_room, a_claim_of_the_dead_goes_with_what_its_content_was_noted_under)
{
  struct evicted gone = {0};
  struct caller caller = caller_of(&fixture, "{}");
  caller_header(&caller, "Idempotency-Key: one");
  pid_t child = fork();
  if (child == 0)
    _exit(caller_enter(&caller) == IDEM_OWNED ? 0 : 1);
  int status;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert_eq(status, 0);
  cr_assert_eq(claims(), 2);
  struct evict_pass young = {.kind = EVICT_CLAIMS, .age_us = 3600 * INT64_C(1000000)},
                    all = {.kind = EVICT_CLAIMS, .age_us = -INT64_C(1000000)};
  cr_expect_eq(evict_batch(fixture.store, &young, &gone, &error), 0);
  cr_expect_eq(gone.claims, 0, "too young");
  cr_expect_eq(evict_batch(fixture.store, &all, &gone, &error), 0);
  cr_expect_eq(gone.claims, 1);
  cr_expect_eq(claims(), 0);
}

static void *come_and_go(void *over)
{
  struct commit_queue *queue = &fixture.store->stats->queue;
  while (!atomic_load((atomic_bool *)over)) {
    struct queue_slot *slot = queue_take(queue, 1);
    queue_publish(queue, slot);
    sched_yield();
    queue_withdraw(queue, slot);
  }
  return NULL;
}

/* Returns how many a batch has dropped while somebody came to wait, and went, all the time. */
static uint64_t drop_beside_others(struct evict_pass *pass)
{
  struct evicted gone = {0};
  atomic_bool over = false;
  pthread_t thread;
  cr_assert_eq(pthread_create(&thread, NULL, come_and_go, &over), 0);
  cr_expect_geq(evict_batch(fixture.store, pass, &gone, &error), 0);
  atomic_store(&over, true);
  pthread_join(thread, NULL);
  return gone.answers;
}

Test(store_room, a_batch_that_yields_ends_where_somebody_comes_to_wait)
{
  enum { ANSWERS = 300, MOST = 100 };
  uint64_t gone;
  do {
    struct evict_pass pass = {.kind = EVICT_OLDEST, .most = MOST};
    for (int i = 0; i < ANSWERS; i++)
      ask_number(i, 100);
    cr_expect_eq(drop_beside_others(&pass), MOST, "it does not yield");
    pass.yields = true;
    uint64_t before = entries(PAGES_ANSWERS);
    gone = drop_beside_others(&pass);
    cr_expect_eq(entries(PAGES_ANSWERS), before - gone);
  } while (gone == MOST);
  cr_expect_geq(gone, 32);
}

/* Those that stay are looked at once: a batch goes on behind them, and does not begin anew. */
Test(store_room, a_pass_over_claims_goes_on_where_it_has_stopped)
{
  enum { CLAIMS = 8000 };
  struct evicted gone = {0};
  struct evict_pass pass = {.kind = EVICT_CLAIMS, .age_us = 3600 * INT64_C(1000000)};
  for (int i = 0; i < CLAIMS; i++) {
    char body[32];
    snprintf(body, sizeof(body), "{\"failed\":%d}", i);
    struct caller caller = caller_of(&fixture, body);
    caller_enter(&caller);
    caller_leave(&caller, false);
  }
  cr_assert_eq(claims(), CLAIMS);
  cr_assert_gt(entries(PAGES_OPS), 4096);
  cr_expect_eq(evict_batch(fixture.store, &pass, &gone, &error), 1);
  cr_expect_eq(pass.from_len, IDEM_KEY_SIZE);
  cr_expect_eq(evict_batch(fixture.store, &pass, &gone, &error), 0, "the rest");
  cr_expect_eq(gone.claims, 0);
}

Test(store_room, a_claim_that_is_held_stays)
{
  struct evicted gone = {0};
  struct caller caller = caller_of(&fixture, "{}");
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  struct evict_pass all = {.kind = EVICT_CLAIMS, .age_us = -INT64_C(1000000)};
  cr_expect_eq(evict_batch(fixture.store, &all, &gone, &error), 0);
  cr_expect_eq(gone.claims, 0);
  cr_expect_eq(caller_commit(&caller, "{}"), IDEM_STORED);
  caller_leave(&caller, true);
}
