/* SPDX-License-Identifier: MIT */
/*
 * A read callback is a stream that can be read once, and both the key and libcurl need its bytes. So the body
 * is read ahead until its end or a limit, in the pieces that libcurl would ask for, and given to libcurl
 * later by a callback of ours: in the same pieces, with the same verdict at the end, or going on with the
 * app's reader where the reading ahead has stopped. A rewind that we cannot serve goes to the app; from then
 * on everything comes from its reader.
 */
#include "shim/request/body.h"

#include "shim/base/ahead.h"
#include "shim/handle/callbacks.h"
#include "shim/handle/overrides.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The app sends in chunks; how long the body is, is then said by its end alone [http.c, Curl_http_body]. */
static bool is_chunked(const struct shadow *shadow)
{
  static const char name[] = "Transfer-Encoding:";
  const struct curl_slist *line = (const struct curl_slist *)shadow->slot[SLOT_HTTPHEADER];
  for (; line; line = line->next)
    if (strncasecmp(line->data, name, sizeof(name) - 1) == 0 &&
        strcasestr(line->data + sizeof(name) - 1, "chunked"))
      return true;
  return false;
}

/* The size that the app has set; negative: none. */
static int64_t expected_size(const struct shadow *shadow)
{
  return (int64_t)
      shadow->slot[shadow->request == HTTP_PUT ? SLOT_INFILESIZE_LARGE : SLOT_POSTFIELDSIZE_LARGE];
}

/* libcurl takes this for neither bytes nor a verdict, whatever the room, and ends the call with
 * CURLE_READ_ERROR. */
#define FUNNY_VALUE ((size_t)-1)

/* How much libcurl would ask for: since 8.7 not more than is missing of the announced size. */
static size_t next_room(const struct body *body, int64_t expected, size_t room)
{
  int64_t missing = expected - (int64_t)body->read.bytes.len;
  if (expected < 0)
    return room;
  if (missing <= 0)
    return 0;
  return missing < (int64_t)room && body->shadow->lib->version >= 0x080700 ? (size_t)missing : room;
}

/* Reads until the end, the announced size, the limit, a verdict, or for too long; `whole` says
 * that nothing is missing. */
static void read_ahead(struct body *body, uint64_t limit)
{
  int64_t expected = body->chunked ? -1 : expected_size(body->shadow);
  struct ahead ahead = callback_ahead(body->shadow, expected < 0);
  while (body->read.bytes.len <= limit) {
    body->late = ahead_is_late(&ahead);
    if (body->late)
      return;
    size_t room = next_room(body, expected, ahead.room);
    char *into = buffer_reserve(&body->read.bytes, ahead.buffer);
    if (!into)
      return;
    size_t count = room ? callback_read(body->shadow, into, room) : 0;
    if (count > room) {
      bool known = count == CURL_READFUNC_ABORT || count == CURL_READFUNC_PAUSE;
      body->verdict = known ? count : FUNNY_VALUE;
      body->resumed = body->shadow->resumed;
      return;
    }
    body->read.bytes.len += count;
    ahead_note_piece(&ahead);
    /* With chunked coding each piece of the app's is a chunk. */
    if (count && count < room && expected < 0 && !pieces_end(&body->read))
      return;
    if (count == 0) {
      body->whole = true;
      body->span = (struct idem_span){body->read.bytes.data, body->read.bytes.len};
      return;
    }
  }
}

/* An attempt that failed before libcurl asked for the body has emptied the app's reader, unlike without us.
 * Where that has nothing now, and neither it nor the announced size is another one, the body is the one that
 * was never sent. */
static void take_unsent(struct body *body)
{
  struct shadow *shadow = body->shadow;
  struct pieces *unsent = &shadow->unsent;
  int64_t expected = body->chunked ? -1 : expected_size(shadow);
  bool same = shadow->unsent_by[0] == body->by[0] && shadow->unsent_by[1] == body->by[1] &&
              (expected < 0 || (uint64_t)expected == unsent->bytes.len);
  if (same && body->whole && !body->read.bytes.len) {
    pieces_release(&body->read);
    body->read = *unsent;
    *unsent = (struct pieces){0};
    body->span = (struct idem_span){body->read.bytes.data, body->read.bytes.len};
  }
  pieces_release(unsent);
}

static void leave_unsent(struct body *body)
{
  struct shadow *shadow = body->shadow;
  pieces_release(&shadow->unsent);
  pieces_seek(&body->read, 0);
  shadow->unsent = body->read;
  memcpy(shadow->unsent_by, body->by, sizeof(body->by));
  body->read = (struct pieces){0};
}

/* POSTFIELDS lie with the app, COPYPOSTFIELDS in the shadow's copy; the size may be set apart from either. */
static void point_at_fields(struct body *body, const struct shadow *shadow)
{
  const struct buffer *copy = shadow->is_copied_post ? &shadow->copied_post : NULL;
  const char *fields = copy ? copy->data : (const char *)shadow->slot[SLOT_POSTFIELDS];
  int64_t size = expected_size(shadow);
  size_t len = size >= 0 ? (size_t)size : copy ? copy->len : strlen(fields);
  body->whole = !(copy && shadow->copied_post_lost);
  body->span = (struct idem_span){fields, copy && len > copy->len ? copy->len : len};
}

static bool has_body(const struct shadow *shadow)
{
  return !shadow->no_body && shadow->request != HTTP_GET && shadow->request != HTTP_HEAD;
}

static bool has_fields(const struct shadow *shadow)
{
  return shadow->request == HTTP_POST && (shadow->is_copied_post || shadow->slot[SLOT_POSTFIELDS]);
}

bool body_has_reader(const struct shadow *shadow)
{
  return has_body(shadow) && !has_fields(shadow);
}

void body_open(struct body *body, uint64_t limit)
{
  const struct shadow *shadow = body->shadow;
  const uintptr_t *slot = shadow->slot;
  body->whole = true;
  body->span = (struct idem_span){"", 0};
  if (!has_body(shadow))
    return;
  if (shadow->request == HTTP_FORM || shadow->request == HTTP_MIME) {
    form_body_open(&body->form, shadow, limit);
    body->whole = !body->form.reason;
    body->late = body->form.ahead.late;
    body->span = (struct idem_span){body->form.text.data, body->form.text.len};
  } else if (has_fields(shadow))
    point_at_fields(body, shadow);
  else {
    body->whole = false;
    body->fed = true;
    body->chunked = is_chunked(shadow);
    body->by[0] = slot[SLOT_READFUNCTION];
    body->by[1] = slot[SLOT_READDATA];
    read_ahead(body, limit);
    if (shadow->unsent.bytes.data)
      take_unsent(body);
  }
}

/* Gives libcurl what was read ahead first; then what the app's reader had said, or goes on to say. A pause is
 * passed on once, and not at all if the app has ended it before libcurl got there, for nobody would end it
 * again. */
static size_t feed(char *into, size_t size, size_t count, void *user)
{
  struct body *body = user;
  body->asked = true;
  size_t room = size * count, len = body->direct ? 0 : pieces_give(&body->read, into, room);
  if (len)
    return len;
  if (body->whole && !body->direct)
    return 0;
  size_t verdict = body->verdict;
  body->verdict = 0;
  if (verdict == CURL_READFUNC_PAUSE && body->resumed != body->shadow->resumed)
    verdict = 0;
  return verdict ? verdict : callback_read(body->shadow, into, room);
}

/* Rewinds as libcurl would: by the app's seek or ioctl function, or fseek() where the reader is fread()
 * [Curl_readrewind]. */
static int rewind_reader(const struct shadow *shadow, curl_off_t offset, int origin)
{
  curl_seek_callback function = (curl_seek_callback)shadow->slot[SLOT_SEEKFUNCTION];
  curl_ioctl_callback older = (curl_ioctl_callback)shadow->slot[SLOT_IOCTLFUNCTION];
  if (function)
    return function((void *)shadow->slot[SLOT_SEEKDATA], offset, origin);
  if (older)
    return older(shadow->handle, CURLIOCMD_RESTARTREAD, (void *)shadow->slot[SLOT_IOCTLDATA])
               ? CURL_SEEKFUNC_FAIL
               : CURL_SEEKFUNC_OK;
  return fseek((FILE *)shadow->slot[SLOT_READDATA], (long)offset, origin) ? CURL_SEEKFUNC_FAIL
                                                                          : CURL_SEEKFUNC_OK;
}

/* libcurl rewinds for a redirect, an authentication round or a fresh connection. What was read ahead is ours
 * to rewind. */
static int seek(void *user, curl_off_t offset, int origin)
{
  struct body *body = user;
  struct shadow *shadow = body->shadow;
  if (origin == SEEK_SET && body->whole && !body->direct && (uint64_t)offset <= body->read.bytes.len) {
    pieces_seek(&body->read, (size_t)offset);
    return CURL_SEEKFUNC_OK;
  }
  int code = rewind_reader(shadow, offset, origin);
  if (code == CURL_SEEKFUNC_OK) {
    body->direct = true;
    body->verdict = 0;
  }
  return code;
}

void body_attach(struct body *body)
{
  struct shadow *shadow = body->shadow;
  if (!body->fed)
    return;
  body->attached = true;
  override_set(shadow, CURLOPT_READFUNCTION, feed);
  override_set(shadow, CURLOPT_READDATA, body);
  /* Where nobody can rewind, libcurl says in its own words that it needs to and cannot. */
  const uintptr_t *slot = shadow->slot;
  bool seeks = body->whole || slot[SLOT_SEEKFUNCTION] || slot[SLOT_IOCTLFUNCTION] || !slot[SLOT_READFUNCTION];
  override_set(shadow, CURLOPT_SEEKFUNCTION, seeks ? (uintptr_t)seek : slot[SLOT_SEEKFUNCTION]);
  override_set(shadow, CURLOPT_SEEKDATA, seeks ? (uintptr_t)body : slot[SLOT_SEEKDATA]);
}

void body_detach(const struct body *body)
{
  body->shadow->disturbed |= form_body_changed(&body->form);
}

void body_release(struct body *body)
{
  if (body->form.text.data || body->form.readers.data || body->form.files.data)
    form_body_release(&body->form);
  if (body->attached && !body->asked && body->whole && body->read.bytes.len)
    leave_unsent(body);
  pieces_release(&body->read);
}
