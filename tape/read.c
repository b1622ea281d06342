/* SPDX-License-Identifier: MIT */
/*
 * One exchange, read when it is asked for. The segment is opened for it and closed again: mapping it would be
 * a SIGBUS in the app if somebody truncated the file, and a descriptor that stays could be closed by the app.
 */
#include "store/base/fd.h"
#include "store/base/process.h"
#include "store/judge/event_stream.h"
#include "tape/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

enum { ALIGNMENT = _Alignof(struct tape_chunk) };

/* Chunks are structs, so they need an address that fits them. */
static size_t aligned(size_t len)
{
  return (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Summary, content and chunks, each where it may begin. */
static int make_room(struct tape_record *record, const struct tape_frame *frame, bool whole)
{
  size_t size = aligned(frame->summary_len) + (whole ? 2 * aligned(frame->content_len) : 0) + ALIGNMENT;
  char *bytes = record->bytes;
  size_t room = record->room;
  if (size > room) {
    free(bytes);
    bytes = malloc(size);
    room = bytes ? size : 0;
  }
  *record = (struct tape_record){.bytes = bytes, .room = room};
  return bytes ? 0 : -ENOMEM;
}

/* The summary alone, or both; spans point into the record's own bytes. */
static int read_parts(int fd, const struct tape_file *file, const struct tape_entry *entry, bool whole,
                      struct tape_record *record)
{
  size_t len;
  char *content = record->bytes + aligned(entry->frame.summary_len);
  char *chunks = content + aligned(entry->frame.content_len);
  int rc = tape_part_read(fd, file, entry->offset, &entry->frame, false, record->bytes, &len);
  if (rc == 0)
    rc = tape_summary_parse((struct idem_span){record->bytes, len}, record);
  if (rc < 0 || !whole)
    return rc;
  rc = tape_part_read(fd, file, entry->offset, &entry->frame, true, content, &len);
  return rc < 0 ? rc
                : tape_content_parse((struct idem_span){content, len}, record,
                                     (struct tape_chunk *)(void *)chunks);
}

/* Damage, rotation and a disk's errors are different news for a person. */
static int fail(const char *path, uint64_t number, uint64_t offset, int code, struct idem_error *error)
{
  char reason[128];
  if (code == -EILSEQ)
    return idem_error_set(error, code, "%s: exchange %" PRIu64 ", at offset %" PRIu64 ", is damaged", path,
                          number, offset);
  if (code == -ENOENT)
    return idem_error_set(error, code, "%s: is gone, and with it exchange %" PRIu64 "; the tape was rotated",
                          path, number);
  return idem_error_set(error, code, "%s: exchange %" PRIu64 ": %s", path, number,
                        strerror_r(-code, reason, sizeof(reason)));
}

/* Opens the segment, reads and closes it again. Numbers count from 1, as people do. */
static int read_record(const struct tape *tape, uint64_t number, bool whole, struct tape_record *record,
                       struct idem_error *error)
{
  char path[PATH_MAX];
  if (number < 1 || number > tape->count)
    return idem_error_set(error, -ERANGE, "%s: there is no exchange %" PRIu64 "; it has %zu", tape->dir,
                          number, tape->count);
  const struct tape_entry *entry = &tape->entries[number - 1];
  const struct tape_file *file = &tape->files[entry->segment];
  if (!tape_segment_path(path, tape->dir, file->number) || make_room(record, &entry->frame, whole) < 0)
    return idem_error_set(error, -ENOMEM, "%s: no memory for exchange %" PRIu64, tape->dir, number);
  int fd = fd_open(path, O_RDONLY, 0);
  int rc = fd < 0 ? fd : read_parts(fd, file, entry, whole, record);
  if (fd >= 0)
    close(fd);
  record->number = number;
  record->process = entry->process;
  return rc < 0 ? fail(path, number, entry->offset, rc, error) : 0;
}

/* The app must not notice it: no signal, no cancellation, errno as it was. */
static int read_quietly(const struct tape *tape, uint64_t number, bool whole, struct tape_record *record,
                        struct idem_error *error)
{
  struct quiet quiet = quiet_begin();
  int rc = read_record(tape, number, whole, record, error);
  quiet_end(&quiet);
  return rc;
}

/* Reads headers and bodies, too. */
int tape_read(const struct tape *tape, uint64_t number, struct tape_record *record, struct idem_error *error)
{
  return read_quietly(tape, number, true, record, error);
}

/* Reads the summary alone (names, times, sizes), which is enough for a list. */
int tape_peek(const struct tape *tape, uint64_t number, struct tape_record *record, struct idem_error *error)
{
  return read_quietly(tape, number, false, record, error);
}

/* Zero is released, so it may be called twice. */
void tape_record_release(struct tape_record *record)
{
  free(record->bytes);
  *record = (struct tape_record){0};
}

/* The header lines are those of the record; more than `room` are left out. */
struct idem_request tape_request(const struct tape_record *record, const struct idem_rule *rule,
                                 struct idem_span *headers, size_t room)
{
  struct idem_request request = {.rule = rule,
                                 .method = record->method,
                                 .origin = record->origin,
                                 .path = record->path,
                                 .query = record->query,
                                 .headers = headers,
                                 .shape = record->shape,
                                 .body = record->request_body};
  struct idem_span rest = record->request_headers;
  while (request.header_count < room && event_stream_line(&rest, &headers[request.header_count]))
    request.header_count++;
  return request;
}

/* Facts. */

/* Facts are a few dozen, and asked for one by one by people. */
static bool find_fact(struct idem_span facts, unsigned number, struct idem_span *value)
{
  uint16_t head[2];
  while (facts.len >= sizeof(head)) {
    memcpy(head, facts.data, sizeof(head));
    facts = (struct idem_span){facts.data + sizeof(head), facts.len - sizeof(head)};
    if (head[1] > facts.len)
      return false;
    *value = (struct idem_span){facts.data, head[1]};
    if (head[0] == number)
      return true;
    facts = (struct idem_span){facts.data + head[1], facts.len - head[1]};
  }
  return false;
}

/* False for one that is not there, or is a text. */
bool tape_fact_number(const struct tape_outcome *outcome, unsigned number, int64_t *value)
{
  struct idem_span fact;
  if (!find_fact(outcome->facts, number, &fact) || fact.len != sizeof(*value))
    return false;
  memcpy(value, fact.data, sizeof(*value));
  return true;
}

/* False for one that is not there, or is a number. */
bool tape_fact_text(const struct tape_outcome *outcome, unsigned number, struct idem_span *value)
{
  if (!find_fact(outcome->facts, number, value) || !value->len || value->data[value->len - 1] != '\0')
    return false;
  value->len--;
  return true;
}
