/* SPDX-License-Identifier: MIT */
#include "shim/live/tee.h"

#include "shim/base/http_header.h"
#include "shim/handle/callbacks.h"
#include "shim/handle/overrides.h"

#include <string.h>

/* More than any server sends; libcurl itself stops at 300 KB of header. */
#define HEADERS_MAX (1u << 20)

void tee_release(struct tee *tee)
{
  buffer_release(&tee->headers);
  buffer_release(&tee->body);
  buffer_release(&tee->chunks);
  buffer_release(&tee->moments);
  buffer_release(&tee->trailers);
}

/* Notes why it is no answer. A tape has what came until now. */
static void give_up(struct tee *tee, const char *reason)
{
  if (!tee->unfit)
    tee->unfit = reason;
  if (!tee->taped)
    tee_release(tee);
}

/* Keeps a piece of the body, and when it came; a tape wants that by a finer clock. It is kept before the app
 * has seen it, for a callback may write into what it is given. */
static void keep_body(struct tee *tee, const char *data, size_t len)
{
  int64_t now_us = monotonic_us();
  struct tape_chunk moment = {.at_us = (uint64_t)(now_us - tee->request->started_us), .len = len};
  struct idem_chunk chunk = {.len = (uint32_t)len, .at_ms = (uint32_t)((now_us - tee->started_us) / 1000)};
  tee->body_len += len;
  if (tee->unfit)
    return;
  tee->too_large = tee->body.len + len > tee->max_body;
  if (tee->too_large)
    give_up(tee, "max_body");
  else if (!buffer_append(&tee->body, data, len) || !buffer_append(&tee->chunks, &chunk, sizeof(chunk)) ||
           (tee->taped && !buffer_append(&tee->moments, &moment, sizeof(moment))))
    give_up(tee, "no memory");
}

/* Takes the last piece out of the body: libcurl gives one at which the app has paused again. */
static void unkeep_body(struct tee *tee, size_t len)
{
  tee->body_len -= len;
  if (tee->unfit)
    return;
  tee->body.len -= len;
  tee->chunks.len -= sizeof(struct idem_chunk);
  if (tee->taped)
    tee->moments.len -= sizeof(struct tape_chunk);
}

/* Takes a header line out of the body, where the write callback has put it just before,
 * a long one in pieces. */
static void take_back_header(struct tee *tee, const char *line, size_t len)
{
  bool is_written = tee->last_write == line && tee->last_write_len == len;
  tee->last_write = NULL;
  for (size_t left = len; is_written && !tee->unfit && left;) {
    const struct idem_chunk *chunks = (const struct idem_chunk *)(const void *)tee->chunks.data;
    size_t last = chunks[tee->chunks.len / sizeof(*chunks) - 1].len;
    unkeep_body(tee, last);
    left -= last;
  }
}

/* True after the empty line: a status line comes next, or a trailer where there is no body. */
static bool ends_a_block(const struct buffer *headers)
{
  const char *lines = headers->data; /* NULL before the first */
  size_t len = headers->len;
  return (len >= 4 && memcmp(lines + len - 4, "\r\n\r\n", 4) == 0) ||
         (len >= 2 && memcmp(lines + len - 2, "\n\n", 2) == 0);
}

static void keep_header(struct tee *tee, const char *line, size_t len)
{
  if (tee->shadow->slot[SLOT_HEADER])
    take_back_header(tee, line, len);
  bool begins = header_status(line, len), trails = tee->body.len || (ends_a_block(&tee->headers) && !begins);
  if (trails && begins)
    give_up(tee, "another header behind the body");
  else if (trails && (tee->taped || !tee->unfit) && !buffer_append(&tee->trailers, line, len))
    give_up(tee, "no memory");
  if (tee->unfit || trails)
    return;
  if (tee->headers.len + len > HEADERS_MAX)
    give_up(tee, "header too long");
  else if (!buffer_append(&tee->headers, line, len))
    give_up(tee, "no memory");
}

static void note_first_byte(struct tee *tee)
{
  if (tee->first_us < 0)
    tee->first_us = monotonic_us() - tee->request->started_us;
}

/* Gives the app a piece, and returns how much it takes. All of it is taken where the app refuses and a
 * listener carries on in its place, and in a copy of the process. */
static size_t offer(struct tee *tee, char *data, size_t len,
                    size_t (*callback)(struct shadow *shadow, char *data, size_t len), const char *name)
{
  if (tee->app_gone)
    return len;
  tee_sign(tee, IDEM_SIGN_CALLBACK);
  size_t taken = callback(tee->shadow, data, len);
  tee_sign(tee, IDEM_SIGN_CALLBACK_END);
  tee->app_paused = taken == CURL_WRITEFUNC_PAUSE;
  if (taken != len && !tee->app_paused)
    for (const struct tee_listener *at = tee->listeners; at; at = at->next)
      if (at->refused && at->refused(at->self, name))
        return len;
  return taken;
}

/* A piece that the app pauses at comes again; one that it refuses ends the transfer. */
static size_t on_write(char *data, size_t size, size_t count, void *user)
{
  struct tee *tee = user;
  size_t len = size * count;
  note_first_byte(tee);
  keep_body(tee, data, len);
  size_t taken = offer(tee, data, len, callback_write, "write callback");
  if (taken == CURL_WRITEFUNC_PAUSE) {
    unkeep_body(tee, len);
    return taken;
  }
  bool goes_on = tee->last_write && data == tee->last_write + tee->last_write_len;
  tee->last_write = goes_on ? tee->last_write : data;
  tee->last_write_len = goes_on ? tee->last_write_len + len : len;
  const char *kept = tee->unfit || tee->body.len < len ? data : tee->body.data + tee->body.len - len;
  for (const struct tee_listener *at = tee->listeners; at; at = at->next)
    if (at->chunk)
      at->chunk(at->self, kept, len);
  return taken;
}

/* A line that the app pauses at comes again; what was given up meanwhile keeps none. */
static void unkeep_header(struct tee *tee, size_t headers_len, size_t trailers_len)
{
  if (tee->headers.len < headers_len || tee->trailers.len < trailers_len)
    return;
  tee->headers.len = headers_len;
  tee->trailers.len = trailers_len;
}

/* Kept before the app has seen it, as a piece of the body is: it may write into its line. */
static size_t on_header(char *line, size_t size, size_t count, void *user)
{
  struct tee *tee = user;
  size_t len = size * count;
  note_first_byte(tee);
  int status = header_status(line, len);
  for (const struct tee_listener *at = status ? tee->listeners : NULL; at; at = at->next)
    if (at->status)
      at->status(at->self, status);
  size_t headers_len = tee->headers.len, trailers_len = tee->trailers.len;
  keep_header(tee, line, len);
  size_t taken = offer(tee, line, len, callback_header, "header callback");
  if (taken == CURL_WRITEFUNC_PAUSE) {
    unkeep_header(tee, headers_len, trailers_len);
    /* The line will come again without having been written, and others written without having come. */
    if (tee->shadow->slot[SLOT_HEADER])
      give_up(tee, "paused in a header that is in the body, too");
  }
  return taken;
}

void tee_attach(struct tee *tee, struct request *request)
{
  struct shadow *shadow = request->shadow;
  *tee = (struct tee){.request = request,
                      .shadow = shadow,
                      .max_body = request->rule->max_answer,
                      .started_us = monotonic_us(),
                      .first_us = -1,
                      .taped = request->tape.writer != NULL};
  override_set(shadow, CURLOPT_WRITEFUNCTION, on_write);
  override_set(shadow, CURLOPT_WRITEDATA, tee);
  override_set(shadow, CURLOPT_HEADERFUNCTION, on_header);
  override_set(shadow, CURLOPT_HEADERDATA, tee);
}

void tee_listen(struct tee *tee, struct tee_listener *listener)
{
  listener->next = tee->listeners;
  tee->listeners = listener;
}

void tee_about_to_send(const struct tee *tee)
{
  for (const struct tee_listener *at = tee->listeners; at; at = at->next)
    if (at->about_to_send)
      at->about_to_send(at->self);
}

void tee_detach(struct tee *tee)
{
  if (!override_has(tee->shadow, CURLOPT_WRITEFUNCTION))
    give_up(tee, "reset during the transfer");
}

void tee_give_up(struct tee *tee, const char *why)
{
  tee->taped = false;
  give_up(tee, why);
  tee_release(tee);
}

bool tee_has_header(const struct tee *tee)
{
  return tee->body.len || ends_a_block(&tee->headers);
}
