/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a request. It is cut at NUL bytes into query, a header and body. Its name must stay the same
 * from one time to the next; what JSON comes to is fuzz_json's.
 */
#include "store/key/content.h"
#include "store/key/key.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *vary_words[] = {(char *)(uintptr_t) "Accept", (char *)(uintptr_t) "x-*"};
static char *key_words[] = {(char *)(uintptr_t) "Idempotency-Key"};
static char *ignore_words[] = {(char *)(uintptr_t) "/a/0", (char *)(uintptr_t) "/b~1c"};
static char canonical[] = "fuzz";

static struct idem_rule rule = {.keying = {.vary = {vary_words, 2},
                                           .headers = {key_words, 1},
                                           .ignore = {ignore_words, 2},
                                           .canonical = canonical}};

static struct name name_of(const struct idem_request *request)
{
  static const uint8_t secret[32];
  struct name name = {.kind = IDEM_KEY_AUTO};
  uint8_t raw[IDEM_KEY_SIZE], afresh[IDEM_KEY_SIZE];
  static const uint8_t text_secret[KEY_TEXT_SECRET];
  static struct hash_contexts known;
  struct hash_contexts unknown = {.sent = {.next = 0}};

  for (int compared = 0; compared < 2; compared++) {
    key_raw(secret, compared ? text_secret : NULL, request, &known, raw);
    key_raw(secret, compared ? text_secret : NULL, request, &unknown, afresh);
    if (memcmp(raw, afresh, sizeof(raw)) != 0)
      abort();
  }
  if (key_of_request(secret, request, &name) != 0)
    abort();
  return name;
}

static struct idem_span cut(const uint8_t **data, size_t *size)
{
  const uint8_t *end = memchr(*data, '\0', *size);
  struct idem_span span = {(const char *)*data, end ? (size_t)(end - *data) : *size};
  size_t used = end ? span.len + 1 : span.len;

  *data += used;
  *size -= used;
  return span;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct idem_span query = cut(&data, &size), header = cut(&data, &size);
  struct idem_request request = {.rule = &rule,
                                 .method = {"POST", 4},
                                 .origin = {"https://a:1", 11},
                                 .path = {"/", 1},
                                 .query = query,
                                 .headers = &header,
                                 .header_count = 1,
                                 .body = {(const char *)data, size}};
  struct name first = name_of(&request), second = name_of(&request);

  if (memcmp(&first.base, &second.base, IDEM_KEY_SIZE) != 0 || first.kind != second.kind)
    abort();
  return 0;
}
