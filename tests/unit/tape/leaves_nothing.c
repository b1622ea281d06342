/* SPDX-License-Identifier: MIT */
/* Whatever is done with a tape, again and again: no memory and no descriptor of it stays. */
#include "tests/unit/tape/fixture.h"

#include "tape/format.h"
#include "tests/unit/in_use.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(tape_leaves_nothing, .init = open_fixture, .fini = close_fixture);
TestSuite(tape_leaves_nothing_sealed, .init = open_sealed_fixture, .fini = close_fixture);

/* What the first rounds have freed is kept for the next ones, up to a few pieces of each size. */
static void leaves_nothing(void (*round)(void))
{
  enum { ROUNDS = 60, WARM = 40 };
  size_t heap = 0;
  int open = 0;
  for (int i = 0; i < ROUNDS; i++) {
    round();
    if (i == WARM) {
      heap = heap_in_use();
      open = open_count();
    }
  }
  cr_expect_eq(open_count(), open, "%d descriptors more", open_count() - open);
  cr_expect_eq(heap_in_use(), heap, "%zd bytes more", (ssize_t)(heap_in_use() - heap));
}

static void record(const char *body)
{
  struct exchange exchange = exchange_of(&fixture, body);
  exchange.request.query = SPAN("key=test-credential-alpha");
  exchange_record(&exchange);
}

static void record_some(void)
{
  record("{\"model\":\"m\",\"n\":1}");
  record("{\"model\":\"m\",\"n\":2}");
  record("a body that is no JSON, on 2026-11-21");
}

static void open_and_close(void)
{
  cr_assert_eq(fixture_try(&fixture), 0, "%s", fixture.error.text);
  tape_close(fixture.tape);
  fixture.tape = NULL;
}

Test(tape_leaves_nothing, opening)
{
  record_some();
  leaves_nothing(open_and_close);
}

Test(tape_leaves_nothing_sealed, opening)
{
  record_some();
  leaves_nothing(open_and_close);
}

static void fail_to_open(void)
{
  cr_assert_lt(fixture_try(&fixture), 0);
}

Test(tape_leaves_nothing, failing_to_open)
{
  record_some();
  fixture.source.dir = fixture_beside(&fixture, "nowhere");
  leaves_nothing(fail_to_open);
  fixture.source.dir = fixture.top;
  leaves_nothing(fail_to_open);
  fixture.source.dir = fixture.dir;
  size_t len;
  char *bytes = fixture_read(fixture_segment(&fixture, 1), &len);
  for (size_t i = sizeof(struct tape_head); i < len; i++)
    bytes[i] ^= 0x55;
  fixture_write(fixture_segment(&fixture, 1), bytes, len);
  leaves_nothing(fail_to_open);
  bytes[20] ^= 1;
  fixture_write(fixture_segment(&fixture, 1), bytes, len);
  leaves_nothing(fail_to_open);
  free(bytes);
}

Test(tape_leaves_nothing_sealed, failing_to_open)
{
  record_some();
  fixture.source.key_file = NULL;
  leaves_nothing(fail_to_open);
  fixture.source.key_file = fixture_beside(&fixture, "other");
  fixture_write(fixture.source.key_file, "another key of thirty-two bytes.", 32);
  leaves_nothing(fail_to_open);
}

static void verify(void)
{
  struct tape_totals totals;
  cr_assert_eq(tape_verify(&fixture.source, &totals, NULL, &fixture.error), 0);
  cr_assert_eq(totals.exchanges, 3);
}

Test(tape_leaves_nothing, verifying)
{
  record_some();
  leaves_nothing(verify);
}

Test(tape_leaves_nothing_sealed, verifying)
{
  record_some();
  leaves_nothing(verify);
}

static void read_all(void)
{
  struct tape_record record = {0};
  for (uint64_t number = 1; number <= 4; number++) {
    cr_assert_eq(tape_peek(fixture.tape, number, &record, NULL), number < 4 ? 0 : -ERANGE);
    cr_assert_eq(tape_read(fixture.tape, number, &record, NULL), number < 4 ? 0 : -ERANGE);
  }
  tape_record_release(&record);
}

Test(tape_leaves_nothing, reading)
{
  record_some();
  fixture_tape(&fixture);
  leaves_nothing(read_all);
}

Test(tape_leaves_nothing_sealed, reading)
{
  record_some();
  fixture_tape(&fixture);
  leaves_nothing(read_all);
}

static void meet(void)
{
  struct tape_met met;
  cr_assert_eq(tape_meets(fixture.tape, &met, &fixture.error), 0, "%s", fixture.error.text);
  cr_assert_str_eq(met.origins, "host=api.example.com:443 method=*\n");
  tape_met_release(&met);
}

Test(tape_leaves_nothing, asking_what_it_meets)
{
  record_some();
  fixture_tape(&fixture);
  leaves_nothing(meet);
}

static void ask(struct tape_matcher *matcher, const char *body, enum tape_verdict verdict)
{
  struct tape_match match;
  struct exchange exchange = exchange_of(&fixture, body);
  exchange.request.rule = fixture.config.rules;
  exchange.request.headers = exchange.headers;
  exchange.request.query = SPAN("key=test-credential-alpha");
  tape_name(&exchange.request, &exchange.call);
  cr_assert_eq(tape_match(matcher, &exchange.request, &exchange.call, &match), verdict, "%s: %s", body,
               match.note);
}

/* Hits, misses that are explained, and loose matches. */
static void replay(void)
{
  struct tape_matcher *matcher;
  struct tape_matching matching = {.loose = true, .state = fixture_beside(&fixture, "state")};
  unlink(matching.state);
  cr_assert_eq(tape_open_matcher(&matcher, fixture.tape, &matching, &fixture.error), 0);
  ask(matcher, "{\"model\":\"m\",\"n\":1}", TAPE_FOUND);
  ask(matcher, "{\"model\":\"m\",\"n\":3}", TAPE_MISS);
  ask(matcher, "a body that is no JSON, on 2026-11-22", TAPE_FOUND);
  ask(matcher, "a body that is no JSON, on 2026-11-22", TAPE_EXHAUSTED);
  ask(matcher, "{\"model\":\"m\",\"n\":1}", TAPE_EXHAUSTED);
  tape_close_matcher(matcher);
}

Test(tape_leaves_nothing, replaying)
{
  record_some();
  fixture_tape(&fixture);
  leaves_nothing(replay);
}

static void write_one(void)
{
  cr_assert_eq(fixture_reopen(&fixture), 0, "%s", fixture.error.text);
  record("{}");
}

Test(tape_leaves_nothing, writing)
{
  static const char rules[] = "host=api.example.com ttl=1h\nhost=*\n";
  leaves_nothing(write_one);
  fixture.options.rules = SPAN(rules);
  leaves_nothing(write_one);
}

Test(tape_leaves_nothing_sealed, writing)
{
  leaves_nothing(write_one);
}

static void fail_to_write(void)
{
  struct tape_writer *writer;
  cr_assert_lt(tape_open_writer(&writer, &fixture.options, &fixture.error), 0);
}

Test(tape_leaves_nothing, failing_to_write)
{
  record_some();
  fixture.options.dir = "/dev/null/tape";
  leaves_nothing(fail_to_write);
  fixture.options.dir = fixture.dir;
  fixture_write(fixture_segment(&fixture, 1), "no segment", 10);
  leaves_nothing(fail_to_write);
}
