/* SPDX-License-Identifier: MIT */
/* Which requests a tape takes for the same. */
#include "tests/unit/tape/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(tape_name, .init = open_fixture, .fini = close_fixture);

static bool same_key(struct exchange *a, struct exchange *b)
{
  exchange_record(a);
  exchange_record(b);
  return memcmp(a->call.key, b->call.key, IDEM_KEY_SIZE) == 0;
}

static bool same_body(const char *a, const char *b)
{
  struct exchange x = exchange_of(&fixture, a), y = exchange_of(&fixture, b);
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
  fixture_rule(&fixture, "ignore=/metadata/ts,/tags/1");
  cr_expect(same_body("{\"metadata\":{\"ts\":1},\"n\":1}", "{\"n\":1,\"metadata\":{\"ts\":{\"x\":[2]}}}"));
  cr_expect(same_body("{\"metadata\":{\"ts\":1}}", "{\"metadata\":{}}"));
  cr_expect(same_body("{\"tags\":[1,2,3]}", "{\"tags\":[1,9,3]}"));
  cr_expect_not(same_body("{\"tags\":[1,2,3]}", "{\"tags\":[1,2,4]}"));
  cr_expect_not(same_body("{\"metadata\":{\"ts\":1},\"n\":1}", "{\"metadata\":{\"ts\":1},\"n\":2}"));
}

Test(tape_name, counts_the_headers_and_the_query_that_change_an_answer)
{
  struct exchange a = exchange_of(&fixture, "{}"), b = exchange_of(&fixture, "{}"),
                  c = exchange_of(&fixture, "{}");
  exchange_header(&b, "OpenAI-Organization: x");
  exchange_header(&c, "User-Agent: x");
  cr_expect_not(same_key(&a, &b));
  cr_expect(same_key(&a, &c));
  b = exchange_of(&fixture, "{}");
  b.request.query = SPAN("alt=sse");
  cr_expect_not(same_key(&a, &b));
  c = exchange_of(&fixture, "{}");
  c.request.query = SPAN("key=test-credential-alpha");
  cr_expect(same_key(&a, &c));
}

Test(tape_name, takes_the_fields_that_the_rule_names)
{
  fixture_rule(&fixture, "key=json:/id,/part");
  cr_expect(same_body("{\"id\":\"a\",\"part\":1,\"n\":1}", "{\"part\":1, \"id\":\"a\",\"n\":2}"));
  cr_expect_not(same_body("{\"id\":\"a\",\"part\":1}", "{\"id\":\"a\",\"part\":2}"));
  cr_expect_not(same_body("{\"id\":\"a\",\"n\":1}", "{\"id\":\"a\",\"n\":2}"),
                "a field is missing: by the content");
}

Test(tape_name, takes_the_first_header_of_the_rule)
{
  struct exchange a = exchange_of(&fixture, "{}"), b = exchange_of(&fixture, "{\"n\":1}"),
                  c = exchange_of(&fixture, "{\"n\":2}");
  exchange_header(&a, "X-Idempotency-Key: x");
  exchange_header(&a, "idempotency-key: k");
  exchange_header(&b, "Idempotency-Key: k");
  exchange_header(&c, "Idempotency-Key: k");
  exchange_header(&c, "X-Idempotency-Key: y");
  cr_expect(same_key(&a, &b));
  cr_expect(same_key(&a, &c));
  cr_expect_neq(memcmp(a.call.fingerprint, b.call.fingerprint, IDEM_KEY_SIZE), 0);
}

/* What was recorded under another name than its own would never be found. */
Test(tape_name, is_not_made_up_where_there_is_no_memory)
{
  enum { LEN = 64 << 20 };
  char *body = malloc(LEN);
  struct exchange exchange = exchange_of(&fixture, "{}");
  struct rlimit before, little;
  unsigned long pages = 0;
  FILE *statm = fopen("/proc/self/statm", "re");
  cr_assert(body && statm && fscanf(statm, "%lu", &pages) == 1);
  fclose(statm);
  /* A text with escapes is unescaped into memory. */
  for (size_t i = 0; i < LEN; i += 2)
    memcpy(body + i, "\\n", 2);
  memcpy(body, "[\"", 2);
  memcpy(body + LEN - 2, "\"]", 2);
  exchange.request.body = (struct idem_span){body, LEN};
  getrlimit(RLIMIT_AS, &before);
  little = (struct rlimit){pages * (rlim_t)sysconf(_SC_PAGESIZE) + LEN / 4, before.rlim_max};
  setrlimit(RLIMIT_AS, &little);
  int rc = exchange_try(&exchange);
  setrlimit(RLIMIT_AS, &before);
  cr_expect_eq(rc, -ENOMEM);
  cr_expect_eq(exchange_try(&exchange), 0);
  free(body);
}
