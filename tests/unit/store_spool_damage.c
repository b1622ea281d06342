/* SPDX-License-Identifier: MIT */
/* A spool that is damaged, cut off, full, somebody else's, or whose descriptor an app has closed. */
#include "tests/unit/store_reel.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct shop shop;
static struct order owner, follower;
static struct idem_spool spool = IDEM_SPOOL_INIT;
static struct reel reel;

static const char body[] = "{\"prompt\":1}";

static void open_shop(void)
{
  shop_open(&shop, "");
  owner = order_of(&shop, body);
  follower = order_of(&shop, body);
  reel = reel_of('a', 56);
}

/* In a directory of its own: the key is not among the files that are looked into. */
static void seal_shop(void)
{
  static char key_file[256], dir[256];
  struct idem_error error = {""};
  snprintf(key_file, sizeof(key_file), "%s", shop_path(&shop, "key"));
  snprintf(dir, sizeof(dir), "%s", shop_path(&shop, "sealed"));
  FILE *file = fopen(key_file, "w");
  cr_assert(file && fputs("0123456789abcdef0123456789abcdef", file) >= 0 && fclose(file) == 0);
  shop.options.key_file = key_file;
  shop.options.dir = dir;
  cr_assert_eq(shop_reopen(&shop, &error), 0, "%s", error.text);
}

static void close_shop(void)
{
  idem_spool_release(&spool);
  shop_close(&shop);
}

TestSuite(store_spool_damage, .init = open_shop, .fini = close_shop, .timeout = 120);

static void both_enter(void)
{
  cr_assert_eq(order_enter(&owner), IDEM_OWNED);
  cr_assert_eq(order_enter(&follower), IDEM_BUSY);
}

static int look(void)
{
  return idem_store_look(shop.store, &follower.call, &spool);
}

/* Damage. */

/* The file of a whole reel, and where each piece of it ends. */
static struct {
  char path[512], bytes[4096];
  size_t len, end[REEL_PIECES];
} film;

static void shoot(void)
{
  both_enter();
  for (size_t i = 0; i < REEL_PIECES; i++) {
    reel_add(&owner, &reel, i, 1);
    snprintf(film.path, sizeof(film.path), "%s", reel_file(&shop));
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
  while (n < REEL_PIECES && film.end[n] <= at)
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
    cr_expect(reel_is(&reel, pieces_before(at), &spool), "byte %zu of %zu", at, film.len);
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
  seal_shop();
  flip_every_byte();
}

/* And what is cut off comes later, as it does when a follower looks in the middle of a write. */
static void cut_everywhere(void)
{
  shoot();
  for (size_t len = 0; len < film.len; len++) {
    project(film.bytes, len);
    cr_expect_eq(look(), len >= film.end[0], "%zu bytes", len);
    reel_expect(&reel, pieces_before(len), &spool);
    project(film.bytes, film.len);
    cr_expect_eq(look(), 1, "%zu bytes", len);
    reel_expect(&reel, REEL_PIECES, &spool);
    idem_spool_release(&spool);
  }
}

Test(store_spool_damage, what_is_cut_off_is_whole_up_to_there)
{
  cut_everywhere();
}

Test(store_spool_damage, what_is_cut_off_is_whole_up_to_there_in_a_sealed_one)
{
  seal_shop();
  cut_everywhere();
}

Test(store_spool_damage, nothing_comes_behind_an_end)
{
  shoot();
  char *bytes = film.bytes;
  memcpy(bytes + film.len, bytes + film.end[0], film.end[1] - film.end[0]);
  project(bytes, film.len + film.end[1] - film.end[0]);
  cr_expect_eq(look(), -EILSEQ);
  reel_expect(&reel, REEL_PIECES, &spool);
}

/* Encryption. */

static const char *const words[] = {"of reel a", "text/event-stream", "facts of", "X-Reel"};
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
  nftw(shop.options.dir, look_into, 16, FTW_PHYS);
  return found;
}

static void spool_all(void)
{
  both_enter();
  reel_add(&owner, &reel, 0, REEL_PIECES);
  cr_expect_eq(look(), 1);
  reel_expect(&reel, REEL_PIECES, &spool);
}

Test(store_spool_damage, no_word_of_a_sealed_one_is_in_any_file)
{
  seal_shop();
  spool_all();
  cr_expect_eq(words_in_files(), 0);
}

Test(store_spool_damage, they_are_in_one_that_is_not_sealed)
{
  spool_all();
  cr_expect_eq(words_in_files(), sizeof(words) / sizeof(*words));
}

/* A full disk. */

Test(store_spool_damage, a_limit_of_the_files_size_is_an_error_and_no_signal)
{
  struct rlimit before, limit;
  both_enter();
  reel_add(&owner, &reel, 0, 2);
  cr_expect_eq(look(), 1);
  cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
  limit = before;
  limit.rlim_cur = 500;
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  int rc = 0, at = 2;
  while (at < REEL_PIECES && (rc = idem_store_spool(shop.store, &owner.call, &reel.piece[at], 1)) == 0)
    at++;
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
  cr_assert_eq(rc, -EFBIG, "%d", rc);
  cr_expect_eq(idem_store_spool(shop.store, &owner.call, &reel.piece[at + 1], 1), -EIO, "no more after that");
  look();
  reel_expect(&reel, (size_t)at, &spool);
  cr_expect(!spool.over, "its owner goes on");
  order_leave(&owner, false);
  cr_expect_null(reel_file(&shop));
}

/* Somebody else. */

static int add_first(struct order *order)
{
  return idem_store_spool(shop.store, &order->call, reel.piece, 1);
}

Test(store_spool_damage, only_its_owner_adds_to_it)
{
  int status = -1;
  both_enter();
  cr_expect_eq(add_first(&follower), -ENOLCK);
  cr_expect_null(reel_file(&shop));
  reel_add(&owner, &reel, 0, 2);
  pid_t child = fork();
  if (child == 0) {
    int rc = idem_store_spool(shop.store, &owner.call, &reel.piece[2], 1);
    order_leave(&owner, false);
    _exit(-rc);
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect_eq(WEXITSTATUS(status), ENOLCK);
  cr_expect_not_null(reel_file(&shop), "a child that leaves takes nothing away");
  cr_expect_eq(look(), 1);
  reel_expect(&reel, 2, &spool);
  order_leave(&owner, false);
  cr_expect_eq(add_first(&owner), -ENOLCK);
  cr_expect_null(reel_file(&shop));
}

Test(store_spool_damage, a_call_that_was_not_sent_has_none)
{
  owner.call.defers = true;
  both_enter();
  cr_expect_eq(add_first(&owner), -ENOLCK);
  cr_expect_null(reel_file(&shop));
  cr_assert_eq(idem_store_sent(shop.store, &owner.call, &owner.error), 0);
  cr_expect_eq(add_first(&owner), 0);
}

Test(store_spool_damage, what_is_out_of_order_is_refused_and_the_rest_goes_on)
{
  both_enter();
  cr_expect_eq(idem_store_spool(shop.store, &owner.call, &reel.piece[1], 1), -EINVAL);
  reel_add(&owner, &reel, 0, 2);
  cr_expect_eq(add_first(&owner), -EINVAL);
  struct idem_spool_piece huge = {
      .kind = IDEM_SPOOL_CHUNK, .data = {"", (size_t)UINT32_MAX + 2}
  };
  cr_expect_eq(idem_store_spool(shop.store, &owner.call, &huge, 1), -EMSGSIZE);
  reel_add(&owner, &reel, 2, REEL_PIECES - 2);
  cr_expect_eq(look(), 1);
  reel_expect(&reel, REEL_PIECES, &spool);
}

/* The app. */

Test(store_spool_damage, an_app_keeps_the_file_that_it_opened_in_our_place)
{
  both_enter();
  reel_add(&owner, &reel, 0, 2);
  cr_expect_eq(look(), 1);
  int fd = spool.priv.fd;
  int zero = open("/dev/zero", O_RDONLY);
  cr_assert(zero >= 0 && dup2(zero, fd) == fd);
  reel_add(&owner, &reel, 2, 1);
  cr_expect_eq(look(), 1);
  reel_expect(&reel, 3, &spool);
  cr_expect_neq(spool.priv.fd, fd);
  close(spool.priv.fd);
  idem_spool_release(&spool);
  cr_expect_geq(fcntl(fd, F_GETFD), 0, "it is the app's");
}

Test(store_spool_damage, errno_stays)
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
