/* SPDX-License-Identifier: MIT */
/* Following a call under way: who gets what, until when, and what stays behind. */
#include "tests/unit/store/spool_fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(store_spool, .init = open_spool_fixture, .fini = close_spool_fixture, .timeout = 60);

/* Another follower, from the start. */
static void expect_for_newcomer(const struct stream *expected, size_t count)
{
  struct idem_spool fresh = IDEM_SPOOL_INIT;
  struct caller newcomer = caller_of(&fixture, body);
  cr_assert_eq(caller_enter(&newcomer), IDEM_BUSY);
  cr_expect_eq(idem_store_look(fixture.store, &newcomer.call, &fresh), count > 0);
  stream_expect(expected, count, &fresh);
  idem_spool_release(&fresh);
  caller_leave(&newcomer, false);
}

/* Asking. */

Test(store_spool, an_owner_is_followed_once_somebody_looks)
{
  both_enter();
  cr_expect(!idem_store_is_followed(fixture.store, &owner.call), "waiting is not asking");
  cr_expect_eq(look(), 0);
  cr_expect(idem_store_is_followed(fixture.store, &owner.call));
  struct caller other = caller_of(&fixture, "{\"prompt\":2}");
  cr_assert_eq(caller_enter(&other), IDEM_OWNED);
  cr_expect(!idem_store_is_followed(fixture.store, &other.call));
  caller_leave(&other, false);
  caller_leave(&owner, false);
  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  cr_expect(!idem_store_is_followed(fixture.store, &owner.call), "it was the last owner that was asked");
}

/* Reading. */

Test(store_spool, pieces_come_in_order_and_whole)
{
  both_enter();
  cr_expect_eq(look(), 0);
  for (size_t i = 0; i < STREAM_PIECES; i++) {
    stream_add(&owner, &stream, i, 1);
    cr_expect_eq(look(), 1);
    stream_expect(&stream, i + 1, &spool);
    cr_expect(!spool.over, "the claim is held");
    cr_expect_eq(look(), 0, "nothing is new");
    stream_expect(&stream, i + 1, &spool);
  }
}

Test(store_spool, who_begins_late_gets_all)
{
  both_enter();
  stream_add(&owner, &stream, 0, 2);
  expect_for_newcomer(&stream, 2);
  stream_add(&owner, &stream, 2, STREAM_PIECES - 2);
  expect_for_newcomer(&stream, STREAM_PIECES);
  cr_expect_eq(look(), 1);
  stream_expect(&stream, STREAM_PIECES, &spool);
}

Test(store_spool, a_long_stream_is_whole)
{
  enum { CHUNKS = 3000 };
  char byte[CHUNKS];
  both_enter();
  stream_add(&owner, &stream, 0, 1);
  for (unsigned i = 0; i < CHUNKS; i++) {
    byte[i] = (char)(i * 7 % 251);
    struct idem_spool_piece piece = {.kind = IDEM_SPOOL_CHUNK, .at_ms = i, .data = {&byte[i], 1}};
    cr_assert_eq(idem_store_spool(fixture.store, &owner.call, &piece, 1), 0);
    if (i % 100 == 0)
      cr_assert_eq(look(), 1);
  }
  cr_assert_eq(look(), 1);
  cr_assert_eq(spool.answer.body.len, CHUNKS);
  cr_expect_eq(memcmp(spool.answer.body.data, byte, CHUNKS), 0);
  cr_expect_eq(spool.answer.chunk_count, CHUNKS);
  cr_expect_eq(spool.answer.chunks[CHUNKS - 1].at_ms, CHUNKS - 1);
}

/* Half of it must have come before the rest is written. Returns what went wrong. */
static int follow_in_child(int tell)
{
  if (caller_enter(&follower) != IDEM_BUSY)
    return 1;
  while (spool.answer.chunk_count < 2)
    if (look() < 0 || spool.over)
      return 2;
  if (!stream_is(&stream, 3, &spool) || write(tell, "", 1) != 1)
    return 3;
  while (!spool.over && look() >= 0)
    idem_store_wait(fixture.store, &follower.call, 1000);
  return spool.over && stream_is(&stream, STREAM_PIECES, &spool) ? 0 : 4;
}

Test(store_spool, another_process_follows)
{
  int told[2], status = -1;
  char byte;
  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  cr_assert_eq(pipe(told), 0);
  pid_t child = fork();
  if (child == 0)
    _exit(follow_in_child(told[1]));
  close(told[1]);
  while (!idem_store_is_followed(fixture.store, &owner.call))
    usleep(1000);
  stream_add(&owner, &stream, 0, 3);
  cr_expect_eq(read(told[0], &byte, 1), 1);
  stream_add(&owner, &stream, 3, STREAM_PIECES - 3);
  caller_leave(&owner, false);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect_eq(status, 0, "%d", WEXITSTATUS(status));
}

/* The end. */

Test(store_spool, it_is_over_when_its_owner_leaves)
{
  both_enter();
  stream_add(&owner, &stream, 0, 3);
  cr_expect_eq(look(), 1);
  stream_add(&owner, &stream, 3, STREAM_PIECES - 3);
  caller_leave(&owner, false);
  cr_expect_eq(look(), 1);
  cr_expect(spool.over);
  stream_expect(&stream, STREAM_PIECES, &spool);
}

Test(store_spool, an_owner_may_leave_without_an_end)
{
  both_enter();
  stream_add(&owner, &stream, 0, 3);
  cr_expect_eq(look(), 1);
  cr_expect(!spool.over);
  caller_leave(&owner, false);
  cr_expect_eq(look(), 1);
  cr_expect(spool.over);
  stream_expect(&stream, 3, &spool);
}

Test(store_spool, nothing_is_left_when_its_owner_has_left)
{
  both_enter();
  cr_expect_null(spool_file(&fixture));
  stream_add(&owner, &stream, 0, 1);
  cr_expect_not_null(spool_file(&fixture));
  caller_leave(&owner, false);
  cr_expect_null(spool_file(&fixture));
}

/* A process that owns the call, has spooled half of it, and waits to be killed. */
static pid_t owner_in_child(const char *request, size_t count)
{
  int told[2];
  char byte;
  cr_assert_eq(pipe(told), 0);
  pid_t child = fork();
  if (child == 0) {
    struct caller caller = caller_of(&fixture, request);
    caller_enter(&caller);
    stream_add(&caller, &stream, 0, count);
    while (write(told[1], "", 1) == 1)
      pause();
  }
  close(told[1]);
  cr_assert_eq(read(told[0], &byte, 1), 1);
  close(told[0]);
  return child;
}

static void end_child(pid_t child)
{
  kill(child, SIGKILL);
  cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(store_spool, it_is_over_when_its_owner_is_killed)
{
  pid_t child = owner_in_child(body, 3);
  cr_assert_eq(caller_enter(&follower), IDEM_BUSY);
  cr_expect_eq(look(), 1);
  cr_expect(!spool.over);
  end_child(child);
  cr_expect_eq(look(), 1);
  cr_expect(spool.over);
  stream_expect(&stream, 3, &spool);
}

/* The next owner. */

Test(store_spool, the_next_owner_begins_another)
{
  struct stream next = stream_of('b', 0);
  pid_t child = owner_in_child(body, 3);
  cr_assert_eq(caller_enter(&follower), IDEM_BUSY);
  cr_expect_eq(look(), 1);
  end_child(child);
  owner.call.defers = true;
  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  cr_expect(owner.call.resent);
  cr_expect_eq(look(), 1);
  cr_expect(spool.over, "the new owner has not sent yet, and the old one is dead all the same");
  expect_for_newcomer(&next, 0);
  cr_assert_eq(idem_store_sent(fixture.store, &owner.call, &owner.error), 0);
  expect_for_newcomer(&next, 0);
  stream_add(&owner, &next, 0, 4);
  expect_for_newcomer(&next, 4);
  cr_expect_eq(look(), 1);
  cr_expect(spool.over);
  stream_expect(&stream, 3, &spool);
}

/* Its followers must not stay with a file that was made, and never written to. */
Test(store_spool, who_has_read_nothing_goes_on_with_the_next)
{
  pid_t child = owner_in_child(body, 1);
  cr_assert_eq(truncate(spool_file(&fixture), 0), 0);
  cr_assert_eq(caller_enter(&follower), IDEM_BUSY);
  cr_expect_eq(look(), 0);
  stream_expect(&stream, 0, &spool);
  end_child(child);
  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  stream_add(&owner, &stream, 0, 2);
  cr_expect_eq(look(), 1);
  cr_expect(!spool.over);
  stream_expect(&stream, 2, &spool);
}

/* By a plain system call, which runs no fork handlers. */
Test(store_spool, a_copy_of_the_process_goes_on_with_it)
{
  struct idem_parting parting;
  int status = -1;
  both_enter();
  stream_add(&owner, &stream, 0, 3);
  cr_expect_eq(look(), 1);
  cr_assert_eq(idem_store_part(fixture.store, &owner.call, 4, &parting), 0);
  pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  idem_store_parted(fixture.store, &owner.call, child == 0 ? IDEM_PARTED_COPY : IDEM_PARTED_OWNER);
  if (child == 0) {
    stream_add(&owner, &stream, 3, STREAM_PIECES - 3);
    caller_leave(&owner, false);
    _exit(0);
  }
  caller_leave(&owner, false);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert_eq(status, 0);
  cr_expect_eq(look(), 1);
  cr_expect(spool.over);
  stream_expect(&stream, STREAM_PIECES, &spool);
  cr_expect_null(spool_file(&fixture));
}

/* Leftovers. */

Test(store_spool, a_dead_owners_is_swept_by_the_next_spool_and_a_living_ones_is_not)
{
  end_child(owner_in_child("{\"prompt\":2}", 2));
  cr_assert_not_null(spool_file(&fixture));
  both_enter();
  stream_add(&owner, &stream, 0, 1);
  cr_expect_eq(look(), 1);
  stream_expect(&stream, 1, &spool);
  struct caller other = caller_of(&fixture, "{\"prompt\":3}");
  char path[256];
  snprintf(path, sizeof(path), "%s", spool_file(&fixture));
  cr_assert_eq(caller_enter(&other), IDEM_OWNED);
  stream_add(&other, &stream, 0, 1);
  cr_expect_eq(access(path, F_OK), 0, "its owner lives");
  caller_leave(&other, false);
  caller_leave(&owner, false);
}

Test(store_spool, gc_sweeps_a_dead_owners_and_no_living_ones)
{
  struct idem_gc gc;
  pid_t child = owner_in_child(body, 2);
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &owner.error), 0);
  cr_expect_not_null(spool_file(&fixture));
  end_child(child);
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &owner.error), 0);
  cr_expect_null(spool_file(&fixture));
}
