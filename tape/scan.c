/* SPDX-License-Identifier: MIT */
/* A segment from its head to its end, over what is damaged. */
#include "config/kernel.h"
#include "store/base/fd.h"
#include "tape/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is looked through at a time for the next frame; and how often progress is told. */
enum { WINDOW = 1 << 16, TELL_BYTES = 1 << 22 };

/* The state of one segment's scan. `at` is always the place of a record, or what should be one. The
 * descriptor and both buffers are tape_scan_segment()'s, which closes and frees them at the end. */
struct segment_scan {
  struct tape_scan *scan;
  struct tape_file *file;
  char path[PATH_MAX];
  int fd;
  uint64_t size, at;
  char *bytes; /* room for one part */
  size_t room;
  char *window; /* for find_frame() */
};

/* Checks the sum before it decrypts: a torn part is no attack. `bytes` has room for the part as it stands
 * in the file, with its tag. */
int tape_part_read(int fd, const struct tape_file *file, uint64_t offset, const struct tape_frame *frame,
                   bool content, char *bytes, size_t *len)
{
  char bound[TAPE_HEAD_BOUND + TAPE_FRAME_BOUND];
  uint8_t nonce[TAPE_NONCE_SIZE];
  uint64_t at = offset + sizeof(*frame) + (content ? frame->summary_len : 0);
  *len = content ? frame->content_len : frame->summary_len;
  ssize_t got = fd_read_at(fd, bytes, *len, at);
  if (got < 0)
    return (int)got;
  if ((size_t)got != *len ||
      tape_sum(&file->head, bytes, *len) != (content ? frame->content_sum : frame->summary_sum))
    return -EILSEQ;
  if (!(file->head.flags & TAPE_ENCRYPTED))
    return 0;
  memcpy(nonce, frame->nonce, sizeof(nonce));
  if (content)
    tape_content_nonce(frame, nonce);
  int rc = seal_decrypt(file->key, nonce, tape_bound(&file->head, frame, bound), (uint8_t *)bytes, *len);
  *len -= TAPE_TAG_SIZE;
  return rc == -EBADMSG ? -EILSEQ : rc;
}

/* Findings. */

static __attribute__((format(printf, 2, 3))) void tell(struct segment_scan *s, const char *format, ...)
{
  char text[PATH_MAX + 256];
  va_list arguments;
  if (!s->scan->source->found)
    return;
  int len = snprintf(text, sizeof(text), "%s: ", s->path);
  va_start(arguments, format);
  vsnprintf(text + len, sizeof(text) - (size_t)len, format, arguments);
  va_end(arguments);
  s->scan->source->found(s->scan->source->arg, text);
}

/* Frames. */

/* The offset at which the next record should begin. */
static uint64_t frame_end(uint64_t offset, const struct tape_frame *frame)
{
  return offset + sizeof(*frame) + frame->summary_len + frame->content_len;
}

/* False at the end, and for anything that is no frame of this tape. The magic can stand in any body; the sum,
 * seeded with the tape's salt, cannot. */
static bool read_frame(const struct segment_scan *s, uint64_t offset, struct tape_frame *frame)
{
  return fd_read_at(s->fd, frame, sizeof(*frame), offset) == (ssize_t)sizeof(*frame) &&
         frame->magic == TAPE_FRAME_MAGIC &&
         frame->sum == tape_sum(&s->file->head, frame, offsetof(struct tape_frame, sum));
}

/* The next frame that holds from `from` on; the segment's size if there is none. */
static uint64_t find_frame(struct segment_scan *s, uint64_t from)
{
  static const uint64_t magic = TAPE_FRAME_MAGIC;
  struct tape_frame frame;
  if (!s->window)
    s->window = malloc(WINDOW);
  while (s->window && from + sizeof(frame) <= s->size) {
    ssize_t len = fd_read_at(s->fd, s->window, WINDOW, from);
    if (len < (ssize_t)sizeof(frame))
      break;
    const char *end = s->window + len;
    for (const char *at = s->window; (at = memmem(at, (size_t)(end - at), &magic, sizeof(magic))); at++)
      if (read_frame(s, from + (uint64_t)(at - s->window), &frame))
        return from + (uint64_t)(at - s->window);
    /* A magic may begin in this window and end in the next. */
    from += (uint64_t)len - sizeof(magic) + 1;
  }
  return s->size;
}

/* The index. */

/* What an exchange is looked for by; the rest is read when it is asked for. The index doubles, so that a tape
 * of a million records is opened in a moment. */
static int add_entry(struct segment_scan *s, uint64_t offset, const struct tape_frame *frame,
                     const struct tape_record *record)
{
  struct tape *tape = s->scan->tape;
  if (tape->count == tape->room) {
    size_t room = tape->room ? 2 * tape->room : 256;
    struct tape_entry *entries = reallocarray(tape->entries, room, sizeof(*entries));
    if (!entries)
      return -ENOMEM;
    tape->entries = entries;
    tape->room = room;
  }
  struct tape_entry *entry = &tape->entries[tape->count++];
  *entry = (struct tape_entry){
      .offset = offset,
      .frame = *frame,
      .segment = (uint32_t)(s->file - tape->files),
      .pid = record->call.pid,
      .lane = record->call.lane,
      .started_us = record->call.started_us,
      .process_us = record->call.process_us,
      .sequence = record->call.sequence,
      .what = (uint16_t)record->call.what,
  };
  memcpy(entry->key, record->call.key, IDEM_KEY_SIZE);
  memcpy(entry->fingerprint, record->call.fingerprint, IDEM_KEY_SIZE);
  return 0;
}

static void add_rules(struct segment_scan *s, uint64_t offset, const struct tape_frame *frame)
{
  struct tape *tape = s->scan->tape;
  if (tape->rules_count < TAPE_RULES_READ)
    tape->rules[tape->rules_count++] =
        (struct tape_rules_place){offset, *frame, (uint32_t)(s->file - tape->files)};
}

/* Most calls are to the server of the one before. */
static int add_origin(struct tape *tape, struct idem_span origin)
{
  for (size_t i = tape->origin_count; i-- > 0;)
    if (strlen(tape->origins[i]) == origin.len && memcmp(tape->origins[i], origin.data, origin.len) == 0)
      return 0;
  if (tape->origin_count == TAPE_ORIGINS_MOST)
    return 0;
  char *copy = strndup(origin.data, origin.len);
  if (copy)
    tape->origins[tape->origin_count++] = copy;
  return copy ? 0 : -ENOMEM;
}

/* One buffer for all records of the segment. */
static bool make_room(struct segment_scan *s, size_t len)
{
  if (len <= s->room)
    return true;
  free(s->bytes);
  s->room = 0;
  s->bytes = malloc(len + len / 2);
  s->room = s->bytes ? len + len / 2 : 0;
  return s->bytes != NULL;
}

/* Parses the content for nothing but to see that it can be. */
static int check_content(struct segment_scan *s, uint64_t offset, const struct tape_frame *frame,
                         struct tape_record *record)
{
  size_t len = frame->content_len;
  if (!make_room(s, 2 * len + 2 * sizeof(struct tape_chunk)))
    return -ENOMEM;
  int rc = tape_part_read(s->fd, s->file, offset, frame, true, s->bytes, &len);
  char *chunks = s->bytes + (len + _Alignof(struct tape_chunk)) / _Alignof(struct tape_chunk) *
                                _Alignof(struct tape_chunk);
  return rc < 0 ? rc : tape_content_parse((struct idem_span){s->bytes, len}, record, (void *)chunks);
}

/* A record whose frame says that all of it is there. 0, -EILSEQ, or what ends the scan. */
static int take_record(struct segment_scan *s, const struct tape_frame *frame)
{
  struct tape_record record = {0};
  size_t len = frame->summary_len;
  if (!make_room(s, len))
    return -ENOMEM;
  int rc = tape_part_read(s->fd, s->file, s->at, frame, false, s->bytes, &len);
  if (rc == 0)
    rc = tape_summary_parse((struct idem_span){s->bytes, len}, &record);
  bool rules = rc == 0 && record.call.what == TAPE_RULES;
  /* The content takes the place of the summary's texts. */
  if (rc == 0 && !rules)
    rc = add_origin(s->scan->tape, record.origin);
  if (rc == 0 && s->scan->check)
    rc = check_content(s, s->at, frame, &record);
  if (rc == 0 && rules)
    add_rules(s, s->at, frame);
  return rc == 0 && !rules ? add_entry(s, s->at, frame, &record) : rc;
}

/* Past what cannot be read as a record. If another one begins before it should end, its writer was killed
 * half way (or the disk was full) and others have gone on behind it; else the bytes are not what was
 * written. */
static void skip_damage(struct segment_scan *s, const struct tape_frame *frame)
{
  struct tape_totals *totals = &s->scan->tape->totals;
  uint64_t next = find_frame(s, s->at + 1);
  if (s->size - s->at < sizeof(*frame) || (frame && frame_end(s->at, frame) > next)) {
    totals->torn++;
    tell(s,
         "the %" PRIu64 " bytes at offset %" PRIu64 " are the beginning of a record that was never completed",
         next - s->at, s->at);
  } else {
    totals->damaged++;
    tell(s, "the record at offset %" PRIu64 " is damaged (%s)", s->at,
         frame ? "its checksum does not match" : "its frame does not match");
  }
  s->at = next;
}

/* Only where the next record begins behind it is a record known to be as long as its frame says. Looking for
 * the next frame is dear, so it is done only where the end does not fit. */
static bool was_cut_short(struct segment_scan *s, const struct tape_frame *frame)
{
  struct tape_frame next;
  uint64_t end = frame_end(s->at, frame);
  bool ends_well = end == s->size || (end < s->size && read_frame(s, end, &next));
  return !ends_well && find_frame(s, s->at + 1) < end;
}

/* Moves `at` to what comes behind, whatever that was. Fails only without memory or when the disk
 * does. */
static int scan_record(struct segment_scan *s)
{
  struct tape_frame frame;
  if (!read_frame(s, s->at, &frame)) {
    skip_damage(s, NULL);
    return 0;
  }
  int rc = frame_end(s->at, &frame) > s->size || was_cut_short(s, &frame) ? -EILSEQ : take_record(s, &frame);
  if (rc == 0)
    s->at = frame_end(s->at, &frame);
  else if (rc == -EILSEQ)
    skip_damage(s, &frame);
  return rc == -EILSEQ ? 0 : rc;
}

/* Progress is told every few megabytes, in bytes of the whole tape. */
static int scan_records(struct segment_scan *s)
{
  struct tape_scan *scan = s->scan;
  for (uint64_t told = 0; s->at < s->size;) {
    int rc = scan_record(s);
    if (rc < 0)
      return rc;
    if (s->at - told < TELL_BYTES)
      continue;
    told = s->at;
    uint64_t done = scan->done + s->at;
    if (scan->progress)
      scan->progress(scan->source->arg, done < scan->total ? done : scan->total, scan->total);
  }
  return 0;
}

/* A segment of another tape or another key ends the whole scan. */
static int scan_open_file(struct segment_scan *s, struct idem_error *error)
{
  struct stat stat;
  if (idem_fstat(s->fd, &stat) < 0)
    return path_fail(error, -errno, s->path);
  s->size = (uint64_t)stat.st_size;
  s->at = sizeof(struct tape_head);
  int rc = tape_head_read(s->fd, s->path, &s->file->head, error);
  if (rc == 0)
    rc = tape_head_key(&s->file->head, s->path, s->scan->master, s->file->key, error);
  if (rc < 0)
    return rc;
  s->scan->tape->totals.bytes += s->size;
  s->scan->tape->totals.segments++;
  s->scan->tape->totals.encrypted |= s->file->head.flags & TAPE_ENCRYPTED;
  rc = scan_records(s);
  s->scan->done += s->size;
  return rc < 0 ? path_fail(error, rc, s->path) : 0;
}

/* A segment whose head is damaged is lost, and the others are read all the same. */
int tape_scan_segment(struct tape_scan *scan, uint32_t number, struct idem_error *error)
{
  struct tape *tape = scan->tape;
  struct segment_scan s = {.scan = scan, .file = &tape->files[tape->file_count]};
  if (!tape_segment_path(s.path, tape->dir, number))
    return path_fail(error, -ENAMETOOLONG, tape->dir);
  s.fd = fd_open(s.path, O_RDONLY, 0);
  /* Rotation may have deleted it since the directory was listed. */
  if (s.fd < 0)
    return s.fd == -ENOENT ? 0 : path_fail(error, s.fd, s.path);
  *s.file = (struct tape_file){.number = number};
  tape->file_count++;
  int rc = scan_open_file(&s, error);
  free(s.bytes);
  free(s.window);
  close(s.fd);
  if (rc != -EILSEQ && rc != -ENODATA)
    return rc;
  tape->totals.damaged++;
  if (error && scan->source->found)
    scan->source->found(scan->source->arg, error->text);
  return 0;
}
