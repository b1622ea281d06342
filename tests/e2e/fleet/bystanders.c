/* SPDX-License-Identifier: MIT */
/* What the app must not notice: descriptors, forks, signals and threads; and servers that are none. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(fleet_bystanders, .init = open_fleet, .fini = close_fleet, .timeout = 180);

static const char body[] = "{\"prompt\":1}";

/* What the program has closed is made anew, and what it has put in its place is its own. */
ParameterizedTestParameters(fleet_bystanders, an_app_that_closes_what_it_does_not_know_goes_on)
{
  static char hows[][8] = {"close", "range", "reuse", "dup"};
  return cr_make_param_array(char[8], hows, sizeof(hows) / sizeof(*hows));
}

ParameterizedTest(char *how, fleet_bystanders, an_app_that_closes_what_it_does_not_know_goes_on)
{
  fleet_outlives_closed_descriptors(how);
}

Test(fleet_bystanders, an_app_that_forks_with_a_warm_connection_and_its_child_both_go_on)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  for (int i = 0; i < 2; i++) {
    on_machine(i ? "B" : "A");
    struct run run = run_shim(&w, "forker", url, body, "{\"child\":1}", NULL);
    expect_success(&run);
    cr_expect_str_eq(run.err, "");
    run_release(&run);
  }
  cr_expect_eq(mock_count(&w).requests, 2, "one for each content, on both machines together");
}

static int lines_with(const char *text, const char *one, const char *but_not)
{
  int count = 0;
  for (const char *at = text; (at = strstr(at, one)); at += strlen(one)) {
    const char *end = strchr(at, '\n');
    const char *found = strstr(at, but_not);
    count += !found || (end && found > end);
  }
  return count;
}

Test(fleet_bystanders, no_thread_is_made_no_signal_is_raised_and_no_descriptor_is_left_to_a_child)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer makes threads of its own");
  struct run run = run_shim(&w, "strace", "-f", "-o", world_path(&w, "trace"), "curl", "-sS", "-d", body,
                            world_url(&w, "/v1/chat/completions"), NULL);
  if (run.status == 127)
    cr_skip_test("strace is not installed");
  size_t len;
  char *trace = file_read(world_path(&w, "trace"), &len);
  cr_assert_not_null(trace);
  cr_expect_not_null(strstr(trace, "AF_UNIX"), "it has asked the fleet");
  cr_expect_eq(lines_with(trace, "socket(AF_UNIX", "SOCK_CLOEXEC"), 0);
  cr_expect_null(strstr(trace, "SIGPIPE {"));
  cr_expect_eq(lines_with(trace, "CLONE_THREAD", "nothing"), 0);
  free(trace);
  run_release(&run);
}

/* A server in Python that does something with each connection `c`; its port, when it has one. */
static struct run fake_server(const char *with_connection, int *port)
{
  const char *script = world_text(
      &w,
      "import socket,struct,time\n"
      "s=socket.socket();s.bind(('127.0.0.1',0));s.listen(64);print(s.getsockname()[1],flush=True)\n"
      "while 1:\n  c=s.accept()[0]\n  try:\n    %s\n  except OSError: pass\n",
      with_connection);
  struct run run = start_plain(&w, "python3", "-c", script, NULL);
  wait_until((run_look(&run), strchr(run.out, '\n')));
  *port = atoi(run.out);
  return run;
}

/* It has never been the fleet of this machine: the first call finds that out, for those that come
 * within ten seconds too. */
static void goes_out_in_spite_of(const char *with_connection)
{
  int port;
  struct run fake = fake_server(with_connection, &port);
  world_env(&w, "IDEMSHIM_FLEET", "redis://127.0.0.1:%d?connect-timeout=1s&operation-timeout=1s", port);
  int lines = 0;
  for (int i = 0; i < 4; i++) {
    struct run run = fleet_post(world_text(&w, "{\"prompt\":\"%d\"}", i), "");
    expect_success(&run);
    cr_expect_not_null(strstr(run.out, "200 OK"), "%s", run.out);
    cr_expect_lt(run.ms, 20000);
    lines += strstr(run.err, "works alone") != NULL;
    run_release(&run);
  }
  cr_expect_eq(lines, 1);
  cr_expect_eq(mock_count(&w).requests, 4);
  run_release(&fake);
}

Test(fleet_bystanders, a_server_that_resets_is_away)
{
  goes_out_in_spite_of("c.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack('ii',1,0));c.close()");
}

Test(fleet_bystanders, a_server_that_trickles_is_away)
{
  goes_out_in_spite_of("c.recv(9)\n    while 1: c.send(b'+');time.sleep(.05)");
}

Test(fleet_bystanders, a_server_of_another_kind_is_away)
{
  goes_out_in_spite_of("c.recv(9);c.send(b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n')");
}

Test(fleet_bystanders, a_server_that_announces_much_is_away)
{
  goes_out_in_spite_of("c.recv(9);c.send(b'*1000000\\r\\n'*1000);time.sleep(9)");
}

Test(fleet_bystanders, a_long_answer_goes_in_parts)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=64M");
  fleet_attributes("max-value=64M");
  /* A sanitizer takes 40 s of a processor for 32 MiB. */
  long size = getenv("IDEM_SAN_PRELOAD") ? 6 << 20 : 32 << 20;
  const char *script = world_text(&w, "size%%3D%ld", size);
  struct run a = fleet_post(body, script);
  expect_success(&a);
  cr_expect_geq(count_of(redis("KEYS '*:a:*'"), ":a:"), (int)(size >> 20));
  on_machine("B");
  struct run b = fleet_post(body, script);
  expect_success(&b);
  cr_expect_not_null(strstr(b.out, "X-Idempotency-Replayed: true"));
  const char *first = strstr(a.out, "\r\n\r\n"), *second = strstr(b.out, "\r\n\r\n");
  cr_assert(first && second);
  cr_expect_gt(strlen(first), (size_t)size / 10 * 9);
  cr_expect(!strcmp(first, second));
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&a);
  run_release(&b);
}
