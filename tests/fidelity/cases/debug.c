/* SPDX-License-Identifier: MIT */
/* What VERBOSE tells. What was received is told as it was live; a replay sends nothing, and has no connection
 * to talk about. */
#include "tests/fidelity/fidelity.h"

#include <string.h>

static int on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *watch)
{
  static const char *const names[] = {"~ text",     "debug header in", "~ header out", "debug data in",
                                      "~ data out", "~ ssl in",        "~ ssl out"};
  struct watch *w = watch;

  (void)easy;
  if (type == CURLINFO_DATA_IN && scenario->number)
    say(w->out, "~ data in");
  else if (type == CURLINFO_HEADER_IN || type == CURLINFO_DATA_IN)
    say_bytes(w->out, names[type], data, size);
  else if (type == CURLINFO_HEADER_OUT || type == CURLINFO_DATA_OUT)
    say(w->out, "%s", names[type]);
  return 0;
}

static void be_verbose(struct watch *w)
{
  set(w, VERBOSE, 1L);
  set(w, DEBUGFUNCTION, on_debug);
  set(w, DEBUGDATA, w);
}

void debug_of_a_call(void)
{
  serve("hello", OK "X-One: 1\r\n" HELLO);
  perform_with("hello", be_verbose);
}

void debug_of_pieces(void)
{
  serve("pieces", OK "Content-Length: 10\r\n\r\nhello\1world");
  perform_with("pieces", be_verbose);
}

/* Some versions of libcurl show the chunks, and some what is in them. */
void debug_of_chunks(void)
{
  serve("chunks", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  perform_with("chunks", be_verbose);
}

void debug_of_trailers(void)
{
  serve("trailers", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n");
  perform_with("trailers", be_verbose);
}

static void verbose_and_following(struct watch *w)
{
  be_verbose(w);
  set(w, FOLLOWLOCATION, 1L);
}

void debug_of_a_redirect(void)
{
  serve("from", "HTTP/1.1 307 There\r\nLocation: to\r\n" CLOSE HELLO);
  serve("to", OK HELLO);
  perform_with("from", verbose_and_following);
}

/* Without a function it goes to STDERR, and nothing of it elsewhere. */
static void verbose_to_a_file(struct watch *w)
{
  static FILE *file;

  file = fopen(own_file("verbose"), "we");
  set(w, VERBOSE, 1L);
  set(w, STDERR, file);
  w->data = file;
}

static void print_received_lines(const char *path)
{
  FILE *file = fopen(path, "re");
  char line[1024];

  while (file && fgets(line, sizeof line, file))
    if (*line == '<')
      say_bytes(stdout, "stderr", line, strlen(line));
  if (file)
    fclose(file);
}

void debug_without_a_function(void)
{
  struct watch w;
  const char *path = own_file("verbose");

  serve("hello", OK "X-One: 1\r\n" HELLO);
  watch_open(&w, "hello");
  verbose_to_a_file(&w);
  watch_perform(&w);
  watch_close(&w);
  fclose(w.data);
  print_received_lines(path);
  remove(path);
}

static void not_verbose(struct watch *w)
{
  be_verbose(w);
  set(w, VERBOSE, 0L);
}

void debug_turned_off(void)
{
  serve("hello", OK HELLO);
  perform_with("hello", not_verbose);
}
