/* SPDX-License-Identifier: MIT */
/*
 * What was read ahead is kept from the reader's beginning. libcurl then has it from us, byte for byte, and
 * goes on with the app's reader where ours stopped, or is told the verdict that ended it. `begun`, `kept` and
 * `whole` say where the app's reader stands; only a successful seek makes it new.
 */
#include "shim/form/form_reader.h"

#include <stdio.h>
#include <stdlib.h>

/* libcurl takes this for a failed read, whatever the room. */
#define READ_FAILED ((size_t)-1)

struct form_reader *form_reader_new(curl_off_t size, curl_read_callback read, curl_seek_callback seek,
                                    curl_free_callback free_arg, void *arg)
{
  struct form_reader *reader = calloc(1, sizeof(*reader));
  if (reader)
    *reader = (struct form_reader){
        .read_app = read, .seek_app = seek, .free_app = free_arg, .arg = arg, .size = size, .refs = 1};
  return reader;
}

void form_reader_ref(struct form_reader *reader)
{
  atomic_fetch_add(&reader->refs, 1);
}

void form_reader_unref(struct form_reader *reader)
{
  if (atomic_fetch_sub(&reader->refs, 1) != 1)
    return;
  pieces_release(&reader->read);
  free(reader);
}

void form_reader_share(struct form_reader *reader)
{
  form_reader_ref(reader);
  reader->shared = true;
}

/* The app's is called for each part of libcurl's, as it would be without us. */
void form_reader_free(void *arg)
{
  struct form_reader *reader = arg;
  if (reader->free_app)
    reader->free_app(reader->arg);
  form_reader_unref(reader);
}

/* Whatever was read ahead is no longer from the reader's beginning. */
static void forget_read(struct form_reader *reader)
{
  pieces_release(&reader->read);
  reader->verdict = 0;
  reader->kept = reader->whole = false;
}

/* Asks the app's own function. Where it agrees, what was read ahead is worth nothing. */
static int seek(struct form_reader *reader, curl_off_t offset, int origin)
{
  int code = reader->seek_app ? reader->seek_app(reader->arg, offset, origin) : CURL_SEEKFUNC_CANTSEEK;
  if (code == CURL_SEEKFUNC_OK) {
    reader->begun = origin != SEEK_SET || offset != 0;
    forget_read(reader);
  }
  return code;
}

/* Puts the app's reader at its beginning. One that cannot go back is there too while all it said is kept. */
static bool begin(struct form_reader *reader)
{
  if (reader->begun && seek(reader, 0, SEEK_SET) != CURL_SEEKFUNC_OK)
    return reader->kept;
  reader->kept = true;
  return true;
}

/* Reads as much as libcurl would ask for. NULL, or why no more can be read. */
static const char *read_more(struct form_reader *reader, const struct ahead *ahead)
{
  /* A negative size means that the end is not known. */
  uint64_t missing = (uint64_t)reader->size - reader->read.bytes.len;
  size_t room = reader->size < 0 || missing > ahead->room ? ahead->room : (size_t)missing;
  char *into = buffer_reserve(&reader->read.bytes, ahead->buffer);
  if (!into)
    return "no memory";
  reader->begun = true;
  size_t count = room ? reader->read_app(into, 1, room, reader->arg) : 0;
  if (count > room) {
    bool known = count == CURL_READFUNC_ABORT || count == CURL_READFUNC_PAUSE;
    reader->verdict = known ? count : READ_FAILED;
    reader->resumed_before = *reader->resumed;
    return "a form's reader paused or gave up";
  }
  reader->read.bytes.len += count;
  if (count && count < room && !pieces_end(&reader->read))
    return "no memory";
  reader->whole = count == 0;
  return NULL;
}

/* Reads until the reader ends, goes on for too long, or has gone over the limit: its bytes are kept in
 * any case, for libcurl. */
const char *form_reader_open(struct form_reader *reader, uint64_t limit, struct ahead *ahead,
                             const uint8_t *resumed)
{
  const char *reason = NULL;
  reader->open = true;
  reader->resumed = resumed;
  reader->verdict = 0;
  if (reader->shared)
    return "a form's reader that copied handles share";
  if (!begin(reader))
    return "a form's reader that cannot be rewound";
  if (reader->size > 0 && (uint64_t)reader->size > limit)
    return "max_body";
  while (!reason && !reader->whole)
    if (reader->read.bytes.len > limit)
      reason = "max_body";
    else if (ahead_is_late(ahead))
      reason = "a form's reader goes on for too long";
    else if (!(reason = read_more(reader, ahead)))
      ahead_note_piece(ahead);
  return reason;
}

/* Bytes that libcurl has not begun to read are still to come: it does not know that we have read them. */
void form_reader_close(struct form_reader *reader)
{
  reader->open = false;
  reader->resumed = NULL;
  if (reader->read.at > 0)
    forget_read(reader);
}

size_t form_reader_read(char *into, size_t size, size_t count, void *arg)
{
  struct form_reader *reader = arg;
  /* libcurl begins a transfer that is not ours, after one of ours that it never got to see. */
  if (!reader->open && reader->kept && reader->read.at == 0)
    begin(reader);
  size_t len = pieces_give(&reader->read, into, size * count);
  if (len)
    return len;
  if (reader->whole)
    return 0;
  size_t verdict = reader->verdict;
  reader->verdict = 0;
  /* A pause that the app has ended since, or that belongs to a call which is over,
   * would be ended by nobody. */
  if (verdict == CURL_READFUNC_PAUSE && (!reader->open || *reader->resumed != reader->resumed_before))
    verdict = 0;
  if (verdict)
    return verdict;
  reader->begun = true;
  return reader->read_app(into, size, count, reader->arg);
}

/* libcurl rewinds for a redirect or a fresh connection. Within what was read ahead the app need not be
 * asked. */
int form_reader_seek(void *arg, curl_off_t offset, int origin)
{
  struct form_reader *reader = arg;
  if (!reader->open || !reader->whole || origin != SEEK_SET || offset < 0 ||
      (size_t)offset > reader->read.bytes.len)
    return seek(reader, offset, origin);
  pieces_seek(&reader->read, (size_t)offset);
  return CURL_SEEKFUNC_OK;
}
