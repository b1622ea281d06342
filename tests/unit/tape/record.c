/* SPDX-License-Identifier: MIT */
/* What goes onto a tape comes back from it: every part, in order, from every thread and process. */
#include "tests/unit/tape/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(tape_record, .init = open_fixture, .fini = close_fixture);

static struct tape_record record;

static const struct tape_record *nth(uint64_t number)
{
  cr_assert_eq(tape_read(fixture.tape, number, &record, &fixture.error), 0, "%s", fixture.error.text);
  return &record;
}

static void is(struct idem_span span, const char *text)
{
  cr_expect(span.len == strlen(text) && memcmp(span.data, text, span.len) == 0, "\"%.*s\" is not \"%s\"",
            (int)span.len, span.data, text);
}

Test(tape_record, every_part_of_an_exchange_comes_back)
{
  static const char facts[] = "\x02\0\x08\0\x90\x01\0\0\0\0\0\0\x12\0\x05\0text";
  struct exchange exchange = exchange_of(&fixture, "{\"prompt\":1}");
  int64_t number;
  struct idem_span text;
  exchange.call.what = TAPE_JOIN;
  strcpy(exchange.call.id, "0123456789abcdef");
  exchange.request.query = SPAN("a=b");
  exchange.outcome.curl_code = 56;
  exchange.outcome.error_text = SPAN("Recv failure: Connection reset by peer");
  exchange.outcome.encoded = true;
  exchange.outcome.body_len = 1000;
  exchange.outcome.facts = (struct idem_span){facts, sizeof(facts)};
  exchange_record(&exchange);
  cr_assert_eq(tape_totals(fixture_tape(&fixture)).exchanges, 1);
  const struct tape_record *r = nth(1);

  cr_expect_eq(r->number, 1);
  cr_expect_eq(r->process, 1);
  cr_expect_eq(r->call.pid, (uint32_t)getpid());
  cr_expect_eq(r->call.sequence, 1);
  cr_expect_eq(r->call.lane, exchange.call.lane);
  cr_expect_eq(r->call.started_us, exchange.call.started_us);
  cr_expect_eq(r->call.duration_us, 1500);
  cr_expect_eq(r->call.what, TAPE_JOIN);
  cr_expect_str_eq(r->call.id, "0123456789abcdef");
  cr_expect_eq(memcmp(r->call.key, exchange.call.key, IDEM_KEY_SIZE), 0);
  cr_expect_eq(memcmp(r->call.fingerprint, exchange.call.fingerprint, IDEM_KEY_SIZE), 0);
  cr_expect_eq(r->call.request_body_len, 12);
  is(r->method, "POST");
  is(r->origin, "https://api.example.com:443");
  is(r->path, "/v1/chat");
  is(r->query, "a=b");
  is(r->request_headers, "Content-Type: application/json\r\nAuthorization: Bearer [redacted]\r\n");
  is(r->request_body, "{\"prompt\":1}");
  is(r->shape, "gzip");
  cr_expect_eq(r->outcome.curl_code, 56);
  cr_expect_eq(r->outcome.status, 200);
  cr_expect(r->outcome.encoded);
  cr_expect(r->outcome.delivered);
  cr_expect_eq(r->outcome.first_byte_us, 900);
  is(r->outcome.error_text, "Recv failure: Connection reset by peer");
  is(r->outcome.headers, OK_HEADERS);
  is(r->outcome.body, "{\"answer\":1}");
  cr_expect_eq(r->outcome.body_len, 1000);
  cr_assert_eq(r->outcome.chunk_count, 2);
  cr_expect_eq(r->outcome.chunks[1].at_us, 1200);
  cr_expect_eq(r->outcome.chunks[1].len, 7);
  cr_expect(tape_fact_number(&r->outcome, 2, &number));
  cr_expect_eq(number, 400);
  cr_expect(tape_fact_text(&r->outcome, 18, &text));
  is(text, "text");
  cr_expect_not(tape_fact_number(&r->outcome, 3, &number));
  tape_record_release(&record);
}

/* A list that is cut, or what has another type, is not read on: a text ends with its nought. */
Test(tape_record, a_fact_that_is_not_whole_is_none)
{
  static const struct {
    const char *facts;
    size_t len;
    bool text, number;
  } lists[] = {
      {"\x12\0\x05\0text", 9, true, false},
      {"\x12\0\x05\0text", 8, false, false},
      {"\x12\0\x04\0text", 8, false, false},
      {"\x12\0\x01\0", 5, true, false},
      {"\x12\0\0\0", 4, false, false},
      {"\x12\0\x08\0\x01\0\0\0\0\0\0\x01", 12, false, true},
      {"\x12\0\x08\0\x01\0\0\0\0\0\0\x01", 11, false, false},
      {"\x12\0\x07\0\x01\0\0\0\0\0\x01", 11, false, false},
      {"\x11\0\x05\0text", 9, false, false},
      {"\x11\0\x02\0a\0\x12\0\x02\0b", 12, true, false},
      {"\x12\0\x05", 3, false, false},
      {"", 0, false, false},
  };
  for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
    /* What lies behind it is none of it. */
    char room[32];
    struct idem_span text;
    int64_t number;
    memset(room, 0, sizeof(room));
    memcpy(room, lists[i].facts, lists[i].len);
    struct tape_outcome outcome = {.facts = {room, lists[i].len}};
    cr_expect_eq(tape_fact_text(&outcome, 18, &text), lists[i].text, "list %zu", i);
    cr_expect_eq(tape_fact_number(&outcome, 18, &number), lists[i].number, "list %zu", i);
  }
}

static void answer_is(enum tape_what what, unsigned status, int curl_code, const char *body, bool no_answer)
{
  static uint64_t number;
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.call.what = what;
  exchange.outcome.status = (uint16_t)status;
  exchange.outcome.curl_code = curl_code;
  exchange.outcome.body = SPAN(body);
  exchange.outcome.body_len = strlen(body);
  exchange.outcome.chunk_count = 0;
  exchange_record(&exchange);
  fixture_tape(&fixture);
  const struct tape_record *r = nth(++number);
  cr_expect_eq(r->outcome.no_answer, no_answer, "%d, %u, %d: %s", (int)what, status, curl_code, body);
  cr_expect_eq(r->outcome.error_text.len > 0, no_answer, "\"%.*s\"", (int)r->outcome.error_text.len,
               r->outcome.error_text.data);
}

/* Of what has not gone well for libcurl, or has a status that the rule does not take, nothing more is said;
 * and what was an answer of the store's has been judged there. */
Test(tape_record, what_is_no_answer_is_told_with_the_reason)
{
  static const char answer[] = "{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}",
                    failure[] = "{\"error\":{\"message\":\"overloaded\"}}";
  answer_is(TAPE_LIVE, 200, 0, answer, false);
  answer_is(TAPE_LIVE, 200, 0, failure, true);
  answer_is(TAPE_RESCUE, 200, 0, failure, true);
  answer_is(TAPE_HIT, 200, 0, failure, false);
  answer_is(TAPE_JOIN, 200, 0, failure, false);
  answer_is(TAPE_BYPASS, 200, 0, failure, false);
  answer_is(TAPE_LIVE, 500, 0, failure, false);
  answer_is(TAPE_LIVE, 200, 56, failure, false);
  tape_record_release(&record);
}

/* Its end is not there to be judged. */
Test(tape_record, of_an_answer_that_is_cut_it_is_told_as_well)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.outcome.body_len = 1000;
  exchange_record(&exchange);
  fixture_tape(&fixture);
  const struct tape_record *r = nth(1);
  cr_expect(r->outcome.no_answer);
  is(r->outcome.error_text,
     "the answer is larger than max_body=, and only its first 12 bytes are on the tape");
  tape_record_release(&record);
}

Test(tape_record, a_call_that_came_to_nothing_is_kept_too)
{
  struct exchange exchange = exchange_of(&fixture, "");
  exchange.outcome =
      (struct tape_outcome){.curl_code = 7, .error_text = SPAN("Failed to connect"), .first_byte_us = -1};
  exchange_record(&exchange);
  fixture_tape(&fixture);
  const struct tape_record *r = nth(1);

  cr_expect_eq(r->outcome.curl_code, 7);
  cr_expect_eq(r->outcome.status, 0);
  cr_expect_eq(r->outcome.first_byte_us, -1);
  cr_expect_eq(r->outcome.chunk_count, 0);
  is(r->outcome.headers, "");
  is(r->outcome.body, "");
  tape_record_release(&record);
}

Test(tape_record, peeking_reads_what_a_list_needs)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_record(&exchange);
  cr_assert_eq(tape_peek(fixture_tape(&fixture), 1, &record, &fixture.error), 0);
  is(record.path, "/v1/chat");
  cr_expect_eq(record.outcome.status, 200);
  cr_expect_eq(record.outcome.body_len, 12);
  cr_expect_eq(record.outcome.body.len, 0);
  cr_expect_eq(tape_peek(fixture.tape, 2, &record, &fixture.error), -ERANGE);
  cr_expect_eq(tape_read(fixture.tape, 0, &record, &fixture.error), -ERANGE);
  tape_record_release(&record);
}

Test(tape_record, order_is_that_of_the_beginnings)
{
  struct exchange first = exchange_of(&fixture, "first"), second = exchange_of(&fixture, "second");
  exchange_record(&second);
  exchange_record(&first);
  fixture_tape(&fixture);
  is(nth(1)->request_body, "first");
  is(nth(2)->request_body, "second");
  tape_record_release(&record);
}

Test(tape_record, a_clock_that_is_set_back_does_not_change_the_order)
{
  struct exchange first = exchange_of(&fixture, "first"), second = exchange_of(&fixture, "second");
  second.call.started_us -= 3600 * INT64_C(1000000);
  exchange_record(&first);
  exchange_record(&second);
  fixture_tape(&fixture);
  is(nth(1)->request_body, "first");
  is(nth(2)->request_body, "second");
  tape_record_release(&record);
}

Test(tape_record, what_was_finished_in_the_background_comes_behind_its_call)
{
  struct exchange given_up = exchange_of(&fixture, "{}"), rescued = given_up;
  rescued.call.what = TAPE_RESCUE;
  rescued.outcome.status = 201;
  exchange_record(&rescued);
  exchange_record(&given_up);
  fixture_tape(&fixture);
  cr_expect_eq(nth(1)->outcome.status, 200);
  cr_expect_eq(nth(2)->outcome.status, 201);
  tape_record_release(&record);
}

enum { THREADS = 8, EACH = 200 };

static void *record_many(void *arg)
{
  char body[64];
  for (int i = 0; i < EACH; i++) {
    snprintf(body, sizeof(body), "{\"thread\":%d,\"n\":%d}", *(int *)arg, i);
    struct exchange exchange = exchange_of(&fixture, body);
    exchange_record(&exchange);
  }
  return NULL;
}

static void run_threads(void)
{
  pthread_t threads[THREADS];
  int numbers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    numbers[i] = i;
    cr_assert_eq(pthread_create(&threads[i], NULL, record_many, &numbers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
}

/* Every body of a lane has the same thread in it, and its calls are in order. */
static void expect_lanes(uint64_t count)
{
  int thread_of[2][THREADS + 2], next[2][THREADS + 2] = {0};
  memset(thread_of, -1, sizeof(thread_of));
  for (uint64_t number = 1; number <= count; number++) {
    const struct tape_record *r = nth(number);
    char body[64];
    int thread, n;
    snprintf(body, sizeof(body), "%.*s", (int)r->request_body.len, r->request_body.data);
    cr_assert_eq(sscanf(body, "{\"thread\":%d,\"n\":%d}", &thread, &n), 2, "%s", body);
    cr_assert(r->process <= 2 && r->call.lane <= THREADS + 1);
    int *owner = &thread_of[r->process - 1][r->call.lane];
    cr_expect(*owner == -1 || *owner == thread, "lane %u is of two threads", r->call.lane);
    *owner = thread;
    cr_expect_eq(n, next[r->process - 1][r->call.lane]++);
  }
}

Test(tape_record, threads_have_lanes_and_lose_nothing)
{
  run_threads();
  cr_assert_eq(tape_totals(fixture_tape(&fixture)).exchanges, THREADS * EACH);
  cr_expect_str_eq(fixture.findings, "");
  expect_lanes(THREADS * EACH);
  tape_record_release(&record);
}

Test(tape_record, a_forked_child_goes_on_with_the_writer)
{
  struct exchange before = exchange_of(&fixture, "{\"thread\":0,\"n\":0}");
  exchange_record(&before);
  pid_t child = fork();
  if (child == 0) {
    run_threads();
    _exit(0);
  }
  int status;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert_eq(status, 0);
  cr_assert_eq(tape_totals(fixture_tape(&fixture)).exchanges, THREADS * EACH + 1);
  cr_expect_eq(nth(2)->call.sequence, 1);
  cr_expect_eq(nth(2)->call.pid, (uint32_t)child);
  expect_lanes(THREADS * EACH + 1);
  tape_record_release(&record);
}

Test(tape_record, a_process_that_is_killed_loses_nothing_that_was_complete)
{
  int ready[2];
  char byte;
  cr_assert_eq(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    for (;;) {
      struct exchange exchange = exchange_of(&fixture, "{}");
      exchange_record(&exchange);
      if (write(ready[1], "x", 1) != 1)
        _exit(1);
    }
  }
  for (int i = 0; i < 20; i++)
    cr_assert_eq(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  close(ready[1]);
  uint64_t told = 20;
  while (read(ready[0], &byte, 1) == 1)
    told++;
  cr_expect_geq(tape_totals(fixture_tape(&fixture)).exchanges, told);
}

Test(tape_record, a_writer_that_is_opened_again_goes_on)
{
  struct exchange first = exchange_of(&fixture, "first");
  exchange_record(&first);
  cr_assert_eq(fixture_reopen(&fixture), 0, "%s", fixture.error.text);
  struct exchange second = exchange_of(&fixture, "second");
  exchange_record(&second);
  struct tape_totals totals = tape_totals(fixture_tape(&fixture));
  cr_expect_eq(totals.exchanges, 2);
  cr_expect_eq(totals.segments, 1);
}

Test(tape_record, appending_leaves_errno_and_descriptors_alone)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_record(&exchange);
  int before = dup(0);
  close(before);
  errno = EXDEV;
  exchange_record(&exchange);
  cr_expect_eq(errno, EXDEV);
  int after = dup(0);
  cr_expect_eq(before, after);
  close(after);
}

Test(tape_record, a_file_size_limit_is_an_error_and_no_signal)
{
  struct rlimit limit = {300, 300};
  struct exchange exchange = exchange_of(&fixture, "{}");
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  cr_expect_eq(exchange_try(&exchange), -EFBIG);
  cr_expect(strstr(fixture.error.text, fixture.dir), "%s", fixture.error.text);
}

Test(tape_record, a_directory_that_is_deleted_under_it_is_an_error)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  unlink(fixture_segment(&fixture, 1));
  cr_assert_eq(rmdir(fixture.dir), 0);
  cr_expect_eq(exchange_try(&exchange), -ENOENT);
}

Test(tape_record, a_directory_that_others_write_to_is_refused)
{
  cr_assert_eq(chmod(fixture.dir, 0777), 0);
  cr_expect_eq(fixture_reopen(&fixture), -EPERM);
  cr_expect(strstr(fixture.error.text, "is writable by others"), "%s", fixture.error.text);
}
