/* SPDX-License-Identifier: MIT */
/* What the header callback is called with, and where else header lines go. */
#include "tests/fidelity/fidelity.h"

#include <stdlib.h>
#include <string.h>

void headers_plain(void)
{
  serve("plain", OK "X-One: 1\r\nx-two:2\r\nX-Empty:\r\nX-Blanks:   a  b  \r\nX-One: again\r\n" HELLO);
  perform_and_ask("plain", NULL);
}

/* More than 16 KB in all. */
void headers_many(void)
{
  char text[40000] = OK;
  size_t len = strlen(text);

  for (int i = 0; i < 200; i++)
    len += (size_t)snprintf(text + len, sizeof text - len, "X-Number-%03d: %0100d\r\n", i, i);
  snprintf(text + len, sizeof text - len, HELLO);
  serve("many", text);
  perform_with("many", NULL);
}

void headers_long_line(void)
{
  char text[20000];

  snprintf(text, sizeof text, OK "X-Long: %012000d\r\n" HELLO, 7);
  serve("long", text);
  perform_with("long", NULL);
}

static const char folded[] = OK "X-Folded: one\r\n two\r\n\tthree\r\nX-After: 1\r\n" HELLO;

static void say_all_headers(struct watch *w)
{
  watch_perform(w);
  say_headers(w, ANY_ORIGIN, -1);
}

void headers_folded(void)
{
  struct watch w;

  serve("folded", folded);
  watch_open(&w, "folded");
  say_all_headers(&w);
  watch_close(&w);
}

static void headers_in_body_too(struct watch *w)
{
  set(w, HEADER, 1L);
}

void headers_folded_in_body(void)
{
  serve("folded", folded);
  perform_with("folded", headers_in_body_too);
}

void headers_in_body(void)
{
  serve("inbody", OK "X-One: 1\r\n" HELLO);
  perform_and_ask("inbody", headers_in_body_too);
}

static void headers_in_body_alone(struct watch *w)
{
  set(w, HEADER, 1L);
  set(w, HEADERFUNCTION, NULL);
  set(w, HEADERDATA, NULL);
}

void headers_in_body_only(void)
{
  serve("only", OK "X-One: 1\r\n" HELLO);
  perform_with("only", headers_in_body_alone);
}

static void no_header_function(struct watch *w)
{
  set(w, HEADERFUNCTION, NULL);
}

/* They go to the write function, with this pointer. */
void headers_to_data_only(void)
{
  serve("data", OK "X-One: 1\r\n" HELLO);
  perform_with("data", no_header_function);
}

void headers_to_a_file(void)
{
  const char *path = own_file("headers");
  FILE *file = fopen(path, "we");
  struct watch w;

  serve("file", OK "X-One: 1\r\n" HELLO);
  watch_bare(&w);
  watch_post(&w, "file");
  set(&w, HEADERDATA, file);
  watch_perform(&w);
  watch_close(&w);
  fclose(file);
  print_file("headers", path);
  remove(path);
}

static void nowhere(struct watch *w)
{
  set(w, HEADERFUNCTION, NULL);
  set(w, HEADERDATA, NULL);
}

void headers_to_nobody(void)
{
  serve("nobody", OK "X-One: 1\r\n" HELLO);
  perform_with("nobody", nowhere);
}

/* The response is said in the row's own words; what counts is that it is told on. */
static void perform_response(const char *name, const char *text)
{
  struct watch w;

  serve(name, text);
  watch_open(&w, name);
  say_all_headers(&w);
  say_infos(&w);
  watch_close(&w);
}

void headers_status_words(void)
{
  perform_response("words", "HTTP/1.1 200 As You Like It\r\n" CLOSE HELLO);
}

void headers_no_status_words(void)
{
  perform_response("nowords", "HTTP/1.1 201\r\n" CLOSE HELLO);
}

void headers_of_http_10(void)
{
  perform_response("http10", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n" HELLO);
}

void headers_bare_newlines(void)
{
  perform_response("bare", "HTTP/1.1 200 OK\nConnection: close\nX-One: 1\nContent-Length: 5\n\nhello");
}

void headers_continue(void)
{
  perform_response("continue", "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n" OK "X-Late: 2\r\n" HELLO);
}

void headers_early_hints(void)
{
  perform_response("hints", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                            "HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n" OK HELLO);
}

static const char with_trailers[] = OK "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       "5\r\nhello\r\n0\r\nX-Sum: abc\r\nX-More: 1\r\nX-Sum:  d \r\n\r\n";

void headers_trailers(void)
{
  perform_response("trailers", with_trailers);
}

void headers_trailers_after_nothing(void)
{
  perform_response("trailers0", OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: abc\r\n\r\n");
}

static void ask_for_trailers(struct watch *w, int call)
{
  say(w->out, "in header %d", call);
  say_headers(w, CURLH_TRAILER, -1);
}

static void ask_in_trailers(struct watch *w)
{
  w->in_header = ask_for_trailers;
  watch_progress(w);
}

void headers_trailers_in_callback(void)
{
  serve("asked", with_trailers);
  perform_and_ask("asked", ask_in_trailers);
}

void headers_trailers_in_body(void)
{
  serve("inbody", with_trailers);
  perform_and_ask("inbody", headers_in_body_too);
}

/* The seventh line is the first trailer. */
static void refuse_trailer(struct watch *w)
{
  w->header = (struct verdict){7, 1};
}

void headers_trailer_refused(void)
{
  serve("refused", with_trailers);
  perform_with("refused", refuse_trailer);
}

void headers_in_pieces(void)
{
  perform_response("pieces", "HTTP/1.1 200 OK\r\nX-On\1e: 1\r\nX-Two: \1 2\r\n" CLOSE
                             "Content-Length: 5\r\n\r\1\nhello");
}

/* What is known in the middle of it. */

static void ask_in_header(struct watch *w, int call)
{
  (void)call;
  say_info(w, CURLINFO_RESPONSE_CODE);
  say_info(w, CURLINFO_HTTP_VERSION);
  say_info(w, CURLINFO_CONTENT_TYPE);
  say_info(w, CURLINFO_REDIRECT_COUNT);
  say_info(w, CURLINFO_SIZE_DOWNLOAD_T);
}

static void ask_all(struct watch *w, int call)
{
  if (call == 1)
    say_infos(w);
}

static void ask_in_headers(struct watch *w)
{
  w->in_header = ask_in_header;
}

static void ask_in_write(struct watch *w)
{
  w->in_write = ask_in_header;
}

static void ask_all_in_header(struct watch *w)
{
  w->in_header = ask_all;
}

static void ask_all_in_write(struct watch *w)
{
  w->in_write = ask_all;
}

void headers_code_in_callback(void)
{
  serve("code", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK "X-One: 1\r\n" HELLO);
  perform_with("code", ask_in_headers);
}

void headers_code_in_write(void)
{
  serve("codewrite", OK HELLO "\1");
  perform_with("codewrite", ask_in_write);
}

void infos_in_header_callback(void)
{
  serve("inheader", OK HELLO);
  perform_with("inheader", ask_all_in_header);
}

void infos_in_write_callback_of_chunks(void)
{
  serve("inchunks", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n\1"
                       "6\r\n, more\r\n\1"
                       "0\r\n\r\n");
  perform_with("inchunks", ask_all_in_write);
}

void infos_in_write_callback(void)
{
  serve("inwrite", OK "Content-Length: 8\r\n\r\nhel\1lo!!!");
  perform_with("inwrite", ask_all_in_write);
}
