/* SPDX-License-Identifier: MIT */
/* Which segment is written to. Processes agree by the names of files alone: a segment is made by link(),
 * which only one of them can win, and appears with its head in it. */
#include "config/kernel.h"
#include "store/base/clock.h"
#include "store/base/fd.h"
#include "store/base/process.h"
#include "tape/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The newest two are never deleted: another process may be writing to the last but one. A process alone
 * needs three tries at most; each further one means that another has filled or deleted the segment in
 * between. */
enum { KEPT = 2, TRIES = 16 };

/* Making one. */

/* Of a segment that nobody has written an exchange to. */
static uint64_t least_size(const struct tape_writer *writer)
{
  return sizeof(writer->head) + writer->rules.len;
}

/* The head and the rules are in the draft before it gets its name. 0 or -errno; -EFBIG where writing it
 * would raise SIGXFSZ in the app. */
static int fill(const struct tape_writer *writer, const char *path, const struct tape_head *head)
{
  int fd = idem_file_may_have(least_size(writer)) ? fd_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600) : -EFBIG;
  if (fd < 0)
    return fd;
  ssize_t len = write(fd, head, sizeof(*head));
  int rc = len < 0 ? -errno : len < (ssize_t)sizeof(*head) ? -ENOSPC : 0;
  if (rc == 0 && writer->rules.len) {
    len = write(fd, writer->rules.data, writer->rules.len);
    rc = len < 0 ? -errno : len < (ssize_t)writer->rules.len ? -ENOSPC : 0;
  }
  close(fd);
  return rc;
}

/* Makes a segment; 0 also if another process was faster. The draft is named by pid and thread, so that two
 * at once do not write the same file; what a killed process has left under that name is removed first. */
static int make(const struct tape_writer *writer, uint32_t number)
{
  char path[PATH_MAX], draft[PATH_MAX];
  struct tape_head head = writer->head;
  head.number = number;
  head.started_us = clock_read_us(CLOCK_REALTIME);
  tape_head_finish(&head);
  if (!tape_segment_path(path, writer->dir, number) ||
      snprintf(draft, sizeof(draft), "%s/new.%d.%lx", writer->dir, process_pid(),
               (unsigned long)pthread_self()) >= (int)sizeof(draft))
    return -ENAMETOOLONG;
  unlink(draft);
  int rc = fill(writer, draft, &head);
  if (rc == 0 && link(draft, path) < 0 && errno != EEXIST)
    rc = -errno;
  unlink(draft);
  return rc;
}

/* Oldest first, by size and by age. Whoever reads one of them at this moment has it open still. The segment
 * that was just begun is going to grow, so its full size is taken off what the others may have. */
static void trim(const struct tape_writer *writer)
{
  struct tape_segments segments;
  uint64_t total = 0;
  char path[PATH_MAX];
  int64_t oldest_us = writer->max_age_us ? clock_read_us(CLOCK_REALTIME) - writer->max_age_us : INT64_MIN;
  if (tape_segments_list(writer->dir, &segments) < 0)
    return;
  for (size_t i = segments.count; i-- > 0;) {
    const struct tape_segment *segment = &segments.at[i];
    total += segment->size;
    bool over = writer->max_size && total > writer->max_size - writer->segment_size;
    if (segments.count - i > KEPT && (over || segment->modified_us < oldest_us) &&
        tape_segment_path(path, writer->dir, segment->number))
      unlink(path);
  }
  free(segments.at);
}

/* Finding the one. */

/* -ENOENT for an empty directory. */
static int newest(const struct tape_writer *writer, uint32_t *number)
{
  struct tape_segments segments;
  int rc = tape_segments_list(writer->dir, &segments);
  if (rc == 0 && segments.count == 0)
    rc = -ENOENT;
  if (rc == 0)
    *number = segments.at[segments.count - 1].number;
  free(segments.at);
  return rc;
}

bool tape_segment_has_rules(const struct tape_writer *writer)
{
  char path[PATH_MAX];
  struct tape_frame frame;
  uint32_t number = 0;
  if (newest(writer, &number) < 0 || !tape_segment_path(path, writer->dir, number))
    return false;
  int fd = fd_open(path, O_RDONLY, 0);
  bool same = fd >= 0 &&
              fd_read_at(fd, &frame, sizeof(frame), sizeof(struct tape_head)) == (ssize_t)sizeof(frame) &&
              frame.rules == writer->rules_number;
  if (fd >= 0)
    close(fd);
  return same;
}

/* The newest head counts: older segments may be of a key that was changed by hand. */
int tape_segment_adopt(struct tape_writer *writer, const uint8_t *master, struct idem_error *error)
{
  char path[PATH_MAX];
  uint32_t number = 0;
  int rc = newest(writer, &number);
  if (rc < 0)
    return rc == -ENOENT ? rc : path_fail(error, rc, writer->dir);
  if (!tape_segment_path(path, writer->dir, number))
    return path_fail(error, -ENAMETOOLONG, writer->dir);
  int fd = fd_open(path, O_RDONLY, 0);
  if (fd < 0)
    return path_fail(error, fd, path);
  rc = tape_head_read(fd, path, &writer->head, error);
  close(fd);
  if (rc == 0 && master && !(writer->head.flags & TAPE_ENCRYPTED))
    rc = idem_error_set(error, -EKEYREJECTED,
                        "%s: the tape that is there is not encrypted; give another directory, or no key",
                        writer->dir);
  if (rc == 0)
    rc = tape_head_key(&writer->head, path, master, writer->key, error);
  /* What is written from here on is of this version, whatever began the tape. */
  if (rc == 0)
    tape_head_finish(&writer->head);
  return rc;
}

/* -ENOENT if another process has deleted it meanwhile; everything else is a failure that is told. The head is
 * looked at each time: a file with a known name may be of a tape that was begun after ours was deleted. */
static int open_number(struct tape_writer *writer, uint32_t number, uint64_t *size, struct idem_error *error)
{
  char path[PATH_MAX];
  struct stat stat;
  struct tape_head head;
  if (!tape_segment_path(path, writer->dir, number))
    return path_fail(error, -ENAMETOOLONG, writer->dir);
  int fd = fd_open(path, O_RDWR | O_APPEND, 0);
  if (fd < 0)
    return fd == -ENOENT ? fd : path_fail(error, fd, path);
  int rc =
      idem_fstat(fd, &stat) < 0 ? path_fail(error, -errno, path) : tape_head_read(fd, path, &head, error);
  if (rc == 0 && memcmp(head.id, writer->head.id, TAPE_ID_SIZE) != 0)
    rc =
        idem_error_set(error, -ESTALE,
                       "%s: another tape has taken the place of the one that was being written", writer->dir);
  if (rc < 0) {
    close(fd);
    return rc;
  }
  atomic_store(&writer->opened_us, head.started_us);
  atomic_store(&writer->number, number);
  /* Nothing more goes into one of an older version: a record is sealed together with its segment's head. */
  *size = head.version == TAPE_VERSION ? (uint64_t)stat.st_size : UINT64_MAX;
  return fd;
}

/* A segment is full by its size or by its age. */
static bool is_full(const struct tape_writer *writer, uint64_t size)
{
  int64_t age_us =
      writer->segment_age_us ? clock_read_us(CLOCK_REALTIME) - atomic_load(&writer->opened_us) : 0;
  /* One with nothing but its head and the rules can take a record, whatever its age. */
  return size > least_size(writer) &&
         (size >= writer->segment_size || (writer->segment_age_us && age_us >= writer->segment_age_us));
}

/* The next number: that of the newest segment, or one more if that is full. */
static int advance(struct tape_writer *writer, uint32_t full, struct idem_error *error, uint32_t *number)
{
  int rc = newest(writer, number);
  if (rc < 0 && rc != -ENOENT)
    return path_fail(error, rc, writer->dir);
  if (rc == 0 && *number > full)
    return 0;
  *number = rc == 0 || full ? full + 1 : 1;
  rc = make(writer, *number);
  if (rc < 0)
    return path_fail(error, rc, writer->dir);
  trim(writer);
  return 0;
}

/* A few tries: others may fill or delete a segment between our look and our open. */
int tape_segment_open(struct tape_writer *writer, uint64_t *size, struct idem_error *error)
{
  uint32_t number = atomic_load(&writer->number), full = 0;
  for (int i = 0; i < TRIES; i++) {
    int fd = number ? open_number(writer, number, size, error) : -ENOENT;
    if (fd < 0 && fd != -ENOENT)
      return fd;
    if (fd >= 0 && !is_full(writer, *size))
      return fd;
    if (fd >= 0) {
      full = number;
      close(fd);
    }
    int rc = advance(writer, full, error, &number);
    if (rc < 0)
      return rc;
  }
  return idem_error_set(error, -EBUSY, "%s: its segments are full as soon as they are made", writer->dir);
}
