/* SPDX-License-Identifier: MIT */
/*
 * Which recorded exchange answers this call? The one with its key; else with its content; else, if asked for,
 * a loose likeness. Among those of one name the earliest that was not given yet counts, first of this thread,
 * then of any. What has been given is a byte each in memory that all processes of the replay share, taken by
 * a compare-and-swap: two threads never get the same one.
 */
#include "tape/match.h"
#include "config/words.h"
#include "store/base/fd.h"
#include "store/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Groups. */

/* What a sort needs to know; entries are indexes. */
struct name_key {
  const struct tape *tape;
  size_t offset; /* of the name in an entry */
};

/* Key and fingerprint are names of one length at two places of an entry. */
static const uint8_t *name_at(const struct tape *tape, size_t offset, uint32_t index)
{
  return (const uint8_t *)&tape->entries[index] + offset;
}

/* By name, then by the order of the run. */
static int by_name(const void *a, const void *b, void *arg)
{
  const struct name_key *key = arg;
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  int order = memcmp(name_at(key->tape, key->offset, x), name_at(key->tape, key->offset, y), IDEM_KEY_SIZE);
  return order ? order : (x > y) - (x < y);
}

/* What a rescue finished is left out: the app never saw it. */
static int make_names(const struct tape *tape, size_t offset, struct tape_names *names)
{
  struct name_key key = {tape, offset};
  names->index = malloc((tape->count + 1) * sizeof(*names->index));
  if (!names->index)
    return -ENOMEM;
  for (size_t i = 0; i < tape->count; i++)
    if (tape->entries[i].what != TAPE_RESCUE)
      names->index[names->count++] = (uint32_t)i;
  qsort_r(names->index, names->count, sizeof(*names->index), by_name, &key);
  return 0;
}

/* The first place whose name is not before this one; with `after`, the first behind it. */
static size_t bound(const struct tape_matcher *matcher, const struct tape_names *names, size_t offset,
                    const uint8_t *name, bool after)
{
  size_t low = 0, high = names->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = memcmp(name_at(matcher->tape, offset, names->index[middle]), name, IDEM_KEY_SIZE);
    if (order < 0 || (after && order == 0))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* All exchanges of one name, in order; none is a group of 0. */
static struct tape_group find_group(const struct tape_matcher *matcher, const struct tape_names *names,
                                    size_t offset, const uint8_t *name)
{
  size_t from = bound(matcher, names, offset, name, false), to = bound(matcher, names, offset, name, true);
  return (struct tape_group){names->index + from, to - from};
}

/* Taking. */

/* How well a lane fits: this one in this process's place, this one anywhere, any. */
enum { FITS_PROCESS, FITS_LANE, FITS_ANY, FITS };

/* True if the exchange is good enough for a pass that is as strict as `how`. */
static bool fits(const struct tape_entry *entry, uint32_t process, uint32_t lane, int how)
{
  return how == FITS_ANY || (entry->lane == lane && (how == FITS_LANE || entry->process == process));
}

/* The earliest that has not been given, of those that fit best; 0: all have been. Taking one is a
 * compare-and-swap, so that nobody else has it, in any process. */
static uint64_t take_first(struct tape_matcher *matcher, struct tape_group group, uint32_t process,
                           uint32_t lane)
{
  for (int how = 0; how < FITS; how++)
    for (size_t i = 0; i < group.count; i++) {
      uint8_t not_yet = 0;
      if (fits(&matcher->tape->entries[group.at[i]], process, lane, how) &&
          atomic_compare_exchange_strong(&matcher->state->taken[group.at[i]], &not_yet, 1))
        return (uint64_t)group.at[i] + 1;
    }
  return 0;
}

/* For exhausted=last: the newest that fits best. */
static uint64_t last_of(const struct tape_matcher *matcher, struct tape_group group, uint32_t process,
                        uint32_t lane)
{
  for (int how = 0; how < FITS; how++)
    for (size_t i = group.count; i-- > 0;)
      if (fits(&matcher->tape->entries[group.at[i]], process, lane, how))
        return (uint64_t)group.at[i] + 1;
  return 0;
}

/* Processes are numbered by order of appearance, as the reader numbers those on the tape. */
static uint32_t this_process(struct tape_matcher *matcher)
{
  uint64_t life = process_generation(), old = atomic_load(&matcher->process);
  if (old >> 32 == life)
    return (uint32_t)old;
  uint64_t mine = life << 32 | (atomic_fetch_add(&matcher->state->processes, 1) + 1);
  return atomic_compare_exchange_strong(&matcher->process, &old, mine) ? (uint32_t)mine : (uint32_t)old;
}

/* Gives one of the group, or says that all of them were given already. */
static enum tape_verdict choose(struct tape_matcher *matcher, struct tape_group group,
                                const struct tape_call *call, struct tape_match *match)
{
  uint32_t process = this_process(matcher), lane = call->lane ? call->lane : tape_lane();
  match->number = take_first(matcher, group, process, lane);
  if (match->number)
    return TAPE_FOUND;
  if (matcher->last) {
    match->number = last_of(matcher, group, process, lane);
    return TAPE_FOUND;
  }
  snprintf(match->note, sizeof(match->note),
           "this call was recorded %zu %s been replayed; exhausted=last would repeat the last one",
           group.count, idem_word(group.count, "time, and it has", "times, and all have"));
  return TAPE_EXHAUSTED;
}

/* Matching. */

/* A loose match is told with what was not looked at, so that nobody takes it for an exact one. */
static void say_loose(struct tape_matcher *matcher, const struct idem_request *request,
                      struct tape_match *match)
{
  struct buffer buffer = {0};
  char difference[400];
  struct idem_request now = tape_request_redacted(request, &buffer);
  tape_difference(matcher->tape, match->number, &now, difference, sizeof(difference));
  match->loose = true;
  snprintf(match->note, sizeof(match->note), "not looked at (recorded / now): %s", difference);
  free(buffer.data);
}

static bool has_old(const struct tape *tape)
{
  for (size_t i = 0; i < tape->file_count; i++)
    if (tape->files[i].head.version == TAPE_VERSION_0_1)
      return true;
  return false;
}

/* What goes out is not used up. Once a call has gone out for live_from, all that follow do, in each process
 * of the replay. */
static enum tape_verdict settle(struct tape_matcher *matcher, enum tape_verdict verdict,
                                const struct tape_match *match)
{
  struct tape_state *state = matcher->state;
  bool reached = verdict == TAPE_FOUND && match->number >= matcher->live_from;
  if (matcher->live_from && (reached || atomic_load(&state->live))) {
    if (verdict == TAPE_FOUND && !matcher->last)
      atomic_store(&state->taken[match->number - 1], 0);
    atomic_fetch_add(&state->live, 1);
    return TAPE_GO_LIVE;
  }
  atomic_fetch_add(&state->misses, verdict != TAPE_FOUND);
  return verdict;
}

/* From the strictest name to the loosest. Never fails: what cannot be found is a miss with a note that says
 * what is nearest. */
enum tape_verdict tape_match(struct tape_matcher *matcher, const struct idem_request *request,
                             const struct tape_call *call, struct tape_match *match)
{
  struct quiet quiet = quiet_begin();
  *match = (struct tape_match){0};
  enum tape_verdict verdict = TAPE_MISS;
  struct tape_group group =
      find_group(matcher, &matcher->by_key, offsetof(struct tape_entry, key), call->key);
  if (!group.count)
    group = find_group(matcher, &matcher->by_fingerprint, offsetof(struct tape_entry, fingerprint),
                       call->fingerprint);
  if (!group.count && has_old(matcher->tape))
    group = tape_loose_find(matcher, request, true);
  bool loose = !group.count && matcher->loose;
  if (loose)
    group = tape_loose_find(matcher, request, false);
  if (group.count)
    verdict = choose(matcher, group, call, match);
  else
    tape_nearest(matcher->tape, request, match);
  if (loose && verdict == TAPE_FOUND)
    say_loose(matcher, request, match);
  verdict = settle(matcher, verdict, match);
  quiet_end(&quiet);
  return verdict;
}

/* The state: one byte for each exchange, shared by a process and its children, or through a file by all
 * processes of the replay. */

/* Allocated before it is mapped, for a full disk would be a SIGBUS. */
static int open_file(const char *path, size_t size, struct idem_error *error)
{
  int fd = fd_open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0)
    return path_fail(error, fd, path);
  int code = posix_fallocate(fd, 0, (off_t)size);
  if (code == 0)
    return fd;
  close(fd);
  return path_fail(error, -code, path);
}

/* Shared memory that children inherit, or a mapped file for processes that are not related. */
static int open_state(struct tape_matcher *matcher, const char *path, struct idem_error *error)
{
  const struct tape *tape = matcher->tape;
  uint64_t number = tape->count, there = 0;
  if (tape->file_count)
    number ^= tape_sum(&tape->files[0].head, tape->files[0].head.id, TAPE_ID_SIZE);
  number |= 1; /* never 0, which an empty file has */
  matcher->state_size = sizeof(struct tape_state) + tape->count;
  int fd = path ? open_file(path, matcher->state_size, error) : -1;
  if (path && fd < 0)
    return fd;
  void *map = mmap(NULL, matcher->state_size, PROT_READ | PROT_WRITE,
                   path ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, fd, 0);
  int code = errno;
  if (fd >= 0)
    close(fd);
  if (map == MAP_FAILED)
    return path_fail(error, -code, path ? path : tape->dir);
  matcher->state = map;
  if (!atomic_compare_exchange_strong(&matcher->state->tape, &there, number) && there != number)
    return idem_error_set(error, -EINVAL, "%s: belongs to the replay of another tape", path);
  return 0;
}

/* The file may be of a replay in which no process has come to the tape. */
int tape_account(const struct tape *tape, const char *state, struct tape_account *account,
                 struct idem_error *error)
{
  struct tape_matcher matcher = {.tape = tape};
  int rc = open_state(&matcher, state, error);
  *account = (struct tape_account){0};
  for (size_t i = 0; rc == 0 && i < tape->count; i++) {
    bool replayable = tape->entries[i].what != TAPE_RESCUE, used = atomic_load(&matcher.state->taken[i]);
    account->replayable += replayable;
    account->used += replayable && used;
    if (replayable && !used && !account->first_unused)
      account->first_unused = i + 1;
  }
  if (rc == 0) {
    account->misses = atomic_load(&matcher.state->misses);
    account->live = atomic_load(&matcher.state->live);
  }
  if (matcher.state)
    munmap(matcher.state, matcher.state_size);
  return rc;
}

/* Opening. */

/* Two sorted lists of indexes are made once. The tape must stay open as long as the matcher. */
int tape_open_matcher(struct tape_matcher **out, const struct tape *tape,
                      const struct tape_matching *matching, struct idem_error *error)
{
  struct quiet quiet = quiet_begin();
  struct tape_matcher *matcher = calloc(1, sizeof(*matcher));
  int rc = 0;
  if (matcher)
    *matcher = (struct tape_matcher){
        .tape = tape, .loose = matching->loose, .last = matching->last, .live_from = matching->live_from};
  if (!matcher || make_names(tape, offsetof(struct tape_entry, key), &matcher->by_key) < 0 ||
      make_names(tape, offsetof(struct tape_entry, fingerprint), &matcher->by_fingerprint) < 0)
    rc = idem_error_set(error, -ENOMEM, "%s: no memory to match calls", tape->dir);
  else
    rc = open_state(matcher, matching->state, error);
  *out = rc == 0 ? matcher : NULL;
  if (rc < 0)
    tape_close_matcher(matcher);
  quiet_end(&quiet);
  return rc;
}

/* NULL is fine, and so is one that was half opened. */
void tape_close_matcher(struct tape_matcher *matcher)
{
  if (!matcher)
    return;
  tape_loose_free(matcher);
  if (matcher->state)
    munmap(matcher->state, matcher->state_size); /* a file stays for the other processes */
  free(matcher->by_key.index);
  free(matcher->by_fingerprint.index);
  free(matcher);
}
