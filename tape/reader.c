/* SPDX-License-Identifier: MIT */
/* Opening a tape: every segment's index is read once, damage is told and passed over, and the
 * entries are put into the order of the run. */
#include "tape/reader.h"

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
  if (stat(dir, &stat_out) < 0)
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

/* A damaged segment is a finding, unless there is none that is whole: then this is no tape, or nothing is
 * left of it. */
static int check_heads(const char *dir, const struct tape_segments *segments, struct idem_error *error)
{
  int first = check_head(dir, segments->at[0].number, error);
  for (size_t i = 1; first < 0 && i < segments->count; i++)
    if (check_head(dir, segments->at[i].number, NULL) == 0)
      return 0;
  return first;
}

/* In the order of their numbers, which is that in which they were begun. */
static int scan_segments(struct tape_scan *scan, const struct tape_segments *segments,
                         struct idem_error *error)
{
  struct tape *tape = scan->tape;
  int rc = 0;
  tape->files = calloc(segments->count, sizeof(*tape->files));
  if (!tape->files)
    return idem_error_set(error, -ENOMEM, "%s: no memory to read the tape", tape->dir);
  for (size_t i = 0; i < segments->count; i++)
    scan->total += segments->at[i].size;
  for (size_t i = 0; rc == 0 && i < segments->count; i++)
    rc = tape_scan_segment(scan, segments->at[i].number, error);
  if (rc == 0 && tape_sort(tape) < 0)
    rc = idem_error_set(error, -ENOMEM, "%s: no memory to read the tape", tape->dir);
  tape->totals.exchanges = tape->count;
  return rc;
}

int tape_scan_all(struct tape_scan *scan, struct idem_error *error)
{
  struct tape_segments segments = {0};
  int rc = find_segments(scan->tape->dir, &segments, error);
  if (rc == 0)
    rc = check_heads(scan->tape->dir, &segments, error);
  if (rc == 0)
    rc = scan_segments(scan, &segments, error);
  free(segments.at);
  return rc;
}

static int scan_with_key(struct tape_scan *scan, struct idem_error *error)
{
  uint8_t master[SEAL_KEY_SIZE];
  const char *key_file = scan->source->key_file;
  int rc = key_file ? seal_read_key(key_file, master, error) : 0;
  scan->master = key_file ? master : NULL;
  if (rc == 0)
    rc = tape_scan_all(scan, error);
  OPENSSL_cleanse(master, sizeof(master));
  return rc;
}

/* Room for every segment that was listed. */
static struct tape *new_tape(const char *dir)
{
  struct tape *tape = calloc(1, sizeof(*tape));
  if (tape)
    tape->dir = strdup(dir);
  if (tape && tape->dir)
    return tape;
  free(tape);
  return NULL;
}

/* The keys of an encrypted tape are overwritten. NULL is fine. */
void tape_close(struct tape *tape)
{
  if (!tape)
    return;
  if (tape->files)
    OPENSSL_cleanse(tape->files, tape->file_count * sizeof(*tape->files));
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
  struct tape *tape = scan->tape = new_tape(scan->source->dir);
  int rc = tape ? scan_with_key(scan, &first)
                : idem_error_set(&first, -ENOMEM, "%s: no memory to read the tape", scan->source->dir);
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

/* Passed on as well. */
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

/* Reads all contents, too, and keeps nothing. */
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

/* As counted when it was opened. */
struct tape_totals tape_totals(const struct tape *tape)
{
  return tape->totals;
}
