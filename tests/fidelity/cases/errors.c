/* SPDX-License-Identifier: MIT */
/* Transfers that end badly, or that the app ends. */
#include "tests/fidelity/fidelity.h"

#include <string.h>

static void fail_on_error(struct watch *w)
{
  set(w, FAILONERROR, 1L);
}

static void serve_status(void)
{
  char text[256];

  snprintf(text, sizeof text, "HTTP/1.1 %ld Not That\r\nContent-Type: text/plain\r\nX-One: 1\r\n" CLOSE HELLO,
           scenario->number);
  serve("status", text);
}

void error_by_status(void)
{
  serve_status();
  perform_and_ask("status", fail_on_error);
}

static void follow_and_fail(struct watch *w)
{
  set(w, FAILONERROR, 1L);
  set(w, FOLLOWLOCATION, 1L);
}

void error_by_status_after_redirect(void)
{
  serve_status();
  serve("from", "HTTP/1.1 307 There\r\nLocation: status\r\n" CLOSE HELLO);
  perform_and_ask("from", follow_and_fail);
}

/* The answer is stored by a call that does not mind, and then told to one that does. */
void error_by_status_on_second_thought(void)
{
  struct watch w;

  serve_status();
  watch_open(&w, "status");
  watch_perform(&w);
  set(&w, FAILONERROR, 1L);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
}

static void keep_sending(struct watch *w)
{
  set(w, FAILONERROR, 1L);
  set(w, KEEP_SENDING_ON_ERROR, 1L);
}

void error_by_status_kept_sending(void)
{
  serve_status();
  perform_and_ask("status", keep_sending);
}

/* Write callbacks that give up. */

static void serve_pieces(void)
{
  serve("pieces", OK "Content-Length: 15\r\n\r\nhello\1, worl\1d!!!");
}

static void take_less(struct watch *w)
{
  w->write = (struct verdict){(int)scenario->number, 3};
}

static void take_nothing(struct watch *w)
{
  w->write = (struct verdict){(int)scenario->number, 0};
}

static void take_more(struct watch *w)
{
  w->write = (struct verdict){(int)scenario->number, 1000};
}

static void return_error(struct watch *w)
{
  w->write = (struct verdict){(int)scenario->number, 0xFFFFFFFF}; /* CURL_WRITEFUNC_ERROR of 7.87 */
}

void error_of_a_short_write(void)
{
  serve_pieces();
  perform_and_ask("pieces", take_less);
}

void error_of_no_write(void)
{
  serve_pieces();
  perform_and_ask("pieces", take_nothing);
}

void error_of_a_long_write(void)
{
  serve_pieces();
  perform_and_ask("pieces", take_more);
}

void error_of_the_write_function(void)
{
  serve_pieces();
  perform_and_ask("pieces", return_error);
}

static void header_takes_less(struct watch *w)
{
  w->header = (struct verdict){(int)scenario->number, 3};
}

void error_of_the_header_function(void)
{
  serve_pieces();
  perform_and_ask("pieces", header_takes_less);
}

static void header_returns_error(struct watch *w)
{
  w->header = (struct verdict){(int)scenario->number, 0xFFFFFFFF};
}

void error_returned_by_the_header_function(void)
{
  serve_pieces();
  perform_and_ask("pieces", header_returns_error);
}

static void header_in_body_takes_less(struct watch *w)
{
  set(w, HEADER, 1L);
  w->write = (struct verdict){(int)scenario->number, 3};
}

void error_of_a_header_in_the_body(void)
{
  serve_pieces();
  perform_and_ask("pieces", header_in_body_takes_less);
}

/* The call fails once, and is then made again as it should. */
void error_and_again(void)
{
  struct watch w;

  serve_pieces();
  watch_open(&w, "pieces");
  take_less(&w);
  watch_perform(&w);
  w.write.at = 0;
  watch_perform(&w);
  say_infos(&w);
  w.write.at = 2;
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
}

/* Sizes. */

static void limit_size(struct watch *w)
{
  set(w, MAXFILESIZE, scenario->number);
}

void error_of_size_known(void)
{
  serve("sized", OK "Content-Length: 10\r\n\r\nhelloworld");
  perform_and_ask("sized", limit_size);
}

void error_of_size_unknown(void)
{
  serve("chunked", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n");
  perform_and_ask("chunked", limit_size);
}

/* The limit comes after the answer is stored. */
void error_of_size_on_second_thought(void)
{
  struct watch w;

  serve("sized", OK "Content-Length: 10\r\n\r\nhelloworld");
  watch_open(&w, "sized");
  watch_perform(&w);
  set(&w, MAXFILESIZE_LARGE, (curl_off_t)scenario->number);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
}

/* The network. */

void error_of_a_short_body(void)
{
  serve("short", OK "Content-Length: 10\r\n\r\nhello");
  perform_and_ask("short", NULL);
}

void error_of_an_unfinished_chunk(void)
{
  serve("unfinished", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n9\r\nwor");
  perform_and_ask("unfinished", NULL);
}

void error_of_bad_chunks(void)
{
  serve("badchunks", OK "Transfer-Encoding: chunked\r\n\r\nnonsense\r\nhello\r\n0\r\n\r\n");
  perform_and_ask("badchunks", NULL);
}

void error_of_no_answer(void)
{
  serve("silence", "");
  perform_and_ask("silence", NULL);
}

void error_of_a_bad_status_line(void)
{
  serve("nonsense", "NONSENSE\r\n\r\n");
  perform_and_ask("nonsense", NULL);
}

void error_of_an_unfinished_header(void)
{
  serve("unfinished", "HTTP/1.1 200 OK\r\nX-Unfini");
  perform_and_ask("unfinished", NULL);
}

static void be_hasty(struct watch *w)
{
  set(w, TIMEOUT_MS, 600L);
}

void error_of_a_timeout(void)
{
  serve("slow", OK "Content-Length: 10\r\n\r\nhello" STALL "world");
  perform_with("slow", be_hasty);
}

static void be_patient(struct watch *w)
{
  set(w, TIMEOUT_MS, 20000L);
  set(w, CONNECTTIMEOUT_MS, 10000L);
  set(w, LOW_SPEED_LIMIT, 1L);
  set(w, LOW_SPEED_TIME, 20L);
}

void error_of_no_timeout(void)
{
  serve_pieces();
  perform_and_ask("pieces", be_patient);
}

/* The error buffer. */

static void no_error_buffer(struct watch *w)
{
  set(w, ERRORBUFFER, NULL);
  set(w, FAILONERROR, 1L);
}

void error_without_a_buffer(void)
{
  serve_status();
  perform_with("status", no_error_buffer);
}

void error_of_a_header_too_long(void)
{
  static char text[200000];
  size_t len = (size_t)snprintf(text, sizeof text, OK "X-Long: ");

  memset(text + len, 'x', 120000);
  strcpy(text + len + 120000, "\r\n" HELLO);
  serve("toolong", text);
  perform_and_ask("toolong", NULL);
}

void error_then_success_clears_the_buffer(void)
{
  struct watch w;

  serve_pieces();
  watch_open(&w, "pieces");
  take_less(&w);
  watch_perform(&w);
  w.write.at = 0;
  watch_perform(&w);
  watch_close(&w);
}
