/* SPDX-License-Identifier: MIT */
/* A spool that is damaged, cut off, another one's, or forged, and one that is encrypted. */
#include "store/spool/spool.h"
#include "tests/unit/store/spool_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In a directory of its own: the key is not among the files that are looked into. */
static void seal_fixture(void)
{
  static char key_file[256], dir[256];
  struct idem_error error = {""};
  snprintf(key_file, sizeof(key_file), "%s", fixture_path(&fixture, "key"));
  snprintf(dir, sizeof(dir), "%s", fixture_path(&fixture, "sealed"));
  FILE *file = fopen(key_file, "w");
  cr_assert(file && fputs("0123456789abcdef0123456789abcdef", file) >= 0 && fclose(file) == 0);
  fixture.options.key_file = key_file;
  fixture.options.dir = dir;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
}

TestSuite(store_spool_damage, .init = open_spool_fixture, .fini = close_spool_fixture, .timeout = 120);

/* Damage. */

/* The file of a whole stream, and where each piece of it ends. */
static struct {
  char path[512], bytes[4096];
  size_t len, end[STREAM_PIECES];
} film;

static void shoot(void)
{
  both_enter();
  for (size_t i = 0; i < STREAM_PIECES; i++) {
    stream_add(&owner, &stream, i, 1);
    snprintf(film.path, sizeof(film.path), "%s", spool_file(&fixture));
    FILE *file = fopen(film.path, "r");
    cr_assert_not_null(file);
    film.len = film.end[i] = fread(film.bytes, 1, sizeof(film.bytes), file);
    fclose(file);
  }
  cr_assert_lt(film.len, sizeof(film.bytes));
}

static void project(const char *bytes, size_t len)
{
  int fd = open(film.path, O_WRONLY | O_TRUNC);
  cr_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && close(fd) == 0);
}

/* How many pieces are whole before `at`. */
static size_t pieces_before(size_t at)
{
  size_t n = 0;
  while (n < STREAM_PIECES && film.end[n] <= at)
    n++;
  return n;
}

static void flip_every_byte(void)
{
  char bytes[sizeof(film.bytes)];
  shoot();
  for (size_t at = 0; at < film.len; at++) {
    memcpy(bytes, film.bytes, film.len);
    bytes[at] ^= (char)(1 << at % 8);
    project(bytes, film.len);
    look();
    cr_expect(stream_is(&stream, pieces_before(at), &spool), "byte %zu of %zu", at, film.len);
    cr_expect(!spool.over);
    idem_spool_release(&spool);
  }
}

Test(store_spool_damage, no_flipped_byte_gets_through)
{
  flip_every_byte();
}

Test(store_spool_damage, no_flipped_byte_gets_through_a_sealed_one)
{
  seal_fixture();
  flip_every_byte();
}

/* And what is cut off comes later, as it does when a follower looks in the middle of a write. */
static void cut_everywhere(void)
{
  shoot();
  for (size_t len = 0; len < film.len; len++) {
    project(film.bytes, len);
    cr_expect_eq(look(), len >= film.end[0], "%zu bytes", len);
    stream_expect(&stream, pieces_before(len), &spool);
    project(film.bytes, film.len);
    cr_expect_eq(look(), 1, "%zu bytes", len);
    stream_expect(&stream, STREAM_PIECES, &spool);
    idem_spool_release(&spool);
  }
}

Test(store_spool_damage, what_is_cut_off_is_whole_up_to_there)
{
  cut_everywhere();
}

Test(store_spool_damage, what_is_cut_off_is_whole_up_to_there_in_a_sealed_one)
{
  seal_fixture();
  cut_everywhere();
}

/* Whole pieces that are not what comes next. */

Test(store_spool_damage, nothing_comes_behind_an_end)
{
  both_enter();
  stream_add(&owner, &stream, 0, STREAM_PIECES);
  stream_add(&owner, &stream, 1, 1);
  cr_expect_eq(look(), -EILSEQ);
  stream_expect(&stream, STREAM_PIECES, &spool);
}

Test(store_spool_damage, nothing_comes_behind_a_piece_that_is_missing)
{
  shoot();
  memmove(film.bytes + film.end[1], film.bytes + film.end[2], film.len - film.end[2]);
  project(film.bytes, film.len - (film.end[2] - film.end[1]));
  cr_expect_eq(look(), -EILSEQ);
  stream_expect(&stream, 2, &spool);
}

static void date_head(uint64_t generation)
{
  struct spool_head head;
  memcpy(&head, film.bytes, sizeof(head));
  head.generation = generation;
  head.sum = spool_sum(&head, film.bytes + sizeof(head), film.end[0] - sizeof(head));
  memcpy(film.bytes, &head, sizeof(head));
}

/* In the place of one that has begun. With `dated` only the key tells. */
static void expect_no_other(const char *request, bool dated)
{
  struct caller next = caller_of(&fixture, request);
  shoot();
  caller_leave(&owner, false);
  caller_leave(&follower, false);
  cr_assert_eq(caller_enter(&next), IDEM_OWNED);
  stream_add(&next, &stream, 0, 1);
  if (dated)
    date_head(next.call.generation);
  snprintf(film.path, sizeof(film.path), "%s", spool_file(&fixture));
  project(film.bytes, film.len);
  follower = caller_of(&fixture, request);
  cr_assert_eq(caller_enter(&follower), IDEM_BUSY);
  cr_expect_eq(look(), -EILSEQ);
  stream_expect(&stream, 0, &spool);
}

Test(store_spool_damage, an_earlier_trys_is_not_taken_for_this_ones)
{
  expect_no_other(body, false);
}

Test(store_spool_damage, another_keys_is_not_taken_for_this_ones)
{
  expect_no_other("{\"prompt\":2}", true);
}

/* By somebody who has no key, and can make a sum. */
Test(store_spool_damage, a_sum_that_holds_is_not_enough_for_a_sealed_one)
{
  seal_fixture();
  shoot();
  for (size_t at = film.end[0]; at < film.end[1]; at++) {
    char bytes[sizeof(film.bytes)], *piece = bytes + film.end[0];
    struct spool_head head;
    memcpy(bytes, film.bytes, film.len);
    bytes[at] ^= 1;
    memcpy(&head, piece, sizeof(head));
    head.sum = spool_sum(&head, piece + sizeof(head), film.end[1] - film.end[0] - sizeof(head));
    bool in_sum = at - film.end[0] >= offsetof(struct spool_head, sum) && at - film.end[0] < sizeof(head);
    memcpy(piece, &head, sizeof(head));
    project(bytes, film.len);
    look();
    cr_expect(stream_is(&stream, in_sum ? STREAM_PIECES : 1, &spool), "byte %zu", at - film.end[0]);
    idem_spool_release(&spool);
  }
}

/* Encryption. */

static const char *const words[] = {"of stream a", "text/event-stream", "facts of", "X-Stream"};
static unsigned found;

static int look_into(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
  (void)walk;
  FILE *file = type == FTW_F ? fopen(path, "r") : NULL;
  char *bytes = file ? malloc((size_t)stat->st_size + 1) : NULL;
  size_t len = bytes ? fread(bytes, 1, (size_t)stat->st_size, file) : 0;
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
    found += len && memmem(bytes, len, words[i], strlen(words[i]));
  free(bytes);
  if (file)
    fclose(file);
  return 0;
}

static unsigned words_in_files(void)
{
  found = 0;
  nftw(fixture.options.dir, look_into, 16, FTW_PHYS);
  return found;
}

static void spool_all(void)
{
  both_enter();
  stream_add(&owner, &stream, 0, STREAM_PIECES);
  cr_expect_eq(look(), 1);
  stream_expect(&stream, STREAM_PIECES, &spool);
}

Test(store_spool_damage, no_word_of_a_sealed_one_is_in_any_file)
{
  seal_fixture();
  spool_all();
  cr_expect_eq(words_in_files(), 0);
}

Test(store_spool_damage, they_are_in_one_that_is_not_sealed)
{
  spool_all();
  cr_expect_eq(words_in_files(), sizeof(words) / sizeof(*words));
}
