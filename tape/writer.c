/* SPDX-License-Identifier: MIT */
/*
 * A writer: the directory, the tape's identity, its limits and its key. It has no descriptor and no lock, so a child after
 * fork() goes on with it, and an app that closes what it does not know does no harm.
 */
#include "tape/writer.h"

#include "store/base/clock.h"
#include "store/base/process.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* A tape has about eight segments, so that deleting one loses an eighth of it. */
enum { SEGMENTS = 8, AGES = 4 };
#define SIZE_LEAST   ((uint64_t)1 << 20)
#define SEGMENT_MOST ((uint64_t)64 << 20)

/* A new tape's identity. */
static int make_head(struct tape_writer *writer, const uint8_t *master, struct idem_error *error)
{
  struct tape_head *head = &writer->head;
  *head = (struct tape_head){.flags = master ? TAPE_ENCRYPTED : 0};
  if (getrandom(head->id, sizeof(head->id), 0) != sizeof(head->id) ||
      getrandom(head->salt, sizeof(head->salt), 0) != sizeof(head->salt))
    return idem_error_set(error, -EIO, "no random numbers: %s", strerror(errno));
  tape_head_finish(head);
  struct idem_span salt = {(const char *)head->salt, sizeof(head->salt)};
  if (master && seal_derive(master, salt, writer->key, head->key_check) < 0)
    return idem_error_set(error, -ENOMEM, "%s: no memory for its key", writer->dir);
  return 0;
}

/* Two processes may begin the same tape: what counts is the head of the segment that one of them made. */
static int find_tape(struct tape_writer *writer, const uint8_t *master, struct idem_error *error)
{
  uint64_t size;
  int rc = tape_segment_adopt(writer, master, error);
  if (rc != -ENOENT)
    return rc;
  rc = make_head(writer, master, error);
  if (rc < 0)
    return rc;
  int fd = tape_segment_open(writer, &size, error);
  if (fd == -ESTALE)
    return tape_segment_adopt(writer, master, error);
  if (fd < 0)
    return fd;
  close(fd);
  return 0;
}

/* The key file is read and forgotten: what stays is the key that was derived from it. */
static int find_tape_with_key(struct tape_writer *writer, const char *key_file, struct idem_error *error)
{
  uint8_t master[SEAL_KEY_SIZE];
  int rc = key_file ? seal_read_key(key_file, master, error) : 0;
  if (rc == 0)
    rc = find_tape(writer, key_file ? master : NULL, error);
  OPENSSL_cleanse(master, sizeof(master));
  return rc;
}

/* Segments are an eighth of the whole, so that deleting the oldest frees about as much. */
static void set_limits(struct tape_writer *writer, const struct tape_options *options)
{
  uint64_t size = options->max_size && options->max_size < SIZE_LEAST ? SIZE_LEAST : options->max_size;
  bool ages = options->max_age_ms && options->max_age_ms < INT64_MAX / 1000;
  writer->max_size = size;
  writer->segment_size = size && size / SEGMENTS < SEGMENT_MOST ? size / SEGMENTS : SEGMENT_MOST;
  writer->max_age_us = ages ? (int64_t)options->max_age_ms * 1000 : 0;
  writer->segment_age_us = writer->max_age_us / AGES;
}

/* On failure everything is released, by the same function that closes a writer. */
static int open_writer(struct tape_writer **out, const struct tape_options *options, struct idem_error *error)
{
  struct tape_writer *writer = calloc(1, sizeof(*writer));
  char *dir = strdup(options->dir);
  if (!writer || !dir) {
    free(writer);
    free(dir);
    return idem_error_set(error, -ENOMEM, "%s: no memory to open the tape", options->dir);
  }
  writer->dir = dir;
  set_limits(writer, options);
  struct stat stat;
  int rc = path_make_dir(dir);
  rc = rc < 0 ? path_fail(error, rc, dir) : path_check_dir(dir, &stat, error);
  if (rc == 0)
    rc = find_tape_with_key(writer, options->key_file, error);
  if (rc == 0)
    *out = writer;
  else
    tape_close_writer(writer);
  return rc;
}

/* Makes the directory and the first segment where there is no tape yet. */
int tape_open_writer(struct tape_writer **out, const struct tape_options *options, struct idem_error *error)
{
  struct quiet quiet = quiet_begin();
  *out = NULL;
  int rc = process_register_fork();
  rc = rc < 0 ? path_fail(error, rc, options->dir) : open_writer(out, options, error);
  quiet_end(&quiet);
  return rc;
}

/* The key is overwritten first. NULL is fine. */
void tape_close_writer(struct tape_writer *writer)
{
  if (!writer)
    return;
  OPENSSL_cleanse(writer->key, sizeof(writer->key));
  free(writer->dir);
  free(writer);
}
