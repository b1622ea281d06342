/* SPDX-License-Identifier: MIT */
/* Progress callbacks. How often they come hangs on time: what they tell does not. */
#include "tests/fidelity/fidelity.h"

static void serve_hello(void)
{
  serve("hello", OK HELLO);
}

void progress_facts(void)
{
  serve_hello();
  perform_with("hello", watch_progress);
}

void progress_of_chunks(void)
{
  serve("chunks", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n, more\r\n0\r\n\r\n");
  perform_with("chunks", watch_progress);
}

void progress_of_nothing(void)
{
  serve("empty", OK EMPTY);
  perform_with("empty", watch_progress);
}

static int abort_now(struct watch *w, curl_off_t down_total, curl_off_t down)
{
  (void)w;
  (void)down_total;
  (void)down;
  return 1;
}

static void abort_at_once(struct watch *w)
{
  watch_progress(w);
  w->in_progress = abort_now;
}

/* How far the connection is by then differs between versions. */
void progress_aborts_at_once(void)
{
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  if (scenario->settled)
    watch_perform(&w);
  abort_at_once(&w);
  watch_perform(&w);
  say_info(&w, CURLINFO_RESPONSE_CODE);
  say_info(&w, CURLINFO_HTTP_VERSION);
  say_info(&w, CURLINFO_CONTENT_TYPE);
  say_info(&w, CURLINFO_EFFECTIVE_METHOD);
  say_info(&w, CURLINFO_EFFECTIVE_URL);
  say_info(&w, CURLINFO_SIZE_DOWNLOAD_T);
  say_info(&w, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T);
  watch_close(&w);
}

static int abort_once_there_is_something(struct watch *w, curl_off_t down_total, curl_off_t down)
{
  (void)w;
  (void)down_total;
  return down > 0 ? 7 : 0;
}

/* Whether there is progress between two pieces hangs on how fast they come. */
static size_t take_in_silence(char *data, size_t size, size_t count, void *watch)
{
  (void)data;
  (void)watch;
  return size * count;
}

static int abort_quietly(void *watch, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                         curl_off_t up)
{
  (void)up_total;
  (void)up;
  return abort_once_there_is_something(watch, down_total, down);
}

static void abort_in_the_body(struct watch *w)
{
  set(w, XFERINFOFUNCTION, abort_quietly);
  set(w, NOPROGRESS, 0L);
  set(w, WRITEFUNCTION, take_in_silence);
}

void progress_aborts_in_the_body(void)
{
  serve("pieces", OK "Content-Length: 10\r\n\r\nhello\1world\1");
  perform_with("pieces", abort_in_the_body);
}

static int go_on(struct watch *w, curl_off_t down_total, curl_off_t down)
{
  (void)w;
  (void)down_total;
  (void)down;
  return CURL_PROGRESSFUNC_CONTINUE;
}

static void go_on_with_the_meter(struct watch *w)
{
  static FILE *nowhere;

  nowhere = fopen("/dev/null", "we");
  set(w, STDERR, nowhere);
  watch_progress(w);
  w->in_progress = go_on;
}

void progress_continues_with_the_meter(void)
{
  serve_hello();
  perform_with("hello", go_on_with_the_meter);
}

static int old_progress(void *watch, double down_total, double down, double up_total, double up)
{
  return watch_xferinfo(watch, (curl_off_t)down_total, (curl_off_t)down, (curl_off_t)up_total,
                        (curl_off_t)up);
}

static void set_old_progress(struct watch *w)
{
  set(w, PROGRESSFUNCTION, old_progress);
  set(w, PROGRESSDATA, w);
  set(w, NOPROGRESS, 0L);
}

void progress_of_the_old_kind(void)
{
  serve_hello();
  perform_with("hello", set_old_progress);
}

static int never(void *watch, double down_total, double down, double up_total, double up)
{
  (void)down_total;
  (void)down;
  (void)up_total;
  (void)up;
  say(((struct watch *)watch)->out, "the old one is called too");
  return 0;
}

static void set_both(struct watch *w)
{
  set(w, PROGRESSFUNCTION, never);
  watch_progress(w);
}

void progress_of_both_kinds(void)
{
  serve_hello();
  perform_with("hello", set_both);
}

static void turned_off(struct watch *w)
{
  watch_progress(w);
  set(w, NOPROGRESS, 1L);
}

void progress_turned_off(void)
{
  serve_hello();
  perform_with("hello", turned_off);
}

static void turn_on_in_write(struct watch *w, int call)
{
  if (call == 1)
    set(w, NOPROGRESS, 0L);
}

static void turned_on_late(struct watch *w)
{
  turned_off(w);
  w->in_write = turn_on_in_write;
}

void progress_turned_on_in_between(void)
{
  struct watch w;

  serve("pieces", OK "Content-Length: 10\r\n\r\nhello\1world");
  watch_open(&w, "pieces");
  turned_on_late(&w);
  watch_perform(&w);
  watch_close(&w);
}

void progress_over_two_calls(void)
{
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  watch_progress(&w);
  watch_perform(&w);
  watch_perform(&w);
  set(&w, NOPROGRESS, 1L);
  watch_perform(&w);
  watch_close(&w);
}
