/* SPDX-License-Identifier: MIT */
/* curl_easy_getinfo(), every one of them, after everything that can happen to a handle. */
#include "tests/fidelity/fidelity.h"

void infos_of_a_fresh_handle(void)
{
  struct watch w;

  serve("fresh", OK HELLO);
  watch_open(&w, "fresh");
  say_infos(&w);
  watch_perform(&w);
  watch_close(&w);
}

void infos_after_success(void)
{
  serve("success", OK "X-One: 1\r\n" HELLO);
  perform_and_ask("success", NULL);
}

void infos_of_chunked(void)
{
  serve("chunked", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  perform_and_ask("chunked", NULL);
}

void infos_without_type(void)
{
  serve("untyped", "HTTP/1.1 200 OK\r\n" CLOSE HELLO);
  perform_and_ask("untyped", NULL);
}

void infos_with_parameters(void)
{
  serve("typed", "HTTP/1.1 200 OK\r\nContent-Type:  text/plain; charset=\"utf-8\" \r\n" CLOSE HELLO);
  perform_and_ask("typed", NULL);
}

void infos_of_retry_after(void)
{
  serve("retry", "HTTP/1.1 503 Busy\r\nRetry-After: 17\r\n" CLOSE HELLO);
  perform_and_ask("retry", NULL);
}

void infos_of_retry_after_in_success(void)
{
  serve("retry", OK "Retry-After: 90\r\n" HELLO);
  perform_and_ask("retry", NULL);
}

void infos_of_authentication(void)
{
  serve(
      "auth",
      "HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=\"a\"\r\nWWW-Authenticate: Bearer\r\n" CLOSE HELLO);
  perform_and_ask("auth", NULL);
}

void infos_with_status(void)
{
  char text[256];

  snprintf(text, sizeof text, "HTTP/1.1 %ld Some Words\r\nContent-Type: text/plain\r\n" CLOSE HELLO,
           scenario->number);
  serve("status", text);
  perform_and_ask("status", NULL);
}

static void ask_for_time(struct watch *w)
{
  set(w, FILETIME, 1L);
}

void infos_of_file_time(void)
{
  serve("filetime", OK "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n" HELLO);
  perform_and_ask("filetime", ask_for_time);
}

void infos_of_time_not_asked(void)
{
  serve("filetime", OK "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n" HELLO);
  perform_and_ask("filetime", NULL);
}

static void set_private(struct watch *w)
{
  set(w, PRIVATE, "the app's own");
}

void infos_private(void)
{
  serve("private", OK HELLO);
  perform_and_ask("private", set_private);
}

static void set_referer(struct watch *w)
{
  set(w, REFERER, "http://elsewhere.example/");
  set(w, USERAGENT, "a program/1.0");
}

void infos_of_referer(void)
{
  serve("referer", OK HELLO);
  perform_and_ask("referer", set_referer);
}

/* The second transfer begins with nothing of the first. */
void infos_of_the_second_call(void)
{
  struct watch w;

  serve("first", OK "Retry-After: 5\r\n" HELLO);
  serve("second", "HTTP/1.1 203 Later\r\n" CLOSE EMPTY);
  watch_open(&w, "first");
  watch_perform(&w);
  say_infos(&w);
  watch_post(&w, "second");
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
}

/* Nobody listens on port 1. */
void infos_after_a_refused_connection(void)
{
  struct watch w;

  watch_open(&w, "refused");
  set(&w, URL, "http://127.0.0.1:1/");
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
}

void infos_after_success_and_refusal(void)
{
  struct watch w;

  serve("good", OK HELLO);
  watch_open(&w, "good");
  watch_perform(&w);
  set(&w, URL, "http://127.0.0.1:1/");
  watch_perform(&w);
  w.old_speed = true;
  say_infos(&w);
  watch_close(&w);
}

void infos_after_a_bad_url(void)
{
  struct watch w;

  watch_open(&w, "bad");
  set(&w, URL, "nonsense://127.0.0.1/");
  watch_perform(&w);
  say_infos(&w);
  set(&w, URL, NULL);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
}

void infos_after_reset(void)
{
  struct watch w;

  serve("reset", OK HELLO);
  watch_open(&w, "reset");
  watch_perform(&w);
  curl_easy_reset(w.easy);
  say_infos(&w);
  watch_close(&w);
}

void infos_of_a_copy(void)
{
  struct watch w, copy;

  serve("copied", OK "Retry-After: 5\r\n" HELLO);
  watch_open(&w, "copied");
  watch_perform(&w);
  copy = w;
  copy.easy = curl_easy_duphandle(w.easy);
  say_info(&copy, CURLINFO_RESPONSE_CODE);
  say_info(&copy, CURLINFO_CONTENT_TYPE);
  say_info(&copy, CURLINFO_RETRY_AFTER);
  say_info(&copy, CURLINFO_EFFECTIVE_URL);
  watch_close(&copy);
  say_infos(&w);
  watch_close(&w);
}

/* Texts belong to the handle and stay until its next transfer. */
void infos_stay(void)
{
  struct watch w;
  char *type = NULL, *url = NULL;

  serve("stay", OK HELLO);
  watch_open(&w, "stay");
  watch_perform(&w);
  curl_easy_getinfo(w.easy, CURLINFO_CONTENT_TYPE, &type);
  curl_easy_getinfo(w.easy, CURLINFO_EFFECTIVE_URL, &url);
  say_infos(&w);
  say(w.out, "%s %s", type, url);
  watch_close(&w);
}

void infos_unknown(void)
{
  struct watch w;
  long value = 0;

  serve("unknown", OK HELLO);
  watch_open(&w, "unknown");
  watch_perform(&w);
  say(w.out, "%d", (int)curl_easy_getinfo(w.easy, (CURLINFO)(CURLINFO_LONG + 250), &value));
  say(w.out, "%d", (int)curl_easy_getinfo(w.easy, CURLINFO_NONE, &value));
  say(w.out, "%d", (int)curl_easy_getinfo(w.easy, CURLINFO_RESPONSE_CODE, NULL));
  watch_close(&w);
}

void infos_of_speed_and_time(void)
{
  struct watch w;
  curl_off_t total = 0, first = 0, speed = 0;

  serve("speed", OK "Content-Length: 10\r\n\r\nhello\1\1world");
  watch_open(&w, "speed");
  watch_perform(&w);
  curl_easy_getinfo(w.easy, CURLINFO_TOTAL_TIME_T, &total);
  curl_easy_getinfo(w.easy, CURLINFO_STARTTRANSFER_TIME_T, &first);
  curl_easy_getinfo(w.easy, CURLINFO_SPEED_DOWNLOAD_T, &speed);
  say(w.out, "in order %d, time %d, speed %d", first <= total, total > 0, speed > 0);
  watch_close(&w);
}
