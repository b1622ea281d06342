/* SPDX-License-Identifier: MIT */
/* The configuration files as programs and the command meet them;
 * tests/unit/config/conf_file.c has their grammar. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char target[] = "/v1/chat/completions", body[] = "{\"a\":1}";
static char conf[256];

/* A world whose variables, but for where the log is, stand in the user's file. */
static void set_up(void)
{
  char text[1024];
  open_world();
  int len =
      snprintf(text, sizeof text, "IDEMSHIM_STORE=%s\nIDEMSHIM_HOSTS=\"127.0.0.1:%d\"\nIDEMSHIM_SYNC=off\n",
               w.store, w.port);
  static const char *const ours[] = {"IDEMSHIM_STORE", "IDEMSHIM_HOSTS", "IDEMSHIM_SYNC", "IDEMSHIM_CONFIG"};
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
    world_unset(&w, ours[i]);
  snprintf(conf, sizeof conf, "%s", world_path(&w, ".config"));
  cr_assert_eq(mkdir(conf, 0700), 0);
  snprintf(conf, sizeof conf, "%s", world_path(&w, ".config/idemshim"));
  cr_assert_eq(mkdir(conf, 0700), 0);
  snprintf(conf, sizeof conf, "%s", world_write(&w, ".config/idemshim/idemshim.conf", text, (size_t)len));
  cr_assert_eq(chmod(conf, 0600), 0);
}

TestSuite(cli_config_file, .init = set_up, .fini = close_world);

static struct run call(void)
{
  return run_shim(&w, "curl", "-sS", "-d", body, world_url(&w, target), NULL);
}

static void expect_two_calls_are_sent(unsigned requests)
{
  struct run first = call(), second = call();
  expect_success(&first);
  expect_success(&second);
  cr_expect_eq(mock_count(&w).requests, requests);
  cr_expect(requests == 2 || strcmp(first.out, second.out) == 0);
  run_release(&first);
  run_release(&second);
}

Test(cli_config_file, of_the_user_covers_his_programs)
{
  expect_two_calls_are_sent(1);
}

Test(cli_config_file, is_replaced_by_the_environment)
{
  world_env(&w, "IDEMSHIM_HOSTS", "other.example");
  expect_two_calls_are_sent(2);
}

Test(cli_config_file, is_not_looked_for_where_none_is_asked_for)
{
  world_env(&w, "IDEMSHIM_CONFIG", "none");
  expect_two_calls_are_sent(2);
}

Test(cli_config_file, of_the_system_is_read_where_the_user_has_none)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first");
  if (run_shell_plain(&w, "unshare -m true").status != 0)
    cr_skip_test("no mount namespace can be made here");
  world_env(&w, "URL", "%s", world_url(&w, target));
  world_env(&w, "CONF", "%s", conf);
  world_env(&w, "LIBRARY", "%s/libidemshim.so", w.build);
  struct run run = run_shell_plain(
      &w,
      "mkdir \"$HOME/etc\" && mv \"$CONF\" \"$HOME/etc/idemshim.conf\" && unshare -m sh -c '"
      "mount -t tmpfs none /mnt && mkdir /mnt/etc && cp \"$HOME/etc/idemshim.conf\" /mnt/etc/ && "
      "mount -t overlay -o lowerdir=/mnt/etc:/etc none /etc || exit 77;"
      "for i in 1 2; do LD_PRELOAD=$LIBRARY curl -sS -d \"{}\" \"$URL\" || exit 1; done; idemshim check'");
  if (run.status == 77)
    cr_skip_test("/etc cannot be laid over here");
  expect_success(&run);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect(strstr(run.out, "/etc/idemshim.conf line 1"), "%s", run.out);
  run_release(&run);
}

Test(cli_config_file, with_a_mistake_leaves_calls_alone_and_ends_run_and_check)
{
  cr_assert_not_null(world_write(&w, ".config/idemshim/idemshim.conf", "IDEMSHIM_MODES=off\n", 19));
  struct run run = call();
  struct run check = run_plain(&w, "idemshim", "check", NULL),
             started = run_plain(&w, "idemshim", "run", "--", "true", NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "chat.completion"), "%s", run.out);
  cr_expect(
      strstr(run.err,
             "idemshim.conf line 1: no variable has the name \"IDEMSHIM_MODES\"; did you mean \"MODE\"?"),
      "%s", run.err);
  cr_expect_eq(check.status, 2);
  cr_expect_eq(started.status, 2);
  cr_expect(strstr(started.err, "nothing was started"), "%s", started.err);
  run_release(&run);
  run_release(&check);
  run_release(&started);
}

Test(cli_config_file, that_others_may_write_is_one_line_and_no_more)
{
  cr_assert_eq(chmod(conf, 0666), 0);
  struct run run = call(), check = run_plain(&w, "idemshim", "check", NULL),
             list = run_plain(&w, "idemshim", "ls", NULL);
  expect_success(&run);
  expect_success(&check);
  cr_expect(strstr(list.err, "nothing of it holds"), "another store than its own is listed: %s", list.err);
  const char *said = strstr(run.err, "neither its group nor others may write; nothing of it holds");
  cr_assert_not_null(said, "%s", run.err);
  cr_expect_null(strstr(strchr(said, '\n'), "idemshim:"), "%s", run.err);
  cr_expect(strstr(check.err, "nothing of it holds"), "%s", check.err);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&run);
  run_release(&check);
  run_release(&list);
}

Test(cli_config_file, is_named_by_check_for_each_value)
{
  world_env(&w, "IDEMSHIM_SCOPE", "mine");
  struct run text = run_plain(&w, "idemshim", "check", NULL),
             json = run_plain(&w, "idemshim", "check", "--json", NULL);
  expect_success(&text);
  cr_expect(strstr(text.out, ".config/idemshim/idemshim.conf line 2"), "%s", text.out);
  json_t *document = json_loads(json.out, 0, NULL), *variables = json_object_get(document, "variables");
  const char *source =
      json_string_value(json_object_get(json_object_get(variables, "IDEMSHIM_HOSTS"), "source"));
  cr_assert_not_null(source, "%s", json.out);
  cr_expect_str_eq(source, conf);
  cr_expect_str_eq(json_string_value(json_object_get(json_object_get(variables, "IDEMSHIM_SCOPE"), "source")),
                   "environment");
  cr_expect(json_is_null(json_object_get(json_object_get(variables, "IDEMSHIM_TAPE"), "source")));
  json_decref(document);
  run_release(&text);
  run_release(&json);
}

Test(cli_config_file, is_where_commands_find_the_store)
{
  struct run run = call(), list = run_plain(&w, "idemshim", "ls", NULL);
  expect_success(&run);
  expect_success(&list);
  cr_expect(strstr(list.out, target), "%s", list.out);
  run_release(&run);
  run_release(&list);
}

Test(cli_config_file, reaches_a_program_whose_environment_was_cleared)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first");
  world_env(&w, "PROGRAM", "%s/libidemshim.so", w.build);
  world_env(&w, "URL", "%s", world_url(&w, target));
  struct run run =
      run_shell_plain(&w, "for i in 1 2; do env -i LD_PRELOAD=$PROGRAM HOME=\"$HOME\" PATH=\"$PATH\" "
                          "curl -sS -d '{}' \"$URL\" || exit 1; done");
  expect_success(&run);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&run);
}
