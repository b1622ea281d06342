/* SPDX-License-Identifier: MIT */
/* No memory: every allocation of a load fails once, in a process of its own. */
#include "tests/unit/config/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

/* A sanitizer's own malloc cannot be stood in for. */
#ifndef IDEM_SANITIZED

void *__libc_malloc(size_t size);
void *malloc(size_t size);

static _Thread_local long until_failure = -1;

void *malloc(size_t size)
{
  if (until_failure == 0 || (until_failure > 0 && --until_failure == 0)) {
    errno = ENOMEM;
    return NULL;
  }
  return __libc_malloc(size);
}

static long failures(const char *const *values)
{
  struct idem_config config, empty = {.mode = IDEM_MODE_OFF};
  struct idem_error error;

  test_set(values);
  for (long n = 1;; n++) {
    until_failure = n;
    errno = 4711;
    int result = idem_config_load(&config, test_get, &error);
    until_failure = -1;
    cr_assert_eq(errno, 4711, "allocation %ld: errno was changed", n);
    if (result == 0) {
      idem_config_release(&config);
      return n - 1;
    }
    cr_expect_eq(result, -ENOMEM, "allocation %ld: %d", n, result);
    cr_expect_not_null(strstr(error.text, "emory"), "allocation %ld: %s", n, error.text);
    cr_expect_eq(memcmp(&config, &empty, sizeof empty), 0, "allocation %ld: the config is not empty", n);
  }
}

Test(config_memory, when_there_is_none_the_config_is_empty_and_says_why)
{
  static const char *const nothing[] = {NULL};
  static const char *const much[] = {"IDEMSHIM_RULES",
                                     "host=[::1] key=json:/a vary=a,b ignore=/c header=x inject=y "
                                     "path=/z; host=b; host=c",
                                     "IDEMSHIM_HOSTS",
                                     "d,e,f,g",
                                     "IDEMSHIM_LOG",
                                     "stderr",
                                     "IDEMSHIM_TAPE",
                                     "tape",
                                     "IDEMSHIM_KEY_FILE",
                                     "tape.key",
                                     NULL};

  cr_expect_gt(failures(nothing), 0, "no allocation was made to fail");
  cr_expect_gt(failures(much), 0, "no allocation was made to fail");
}

#endif
