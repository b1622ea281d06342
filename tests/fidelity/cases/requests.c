/* SPDX-License-Identifier: MIT */
/* Request bodies of every kind: the answer comes again, and what is told of the upload. */
#include "tests/fidelity/fidelity.h"

#include <string.h>

static void serve_hello(void)
{
  serve("hello", OK HELLO);
}

static const char zeros[] = "{\"a\":1}\0\0more";

static void post_zeros(struct watch *w)
{
  set(w, POSTFIELDSIZE, (long)sizeof zeros - 1);
  set(w, POSTFIELDS, zeros);
}

void request_of_fields_with_zeros(void)
{
  serve_hello();
  perform_and_ask("hello", post_zeros);
}

static void post_large_size(struct watch *w)
{
  set(w, POSTFIELDS, "{\"a\":1} and what is left out");
  set(w, POSTFIELDSIZE_LARGE, (curl_off_t)7);
}

void request_of_fields_of_a_size(void)
{
  serve_hello();
  perform_and_ask("hello", post_large_size);
}

static void post_nothing(struct watch *w)
{
  set(w, POSTFIELDSIZE, -1L);
  set(w, POSTFIELDS, "");
}

void request_of_nothing(void)
{
  serve_hello();
  perform_and_ask("hello", post_nothing);
}

/* The app feeds its body. */

struct source {
  const char *text;
  size_t len, at, piece;
  int seeks;
};

static size_t feed(char *to, size_t size, size_t count, void *user)
{
  struct source *source = user;
  size_t left = source->len - source->at, room = size * count;
  size_t n = left < room ? left : room;

  n = source->piece && n > source->piece ? source->piece : n;
  memcpy(to, source->text + source->at, n);
  source->at += n;
  return n;
}

static int rewind_to(void *user, curl_off_t offset, int origin)
{
  struct source *source = user;

  source->seeks++;
  source->at = origin == SEEK_SET ? (size_t)offset : source->at;
  return CURL_SEEKFUNC_OK;
}

static struct source source;

static void fed_by(struct watch *w, size_t piece)
{
  source = (struct source){"{\"fed\":true, \"by\":\"pieces\"}", 28, 0, piece, 0};
  set(w, POSTFIELDS, NULL);
  set(w, POST, 1L);
  set(w, READFUNCTION, feed);
  set(w, READDATA, &source);
  set(w, SEEKFUNCTION, rewind_to);
  set(w, SEEKDATA, &source);
}

static void fed_with_size(struct watch *w)
{
  fed_by(w, 0);
  set(w, POSTFIELDSIZE, (long)source.len);
}

static void fed_without_size(struct watch *w)
{
  fed_by(w, 5);
  set(w, POSTFIELDSIZE, -1L);
}

void request_fed_with_size(void)
{
  serve_hello();
  perform_and_ask("hello", fed_with_size);
}

void request_fed_without_size(void)
{
  serve_hello();
  perform_and_ask("hello", fed_without_size);
}

static void fed_with_progress(struct watch *w)
{
  fed_with_size(w);
  watch_progress(w);
}

void request_fed_with_progress(void)
{
  serve_hello();
  perform_with("hello", fed_with_progress);
}

static void fed_in_chunks_with_progress(struct watch *w)
{
  static struct curl_slist chunked = {(char *)(uintptr_t) "Transfer-Encoding: chunked", NULL};

  fed_without_size(w);
  set(w, HTTPHEADER, &chunked);
  watch_progress(w);
}

void request_fed_in_chunks_with_progress(void)
{
  serve_hello();
  perform_and_ask("hello", fed_in_chunks_with_progress);
}

static size_t refuse_to_feed(char *to, size_t size, size_t count, void *user)
{
  (void)to;
  (void)size;
  (void)count;
  (void)user;
  return CURL_READFUNC_ABORT;
}

static void fed_by_nobody(struct watch *w)
{
  fed_with_size(w);
  set(w, READFUNCTION, refuse_to_feed);
}

void request_fed_by_nobody(void)
{
  serve_hello();
  perform_with("hello", fed_by_nobody);
}

static void upload(struct watch *w)
{
  fed_by(w, 0);
  set(w, UPLOAD, 1L);
  set(w, INFILESIZE_LARGE, (curl_off_t)source.len);
}

void request_of_an_upload(void)
{
  serve_hello();
  perform_and_ask("hello", upload);
}

static void upload_a_file(struct watch *w)
{
  FILE *file = tmpfile();

  fputs("{\"from\":\"a file\"}", file);
  rewind(file);
  set(w, POST, 1L);
  set(w, POSTFIELDS, NULL);
  set(w, POSTFIELDSIZE, 17L);
  set(w, READDATA, file);
}

void request_of_a_file(void)
{
  serve_hello();
  perform_and_ask("hello", upload_a_file);
}

/* Forms. */

void request_of_a_mime(void)
{
  struct watch w;
  curl_mime *mime;
  curl_mimepart *part;

  serve_hello();
  watch_open(&w, "hello");
  mime = curl_mime_init(w.easy);
  part = curl_mime_addpart(mime);
  curl_mime_name(part, "purpose");
  curl_mime_data(part, "fine-tune", CURL_ZERO_TERMINATED);
  part = curl_mime_addpart(mime);
  curl_mime_name(part, "file");
  curl_mime_filename(part, "a.jsonl");
  curl_mime_type(part, "application/jsonl");
  curl_mime_data(part, "{\"a\":1}\n\0", 9);
  set(&w, MIMEPOST, mime);
  watch_perform(&w);
  say_infos(&w);
  watch_perform(&w);
  curl_mime_free(mime);
  watch_close(&w);
}

void request_of_a_form(void)
{
  struct watch w;
  struct curl_httppost *first = NULL, *last = NULL;

  serve_hello();
  watch_open(&w, "hello");
  curl_formadd(&first, &last, CURLFORM_COPYNAME, "name", CURLFORM_COPYCONTENTS, "value", CURLFORM_END);
  curl_formadd(&first, &last, CURLFORM_COPYNAME, "file", CURLFORM_BUFFER, "a.txt", CURLFORM_BUFFERPTR, "text",
               CURLFORM_BUFFERLENGTH, 4L, CURLFORM_END);
  set(&w, HTTPPOST, first);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
  curl_formfree(first);
}

/* Lines, names and places. */

void request_with_headers(void)
{
  struct watch w;
  struct curl_slist *lines = curl_slist_append(NULL, "Content-Type: application/json");

  lines = curl_slist_append(lines, "Authorization: Bearer test-credential-alpha");
  lines = curl_slist_append(lines, "Expect:");
  lines = curl_slist_append(lines, "X-Empty;");
  serve_hello();
  watch_open(&w, "hello");
  set(&w, HTTPHEADER, lines);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
  curl_slist_free_all(lines);
}

static void name_user(struct watch *w)
{
  set(w, USERPWD, "user:test-credential-alpha");
}

void request_with_a_password(void)
{
  serve_hello();
  perform_and_ask("hello", name_user);
}

static void change_word(struct watch *w)
{
  set(w, CUSTOMREQUEST, "SEARCH");
}

void request_of_a_custom_method(void)
{
  serve_hello();
  perform_and_ask("hello", change_word);
}

void request_by_url_handle(void)
{
  struct watch w;
  CURLU *url = curl_url();

  serve_hello();
  watch_open(&w, "hello");
  curl_url_set(url, CURLUPART_URL, wire_url("hello"), 0);
  curl_url_set(url, CURLUPART_QUERY, "a=b", 0);
  set(&w, CURLU, url);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
  curl_url_cleanup(url);
}

static void with_a_fragment(struct watch *w)
{
  char url[512];

  snprintf(url, sizeof url, "%s?a=b&c=%%20#part", wire_url("hello"));
  set(w, URL, url);
}

void request_with_query_and_fragment(void)
{
  serve_hello();
  perform_and_ask("hello", with_a_fragment);
}

static void without_a_scheme(struct watch *w)
{
  set(w, URL, strstr(wire_url("hello"), "127."));
}

void request_without_a_scheme(void)
{
  serve_hello();
  perform_and_ask("hello", without_a_scheme);
}

static void with_a_port(struct watch *w)
{
  set(w, URL, "http://127.0.0.1:9/wire/hello");
  set(w, PORT, server_port());
}

void request_with_the_port_as_an_option(void)
{
  serve_hello();
  perform_and_ask("hello", with_a_port);
}

static void of_a_megabyte(struct watch *w)
{
  static char body[1200000];

  memset(body, 'x', sizeof body - 1);
  set(w, POSTFIELDSIZE, -1L);
  set(w, POSTFIELDS, body);
}

/* libcurl asks first whether it may: Expect: 100-continue. */
void request_of_a_megabyte(void)
{
  serve_hello();
  perform_and_ask("hello", of_a_megabyte);
}
