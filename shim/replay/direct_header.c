/* SPDX-License-Identifier: MIT */
/*
 * The header of a direct delivery, as each version of libcurl passes its lines. Versions differ in what they
 * do with lines that come while the app has paused, and in when FAILONERROR ends the transfer.
 */
#include "shim/replay/direct.h"
#include "shim/replay/direct_internal.h"

#include "shim/base/http_header.h"
#include "shim/handle/callbacks.h"
#include "shim/info/info.h"
#include "shim/replay/debug.h"

/* libcurl until 8.7 lays what comes during a pause together; since 7.83 but for a status line [sendf.c,
 * pausewrite]. The line then reaches to the end of its block, the blank line included. */
static struct idem_span held_line(struct delivery *d, struct idem_span line)
{
  unsigned version = d->shadow->lib->version;
  d->held |= d->shadow->paused;
  if (!d->held || version >= 0x080700 || (version >= 0x075300 && header_status(line.data, line.len)))
    return line;
  d->held = false;
  struct idem_span rest = span_between(line.data, d->info->headers.data + d->info->headers.len), last;
  do
    last = span_cut_line(&rest);
  while (last.len && *last.data != '\r' && *last.data != '\n');
  return span_between(line.data, rest.data);
}

/* The app is given the line: getinfo knows it from now on. */
static void pass(struct delivery *d, struct idem_span line)
{
  d->info->passed = (size_t)(line.data + line.len - d->info->headers.data);
}

/* With CURLOPT_HEADER the line is a part of the body, and comes in pieces as that does. */
static CURLcode write_line(struct delivery *d, struct idem_span line)
{
  CURLcode code = CURLE_OK;
  while (line.len && code == CURLE_OK) {
    size_t part = line.len < CURL_MAX_WRITE_SIZE ? line.len : CURL_MAX_WRITE_SIZE;
    code = direct_write(d, line.data, part, false);
    line.data += part;
    line.len -= part;
  }
  return code;
}

/* Gives `line` to the app, or a longer one in its place. */
static CURLcode write_header(struct delivery *d, struct idem_span *line)
{
  struct shadow *shadow = d->shadow;
  *line = held_line(d, *line);
  pass(d, *line);
  CURLcode code = shadow->slot[SLOT_HEADER] ? write_line(d, *line) : CURLE_OK;
  while (code == CURLE_OK && (code = direct_hold(d)) == CURLE_OK) {
    size_t taken = callback_header_copy(shadow, line->data, line->len);
    if (taken == line->len)
      return CURLE_OK;
    if (taken != CURL_WRITEFUNC_PAUSE)
      return callback_refused(shadow, true, line->len, taken);
    /* The line comes again once the pause is over; since 8.4 by itself. */
    shadow->paused = d->held = true;
    if (shadow->lib->version < 0x080400)
      *line = held_line(d, *line);
    pass(d, *line);
  }
  return code;
}

static bool wants_headers(const struct shadow *shadow)
{
  return shadow->slot[SLOT_HEADERFUNCTION] || shadow->slot[SLOT_HEADERDATA] || shadow->slot[SLOT_HEADER] ||
         debug_wanted(shadow);
}

bool direct_fails_on_error(const struct delivery *d)
{
  return d->shadow->slot[SLOT_FAILONERROR] && d->request->op.answer.status >= 400 && !d->request->tape.played;
}

/* The error is told until 7.75 in the words of the status line [http.c, print_http_error]; since 8.8 before
 * the length of the body is looked at. */
CURLcode direct_fail_on_error(struct delivery *d)
{
  unsigned version = d->shadow->lib->version;
  struct idem_span words = header_words(d->request->op.answer.headers);
  d->info->unsized = version >= 0x080800;
  if (version < 0x074b00 && words.len)
    callback_error(d->shadow, "The requested URL returned error: %.*s", (int)words.len, words.data);
  else
    callback_error(d->shadow, "The requested URL returned error: %d", d->request->op.answer.status);
  return CURLE_HTTP_RETURNED_ERROR;
}

CURLcode direct_headers(struct delivery *d)
{
  struct info *info = d->info;
  struct idem_span rest = span_of_buffer(&info->headers);
  CURLcode code = CURLE_OK;
  while (rest.len && code == CURLE_OK && wants_headers(d->shadow)) {
    const char *end = rest.data + rest.len;
    struct idem_span line = span_cut_line(&rest);
    int status = header_status(line.data, line.len);
    info->status = status ? status : info->status;
    /* FAILONERROR ended it until 7.75 at the status line, of which the app sees nothing. */
    if (status >= 400 && d->shadow->lib->version < 0x074b00 && direct_fails_on_error(d)) {
      pass(d, line);
      return direct_fail_on_error(d);
    }
    debug_before_header(d->shadow, line.data, line.len);
    code = write_header(d, &line);
    if (code == CURLE_OK) {
      debug_after_header(d->shadow, info->status, line.data, line.len);
      info->taken = info->passed;
    }
    rest = span_between(line.data + line.len, end);
  }
  if (code == CURLE_OK)
    info->passed = info->taken = info->headers.len;
  return code;
}

/* Since 8.4 they are header lines for CURLOPT_HEADER, too; no version shows them to a debug callback. */
CURLcode direct_trailers(const struct request *request)
{
  struct shadow *shadow = request->shadow;
  struct info *info = shadow->info;
  struct idem_span lines = info_record_trailers(span_of_buffer(&info->facts)), line;
  bool in_body = shadow->slot[SLOT_HEADER] && shadow->lib->version >= 0x080400;
  while ((line = span_cut_line(&lines)).len) {
    info->trailed += line.len;
    size_t taken = in_body ? callback_write_copy(shadow, line.data, line.len) : line.len;
    if (taken != line.len)
      return callback_refused(shadow, false, line.len, taken);
    info->delivered += in_body ? (int64_t)taken : 0;
    taken = callback_header_copy(shadow, line.data, line.len);
    if (taken != line.len)
      return callback_refused(shadow, true, line.len, taken);
  }
  return CURLE_OK;
}
