/* SPDX-License-Identifier: MIT */
/* The configuration file: its lines, who wins, which files are refused, and what is left after a mistake. */
#include "tests/unit/config/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct idem_config config;
static struct idem_error error;
static char home[] = "/tmp/idemshim-conf.XXXXXX", file[128];

static void set_up(void)
{
  cr_assert_not_null(mkdtemp(home));
  snprintf(file, sizeof file, "%s/idemshim.conf", home);
}

static void tear_down(void)
{
  idem_config_release(&config);
  unlink(file);
  rmdir(home);
}

TestSuite(config_file, .init = set_up, .fini = tear_down);

static void write_conf(const char *text, size_t len)
{
  int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  cr_assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
  close(fd);
}

static int load(const char *text)
{
  write_conf(text, strlen(text));
  idem_config_release(&config);
  return LOAD_WITH(&config, &error, "IDEMSHIM_CONFIG", file);
}

static void expect_mistake(const char *text, const char *message)
{
  char whole[512];
  snprintf(whole, sizeof whole, "%s%s", file, message);
  cr_expect_eq(load(text), -EINVAL, "%s was not refused", text);
  cr_expect_str_eq(error.text, whole);
}

static void expect_ignored(const char *why)
{
  idem_config_release(&config);
  cr_assert_eq(LOAD_WITH(&config, &error, "IDEMSHIM_CONFIG", file), 0, "%s", error.text);
  cr_assert_not_null(config.ignored[0], "%s: nothing is said", why);
  cr_expect(strstr(config.ignored[0], why), "expected %s in: %s", why, config.ignored[0]);
  cr_expect_eq(config.mode, IDEM_MODE_IDEMPOTENT);
}

Test(config_file, has_names_and_values_comments_and_quotes)
{
  cr_assert_eq(load("\xef\xbb\xbf# comment\n; another\n\n  IDEMSHIM_MODE=observe \r\n"
                    "IDEMSHIM_SCOPE=\"it's  two \"\nIDEMSHIM_RULES=host=a.example ttl=7d # a comment\n"
                    "IDEMSHIM_STORE=/var/tmp/store"),
               0, "%s", error.text);
  cr_expect_eq(config.mode, IDEM_MODE_OBSERVE);
  cr_expect_str_eq(config.scope, "it's  two ");
  cr_expect_eq(config.rules[0].ttl_ms, UINT64_C(604800000));
  cr_expect_str_eq(config.store_dir, "/var/tmp/store");
  cr_expect_null(config.ignored[0]);
}

Test(config_file, is_replaced_by_the_environment_even_by_an_empty_variable)
{
  write_conf("IDEMSHIM_MODE=observe\nIDEMSHIM_SCOPE=file\nIDEMSHIM_SYNC=off\n",
             strlen("IDEMSHIM_MODE=observe\nIDEMSHIM_SCOPE=file\nIDEMSHIM_SYNC=off\n"));
  cr_assert_eq(
      LOAD_WITH(&config, &error, "IDEMSHIM_CONFIG", file, "IDEMSHIM_SCOPE", "mine", "IDEMSHIM_MODE", ""), 0);
  cr_expect_eq(config.mode, IDEM_MODE_IDEMPOTENT);
  cr_expect_str_eq(config.scope, "mine");
  cr_expect_not(config.sync);
}

Test(config_file, tells_for_each_value_where_it_comes_from)
{
  cr_assert_eq(load("\nIDEMSHIM_MODE=observe\n"), 0);
  size_t seen = 0;
  for (size_t i = 0; idem_variable_docs[i].name; i++) {
    const struct idem_given *given = &config.given[i];
    if (strcmp(idem_variable_docs[i].name, "IDEMSHIM_MODE") == 0)
      seen += given->line == 2 && strcmp(given->file, file) == 0 && strcmp(given->value, "observe") == 0;
    else if (strcmp(idem_variable_docs[i].name, "IDEMSHIM_CONFIG") == 0)
      seen += !given->file && strcmp(given->value, file) == 0;
    else
      cr_expect(!given->value || given->found, "%s", idem_variable_docs[i].name);
  }
  cr_expect_eq(seen, 2);
}

Test(config_file, names_the_first_mistake)
{
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"IDEMSHIM_MODE\n", " line 1: expected NAME=value, not \"IDEMSHIM_MODE\""},
      {"\nMODE=off", " line 2: expected a name that begins with IDEMSHIM_, not \"MODE\""},
      {"IDEMSHIM_RULEZ=x\nMODE=off",
       " line 1: no variable has the name \"IDEMSHIM_RULEZ\"; did you mean \"RULES\"?"},
      {"IDEMSHIM_CONFIG=none",
       " line 1: IDEMSHIM_CONFIG names this file, and is read from the environment alone"},
      {"IDEMSHIM_STORE=/a\\b",
       " line 1: expected no backslash in a value: it may have one pair of double quotes "
       "around it, and nothing is escaped"},
      {"IDEMSHIM_STORE=\"/a",
       " line 1: expected no quote in a value: it may have one pair of double quotes around "
       "it, and nothing is escaped"},
      {"IDEMSHIM_STORE=here", " line 1, IDEMSHIM_STORE: expected an absolute path, not \"here\""},
      {"\n\nIDEMSHIM_RULES=@here",
       " line 3, IDEMSHIM_RULES: expected an absolute path after @, not \"@here\""},
      {"IDEMSHIM_MODE=on",
       " line 1, IDEMSHIM_MODE: expected idempotent, observe, record, replay or off, not \"on\""},
      {"IDEMSHIM_RULES=host=a ttl=soon",
       " line 1, IDEMSHIM_RULES: rule 1, field ttl, column 12: expected a duration "
       "with its unit, such as 250ms, 90s, 15m, 24h, 1h30m, 7d or forever, not "
       "\"soon\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    expect_mistake(cases[i].text, cases[i].message);
  write_conf("IDEMSHIM_SCOPE=a\0b\n", 19);
  cr_expect_eq(LOAD_WITH(&config, &error, "IDEMSHIM_CONFIG", file), -EINVAL);
  cr_expect(strstr(error.text, "line 1: expected text, not a NUL byte"), "%s", error.text);
}

Test(config_file, that_somebody_else_may_write_is_left_out)
{
  write_conf("IDEMSHIM_MODE=off\n", strlen("IDEMSHIM_MODE=off\n"));
  cr_assert_eq(chmod(file, 0620), 0);
  expect_ignored("neither its group nor others may write");
  cr_assert_eq(chmod(file, 0602), 0);
  expect_ignored("neither its group nor others may write");
  cr_assert_eq(chmod(file, 0600), 0);
  if (geteuid() == 0) {
    cr_assert_eq(chown(file, 1, 1), 0);
    expect_ignored("a file of root or of the user of this process");
  }
}

Test(config_file, that_is_no_file_is_left_out_without_waiting)
{
  expect_ignored("it does not exist");
  cr_assert_eq(mkfifo(file, 0600), 0);
  expect_ignored("a regular file");
  unlink(file);
  cr_assert_eq(symlink("/etc/hostname", file), 0);
  expect_ignored("no symbolic link");
  unlink(file);
  write_conf("", strlen(""));
  cr_assert_eq(truncate(file, (1 << 20) + 1), 0);
  expect_ignored("at most 1 MiB");
}

Test(config_file, is_not_read_in_mode_off)
{
  write_conf("IDEMSHIM_NOTHING=1\n", strlen("IDEMSHIM_NOTHING=1\n"));
  cr_expect_eq(LOAD_WITH(&config, &error, "IDEMSHIM_CONFIG", file, "IDEMSHIM_MODE", "off"), 0, "%s",
               error.text);
}

Test(config_file, with_a_mistake_in_a_rule_still_says_where_the_store_is)
{
  write_conf("IDEMSHIM_RULES=nonsense\nIDEMSHIM_STORE=/var/tmp/store\n",
             strlen("IDEMSHIM_RULES=nonsense\nIDEMSHIM_STORE=/var/tmp/store\n"));
  test_set((const char *const[]){"IDEMSHIM_CONFIG", file, NULL});
  cr_assert_eq(idem_config_load_store(&config, test_get, &error), 0, "%s", error.text);
  cr_expect_str_eq(config.store_dir, "/var/tmp/store");
  cr_expect(config.sync, "what the file does not say has its default");
}

Test(config_file, that_says_replay_refuses_after_a_mistake)
{
  const char *const environment[] = {"IDEMSHIM_CONFIG", file, NULL};
  test_set(environment);
  write_conf("IDEMSHIM_NOTHING=1\nIDEMSHIM_MODE=replay\n",
             strlen("IDEMSHIM_NOTHING=1\nIDEMSHIM_MODE=replay\n"));
  cr_expect_eq(idem_config_load(&config, test_get, &error), -EINVAL);
  cr_expect(idem_config_load_refusal(&config, test_get));
  cr_expect_eq(config.mode, IDEM_MODE_REPLAY);
  cr_expect_gt(config.rule_count, 0);
  idem_config_release(&config);
  write_conf("IDEMSHIM_NOTHING=1\n", strlen("IDEMSHIM_NOTHING=1\n"));
  cr_expect_not(idem_config_load_refusal(&config, test_get));
}
