/* SPDX-License-Identifier: MIT */
/* Answers that lead elsewhere. */
#include "tests/fidelity/fidelity.h"

static void serve_redirect(const char *name, const char *location)
{
  char text[512];

  snprintf(text, sizeof text,
           "HTTP/1.1 %ld Elsewhere\r\nLocation: %s\r\nContent-Type: text/html\r\n" CLOSE
           "Content-Length: 7\r\n\r\n<a></a>",
           scenario->number ? scenario->number : 307, location);
  serve(name, text);
}

static void follow(struct watch *w)
{
  set(w, FOLLOWLOCATION, 1L);
}

void redirect_followed(void)
{
  serve_redirect("from", "/wire/to");
  serve("to", OK "X-There: 1\r\n" HELLO);
  perform_and_ask("from", follow);
}

void redirect_not_followed(void)
{
  serve_redirect("from", "/wire/to");
  perform_and_ask("from", NULL);
}

void redirect_of_a_relative_place(void)
{
  serve_redirect("from", "to?a=b#c");
  serve("to", OK HELLO);
  perform_and_ask("from", follow);
}

void redirect_to_another_host(void)
{
  char location[128];

  snprintf(location, sizeof location, "http://localhost:%ld/wire/to", server_port());
  serve_redirect("from", location);
  serve("to", OK HELLO);
  perform_and_ask("from", follow);
}

static void chain(void)
{
  serve_redirect("one", "two");
  serve_redirect("two", "three");
  serve_redirect("three", "four");
  serve("four", OK HELLO);
}

void redirect_chain(void)
{
  struct watch w;

  chain();
  watch_open(&w, "one");
  follow(&w);
  watch_perform(&w);
  say_infos(&w);
  for (int request = -1; request < 5; request++)
    say_headers(&w, ANY_ORIGIN, request);
  say_header(&w, "Location", 0, CURLH_HEADER, 0);
  say_header(&w, "location", 0, CURLH_HEADER, 1);
  say_header(&w, "Location", 0, CURLH_HEADER, 3);
  say_header(&w, "Location", 0, CURLH_HEADER, 4);
  say_header(&w, "Location", 0, CURLH_HEADER, -1);
  watch_close(&w);
}

static void follow_some(struct watch *w)
{
  set(w, FOLLOWLOCATION, 1L);
  set(w, MAXREDIRS, scenario->number ? 2L : 3L);
}

void redirect_too_many(void)
{
  chain();
  perform_and_ask("one", follow_some);
}

void redirect_not_too_many(void)
{
  chain();
  perform_and_ask("one", follow_some);
}

void redirect_to_a_loop(void)
{
  serve_redirect("round", "round");
  perform_and_ask("round", follow_some);
}

static void follow_as_post(struct watch *w)
{
  set(w, FOLLOWLOCATION, 1L);
  set(w, POSTREDIR, (long)CURL_REDIR_POST_ALL);
}

void redirect_as_post(void)
{
  serve_redirect("from", "to");
  serve("to", OK HELLO);
  perform_and_ask("from", follow_as_post);
}

static void follow_with_referer(struct watch *w)
{
  set(w, FOLLOWLOCATION, 1L);
  set(w, AUTOREFERER, 1L);
}

void redirect_with_referer(void)
{
  serve_redirect("from", "to");
  serve("to", OK HELLO);
  perform_and_ask("from", follow_with_referer);
}

void redirect_without_location(void)
{
  serve("from", "HTTP/1.1 302 Elsewhere\r\n" CLOSE HELLO);
  perform_and_ask("from", follow);
}

static void follow_with_headers_in_body(struct watch *w)
{
  set(w, FOLLOWLOCATION, 1L);
  set(w, HEADER, 1L);
}

void redirect_with_headers_in_body(void)
{
  serve_redirect("from", "to");
  serve("to", OK HELLO);
  perform_with("from", follow_with_headers_in_body);
}

/* A file: URL is never followed from http. */
void redirect_to_a_forbidden_scheme(void)
{
  serve_redirect("from", "file:///etc/hostname");
  perform_and_ask("from", follow);
}

/* Where redirects are followed, an http call is also named by what it demands of an https server. */
static void forget_ca(struct watch *w)
{
  set(w, CAINFO, NULL);
}

/* The same call, first with and then without following. */
void redirect_followed_no_more(void)
{
  struct watch w;

  serve_redirect("from", "to");
  serve("to", OK HELLO);
  watch_open(&w, "from");
  forget_ca(&w);
  follow(&w);
  watch_perform(&w);
  set(&w, FOLLOWLOCATION, 0L);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
}

/* And the other way round. */
void redirect_followed_later(void)
{
  struct watch w;

  serve_redirect("from", "to");
  serve("to", OK HELLO);
  watch_open(&w, "from");
  forget_ca(&w);
  watch_perform(&w);
  say_infos(&w);
  follow(&w);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
}

static void custom(struct watch *w)
{
  set(w, FOLLOWLOCATION, 1L);
  set(w, CUSTOMREQUEST, "PATCH");
}

void redirect_of_a_custom_method(void)
{
  serve_redirect("from", "to");
  serve("to", OK HELLO);
  perform_and_ask("from", custom);
}
