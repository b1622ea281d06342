/* SPDX-License-Identifier: MIT */
/* What JSON says, what it is taken for, and where its places are. */
#include "store/json/json_canon.h"
#include "store/json/json_pointer.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static bool digest_of(struct idem_span text, uint8_t digest[IDEM_KEY_SIZE])
{
  return json_canon(text, &(struct json_canon_options){0}, digest) == 0;
}

static bool same(const char *a, const char *b)
{
  uint8_t x[IDEM_KEY_SIZE], y[IDEM_KEY_SIZE];
  cr_assert(digest_of(SPAN(a), x), "%s is JSON", a);
  cr_assert(digest_of(SPAN(b), y), "%s is JSON", b);
  return memcmp(x, y, sizeof(x)) == 0;
}

static bool is_json(struct idem_span text)
{
  uint8_t digest[IDEM_KEY_SIZE];
  return digest_of(text, digest);
}

Test(store_json, the_way_it_is_written_does_not_count)
{
  static const char *const pairs[][2] = {
      {"{\"a\":1,\"b\":2}", " {\t\"b\" : 2 ,\r\n\"a\":1 } "},
      {"\"\\u00e9\\/\\ud83d\\ude00\"", "\"\xc3\xa9/\xf0\x9f\x98\x80\""},
      {"{\"\\u0061\":1}", "{\"a\":1}"},
      {"\"\\u0041\xff\xff\"", "\"A\xff\xff\""},
      {"0.70", "7e-1"},
      {"-12.50", "-1.25E+1"},
      {"0.0", "0e7"},
      {"\xef\xbb\xbf[1]", "[1]"},
      {"{\"a\":1,\"b\":0,\"a\":2}", "{\"a\":1,\"a\":2,\"b\":0}"},
      {"{\"a_name_of_more_than_thirty_bytes_in_all\":1,\"b\":1}",
       "{\"b\":1,\"a_name_of_more_than_thirty_bytes_in_all\":1}"},
  };
  for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
    cr_expect(same(pairs[i][0], pairs[i][1]), "%s and %s", pairs[i][0], pairs[i][1]);
}

Test(store_json, everything_else_counts)
{
  static const char *const texts[] = {
      "1",
      "1.0",
      "10",
      "-1",
      "true",
      "false",
      "null",
      "NaN",
      "Infinity",
      "-Infinity",
      "\"1\"",
      "\"\"",
      "\"true\"",
      "[]",
      "{}",
      "[[]]",
      "[{}]",
      "[1]",
      "[1,2]",
      "[2,1]",
      "[[1],2]",
      "[1,[2]]",
      "{\"a\":1}",
      "{\"a\":[1]}",
      "{\"a\":{}}",
      "{\"a\":1,\"a\":2}",
      "{\"a\":2,\"a\":1}",
      "{\"a\":1,\"b\":2}",
      "{\"a\":2,\"b\":1}",
      "{\"a\":{\"b\":1}}",
      "-0",
      "0",
      "-0.0",
      "9007199254740993",
      "9007199254740992",
      "18446744073709551615",
      "10014255632117358197",
      "9007199254740993.0",
      "9007199254740992.0",
      "0.12345678901234567891",
      "0.12345678901234567892",
      "1e-400",
      "1e-500",
      "1e99999999999999999999",
      "1e99999999999999999998",
      "\"\\ud83d\"",
      "\"\\ude00\"",
      "\"\xed\xa0\xbd\"",
      "\"\xff\xd8=\"",
      "\"\\u0041\xff\xd8=\"",
      "\"A\\ud83d\"",
      "\"\\u0041\xff\xff\"",
      "\"\\u0041\xff\"",
      "\"\\ud83d\xff\"",
      "\"\\ud83d\xff\xff\"",
      "\"\\u0000\"",
      "\"a\\u0000\"",
      "\"this text has more than thirty bytes, a\"",
      "\"this text has more than thirty bytes, b\"",
  };
  size_t count = sizeof(texts) / sizeof(*texts);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < i; j++)
      cr_expect(!same(texts[i], texts[j]), "%s and %s", texts[i], texts[j]);
}

Test(store_json, half_a_text_is_none)
{
  static const char *const texts[] = {
      "",         " ",           "{",          "[",          "]",     "{\"a\"", "{\"a\":",
      "{\"a\":1", "{\"a\":1,",   "{\"a\":1,}", "[1",         "[1,",   "[1,]",   "[,]",
      "[1 2]",    "{\"a\" 1}",   "{1:2}",      "{\"a\":1}}", "[1]x",  "\"a",    "\"a\\",
      "\"\\q\"",  "\"\\u12g4\"", "\"\\u123\"", "01",         "1.",    ".5",     "+1",
      "-",        "1e",          "1e+",        "tru",        "truee", "nul",    "'a'",
      "{a:1}",    "[1]]",        "[}",         "{]",         "/**/1", "-NaN",   "\xef\xbb\xbf",
      "\xef\xbb",
  };
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
    cr_expect_not(is_json(SPAN(texts[i])), "%s", texts[i]);
  cr_expect_not(is_json((struct idem_span){"[1]\0", 4}));
}

/* Two million levels: neither the stack nor the time runs out. */
Test(store_json, depth_costs_no_stack)
{
  size_t depth = 2000000;
  char *text = malloc(2 * depth + 1);
  memset(text, '[', depth);
  memset(text + depth, ']', depth);
  cr_expect(is_json((struct idem_span){text, 2 * depth}));
  cr_expect_not(is_json((struct idem_span){text, 2 * depth - 1}));
  for (size_t i = 0; i < depth / 5; i++)
    memcpy(text + 5 * i, "{\"\":", 5);
  cr_expect_not(is_json((struct idem_span){text, depth}));
  free(text);
}

Test(store_json, long_arrays_and_objects_count_to_their_last_value)
{
  enum { COUNT = 1000 };
  char array[2][COUNT * 8], object[3][COUNT * 16];
  for (int way = 0; way < 2; way++) {
    char *at = array[way];
    for (int i = 0; i < COUNT; i++)
      at += sprintf(at, "%c%d", i ? ',' : '[', i == COUNT - 1 ? way : i);
    strcpy(at, "]");
  }
  cr_expect(!same(array[0], array[1]));
  for (int way = 0; way < 3; way++) {
    char *at = object[way];
    for (int i = 0; i < COUNT; i++) {
      int n = way == 1 ? COUNT - 1 - i : i;
      at += sprintf(at, "%c\"m%d\":%d", i ? ',' : '{', n, way == 2 && n == 500 ? 501 : n);
    }
    strcpy(at, "}");
  }
  cr_expect(same(object[0], object[1]), "in another caller");
  cr_expect(!same(object[0], object[2]), "another value");
}

/* What pointers name. */

static void note(void *arg, size_t which, struct idem_span value)
{
  char *out = arg;
  sprintf(out + strlen(out), "%zu=%.*s;", which, (int)value.len, value.data);
}

static const char *places(const char *text, const char *a, const char *b)
{
  static char out[512];
  char *list[] = {(char *)(uintptr_t)a, (char *)(uintptr_t)b};
  struct idem_words words = {list, b ? 2 : 1};
  out[0] = '\0';
  return json_find(SPAN(text), &words, note, out) ? out : "not JSON";
}

Test(store_json, pointers_name_places_of_the_text_as_it_was_sent)
{
  static const struct {
    const char *text, *a, *b, *found;
  } cases[] = {
      {"{\"a\":[1,[2,3],{\"b\":null}]}", "/a/2/b", "/a/1", "1=[2,3];0=null;"},
      {"{\"a\":[1,[2,3]]}", "/a/2", "/a/01", ""},
      {"{\"a\":[[1,2],[3,4]],\"b\":5}", "/a/1/1", "/b", "0=4;1=5;"},
      {"[[1,2],[3,4],5]", "/0/1", "/2", "0=2;1=5;"},
      {"{\"\":1,\"a/b\":2,\"c~d\":3}", "/", "/a~1b", "0=1;1=2;"},
      {"{\"c~d\":\"x\",\"c\":{\"~1\":1}}", "/c~0d", "/c/~01", "0=\"x\";1=1;"},
      {"{\"\\u0061\":1}", "/a", NULL, "0=1;"},
      {"{\"a\":1,\"b\":2,\"a\":3}", "/a", NULL, "0=1;0=3;"},
      {"{\"a\":{\"x\":1},\"a\":{\"x\":2}}", "/a/x", NULL, "0=1;0=2;"},
      {"{\"a\":{\"x\":1}}", "/a", "/a/x", "0={\"x\":1};1=1;"},
      {"{\"0\":1,\"1\":[2]}", "/0", "/1/0", "0=1;1=2;"},
      {"[]", "/0", "", "1=[];"},
      {"{}", "/a", NULL, ""},
      {"7", "/a", NULL, ""},
      {"{\"a\":1", "/a", NULL, "not JSON"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    cr_expect_str_eq(places(cases[i].text, cases[i].a, cases[i].b), cases[i].found, "%s", cases[i].text);
}

Test(store_json, what_is_ignored_takes_no_place_of_another)
{
  char *words[] = {(char *)(uintptr_t) "/messages/0", (char *)(uintptr_t) "/messages/1"};
  struct idem_words two = {words, 2};
  struct json_canon_options options = {.ignore = &two};
  uint8_t a[IDEM_KEY_SIZE], b[IDEM_KEY_SIZE], c[IDEM_KEY_SIZE];
  json_canon(SPAN("{\"messages\":[\"sys\",\"9:00\",\"open?\"]}"), &options, a);
  json_canon(SPAN("{\"messages\":[{\"x\":[1]},\"9:01\",\"open?\"]}"), &options, b);
  json_canon(SPAN("{\"messages\":[\"sys\",\"9:00\",\"shut?\"]}"), &options, c);
  cr_expect_arr_eq(a, b, sizeof(a));
  cr_expect_neq(memcmp(a, c, sizeof(a)), 0);
}

/* Two places that are ignored, one in the other: the inner one names nothing outside of it. */
Test(store_json, what_is_ignored_in_what_is_ignored_names_nothing_else)
{
  static const struct {
    const char *outer, *inner, *text, *other;
  } cases[] = {
      {"/a", "/a/b", "{\"a\":{\"z\":1},\"c\":{\"b\":1}}", "{\"a\":{\"z\":1},\"c\":{\"b\":2}}"},
      {"/a", "/a/b/c", "{\"a\":{\"b\":{}},\"d\":{\"b\":{\"c\":1}}}",
       "{\"a\":{\"b\":{}},\"d\":{\"b\":{\"c\":2}}}"},
      {"/a", "/a/0", "{\"a\":[1],\"c\":[[1]]}", "{\"a\":[1],\"c\":[[2]]}"},
      {"/0", "/0/b", "[{\"z\":1},{\"b\":1}]", "[{\"z\":1},{\"b\":2}]"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char *words[] = {(char *)(uintptr_t)cases[i].outer, (char *)(uintptr_t)cases[i].inner};
    struct idem_words two = {words, 2};
    struct json_canon_options options = {.ignore = &two};
    uint8_t a[IDEM_KEY_SIZE], b[IDEM_KEY_SIZE];
    cr_assert_eq(json_canon(SPAN(cases[i].text), &options, a), 0);
    cr_assert_eq(json_canon(SPAN(cases[i].other), &options, b), 0);
    cr_expect_neq(memcmp(a, b, sizeof(a)), 0, "%s and %s", cases[i].text, cases[i].other);
  }
}

/* Or it would be named by its bytes, which is another name than the one that it has as JSON, and
 * be paid for once more. */
Test(store_json, want_of_memory_is_told_from_what_is_no_json)
{
  enum { LEN = 64 << 20 };
  char *body = malloc(LEN);
  struct rlimit before, little;
  uint8_t digest[IDEM_KEY_SIZE];
  unsigned long pages = 0;
  FILE *statm = fopen("/proc/self/statm", "re");
  cr_assert(body && statm && fscanf(statm, "%lu", &pages) == 1);
  fclose(statm);
  /* A text with escapes is unescaped into memory. */
  for (size_t i = 0; i < LEN; i += 2)
    memcpy(body + i, "\\n", 2);
  memcpy(body, "[\"", 2);
  memcpy(body + LEN - 2, "\"]", 2);
  getrlimit(RLIMIT_AS, &before);
  little = (struct rlimit){pages * (rlim_t)sysconf(_SC_PAGESIZE) + LEN / 4, before.rlim_max};
  setrlimit(RLIMIT_AS, &little);
  int rc = json_canon((struct idem_span){body, LEN}, &(struct json_canon_options){0}, digest);
  setrlimit(RLIMIT_AS, &before);
  cr_expect_eq(rc, -ENOMEM);
  cr_expect_eq(json_canon((struct idem_span){body, LEN}, &(struct json_canon_options){0}, digest), 0);
  cr_expect_eq(json_canon((struct idem_span){body, LEN - 1}, &(struct json_canon_options){0}, digest),
               -EINVAL);
  free(body);
}
