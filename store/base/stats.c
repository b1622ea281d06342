/* SPDX-License-Identifier: MIT */
#include "store/base/stats.h"

#include "config/kernel.h"
#include "store/base/clock.h"
#include "store/base/fd.h"
#include "store/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STATS_MAGIC = 0x5a7d1de3, STATS_TRIES = 8 };

_Static_assert((int)IDEM_COUNTER_COUNT <= (int)STATS_COUNTERS, "another layout, and another STATS_FILE");
_Static_assert(offsetof(struct idem_fleet_shared, changes) == 256, "another layout, and another STATS_FILE");

/* How the file begins. All of it is too large for the stacks of some threads. */
struct head {
  uint32_t magic, layout;
  uint64_t size;
  int64_t since_us;
};

/* 0: it is a page of this layout, and whole; -ESTALE: it is not. One that cannot be read is not
 * known to be a bad one. */
static int look_at(int fd)
{
  struct stat stat;
  struct head head;
  if (idem_fstat(fd, &stat) < 0)
    return -errno;
  if (!S_ISREG(stat.st_mode) || stat.st_size != (off_t)sizeof(struct stats))
    return -ESTALE;
  ssize_t got = fd_read_at(fd, &head, sizeof(head), 0);
  if (got < 0)
    return (int)got;
  return got == (ssize_t)sizeof(head) && head.magic == STATS_MAGIC && head.layout == STATS_LAYOUT &&
                 head.size == sizeof(struct stats)
             ? 0
             : -ESTALE;
}

/* The mapping, if the file at `path` is one of ours. -ESTALE if it has to be replaced. */
static int stats_map(struct stats **out, const char *path)
{
  int fd = fd_open(path, O_RDWR | O_NONBLOCK, 0);
  if (fd < 0)
    return fd;
  int rc;
  size_t size = sizeof(struct stats);
  /* A hole in a mapped file is a SIGBUS on a full disk. */
  if ((rc = look_at(fd)) == 0 && (rc = -posix_fallocate(fd, 0, (off_t)size)) == 0) {
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    rc = map == MAP_FAILED ? -errno : 0;
    *out = map;
  }
  close(fd);
  return rc;
}

/* Puts a new file in place of a bad one, or of none. Others may have the old one mapped: it stays as it is.
 */
static int stats_replace(const char *path, bool bad)
{
  struct head head = {STATS_MAGIC, STATS_LAYOUT, sizeof(struct stats), clock_now_us()};
  char fresh[PATH_MAX];
  uint64_t number;
  /* Two containers that share a store may have the same pid. */
  if (getrandom(&number, sizeof(number), 0) != sizeof(number))
    return -EIO;
  if (snprintf(fresh, sizeof(fresh), "%s.%016llx", path, (unsigned long long)number) >= (int)sizeof(fresh))
    return -ENAMETOOLONG;
  int fd = fd_open(fresh, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0)
    return fd;
  int rc = -posix_fallocate(fd, 0, sizeof(struct stats));
  if (rc == 0 && pwrite(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head))
    rc = -EIO;
  close(fd);
  /* Where there was none, somebody else's may be there by now, and stays. */
  if (rc == 0 && (bad ? rename(fresh, path) : link(fresh, path)) < 0 && errno != EEXIST)
    rc = -errno;
  unlink(fresh);
  return rc;
}

/* A few tries, for another process may replace or make it at the same time. */
int stats_open(struct stats **out, const char *path)
{
  int rc = -ENOENT;
  for (int i = 0; i < STATS_TRIES; i++) {
    rc = stats_map(out, path);
    if (rc != -ENOENT && rc != -ESTALE)
      return rc;
    if ((rc = stats_replace(path, rc == -ESTALE)) < 0)
      return rc;
  }
  return -ESTALE;
}

int stats_open_copy(struct stats **out, const char *path)
{
  int fd = fd_open(path, O_RDONLY | O_NONBLOCK, 0), flags = MAP_PRIVATE;
  if (fd < 0 || look_at(fd) < 0)
    flags |= MAP_ANONYMOUS;
  void *map =
      mmap(NULL, sizeof(struct stats), PROT_READ | PROT_WRITE, flags, flags & MAP_ANONYMOUS ? -1 : fd, 0);
  int rc = map == MAP_FAILED ? -errno : 0;
  if (fd >= 0)
    close(fd);
  if (rc == 0)
    *out = map;
  return rc;
}

void stats_close(struct stats *stats)
{
  if (stats)
    munmap(stats, sizeof(*stats));
}

/* Threads of one process differ in their stacks, and so in what pthread_self() gives. */
unsigned stats_shard(void)
{
  uint64_t mix = ((uint64_t)pthread_self() >> 12) + (uint64_t)process_pid();
  return (unsigned)((mix * 0x9e3779b97f4a7c15u) >> 60) % STATS_SHARDS;
}

void stats_add(struct stats *stats, unsigned shard, enum idem_counter counter, uint64_t n)
{
  atomic_fetch_add_explicit(&stats->shard[shard].counter[counter], n, memory_order_relaxed);
}

/* Without a lock; a sum is of no one moment. */
uint64_t stats_sum(const struct stats *stats, enum idem_counter counter)
{
  uint64_t sum = 0;
  for (unsigned i = 0; i < STATS_SHARDS; i++)
    sum += atomic_load_explicit(&stats->shard[i].counter[counter], memory_order_relaxed);
  return sum;
}

static _Atomic uint64_t *replayed_word(struct stats *stats, uint64_t serial)
{
  return &stats->replayed[serial % STATS_REPLAYED / 64];
}

bool stats_first_replay(struct stats *stats, uint64_t serial)
{
  _Atomic uint64_t *word = replayed_word(stats, serial);
  uint64_t bit = UINT64_C(1) << serial % 64;
  /* Looked at before it is set: a hot answer must not make its readers fight for the line. */
  return !(atomic_load_explicit(word, memory_order_relaxed) & bit) && !(atomic_fetch_or(word, bit) & bit);
}

bool stats_was_replayed(struct stats *stats, uint64_t serial)
{
  return atomic_load_explicit(replayed_word(stats, serial), memory_order_relaxed) >> serial % 64 & 1;
}

void stats_forget_replay(struct stats *stats, uint64_t serial)
{
  atomic_fetch_and(replayed_word(stats, serial), ~(UINT64_C(1) << serial % 64));
}

_Atomic uint32_t *stats_wake_word(struct stats *stats, const uint8_t *key)
{
  return &stats->wake[key[0]];
}

/* The word changes before anybody is woken, so that who is about to sleep does not: it has counted itself
 * before the kernel looks at the word, so either we see it here, or it sees another word there. */
void stats_wake(struct stats *stats, const uint8_t *key)
{
  _Atomic uint32_t *word = stats_wake_word(stats, key);
  atomic_fetch_add(word, 1);
  if (atomic_load(&stats->sleepers[key[0]]))
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* FUTEX_WAIT returns at once if the word has changed since it was seen. Not FUTEX_PRIVATE_FLAG: it is other
 * processes that wake. */
void stats_sleep(struct stats *stats, const uint8_t *key, uint32_t seen, unsigned ms)
{
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
  atomic_fetch_add(&stats->sleepers[key[0]], 1);
  syscall(SYS_futex, stats_wake_word(stats, key), FUTEX_WAIT, seen, &time, NULL, 0);
  atomic_fetch_sub(&stats->sleepers[key[0]], 1);
}

/* Two that come at once may each name a place: their sums are added up by whoever reads them. */
static struct stats_model *model_of(struct stats *stats, const char *name)
{
  for (unsigned i = 0; i < STATS_MODELS - 1; i++) {
    struct stats_model *at = &stats->model[i];
    uint32_t place = atomic_load_explicit(&at->place, memory_order_acquire);
    if (place == STATS_FREE && atomic_compare_exchange_strong(&at->place, &place, STATS_BEGUN)) {
      snprintf(at->name, sizeof(at->name), "%s", name);
      atomic_store_explicit(&at->place, STATS_NAMED, memory_order_release);
      return at;
    }
    if (place == STATS_NAMED && strncmp(at->name, name, sizeof(at->name)) == 0)
      return at;
  }
  return &stats->model[STATS_MODELS - 1];
}

void stats_would_save(struct stats *stats, struct idem_span model, const struct idem_usage *usage)
{
  char name[sizeof(((struct stats_model *)0)->name)];
  snprintf(name, sizeof(name), "%.*s", model.len < sizeof(name) ? (int)model.len : (int)sizeof(name),
           model.data);
  struct stats_model *at = model_of(stats, name);
  atomic_fetch_add(&at->input, usage->input > 0 ? (uint64_t)usage->input : 0);
  atomic_fetch_add(&at->output, usage->output > 0 ? (uint64_t)usage->output : 0);
}

static _Atomic uint64_t *dollars_of(struct stats *stats, const struct stats_run *run)
{
  return &stats->nano_dollars[run - stats->run];
}

/* Its place, which others may take over if so many runs are under way that there is none: a
 * budget then begins anew. */
static struct stats_run *run_of(struct stats *stats, uint64_t run)
{
  enum { NEAR = 16 };
  struct stats_run *oldest = NULL;
  for (unsigned i = 0; i < NEAR; i++) {
    struct stats_run *at = &stats->run[(run + i) % STATS_RUNS];
    uint64_t id = atomic_load_explicit(&at->id, memory_order_relaxed);
    if (id == run || (id == 0 && (atomic_compare_exchange_strong(&at->id, &id, run) || id == run)))
      return at;
    if (!oldest || atomic_load(&at->at_us) < atomic_load(&oldest->at_us))
      oldest = at;
  }
  uint64_t id = atomic_load(&oldest->id);
  if (atomic_compare_exchange_strong(&oldest->id, &id, run)) {
    atomic_store(&oldest->calls, 0);
    atomic_store(&oldest->tokens, 0);
    atomic_store(dollars_of(stats, oldest), 0);
  }
  return oldest;
}

const char *stats_spend(struct stats *stats, uint64_t run, const struct idem_budget *budget)
{
  struct stats_run *at = run_of(stats, run);
  uint64_t calls = atomic_load(&at->calls);
  atomic_store_explicit(&at->at_us, clock_now_us(), memory_order_relaxed);
  if (atomic_load(&at->tokens) >= budget->tokens)
    return "tokens";
  if (atomic_load(dollars_of(stats, at)) >= budget->nano_dollars)
    return "dollars";
  while (calls < budget->calls)
    if (atomic_compare_exchange_weak(&at->calls, &calls, calls + 1))
      return NULL;
  return "calls";
}

void stats_take(struct stats *stats, uint64_t run, const struct idem_usage *usage, uint64_t nano_dollars)
{
  struct stats_run *at = run_of(stats, run);
  atomic_fetch_add(&at->tokens, (uint64_t)(usage->input > 0 ? usage->input : 0) +
                                    (uint64_t)(usage->output > 0 ? usage->output : 0));
  atomic_fetch_add(dollars_of(stats, at), nano_dollars);
}

uint64_t stats_tally(struct stats *stats, uint64_t run)
{
  struct stats_run *at = run_of(stats, run);
  atomic_store_explicit(&at->at_us, clock_now_us(), memory_order_relaxed);
  return atomic_fetch_add(&at->calls, 1) + 1;
}
