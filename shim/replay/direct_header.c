/* SPDX-License-Identifier: MIT */
#include "shim/replay/direct_internal.h"

#include "shim/base/http_header.h"
#include "shim/handle/callbacks.h"
#include "shim/info/info.h"
#include "shim/replay/debug.h"

#include <string.h>

/* The rest of the block that begins or goes on here. */
static size_t rest_of_block(const char *line, const char *end)
{
  const char *at = line;
  while (at < end && *at != '\r' && *at != '\n') {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    at = newline ? newline + 1 : end;
  }
  const char *newline = memchr(at, '\n', (size_t)(end - at));
  return (size_t)((newline ? newline + 1 : end) - line);
}

/* Until 8.7 libcurl lays what comes during a pause together; since 7.83 but for a status line [sendf.c,
 * pausewrite]. */
static size_t held_len(struct delivery *d, const char *line, size_t len)
{
  unsigned version = d->shadow->lib->version;
  d->held |= d->shadow->paused;
  if (!d->held || version >= 0x080700 || (version >= 0x075300 && header_status(line, len)))
    return len;
  d->held = false;
  return rest_of_block(line, d->info->headers.data + d->info->headers.len);
}

/* The header callback has paused at this line. Since 8.4 it comes again by itself. */
static size_t paused_len(struct delivery *d, const char *line, size_t len)
{
  d->shadow->paused = d->held = true;
  return d->shadow->lib->version >= 0x080400 ? len : held_len(d, line, len);
}

static CURLcode write_header(struct delivery *d, char *line, size_t *line_len)
{
  size_t len = *line_len = held_len(d, line, *line_len);
  d->info->passed = (size_t)(line + len - d->info->headers.data);
  CURLcode code = d->shadow->slot[SLOT_HEADER] ? direct_write(d, line, len) : CURLE_OK;
  while (code == CURLE_OK && (code = direct_hold(d)) == CURLE_OK) {
    size_t taken = callback_header(d->shadow, line, len);
    if (taken == len)
      return CURLE_OK;
    if (taken != CURL_WRITEFUNC_PAUSE)
      return callback_refused(d->shadow, true, len, taken);
    len = *line_len = paused_len(d, line, len);
    d->info->passed = (size_t)(line + len - d->info->headers.data);
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

/* Until 7.75 in the words of the status line [http.c, print_http_error]; since 8.8 before the length of the
 * body is looked at. */
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

/* Until 7.75 at the status line, of which the app sees nothing. */
static bool fails_at_once(const struct delivery *d, int status)
{
  return status >= 400 && d->shadow->lib->version < 0x074b00 && direct_fails_on_error(d);
}

CURLcode direct_headers(struct delivery *d)
{
  char *line = d->info->headers.data, *end = line + d->info->headers.len;
  CURLcode code = CURLE_OK;
  while (line < end && code == CURLE_OK && wants_headers(d->shadow)) {
    char *newline = memchr(line, '\n', (size_t)(end - line));
    size_t len = newline ? (size_t)(newline + 1 - line) : (size_t)(end - line);
    int status = header_status(line, len);
    d->info->status = status ? status : d->info->status;
    if (fails_at_once(d, status)) {
      d->info->passed = (size_t)(line + len - d->info->headers.data);
      return direct_fail_on_error(d);
    }
    debug_before_header(d->shadow, line, len);
    code = write_header(d, line, &len);
    if (code == CURLE_OK)
      debug_after_header(d->shadow, d->info->status, line, len);
    line += len;
    if (code == CURLE_OK)
      d->info->taken = d->info->passed;
  }
  if (code == CURLE_OK)
    d->info->passed = d->info->taken = d->info->headers.len;
  return code;
}
