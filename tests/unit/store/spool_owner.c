/* SPDX-License-Identifier: MIT */
/* Who may add to a spool, what cannot be added, and what an app does to the descriptors of both sides. */
#include "store/base/fd.h"
#include "tests/unit/store/spool_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(store_spool_owner, .init = open_spool_fixture, .fini = close_spool_fixture, .timeout = 120);

/* A full disk. */

Test(store_spool_owner, a_limit_of_the_files_size_is_an_error_and_no_signal)
{
  struct rlimit before, limit;
  both_enter();
  stream_add(&owner, &stream, 0, 2);
  cr_expect_eq(look(), 1);
  cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
  limit = before;
  limit.rlim_cur = 500;
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  int rc = 0, at = 2;
  while (at < STREAM_PIECES && (rc = idem_store_spool(fixture.store, &owner.call, &stream.piece[at], 1)) == 0)
    at++;
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
  cr_assert_eq(rc, -EFBIG, "%d", rc);
  cr_expect_eq(idem_store_spool(fixture.store, &owner.call, &stream.piece[at + 1], 1), -EIO,
               "no more after that");
  look();
  stream_expect(&stream, (size_t)at, &spool);
  cr_expect(!spool.over, "its owner goes on");
  caller_leave(&owner, false);
  cr_expect_null(spool_file(&fixture));
}

/* Somebody else. */

static int add_first(struct caller *caller)
{
  return idem_store_spool(fixture.store, &caller->call, stream.piece, 1);
}

Test(store_spool_owner, only_its_owner_adds_to_it)
{
  int status = -1;
  both_enter();
  cr_expect_eq(add_first(&follower), -ENOLCK);
  cr_expect_null(spool_file(&fixture));
  stream_add(&owner, &stream, 0, 2);
  pid_t child = fork();
  if (child == 0) {
    int rc = idem_store_spool(fixture.store, &owner.call, &stream.piece[2], 1);
    caller_leave(&owner, false);
    _exit(-rc);
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect_eq(WEXITSTATUS(status), ENOLCK);
  cr_expect_not_null(spool_file(&fixture), "a child that leaves takes nothing away");
  cr_expect_eq(look(), 1);
  stream_expect(&stream, 2, &spool);
  caller_leave(&owner, false);
  cr_expect_eq(add_first(&owner), -ENOLCK);
  cr_expect_null(spool_file(&fixture));
}

Test(store_spool_owner, a_call_that_was_not_sent_has_none)
{
  owner.call.defers = true;
  both_enter();
  cr_expect_eq(add_first(&owner), -ENOLCK);
  cr_expect_null(spool_file(&fixture));
  cr_assert_eq(idem_store_sent(fixture.store, &owner.call, &owner.error), 0);
  cr_expect_eq(add_first(&owner), 0);
}

Test(store_spool_owner, what_is_out_of_order_is_refused_and_the_rest_goes_on)
{
  both_enter();
  cr_expect_eq(idem_store_spool(fixture.store, &owner.call, &stream.piece[1], 1), -EINVAL);
  stream_add(&owner, &stream, 0, 2);
  cr_expect_eq(add_first(&owner), -EINVAL);
  struct idem_spool_piece huge = {.kind = IDEM_SPOOL_CHUNK, .data = {"", (size_t)UINT32_MAX + 2}};
  cr_expect_eq(idem_store_spool(fixture.store, &owner.call, &huge, 1), -EMSGSIZE);
  stream_add(&owner, &stream, 2, STREAM_PIECES - 2);
  cr_expect_eq(look(), 1);
  stream_expect(&stream, STREAM_PIECES, &spool);
}

/* The app. */

Test(store_spool_owner, an_app_keeps_the_file_that_it_opened_in_our_place)
{
  both_enter();
  stream_add(&owner, &stream, 0, 2);
  cr_expect_eq(look(), 1);
  int fd = fd_number(spool.priv.kept);
  int zero = open("/dev/zero", O_RDONLY);
  cr_assert(zero >= 0 && dup2(zero, fd) == fd);
  stream_add(&owner, &stream, 2, 1);
  cr_expect_eq(look(), 1);
  stream_expect(&stream, 3, &spool);
  int ours = fd_number(spool.priv.kept);
  cr_expect(ours >= 0 && ours != fd);
  close(ours);
  idem_spool_release(&spool);
  cr_expect_geq(fcntl(fd, F_GETFD), 0, "it is the app's");
}

Test(store_spool_owner, errno_stays)
{
  both_enter();
  errno = 77;
  cr_expect_eq(add_first(&follower), -ENOLCK);
  cr_expect_eq(look(), 0);
  cr_expect_eq(add_first(&owner), 0);
  cr_expect_eq(look(), 1);
  idem_spool_release(&spool);
  cr_expect_eq(errno, 77);
}
