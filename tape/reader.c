/* SPDX-License-Identifier: MIT */
/* Opening a tape: every segment's index is read once, damage is told and passed over, and the
 * entries are put into the order of the run. */
#include "tape/reader.h"

#include "config/kernel.h"
#include "store/base/fd.h"
#include "store/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[TAPE_WHATS] = {"live", "hit", "join", "bypass", "reject", "rescue"};

/* What the shim did with the call, in one word. */
const char *tape_what_name(enum tape_what what)
{
  return (unsigned)what < TAPE_WHATS ? names[what] : "?";
}

/* Opening. */

/* An empty directory is no tape. */
static int find_segments(const char *dir, struct tape_segments *segments, struct idem_error *error)
{
  struct stat stat_out;
  if (idem_fstatat(AT_FDCWD, dir, &stat_out, 0) < 0)
    return errno == ENOENT ? idem_error_set(error, -ENOENT, "there is no tape at %s", dir)
                           : path_fail(error, -errno, dir);
  if (!S_ISDIR(stat_out.st_mode))
    return idem_error_set(error, -ENOTDIR, "%s: is not a tape: it is not a directory", dir);
  int rc = tape_segments_list(dir, segments);
  if (rc < 0)
    return path_fail(error, rc, dir);
  if (!segments->count)
    return idem_error_set(error, -ENODATA, "%s: is not a tape: there is no file like 00000001.tape in it",
                          dir);
  return 0;
}

/* Reads a head for what it refuses: another version, a file that is damaged or none of ours. */
static int check_head(const char *dir, uint32_t number, struct idem_error *error)
{
  char path[PATH_MAX];
  struct tape_head head;
  if (!tape_segment_path(path, dir, number))
    return path_fail(error, -ENAMETOOLONG, dir);
  int fd = fd_open(path, O_RDONLY, 0);
  if (fd < 0)
    return path_fail(error, fd, path);
  int rc = tape_head_read(fd, path, &head, error);
  close(fd);
  return rc;
}

/* The order of a run: calls of one process have the order in which it began them, whatever the clock did;
 * processes are brought together by the clock. */

/* -1, 0 or 1; a difference could overflow. */
static int compare(int64_t a, int64_t b)
{
  return (a > b) - (a < b);
}

/* A process is its pid and when it began: pids come again. */
static int by_process(const void *a, const void *b)
{
  const struct tape_entry *x = a, *y = b;
  int order = compare(x->process_us, y->process_us);
  if (order == 0)
    order = compare(x->pid, y->pid);
  if (order == 0)
    order = (x->sequence > y->sequence) - (x->sequence < y->sequence);
  /* What a copy of the process finished has the place of the call that was given up, and comes behind it. */
  return order ? order : x->what - y->what;
}

/* By time, and within a process by its own order. */
static int by_order(const void *a, const void *b)
{
  const struct tape_entry *x = a, *y = b;
  int order = compare(x->order_us, y->order_us);
  return order ? order : by_process(a, b);
}

/* Sorts twice: within processes first, for only then is it known where a clock went back. */
static uint32_t sort(struct tape *tape)
{
  struct tape_entry *entry = tape->entries;
  uint32_t process = 0;
  if (tape->count)
    qsort(entry, tape->count, sizeof(*entry), by_process);
  for (size_t i = 0; i < tape->count; i++) {
    bool first = i == 0 || entry[i].process_us != entry[i - 1].process_us || entry[i].pid != entry[i - 1].pid;
    entry[i].process = first ? ++process : process;
    /* A clock that was set back must not put a later call before an earlier one. */
    bool back = !first && entry[i].started_us < entry[i - 1].order_us;
    entry[i].order_us = back ? entry[i - 1].order_us : entry[i].started_us;
  }
  if (tape->count)
    qsort(entry, tape->count, sizeof(*entry), by_order);
  return process;
}

/* Segments in the order of their numbers, which is that in which they were begun. A damaged one is a finding,
 * unless there is none that is whole: then this is no tape, or nothing is left of it. */
static int scan_all(struct tape_scan *scan, struct idem_error *error)
{
  struct tape *tape = scan->tape;
  struct tape_segments segments = {0};
  int rc = find_segments(tape->dir, &segments, error);
  if (rc == 0)
    rc = check_head(tape->dir, segments.at[0].number, error);
  for (size_t i = 1; rc < 0 && i < segments.count; i++)
    rc = check_head(tape->dir, segments.at[i].number, NULL) == 0 ? 0 : rc;
  tape->files = rc < 0 ? NULL : calloc(segments.count, sizeof(*tape->files));
  if (rc == 0 && !tape->files)
    rc = idem_error_set(error, -ENOMEM, "%s: no memory to read the tape", tape->dir);
  for (size_t i = 0; i < segments.count; i++)
    scan->total += segments.at[i].size;
  for (size_t i = 0; rc == 0 && i < segments.count; i++)
    rc = tape_scan_segment(scan, segments.at[i].number, error);
  free(segments.at);
  tape->totals.processes = sort(tape);
  tape->totals.exchanges = tape->count;
  return rc;
}

/* The keys of an encrypted tape are overwritten. NULL is fine. */
void tape_close(struct tape *tape)
{
  if (!tape)
    return;
  if (tape->files)
    OPENSSL_cleanse(tape->files, tape->file_count * sizeof(*tape->files));
  for (size_t i = 0; i < tape->origin_count; i++)
    free(tape->origins[i]);
  free(tape->files);
  free(tape->entries);
  free(tape->dir);
  free(tape);
}

/* On failure nothing is left open. */
static int scan_new(struct tape **out, struct tape_scan *scan, struct idem_error *error)
{
  struct quiet quiet = quiet_begin();
  struct idem_error first = {""};
  uint8_t master[SEAL_KEY_SIZE];
  const char *key_file = scan->source->key_file;
  struct tape *tape = scan->tape = calloc(1, sizeof(*tape));
  int rc = 0;
  if (tape)
    tape->dir = strdup(scan->source->dir);
  if (!tape || !tape->dir)
    rc = idem_error_set(&first, -ENOMEM, "%s: no memory to read the tape", scan->source->dir);
  else if (key_file)
    rc = seal_read_key(key_file, master, &first);
  scan->master = key_file ? master : NULL;
  if (rc == 0)
    rc = scan_all(scan, &first);
  OPENSSL_cleanse(master, sizeof(master));
  *out = rc == 0 ? tape : NULL;
  if (rc < 0) {
    tape_close(tape);
    idem_error_set(error, rc, "%s", first.text);
  }
  quiet_end(&quiet);
  return rc;
}

/* What the first finding said, in case nothing can be read at all. */
struct first_finding {
  const struct tape_source *source;
  struct idem_error what;
};

/* Keeps the first finding, and passes each on. */
static void note_finding(void *arg, const char *what)
{
  struct first_finding *first = arg;
  if (!first->what.text[0])
    idem_error_set(&first->what, 0, "%s", what);
  if (first->source->found)
    first->source->found(first->source->arg, what);
}

/* A tape of which nothing can be read is refused; one with some damage is opened, and what is
 * missing has been told. */
int tape_open(struct tape **out, const struct tape_source *source, struct idem_error *error)
{
  struct first_finding first = {.source = source};
  struct tape_source noting = {source->dir, source->key_file, note_finding, &first};
  struct tape_scan scan = {.source = &noting};
  int rc = scan_new(out, &scan, error);
  if (rc < 0 || (*out)->count || !(*out)->totals.damaged)
    return rc;
  tape_close(*out);
  *out = NULL;
  return idem_error_set(error, -EILSEQ, "%s; nothing can be read of this tape", first.what.text);
}

/* All contents are read, too, and nothing is kept. */
int tape_verify(const struct tape_source *source, struct tape_totals *totals,
                void (*progress)(void *arg, uint64_t done, uint64_t total), struct idem_error *error)
{
  struct tape *tape;
  struct tape_scan scan = {.source = source, .check = true, .progress = progress};
  int rc = scan_new(&tape, &scan, error);
  *totals = rc == 0 ? tape->totals : (struct tape_totals){0};
  tape_close(tape);
  return rc;
}

/* The numbers are of when the tape was opened; it may have grown since. */
struct tape_totals tape_totals(const struct tape *tape)
{
  return tape->totals;
}
