/* SPDX-License-Identifier: MIT */
#include "store/base/claim_table.h"

#include "config/kernel.h"
#include "store/base/claim_lock.h"
#include "store/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many places of a bucket are for those under way: one that was released, and would wait there for its
 * next try, goes into LMDB where fewer are free. */
enum { TABLE_KEEP_FREE = 6 };

/* As it is on disk. Records begin at a page, and so at sectors. Of 255 buckets, and not 256, the file is less
 * than the 2 MiB that a process must be allowed to write for a store at all (FILE_LEAST in state/state.c). */
enum {
  TABLE_MAGIC = 0x1de3c1a1,
  TABLE_LAYOUT = 1,
  TABLE_BUCKETS = 255,
  TABLE_PLACES = 16,
  TABLE_HEAD = 4096
};

/* What a place holds, in words, so that it can be copied while it changes. */
struct content {
  uint8_t key[IDEM_KEY_SIZE];
  struct claim_record record;
};
enum { CONTENT_WORDS = sizeof(struct content) / sizeof(uint64_t) };
_Static_assert(sizeof(struct content) % sizeof(uint64_t) == 0, "nothing of it is left out");

struct place {
  _Atomic uint64_t tag;      /* of the lock; 0: free */
  _Atomic uint32_t state;    /* 0: it is being written, or was when its writer died */
  _Atomic uint32_t given_up; /* beside the words, so that it can be set without another sum */
  _Atomic uint64_t sum;      /* of the tag and of what is used of the words */
  _Atomic uint64_t word[61]; /* struct content; the rest of the sector is room */
};
_Static_assert(sizeof(struct place) == 512, "a sector");

struct claim_table {
  union {
    struct {
      uint32_t magic, layout;
    };
    uint8_t head[TABLE_HEAD];
  };
  struct place bucket[TABLE_BUCKETS][TABLE_PLACES];
};

/* The 63 bits that a claim is locked by, and a bit that says that it is one. */
static uint64_t tag_of(const uint8_t *lock)
{
  uint64_t tag;
  memcpy(&tag, lock, sizeof(tag));
  return tag | 1;
}

static struct place *bucket_of(struct claim_table *table, const uint8_t *key)
{
  return table->bucket[tag_of(key) / 2 % TABLE_BUCKETS];
}

/* Whoever comes at the same time, or finds what one that was killed has left, writes the same. */
static int make(int fd)
{
  static const uint32_t head[] = {TABLE_MAGIC, TABLE_LAYOUT};
  if (!idem_file_may_have(sizeof(struct claim_table)))
    return -EFBIG;
  int rc = -posix_fallocate(fd, 0, sizeof(struct claim_table));
  return rc < 0 || pwrite(fd, head, sizeof(head), 0) == sizeof(head) ? rc : -EIO;
}

/* Who could not see the claims of others would send again what they have sent, so that it cannot
 * be mapped is a failure. */
int claim_table_open(struct claim_table **out, int fd)
{
  uint32_t head[2] = {0, 0};
  struct stat stat;
  *out = NULL;
  if (idem_fstat(fd, &stat) < 0)
    return -errno;
  ssize_t got = fd_read_at(fd, head, sizeof(head), 0);
  if (got < 0)
    return (int)got;
  if (head[0] && (head[0] != TABLE_MAGIC || head[1] != TABLE_LAYOUT))
    return 0;
  int rc = head[0] && stat.st_size >= (off_t)sizeof(struct claim_table) ? 0 : make(fd);
  if (rc < 0)
    return rc;
  void *map = mmap(NULL, sizeof(struct claim_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return -errno;
  *out = map;
  return 0;
}

void claim_table_close(struct claim_table *table)
{
  if (table)
    munmap(table, sizeof(*table));
}

/* Of a tag and words: it finds half of a write, and not an attack. */
static uint64_t sum_of(uint64_t tag, const uint64_t *word)
{
  uint64_t sum = tag;
  for (int i = 0; i < CONTENT_WORDS; i++) {
    sum = (sum ^ word[i]) * 0x9e3779b97f4a7c15u;
    sum ^= sum >> 29;
  }
  return sum;
}

/* False for a place that is free, is being written, or has changed hands meanwhile. */
static bool read_place(struct place *place, enum claim_state *state, struct content *out)
{
  uint64_t word[CONTENT_WORDS];
  uint64_t tag = atomic_load_explicit(&place->tag, memory_order_acquire);
  *state = (enum claim_state)(tag ? atomic_load_explicit(&place->state, memory_order_acquire) : 0);
  if (!*state)
    return false;
  for (int i = 0; i < CONTENT_WORDS; i++)
    word[i] = atomic_load_explicit(&place->word[i], memory_order_relaxed);
  if (atomic_load_explicit(&place->sum, memory_order_relaxed) != sum_of(tag, word))
    return false;
  memcpy(out, word, sizeof(word));
  out->record.state = *state;
  if (atomic_load_explicit(&place->given_up, memory_order_relaxed))
    out->record.given_up = 1;
  out->record.upstream_key[sizeof(out->record.upstream_key) - 1] = '\0';
  return true;
}

/* The state first: killed in between, we leave a place that says nothing and that a sweep frees. */
static void free_place(struct place *place)
{
  atomic_store_explicit(&place->state, 0, memory_order_release);
  atomic_store_explicit(&place->tag, 0, memory_order_release);
}

static struct place *take_place(struct place *bucket, uint64_t tag)
{
  for (int i = 0; i < TABLE_PLACES; i++) {
    uint64_t none = 0;
    if (atomic_load_explicit(&bucket[i].tag, memory_order_relaxed) == 0 &&
        atomic_compare_exchange_strong(&bucket[i].tag, &none, tag))
      return &bucket[i];
  }
  return NULL;
}

/* The state comes last: a place without one says nothing. A reader that is in the middle of its words when
 * they change has some of the old ones and some of the new, and finds that the sum does not fit. */
static void fill_place(struct place *place, uint64_t tag, const uint8_t *key,
                       const struct claim_record *record)
{
  uint64_t word[CONTENT_WORDS];
  struct content content = {.record = *record};
  memcpy(content.key, key, IDEM_KEY_SIZE);
  memcpy(word, &content, sizeof(word));
  for (int i = 0; i < CONTENT_WORDS; i++)
    atomic_store_explicit(&place->word[i], word[i], memory_order_relaxed);
  atomic_store_explicit(&place->sum, sum_of(tag, word), memory_order_relaxed);
  atomic_store_explicit(&place->given_up, 0, memory_order_relaxed);
  atomic_store_explicit(&place->state, record->state, memory_order_release);
}

int claim_table_put(struct claim_table *table, const uint8_t *lock, const uint8_t *key,
                    const struct claim_record *record)
{
  struct place *bucket = bucket_of(table, key), *ours = take_place(bucket, tag_of(lock));
  if (!ours)
    return -ENOSPC;
  fill_place(ours, tag_of(lock), key, record);
  /* What is as new as ours stays: a claim and the print of its content have one lock and one generation, and
   * may share a bucket. What cannot be read is what a killed owner has left. */
  for (int i = 0; i < TABLE_PLACES; i++) {
    struct content left;
    enum claim_state state;
    if (&bucket[i] != ours && atomic_load_explicit(&bucket[i].tag, memory_order_relaxed) == tag_of(lock) &&
        !(read_place(&bucket[i], &state, &left) && left.record.generation >= record->generation))
      free_place(&bucket[i]);
  }
  return 0;
}

/* With the lock held nobody else writes to it, so what is found is still so when it is changed. */
static struct place *find_own(struct claim_table *table, const uint8_t *lock, const uint8_t *key,
                              uint64_t generation, struct content *content)
{
  struct place *bucket = bucket_of(table, key);
  enum claim_state state;
  for (int i = 0; i < TABLE_PLACES; i++)
    if (atomic_load_explicit(&bucket[i].tag, memory_order_relaxed) == tag_of(lock) &&
        read_place(&bucket[i], &state, content) && content->record.generation == generation &&
        memcmp(content->key, key, IDEM_KEY_SIZE) == 0)
      return &bucket[i];
  return NULL;
}

bool claim_table_own(struct claim_table *table, const uint8_t *lock, const uint8_t *key, uint64_t generation,
                     struct claim_record *out)
{
  struct content content;
  bool found = find_own(table, lock, key, generation, &content);
  if (found)
    *out = content.record;
  return found;
}

bool claim_table_give_up(struct claim_table *table, const uint8_t *lock, const uint8_t *key,
                         uint64_t generation)
{
  struct content content;
  struct place *place = find_own(table, lock, key, generation, &content);
  if (place)
    atomic_store_explicit(&place->given_up, 1, memory_order_release);
  return place;
}

/* Those of others may come and go while they are counted: the room that is kept free is not exact. */
bool claim_table_release(struct claim_table *table, const uint8_t *lock, const uint8_t *key,
                         uint64_t generation)
{
  struct content content;
  struct place *bucket = bucket_of(table, key), *place = find_own(table, lock, key, generation, &content);
  int used = 0;
  for (int i = 0; i < TABLE_PLACES; i++)
    used += atomic_load_explicit(&bucket[i].tag, memory_order_relaxed) != 0;
  if (!place || used > TABLE_PLACES - TABLE_KEEP_FREE)
    return false;
  atomic_store_explicit(&place->state, CLAIM_RELEASED, memory_order_release);
  return true;
}

void claim_table_free(struct claim_table *table, const uint8_t *lock, const uint8_t *key, uint64_t generation)
{
  struct content content;
  struct place *place = find_own(table, lock, key, generation, &content);
  if (place)
    free_place(place);
}

bool claim_table_find(struct claim_table *table, const uint8_t *key, bool print, struct claim_record *out)
{
  struct place *bucket = bucket_of(table, key);
  bool found = false;
  for (int i = 0; i < TABLE_PLACES; i++) {
    struct content content;
    enum claim_state state;
    if (!read_place(&bucket[i], &state, &content) || (state == CLAIM_PRINT) != print ||
        memcmp(content.key, key, IDEM_KEY_SIZE) != 0 ||
        (found && content.record.generation < out->generation))
      continue;
    *out = content.record;
    found = true;
  }
  return found;
}

/* Whoever frees one has its claim for that time, so that no new owner can be on the point of using the place.
 * The tag is as much of the key as its lock goes by: the bit that tag_of() sets is none of it. */
static bool sweep_place(struct place *place, const struct claims_file *claims, claim_table_goes *goes,
                        void *arg)
{
  uint8_t dead[IDEM_KEY_SIZE] = {0};
  struct content content;
  enum claim_state state;
  uint64_t tag = atomic_load_explicit(&place->tag, memory_order_acquire);
  if (!tag || (read_place(place, &state, &content) && !goes(arg, content.key, &content.record)))
    return false;
  memcpy(dead, &tag, sizeof(tag));
  int fd = claim_lock_take(claims, dead);
  if (fd < 0)
    return false;
  bool went = false;
  if (atomic_load_explicit(&place->tag, memory_order_acquire) == tag) {
    bool whole = read_place(place, &state, &content);
    if (!whole || goes(arg, content.key, &content.record)) {
      went = whole && state == CLAIM_IN_FLIGHT;
      free_place(place);
    }
  }
  claim_lock_release(fd, dead);
  return went;
}

unsigned claim_table_sweep(struct claim_table *table, const struct claims_file *claims, const uint8_t *beside,
                           claim_table_goes *goes, void *arg)
{
  struct place *first = beside ? bucket_of(table, beside) : table->bucket[0];
  unsigned went = 0, count = beside ? TABLE_PLACES : TABLE_BUCKETS * TABLE_PLACES;
  for (unsigned i = 0; i < count; i++)
    went += sweep_place(&first[i], claims, goes, arg);
  return went;
}
