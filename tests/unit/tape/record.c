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

static struct studio studio;

static void open_studio(void)
{
  studio_open(&studio);
}

static void close_studio(void)
{
  studio_close(&studio);
}

TestSuite(tape_record, .init = open_studio, .fini = close_studio);

static struct tape_record record;

static const struct tape_record *nth(uint64_t number)
{
  cr_assert_eq(tape_read(studio.tape, number, &record, &studio.error), 0, "%s", studio.error.text);
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
  struct take take = take_of(&studio, "{\"prompt\":1}");
  int64_t number;
  struct idem_span text;
  take.call.what = TAPE_JOIN;
  strcpy(take.call.id, "0123456789abcdef");
  take.request.query = SPAN("a=b");
  take.outcome.curl_code = 56;
  take.outcome.error_text = SPAN("Recv failure: Connection reset by peer");
  take.outcome.encoded = true;
  take.outcome.body_len = 1000;
  take.outcome.facts = (struct idem_span){facts, sizeof(facts)};
  take_record(&take);
  cr_assert_eq(tape_totals(studio_tape(&studio)).exchanges, 1);
  const struct tape_record *r = nth(1);

  cr_expect_eq(r->number, 1);
  cr_expect_eq(r->process, 1);
  cr_expect_eq(r->call.pid, (uint32_t)getpid());
  cr_expect_eq(r->call.sequence, 1);
  cr_expect_eq(r->call.lane, take.call.lane);
  cr_expect_eq(r->call.started_us, take.call.started_us);
  cr_expect_eq(r->call.duration_us, 1500);
  cr_expect_eq(r->call.what, TAPE_JOIN);
  cr_expect_str_eq(r->call.id, "0123456789abcdef");
  cr_expect_eq(memcmp(r->call.key, take.call.key, IDEM_KEY_SIZE), 0);
  cr_expect_eq(memcmp(r->call.fingerprint, take.call.fingerprint, IDEM_KEY_SIZE), 0);
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

Test(tape_record, a_call_that_came_to_nothing_is_kept_too)
{
  struct take take = take_of(&studio, "");
  take.outcome =
      (struct tape_outcome){.curl_code = 7, .error_text = SPAN("Failed to connect"), .first_byte_us = -1};
  take_record(&take);
  studio_tape(&studio);
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
  struct take take = take_of(&studio, "{}");
  take_record(&take);
  cr_assert_eq(tape_peek(studio_tape(&studio), 1, &record, &studio.error), 0);
  is(record.path, "/v1/chat");
  cr_expect_eq(record.outcome.status, 200);
  cr_expect_eq(record.outcome.body_len, 12);
  cr_expect_eq(record.outcome.body.len, 0);
  cr_expect_eq(tape_peek(studio.tape, 2, &record, &studio.error), -ERANGE);
  cr_expect_eq(tape_read(studio.tape, 0, &record, &studio.error), -ERANGE);
  tape_record_release(&record);
}

Test(tape_record, order_is_that_of_the_beginnings)
{
  struct take first = take_of(&studio, "first"), second = take_of(&studio, "second");
  take_record(&second);
  take_record(&first);
  studio_tape(&studio);
  is(nth(1)->request_body, "first");
  is(nth(2)->request_body, "second");
  tape_record_release(&record);
}

Test(tape_record, a_clock_that_is_set_back_does_not_change_the_order)
{
  struct take first = take_of(&studio, "first"), second = take_of(&studio, "second");
  second.call.started_us -= 3600 * INT64_C(1000000);
  take_record(&first);
  take_record(&second);
  studio_tape(&studio);
  is(nth(1)->request_body, "first");
  is(nth(2)->request_body, "second");
  tape_record_release(&record);
}

Test(tape_record, what_was_finished_in_the_background_comes_behind_its_call)
{
  struct take given_up = take_of(&studio, "{}"), rescued = given_up;
  rescued.call.what = TAPE_RESCUE;
  rescued.outcome.status = 201;
  take_record(&rescued);
  take_record(&given_up);
  studio_tape(&studio);
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
    struct take take = take_of(&studio, body);
    take_record(&take);
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
  cr_assert_eq(tape_totals(studio_tape(&studio)).exchanges, THREADS * EACH);
  cr_expect_str_eq(studio.findings, "");
  expect_lanes(THREADS * EACH);
  tape_record_release(&record);
}

Test(tape_record, a_forked_child_goes_on_with_the_writer)
{
  struct take before = take_of(&studio, "{\"thread\":0,\"n\":0}");
  take_record(&before);
  pid_t child = fork();
  if (child == 0) {
    run_threads();
    _exit(0);
  }
  int status;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert_eq(status, 0);
  cr_assert_eq(tape_totals(studio_tape(&studio)).exchanges, THREADS * EACH + 1);
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
      struct take take = take_of(&studio, "{}");
      take_record(&take);
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
  cr_expect_geq(tape_totals(studio_tape(&studio)).exchanges, told);
}

Test(tape_record, a_writer_that_is_opened_again_goes_on)
{
  struct take first = take_of(&studio, "first");
  take_record(&first);
  cr_assert_eq(studio_reopen(&studio), 0, "%s", studio.error.text);
  struct take second = take_of(&studio, "second");
  take_record(&second);
  struct tape_totals totals = tape_totals(studio_tape(&studio));
  cr_expect_eq(totals.exchanges, 2);
  cr_expect_eq(totals.segments, 1);
}

Test(tape_record, appending_leaves_errno_and_descriptors_alone)
{
  struct take take = take_of(&studio, "{}");
  take_record(&take);
  int before = dup(0);
  close(before);
  errno = EXDEV;
  take_record(&take);
  cr_expect_eq(errno, EXDEV);
  int after = dup(0);
  cr_expect_eq(before, after);
  close(after);
}

Test(tape_record, a_file_size_limit_is_an_error_and_no_signal)
{
  struct rlimit limit = {300, 300};
  struct take take = take_of(&studio, "{}");
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  cr_expect_eq(take_try(&take), -EFBIG);
  cr_expect(strstr(studio.error.text, studio.dir), "%s", studio.error.text);
}

Test(tape_record, a_directory_that_is_deleted_under_it_is_an_error)
{
  struct take take = take_of(&studio, "{}");
  unlink(studio_segment(&studio, 1));
  cr_assert_eq(rmdir(studio.dir), 0);
  cr_expect_eq(take_try(&take), -ENOENT);
}

Test(tape_record, a_directory_that_others_write_to_is_refused)
{
  cr_assert_eq(chmod(studio.dir, 0777), 0);
  cr_expect_eq(studio_reopen(&studio), -EPERM);
  cr_expect(strstr(studio.error.text, "is writable by others"), "%s", studio.error.text);
}
