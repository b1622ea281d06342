/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as configuration. The first byte says which: the rest, NUL bytes and all, is a rule file, or the
 * configuration file; else it is cut at NUL bytes into the variables. A mistake must have a one-line message
 * and an empty config; what is taken must come back the same from idem_rule_format(), and matching must end.
 */
#include "config/conf_file.h"
#include "config/config.h"
#include "tests/unit/config/equal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define REQUIRE(condition)                                                                                   \
  do {                                                                                                       \
    if (!(condition)) {                                                                                      \
      fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition);                               \
      abort();                                                                                               \
    }                                                                                                        \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *values[IDEM_VARIABLE_COUNT];

static char *get(const char *name)
{
  static char home[] = "/home/someone", none[] = "none";
  const char *prefix = "IDEMSHIM_";

  for (size_t i = 0; strncmp(name, prefix, strlen(prefix)) == 0 && i < IDEM_VARIABLE_COUNT; i++)
    if (values[i] && !strcmp(name + strlen(prefix), idem_variable_names[i]))
      return values[i];
  return strcmp(name, "HOME") == 0 ? home : strcmp(name, "IDEMSHIM_CONFIG") == 0 ? none : NULL;
}

static void check_error(const struct idem_config *config, const struct idem_error *error)
{
  REQUIRE(error->text[0]);
  REQUIRE(strlen(error->text) < sizeof error->text);
  for (const char *c = error->text; *c; c++)
    REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7f);
  REQUIRE(config->mode == IDEM_MODE_OFF && !config->rules && !config->rule_count && !config->store_dir);
}

static void check_round_trip(const struct idem_rule *rule)
{
  size_t size = idem_rule_format(rule, NULL, 0) + 1;
  char *line = malloc(size), *saved[IDEM_VARIABLE_COUNT];
  struct idem_config again;
  struct idem_error error;

  REQUIRE(line);
  REQUIRE(idem_rule_format(rule, line, size) == size - 1 && strlen(line) == size - 1);
  memcpy(saved, values, sizeof saved);
  memset(values, 0, sizeof values);
  values[IDEM_VARIABLE_RULES] = line;
  REQUIRE(idem_config_load(&again, get, &error) == 0);
  REQUIRE(again.rule_count == 1);
  REQUIRE(!rules_differ(rule, &again.rules[0]));
  idem_config_release(&again);
  memcpy(values, saved, sizeof saved);
  free(line);
}

static void check_match(const struct idem_config *config, const struct idem_rule *rule)
{
  const char *path = rule->path ? rule->path : "/";
  struct idem_target target = {
      .method = rule->methods.word[0],
      .host = rule->host,
      .path = path,
      .method_len = strlen(rule->methods.word[0]),
      .host_len = strlen(rule->host),
      .path_len = strlen(path),
      .port = rule->port ? rule->port : 443,
  };

  /* A glob matches itself, so this rule or an earlier one must be met. */
  const struct idem_rule *met = idem_config_match(config, &target);
  REQUIRE(met && met <= rule);
}

static void check_rule(const struct idem_config *config, const struct idem_rule *rule)
{
  REQUIRE(rule->host && rule->host[0] && rule->keying.canonical && rule->methods.count && rule->status_count);
  check_round_trip(rule);
  check_match(config, rule);
}

static void load(void)
{
  struct idem_config config;
  struct idem_error error = {""};

  if (idem_config_load(&config, get, &error) < 0) {
    check_error(&config, &error);
    return;
  }
  REQUIRE(config.rule_count && config.store_dir[0] == '/' && config.scope);
  /* Built-in rules are the same each time; a unit test has them. */
  for (size_t i = 0; i < config.rule_count && !config.rules[0].name; i++)
    check_rule(&config, &config.rules[i]);
  idem_config_release(&config);
}

static void load_file(const uint8_t *data, size_t size, int variable, const char *prefix)
{
  static char name[64];
  int fd = memfd_create("rules", MFD_CLOEXEC);

  REQUIRE(fd >= 0);
  REQUIRE(write(fd, data, size) == (ssize_t)size);
  snprintf(name, sizeof name, "%s/proc/self/fd/%d", prefix, fd);
  values[variable] = name;
  load();
  values[variable] = NULL;
  close(fd);
}

static void load_environment(const uint8_t *data, size_t size)
{
  char *copy = malloc(size + 1), *at = copy;

  REQUIRE(copy);
  if (size)
    memcpy(copy, data, size);
  copy[size] = '\0';
  for (size_t i = 0; i < IDEM_VARIABLE_COUNT && at <= copy + size; i++) {
    /* An empty one is not set. Files are for the other kinds. */
    values[i] = *at && i != IDEM_VARIABLE_CONFIG ? at : NULL;
    at += strlen(at) + 1;
  }
  load();
  memset(values, 0, sizeof values);
  free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size && data[0] % 3 == 1)
    load_file(data + 1, size - 1, IDEM_VARIABLE_RULES, "@");
  else if (size && data[0] % 3 == 2)
    load_file(data + 1, size - 1, IDEM_VARIABLE_CONFIG, "");
  else if (size)
    load_environment(data + 1, size - 1);
  return 0;
}
