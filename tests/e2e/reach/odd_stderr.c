/* SPDX-License-Identifier: MIT */
/* What the shim has to say goes to what was stderr when the program began, and nobody waits for it. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(odd_stderr, .init = open_world, .fini = close_world);

static const char target[] = "/v1/chat/completions", body[] = "{\"a\":1}";

/* No store can be there. */
static void expect_a_line_to_say(void)
{
  world_unset(&w, "IDEMSHIM_LOG");
  world_env(&w, "IDEMSHIM_STORE", "/dev/null/store");
}

Test(odd_stderr, a_file_that_got_number_2_is_not_written_to)
{
  expect_a_line_to_say();
  char file[256];
  size_t len;
  snprintf(file, sizeof(file), "%s", world_path(&w, "app.data"));
  struct run plain = run_plain(&w, "unusable_stderr", "data", file, world_url(&w, target), body, NULL);
  char *without = file_read(file, &len);
  struct run shim = run_shim(&w, "unusable_stderr", "data", file, world_url(&w, target), body, NULL);
  char *with = file_read(file, &len);
  expect_success(&plain);
  expect_success(&shim);
  cr_expect_str_eq(with, without);
  cr_expect_str_eq(with, "before after\n");
  cr_expect_eq(mock_count(&w).requests, 2);
  free(without);
  free(with);
  run_release(&plain);
  run_release(&shim);
}

Test(odd_stderr, a_full_pipe_that_nobody_reads_holds_nobody_up)
{
  expect_a_line_to_say();
  struct run run =
      run_shim(&w, "unusable_stderr", "full", "curl", "-sS", "-d", body, world_url(&w, target), NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "chat.completion"), "%s", run.out);
  run_release(&run);
}

Test(odd_stderr, events_that_a_full_pipe_has_no_room_for_are_counted)
{
  world_env(&w, "IDEMSHIM_LOG", "stderr");
  struct run run =
      run_shim(&w, "unusable_stderr", "full", "curl", "-sS", "-d", body, world_url(&w, target), NULL);
  expect_success(&run);
  struct run stats = run_plain(&w, "idemshim", "stats", "--json", NULL);
  json_t *json = json_loads(stats.out, 0, NULL);
  cr_expect_gt(json_integer_value(json_object_get(json, "lines_dropped")), 0, "%s", stats.out);
  json_decref(json);
  run_release(&run);
  run_release(&stats);
}

/* A socket pair, as systemd gives one to its services, and a file that is not appended to. */
Test(odd_stderr, a_socket_and_a_file_have_the_line)
{
  static const char script[] = "import socket, subprocess, sys\n"
                               "ours, theirs = socket.socketpair()\n"
                               "subprocess.run(['curl', '-sS', '-o', '/dev/null', '-d', '{}', sys.argv[1]], "
                               "stderr=theirs, check=True)\n"
                               "print(ours.recv(4096).decode())\n";
  expect_a_line_to_say();
  struct run socket = run_shim(&w, "/usr/bin/python3", "-c", script, world_url(&w, target), NULL);
  struct run file =
      run_shell(&w, world_text(&w, "curl -sS -o /dev/null -d {} '%s' 2>'%s'; cat '%s'", world_url(&w, target),
                               world_path(&w, "err"), world_path(&w, "err")));
  cr_expect(strstr(socket.out, "idemshim: /dev/null/store"), "%s", socket.out);
  cr_expect(strstr(file.out, "idemshim: /dev/null/store"), "%s", file.out);
  run_release(&socket);
  run_release(&file);
}
