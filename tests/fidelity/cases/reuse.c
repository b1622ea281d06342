/* SPDX-License-Identifier: MIT */
/* One handle for many calls, copies of it, and what is left between them. */
#include "tests/fidelity/fidelity.h"

static const char failure[] = "HTTP/1.1 500 No\r\nX-Fail: 1\r\n" CLOSE HELLO;

static void perform_at(struct watch *w, const char *name)
{
  watch_post(w, name);
  watch_perform(w);
  say_infos(w);
  say_headers(w, ANY_ORIGIN, -1);
}

void reuse_of_one_handle(void)
{
  struct watch w;

  serve("one", OK "X-One: 1\r\n" HELLO);
  serve("two", OK "X-Two: 1\r\n" HELLO);
  watch_open(&w, "one");
  perform_at(&w, "one");
  perform_at(&w, "two");
  perform_at(&w, "one");
  watch_close(&w);
}

/* The failure is no answer, and goes out each time. */
void reuse_for_hit_miss_hit(void)
{
  struct watch w;

  serve("one", OK "X-One: 1\r\n" HELLO);
  serve("fails", failure);
  watch_open(&w, "one");
  perform_at(&w, "one");
  perform_at(&w, "fails");
  perform_at(&w, "one");
  perform_at(&w, "fails");
  watch_close(&w);
}

void reuse_for_get_and_post(void)
{
  struct watch w;

  serve("one", OK HELLO);
  watch_open(&w, "one");
  perform_at(&w, "one");
  set(&w, HTTPGET, 1L);
  watch_perform(&w);
  say_infos(&w);
  perform_at(&w, "one");
  watch_close(&w);
}

void reuse_after_reset(void)
{
  struct watch w;

  serve("one", OK "X-One: 1\r\n" HELLO);
  watch_open(&w, "one");
  watch_perform(&w);
  curl_easy_reset(w.easy);
  set(&w, NOSIGNAL, 1L);
  watch_attach(&w);
  perform_at(&w, "one");
  watch_close(&w);
}

/* Without a URL. */
void reuse_after_reset_alone(void)
{
  struct watch w;

  serve("one", OK HELLO);
  watch_open(&w, "one");
  watch_perform(&w);
  curl_easy_reset(w.easy);
  set(&w, ERRORBUFFER, w.error);
  watch_perform(&w);
  watch_close(&w);
}

static void copy_watch(struct watch *to, struct watch *from)
{
  *to = *from;
  to->easy = curl_easy_duphandle(from->easy);
  set(to, WRITEDATA, to);
  set(to, HEADERDATA, to);
  set(to, ERRORBUFFER, to->error);
}

void copy_made_before(void)
{
  struct watch w, copy;

  serve("one", OK "X-One: 1\r\n" HELLO);
  watch_open(&w, "one");
  copy_watch(&copy, &w);
  perform_at(&w, "one");
  watch_perform(&copy);
  say_infos(&copy);
  watch_close(&w);
  say_infos(&copy);
  watch_close(&copy);
}

void copy_made_after(void)
{
  struct watch w, copy;

  serve("one", OK "X-One: 1\r\n" HELLO);
  watch_open(&w, "one");
  perform_at(&w, "one");
  copy_watch(&copy, &w);
  watch_close(&w);
  watch_perform(&copy);
  say_infos(&copy);
  watch_close(&copy);
}

static void copy_in_write(struct watch *w, int call)
{
  static struct watch copy;

  if (call != 1)
    return;
  copy_watch(&copy, w);
  copy.in_write = NULL;
  w->data = &copy;
}

/* In the middle of a transfer; the copy has the app's own callbacks, and no part in it. */
void copy_made_in_a_callback(void)
{
  struct watch w;

  serve("one", OK "Content-Length: 10\r\n\r\nhello\1world");
  watch_open(&w, "one");
  w.in_write = copy_in_write;
  watch_perform(&w);
  if (w.data) {
    watch_perform(w.data);
    watch_close(w.data);
  }
  watch_close(&w);
}

void copy_of_a_fresh_handle(void)
{
  struct watch w, copy;

  serve("one", OK HELLO);
  watch_open(&w, "one");
  copy_watch(&copy, &w);
  watch_close(&w);
  say_infos(&copy);
  watch_perform(&copy);
  watch_close(&copy);
}

void private_stays(void)
{
  struct watch w, copy;
  char *data = NULL;

  serve("one", OK HELLO);
  watch_open(&w, "one");
  set(&w, PRIVATE, "mine");
  watch_perform(&w);
  curl_easy_getinfo(w.easy, CURLINFO_PRIVATE, &data);
  say(w.out, "private %s", data);
  copy_watch(&copy, &w);
  curl_easy_getinfo(copy.easy, CURLINFO_PRIVATE, &data);
  say(w.out, "private %s", data ? data : "NULL");
  curl_easy_reset(w.easy);
  curl_easy_getinfo(w.easy, CURLINFO_PRIVATE, &data);
  say(w.out, "private %s", data ? data : "NULL");
  watch_close(&copy);
  watch_close(&w);
}

/* Callbacks change from inside callbacks. */

static size_t other_header(char *line, size_t size, size_t count, void *watch)
{
  struct watch *w = watch;

  say_bytes(w->out, "other header", line, size * count);
  return size * count;
}

static void change_in_header(struct watch *w, int call)
{
  if (call == 2)
    set(w, HEADERFUNCTION, other_header);
  if (call == 1)
    set(w, WRITEFUNCTION, other_header);
}

static void change_functions(struct watch *w)
{
  w->in_header = change_in_header;
}

void callbacks_changed_in_a_header_callback(void)
{
  serve("one", OK "X-One: 1\r\n" HELLO);
  perform_with("one", change_functions);
}

static struct watch second;

static void change_data(struct watch *w, int call)
{
  if (call == 2)
    set(w, WRITEDATA, &second);
}

static void change_data_later(struct watch *w)
{
  second = (struct watch){.easy = w->easy, .out = stdout};
  w->in_write = change_data;
}

void data_changed_in_a_write_callback(void)
{
  serve("pieces", OK "Content-Length: 15\r\n\r\nhello\1, worl\1d!!!");
  perform_with("pieces", change_data_later);
  say(stdout, "the second has %d", second.writes);
}

static void take_error_buffer(struct watch *w, int call)
{
  if (call == 1)
    set(w, ERRORBUFFER, NULL);
}

static void take_error_buffer_later(struct watch *w)
{
  w->in_header = take_error_buffer;
  w->write = (struct verdict){1, 0};
}

void error_buffer_taken_in_a_callback(void)
{
  serve("one", OK HELLO);
  perform_with("one", take_error_buffer_later);
}

/* The marks are the only difference that an app can see, and only if they are not turned off. */
void marked(void)
{
  struct watch w;

  serve("one", OK "X-One: 1\r\n" HELLO);
  watch_open(&w, "one");
  watch_perform(&w);
  say_infos(&w);
  say_header(&w, "X-One", 0, CURLH_HEADER, -1);
  watch_close(&w);
}

static void with_headers_in_body(struct watch *w)
{
  set(w, HEADER, 1L);
  set(w, WRITEFUNCTION, other_header);
}

void marked_in_the_body(void)
{
  serve("one", OK "X-One: 1\r\n" HELLO);
  perform_with("one", with_headers_in_body);
}

void keyed(void)
{
  serve("one", OK HELLO);
  perform_with("one", NULL);
}
