/* SPDX-License-Identifier: MIT */
/* Content and transfer codings: decoded for the app, or raw. */
#include "tests/fidelity/fidelity.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static size_t compress_to(char *to, size_t room, const char *text, int window_bits)
{
  z_stream stream = {.next_in = (Bytef *)(uintptr_t)text,
                     .avail_in = (uInt)strlen(text),
                     .next_out = (Bytef *)to,
                     .avail_out = (uInt)room};

  if (deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
      deflate(&stream, Z_FINISH) != Z_STREAM_END)
    abort();
  deflateEnd(&stream);
  return room - stream.avail_out;
}

enum { GZIP = 31, ZLIB = 15 };

static const char text[] = "{\"text\":\"hello, hello, hello, hello, hello, hello, hello\"}";

static void serve_coded(const char *coding, int window_bits, bool sized)
{
  char answer[1024], body[512];
  size_t len = compress_to(body, sizeof body, text, window_bits), head;

  head = (size_t)snprintf(
      answer, sizeof answer,
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: %s\r\n" CLOSE, coding);
  head += (size_t)(sized ? snprintf(answer + head, sizeof answer - head, "Content-Length: %zu\r\n\r\n", len)
                         : snprintf(answer + head, sizeof answer - head,
                                    "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", len));
  memcpy(answer + head, body, len);
  head += len;
  if (!sized)
    head += (size_t)snprintf(answer + head, sizeof answer - head, "\r\n0\r\n\r\n");
  serve_bytes("coded", answer, head);
}

static void any_coding(struct watch *w)
{
  set(w, ACCEPT_ENCODING, "");
}

static void gzip_alone(struct watch *w)
{
  set(w, ACCEPT_ENCODING, "gzip");
}

void encoding_gzip(void)
{
  serve_coded("gzip", GZIP, true);
  perform_and_ask("coded", gzip_alone);
}

void encoding_gzip_in_chunks(void)
{
  serve_coded("gzip", GZIP, false);
  perform_and_ask("coded", gzip_alone);
}

void encoding_any(void)
{
  serve_coded("deflate", ZLIB, true);
  perform_and_ask("coded", any_coding);
}

void encoding_not_asked_for(void)
{
  serve_coded("gzip", GZIP, true);
  perform_and_ask("coded", NULL);
}

void encoding_not_applied(void)
{
  serve("coded", OK HELLO);
  perform_and_ask("coded", any_coding);
}

static void keep_raw(struct watch *w)
{
  set(w, ACCEPT_ENCODING, "gzip");
  set(w, HTTP_CONTENT_DECODING, 0L);
}

void encoding_left_raw(void)
{
  serve_coded("gzip", GZIP, true);
  perform_and_ask("coded", keep_raw);
}

void encoding_identity(void)
{
  serve("coded", OK "Content-Encoding: identity\r\n" HELLO);
  perform_and_ask("coded", any_coding);
}

void encoding_broken(void)
{
  serve("coded", OK "Content-Encoding: gzip\r\n" HELLO);
  perform_and_ask("coded", any_coding);
}

static void decode_and_watch(struct watch *w)
{
  any_coding(w);
  watch_progress(w);
}

void encoding_with_progress(void)
{
  serve_coded("gzip", GZIP, true);
  perform_with("coded", decode_and_watch);
}

static void raw_transfer(struct watch *w)
{
  set(w, HTTP_TRANSFER_DECODING, 0L);
}

static const char chunks[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" CLOSE
                             "Transfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n";

void encoding_of_transfer_left_raw(void)
{
  serve("coded", chunks);
  perform_and_ask("coded", raw_transfer);
}

/* One program takes the answer decoded, and one as it is: they are two. */
void encoding_asked_for_later(void)
{
  struct watch w;

  serve_coded("gzip", GZIP, true);
  watch_open(&w, "coded");
  gzip_alone(&w);
  watch_perform(&w);
  set(&w, ACCEPT_ENCODING, NULL);
  watch_perform(&w);
  watch_close(&w);
}
