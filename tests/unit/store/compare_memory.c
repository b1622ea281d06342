/* SPDX-License-Identifier: MIT */
/* Comparing two requests gives back what it has allocated, whatever is in them and wherever they part. */
#include "tests/unit/in_use.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(store_compare_memory);

/* Deeper than a reader of JSON has room for in itself. */
enum { DEPTH = 1200 };

/* {"deep":[[[...]]],REST} */
static const char *deep_body(char out[3 * DEPTH], const char *rest)
{
  char *at = out + sprintf(out, "{\"deep\":");
  memset(at, '[', DEPTH);
  memset(at + DEPTH, ']', DEPTH);
  sprintf(at + 2 * DEPTH, ",%s}", rest);
  return out;
}

/* What the first rounds have freed is kept for the next ones, up to a few pieces of each size. */
static void leaves_nothing(const char *a, const char *b, const char *wanted)
{
  struct idem_answer one = {.key = {1}, .request_body = SPAN(a)}, two = {.key = {2}, .request_body = SPAN(b)};
  char difference[256];
  size_t before = 0;
  for (int i = 0; i < 100; i++) {
    cr_assert_lt(idem_store_compare(&one, &two, difference, sizeof(difference)), 1000);
    if (i == 50)
      before = heap_in_use();
  }
  cr_expect_eq(heap_in_use(), before, "%zu bytes for \"%s\"", heap_in_use() - before, difference);
  cr_expect_str_eq(difference, wanted);
}

Test(store_compare_memory, where_a_member_behind_deep_ones_differs)
{
  static char a[3 * DEPTH], b[3 * DEPTH];
  leaves_nothing(deep_body(a, "\"n\":1"), deep_body(b, "\"n\":2"), "JSON /n (1 / 2)");
}

Test(store_compare_memory, where_a_member_is_in_another_place_or_missing)
{
  static char a[3 * DEPTH], b[3 * DEPTH];
  leaves_nothing(deep_body(a, "\"x\":1,\"y\":{\"z\":2}"), deep_body(b, "\"y\":{\"z\":3},\"x\":1"),
                 "JSON /y/z (2 / 3)");
  leaves_nothing(deep_body(a, "\"x\":1"), deep_body(b, "\"y\":1"), "JSON /x is only in the first");
  leaves_nothing("{\"x\":1}", deep_body(b, "\"x\":1"), "JSON /deep is only in the second");
}

Test(store_compare_memory, where_strings_differ)
{
  leaves_nothing("{\"s\":\"one\\n\"}", "{\"s\":\"one\\t\"}", "JSON /s at offset 3 (\"one.\" / \"one.\")");
}

Test(store_compare_memory, where_one_is_no_json)
{
  static char a[3 * DEPTH], b[3 * DEPTH];
  deep_body(a, "\"n\":1");
  deep_body(b, "\"n\":2");
  b[strlen(b) - 1] = '\0';
  a[strlen(a) - 1] = '\0';
  leaves_nothing(a, b, "body at offset 2413 (\"]]]]]]],\"n\":1\" / \"]]]]]]],\"n\":2\")");
}
