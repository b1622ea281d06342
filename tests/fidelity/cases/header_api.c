/* SPDX-License-Identifier: MIT */
/* curl_easy_header() and curl_easy_nextheader(): what is there, where, and when. */
#include "tests/fidelity/fidelity.h"

static const char response[] =
    OK "X-One: 1\r\nx-two: b\r\nX-One: 2\r\nX-Empty:\r\nX-Blanks:  a b \t\r\n" HELLO;

void header_api_all(void)
{
  struct watch w;

  serve("all", response);
  watch_open(&w, "all");
  watch_perform(&w);
  say_headers(&w, CURLH_HEADER, -1);
  say_headers(&w, ANY_ORIGIN, 0);
  say_headers(&w, CURLH_TRAILER, -1);
  say_headers(&w, CURLH_HEADER, 1);
  watch_close(&w);
}

void header_api_by_name(void)
{
  struct watch w;

  serve("name", response);
  watch_open(&w, "name");
  watch_perform(&w);
  say_header(&w, "X-One", 0, CURLH_HEADER, -1);
  say_header(&w, "x-one", 1, CURLH_HEADER, -1);
  say_header(&w, "X-One", 2, CURLH_HEADER, -1);
  say_header(&w, "X-Two", 0, CURLH_HEADER, 0);
  say_header(&w, "X-Empty", 0, CURLH_HEADER, 0);
  say_header(&w, "X-Blanks", 0, ANY_ORIGIN, 0);
  say_header(&w, "X-None", 0, CURLH_HEADER, 0);
  watch_close(&w);
}

void header_api_misused(void)
{
  struct watch w;

  serve("misused", response);
  watch_open(&w, "misused");
  say_header(&w, "X-One", 0, CURLH_HEADER, -1);
  watch_perform(&w);
  say_header(&w, "X-One", 0, 0, -1);
  say_header(&w, "X-One", 0, 1u << 20, -1);
  say_header(&w, "X-One", 0, CURLH_HEADER, -2);
  say_header(&w, "X-One", 0, CURLH_HEADER, 1);
  say_header(&w, "X-One", 0, CURLH_TRAILER, 0);
  say_header(&w, "", 0, CURLH_HEADER, 0);
  watch_close(&w);
}

static void ask(struct watch *w, int call)
{
  (void)call;
  say_headers(w, ANY_ORIGIN, -1);
  say_header(w, "X-One", 0, CURLH_HEADER, -1);
}

static void ask_in_header(struct watch *w)
{
  w->in_header = ask;
}

static void ask_in_write(struct watch *w)
{
  w->in_write = ask;
}

void header_api_in_header_callback(void)
{
  serve("inheader", response);
  perform_with("inheader", ask_in_header);
}

void header_api_in_write_callback(void)
{
  serve("inwrite", response);
  perform_with("inwrite", ask_in_write);
}

static void follow_and_ask(struct watch *w)
{
  set(w, FOLLOWLOCATION, 1L);
  w->in_header = ask;
}

void header_api_in_a_redirect(void)
{
  serve("from", "HTTP/1.1 307 There\r\nLocation: to\r\nX-One: 0\r\n" CLOSE HELLO);
  serve("to", response);
  perform_with("from", follow_and_ask);
}

void header_api_of_interim_answers(void)
{
  struct watch w;

  serve("interim", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-One: 0\r\n\r\n" OK "X-One: 1\r\n" HELLO);
  watch_open(&w, "interim");
  watch_perform(&w);
  say_headers(&w, CURLH_1XX, -1);
  say_headers(&w, CURLH_HEADER, -1);
  say_headers(&w, ANY_ORIGIN, -1);
  say_header(&w, "X-One", 0, CURLH_1XX, 0);
  say_header(&w, "X-One", 1, ANY_ORIGIN, 0);
  watch_close(&w);
}

void header_api_of_the_second_call(void)
{
  struct watch w;

  serve("first", OK "X-First: 1\r\n" HELLO);
  serve("second", OK "X-Second: 1\r\n" HELLO);
  watch_open(&w, "first");
  watch_perform(&w);
  watch_post(&w, "second");
  watch_perform(&w);
  say_headers(&w, ANY_ORIGIN, -1);
  say_header(&w, "X-First", 0, CURLH_HEADER, -1);
  watch_close(&w);
}

void header_api_after_reset(void)
{
  struct watch w;

  serve("reset", response);
  watch_open(&w, "reset");
  watch_perform(&w);
  curl_easy_reset(w.easy);
  say_headers(&w, ANY_ORIGIN, -1);
  watch_close(&w);
}

void header_api_of_a_copy(void)
{
  struct watch w, copy;

  serve("copy", response);
  watch_open(&w, "copy");
  watch_perform(&w);
  copy = w;
  copy.easy = curl_easy_duphandle(w.easy);
  set(&copy, HEADERDATA, &copy);
  set(&copy, WRITEDATA, &copy);
  set(&copy, ERRORBUFFER, copy.error);
  watch_perform(&copy);
  say_headers(&copy, ANY_ORIGIN, -1);
  say_header(&w, "X-One", 1, CURLH_HEADER, -1);
  watch_close(&copy);
  watch_close(&w);
}

void header_api_after_an_error(void)
{
  struct watch w;

  serve("error", response);
  watch_open(&w, "error");
  if (scenario->settled)
    watch_perform(&w);
  w.header = (struct verdict){5, 0};
  watch_perform(&w);
  say_headers(&w, ANY_ORIGIN, -1);
  watch_close(&w);
}
