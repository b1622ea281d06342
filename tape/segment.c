/* SPDX-License-Identifier: MIT */
/* Names, heads and sums of segments: everything about the files but what is in their records. */
#include "tape/segment.h"

#include "config/kernel.h"
#include "store/base/fd.h"
#include "store/base/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { DIGITS = 8 };

/* The number has eight digits, so that a listing is in order. */
bool tape_segment_path(char path[PATH_MAX], const char *dir, uint32_t number)
{
  return snprintf(path, PATH_MAX, "%s/%0*u.tape", dir, DIGITS, number) < PATH_MAX;
}

/* The number in the name of a segment; 0 for other files. */
static uint32_t number_of(const char *name)
{
  bool ours = strspn(name, "0123456789") == DIGITS && strcmp(name + DIGITS, ".tape") == 0;
  return ours ? (uint32_t)strtoul(name, NULL, 10) : 0;
}

/* For qsort(). */
static int by_number(const void *a, const void *b)
{
  const struct tape_segment *x = a, *y = b;
  return (x->number > y->number) - (x->number < y->number);
}

/* Nothing in the directory is opened: names alone, with sizes and dates by idem_fstatat(). */
int tape_segments_list(const char *path, struct tape_segments *out)
{
  struct dirent *entry;
  struct stat stat;
  int rc = 0;
  *out = (struct tape_segments){0};
  DIR *dir = opendir(path);
  if (!dir)
    return -errno;
  while (rc == 0 && (entry = readdir(dir))) {
    uint32_t number = number_of(entry->d_name);
    /* One that has been deleted since is none. */
    if (!number || idem_fstatat(dirfd(dir), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(stat.st_mode))
      continue;
    struct tape_segment *at = reallocarray(out->at, out->count + 1, sizeof(*at));
    if (at) {
      out->at = at;
      at[out->count++] = (struct tape_segment){.number = number,
                                               .size = (uint64_t)stat.st_size,
                                               .modified_us = (int64_t)stat.st_mtim.tv_sec * 1000000 +
                                                              stat.st_mtim.tv_nsec / 1000};
    }
    rc = at ? 0 : -ENOMEM;
  }
  closedir(dir);
  if (rc < 0) {
    free(out->at);
    *out = (struct tape_segments){0};
  }
  if (out->count)
    qsort(out->at, out->count, sizeof(*out->at), by_number);
  return rc;
}

/* Heads. */

/* The sum is over everything before it. */
static uint64_t head_sum(const struct tape_head *head)
{
  return XXH3_64bits(head, offsetof(struct tape_head, sum));
}

/* Callers set what differs; magic, version and size are those of every head. */
void tape_head_finish(struct tape_head *head)
{
  memcpy(head->magic, TAPE_HEAD_MAGIC, sizeof(head->magic));
  head->version = TAPE_VERSION;
  head->size = sizeof(*head);
  head->sum = head_sum(head);
}

/* Tells what is no tape from what is a damaged one. The version comes before size and sum, for another
 * version may have another head. */
int tape_head_read(int fd, const char *path, struct tape_head *head, struct idem_error *error)
{
  ssize_t len = fd_read_at(fd, head, sizeof(*head), 0);
  if (len < 0)
    return path_fail(error, (int)len, path);
  if (len < (ssize_t)sizeof(head->magic) || memcmp(head->magic, TAPE_HEAD_MAGIC, sizeof(head->magic)) != 0)
    return idem_error_set(error, -ENODATA,
                          "%s: is not a tape: it does not begin with \"" TAPE_HEAD_MAGIC "\"", path);
  if (len >= (ssize_t)offsetof(struct tape_head, size) &&
      (head->version < TAPE_VERSION_0_1 || head->version > TAPE_VERSION))
    return idem_error_set(error, -EPROTO, "%s: the tape has version %u, this idemshim knows version %d", path,
                          head->version, TAPE_VERSION);
  if (len < (ssize_t)sizeof(*head) || head->size != sizeof(*head) || head->sum != head_sum(head) ||
      head->flags > TAPE_FLAGS)
    return idem_error_set(error, -EILSEQ, "%s: the head of the file (its first %zu bytes) is damaged", path,
                          sizeof(*head));
  return 0;
}

/* The check value in the head tells a wrong key at once, before a record fails to open. */
int tape_head_key(const struct tape_head *head, const char *path, const uint8_t *master, uint8_t *key,
                  struct idem_error *error)
{
  uint8_t check[SEAL_CHECK_SIZE];
  if (!(head->flags & TAPE_ENCRYPTED))
    return 0;
  if (!master)
    return idem_error_set(
        error, -EKEYREJECTED,
        "%s: the tape is encrypted; --tape-key-file or IDEMSHIM_TAPE_KEY_FILE names its key", path);
  if (seal_derive(master, (struct idem_span){(const char *)head->salt, TAPE_SALT_SIZE}, key, check) < 0)
    return path_fail(error, -ENOMEM, path);
  if (CRYPTO_memcmp(check, head->key_check, sizeof(check)) != 0)
    return idem_error_set(error, -EKEYREJECTED,
                          "%s: the tape was encrypted with another key than the one given", path);
  return 0;
}

/* The sum is seeded with the tape's salt, so that bytes of another tape never fit. */
uint64_t tape_sum(const struct tape_head *head, const void *data, size_t len)
{
  uint64_t seed;
  memcpy(&seed, head->salt, sizeof(seed));
  return XXH3_64bits_withSeed(data, len, seed);
}
