/* SPDX-License-Identifier: MIT */
/* Calls that are made from inside the callbacks of a call. */
#include "tests/fidelity/fidelity.h"

static void serve_two(void)
{
  serve("outer", OK "Content-Length: 10\r\n\r\nhello\1world");
  serve("inner", OK "X-Inner: 1\r\n" HELLO);
}

static void perform_self(struct watch *w, int call)
{
  if (call == 1)
    say(w->out, "nested: %d", (int)curl_easy_perform(w->easy));
}

static void in_write(struct watch *w)
{
  w->in_write = perform_self;
}

static void in_header(struct watch *w)
{
  w->in_header = perform_self;
}

/* libcurl refuses that. */
void nested_on_itself_in_write(void)
{
  serve_two();
  perform_and_ask("outer", in_write);
}

void nested_on_itself_in_header(void)
{
  serve_two();
  perform_and_ask("outer", in_header);
}

static void perform_other(struct watch *w, int call)
{
  if (call == 1)
    perform_and_ask("inner", NULL);
  (void)w;
}

static void other_in_write(struct watch *w)
{
  w->in_write = perform_other;
}

static void other_in_header(struct watch *w)
{
  w->in_header = perform_other;
}

void nested_on_another_in_write(void)
{
  serve_two();
  perform_and_ask("outer", other_in_write);
}

void nested_on_another_in_header(void)
{
  serve_two();
  perform_and_ask("outer", other_in_header);
}

/* The same request, so that the inner call would have to wait for the outer one. */
static void perform_same(struct watch *w, int call)
{
  if (call == 1)
    perform_with("outer", NULL);
  (void)w;
}

static void same_in_write(struct watch *w)
{
  w->in_write = perform_same;
}

void nested_on_the_same_request(void)
{
  serve_two();
  perform_and_ask("outer", same_in_write);
}

static int perform_in_progress(struct watch *w, curl_off_t down_total, curl_off_t down)
{
  (void)down_total;
  if (down > 0 && !w->data) {
    w->data = w;
    perform_with("inner", NULL);
  }
  return 0;
}

static void in_progress(struct watch *w)
{
  watch_progress(w);
  w->in_progress = perform_in_progress;
}

void nested_in_progress(void)
{
  serve("outer", OK HELLO);
  serve("inner", OK "X-Inner: 1\r\n" HELLO);
  perform_with("outer", in_progress);
}

static void set_and_ask(struct watch *w, int call)
{
  char *url = NULL;

  if (call != 1)
    return;
  set(w, USERAGENT, "another/1.0");
  curl_easy_getinfo(w->easy, CURLINFO_EFFECTIVE_URL, &url);
  say(w->out, "%s", url);
}

static void set_in_write(struct watch *w)
{
  w->in_write = set_and_ask;
}

/* An option of the request changes while it is answered: it is for the next one. */
void options_set_in_a_callback(void)
{
  struct watch w;

  serve_two();
  watch_open(&w, "outer");
  set_in_write(&w);
  watch_perform(&w);
  watch_perform(&w);
  watch_close(&w);
}
