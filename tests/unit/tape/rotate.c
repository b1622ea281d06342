/* SPDX-License-Identifier: MIT */
/* A tape that is always on stays within its limits, and what is left of it is whole. */
#include "tape/format.h"
#include "tests/unit/tape/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

TestSuite(tape_rotate, .init = open_fixture, .fini = close_fixture);

enum { BODY = 20000, MIB = 1 << 20 };

static void record_many(int count)
{
  static char body[BODY + 1];
  memset(body, 'x', BODY);
  for (int i = 0; i < count; i++) {
    struct exchange exchange = exchange_of(&fixture, body);
    exchange_record(&exchange);
  }
}

static bool exists(unsigned number)
{
  return access(fixture_segment(&fixture, number), F_OK) == 0;
}

Test(tape_rotate, the_oldest_segments_make_room)
{
  fixture.options.max_size = MIB;
  cr_assert_eq(fixture_reopen(&fixture), 0);
  record_many(200);
  struct tape_totals totals = tape_totals(fixture_tape(&fixture));
  cr_expect_leq(totals.bytes, MIB);
  cr_expect_geq(totals.bytes, MIB / 2);
  cr_expect_geq(totals.segments, 4);
  cr_expect_str_eq(fixture.findings, "");
  cr_expect_not(exists(1));
  struct tape_record record = {0};
  cr_assert_eq(tape_read(fixture.tape, totals.exchanges, &record, &fixture.error), 0);
  cr_expect_eq(record.call.sequence, 200, "the newest is there");
  tape_record_release(&record);
}

Test(tape_rotate, without_limits_nothing_is_deleted)
{
  record_many(100);
  cr_expect_eq(tape_totals(fixture_tape(&fixture)).exchanges, 100);
}

Test(tape_rotate, processes_agree_on_the_segments)
{
  enum { CHILDREN = 4, EACH = 60 };
  fixture.options.max_size = 8 * MIB;
  cr_assert_eq(fixture_reopen(&fixture), 0);
  for (int i = 0; i < CHILDREN; i++)
    if (fork() == 0) {
      record_many(EACH);
      _exit(0);
    }
  for (int i = 0, status; i < CHILDREN; i++) {
    cr_assert_gt(wait(&status), 0);
    cr_assert_eq(status, 0);
  }
  struct tape_totals totals = tape_totals(fixture_tape(&fixture));
  cr_expect_eq(totals.exchanges, CHILDREN * EACH);
  cr_expect_geq(totals.segments, 4);
  cr_expect_str_eq(fixture.findings, "");
}

static void grow_old(unsigned number, time_t seconds)
{
  struct timespec now, times[2];
  clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec -= seconds;
  times[0] = times[1] = now;
  cr_assert_eq(utimensat(AT_FDCWD, fixture_segment(&fixture, number), times, 0), 0);
}

Test(tape_rotate, what_is_too_old_is_deleted_when_a_segment_is_begun)
{
  fixture.options.max_size = MIB;
  fixture.options.max_age_ms = 3600 * 1000;
  cr_assert_eq(fixture_reopen(&fixture), 0);
  record_many(20);
  cr_assert(exists(3));
  grow_old(1, 3700);
  grow_old(2, 3500);
  record_many(10);
  cr_expect_not(exists(1));
  cr_expect(exists(2));
}

Test(tape_rotate, a_segment_that_covers_too_long_a_time_is_ended)
{
  unsigned recorded = 0;
  fixture.options.max_age_ms = 16;
  cr_assert_eq(fixture_reopen(&fixture), 0);
  for (; !exists(2); recorded++)
    record_many(1);
  cr_expect_gt(recorded, 1);
  cr_expect_lt(recorded, (32 * MIB) / BODY, "it was its size that ended it");
  cr_expect_eq(tape_totals(fixture_tape(&fixture)).exchanges, recorded);
}

Test(tape_rotate, a_segment_that_is_gone_is_not_missed)
{
  record_many(1);
  unlink(fixture_segment(&fixture, 1));
  record_many(1);
  cr_expect_eq(tape_totals(fixture_tape(&fixture)).exchanges, 1);
}

Test(tape_rotate, another_tape_in_its_place_is_not_written_to)
{
  struct tape_writer *other;
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_record(&exchange);
  unlink(fixture_segment(&fixture, 1));
  cr_assert_eq(tape_open_writer(&other, &fixture.options, &fixture.error), 0);
  cr_expect_eq(exchange_try(&exchange), -ESTALE);
  tape_close_writer(other);
}

Test(tape_rotate, reading_a_segment_that_was_deleted_meanwhile_says_so)
{
  struct tape_record record = {0};
  record_many(1);
  fixture_tape(&fixture);
  unlink(fixture_segment(&fixture, 1));
  cr_expect_eq(tape_read(fixture.tape, 1, &record, &fixture.error), -ENOENT);
  cr_expect(strstr(fixture.error.text, "the tape was rotated"), "%s", fixture.error.text);
  tape_record_release(&record);
}

TestSuite(tape_rotate_sealed, .init = open_sealed_fixture, .fini = close_fixture);

/* As the version before left it: its head says so, and is whole. */
static void make_older(const char *segment)
{
  size_t len;
  char *bytes = fixture_read(segment, &len);
  struct tape_head *head = (struct tape_head *)(void *)bytes;
  head->version = TAPE_VERSION - 1;
  head->sum = XXH3_64bits(head, offsetof(struct tape_head, sum));
  fixture_write(segment, bytes, len);
  free(bytes);
}

Test(tape_rotate_sealed, a_tape_that_an_older_version_began_goes_on)
{
  make_older(fixture_segment(&fixture, 1));
  fixture.options.max_size = 8 * MIB;
  cr_assert_eq(fixture_reopen(&fixture), 0, "%s", fixture.error.text);
  record_many(100);
  struct tape_totals totals = tape_totals(fixture_tape(&fixture));
  cr_expect_eq(totals.exchanges, 100);
  cr_expect_geq(totals.segments, 3);
  cr_expect_str_eq(fixture.findings, "");
  cr_assert_eq(tape_verify(&fixture.source, &totals, NULL, &fixture.error), 0);
  cr_expect_eq(totals.damaged + totals.torn, 0);
}
