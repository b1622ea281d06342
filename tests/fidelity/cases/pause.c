/* SPDX-License-Identifier: MIT */
/* Transfers that the app holds up. What is paused comes again, whole. */
#include "tests/fidelity/fidelity.h"

#include <string.h>

static void serve_pieces(void)
{
  serve("pieces", OK "Content-Length: 15\r\n\r\nhello\1, worl\1d!!!");
}

/* Resumes from the progress callback, as a program without a multi handle must. */
static int resume(struct watch *w, curl_off_t down_total, curl_off_t down)
{
  (void)down_total;
  (void)down;
  curl_easy_pause(w->easy, CURLPAUSE_CONT);
  return 0;
}

static void resume_from_progress(struct watch *w)
{
  watch_progress(w);
  w->in_progress = resume;
}

static void pause_write(struct watch *w)
{
  w->write = (struct verdict){(int)scenario->number, CURL_WRITEFUNC_PAUSE};
  resume_from_progress(w);
}

void pause_in_write(void)
{
  serve_pieces();
  perform_and_ask("pieces", pause_write);
}

static void pause_header(struct watch *w)
{
  w->header = (struct verdict){(int)scenario->number, CURL_WRITEFUNC_PAUSE};
  resume_from_progress(w);
}

void pause_in_header(void)
{
  serve_pieces();
  perform_and_ask("pieces", pause_header);
}

/* The piece is taken, and what comes after it is held. */
static void hold(struct watch *w, int call)
{
  if (call == scenario->number)
    say(w->out, "pause: %d", (int)curl_easy_pause(w->easy, CURLPAUSE_RECV));
}

static void hold_in_write(struct watch *w)
{
  w->in_write = hold;
  resume_from_progress(w);
}

void pause_by_call_in_write(void)
{
  serve_pieces();
  perform_with("pieces", hold_in_write);
}

static void hold_in_header(struct watch *w)
{
  w->in_header = hold;
  resume_from_progress(w);
}

void pause_by_call_in_header(void)
{
  serve_pieces();
  perform_with("pieces", hold_in_header);
}

static void hold_and_go(struct watch *w, int call)
{
  hold(w, call);
  if (call == scenario->number)
    say(w->out, "resume: %d", (int)curl_easy_pause(w->easy, CURLPAUSE_CONT));
}

static void hold_and_go_in_write(struct watch *w)
{
  w->in_write = hold_and_go;
}

void pause_and_resume_in_one_callback(void)
{
  serve_pieces();
  perform_with("pieces", hold_and_go_in_write);
}

static size_t pause_every_other(char *data, size_t size, size_t count, void *watch)
{
  struct watch *w = watch;

  if (++w->writes % 2)
    return CURL_WRITEFUNC_PAUSE;
  say_bytes(w->out, "second time", data, size * count);
  return size * count;
}

static void pause_each(struct watch *w)
{
  set(w, WRITEFUNCTION, pause_every_other);
  resume_from_progress(w);
}

void pause_in_each_write(void)
{
  serve_pieces();
  perform_with("pieces", pause_each);
}

/* Nobody resumes it: the timeout ends it. */
static void pause_forever(struct watch *w)
{
  w->write = (struct verdict){1, CURL_WRITEFUNC_PAUSE};
  set(w, TIMEOUT_MS, 600L);
}

void pause_without_end(void)
{
  serve("hello", OK HELLO);
  perform_with("hello", pause_forever);
}

/* The app ends it while it is paused. */
static int abort_second(struct watch *w, curl_off_t down_total, curl_off_t down)
{
  (void)down_total;
  (void)down;
  return w->writes > 0;
}

static void pause_and_abort(struct watch *w)
{
  w->write = (struct verdict){1, CURL_WRITEFUNC_PAUSE};
  watch_progress(w);
  w->in_progress = abort_second;
}

void pause_ended_by_the_app(void)
{
  serve("hello", OK HELLO);
  perform_with("hello", pause_and_abort);
}

void pause_of_an_idle_handle(void)
{
  struct watch w;

  serve("hello", OK HELLO);
  watch_open(&w, "hello");
  say(w.out, "before: %d", (int)curl_easy_pause(w.easy, CURLPAUSE_ALL));
  say(w.out, "before: %d", (int)curl_easy_pause(w.easy, CURLPAUSE_CONT));
  watch_perform(&w);
  say(w.out, "after: %d", (int)curl_easy_pause(w.easy, CURLPAUSE_ALL));
  say(w.out, "after: %d", (int)curl_easy_pause(w.easy, CURLPAUSE_CONT));
  watch_perform(&w);
  watch_close(&w);
}
