/* SPDX-License-Identifier: MIT */
/*
 * upstream_keys
 *
 * Prints the headers that a call would have besides its own, by what its provider does with a key that comes
 * again, for inject=auto and for a rule that names the header. It is linked with shim/live/upstream_key.c
 * alone: no provider of config/answers.def refuses one today.
 */
#include "shim/handle/overrides.h"
#include "shim/live/upstream_key.h"

#include <stdio.h>

void override_put(struct shadow *shadow, CURLoption option, uintptr_t value, bool hold)
{
  const struct curl_slist *list = (const struct curl_slist *)value;

  (void)shadow, (void)option, (void)hold;
  printf(" %s", list->data);
}

int main(void)
{
  static char header[] = "Idempotency-Key";
  static const char *const names[] = {"unknown", "honoured", "ignored", "refused"};

  for (int automatic = 0; automatic < 2; automatic++)
    for (unsigned char kind = IDEM_UPSTREAM_KEY_UNKNOWN; kind <= IDEM_UPSTREAM_KEY_REFUSED; kind++) {
      struct idem_rule rule = {.inject = header, .inject_auto = automatic};
      struct shadow shadow = {.upstream_key = kind};
      struct request request = {.shadow = &shadow, .rule = &rule, .op = {.upstream_key = "k"}};
      struct upstream_key key;

      printf("%s, %s:", automatic ? "auto" : "named", names[kind]);
      upstream_key_attach(&key, &request);
      upstream_key_release(&key);
      printf("\n");
    }
  return 0;
}
