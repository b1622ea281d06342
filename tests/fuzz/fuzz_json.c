/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as JSON. What a strict parser takes, ours takes and both say the same of it: a text that it
 * writes anew, sorted and indented, has the same digest. Places lie within the text, and each of them is JSON
 * again.
 */
#include "store/json/json_canon.h"
#include "store/json/json_pointer.h"
#include "store/judge/document.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *words[] = {(char *)(uintptr_t) "/a/0/b", (char *)(uintptr_t) "/b~1c", (char *)(uintptr_t) "/1",
                        (char *)(uintptr_t) ""};
static struct idem_words ignored = {words, 3}, all = {words, 4};
static struct idem_span whole;

static void require(bool holds)
{
  if (!holds)
    abort();
}

static bool digest_of(struct idem_span text, const struct idem_words *ignore, uint8_t digest[IDEM_KEY_SIZE])
{
  return json_canon(text, &(struct json_canon_options){.ignore = ignore}, digest) == 0;
}

/* Also called while it is not known yet whether the text is JSON. */
static void check_place(void *arg, size_t which, struct idem_span value)
{
  uint8_t digest[IDEM_KEY_SIZE];
  require(value.data >= whole.data && value.data + value.len <= whole.data + whole.len);
  require(which < all.count);
  if (*(bool *)arg)
    require(digest_of(value, NULL, digest));
}

/* Integers by their digits: jansson's own text of them is the shortest, as is ours. */
static void check_rewritten(const uint8_t digest[IDEM_KEY_SIZE], json_t *json)
{
  uint8_t again[IDEM_KEY_SIZE];
  char *text = json_dumps(json, JSON_SORT_KEYS | JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
  if (text) {
    require(digest_of((struct idem_span){text, strlen(text)}, NULL, again));
    require(memcmp(digest, again, sizeof(again)) == 0);
  }
  free(text);
}

static bool has_fraction(const json_t *json)
{
  const char *name;
  json_t *value;
  bool any = json_is_real(json) || (json_is_integer(json) && json_integer_value(json) == 0);
  for (size_t i = 0; i < json_array_size(json); i++)
    any |= has_fraction(json_array_get(json, i));
  json_object_foreach((json_t *)(uintptr_t)json, name, value) any |= has_fraction(value);
  return any;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  uint8_t digest[IDEM_KEY_SIZE], less[IDEM_KEY_SIZE];
  struct document document = DOCUMENT_INIT;
  whole = (struct idem_span){(const char *)data, size};
  bool json = digest_of(whole, NULL, digest);
  require(digest_of(whole, &ignored, less) == json);
  document_read(whole, &document);
  /* It takes several behind each other, too. */
  require(json ? document.json && !document.several : !document.json || document.several);
  bool sound = false;
  require(json_find(whole, &all, check_place, &sound) == json);
  sound = true;
  if (json && !(size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0))
    json_find(whole, &all, check_place, &sound);
  /* jansson takes a NUL for the end. */
  json_t *strict = memchr(data, '\0', size)
                       ? NULL
                       : json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
  if (strict) {
    require(json);
    /* A fraction goes through double, and -0 becomes 0. */
    if (!has_fraction(strict))
      check_rewritten(digest, strict);
  }
  json_decref(strict);
  return 0;
}
