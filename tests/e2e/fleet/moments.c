/* SPDX-License-Identifier: MIT */
/* An owner is killed at a moment that only the server sees: between what it was told
 * and what it hears of it. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(fleet_moments, .init = open_fleet, .fini = close_fleet, .timeout = 180);

static const char body[] = "{\"prompt\":1}";

/* A way to the server at whose other end a program is killed when it has said such words, once: they are
 * done, and it does not hear of it. */
static const char killer[] =
    "import os,re,select,socket,struct,sys,threading\n"
    "path,server,word=sys.argv[1],sys.argv[2],sys.argv[3].encode()\n"
    "listener=socket.socket(socket.AF_UNIX);listener.bind(path);listener.listen(64);print('ready',flush=True)"
    "\n"
    "killed=threading.Event()\n"
    "def pass_on(app):\n"
    "  pid=struct.unpack('iii',app.getsockopt(socket.SOL_SOCKET,socket.SO_PEERCRED,12))[0]\n"
    "  redis=socket.socket(socket.AF_UNIX);redis.connect(server);said=b''\n"
    "  while 1:\n"
    "    for end in select.select([app,redis],[],[])[0]:\n"
    "      data=end.recv(1<<16)\n"
    "      if not data: return\n"
    "      if end is app: said+=data;redis.sendall(data);continue\n"
    "      if not killed.is_set() and not data.startswith(b'-') and re.search(word,said):\n"
    "        killed.set();os.kill(pid,9);return\n"
    "      app.sendall(data);said=b''\n"
    "while 1: threading.Thread(target=pass_on,args=(listener.accept()[0],),daemon=True).start()\n";

/* The owner on A, which is killed by the reply to what has `words` in it. */
static void lose_owner(const char *words, const char *script)
{
  struct run way =
      start_plain(&w, "python3", "-c", killer, world_path(&w, "way"), world_path(&w, "redis"), words, NULL);
  wait_until((run_look(&way), strstr(way.out, "ready")));
  world_env(&w, "IDEMSHIM_FLEET",
            "redis+unix://%s/way?connect-timeout=1s&operation-timeout=2500ms&call-timeout=10s&lease=2s&"
            "max-value=64M",
            w.dir);
  struct run owner = fleet_post(body, script);
  cr_expect_eq(owner.signal, SIGKILL, "exit %d: %s%s", owner.status, owner.out, owner.err);
  run_release(&owner);
  run_release(&way);
  fleet_attributes("lease=2s&max-value=64M");
}

static void expect_an_answer(const char *machine, const char *script, bool is_replay)
{
  on_machine(machine);
  struct run run = fleet_post(body, script);
  expect_success(&run);
  cr_expect_not_null(strstr(run.out, "200 OK"), "%s", run.out);
  cr_expect_eq(strstr(run.out, "X-Idempotency-Replayed: true") != NULL, is_replay, "%s", machine);
  run_release(&run);
}

Test(fleet_moments, killed_before_it_hears_that_it_owns_it_nothing_has_gone_out)
{
  lose_owner("\r\nclaim\r\n", "");
  cr_expect_eq(mock_count(&w).requests, 0);
  expect_an_answer("B", "", false);
  expect_an_answer("A", "", true);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(events_of("B", "in_doubt"), 0);
}

Test(fleet_moments, killed_before_it_hears_that_it_may_send_it_is_in_doubt)
{
  lose_owner("\r\nsent\r\n", "");
  cr_expect_eq(mock_count(&w).requests, 0);
  expect_an_answer("B", "", false);
  expect_an_answer("A", "", true);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(events_of("B", "in_doubt"), 1);
}

/* The fleet has the answer, and the machine of the owner does not. */
Test(fleet_moments, killed_between_the_two_commits_its_answer_is_had_on_its_machine_and_on_the_others)
{
  lose_owner("\r\ncommit\r\n", "");
  expect_an_answer("A", "", true);
  expect_an_answer("B", "", true);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(events_of("A", "in_doubt") + events_of("B", "in_doubt"), 0);
}

Test(fleet_moments, killed_among_the_parts_of_a_long_answer_it_has_left_none)
{
  const char *script = "size%3D4194304";
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=64M");
  lose_owner(":a:[0-9a-f]+:2\r\n", script);
  expect_an_answer("B", script, false);
  cr_expect_str_eq(key_sent(0), key_sent(1));
  expect_an_answer("A", script, true);
  cr_expect_eq(mock_count(&w).requests, 2);
}

/* One that is not there any more makes all of it none: it is asked for again, and stored anew. */
Test(fleet_moments, a_long_answer_of_which_a_part_is_gone_is_none)
{
  const char *script = "size%3D4194304";
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=64M");
  fleet_attributes("max-value=64M");
  expect_an_answer("A", script, false);
  const char *part = redis("KEYS '*:a:*:2'");
  cr_expect_str_eq(redis(world_text(&w, "DEL %.*s", (int)strcspn(part, "\n"), part)), "1\n");
  expect_an_answer("B", script, false);
  expect_an_answer("C", script, true);
  cr_expect_eq(mock_count(&w).requests, 2);
}

/* The program is killed, the copy that guards its call goes on, and who asks on another
 * machine waits for that. */
Test(fleet_moments, what_a_guard_finishes_for_a_killed_owner_the_other_machine_gets)
{
  const char *script = "gate%3Dg,gate_first%3D1";
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 guard=on");
  struct run owner = fleet_post_begin(body, script);
  wait_until(mock_count(&w).requests == 1 && world_orphans(&w) > 0);
  on_machine("B");
  struct run next = fleet_post_begin(body, script);
  wait_until(strstr(redis("INFO commandstats"), "cmdstat_xread"));
  run_signal(&owner, SIGKILL);
  run_wait(&owner);
  mock_open(&w, "g");
  run_wait(&next);
  expect_success(&next);
  cr_expect_not_null(strstr(next.out, "X-Idempotency-Replayed: true"), "%s", next.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&owner);
  run_release(&next);
}
