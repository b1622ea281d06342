/* SPDX-License-Identifier: MIT */
/*
 * The owner's side of a spool, and the files of all.
 *
 * Pieces are composed in memory and written with one write() where the system allows it, then the followers
 * are woken. A write that fails half way leaves a piece that nobody can read, so nothing is added behind it:
 * who follows waits for the whole answer instead.
 */
#include "store/spool/spool.h"

#include "config/hex.h"
#include "config/kernel.h"
#include "store/base/claim_lock.h"
#include "store/base/fd.h"
#include "store/judge/judge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { HEX_KEY = 2 * IDEM_KEY_SIZE };

/* Names. */

/* All spools of a store are in one directory, made when the first is needed. */
bool spool_dir(const struct idem_store *store, char path[PATH_MAX])
{
  return snprintf(path, PATH_MAX, "%s/spool", store->dir) < PATH_MAX;
}

/* The whole key, since two calls with ids that begin alike may be under way at once. */
bool spool_path(const struct idem_store *store, const uint8_t *key, uint64_t generation, char path[PATH_MAX])
{
  char name[HEX_KEY + 1];
  idem_hex(key, IDEM_KEY_SIZE, name);
  return snprintf(path, PATH_MAX, "%s/spool/%s-%llx", store->dir, name, (unsigned long long)generation) <
         PATH_MAX;
}

/* The key in a file's name; false for a file that is none of ours. */
static bool key_of_name(const char *name, uint8_t key[IDEM_KEY_SIZE])
{
  unsigned byte;
  if (strlen(name) <= HEX_KEY || name[HEX_KEY] != '-' || strspn(name, "0123456789abcdef") != HEX_KEY)
    return false;
  for (size_t i = 0; i < IDEM_KEY_SIZE; i++) {
    sscanf(name + 2 * i, "%2x", &byte);
    key[i] = (uint8_t)byte;
  }
  return true;
}

/* Files. */

/* Whoever has it open reads on to its end. */
void spool_remove(const struct idem_store *store, const uint8_t *key, uint64_t generation)
{
  char path[PATH_MAX];
  if (spool_path(store, key, generation, path) && state_is_in_place(store))
    unlink(path);
}

/* A spool whose key nobody claims has lost its owner, unless that is on another machine: then it is
 * written to now and then. */
static bool is_written_to(int dir, const char *name)
{
  enum { QUIET_SECONDS = 120 };
  struct stat stat;
  return idem_fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
         time(NULL) - stat.st_mtime < QUIET_SECONDS;
}

/* Asked file by file, since claims come and go meanwhile. */
void spool_sweep(struct idem_store *store)
{
  char path[PATH_MAX];
  uint8_t key[IDEM_KEY_SIZE];
  const struct dirent *entry;
  int fd = spool_dir(store, path) ? fd_open(path, O_RDONLY | O_DIRECTORY, 0) : -1;
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  while (dir && (entry = readdir(dir)))
    if (key_of_name(entry->d_name, key) && claim_lock_taken(state_claims_fd(store), key) == 0 &&
        !(store->fleet_api && is_written_to(fd, entry->d_name)))
      unlinkat(fd, entry->d_name, 0);
  if (dir)
    closedir(dir);
  else if (fd >= 0)
    close(fd);
}

/* A new file for the first piece, after a look at what others have left. */
static int make_file(struct idem_store *store, const char *path)
{
  char dir[PATH_MAX];
  if (!spool_dir(store, dir))
    return -ENAMETOOLONG;
  if (mkdir(dir, 0700) == 0)
    chmod(dir, 0700);
  else if (errno == EEXIST)
    spool_sweep(store);
  unlink(path);
  return fd_open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0600);
}

/* Appending is one write() in all but rare cases, and a reader that sees half of a piece finds that its sum
 * does not fit. */
int spool_append(int fd, const char *data, size_t len)
{
  struct stat stat;
  if (idem_fstat(fd, &stat) < 0 || !idem_file_may_have((uint64_t)stat.st_size + len))
    return -EFBIG;
  while (len) {
    ssize_t n = write(fd, data, len);
    if (n < 0 && errno != EINTR)
      return -errno;
    data += n > 0 ? n : 0;
    len -= n > 0 ? (size_t)n : 0;
  }
  return 0;
}

/* Pieces. */

/* All of the head before the sum is authenticated. The tag goes behind the bytes, so that there must be room
 * for it. */
int spool_cipher(__typeof__(seal_encrypt) *cipher, const struct idem_store *store,
                 const struct spool_head *head, uint8_t *bytes, size_t len)
{
  char salt[IDEM_KEY_SIZE + sizeof(head->generation)];
  uint8_t key[SEAL_KEY_SIZE], check[SEAL_CHECK_SIZE];
  memcpy(salt, head->key, IDEM_KEY_SIZE);
  memcpy(salt + IDEM_KEY_SIZE, &head->generation, sizeof(head->generation));
  int rc = seal_derive(store->seal_key, (struct idem_span){salt, sizeof(salt)}, key, check);
  if (rc == 0)
    rc = cipher(key, head->nonce, (struct idem_span){(const char *)head, offsetof(struct spool_head, sum)},
                bytes, len);
  OPENSSL_cleanse(key, sizeof(key));
  return rc;
}

/* The head is the seed: a sum that fits says that head and bytes belong together. */
uint64_t spool_sum(const struct spool_head *head, const void *bytes, size_t len)
{
  return XXH3_64bits_withSeed(bytes, len, XXH3_64bits(head, offsetof(struct spool_head, sum)));
}

/* What a piece has behind its head, without a tag. */
static size_t bytes_of(const struct idem_spool_piece *piece)
{
  return piece->headers.len + piece->facts.len + piece->data.len;
}

static char *put(char *at, struct idem_span span)
{
  if (span.len)
    memcpy(at, span.data, span.len);
  return at + span.len;
}

/* Writes a piece at `at`. Returns where the next one begins, or NULL. */
static char *compose(const struct idem_store *store, struct idem_call *call,
                     const struct idem_spool_piece *piece, char *at)
{
  size_t len = bytes_of(piece);
  struct spool_head head = {.magic = SPOOL_MAGIC,
                            .kind = piece->kind,
                            .number = call->priv.pieces++,
                            .at_ms = piece->at_ms,
                            .code = piece->code,
                            .status = piece->status,
                            .started_us = piece->started_us,
                            .generation = call->priv.spooled,
                            .headers_len = (uint32_t)piece->headers.len,
                            .facts_len = (uint32_t)piece->facts.len,
                            .data_len = (uint32_t)piece->data.len};
  char *bytes = at + sizeof(head);
  put(put(put(bytes, piece->headers), piece->facts), piece->data);
  memcpy(head.key, call->key, IDEM_KEY_SIZE);
  if (store->sealed) {
    if (getrandom(head.nonce, sizeof(head.nonce), 0) != sizeof(head.nonce) ||
        spool_cipher(seal_encrypt, store, &head, (uint8_t *)bytes, len) < 0)
      return NULL;
    len += SEAL_TAG_SIZE;
  }
  head.sum = spool_sum(&head, bytes, len);
  memcpy(at, &head, sizeof(head));
  return bytes + len;
}

/* All pieces in memory that the caller frees; NULL without it. */
static char *compose_all(const struct idem_store *store, struct idem_call *call,
                         const struct idem_spool_piece *pieces, size_t count, size_t *len)
{
  size_t room = 0;
  for (size_t i = 0; i < count; i++)
    room += sizeof(struct spool_head) + bytes_of(&pieces[i]) + SEAL_TAG_SIZE;
  char *all = malloc(room), *at = all;
  for (size_t i = 0; i < count && at; i++)
    at = compose(store, call, &pieces[i], at);
  if (!at) {
    free(all);
    return NULL;
  }
  *len = (size_t)(at - all);
  return all;
}

/* What may be added when, and how much. */
static int check(const struct idem_store *store, struct idem_call *call,
                 const struct idem_spool_piece *pieces, size_t count)
{
  if (!call->priv.recorded || !claim_lock_held(&store->claims_file, call->key, &call->priv.claim_fd))
    return -ENOLCK;
  if (call->priv.spool_failed)
    return -EIO;
  for (size_t i = 0; i < count; i++) {
    if ((pieces[i].kind == IDEM_SPOOL_HEAD) != (call->priv.pieces + i == 0))
      return -EINVAL;
    if (bytes_of(&pieces[i]) > SPOOL_MOST)
      return -EMSGSIZE;
  }
  return 0;
}

/* The generation is fixed with the first piece: a later record of the same claim has another. */
static int write_pieces(struct idem_store *store, struct idem_call *call,
                        const struct idem_spool_piece *pieces, size_t count)
{
  char path[PATH_MAX];
  size_t len;
  bool begins = !call->priv.pieces;
  /* A copy of the store may have an operation of the same name and number. */
  if (!state_is_in_place(store))
    return -ESTALE;
  if (begins)
    call->priv.spooled = call->generation;
  char *all = spool_path(store, call->key, call->priv.spooled, path)
                  ? compose_all(store, call, pieces, count, &len)
                  : NULL;
  int fd = !all ? -ENOMEM : begins ? make_file(store, path) : fd_open(path, O_WRONLY | O_APPEND, 0);
  int rc = fd < 0 ? fd : spool_append(fd, all, len);
  if (fd >= 0)
    close(fd);
  free(all);
  return rc;
}

/* Those of other machines get the same bytes, all that are in the file and that they have not had: somebody
 * here may have been followed from the beginning. What fails is not tried again, and they wait for the whole
 * answer. */
static int publish(const struct idem_store *store, struct idem_call *call)
{
  char path[PATH_MAX];
  struct spool_head head;
  int fd =
      spool_path(store, call->key, call->priv.spooled, path) ? fd_open(path, O_RDONLY, 0) : -ENAMETOOLONG;
  int rc = fd < 0 ? fd : 0;
  while (rc == 0 &&
         fd_read_at(fd, &head, sizeof(head), call->priv.fleet.published) == (ssize_t)sizeof(head)) {
    size_t len = spool_piece_size(store, &head);
    char *piece = malloc(len);
    bool whole = piece && fd_read_at(fd, piece, len, call->priv.fleet.published) == (ssize_t)len;
    rc = !whole
             ? -EIO
             : store->fleet_api->publish(store->fleet, &call->priv.fleet.fence, head.number, piece, len) - 1;
    call->priv.fleet.published += len;
    free(piece);
  }
  if (fd >= 0)
    close(fd);
  return rc;
}

/* Not on the path of a call that nobody follows. */
int idem_store_spool(struct idem_store *store, struct idem_call *call, const struct idem_spool_piece *pieces,
                     size_t count)
{
  int rc = check(store, call, pieces, count);
  if (rc < 0 || !count)
    return rc;
  QUIET();
  rc = write_pieces(store, call, pieces, count);
  /* Half a piece may be there: whatever came behind it could not be read. */
  call->priv.spool_failed = rc < 0;
  if (rc == 0)
    stats_wake(store->stats, call->key);
  if (rc == 0 && call->priv.fleet.ours && call->priv.fleet.followed)
    call->priv.fleet.followed = publish(store, call) == 0;
  return rc;
}

bool idem_store_is_followed(const struct idem_store *store, const struct idem_call *call)
{
  (void)store;
  return call->priv.owner && !call->beside &&
         atomic_load_explicit(&call->priv.owner->wanted, memory_order_relaxed);
}

bool idem_store_is_stream(struct idem_span headers)
{
  return judge_is_stream(headers);
}
