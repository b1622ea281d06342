/* SPDX-License-Identifier: MIT */
/* Which requests a tape takes for the same. */
#include "tests/unit/tape/fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct studio studio;

static void open_studio(void)
{
  studio_open(&studio);
}

static void close_studio(void)
{
  studio_close(&studio);
}

TestSuite(tape_name, .init = open_studio, .fini = close_studio);

static bool same_key(struct take *a, struct take *b)
{
  take_record(a);
  take_record(b);
  return memcmp(a->call.key, b->call.key, IDEM_KEY_SIZE) == 0;
}

static bool same_body(const char *a, const char *b)
{
  struct take x = take_of(&studio, a), y = take_of(&studio, b);
  return same_key(&x, &y);
}

Test(tape_name, says_nothing_of_the_way_that_json_is_written)
{
  cr_expect(same_body("{\"a\":1,\"b\":[true,null]}", " {\"b\" : [ true , null ] ,\n\"a\":1 } "));
  cr_expect(same_body("{\"a\":\"\\u00e4\\/\"}", "{\"a\":\"\xc3\xa4/\"}"));
  cr_expect(same_body("{\"\\u0061\":1}", "{\"a\":1}"));
  cr_expect(same_body("{}", "{ }"));
}

Test(tape_name, tells_everything_else_apart)
{
  static const char *const bodies[] = {
      "",
      "{}",
      "[]",
      "null",
      "0",
      "\"\"",
      "{\"a\":1}",
      "{\"a\":\"1\"}",
      "{\"a\":[1]}",
      "{\"a\":{}}",
      "{\"b\":1}",
      "{\"a\":1,\"b\":2}",
      "{\"a\":2,\"b\":1}",
      "[1,2]",
      "[2,1]",
      "[1,[2]]",
      "[[1],2]",
      "[\"a\",\"b\"]",
      "[\"ab\"]",
      "{\"a\":{\"b\":1}}",
      "{\"a\":1",
      "{\"a\" 1}",
      "{\"a\":1}}",
      "[1 2]",
      "\"a",
      "\"a\\",
      "{\"a\":\"\\q\"}",
      "[,]",
      "[[]]",
      "[{}]",
      "plain text",
      "plain  text",
  };
  size_t count = sizeof(bodies) / sizeof(*bodies);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < i; j++)
      cr_expect_not(same_body(bodies[i], bodies[j]), "%s and %s", bodies[i], bodies[j]);
}

Test(tape_name, leaves_out_what_the_rule_ignores)
{
  studio_rule(&studio, "ignore=/metadata/ts,/tags/1");
  cr_expect(same_body("{\"metadata\":{\"ts\":1},\"n\":1}", "{\"n\":1,\"metadata\":{\"ts\":{\"x\":[2]}}}"));
  cr_expect(same_body("{\"metadata\":{\"ts\":1}}", "{\"metadata\":{}}"));
  cr_expect(same_body("{\"tags\":[1,2,3]}", "{\"tags\":[1,9,3]}"));
  cr_expect_not(same_body("{\"tags\":[1,2,3]}", "{\"tags\":[1,2,4]}"));
  cr_expect_not(same_body("{\"metadata\":{\"ts\":1},\"n\":1}", "{\"metadata\":{\"ts\":1},\"n\":2}"));
}

Test(tape_name, counts_the_headers_and_the_query_that_change_an_answer)
{
  struct take a = take_of(&studio, "{}"), b = take_of(&studio, "{}"), c = take_of(&studio, "{}");
  take_header(&b, "OpenAI-Organization: x");
  take_header(&c, "User-Agent: x");
  cr_expect_not(same_key(&a, &b));
  cr_expect(same_key(&a, &c));
  b = take_of(&studio, "{}");
  b.request.query = SPAN("alt=sse");
  cr_expect_not(same_key(&a, &b));
  c = take_of(&studio, "{}");
  c.request.query = SPAN("key=test-credential-alpha");
  cr_expect(same_key(&a, &c));
}

Test(tape_name, takes_the_fields_that_the_rule_names)
{
  studio_rule(&studio, "key=json:/id,/part");
  cr_expect(same_body("{\"id\":\"a\",\"part\":1,\"n\":1}", "{\"part\":1, \"id\":\"a\",\"n\":2}"));
  cr_expect_not(same_body("{\"id\":\"a\",\"part\":1}", "{\"id\":\"a\",\"part\":2}"));
  cr_expect_not(same_body("{\"id\":\"a\",\"n\":1}", "{\"id\":\"a\",\"n\":2}"),
                "a field is missing: by the content");
}

Test(tape_name, takes_the_first_header_of_the_rule)
{
  struct take a = take_of(&studio, "{}"), b = take_of(&studio, "{\"n\":1}"),
              c = take_of(&studio, "{\"n\":2}");
  take_header(&a, "X-Idempotency-Key: x");
  take_header(&a, "idempotency-key: k");
  take_header(&b, "Idempotency-Key: k");
  take_header(&c, "Idempotency-Key: k");
  take_header(&c, "X-Idempotency-Key: y");
  cr_expect(same_key(&a, &b));
  cr_expect(same_key(&a, &c));
  cr_expect_neq(memcmp(a.call.fingerprint, b.call.fingerprint, IDEM_KEY_SIZE), 0);
}
