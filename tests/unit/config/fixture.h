/* SPDX-License-Identifier: MIT */
/* An environment for one test: what is set here is all that idem_config_load() sees. */
#ifndef TESTS_CONFIG_FIXTURE_H
#define TESTS_CONFIG_FIXTURE_H

#include "config/config.h"

/* `values`: NAME, value, NAME, value, NULL. HOME=/home/someone and IDEMSHIM_CONFIG=none are there
 * unless a value says otherwise. */
int load_with(struct idem_config *config, struct idem_error *error, const char *const *values);
#define LOAD_WITH(config, error, ...) load_with(config, error, (const char *const[]){__VA_ARGS__, NULL})

/* The environment of load_with(), as getenv. */
char *test_get(const char *name);
void test_set(const char *const *values);

/* Loads one IDEMSHIM_RULES text that must be right. */
void load_rules(struct idem_config *config, const char *rules);

/* Asserts that IDEMSHIM_RULES=`rules` is refused with `message`, and leaves an empty config in mode off. */
void refuses(const char *rules, const char *message);

/* The rule that a POST (or `method`) to https://host:port/path meets. */
const struct idem_rule *meets(const struct idem_config *config, const char *method, const char *host,
                              unsigned port, const char *path);

#endif
