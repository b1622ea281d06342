/* SPDX-License-Identifier: MIT */
/*
 * One record, one write(). The kernel keeps an append whole among appends of others on every local file system, so there
 * is no lock, no descriptor that stays open, and nothing to mend after fork(). What is written was composed, redacted and
 * sealed in memory before; if anything fails, the tape has nothing of it, and the app's call is not touched.
 */
#include "store/base/process.h"
#include "tape/record.h"
#include "tape/writer.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

/* Each with its tag behind it, where compose has left room. */
static int seal_parts(const struct tape_writer *writer, struct tape_frame *frame, uint8_t *summary,
                      uint8_t *content, const struct tape_layout *layout)
{
  char bound[TAPE_HEAD_BOUND + TAPE_FRAME_BOUND];
  uint8_t nonce[TAPE_NONCE_SIZE];
  if (getrandom(frame->nonce, sizeof(frame->nonce), 0) != sizeof(frame->nonce))
    return -EIO;
  frame->nonce[TAPE_NONCE_SIZE - 1] &= 0xfe;
  struct idem_span with = tape_bound(&writer->head, frame, bound);
  tape_content_nonce(frame, nonce);
  int rc = seal_encrypt(writer->key, frame->nonce, with, summary, layout->summary_len);
  return rc < 0 ? rc : seal_encrypt(writer->key, nonce, with, content, layout->content_len);
}

/* Turns what was composed into what stands in the file. */
static int finish(const struct tape_writer *writer, struct tape_buffer *buffer,
                  const struct tape_layout *layout)
{
  bool sealed = writer->head.flags & TAPE_ENCRYPTED;
  size_t tag = sealed ? TAPE_TAG_SIZE : 0;
  struct tape_frame frame = {.magic = TAPE_FRAME_MAGIC,
                             .summary_len = (uint32_t)(layout->summary_len + tag),
                             .content_len = (uint32_t)(layout->content_len + tag)};
  uint8_t *summary = (uint8_t *)buffer->data + layout->summary,
          *content = (uint8_t *)buffer->data + layout->content;
  if (!sealed)
    content = memmove(summary + frame.summary_len, content, layout->content_len);
  int rc = sealed ? seal_parts(writer, &frame, summary, content, layout) : 0;
  frame.summary_sum = tape_sum(&writer->head, summary, frame.summary_len);
  frame.content_sum = tape_sum(&writer->head, content, frame.content_len);
  frame.sum = tape_sum(&writer->head, &frame, offsetof(struct tape_frame, sum));
  memcpy(buffer->data, &frame, sizeof(frame));
  buffer->len = sizeof(frame) + frame.summary_len + frame.content_len;
  return rc;
}

/* A write past the limit would raise SIGXFSZ in the app. */
static bool fits(uint64_t size, size_t len)
{
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
         size + len <= limit.rlim_cur;
}

/* One write: appends of others come before it or after it, never into it. */
static int write_whole(int fd, const struct tape_buffer *buffer)
{
  ssize_t len;
  do
    len = write(fd, buffer->data, buffer->len);
  while (len < 0 && errno == EINTR);
  if (len < 0)
    return -errno;
  return (size_t)len == buffer->len ? 0 : -ENOSPC;
}

/* The segment is opened for this record alone, and closed again. */
static int append(struct tape_writer *writer, const struct tape_buffer *buffer, struct idem_error *error)
{
  uint64_t size;
  int fd = tape_segment_open(writer, &size, error);
  if (fd < 0)
    return fd;
  int rc = fits(size, buffer->len) ? write_whole(fd, buffer) : -EFBIG;
  close(fd);
  return rc < 0 ? path_fail(error, rc, writer->dir) : 0;
}

/* Called when a call is over, in the app's thread: no signal, no cancellation point, errno as it
 * was. */
int tape_append(struct tape_writer *writer, const struct tape_call *call, const struct idem_request *request,
                const struct tape_outcome *outcome, struct idem_error *error)
{
  struct quiet quiet = quiet_begin();
  struct tape_buffer buffer = {0};
  struct tape_layout layout;
  int rc = tape_record_compose(&buffer, call, request, outcome, &layout);
  if (rc == 0)
    rc = finish(writer, &buffer, &layout);
  rc = rc < 0 ? path_fail(error, rc, writer->dir) : append(writer, &buffer, error);
  free(buffer.data);
  quiet_end(&quiet);
  return rc;
}
