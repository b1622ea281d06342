/* SPDX-License-Identifier: MIT */
/* What happens below the store when another process stands still, a file is wrong, or LMDB gives up. */
#include "config/kernel.h"
#include "store/base/clock.h"
#include "store/lmdb/engine_internal.h"
#include "store/lmdb/page.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"
#include "tests/unit/store/power.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct idem_error error;

TestSuite(store_engine, .init = open_fixture, .fini = close_fixture, .timeout = 30);

static const char mark[] = "mark";

static int put_mark(struct writer *writer)
{
  return writer_put(writer, PAGES_META, mark, sizeof(mark), mark, sizeof(mark));
}

static int stand_still(struct writer *writer, void *arg)
{
  put_mark(writer);
  if (write(*(int *)arg, "!", 1) == 1)
    pause();
  return 0;
}

Test(store_engine, a_store_opens_and_answers_while_a_writer_stands_still)
{
  struct caller caller = caller_of(&fixture, "{}");
  int ends[2];
  char byte;
  cr_assert_eq(caller_ask(&caller, "{\"a\":1}"), IDEM_OWNED);
  cr_assert_eq(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    state_write(fixture.store, stand_still, &ends[1], &error);
    _exit(1);
  }
  cr_assert_eq(read(ends[0], &byte, 1), 1);
  cr_expect_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  cr_expect_eq(caller_ask(&caller, ""), IDEM_HIT);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  struct caller next = caller_of(&fixture, "{\"n\":2}");
  cr_expect_eq(caller_ask(&next, "{\"a\":2}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&next, ""), IDEM_HIT, "its lock has gone with it");
}

static int put_once(struct writer *writer, void *unused)
{
  (void)unused;
  return put_mark(writer);
}

static int take_a_moment(struct writer *writer, void *arg)
{
  put_mark(writer);
  cr_assert_eq(write(*(int *)arg, "!", 1), 1);
  usleep(50000);
  return 0;
}

/* Who writes; it is written when the call returns. */
static pid_t start_writer(writer_body *body, bool commits_before)
{
  int ends[2];
  char byte;
  cr_assert_eq(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (commits_before)
      state_write(fixture.store, put_once, NULL, &error);
    _exit(state_write(fixture.store, body, &ends[1], &error) < 0);
  }
  close(ends[1]);
  cr_assert_eq(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  return child;
}

Test(store_engine, a_store_that_goes_on_is_waited_for_again)
{
  fixture.options.patience_ms = 1500;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  cr_assert_eq(state_write(fixture.store, put_once, NULL, &error), 0, "%s", error.text);
  pid_t child = start_writer(stand_still, false);
  cr_expect_eq(state_write(fixture.store, put_once, NULL, &error), -ETIMEDOUT);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  child = start_writer(take_a_moment, true);
  cr_expect_eq(state_write(fixture.store, put_once, NULL, &error), 0, "%s", error.text);
  waitpid(child, NULL, 0);
}

static int ask_to_be_stopped(struct writer *writer, void *unused)
{
  (void)unused;
  raise(SIGTSTP);
  return put_mark(writer);
}

/* In a group of its own whose parent is in another one, for nobody could let an orphaned group go on,
 * and it is not stopped. */
Test(store_engine, a_command_is_stopped_between_its_writes)
{
  struct reader *reader;
  struct idem_span value;
  int status;
  fixture.options.patience_ms = 1500;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    _exit(state_write(fixture.store, ask_to_be_stopped, NULL, &error) < 0);
  }
  cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
  cr_expect(WIFSTOPPED(status), "status %x", (unsigned)status);
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0);
  cr_expect_eq(pages_get(&reader->snapshot, PAGES_META, mark, sizeof(mark), &value), 0, "it had committed");
  reader_end(reader);
  cr_expect_eq(state_write(fixture.store, put_once, NULL, &error), 0, "%s", error.text);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

/* Nobody waits for longer than a call has time. */
Test(store_engine, a_call_waits_no_longer_than_its_timeout_lets_it)
{
  fixture.options.patience_ms = 60000;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  pid_t child = start_writer(stand_still, false);
  {
    GATE_UNTIL(clock_steady_us() + 100000);
    cr_expect_eq(state_write(fixture.store, put_once, NULL, &error), -ETIMEDOUT);
    cr_expect(strstr(error.text, "the call's timeout"), "%s", error.text);
  }
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  GATE_UNTIL(clock_steady_us() - 1);
  cr_expect_eq(state_write(fixture.store, put_once, NULL, &error), 0, "who has not to wait may be late: %s",
               error.text);
}

/* What a transaction has that an assertion has left cannot be freed. */
static int fail_half_way(struct writer *writer, void *arg)
{
  (void)arg;
#ifdef __SANITIZE_ADDRESS__
  __lsan_disable();
#endif
  put_mark(writer);
#ifdef __SANITIZE_ADDRESS__
  __lsan_enable();
#endif
  engine_assert_failed(NULL, "as LMDB calls it");
  return 0;
}

/* LMDB's own calls come here, too. */
static _Atomic int metas_that_fail;

__attribute__((visibility("default"))) ssize_t write_at(int fd, const void *data, size_t len,
                                                        off_t at) __asm__("pwrite");
ssize_t write_at(int fd, const void *data, size_t len, off_t at)
{
  enum { META_MOST = 256 };
  if (len < META_MOST && at < 2 * 4096 && metas_that_fail > 0) {
    metas_that_fail--;
    errno = EIO;
    return -1;
  }
  power_record(fd, at, data, len);
  return syscall(SYS_pwrite64, fd, data, len, at);
}

/* How far the file has come. */
static off_t file_size(void)
{
  struct stat stat;
  cr_assert_eq(idem_fstatat(AT_FDCWD, fixture_path(&fixture, "data.mdb"), &stat, 0), 0);
  return stat.st_size;
}

/* After whatever has made LMDB give up, this process goes on writing, and so do others; what was read before
 * is there until it is left. */
static void expect_going_on(int (*give_up)(void))
{
  enum { WRITES = 20, MORE_WRITES = 200, A_FEW_PAGES = 20 * 4096 };
  struct caller caller = caller_of(&fixture, "{}"), next = caller_of(&fixture, "{\"n\":2}"),
                other = caller_of(&fixture, "{\"n\":3}");
  struct reader *pinned, *reader;
  struct idem_span value;
  int status;
  cr_assert_eq(caller_ask(&caller, "{\"a\":1}"), IDEM_OWNED);
  cr_assert_eq(state_read(fixture.store, &pinned, &error), 0);
  cr_expect_lt(give_up(), 0);
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0, "%s", error.text);
  cr_expect_eq(pages_get(&reader->snapshot, PAGES_META, mark, sizeof(mark), &value), -ENOENT);
  reader_end(reader);
  pid_t child = fork();
  if (child == 0)
    _exit(caller_ask(&other, "{\"a\":3}") == IDEM_OWNED ? 0 : 1);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
  cr_expect_eq(caller_ask(&next, "{\"a\":2}"), IDEM_OWNED);
  for (int i = 0; i < WRITES; i++)
    cr_assert_eq(state_write(fixture.store, put_once, NULL, &error), 0, "%s", error.text);
  cr_expect_eq(pages_get(&pinned->snapshot, PAGES_ANSWERS, caller.call.key, IDEM_KEY_SIZE, &value), 0);
  reader_end(pinned);
  cr_expect_eq(caller_ask(&caller, ""), IDEM_HIT);
  cr_expect_eq(caller_ask(&next, ""), IDEM_HIT);
  cr_expect_eq(caller_ask(&other, ""), IDEM_HIT);
  off_t before = file_size();
  for (int i = 0; i < MORE_WRITES; i++)
    cr_assert_eq(state_write(fixture.store, put_once, NULL, &error), 0, "%s", error.text);
  cr_expect_lt(file_size() - before, A_FEW_PAGES, "what it had pinned is used again");
}

static int assert_half_way(void)
{
  return state_write(fixture.store, fail_half_way, NULL, &error);
}

static int fail_the_meta_page(void)
{
  metas_that_fail = 2; /* the write, and that which takes it back */
  return state_write(fixture.store, put_once, NULL, &error);
}

Test(store_engine, after_an_assertion_of_lmdb_the_store_goes_on)
{
  expect_going_on(assert_half_way);
}

Test(store_engine, after_a_failed_write_of_a_meta_page_the_store_goes_on)
{
  expect_going_on(fail_the_meta_page);
}

static _Atomic unsigned unread;

static void *read_and_write(void *unused)
{
  enum { TIMES = 300 };
  struct idem_error why;
  struct reader *reader;
  (void)unused;
  for (int i = 0; i < TIMES; i++) {
    state_write(fixture.store, put_once, NULL, &why);
    bool reads = state_read(fixture.store, &reader, &why) == 0;
    unread += !reads;
    if (reads)
      reader_end(reader);
  }
  return NULL;
}

/* Whoever was waiting for it may fail once, as a call does whose write comes to nothing. */
Test(store_engine, other_threads_go_on_when_lmdb_gives_up_in_one)
{
  enum { THREADS = 6, TIMES = 8 };
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    cr_assert_eq(pthread_create(&threads[i], NULL, read_and_write, NULL), 0);
  for (int i = 0; i < TIMES; i++) {
    cr_expect_lt(assert_half_way(), 0);
    usleep(5000);
  }
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  cr_expect_eq(unread, 0);
  cr_expect_eq(state_write(fixture.store, put_once, NULL, &error), 0, "%s", error.text);
}

Test(store_engine, a_store_in_which_every_write_fails_is_not_opened_for_ever)
{
  enum { TRIES = 40 };
  struct caller caller = caller_of(&fixture, "{}");
  int status, before = open("/dev/null", O_RDONLY);
  cr_assert_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
  for (int i = 0; i < TRIES; i++)
    cr_assert_lt(assert_half_way(), 0);
  int after = open("/dev/null", O_RDONLY);
  cr_expect_lt(after - before, 4 * 20, "%d descriptors", after - before);
  pid_t child = fork();
  if (child == 0)
    _exit(state_write(fixture.store, put_once, NULL, &error) == 0 ? 0 : 1);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect(WIFEXITED(status), "status %x", (unsigned)status);
}

/* Each commit adds an entry to the free list, as long as somebody reads what was before. */
static void fill_free_list(void)
{
  struct caller pinned = caller_of(&fixture, "{}");
  cr_assert_eq(caller_ask(&pinned, "{}"), IDEM_OWNED);
  cr_assert_eq(caller_enter(&pinned), IDEM_HIT);
  for (int i = 0; i < 4; i++) {
    char body[] = "{\"n\":0}";
    body[5] = (char)('0' + i);
    struct caller caller = caller_of(&fixture, body);
    cr_assert_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
  }
  caller_leave(&pinned, true);
}

Test(store_engine, a_free_list_whose_keys_do_not_ascend_is_not_written_to)
{
  struct pages pages;
  struct pages_snapshot snapshot = {0};
  struct node first, second;
  fill_free_list();
  idem_store_close(fixture.store);
  int fd = open(fixture_path(&fixture, "data.mdb"), O_RDWR);
  cr_assert_eq(pages_open(&pages, fd, "", 64 << 20), 0);
  for (uint64_t txn = 1; txn < 1000; txn++)
    pages_copy_roots(&pages, txn, &snapshot);
  const struct page *leaf = page_at(&snapshot, snapshot.free.root);
  cr_assert(leaf && leaf->flags == PAGE_LEAF && page_count(leaf) >= 2);
  cr_assert_eq(page_check(&snapshot, snapshot.free.root, true), 0);
  cr_assert_eq(page_node(&snapshot, leaf, 0, &first), 0);
  cr_assert_eq(page_node(&snapshot, leaf, 1, &second), 0);
  uint64_t low, high;
  memcpy(&low, first.key.data, sizeof(low));
  memcpy(&high, second.key.data, sizeof(high));
  cr_assert_lt(low, high);
  pwrite(fd, &high, sizeof(high), first.key.data - (const char *)pages.map);
  pwrite(fd, &low, sizeof(low), second.key.data - (const char *)pages.map);
  pages_close(&pages);
  close(fd);

  struct idem_verify verify;
  struct caller caller = caller_of(&fixture, "{}"), fresh = caller_of(&fixture, "{\"fresh\":1}");
  cr_assert_eq(idem_store_open(&fixture.store, &fixture.options, &error), 0, "%s", error.text);
  cr_expect_eq(caller_ask(&caller, ""), IDEM_HIT, "what is there can be read");
  cr_assert_eq(caller_enter(&fresh), IDEM_OWNED);
  cr_expect_eq(caller_commit(&fresh, "{}"), -EILSEQ);
  caller_leave(&fresh, true);
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect_eq(verify.damaged, 1);
}
