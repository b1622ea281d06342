/* SPDX-License-Identifier: MIT */
#include "tests/unit/config/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static const char *const *environment;

void test_set(const char *const *values)
{
  environment = values;
}

char *test_get(const char *name)
{
  for (const char *const *pair = environment; pair && *pair; pair += 2)
    if (!strcmp(pair[0], name))
      return (char *)(uintptr_t)pair[1];
  const char *usual = strcmp(name, "HOME") == 0              ? "/home/someone"
                      : strcmp(name, "IDEMSHIM_CONFIG") == 0 ? "none"
                                                             : NULL;
  return (char *)(uintptr_t)usual;
}

int load_with(struct idem_config *config, struct idem_error *error, const char *const *values)
{
  test_set(values);
  *error = (struct idem_error){""};
  memset(config, 0x5a, sizeof *config);
  errno = 4711;
  int result = idem_config_load(config, test_get, error);
  cr_assert_eq(errno, 4711, "errno was changed");
  return result;
}

void load_rules(struct idem_config *config, const char *rules)
{
  struct idem_error error;

  cr_assert_eq(LOAD_WITH(config, &error, "IDEMSHIM_RULES", rules), 0, "%s: %s", rules, error.text);
}

void refuses(const char *rules, const char *message)
{
  struct idem_config config, empty = {.mode = IDEM_MODE_OFF};
  struct idem_error error;

  cr_assert_eq(LOAD_WITH(&config, &error, "IDEMSHIM_RULES", rules), -EINVAL, "%s was not refused", rules);
  cr_expect_str_eq(error.text, message, "%s\n  says    %s\n  not     %s", rules, error.text, message);
  cr_expect_eq(config.mode, IDEM_MODE_OFF);
  cr_expect_eq(memcmp(&config, &empty, sizeof empty), 0, "%s: the config is not empty", rules);
}

const struct idem_rule *meets(const struct idem_config *config, const char *method, const char *host,
                              unsigned port, const char *path)
{
  struct idem_target target = {
      .method = method,
      .host = host,
      .path = path,
      .method_len = strlen(method),
      .host_len = strlen(host),
      .path_len = strlen(path),
      .port = (uint16_t)port,
  };

  return idem_config_match(config, &target);
}
