/* SPDX-License-Identifier: MIT */
/* What is not told to anybody, rights that are enough, a server whose memory or whose
 * clock is its own affair. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(fleet_hidden, .init = open_fleet, .fini = close_fleet, .timeout = 180);

/* Two machines and all that they do: an answer, a hit, a stream that is followed, a removal. */
static void use_all(void)
{
  struct run a = fleet_post_on("A", "{\"secret\":\"xyzzy plugh 1\"}", ""),
             b = fleet_post_on("B", "{\"secret\":\"xyzzy plugh 1\"}", "");
  cr_expect(fleet_is_replay(&b));
  run_release(&a);
  run_release(&b);
  const char *url = world_url(&w, "/v1/chat/completions?mock=hold%3D1,events%3D12");
  const char *body = "{\"stream\":true,\"secret\":\"xyzzy plugh 2\"}";
  on_machine("A");
  struct run owner =
      start_shim(&w, "curl", "-sS", "-N", "-H", "Authorization: Bearer sk-plover", "-d", body, url, NULL);
  wait_until((run_look(&owner), owner.out_len > 0));
  on_machine("B");
  struct run follower =
      start_shim(&w, "curl", "-sS", "-N", "-H", "Authorization: Bearer sk-plover", "-d", body, url, NULL);
  wait_until((run_look(&follower), follower.out_len > 0));
  for (int i = 0; i < 4; i++) {
    size_t before = follower.out_len;
    mock_release(&w, 1);
    wait_until((run_look(&follower), follower.out_len > before));
  }
  mock_release(&w, 1000);
  run_wait(&owner);
  run_wait(&follower);
  expect_success(&owner);
  expect_success(&follower);
  cr_expect_eq(owner.out_len, follower.out_len);
  run_release(&owner);
  run_release(&follower);
  cr_expect_eq(mock_count(&w).requests, 2);
  fleet_remove_last_of("A");
}

static void expect_nowhere(const char *path)
{
  static const char *const told[] = {"xyzzy", "plover", "This is answer", "sesame"};
  for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
    cr_expect(!file_contains(path, told[i]), "%s has %s", path, told[i]);
}

/* All that the server is told, in DIR/heard. */
static struct run listen_to_server(const char *login)
{
  struct run run = start_plain(
      &w, "sh", "-c", world_text(&w, "exec redis-cli -s %s/redis %s MONITOR >%s/heard", w.dir, login, w.dir),
      NULL);
  wait_until(access(world_path(&w, "heard"), F_OK) == 0 && file_contains(world_path(&w, "heard"), "OK"));
  return run;
}

/* How often it was told such a word, once all that was said by now has come. */
static int times_heard(const char *word)
{
  static unsigned marks;
  size_t len;
  const char *mark = world_text(&w, "mark-%u", ++marks);
  redis(world_text(&w, "-n 1 EXISTS %s", mark));
  wait_until(file_contains(world_path(&w, "heard"), mark));
  char *heard = file_read(world_path(&w, "heard"), &len);
  int times = count_of(heard, world_text(&w, "\"%s\"", word));
  free(heard);
  return times;
}

/* With a key file neither who listens at the server nor who reads its file learns what
 * was asked or answered. */
Test(fleet_hidden, with_a_key_file_nobody_at_the_server_sees_what_is_said)
{
  redis("CONFIG SET requirepass sesame");
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32));
  world_env(&w, "IDEMSHIM_FLEET",
            "redis+unix://:sesame@%s/redis?connect-timeout=1s&operation-timeout=2500ms&call-timeout=10s",
            w.dir);
  struct run monitor = listen_to_server("-a sesame --no-auth-warning");
  use_all();
  wait_until(file_contains(world_path(&w, "heard"), "\"remove\""));
  run_signal(&monitor, SIGKILL);
  run_wait(&monitor);
  run_release(&monitor);
  cr_expect(file_contains(world_path(&w, "heard"), "\"commit\""));
  cr_expect(file_contains(world_path(&w, "heard"), "\"publish\""));
  expect_nowhere(world_path(&w, "heard"));
  redis("-a sesame --no-auth-warning SAVE");
  expect_nowhere(world_path(&w, "dump.rdb"));
  expect_nowhere(world_path(&w, "A"));
  expect_nowhere(world_path(&w, "B"));
  cr_expect(file_contains(world_path(&w, "A.log"), "stored") &&
            file_contains(world_path(&w, "B.log"), "hit"));
  expect_nowhere(world_path(&w, "A.log"));
  expect_nowhere(world_path(&w, "B.log"));
  static const char *const commands[][3] = {
      {"check", NULL, NULL}, {"check", "--json", NULL}, {"fleet", "check", NULL}};
  for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
    struct run run = run_plain(&w, "idemshim", commands[i][0], commands[i][1], commands[i][2], NULL);
    cr_expect(run.out_len > 0);
    cr_expect(!strstr(run.out, "sesame") && !strstr(run.err, "sesame"), "%s%s", run.out, run.err);
    run_release(&run);
  }
}

/* True if the bytes are in what a core of the process would have. */
static bool has_in_core(pid_t pid, const char *bytes)
{
  char path[64], line[512];
  unsigned long from = 0, to = 0;
  bool readable = false, found = false;
  snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
  int memory = open(path, O_RDONLY | O_CLOEXEC);
  snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
  FILE *maps = fopen(path, "re");
  if (memory < 0 || !maps)
    cr_skip_test("the memory of a child cannot be read here");
  while (fgets(line, sizeof(line), maps)) {
    unsigned long begin, end;
    char rights[8];
    if (sscanf(line, "%lx-%lx %7s", &begin, &end, rights) == 3)
      from = begin, to = end, readable = rights[0] == 'r';
    if (strncmp(line, "VmFlags:", 8) != 0 || !readable || strstr(line, " dd") || strstr(line, " io"))
      continue;
    char *copy = malloc(to - from);
    ssize_t len = pread(memory, copy, to - from, (off_t)from);
    found |= len > 0 && memmem(copy, (size_t)len, bytes, strlen(bytes));
    free(copy);
  }
  fclose(maps);
  close(memory);
  return found;
}

/* A program that has logged in, while its call is under way. */
Test(fleet_hidden, a_password_of_a_file_is_in_no_core)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer keeps what was freed");
  redis("CONFIG SET requirepass sesame-open-1707");
  const char *file = world_write(&w, "password", "sesame-open-1707\n", 17);
  chmod(file, 0600);
  world_env(
      &w, "IDEMSHIM_FLEET",
      "redis+unix://%s/redis?connect-timeout=1s&operation-timeout=2500ms&call-timeout=10s&password-file=%s",
      w.dir, file);
  struct run run = fleet_post_begin("{\"prompt\":\"plugh xyzzy\"}", "gate%3Dg,gate_first%3D1");
  wait_until(mock_count(&w).requests == 1);
  run_signal(&run, SIGSTOP);
  cr_expect(has_in_core(run.pid, "plugh xyzzy"), "it is the program's own");
  cr_expect(!has_in_core(run.pid, "sesame-open"));
  run_signal(&run, SIGCONT);
  mock_open(&w, "g");
  run_wait(&run);
  expect_success(&run);
  cr_expect_eq(events_of("A", "fleet_away"), 0);
  cr_expect_not_null(strstr(redis("-a sesame-open-1707 --no-auth-warning KEYS '*:a'"), ":a"));
  run_release(&run);
}

/* The command has logged in, and is held at its next step. */
Test(fleet_hidden, nor_is_it_in_that_of_the_command)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer keeps what was freed");
  fleet_post_and_forget("A", "{\"prompt\":\"plugh xyzzy\"}");
  redis("CONFIG SET requirepass sesame-open-1707");
  const char *file = world_write(&w, "password", "sesame-open-1707\n", 17);
  chmod(file, 0600);
  world_env(
      &w, "IDEMSHIM_FLEET",
      "redis+unix://%s/redis?connect-timeout=1s&operation-timeout=30s&call-timeout=30s&password-file=%s",
      w.dir, file);
  if (strcmp(redis("-a sesame-open-1707 --no-auth-warning CLIENT PAUSE 60000 WRITE"), "OK\n") != 0)
    cr_skip_test("this Redis cannot be made to hold what writes alone");
  struct run run = start_plain(&w, "idemshim", "fleet", "push", "--all", NULL);
  wait_until(strstr(redis("-a sesame-open-1707 --no-auth-warning CLIENT LIST"), "cmd=set"));
  run_signal(&run, SIGSTOP);
  cr_expect(has_in_core(run.pid, "password-file="), "it is the command's memory");
  cr_expect(!has_in_core(run.pid, "sesame-open"));
  run_signal(&run, SIGCONT);
  redis("-a sesame-open-1707 --no-auth-warning CLIENT UNPAUSE");
  run_wait(&run);
  expect_success(&run);
  cr_expect_str_eq(run.out, "told the fleet of 1 answer\n");
  run_release(&run);
}

/* Exactly the rights that the documentation names, and nothing is refused to them. */
Test(fleet_hidden, a_user_with_the_rights_of_the_documentation_may_do_all_of_it)
{
  size_t len;
  char *page = file_read("docs/fleet.md", &len);
  char *rights = page ? strstr(page, "user idemshim on >PASSWORD ") : NULL;
  cr_assert_not_null(rights);
  rights += strlen("user idemshim on >PASSWORD ");
  rights[strcspn(rights, "\n")] = '\0';
  char quoted[1024] = "", *at = quoted;
  for (char *word = strtok(rights, " "); word; word = strtok(NULL, " "))
    at += sprintf(at, " '%s'", word);
  const char *made = redis(world_text(&w, "ACL SETUSER idemshim on '>sesame'%s", quoted));
  cr_assert_str_eq(made, "OK\n");
  free(page);
  redis("ACL LOG RESET");
  struct run monitor = listen_to_server("");
  world_env(&w, "IDEMSHIM_FLEET",
            "redis+unix://idemshim:sesame@%s/"
            "redis?connect-timeout=1s&operation-timeout=2500ms&call-timeout=10s&near=100ms&max-value=64M",
            w.dir);
  use_all();
  struct run again = fleet_post_on("B", "{\"secret\":\"xyzzy plugh 1\"}", "");
  run_release(&again);
  /* A claim that ends without an answer, one that is renewed, and an answer in parts. */
  struct run fails = fleet_post_on("A", "{\"fails\":1}", "fail_first%3D1:500");
  cr_expect_geq(times_heard("release"), 1);
  int sent = times_heard("sent");
  struct run slow = fleet_post_on("A", "{\"slow\":1}", "latency_ms%3D3500");
  cr_expect_geq(times_heard("sent"), sent + 2, "once before it goes out, and then while it is under way");
  struct run parts = fleet_post_on("A", "{\"long\":1}", "size%3D4194304"),
             whole = fleet_post_on("B", "{\"long\":1}", "size%3D4194304");
  cr_expect(fleet_is_replay(&whole));
  cr_expect_geq(count_of(redis("KEYS '*:a:*'"), ":a:"), 4);
  run_release(&fails);
  run_release(&slow);
  run_release(&parts);
  run_release(&whole);
  static const char *const verbs[] = {"claim", "sent", "publish", "follow", "commit", "remove"};
  for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
    cr_expect_gt(times_heard(verbs[i]), 0, "%s", verbs[i]);
  static const char *const commands[] = {"fleet ls", "fleet push", "ls", "stats", "verify", "doctor curl"};
  for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
    struct run run = fleet_command("A", 0, commands[i]);
    cr_expect_gt(run.out_len, 0, "%s", commands[i]);
    run_release(&run);
  }
  /* All that it has is told anew to a server that has lost it. */
  redis("FLUSHALL");
  struct run push = fleet_command("A", 0, "fleet push --all");
  cr_expect_null(strstr(push.out, "told the fleet of 0"), "%s", push.out);
  run_release(&push);
  run_release(&monitor);
  const char *refused = redis("ACL LOG");
  cr_expect_null(strstr(refused, "reason"), "%s", refused);
  cr_expect_eq(events_of("A", "fleet_away") + events_of("B", "fleet_away"), 0);
}

/* Many times its memory, in answers: what was sent and has no answer stays, and is
 * sent again under its key. */
Test(fleet_hidden, what_is_in_doubt_outlives_answers_where_memory_is_short)
{
  enum { DOUBTS = 5, ANSWERS = 150 };
  fleet_attributes("lease=1s");
  redis("CONFIG SET maxmemory-policy volatile-ttl");
  redis("CONFIG SET maxmemory-samples 64");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=0");
  char keys[DOUBTS][64];
  mock_default(&w, "latency_ms=60000");
  for (int i = 0; i < DOUBTS; i++) {
    struct run run = fleet_post_begin(world_text(&w, "{\"doubt\":%d}", i), "");
    wait_until(mock_count(&w).requests == i + 1);
    run_signal(&run, SIGKILL);
    run_wait(&run);
    run_release(&run);
    snprintf(keys[i], sizeof(keys[i]), "%s", key_sent((size_t)i));
  }
  mock_default(&w, "");
  const char *memory = strstr(redis("INFO memory"), "used_memory:");
  cr_assert_not_null(memory);
  redis(world_text(&w, "CONFIG SET maxmemory %ld", atol(strchr(memory, ':') + 1) + (1L << 20)));
  for (int i = 0; i < ANSWERS; i++) {
    struct run run = fleet_post_on("A", world_text(&w, "{\"answer\":%d}", i), "size%3D65536");
    cr_expect_eq(run.err_len, 0, "%s", run.err);
    run_release(&run);
  }
  const char *evicted = strstr(redis("INFO stats"), "evicted_keys:");
  cr_assert_not_null(evicted);
  printf("counted: evicted=%ld\n", atol(strchr(evicted, ':') + 1));
  cr_expect_gt(atol(strchr(evicted, ':') + 1), 50);
  long before = mock_count(&w).requests;
  for (int i = 0; i < DOUBTS; i++) {
    struct run run = fleet_post_on("B", world_text(&w, "{\"doubt\":%d}", i), "");
    cr_expect_str_eq(key_sent((size_t)before + (size_t)i), keys[i]);
    run_release(&run);
  }
  cr_expect_eq(events_of("B", "in_doubt"), DOUBTS);
}

/* A time to live is what the server has left of it, whatever its clock says. */
Test(fleet_hidden, an_answer_lives_as_long_by_a_server_whose_clock_is_an_hour_off)
{
  /* The library is built with it, and the server is not. */
  if (is_under_thread_sanitizer())
    cr_skip_test("redis-server does not live with the thread sanitizer's runtime");
  const char *sanitizer = getenv("IDEM_SAN_PRELOAD");
  for (int i = 0; i < 2; i++) {
    fleet_stop();
    struct run server = start_plain(&w, "sh", "-c",
                                    world_text(&w,
                                               "LD_PRELOAD='%s %s' IDEM_CLOCK_SHIFT_S=%d exec redis-server "
                                               "--port 0 --unixsocket %s/redis --dir %s "
                                               "--save '' --loglevel warning --logfile redis.log",
                                               sanitizer ? sanitizer : "",
                                               world_text(&w, "%s/tests/shifted_clock.so", w.build),
                                               i ? 3600 : -3600, w.dir, w.dir),
                                    NULL);
    wait_until(!strcmp(redis("PING"), "PONG\n"));
    long off = labs(atol(redis("TIME")) - (long)time(NULL));
    cr_assert(off > 3500 && off < 3700, "the server is %ld s off", off);
    world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ttl=6s");
    char *body = strdup(world_text(&w, "{\"clock\":%d}", i));
    long before = mock_count(&w).requests;
    struct run a = fleet_post_on("A", body, ""), b = fleet_post_on("B", body, ""),
               near = fleet_post_on("B", body, "");
    cr_expect(fleet_is_replay(&b) && fleet_is_replay(&near), "it has not expired");
    cr_expect_eq(mock_count(&w).requests, before + 1);
    run_release(&a);
    run_release(&b);
    run_release(&near);
    wait_until(strstr(redis("KEYS '*:a'"), ":a") == NULL);
    struct run late = fleet_post_on("B", body, "");
    cr_expect(!fleet_is_replay(&late), "it has expired everywhere");
    cr_expect_eq(mock_count(&w).requests, before + 2);
    run_release(&late);
    free(body);
    run_release(&server);
    fleet_start();
  }
}

/* The first machine is an hour behind, the other an hour ahead: to it the answer of the
 * first is two hours old. */
Test(fleet_hidden, an_answer_lives_as_long_on_machines_whose_clocks_are_hours_apart)
{
  const char *sanitizer = getenv("IDEM_SAN_PRELOAD");
  /* Before the shim, where a sanitizer's runtime would be. */
  setenv("IDEM_SAN_PRELOAD",
         world_text(&w, "%s%s%s/tests/shifted_clock.so", sanitizer ? sanitizer : "", sanitizer ? ":" : "",
                    w.build),
         1);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ttl=12s");
  for (int i = 0; i < 2; i++) {
    const char *machines[] = {i ? "D" : "A", i ? "C" : "B"};
    int shift = i ? 3600 : -3600;
    char *body = strdup(world_text(&w, "{\"apart\":%d}", i));
    long before = mock_count(&w).requests;
    world_env(&w, "IDEM_CLOCK_SHIFT_S", "%d", shift);
    struct run date = run_shim(&w, "date", "+%s", NULL);
    cr_assert_gt(labs(atol(date.out) - (long)time(NULL)), 3500, "%s", date.err);
    struct run owner = fleet_post_on(machines[0], body, "");
    world_env(&w, "IDEM_CLOCK_SHIFT_S", "%d", -shift);
    struct run other = fleet_post_on(machines[1], body, ""), near = fleet_post_on(machines[1], body, "");
    cr_expect(fleet_is_replay(&other) && fleet_is_replay(&near), "it has not expired");
    cr_expect_eq(mock_count(&w).requests, before + 1);
    wait_until(strstr(redis("KEYS '*:a'"), ":a") == NULL);
    /* A near copy was given its time a moment after the server's. */
    struct run late = fleet_post_on(machines[1], body, "");
    for (int again = 0; fleet_is_replay(&late) && again < 100; again++) {
      run_release(&late);
      late = fleet_post_on(machines[1], body, "");
    }
    cr_expect(!fleet_is_replay(&late), "it has expired everywhere");
    cr_expect_eq(mock_count(&w).requests, before + 2);
    wait_until(strstr(redis("KEYS '*:a'"), ":a") == NULL);
    run_release(&date);
    run_release(&owner);
    run_release(&other);
    run_release(&near);
    run_release(&late);
    free(body);
  }
}

/* A Redis that begins again with nothing has what the machines tell it, and knows them by the
 * identity that they know. */
Test(fleet_hidden, a_server_that_begins_with_nothing_is_told_all)
{
  for (int i = 0; i < 10; i++) {
    struct run run = fleet_post_on(i % 2 ? "A" : "B", world_text(&w, "{\"kept\":%d}", i), "");
    run_release(&run);
  }
  fleet_stop();
  fleet_start();
  for (const char *machine = "AB"; *machine; machine++) {
    struct run push = fleet_command(*machine == 'A' ? "A" : "B", 0, "fleet push --all");
    run_release(&push);
  }
  for (int i = 0; i < 10; i++) {
    struct run run = fleet_post_on("C", world_text(&w, "{\"kept\":%d}", i), "");
    cr_expect(fleet_is_replay(&run), "%d", i);
    run_release(&run);
  }
  cr_expect_eq(mock_count(&w).requests, 10);
}
