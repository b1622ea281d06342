/* SPDX-License-Identifier: MIT */
/*
 * The power goes. What LMDB writes to the data file is recorded, with its flushes and with what was
 * acknowledged; an image of the disk is made for points in between: what was flushed is there, and of what
 * was not each sector of 512 bytes is there or not, as it comes. Each image opens, is sound, and has all that
 * was acknowledged before. IDEMSHIM_POWER_CUTS: how many.
 */
#include "tests/unit/store/power.h"

#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { SECTOR = 512, OPS_MOST = 8192, COMMITS = 60, THREADS = 4, IMAGE_MOST = 64 << 20 };

/* In their order. */
static struct op {
  enum { WRITTEN, FLUSHED, ACKNOWLEDGED } what;
  off_t at;
  size_t len;
  char *data;
  bool at_once; /* through a descriptor with O_DSYNC */
  int number;   /* ACKNOWLEDGED: of the answer */
} ops[OPS_MOST];
static int op_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ino_t recorded; /* 0: nothing is */

bool power_takes_no_flush;

static bool is_recorded(int fd)
{
  struct stat status;
  return recorded && fstat(fd, &status) == 0 && status.st_ino == recorded;
}

static void add(struct op op)
{
  pthread_mutex_lock(&lock);
  if (op_count < OPS_MOST)
    ops[op_count++] = op;
  pthread_mutex_unlock(&lock);
}

static void record(int fd, off_t at, const void *data, size_t len)
{
  add((struct op){.what = WRITTEN,
                  .at = at,
                  .len = len,
                  .data = memcpy(malloc(len), data, len),
                  .at_once = (fcntl(fd, F_GETFL) & O_DSYNC) != 0});
}

void power_record(int fd, off_t at, const void *data, size_t len)
{
  if (is_recorded(fd))
    record(fd, at, data, len);
}

/* These stand before libc's for LMDB, too; and pwrite(), which is in engine.c. */
EXPORT ssize_t writev(int fd, const struct iovec *pieces, int count)
{
  if (is_recorded(fd)) {
    off_t at = lseek(fd, 0, SEEK_CUR);
    for (int i = 0; i < count; at += (off_t)pieces[i].iov_len, i++)
      record(fd, at, pieces[i].iov_base, pieces[i].iov_len);
  }
  return syscall(SYS_writev, fd, pieces, count);
}

EXPORT int fdatasync(int fd)
{
  if (power_takes_no_flush) {
    errno = EIO;
    return -1;
  }
  if (is_recorded(fd))
    add((struct op){.what = FLUSHED});
  return (int)syscall(SYS_fdatasync, fd);
}

struct image {
  char *data;
  size_t len;
};

/* What was beyond its end is a hole. */
static void copy(struct image *to, const struct image *from)
{
  if (to->len > from->len)
    memset(to->data + from->len, 0, to->len - from->len);
  memcpy(to->data, from->data, from->len);
  to->len = from->len;
}

static void apply(struct image *image, const struct op *op, size_t from, size_t len)
{
  size_t end = (size_t)op->at + from + len;
  cr_assert_leq(end, IMAGE_MOST);
  memcpy(image->data + op->at + from, op->data + from, len);
  image->len = end > image->len ? end : image->len;
}

/* All that is on the disk for certain after the first `count`; then, in `cut`, what may be there besides. */
static void make_image(struct image *sure, int count, struct image *cut)
{
  static int pending[OPS_MOST];
  int waiting = 0;
  for (int i = 0; i < count; i++) {
    if (ops[i].what == WRITTEN && ops[i].at_once)
      apply(sure, &ops[i], 0, ops[i].len);
    else if (ops[i].what == WRITTEN)
      pending[waiting++] = i;
    else if (ops[i].what == FLUSHED)
      for (; waiting; waiting--, memmove(pending, pending + 1, (size_t)waiting * sizeof(int)))
        apply(sure, &ops[pending[0]], 0, ops[pending[0]].len);
  }
  copy(cut, sure);
  for (int i = 0; i < waiting; i++)
    for (size_t at = 0; at < ops[pending[i]].len; at += SECTOR) {
      size_t left = ops[pending[i]].len - at;
      if (random() % 2)
        apply(cut, &ops[pending[i]], at, left < SECTOR ? left : SECTOR);
    }
}

static void body_of(char body[32], int n)
{
  snprintf(body, 32, "{\"n\":%d}", n);
}

/* Answers of all sizes, by threads that share their commits. */
static void *make_calls(void *arg)
{
  for (int n = *(const int *)arg; n < COMMITS; n += THREADS) {
    char body[32], answer[20000];
    body_of(body, n);
    size_t len = (size_t)(random() % (n % 8 ? 3000 : 19000)) + 2;
    memset(answer, ' ', len);
    memcpy(answer, "{}", 2);
    answer[len] = '\0';
    struct caller caller = caller_of(&fixture, body);
    cr_expect_eq(caller_ask(&caller, answer), IDEM_OWNED);
    add((struct op){.what = ACKNOWLEDGED, .number = n});
  }
  return NULL;
}

static void make_all_calls(void)
{
  pthread_t threads[THREADS];
  int first[THREADS];
  for (int i = 0; i < THREADS; i++) {
    first[i] = i;
    cr_assert_eq(pthread_create(&threads[i], NULL, make_calls, &first[i]), 0);
  }
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  cr_assert_lt(op_count, OPS_MOST);
}

static void expect_sound(const char *dir, const struct image *cut, int count)
{
  char path[300];
  struct idem_error error;
  struct idem_verify verify;
  struct fixture image = fixture;
  snprintf(path, sizeof(path), "%s/data.mdb", dir);
  FILE *file = fopen(path, "w");
  cr_assert(file && fwrite(cut->data, 1, cut->len, file) == cut->len);
  fclose(file);
  image.options.dir = dir;
  cr_assert_eq(idem_store_open(&image.store, &image.options, &error), 0, "%d: %s", count, error.text);
  cr_assert_eq(idem_store_verify(image.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect_eq(verify.damaged + verify.strays, 0, "%d", count);
  for (int i = 0; i < count; i++) {
    char body[32];
    if (ops[i].what != ACKNOWLEDGED)
      continue;
    body_of(body, ops[i].number);
    struct caller caller = caller_of(&image, body);
    cr_expect_eq(caller_ask(&caller, "{}"), IDEM_HIT, "%d: answer %d", count, ops[i].number);
  }
  struct caller caller = caller_of(&image, "{\"after\":1}");
  cr_expect_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
  idem_store_close(image.store);
  snprintf(path, sizeof(path), "%s/lock.mdb", dir);
  unlink(path);
}

TestSuite(store_power, .init = open_fixture, .fini = close_fixture, .timeout = 3000);

Test(store_power, what_was_acknowledged_is_there_after_it_has_gone)
{
  const char *wanted = getenv("IDEMSHIM_POWER_CUTS");
  int cuts = wanted ? atoi(wanted) : 60;
  struct image sure = {calloc(1, IMAGE_MOST), 0}, start = {calloc(1, IMAGE_MOST), 0},
               cut = {calloc(1, IMAGE_MOST), 0};
  struct idem_error error;
  struct stat status;
  char dir[256];
  strcpy(dir, fixture_path(&fixture, "image"));
  cr_assert_eq(mkdir(dir, 0700), 0);
  fixture.options.sync = true;
  fixture.options.patience_ms = 10000;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  FILE *file = fopen(fixture_path(&fixture, "data.mdb"), "r");
  cr_assert(file && fstat(fileno(file), &status) == 0);
  start.len = fread(start.data, 1, IMAGE_MOST, file);
  fclose(file);
  const char *seed = getenv("IDEMSHIM_SEED");
  srandom(seed ? (unsigned)atoi(seed) : (unsigned)time(NULL));
  recorded = status.st_ino;
  make_all_calls();
  recorded = 0;
  int flushes = 0;
  for (int i = 0; i < op_count; i++)
    flushes += ops[i].what == FLUSHED;
  if (!flushes)
    cr_skip_test("LMDB's calls do not come here");
  cr_assert_leq(flushes, COMMITS);
  for (int i = 0; i < cuts; i++) {
    int count = (int)(random() % (op_count + 1));
    copy(&sure, &start);
    make_image(&sure, count, &cut);
    expect_sound(dir, &cut, count);
  }
  fprintf(stderr, "counted: cuts=%d writes=%d\n", cuts, op_count);
  for (int i = 0; i < op_count; i++)
    free(ops[i].data);
  free(sure.data);
  free(start.data);
  free(cut.data);
}
