/* SPDX-License-Identifier: MIT */
/*
 * A follower's side of a spool. It reads with a descriptor that it keeps, at a place that it remembers, and
 * takes over each piece that is whole. The file is removed by its owner's end, which readers see as a link
 * count of 0: what is in it can still be read, and nothing will come behind it.
 */
#include "config/kernel.h"
#include "store/base/claim_lock.h"
#include "store/base/fd.h"
#include "store/records/claim_record.h"
#include "store/records/record.h"
#include "store/spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pieces. */

/* Doubles; the reader never has more than twice what has come. Without memory `data` stays as it was, and so
 * does `*room`. */
static void *grow(void *data, size_t *room, size_t need, size_t size)
{
  if (need <= *room)
    return data;
  size_t wider = 2 * *room > need ? 2 * *room : need;
  void *moved = realloc(data, wider * size);
  if (moved)
    *room = wider;
  return moved;
}

/* Takes over a piece. `*bytes` is NULL afterwards if the spool keeps them. */
static int take(struct idem_spool *spool, const struct spool_head *head, char **bytes)
{
  struct idem_answer *answer = &spool->answer;
  const char *facts = *bytes + head->headers_len, *data = facts + head->facts_len;
  if (head->kind == IDEM_SPOOL_HEAD) {
    memcpy(answer->key, head->key, IDEM_KEY_SIZE);
    record_id(head->key, answer->id);
    answer->started_us = head->started_us;
    answer->status = (uint16_t)head->status;
    answer->headers = (struct idem_span){*bytes, head->headers_len};
    answer->facts = (struct idem_span){facts, head->facts_len};
    spool->priv.head = *bytes;
    *bytes = NULL;
    return 0;
  }
  if (head->kind == IDEM_SPOOL_END) {
    if (head->facts_len)
      answer->facts = (struct idem_span){facts, head->facts_len};
    spool->code = head->code;
    spool->ended = true;
    spool->priv.end = *bytes;
    *bytes = NULL;
    return 0;
  }
  char *body = grow(spool->priv.body, &spool->priv.body_room, answer->body.len + head->data_len + 1, 1);
  if (!body)
    return -ENOMEM;
  answer->body.data = spool->priv.body = body;
  struct idem_chunk *chunks =
      grow(spool->priv.chunks, &spool->priv.chunk_room, answer->chunk_count + 1, sizeof(*chunks));
  if (!chunks)
    return -ENOMEM;
  answer->chunks = spool->priv.chunks = chunks;
  memcpy(body + answer->body.len, data, head->data_len);
  answer->body.len += head->data_len;
  chunks[answer->chunk_count++] = (struct idem_chunk){.len = head->data_len, .at_ms = head->at_ms};
  return 0;
}

/* What may come when: one HEAD, CHUNKs, one END, numbered from 0, of this try and no other. Anything else is
 * damage, and never goes away by waiting. */
static bool is_next(const struct idem_spool *spool, const uint8_t *key, const struct spool_head *head)
{
  return head->magic == SPOOL_MAGIC && head->number == spool->priv.pieces &&
         head->generation == spool->priv.generation && memcmp(head->key, key, IDEM_KEY_SIZE) == 0 &&
         head->kind <= IDEM_SPOOL_END && (head->kind == IDEM_SPOOL_HEAD) == (head->number == 0) &&
         !spool->ended;
}

/* The file. */

/* 1: one piece more; 0: there is none yet. A piece that is only half there comes again. */
static int read_piece(const struct idem_store *store, const uint8_t *key, struct idem_spool *spool, int fd,
                      uint64_t size)
{
  struct spool_head head;
  uint64_t at = spool->priv.at;
  if (size < at + sizeof(head) || fd_read_at(fd, &head, sizeof(head), at) != (ssize_t)sizeof(head))
    return 0;
  uint64_t plain = (uint64_t)head.headers_len + head.facts_len + head.data_len;
  uint64_t len = plain + (store->sealed ? SEAL_TAG_SIZE : 0);
  if (!is_next(spool, key, &head) || plain > SPOOL_MOST)
    return -EILSEQ;
  at += sizeof(head);
  if (len > size - at)
    return 0;
  char *bytes = malloc(len + 1);
  if (!bytes)
    return -ENOMEM;
  int rc = 0;
  bool there = fd_read_at(fd, bytes, len, at) == (ssize_t)len && spool_sum(&head, bytes, len) == head.sum;
  if (there && store->sealed)
    rc = spool_cipher(seal_decrypt, store, &head, (uint8_t *)bytes, len);
  if (there && rc == 0)
    rc = take(spool, &head, &bytes);
  free(bytes);
  if (rc < 0 || !there)
    return rc;
  spool->priv.pieces++;
  spool->priv.at = at + len;
  return 1;
}

/* Reads all that is there, so that a follower that was slow catches up at once. */
int spool_read(const struct idem_store *store, const uint8_t *key, struct idem_spool *spool)
{
  struct stat stat;
  int more = 0, rc;
  int fd = fd_number(spool->priv.kept);
  if (fd < 0 || idem_fstat(fd, &stat) < 0)
    return fd < 0 ? fd : -errno;
  /* It is removed before its claim is free, and before the next owner can begin. */
  spool->over = stat.st_nlink == 0;
  while ((rc = read_piece(store, key, spool, fd, (uint64_t)stat.st_size)) > 0)
    more = 1;
  return rc < 0 ? rc : more;
}

/* Until it has begun, it is looked for anew each time: another owner may be at it by now. */
static int open_file(const struct idem_store *store, const struct idem_call *call, struct idem_spool *spool,
                     uint64_t now)
{
  char path[PATH_MAX];
  if (spool->priv.pieces && fd_number(spool->priv.kept) >= 0)
    return 0;
  fd_end(spool->priv.kept);
  spool->priv.kept = 0;
  if (!spool->priv.pieces)
    spool->priv.generation = now;
  if (!spool->priv.generation)
    return -ENOENT;
  if (!spool_path(store, call->key, spool->priv.generation, path))
    return -ENAMETOOLONG;
  if (!state_is_in_place(store))
    return -ENOENT;
  int kept = fd_open_kept(path, O_RDONLY, 0, FD_SPOOL);
  spool->priv.kept = kept > 0 ? kept : 0;
  return kept > 0 ? 0 : kept;
}

/* Following. */

/* Which try is under way; 0: none that has been sent, or none that can be read. A spool of another try than
 * the one that was read from is not gone on with: its bytes may differ. */
static uint64_t generation_now(struct idem_store *store, const struct idem_call *call)
{
  struct claim_record claim;
  struct reader *reader;
  if (state_read(store, &reader, NULL) < 0)
    return 0;
  bool sent =
      claim_record_find(store, &reader->snapshot, call->key, &claim) == 0 && claim.state == CLAIM_IN_FLIGHT;
  reader_end(reader);
  return sent ? claim.generation : 0;
}

int idem_store_look(struct idem_store *store, struct idem_call *call, struct idem_spool *spool)
{
  QUIET();
  /* The word first, then the lock, then the file: what an owner says last is there once its claim is free,
   * and what comes after this look wakes. */
  call->priv.wake = atomic_load(stats_wake_word(store->stats, call->key));
  /* Of an owner on another machine the file is removed here when it is over there. */
  bool elsewhere = call->priv.fleet.elsewhere_us != 0;
  bool taken = elsewhere || claim_lock_taken(state_claims_fd(store), call->key) == 1;
  uint64_t now = elsewhere ? call->priv.fleet.generation : generation_now(store, call);
  struct owner *owner = owner_find(&store->stats->owners, call->key);
  if (owner && !atomic_load_explicit(&owner->wanted, memory_order_relaxed))
    atomic_store_explicit(&owner->wanted, 1, memory_order_relaxed);
  spool->over = false;
  /* What has not begun here is not begun by an owner that stands still. */
  if (!spool->priv.pieces && call->priv.watch.stopped)
    return 0;
  int rc = open_file(store, call, spool, now);
  if (rc == 0)
    rc = spool_read(store, call->key, spool);
  if (rc == -ENOENT)
    rc = 0;
  spool->over |= !taken || (spool->priv.pieces && now && now != spool->priv.generation);
  return rc < 0 ? rc : rc || spool->over;
}

/* After it the spool is as IDEM_SPOOL_INIT makes one; releasing it again is fine. */
void idem_spool_release(struct idem_spool *spool)
{
  QUIET();
  fd_end(spool->priv.kept);
  free(spool->priv.head);
  free(spool->priv.body);
  free(spool->priv.end);
  free(spool->priv.chunks);
  *spool = (struct idem_spool)IDEM_SPOOL_INIT;
}
