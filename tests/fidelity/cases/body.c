/* SPDX-License-Identifier: MIT */
/* What the write callback is called with. */
#include "tests/fidelity/fidelity.h"

void body_of_length(void)
{
  serve_filler("filler", OK, (size_t)scenario->number);
  perform_with("filler", NULL);
}

void body_empty(void)
{
  serve("empty", OK EMPTY);
  perform_with("empty", NULL);
}

void body_of_204(void)
{
  serve("nothing", "HTTP/1.1 204 No Content\r\n" CLOSE "\r\n");
  perform_with("nothing", NULL);
}

void body_in_chunks(void)
{
  serve("chunks",
        OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;ext=1\r\n, world\r\n1\r\n!\r\n0\r\n\r\n");
  perform_with("chunks", NULL);
}

void body_in_pieces(void)
{
  serve("pieces", OK "Content-Length: 12\r\n\r\nhel\1lo, \1worl\1d");
  perform_with("pieces", NULL);
}

/* Without a length only JSON proves that it is whole. */
void body_until_close(void)
{
  serve("close", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" CLOSE "\r\n{\"whole\":true}");
  perform_with("close", NULL);
}

void body_to_stdout(void)
{
  struct watch w;

  serve("stdout", OK HELLO);
  watch_bare(&w);
  watch_post(&w, "stdout");
  watch_perform(&w);
  watch_close(&w);
}

void body_to_file(void)
{
  struct watch w;
  const char *path = own_file("body");
  FILE *file = fopen(path, "we");

  serve("file", OK "Content-Length: 6\r\n\r\nhello\n");
  watch_bare(&w);
  watch_post(&w, "file");
  set(&w, WRITEDATA, file);
  watch_perform(&w);
  watch_close(&w);
  fclose(file);
  print_file("file", path);
  remove(path);
}

void body_with_zeros(void)
{
  static const char text[] = OK "Content-Length: 8\r\n\r\na\0b\0\0\xff\r\n";

  serve_bytes("zeros", text, sizeof text - 1);
  perform_with("zeros", NULL);
}

static void size_buffer(struct watch *w)
{
  set(w, BUFFERSIZE, scenario->number);
}

void body_to_buffer(void)
{
  serve_filler("filler", OK, 30000);
  perform_with("filler", size_buffer);
}

static void leave_out_body(struct watch *w)
{
  set(w, NOBODY, 1L);
}

void body_nobody(void)
{
  serve("head", OK "Content-Length: 5\r\n\r\n");
  perform_and_ask("head", leave_out_body);
}

static void get(struct watch *w)
{
  set(w, HTTPGET, 1L);
}

void body_of_get(void)
{
  serve("get", OK HELLO);
  perform_and_ask("get", get);
}

static size_t second_write(char *data, size_t size, size_t count, void *watch)
{
  struct watch *w = watch;

  say_bytes(w->out, "second write", data, size * count);
  return size * count;
}

static void hand_over(struct watch *w, int call)
{
  if (call == 1)
    set(w, WRITEFUNCTION, second_write);
}

static void hand_over_later(struct watch *w)
{
  w->in_write = hand_over;
}

void body_changes_hands(void)
{
  serve("hands", OK "Content-Length: 9\r\n\r\none\1two\1six");
  perform_with("hands", hand_over_later);
}
