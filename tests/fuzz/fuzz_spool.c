/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a spool, plain and sealed, through the reader of followers: what it gives is whole, and what
 * was not changed comes through. No sum of a fuzzer's own holds, so most of the work is done on spools that
 * hold, with changes that are followed by the right sum, or a right tag, or not.
 */
#include "store/base/fd.h"
#include "store/spool/spool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 16, GENERATION = 7 };

static const uint8_t key[IDEM_KEY_SIZE] = {1, 2, 3};
static struct idem_store store;
static char file[ROOM];
static size_t len;
static volatile unsigned sum;

struct input {
  const uint8_t *data;
  size_t left;
};

static uint8_t next(struct input *input)
{
  return input->left ? input->left--, *input->data++ : 0;
}

static void read_span(struct idem_span span)
{
  for (size_t i = 0; i < span.len; i++)
    sum += (unsigned char)span.data[i];
}

static void read_answer(const struct idem_answer *answer)
{
  uint64_t chunks = 0;
  read_span(answer->headers);
  read_span(answer->body);
  read_span(answer->facts);
  for (size_t i = 0; i < answer->chunk_count; i++)
    chunks += answer->chunks[i].len;
  if (chunks != answer->body.len || (answer->chunk_count && !answer->headers.data))
    abort();
}

static void put(int fd, size_t from, size_t to)
{
  if (pwrite(fd, file + from, to - from, (off_t)from) != (ssize_t)(to - from))
    abort();
}

/* In two looks, the first of them in the middle of a write. Returns how many pieces came. */
static uint32_t look(size_t half)
{
  struct idem_spool spool = IDEM_SPOOL_INIT;
  int fd = memfd_create("spool", MFD_CLOEXEC);
  spool.priv.kept = fd < 0 ? 0 : fd_adopt(fd, FD_SPOOL);
  spool.priv.generation = GENERATION;
  if (spool.priv.kept <= 0)
    abort();
  put(fd, 0, half);
  int first = spool_read(&store, key, &spool);
  read_answer(&spool.answer);
  put(fd, half, len);
  spool_read(&store, key, &spool);
  read_answer(&spool.answer);
  uint32_t pieces = spool.priv.pieces;
  if ((first > 0) > (pieces > 0) || (spool.ended && pieces < 2))
    abort();
  idem_spool_release(&spool);
  return pieces;
}

static void look_at_bytes(const uint8_t *data, size_t size)
{
  len = size < ROOM ? size : ROOM;
  if (len)
    memcpy(file, data, len);
  look(len / 2);
}

/* A piece as an owner would write it, but for what the input changes in its head before the sum is made. */
static void add_piece(struct input *input, uint32_t number, bool changed)
{
  uint32_t bytes = next(input);
  struct spool_head head = {.magic = SPOOL_MAGIC,
                            .kind = number ? IDEM_SPOOL_CHUNK : IDEM_SPOOL_HEAD,
                            .number = number,
                            .at_ms = number,
                            .status = 200,
                            .generation = GENERATION};
  uint32_t *const lens[] = {&head.data_len, &head.headers_len, &head.facts_len};
  *lens[number ? 0 : 1] = bytes;
  memcpy(head.key, key, sizeof(key));
  head.nonce[0] = (uint8_t)number;
  if (number && next(input) % 8 == 0)
    head.kind = IDEM_SPOOL_END;
  for (unsigned changes = changed ? 1 + next(input) % 4 : 0; changes; changes--)
    ((uint8_t *)&head)[next(input) % sizeof(head)] = next(input);
  char *at = file + len + sizeof(head);
  for (uint32_t i = 0; i < bytes; i++)
    at[i] = (char)next(input);
  if (store.sealed) {
    if (spool_cipher(seal_encrypt, &store, &head, (uint8_t *)at, bytes) < 0)
      abort();
    bytes += SEAL_TAG_SIZE;
  }
  head.sum = spool_sum(&head, at, bytes);
  memcpy(file + len, &head, sizeof(head));
  len += sizeof(head) + bytes;
}

/* Pieces that hold, one that is changed, and one more. */
static void look_at_pieces(struct input input)
{
  uint32_t good = next(&input) % 5, ended = 0;
  size_t share = next(&input);
  len = 0;
  for (uint32_t i = 0; i < good; i++) {
    size_t at = len;
    add_piece(&input, i, false);
    ended += file[at + offsetof(struct spool_head, kind)] == IDEM_SPOOL_END && !ended ? i + 1 : 0;
  }
  add_piece(&input, good, true);
  add_piece(&input, good + 1, false);
  uint32_t pieces = look(len * share / 255);
  if (ended ? pieces != ended : pieces < good)
    abort();
}

/* A whole spool with one byte that is not what it was: nothing from there on may come. */
static void look_at_flip(struct input input)
{
  uint32_t count = 1 + next(&input) % 4, before = 0;
  size_t ends[5], place = next(&input) | (size_t)next(&input) << 8;
  uint8_t flip = next(&input) | 1;
  len = 0;
  for (uint32_t i = 0; i < count; ends[i++] = len)
    add_piece(&input, i, false);
  place %= len;
  file[place] = (char)(file[place] ^ flip);
  while (ends[before] <= place)
    before++;
  if (look(len) > before)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  for (int sealed = 0; sealed < 2; sealed++) {
    store.sealed = sealed;
    look_at_bytes(data, size);
    look_at_pieces((struct input){data, size});
    look_at_flip((struct input){data, size});
  }
  return 0;
}
