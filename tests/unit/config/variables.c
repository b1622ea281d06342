/* SPDX-License-Identifier: MIT */
/* The environment: what each variable takes, where rules come from, and what is left after a mistake. */
#include "tests/unit/config/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct idem_config config;
static struct idem_error error;

static void release(void)
{
  idem_config_release(&config);
}

static int load_again(const char *const *values)
{
  release();
  return load_with(&config, &error, values);
}

#define LOAD(...)     load_again((const char *const[]){__VA_ARGS__, NULL})
#define LOADS(...)    cr_assert_eq(LOAD(__VA_ARGS__), 0, "%s", error.text)
#define REFUSED(...)  cr_assert_eq(LOAD(__VA_ARGS__), -EINVAL, "not refused")
#define SAYS(message) cr_expect_str_eq(error.text, message)

Test(config_variable, without_any_the_defaults_hold, .fini = release)
{
  LOADS("HOME", "/home/someone");
  cr_expect_eq(config.mode, IDEM_MODE_IDEMPOTENT);
  cr_expect_str_eq(config.store_dir, "/home/someone/.cache/idemshim");
  cr_expect_eq(config.store_size, UINT64_C(4294967296));
  cr_expect(config.sync);
  cr_expect_str_eq(config.scope, "");
  cr_expect_null(config.tape_dir);
  cr_expect_null(config.key_file);
  cr_expect_null(config.log);
  cr_expect(config.hook_dl);
  cr_expect(!config.summary);
  cr_expect_eq(config.delivery, IDEM_DELIVERY_AUTO);
  cr_expect_str_eq(config.rules[0].origin, "built-in");
}

/* Who only looks into it finds it in the same place. */
Test(config_variable, the_store_alone_has_the_same_place, .fini = release)
{
  test_set((const char *const[]){"IDEMSHIM_RULES", "a mistake", NULL});
  cr_assert_eq(idem_config_load_store(&config, test_get, &error), 0, "%s", error.text);
  cr_expect_str_eq(config.store_dir, "/home/someone/.cache/idemshim");
}

Test(config_variable, that_is_empty_is_as_if_unset, .fini = release)
{
  LOADS("IDEMSHIM_MODE", "", "IDEMSHIM_RULES", "", "IDEMSHIM_HOSTS", "", "IDEMSHIM_STORE", "",
        "IDEMSHIM_STORE_SIZE", "", "IDEMSHIM_SYNC", "", "IDEMSHIM_SCOPE", "", "IDEMSHIM_TAPE", "",
        "IDEMSHIM_KEY_FILE", "", "IDEMSHIM_LOG", "", "IDEMSHIM_HOOK_DL", "", "XDG_CACHE_HOME", "");
  cr_expect_eq(config.mode, IDEM_MODE_IDEMPOTENT);
  cr_expect_str_eq(config.store_dir, "/home/someone/.cache/idemshim");
  cr_expect_null(config.log);
  cr_expect_null(config.tape_dir);
  cr_expect_str_eq(config.rules[0].origin, "built-in");
}

Test(config_variable, mode_is_one_of_five, .fini = release)
{
  static const char *const words[] = {"idempotent", "observe", "record", "replay", "off"};

  for (int i = 0; i < 5; i++) {
    LOADS("IDEMSHIM_MODE", words[i]);
    cr_expect_eq((int)config.mode, i, "%s", words[i]);
    cr_expect_gt(config.rule_count, 0, "%s: check wants the rules, whatever the mode", words[i]);
  }
  REFUSED("IDEMSHIM_MODE", "replya");
  SAYS("IDEMSHIM_MODE: expected idempotent, observe, record, replay or off, not \"replya\"; did you mean "
       "\"replay\"?");
}

Test(config_variable, a_bad_rule_is_reported_even_in_mode_off)
{
  REFUSED("IDEMSHIM_MODE", "off", "IDEMSHIM_RULES", "host=a ttl");
  cr_expect_eq(config.mode, IDEM_MODE_OFF);
  cr_expect_eq(config.rule_count, 0);
}

Test(config_variable, store_is_made_absolute, .fini = release)
{
  char expected[4096] = "";

  LOADS("IDEMSHIM_STORE", "/var/cache/answers");
  cr_expect_str_eq(config.store_dir, "/var/cache/answers");
  release();
  cr_assert_not_null(getcwd(expected, sizeof expected - 16));
  strcat(expected, "/answers");
  LOADS("IDEMSHIM_STORE", "answers");
  cr_expect_str_eq(config.store_dir, expected);
  release();
  cr_assert_eq(chdir("/"), 0);
  LOADS("IDEMSHIM_STORE", "answers");
  cr_expect_str_eq(config.store_dir, "/answers");
}

Test(config_variable, store_has_a_default_in_the_users_cache, .fini = release)
{
  LOADS("XDG_CACHE_HOME", "/cache");
  cr_expect_str_eq(config.store_dir, "/cache/idemshim");
  LOADS("XDG_CACHE_HOME", "relative");
  cr_expect_str_eq(config.store_dir, "/home/someone/.cache/idemshim");
}

Test(config_variable, store_is_where_systemd_has_made_a_place, .fini = release)
{
  LOADS("CACHE_DIRECTORY", "/var/cache/a:/var/cache/b", "STATE_DIRECTORY", "/var/lib/a", "XDG_CACHE_HOME",
        "/cache");
  cr_expect_str_eq(config.store_dir, "/var/cache/a/idemshim");
  LOADS("STATE_DIRECTORY", "/var/lib/a", "CACHE_DIRECTORY", "relative");
  cr_expect_str_eq(config.store_dir, "/var/lib/a/idemshim");
  LOADS("CACHE_DIRECTORY", "/var/cache/a", "IDEMSHIM_STORE", "/named");
  cr_expect_str_eq(config.store_dir, "/named");
}

/* A daemon that has changed its user still has the HOME that it was started with. */
Test(config_variable, store_is_in_no_cache_of_another_user, .fini = release)
{
  char home[] = "/tmp/idemshim-home-XXXXXX", home_cache[64];
  const struct passwd *user = getpwuid(geteuid());
  if (geteuid() != 0)
    cr_skip_test("only root can give a directory away");
  cr_assert(user && mkdtemp(home));
  cr_assert_eq(chown(home, 1, 1), 0);
  LOADS("HOME", home);
  cr_expect_eq(strncmp(config.store_dir, user->pw_dir, strlen(user->pw_dir)), 0, "%s", config.store_dir);
  LOADS("XDG_CACHE_HOME", home);
  cr_expect_str_eq(config.store_dir, "/home/someone/.cache/idemshim");
  snprintf(home_cache, sizeof home_cache, "%s/.cache", home);
  LOADS("XDG_CACHE_HOME", home_cache);
  cr_expect_str_eq(config.store_dir, "/home/someone/.cache/idemshim", "one that is not there yet");
  cr_expect_eq(rmdir(home), 0);
}

/* Without any home the path is one that will say why when it is opened. */
Test(config_variable, store_without_a_home_is_in_the_root, .fini = release)
{
  if (seteuid(3456789) < 0)
    cr_skip_test("only root can be somebody whom nobody knows");
  LOADS("HOME", "");
  cr_expect_str_eq(config.store_dir, "/.cache/idemshim");
  LOADS("HOME", "/");
  cr_expect_str_eq(config.store_dir, "/.cache/idemshim");
}

Test(config_variable, store_in_a_working_directory_that_is_gone_is_refused)
{
  char dir[] = "/tmp/idemshim-config-XXXXXX";

  cr_assert_not_null(mkdtemp(dir));
  cr_assert_eq(chdir(dir), 0);
  cr_assert_eq(rmdir(dir), 0);
  cr_expect_eq(LOAD("IDEMSHIM_STORE", "answers"), -ENOENT);
  SAYS("IDEMSHIM_STORE: no working directory for \"answers\": No such file or directory");
  cr_assert_eq(chdir("/"), 0);
}

Test(config_variable, store_size_is_a_megabyte_or_more, .fini = release)
{
  LOADS("IDEMSHIM_STORE_SIZE", "1M");
  cr_expect_eq(config.store_size, 1048576);
  REFUSED("IDEMSHIM_STORE_SIZE", "1023k");
  SAYS("IDEMSHIM_STORE_SIZE: expected 1M or more, not \"1023k\"");
  REFUSED("IDEMSHIM_STORE_SIZE", "lots");
  SAYS("IDEMSHIM_STORE_SIZE: expected a size such as 512, 64k, 16M or 4GiB, not \"lots\"");
}

Test(config_variable, rescues_are_a_number_and_their_sizes_are_sizes, .fini = release)
{
  LOADS("IDEMSHIM_RESCUES", "");
  cr_expect_eq(config.rescues, 64);
  cr_expect_eq(config.rescue_size, (uint64_t)1 << 30);
  cr_expect_eq(config.guard_size, (uint64_t)256 << 20);
  LOADS("IDEMSHIM_RESCUES", "0");
  cr_expect_eq(config.rescues, 0);
  LOADS("IDEMSHIM_RESCUES", "1024");
  cr_expect_eq(config.rescues, 1024);
  REFUSED("IDEMSHIM_RESCUES", "1025");
  SAYS("IDEMSHIM_RESCUES: expected a number up to 1024, not \"1025\"");
  REFUSED("IDEMSHIM_RESCUES", "-1");
  REFUSED("IDEMSHIM_RESCUES", "99999999999999999999");
  LOADS("IDEMSHIM_RESCUE_SIZE", "64M");
  cr_expect_eq(config.rescue_size, (uint64_t)64 << 20);
  LOADS("IDEMSHIM_GUARD_SIZE", "1G");
  cr_expect_eq(config.guard_size, (uint64_t)1 << 30);
  REFUSED("IDEMSHIM_GUARD_SIZE", "large");
}

Test(config_variable, delivery_is_a_word, .fini = release)
{
  LOADS("IDEMSHIM_DELIVERY", "transport");
  cr_expect_eq(config.delivery, IDEM_DELIVERY_TRANSPORT);
  REFUSED("IDEMSHIM_DELIVERY", "direct");
  SAYS("IDEMSHIM_DELIVERY: expected auto or transport, not \"direct\"");
}

Test(config_variable, sync_and_hook_dl_are_switches, .fini = release)
{
  LOADS("IDEMSHIM_SYNC", "off", "IDEMSHIM_HOOK_DL", "off", "IDEMSHIM_OPEN", "early", "IDEMSHIM_SUMMARY",
        "on");
  cr_expect(config.summary);
  cr_expect(config.open_early);
  cr_expect(!config.sync);
  cr_expect(!config.hook_dl);
  REFUSED("IDEMSHIM_SYNC", "no");
  SAYS("IDEMSHIM_SYNC: expected off or on, not \"no\"");
  REFUSED("IDEMSHIM_HOOK_DL", "1");
  SAYS("IDEMSHIM_HOOK_DL: expected off or on, not \"1\"");
}

Test(config_variable, scope_is_any_text_up_to_256_bytes, .fini = release)
{
  char text[258] = "";

  LOADS("IDEMSHIM_SCOPE", "job 7; \xc3\xa4\n");
  cr_expect_str_eq(config.scope, "job 7; \xc3\xa4\n");
  release();
  memset(text, 'x', 256);
  LOADS("IDEMSHIM_SCOPE", text);
  cr_expect_str_eq(config.scope, text);
  text[256] = 'x';
  REFUSED("IDEMSHIM_SCOPE", text);
  SAYS("IDEMSHIM_SCOPE: expected at most 256 bytes, not 257");
}

Test(config_variable, log_tape_and_key_file_are_paths, .fini = release)
{
  cr_assert_eq(chdir("/"), 0);
  LOADS("IDEMSHIM_LOG", "stderr", "IDEMSHIM_TAPE", "tape", "IDEMSHIM_KEY_FILE", "tape.key");
  cr_expect_str_eq(config.log, "stderr");
  cr_expect_str_eq(config.tape_dir, "/tape");
  cr_expect_str_eq(config.key_file, "/tape.key");
  cr_expect_str_eq(config.tape_key_file, "/tape.key");
  LOADS("IDEMSHIM_TAPE_KEY_FILE", "own.key");
  cr_expect_null(config.key_file);
  cr_expect_str_eq(config.tape_key_file, "/own.key");
  LOADS("IDEMSHIM_LOG", "events.jsonl");
  cr_expect_str_eq(config.log, "/events.jsonl");
}

Test(config_variable, without_any_a_tape_is_replayed_at_once_and_exactly, .fini = release)
{
  LOADS("HOME", "/home/someone");
  cr_expect_eq(config.tape_size, UINT64_C(1) << 30);
  cr_expect_eq(config.tape_age_ms, 0);
  cr_expect_eq(config.speed, 0.0);
  cr_expect(!config.match_loose);
  cr_expect(!config.exhausted_last);
  cr_expect_null(config.replay_state);
  cr_expect_null(config.replay_edit);
}

Test(config_variable, tape_size_is_a_megabyte_or_more_or_none, .fini = release)
{
  LOADS("IDEMSHIM_TAPE_SIZE", "1M");
  cr_expect_eq(config.tape_size, 1048576);
  LOADS("IDEMSHIM_TAPE_SIZE", "0");
  cr_expect_eq(config.tape_size, 0);
  REFUSED("IDEMSHIM_TAPE_SIZE", "1023k");
  SAYS("IDEMSHIM_TAPE_SIZE: expected 1M or more, or 0, not \"1023k\"");
  REFUSED("IDEMSHIM_TAPE_SIZE", "much");
}

Test(config_variable, tape_age_is_a_duration, .fini = release)
{
  LOADS("IDEMSHIM_TAPE_AGE", "7d");
  cr_expect_eq(config.tape_age_ms, UINT64_C(7) * 86400 * 1000);
  REFUSED("IDEMSHIM_TAPE_AGE", "7");
  cr_expect(strstr(error.text, "IDEMSHIM_TAPE_AGE: expected "), "%s", error.text);
}

Test(config_variable, pace_is_a_word_or_a_factor, .fini = release)
{
  static const struct {
    const char *text;
    double speed;
  } good[] = {{"instant", 0}, {"original", 1}, {"10", 10}, {"0.5", 0.5}, {".25", 0.25}, {"2.", 2}};
  static const char *const bad[] = {"0", "fast",  "-1",       "1e3",    "1,5",
                                    ".", "1.2.3", "10000000", "0.0001", " 1"};

  for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
    LOADS("IDEMSHIM_PACE", good[i].text);
    cr_expect_float_eq(config.speed, good[i].speed, 1e-12, "%s", good[i].text);
  }
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    REFUSED("IDEMSHIM_PACE", bad[i]);
  REFUSED("IDEMSHIM_PACE", "slow");
  SAYS("IDEMSHIM_PACE: expected instant, original or a factor such as 0.5 or 10, not \"slow\"");
}

Test(config_variable, match_and_exhausted_are_words, .fini = release)
{
  LOADS("IDEMSHIM_MATCH", "loose", "IDEMSHIM_EXHAUSTED", "last");
  cr_expect(config.match_loose);
  cr_expect(config.exhausted_last);
  LOADS("IDEMSHIM_MATCH", "exact", "IDEMSHIM_EXHAUSTED", "error");
  cr_expect(!config.match_loose);
  cr_expect(!config.exhausted_last);
  REFUSED("IDEMSHIM_MATCH", "lose");
  SAYS("IDEMSHIM_MATCH: expected exact or loose, not \"lose\"; did you mean \"loose\"?");
  REFUSED("IDEMSHIM_EXHAUSTED", "first");
}

Test(config_variable, replay_state_is_a_path, .fini = release)
{
  cr_assert_eq(chdir("/"), 0);
  LOADS("IDEMSHIM_REPLAY_STATE", "state");
  cr_expect_str_eq(config.replay_state, "/state");
}

Test(config_variable, replay_edit_is_numbers_with_files, .fini = release)
{
  static const char *const bad[] = {"17", "17=", "=a", "x=a", "17=a;;", "17=a;b", ";17=a", "17 =a"};

  LOADS("IDEMSHIM_REPLAY_EDIT", "17=/a/file;18=another");
  cr_expect_str_eq(config.replay_edit, "17=/a/file;18=another");
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    REFUSED("IDEMSHIM_REPLAY_EDIT", bad[i]);
}

Test(config_hosts, are_rules_with_the_default_treatment, .fini = release)
{
  LOADS("IDEMSHIM_HOSTS", "api.example.com, *.azure.example ,127.0.0.1:8080");
  cr_assert_eq(config.rule_count, 3);
  cr_expect_str_eq(config.rules[1].host, "*.azure.example");
  cr_expect_str_eq(config.rules[1].origin, "IDEMSHIM_HOSTS");
  cr_expect_eq(config.rules[1].number, 2);
  cr_expect_eq(config.rules[2].port, 8080);
  cr_expect_eq(config.rules[2].ttl_ms, 86400000);
  cr_expect_not_null(meets(&config, "POST", "127.0.0.1", 8080, "/any/path"));
  cr_expect_null(meets(&config, "GET", "127.0.0.1", 8080, "/any/path"));
  cr_expect_null(meets(&config, "POST", "127.0.0.1", 8081, "/any/path"));
}

Test(config_hosts, come_after_rules_and_instead_of_the_built_in_ones, .fini = release)
{
  LOADS("IDEMSHIM_HOSTS", "*.example", "IDEMSHIM_RULES", "host=a.example ttl=1h");
  cr_assert_eq(config.rule_count, 2);
  cr_expect_eq(meets(&config, "POST", "a.example", 443, "/")->ttl_ms, 3600000);
  cr_expect_eq(meets(&config, "POST", "b.example", 443, "/")->ttl_ms, 86400000);
  cr_expect_null(meets(&config, "POST", "api.openai.com", 443, "/v1/chat/completions"));
}

Test(config_hosts, are_named_by_number_and_column_when_wrong)
{
  REFUSED("IDEMSHIM_HOSTS", "api.openai.com, *.openai.azure.com:x");
  SAYS("IDEMSHIM_HOSTS: host 2, column 36: expected a port from 1 to 65535, not \"x\"; without a port, every "
       "port "
       "matches");
  REFUSED("IDEMSHIM_HOSTS", "a.example,,b.example");
  SAYS("IDEMSHIM_HOSTS: host 2, column 11: expected a host such as api.openai.com, *.openai.azure.com, "
       "127.0.0.1:8080 or [::1]:8080, not \"\"");
  REFUSED("IDEMSHIM_HOSTS", "a.example b.example");
  SAYS("IDEMSHIM_HOSTS: host 1, column 1: expected a host such as api.openai.com, *.openai.azure.com, "
       "127.0.0.1:8080 "
       "or [::1]:8080, not \"a.example b.example\"");
  REFUSED("IDEMSHIM_HOSTS", " ");
}

static char dir[] = "/tmp/idemshim-config-XXXXXX";

static void enter_directory(void)
{
  cr_assert_not_null(mkdtemp(dir));
  cr_assert_eq(chdir(dir), 0);
}

static void write_file(const char *name, const char *data, size_t len)
{
  FILE *file = fopen(name, "w");

  cr_assert_not_null(file);
  cr_assert_eq(fwrite(data, 1, len, file), len);
  cr_assert_eq(fclose(file), 0);
}

#define FILE_WITH(text) write_file("idemshim.rules", text, sizeof(text) - 1)

static void leave_directory(void)
{
  release();
  unlink("idemshim.rules");
  cr_assert_eq(chdir("/"), 0);
  cr_assert_eq(rmdir(dir), 0);
}

Test(config_rule_file, holds_the_same_grammar, .init = enter_directory, .fini = leave_directory)
{
  FILE_WITH(
      "\xef\xbb\xbf# our hosts\r\n\r\nhost=a.example ttl=1h # an hour\r\nhost=b.example; host=c.example");
  LOADS("IDEMSHIM_RULES", "  @idemshim.rules");
  cr_assert_eq(config.rule_count, 3);
  cr_expect_eq(config.rules[0].ttl_ms, 3600000);
  cr_expect_str_eq(config.rules[2].host, "c.example");
  cr_expect_str_eq(config.rules[2].origin, "idemshim.rules");
  cr_expect_eq(config.rules[2].number, 3);
}

Test(config_rule_file, has_its_name_and_line_in_messages, .init = enter_directory, .fini = leave_directory)
{
  FILE_WITH("# first\n\nhost=a.example\n  host=b.example action=stroe\n");
  REFUSED("IDEMSHIM_RULES", "@idemshim.rules");
  SAYS("idemshim.rules line 4: rule 2, field action, column 25: expected store or bypass, not \"stroe\"; did "
       "you mean "
       "\"store\"?");
  FILE_WITH("host=a.example\nttl=1h # no host\n");
  REFUSED("IDEMSHIM_RULES", "@idemshim.rules");
  SAYS("idemshim.rules line 2: rule 2, column 1: expected a host= in this rule, such as host=api.openai.com "
       "or host=*");
  FILE_WITH("ttl=1h\n");
  REFUSED("IDEMSHIM_RULES", "@idemshim.rules");
  SAYS("idemshim.rules line 1: rule 1, column 1: expected a host= in this rule, such as host=api.openai.com "
       "or host=*");
}

Test(config_rule_file, with_nul_bytes_is_refused, .init = enter_directory, .fini = leave_directory)
{
  FILE_WITH("host=a.example\nhost=b\0.example");
  REFUSED("IDEMSHIM_RULES", "@idemshim.rules");
  SAYS("idemshim.rules line 2: rule 2, field host, column 7: expected text, not the control character "
       "\"\\x00\"");
}

Test(config_rule_file, without_a_rule_is_refused, .init = enter_directory, .fini = leave_directory)
{
  FILE_WITH("");
  REFUSED("IDEMSHIM_RULES", "@idemshim.rules");
  SAYS("idemshim.rules: expected at least one rule, such as host=api.openai.com");
}

Test(config_rule_file, that_is_too_large_is_refused, .init = enter_directory, .fini = leave_directory)
{
  static char text[(1 << 20) + 1];

  memset(text, '\n', sizeof text);
  memcpy(text, "host=*", 6);
  write_file("idemshim.rules", text, sizeof text - 1);
  LOADS("IDEMSHIM_RULES", "@idemshim.rules");
  release();
  write_file("idemshim.rules", text, sizeof text);
  cr_expect_eq(LOAD("IDEMSHIM_RULES", "@idemshim.rules"), -EFBIG);
  SAYS("IDEMSHIM_RULES: expected a file of at most 1 MiB, not \"idemshim.rules\"");
}

Test(config_rule_file, that_cannot_be_read_is_named, .init = enter_directory, .fini = leave_directory)
{
  cr_expect_eq(LOAD("IDEMSHIM_RULES", "@nothing.rules"), -ENOENT);
  SAYS("IDEMSHIM_RULES: cannot read \"nothing.rules\": No such file or directory");
  REFUSED("IDEMSHIM_RULES", "@");
  SAYS("IDEMSHIM_RULES: expected a file's name after @");
  REFUSED("IDEMSHIM_RULES", "@/");
  SAYS("IDEMSHIM_RULES: expected a regular file, not \"/\"");
}

Test(config_rule_file, that_is_a_pipe_does_not_hang_the_app, .init = enter_directory, .fini = leave_directory)
{
  cr_assert_eq(mkfifo("idemshim.rules", 0600), 0);
  REFUSED("IDEMSHIM_RULES", "@idemshim.rules");
  SAYS("IDEMSHIM_RULES: expected a regular file, not \"idemshim.rules\"");
}

/* What else a built-in rule is, it stays: its answers are judged by its name. */
Test(config_variable, durable_keeps_answers_and_counts_calls, .fini = release)
{
  const uint64_t month = UINT64_C(30) * 86400000, year = UINT64_C(365) * 86400000;

  LOADS("IDEMSHIM_DURABLE", "30d");
  for (size_t i = 0; i < config.rule_count; i++) {
    const struct idem_rule *rule = &config.rules[i];
    if (rule->action != IDEM_ACTION_STORE)
      continue;
    cr_expect(rule->name && rule->guard && rule->repeats == IDEM_REPEATS_SEQUENCE && rule->ttl_ms == month);
  }
  LOADS("IDEMSHIM_DURABLE", "30d", "IDEMSHIM_RULES", "host=a ttl=365d repeats=fresh; host=b action=bypass");
  cr_expect_eq(config.rules[0].ttl_ms, year);
  cr_expect_eq(config.rules[0].repeats, IDEM_REPEATS_FRESH);
  cr_expect(!config.rules[1].guard);
  LOADS("IDEMSHIM_DURABLE", "");
  cr_expect(!config.rules[0].guard);
  REFUSED("IDEMSHIM_DURABLE", "soon");
}

Test(config_docs, tell_everything_about_every_variable_and_field)
{
  size_t variables = 0, fields = 0;

  for (const struct idem_doc *doc = idem_variable_docs; doc->name; doc++, variables++)
    cr_expect(doc->values[0] && doc->fallback[0] && doc->help[0], "%s", doc->name);
  for (const struct idem_doc *doc = idem_field_docs; doc->name; doc++, fields++)
    cr_expect(doc->values[0] && doc->fallback[0] && doc->help[0], "%s", doc->name);
  cr_expect_eq(variables, 36);
  cr_expect_eq(fields, 31);
}

/* ---- rules of a tape ---- */

static struct idem_config replayed;

static void release_replayed(void)
{
  idem_config_release(&replayed);
}

static char *value_of(const char *name, const char *asked, char *value, char *otherwise)
{
  return strcmp(name, asked) == 0 ? value : otherwise;
}

static char replay[] = "replay", none[] = "none", given[] = "given.example", on[] = "on";

static char *get_mode(const char *name)
{
  return value_of(name, "IDEMSHIM_MODE", replay, value_of(name, "IDEMSHIM_CONFIG", none, NULL));
}

static char *get_given(const char *name)
{
  return value_of(name, "IDEMSHIM_HOSTS", given, get_mode(name));
}

static char *get_offline(const char *name)
{
  return value_of(name, "IDEMSHIM_OFFLINE", on, get_mode(name));
}

Test(config_tape, nothing_is_taken_that_sends_writes_or_forks, .fini = release_replayed)
{
  cr_assert_eq(
      idem_config_load_replay(&replayed, get_mode,
                              "host=a.example method=GET ignore=/at repeats=auto guard=on inject=X-Key "
                              "action=bypass indoubt=fail rescue=1d max_body=1k\n",
                              "host=b.example:80 method=*\n", NULL),
      0);
  char text[200];
  cr_assert_eq(replayed.rule_count, 2);
  idem_rule_format(&replayed.rules[0], text, sizeof text);
  cr_expect_str_eq(text, "host=a.example method=GET ignore=/at repeats=auto");
  idem_rule_format(&replayed.rules[1], text, sizeof text);
  cr_expect_str_eq(text, "host=b.example:80 method=*");
}

/* However many rules a stranger has written. */
Test(config_tape, nothing_of_the_kind_is_taken_of_any_rule, .fini = release_replayed)
{
  char text[200];
  cr_assert_eq(idem_config_load_replay(&replayed, get_mode,
                                       "host=a.example action=bypass\nhost=b.example inject=X-Key\n"
                                       "host=c.example indoubt=fail\nhost=d.example guard=on\n",
                                       NULL, NULL),
               0);
  cr_assert_eq(replayed.rule_count, 4);
  for (unsigned i = 0; i < 4; i++) {
    char wanted[32] = "host=a.example";
    wanted[5] = (char)('a' + i);
    idem_rule_format(&replayed.rules[i], text, sizeof text);
    cr_expect_str_eq(text, wanted);
  }
}

Test(config_tape, rules_that_are_given_come_in_their_place, .fini = release_replayed)
{
  cr_assert_eq(
      idem_config_load_replay(&replayed, get_given, "host=a.example\n", "host=b.example method=*\n", NULL),
      0);
  cr_assert_eq(replayed.rule_count, 2);
  cr_expect_str_eq(replayed.rules[0].host, "given.example");
  cr_expect_str_eq(replayed.rules[1].host, "b.example");
}

Test(config_tape, a_mistake_in_them_loses_them_and_not_the_servers, .fini = release_replayed)
{
  cr_assert_eq(idem_config_load_replay(&replayed, get_mode, "host=a.example from=2031\n",
                                       "host=b.example method=*\n", NULL),
               0);
  cr_expect_str_eq(replayed.rules[replayed.rule_count - 1].host, "b.example");
}

Test(config_tape, offline_meets_everything, .fini = release_replayed)
{
  cr_assert_eq(idem_config_load_replay(&replayed, get_offline, "host=a.example\n", "", NULL), 0);
  struct idem_target target = {"PUT", "any.example", "/", 3, 11, 1, 81};
  cr_expect_not_null(idem_config_match(&replayed, &target));
}
