/* SPDX-License-Identifier: MIT */
/* Whatever is wrong with the store, the rules or the log: the app's calls succeed live, and one clear line
 * says why. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_up(void)
{
  open_world();
  world_unset(&w, "IDEMSHIM_LOG");
}

TestSuite(trouble, .init = set_up, .fini = close_world);

static const char target[] = "/v1/chat/completions";

static struct run three_calls(void)
{
  return run_shim(&w, "fetch-openssl", "--repeat", "3", "--reuse-handle", "--print-body", "--body",
                  "{\"temperature\":0}", world_url(&w, target), NULL);
}

/* `why` is part of the one line; the calls went out. */
static void expect_live_with_one_line(const char *why, long requests)
{
  struct run r = three_calls();
  expect_success(&r);
  cr_expect_eq(count_of(r.out, "chat.completion"), 3, "%s", r.out);
  cr_expect_eq(mock_count(&w).requests, requests, "%ld requests", mock_count(&w).requests);
  cr_expect_eq(count_of(r.err, "idemshim: "), 1, "one line: %s", r.err);
  cr_expect(strstr(r.err, why), "%s", r.err);
  cr_expect(strstr(r.err, "calls go out as if idemshim were not there\n"), "%s", r.err);
  run_release(&r);
}

static void fill_store(void)
{
  struct run r = three_calls();
  expect_success(&r);
  cr_assert_eq(mock_count(&w).requests, 1);
  run_release(&r);
  mock_reset(&w);
}

Test(trouble, the_store_is_a_file)
{
  world_env(&w, "IDEMSHIM_STORE", "%s", world_write(&w, "file", "x", 1));
  expect_live_with_one_line("not a directory", 3);
}

/* Another process has a larger store, and fills it beyond what this one has mapped, while a call of
 * this one is under way. */
Test(trouble, a_store_that_outgrows_a_process_goes_on_in_it)
{
  enum { FILL = 14 };
  const char *url = world_url(&w, target);
  world_env(&w, "IDEMSHIM_LOG", "%s", w.log);
  world_env(&w, "IDEMSHIM_STORE_SIZE", "1M");
  struct run small = start_shim(&w, "curl", "-sS", "-d", "{\"a\":1}", url, "--next", "-sS", "-d", "{\"a\":2}",
                                world_url(&w, "/v1/chat/completions?mock=latency_ms%3D4000"), "--next", "-sS",
                                "-d", "{\"a\":3}", url, "--next", "-sS", "-d", "{\"a\":3}", url, NULL);
  wait_until(mock_count(&w).requests == 2);
  world_env(&w, "IDEMSHIM_STORE_SIZE", "64M");
  for (int i = 0; i < FILL; i++) {
    struct run large = run_shim(&w, "curl", "-sS", "-o", "/dev/null", "-d", world_text(&w, "{\"b\":%d}", i),
                                world_url(&w, "/v1/chat/completions?mock=size%3D1000000"), NULL);
    expect_success(&large);
    run_release(&large);
  }
  run_wait(&small);
  expect_success(&small);
  cr_expect_str_empty(small.err, "%s", small.err);
  cr_expect_eq(log_events(&w, "stored"), 3 + FILL);
  cr_expect_eq(log_events(&w, "hit"), 1);
  cr_expect_eq(mock_count(&w).requests, 3 + FILL);
  run_release(&small);
}

/* What may be sent once at most is not sent where nothing can be written down; other
 * calls of the process are. */
Test(trouble, without_a_store_a_call_of_at_most_once_is_refused)
{
  static const char refused[] = "those under indoubt=fail are refused\n";
  const char *once = world_url(&w, target);
  world_env(&w, "IDEMSHIM_STORE", "%s", world_write(&w, "file", "x", 1));
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 path=/v1/completions; host=127.0.0.1 indoubt=fail");
  struct run r = run_shim(&w, "curl", "-sS", "-w", "=%{http_code}\n", "-d", "{}", once, once, "--next", "-sS",
                          "-w", "=%{http_code}\n", "-d", "{}", world_url(&w, "/v1/completions"), NULL);
  expect_success(&r);
  cr_expect_eq(count_of(r.out, "=409\n"), 2, "%s", r.out);
  cr_expect_eq(count_of(r.out, "=200\n"), 1, "%s", r.out);
  cr_expect_eq(mock_count(&w).requests, 1, "%ld requests", mock_count(&w).requests);
  cr_expect_eq(count_of(r.err, "not a directory"), 1, "%s", r.err);
  cr_expect(strstr(r.err, refused), "%s", r.err);
  run_release(&r);
  r = run_shim(&w, "multi_calls", "epoll", "1", once, "{}", "{}", NULL);
  cr_expect_eq(count_of(r.out, "409"), 2, "%s", r.out);
  cr_expect_eq(mock_count(&w).requests, 1, "%ld requests", mock_count(&w).requests);
  cr_expect(strstr(r.err, refused), "%s", r.err);
  run_release(&r);
}

/* The line that says so is a point of cancellation. */
Test(trouble, a_thread_is_cancelled_while_it_opens_the_store)
{
  world_env(&w, "IDEMSHIM_STORE", "%s", world_write(&w, "file", "x", 1));
  struct run run = run_shim(&w, "cancelled", "early", world_url(&w, "/v1/chat/completions"), "{}", NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "cancelled\nagain rc=0 status=200"), "%s", run.out);
  run_release(&run);
}

Test(trouble, the_store_is_writable_by_others)
{
  fill_store();
  chmod(w.store, 0777);
  expect_live_with_one_line(w.store, 3);
}

Test(trouble, the_store_is_damaged)
{
  fill_store();
  char path[300], garbage[8192];
  snprintf(path, sizeof(path), "%s/data.mdb", w.store);
  memset(garbage, 0xA5, sizeof(garbage));
  int fd = open(path, O_WRONLY);
  cr_assert_eq(pwrite(fd, garbage, sizeof(garbage), 0), (ssize_t)sizeof(garbage));
  close(fd);
  expect_live_with_one_line(w.store, 3);
}

Test(trouble, the_store_is_truncated)
{
  fill_store();
  char path[300];
  snprintf(path, sizeof(path), "%s/data.mdb", w.store);
  cr_assert_eq(truncate(path, 8192), 0);
  expect_live_with_one_line("store", 3);
}

/* Flips bytes all over the file: a call is answered rightly or goes live, and nothing dies. */
Test(trouble, no_flipped_byte_kills_the_app, .timeout = 240)
{
  struct run first = three_calls();
  char path[300];
  snprintf(path, sizeof(path), "%s/data.mdb", w.store);
  size_t len = 0;
  char *sound = file_read(path, &len);
  unsigned seed = 7;
  for (int round = 0; round < 60; round++) {
    int fd = open(path, O_WRONLY | O_TRUNC);
    cr_assert_eq(write(fd, sound, len), (ssize_t)len);
    for (int i = 0; i < 8; i++) {
      char flipped = (char)rand_r(&seed);
      cr_assert_eq(pwrite(fd, &flipped, 1, (off_t)((size_t)rand_r(&seed) % len)), 1);
    }
    close(fd);
    struct run r = three_calls();
    cr_expect_eq(r.signal, 0, "round %d: signal %d", round, r.signal);
    cr_expect_eq(r.status, 0, "round %d: %s", round, r.err);
    cr_expect_eq(count_of(r.out, "chat.completion"), 3, "round %d: %s", round, r.out);
    run_release(&r);
  }
  free(sound);
  run_release(&first);
}

Test(trouble, the_store_is_read_only)
{
  if (geteuid() == 0) {
    /* Root writes everywhere but on a read-only mount. */
    mkdir(world_path(&w, "ro"), 0700);
    if (mount("tmpfs", world_path(&w, "ro"), "tmpfs", MS_RDONLY, "size=1m"))
      cr_skip_test("no file system may be mounted here");
    world_env(&w, "IDEMSHIM_STORE", "%s/store", world_path(&w, "ro"));
  } else {
    mkdir(world_path(&w, "ro"), 0500);
    world_env(&w, "IDEMSHIM_STORE", "%s/store", world_path(&w, "ro"));
  }
  expect_live_with_one_line("ro/store", 3);
  umount(world_path(&w, "ro"));
}

Test(trouble, the_disk_is_full)
{
  mkdir(world_path(&w, "full"), 0700);
  if (mount("tmpfs", world_path(&w, "full"), "tmpfs", 0, "size=64k"))
    cr_skip_test("no file system may be mounted here");
  world_env(&w, "IDEMSHIM_STORE", "%s/store", world_path(&w, "full"));
  expect_live_with_one_line("full/store", 3);
  umount(world_path(&w, "full"));
}

Test(trouble, the_disk_fills_up_later)
{
  mkdir(world_path(&w, "full"), 0700);
  if (mount("tmpfs", world_path(&w, "full"), "tmpfs", 0, "size=3208k"))
    cr_skip_test("no file system may be mounted here");
  world_env(&w, "IDEMSHIM_STORE", "%s/store", world_path(&w, "full"));
  mock_default(&w, "size=400000");
  expect_live_with_one_line("disk is full", 3);
  umount(world_path(&w, "full"));
}

/* The schema number follows its key in the file; there may be several copies of the page. */
Test(trouble, the_store_is_of_a_newer_version)
{
  fill_store();
  static const char key[] = "identity";
  char path[300], newer = 99;
  size_t len = 0, patched = 0;
  snprintf(path, sizeof(path), "%s/data.mdb", w.store);
  char *data = file_read(path, &len);
  int fd = open(path, O_WRONLY);
  for (char *at = data; (at = memmem(at, (size_t)(data + len - at), key, sizeof(key))); at++)
    patched += pwrite(fd, &newer, 1, at - data + (off_t)sizeof(key)) == 1;
  close(fd);
  free(data);
  cr_assert_gt(patched, 0);
  expect_live_with_one_line("the store has version 99, this idemshim knows version", 3);
}

static void expect_refused_format(off_t magic_at, uint32_t format, const char *words)
{
  const uint32_t head[] = {0xbeefc0de, format};
  char page[2 * 4096] = {0};
  memcpy(page + magic_at, head, sizeof head);
  int fd = open(world_text(&w, "%s/data.mdb", w.store), O_WRONLY | O_TRUNC | O_CLOEXEC);
  cr_assert_eq(write(fd, page, sizeof page), (ssize_t)sizeof page);
  close(fd);
  expect_live_with_one_line(words, 3);
  mock_reset(&w);
}

/* A store of another LMDB is sound, and nobody is told to throw it away. */
Test(trouble, the_store_is_of_another_lmdb)
{
  fill_store();
  expect_refused_format(24, 2, "data.mdb is of LMDB's format 2, and this idemshim knows format 1");
  expect_refused_format(16, 3, "data.mdb is of LMDB's format 3, and this idemshim knows format 1");
  expect_refused_format(12, 1, "data.mdb was made on a machine of another kind");
}

/* It may be stopped in the middle of it, or wait for its disk. */
Test(trouble, another_process_opens_the_store_and_does_not_go_on)
{
  struct flock alone = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
  fill_store();
  int fd = open(world_text(&w, "%s/lock.mdb", w.store), O_RDWR | O_CLOEXEC);
  cr_assert_eq(fcntl(fd, F_SETLK, &alone), 0);
  expect_live_with_one_line(
      world_text(&w, "process %d is opening the store and does not go on", (int)getpid()), 3);
  mock_reset(&w);
  close(fd);
  struct run r = three_calls();
  expect_success(&r);
  cr_expect_eq(mock_count(&w).requests, 0);
  run_release(&r);
}

/* Whoever has this program's pid in another container has the lock by which LMDB knows
 * that its readers live. */
Test(trouble, another_container_has_the_same_pid)
{
  struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2};
  fill_store();
  int fd = open(world_text(&w, "%s/lock.mdb", w.store), O_RDWR | O_CLOEXEC);
  cr_assert_eq(fcntl(fd, F_SETLK, &all), 0);
  expect_live_with_one_line("a process of another container has the same pid", 3);
  close(fd);
}

Test(trouble, an_expired_answer_is_never_served)
{
  world_env(&w, "IDEMSHIM_LOG", "%s", w.log);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ttl=1ms");
  for (int i = 0; i < 3; i++) {
    struct run r = run_shim(&w, "curl", "-sS", "-d", "{}", world_url(&w, target), NULL);
    expect_success(&r);
    run_release(&r);
    /* The clock that decides ticks every few milliseconds. */
    struct timespec began, now;
    clock_gettime(CLOCK_REALTIME_COARSE, &began);
    do
      clock_gettime(CLOCK_REALTIME_COARSE, &now);
    while ((now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000 < 20);
  }
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect_eq(log_events(&w, "expired"), 2);
}

Test(trouble, a_full_store_drops_the_oldest_and_goes_on)
{
  world_env(&w, "IDEMSHIM_LOG", "%s", w.log);
  world_env(&w, "IDEMSHIM_STORE_SIZE", "1M");
  mock_default(&w, "size=100000");
  for (int i = 0; i < 14; i++) {
    struct run r =
        run_shim(&w, "curl", "-sS", "-d", world_text(&w, "{\"n\":%d}", i), world_url(&w, target), NULL);
    expect_success(&r);
    run_release(&r);
  }
  cr_expect_eq(log_events(&w, "stored"), 14);
  struct run newest = run_shim(&w, "curl", "-sS", "-d", "{\"n\":13}", world_url(&w, target), NULL);
  cr_expect_eq(mock_count(&w).requests, 14, "the newest is there");
  struct run oldest = run_shim(&w, "curl", "-sS", "-d", "{\"n\":0}", world_url(&w, target), NULL);
  cr_expect_eq(mock_count(&w).requests, 15, "the oldest made room");
  run_release(&newest);
  run_release(&oldest);
}

Test(trouble, a_bad_rule_names_the_place_and_the_app_runs_untouched)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ttl=1h; host=127.0.0.1 ttl=soon");
  struct run r = three_calls();
  expect_success(&r);
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect(strstr(r.err, "rule 2") && strstr(r.err, "ttl") && strstr(r.err, "column"), "%s", r.err);
  cr_expect_eq(count_of(r.err, "idemshim: "), 1, "%s", r.err);
  struct run check = run_plain(&w, "idemshim", "check", NULL);
  cr_expect_eq(check.status, 2);
  cr_expect(strstr(check.err, "rule 2"), "%s", check.err);
  struct run run = run_plain(&w, "idemshim", "run", "--", "true", NULL);
  cr_expect_eq(run.status, 2);
  run_release(&r);
  run_release(&check);
  run_release(&run);
}

Test(trouble, a_log_that_cannot_be_written_is_said_once)
{
  world_env(&w, "IDEMSHIM_LOG", "%s", world_path(&w, "no/such/dir/log"));
  struct run r = three_calls();
  expect_success(&r);
  cr_expect_eq(count_of(r.err, "cannot write to IDEMSHIM_LOG"), 1, "%s", r.err);
  cr_expect_null(strstr(r.err, "calls go out"), "of calls it is not true: %s", r.err);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&r);
}

Test(trouble, replay_mode_never_goes_to_the_network)
{
  world_env(&w, "IDEMSHIM_MODE", "replay");
  struct run r = run_shim(&w, "curl", "-sS", "-d", "{}", world_url(&w, target), NULL);
  cr_expect_eq(r.status, 7);
  cr_expect_eq(mock_count(&w).requests, 0);
  run_release(&r);
}

static void take_claims_away(void)
{
  char claims[512];
  snprintf(claims, sizeof claims, "%s/claims", w.store);
  cr_assert_eq(rename(claims, world_path(&w, "claims")), 0);
  cr_assert_eq(mkdir(claims, 0700), 0);
}

static void bring_claims_back(void)
{
  char claims[512];
  snprintf(claims, sizeof claims, "%s/claims", w.store);
  cr_assert_eq(rmdir(claims), 0);
  cr_assert_eq(rename(world_path(&w, "claims"), claims), 0);
}

/* The claims cannot be opened any more when the second call begins. */
Test(trouble, a_call_of_at_most_once_is_not_sent_without_its_claim)
{
  static const char *const rules[] = {"host=127.0.0.1", "host=127.0.0.1 indoubt=fail"};
  for (int i = 0; i < 2; i++) {
    world_env(&w, "IDEMSHIM_RULES", "%s", rules[i]);
    mock_reset(&w);
    struct run run = start_shim(&w, "curl", "-sS", "-d", i ? "{\"a\":1}" : "{\"a\":2}",
                                world_url(&w, "/v1/chat/completions?mock=latency_ms%3D2000"), "--next", "-sS",
                                "-w", "%{http_code}", "-d", i ? "{\"b\":1}" : "{\"b\":2}",
                                world_url(&w, "/v1/chat/completions"), NULL);
    wait_until(mock_count(&w).requests == 1);
    take_claims_away();
    run_wait(&run);
    bring_claims_back();
    expect_success(&run);
    cr_expect(strstr(run.out, i ? "409" : "200"), "%s", run.out);
    cr_expect_eq(mock_count(&w).requests, 2u - (unsigned)i);
    cr_expect(strstr(run.err, "claims: cannot lock"), "%s", run.err);
    run_release(&run);
  }
}

/* The program has set the limit when the store was open, the tape begun, or the events were many already. */
ParameterizedTestParameters(trouble, a_file_that_may_not_grow_raises_no_signal)
{
  static char kinds[][8] = {"store", "log", "tape"};
  return cr_make_param_array(char[8], kinds, sizeof(kinds) / sizeof(*kinds));
}
ParameterizedTest(char (*kind)[8], trouble, a_file_that_may_not_grow_raises_no_signal)
{
  static const char many[8192];
  if (strcmp(*kind, "log") == 0) {
    FILE *events = fopen(world_path(&w, "events"), "w");
    cr_assert(events && fwrite(many, sizeof(many), 1, events) == 1 && fclose(events) == 0);
    world_env(&w, "IDEMSHIM_LOG", "%s", world_path(&w, "events"));
  } else if (strcmp(*kind, "tape") == 0) {
    world_env(&w, "IDEMSHIM_TAPE", "%s", world_path(&w, "tape"));
  }
  struct run run = run_shim(&w, "file_limit", "4096", world_url(&w, target), "{\"temperature\":0}", NULL);
  expect_success(&run);
  cr_expect_eq(count_of(run.out, "limited rc=0 status=200"), 2, "%s", run.out);
  cr_expect(strstr(run.err, "limit of this process"), "%s", run.err);
  cr_expect_eq(mock_count(&w).requests, 3, "%ld requests", mock_count(&w).requests);
  run_release(&run);
}

/* It may have a use for what the store would take. */
Test(trouble, of_little_memory_none_is_taken)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's own data is larger than this limit");
  struct run run = run_shim(&w, "data_limit", world_url(&w, "/v1/chat/completions"), NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "\nhas its memory"), "%s", run.out);
  cr_expect(strstr(run.err, "too little memory is left to open the store"), "%s", run.err);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&run);
}

/* Once: the files of a store are made with it, and what is written later is flushed in them. */
Test(trouble, the_directory_of_a_new_store_is_flushed_once)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("under strace the shim is preloaded without the sanitizer's runtime");
  world_env(&w, "IDEMSHIM_SYNC", "on");
  for (int i = 0; i < 2; i++) {
    struct run r = run_plain(&w, "strace", "-f", "-y", "-e", "trace=fsync", "-E",
                             world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "curl", "-sS", "-d",
                             i ? "{}" : "[]", world_url(&w, target), NULL);
    if (strstr(r.err, "PTRACE"))
      cr_skip_test("no tracing here");
    expect_success(&r);
    const char *flushed = world_text(&w, "%s>) = 0", w.store);
    cr_expect_eq(count_of(r.err, flushed), !i, "%s", r.err);
    run_release(&r);
  }
}

static struct run many_threads(const char *processes, const char *threads)
{
  return run_shim(&w, "many_threads", processes, threads, world_url(&w, target), "{\"temperature\":0}", NULL);
}

static void store_what_they_ask_for(void)
{
  struct run run = many_threads("1", "1");
  expect_success(&run);
  run_release(&run);
  mock_reset(&w);
}

static void expect_a_hit_of_one_thread(void)
{
  long before = mock_count(&w).requests;
  struct run run = many_threads("1", "1");
  expect_success(&run);
  cr_expect_eq(mock_count(&w).requests, before);
  run_release(&run);
}

/* Whoever finds no place in the store does not wait for one: the others may keep theirs for hours. A table of
 * 16 of them stays one of 16 as long as somebody has it mapped. */
Test(trouble, more_threads_than_the_store_has_places_for)
{
  static const char why[] = "too many threads read the store at once";
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer stands between LMDB and what it locks");
  store_what_they_ask_for();
  cr_assert_eq(truncate(world_text(&w, "%s/lock.mdb", w.store), 18 * 64), 0);
  struct run run = run_shim(&w, "many_threads", "3", "10", world_url(&w, target), "{\"temperature\":0}",
                            w.store, "16", NULL);
  expect_success(&run);
  cr_expect_eq(count_of(run.out, "answered=10\n"), 3, "%s", run.out);
  cr_expect_eq(mock_count(&w).requests, 3 * 10 - 16, "%ld requests", mock_count(&w).requests);
  int lines = count_of(run.err, why);
  cr_expect(lines >= 1 && lines <= 3 && lines == count_of(run.err, "idemshim: "), "one of a process: %s",
            run.err);
  run_release(&run);
  expect_a_hit_of_one_thread();
}

Test(trouble, thousands_of_threads_of_several_processes_are_answered_at_once, .timeout = 300)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's threads are too large for so many");
  store_what_they_ask_for();
  struct run run = many_threads("3", "700");
  if (run.status == 77)
    cr_skip_test("so many threads cannot be had here");
  expect_success(&run);
  cr_expect_eq(count_of(run.out, "answered=700\n"), 3, "%s", run.out);
  cr_expect_eq(mock_count(&w).requests, 0);
  cr_expect_str_eq(run.err, "");
  run_release(&run);
  expect_a_hit_of_one_thread();
}
