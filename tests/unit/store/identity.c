/* SPDX-License-Identifier: MIT */
/* What a machine keeps of its fleet's identity: which secret it gives, and to whom it gives none. */
#include "store/state/fleet_store.h"
#include "store/store.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MASTER      "a test key of thirty-two bytes!!"
#define PLAIN       "idemshim 1 plain "
#define SEALED      "idemshim 1 sealed "
#define SECRET_TEXT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SALT_TEXT   "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

static char dir[64], key_file[80], identity_path[PATH_MAX];
static struct idem_fleet fleet = {
    .node = {{"127.0.0.1", 1}}, .node_count = 1, .name = "default", .shown = "redis://127.0.0.1:1"};
static struct idem_store_options options;
static struct fleet_store found;
static struct idem_error error;

static void write_file(const char *path, const char *text)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}

/* The program of these tests has no fleet's object beside it, so that no fleet can be asked. */
static int find(void)
{
  error.text[0] = '\0';
  return fleet_store_find(&found, &options, &error);
}

/* The note that the fleet was away. */
static const char *away_path(void)
{
  static char path[PATH_MAX];
  snprintf(path, sizeof(path), "%.*s.away", (int)sizeof(path) - 8, identity_path);
  return path;
}

/* Where the identity of `fleet` is kept is told by the note that it was away. */
static void find_place(void)
{
  char in[80];
  struct dirent *entry;
  cr_assert_eq(find(), 0);
  snprintf(in, sizeof(in), "%s/fleet", dir);
  DIR *notes = opendir(in);
  cr_assert_not_null(notes);
  while ((entry = readdir(notes))) {
    char *end = strstr(entry->d_name, ".away");
    if (end)
      snprintf(identity_path, sizeof(identity_path), "%s/%.*s", in, (int)(end - entry->d_name),
               entry->d_name);
  }
  closedir(notes);
  cr_assert(strstr(identity_path, ".identity"), "no note was made");
}

static void open_machine(void)
{
  snprintf(dir, sizeof(dir), "/tmp/idem-identity-XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(key_file, sizeof(key_file), "%s/key", dir);
  write_file(key_file, MASTER);
  options = (struct idem_store_options){.dir = dir, .fleet = &fleet};
  find_place();
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
  (void)stat, (void)flag, (void)walk;
  return remove(path);
}

static void close_machine(void)
{
  nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(store_identity, .init = open_machine, .fini = close_machine);

static int find_with(const char *text, bool sealed)
{
  write_file(identity_path, text);
  options.key_file = sealed ? key_file : NULL;
  return find();
}

/* Of MASTER and SALT_TEXT, with its check value. */
static const char *sealed_text(uint8_t secret[FLEET_SECRET])
{
  static char text[IDEM_FLEET_IDENTITY];
  uint8_t salt[FLEET_SALT], key[SEAL_KEY_SIZE], check[SEAL_CHECK_SIZE];
  for (int i = 0; i < FLEET_SALT; i++)
    salt[i] = (uint8_t)(0xf0 + i);
  struct idem_span span = {(const char *)salt, sizeof(salt)};
  cr_assert_eq(seal_derive((const uint8_t *)MASTER, span, key, check), 0);
  cr_assert_eq(seal_derive_secret((const uint8_t *)MASTER, span, secret), 0);
  char *at = text + sprintf(text, SEALED SALT_TEXT " ");
  for (int i = 0; i < SEAL_CHECK_SIZE; i++)
    at += sprintf(at, "%02x", check[i]);
  return text;
}

Test(store_identity, without_a_key_file_it_is_the_secret_itself)
{
  cr_assert_eq(find_with(PLAIN SECRET_TEXT, false), 0, "%s", error.text);
  cr_expect(found.known);
  for (int i = 0; i < FLEET_SECRET; i++)
    cr_expect_eq(found.secret[i], i);
  cr_expect_str_eq(found.text, PLAIN SECRET_TEXT);
}

Test(store_identity, with_one_it_is_a_salt_by_which_the_key_gives_the_secret)
{
  uint8_t secret[FLEET_SECRET];
  const char *text = sealed_text(secret);
  cr_assert_eq(find_with(text, true), 0, "%s", error.text);
  cr_expect(found.known);
  cr_expect_eq(memcmp(found.secret, secret, sizeof(secret)), 0);
  cr_expect(found.salt[0] == 0xf0 && found.salt[FLEET_SALT - 1] == 0xff);
}

/* Each fleet has a store of its own on a machine, beside that of the machine alone. */
Test(store_identity, the_store_is_in_a_directory_that_is_the_identitys)
{
  char first[PATH_MAX];
  uint8_t secret[FLEET_SECRET];
  cr_assert_eq(find_with(PLAIN SECRET_TEXT, false), 0);
  snprintf(first, sizeof(first), "%s", found.dir);
  cr_expect_eq(strncmp(first, dir, strlen(dir)), 0, "%s", first);
  cr_expect_not_null(strstr(first, "/fleet/"), "%s", first);
  cr_assert_eq(find(), 0);
  cr_expect_str_eq(found.dir, first);
  cr_assert_eq(find_with(sealed_text(secret), true), 0);
  cr_expect_str_neq(found.dir, first);
}

static void refused(const char *text, bool sealed, int code, const char *why)
{
  cr_expect_eq(find_with(text, sealed), code, "%s: %s", text, error.text);
  cr_expect(!found.known, "%s", text);
  cr_expect(strstr(error.text, why), "expected \"%s\" in: %s", why, error.text);
}

/* It is the user's to mend, and without the names of the others nothing would be shared. */
Test(store_identity, another_key_than_that_of_the_fleet_is_refused)
{
  uint8_t secret[FLEET_SECRET];
  const char *text = sealed_text(secret);
  refused(PLAIN SECRET_TEXT, true, -EKEYREJECTED, "is not encrypted");
  refused(text, false, -EKEYREJECTED, "gives no key");
  write_file(key_file, "another key of thirty-two bytes.");
  refused(text, true, -EKEYREJECTED, "another key");
  write_file(key_file, "too short");
  refused(text, true, -EKEYREJECTED, "key");
}

/* Of a later version, or damaged: whatever is not understood to its end is not half understood. */
Test(store_identity, what_is_not_understood_is_refused)
{
  static const char *const texts[] = {
      "x",
      "idemshim 2 plain " SECRET_TEXT,
      PLAIN,
      "idemshim 1 plain-" SECRET_TEXT,
      PLAIN "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1",
      PLAIN "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1X",
      PLAIN "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f",
      "idemshim 1 scaled " SALT_TEXT " 00112233445566778899aabbccddeeff",
      SEALED,
      "idemshim 1 sealed-" SALT_TEXT " 00112233445566778899aabbccddeeff",
      SEALED "f0f1f2f3f4f5f6f7f8f9fafbfcfdfef 00112233445566778899aabbccddeeff",
      SEALED SALT_TEXT,
      SEALED SALT_TEXT "-00112233445566778899aabbccddeeff",
      SEALED SALT_TEXT " 00112233445566778899aabbccddeef",
      SEALED SALT_TEXT " 00112233445566778899aabbccddeefg",
  };
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
    refused(texts[i], strncmp(texts[i], PLAIN, sizeof(PLAIN) - 1) != 0, -EPROTO, "does not understand");
}

/* A fleet that is away, or whose object is not there, is no failure: this machine works alone. */
Test(store_identity, where_it_cannot_be_asked_nothing_is_known_and_the_reason_is_said)
{
  struct stat stat_out;
  cr_assert_eq(unlink(away_path()), 0);
  cr_expect_eq(find(), 0);
  cr_expect(!found.known);
  cr_expect(strstr(error.text, "cannot load") && strstr(error.text, "; this machine works alone"), "%s",
            error.text);
  cr_expect_lt(access(identity_path, F_OK), 0);
  cr_assert_eq(stat(away_path(), &stat_out), 0);
  cr_expect_eq(stat_out.st_mode & 07777, 0600);
}

static void be_away_since(time_t seconds)
{
  const time_t then = time(NULL) - seconds;
  cr_assert_eq(utimensat(AT_FDCWD, away_path(), (struct timespec[2]){{.tv_sec = then}, {.tv_sec = then}}, 0),
               0);
}

/* For ten seconds; a note of the future is of a clock that was set back, and keeps nobody from asking. */
Test(store_identity, and_for_a_while_no_other_process_asks_again)
{
  const time_t before = time(NULL);
  be_away_since(0);
  cr_expect_eq(find(), 0);
  cr_expect(!error.text[0] || time(NULL) > before + 8, "%s", error.text);
  be_away_since(60);
  cr_expect_eq(find(), 0);
  cr_expect(strstr(error.text, "this machine works alone"), "%s", error.text);
  be_away_since(-3600);
  cr_expect_eq(find(), 0);
  cr_expect(strstr(error.text, "this machine works alone"), "%s", error.text);
}

/* A password is changed, a limit set: it is the same fleet, and its store is found again. */
Test(store_identity, it_is_kept_by_where_the_fleet_is_and_its_name)
{
  cr_assert_eq(find_with(PLAIN SECRET_TEXT, false), 0);
  fleet.password = "new";
  fleet.connect_ms = 7;
  cr_expect(find() == 0 && found.known);
  fleet.db = 3;
  cr_expect(find() == 0 && !found.known);
  fleet.db = 0;
  fleet.name = "another";
  cr_expect(find() == 0 && !found.known);
  fleet.name = "default";
  fleet.node[0].port = 2;
  cr_expect(find() == 0 && !found.known);
  fleet.node[0].port = 1;
  fleet.node[1] = fleet.node[0];
  fleet.node_count = 2;
  cr_expect(find() == 0 && !found.known);
  fleet.node_count = 1;
  fleet.kind = IDEM_FLEET_SENTINEL;
  fleet.master = "m";
  cr_expect(find() == 0 && !found.known);
  fleet.kind = IDEM_FLEET_SINGLE;
  fleet.master = NULL;
  cr_expect(find() == 0 && found.known);
}

/* A command that makes no store makes no identity either, and leaves no note. */
Test(store_identity, who_only_looks_makes_nothing)
{
  options.must_exist = true;
  fleet.name = "another";
  cr_expect_eq(find(), 0);
  cr_expect(!found.known);
  cr_expect_str_eq(error.text, "");
  fleet.name = "default";
  cr_expect(find_with(PLAIN SECRET_TEXT, false) == 0 && found.known);
  cr_assert_eq(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
  cr_expect_eq(find(), 0);
  cr_expect_lt(access(dir, F_OK), 0);
}

Test(store_identity, no_descriptor_stays_open)
{
  int before = dup(0);
  close(before);
  cr_assert_eq(find_with(PLAIN SECRET_TEXT, false), 0);
  cr_expect_eq(find_with("x", false), -EPROTO);
  unlink(identity_path);
  be_away_since(60);
  cr_expect_eq(find(), 0);
  int after = dup(0);
  cr_expect_eq(after, before);
}

Test(store_identity, a_nonce_is_made_once)
{
  char owner[IDEM_FLEET_OWNER + 1] = "", first[IDEM_FLEET_OWNER + 1], other[IDEM_FLEET_OWNER + 1] = "";
  cr_assert_eq(fleet_store_nonce(owner), 0);
  cr_expect_eq(strlen(owner), IDEM_FLEET_OWNER);
  cr_expect_eq(strspn(owner, "0123456789abcdef"), IDEM_FLEET_OWNER);
  strcpy(first, owner);
  cr_assert_eq(fleet_store_nonce(owner), 0);
  cr_expect_str_eq(owner, first);
  cr_assert_eq(fleet_store_nonce(other), 0);
  cr_expect_str_neq(other, first);
}
