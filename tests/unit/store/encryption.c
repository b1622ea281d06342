/* SPDX-License-Identifier: MIT */
/* An encrypted store: the same answers, nothing of them in any file, and no other key. */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char key_path[256], other_path[256];

static void write_file(char *path, const char *name, const char *text)
{
  snprintf(path, 256, "%s", fixture_path(&fixture, name));
  FILE *file = fopen(path, "w");
  cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void open_encrypted(void)
{
  struct idem_error error = {""};
  open_fixture();
  write_file(key_path, "one.key", "0123456789abcdef0123456789abcdef");
  write_file(other_path, "other.key", "fedcba9876543210fedcba9876543210");
  static char dir[256];
  snprintf(dir, sizeof(dir), "%s", fixture_path(&fixture, "sealed"));
  idem_store_close(fixture.store);
  fixture.options.dir = dir;
  fixture.options.key_file = key_path;
  cr_assert_eq(idem_store_open(&fixture.store, &fixture.options, &error), 0, "%s", error.text);
}

TestSuite(store_sealed, .init = open_encrypted, .fini = close_fixture);

#define PROMPT "{\"prompt\":\"the first question of all\"}"
#define ANSWER "{\"answer\":\"forty-two, as everybody knows\"}"

static struct caller asked(void)
{
  struct caller caller = caller_of(&fixture, PROMPT);
  cr_assert_eq(caller_ask(&caller, ANSWER), IDEM_OWNED);
  return caller;
}

/* Files. */

static const char *const words[] = {"first question", "everybody knows", "/v1/chat", "api.example.com"};
static const char *found;

static int look_into(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
  (void)walk;
  FILE *file = type == FTW_F ? fopen(path, "r") : NULL;
  char *bytes = file ? malloc((size_t)stat->st_size + 1) : NULL;
  size_t len = bytes ? fread(bytes, 1, (size_t)stat->st_size, file) : 0;
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
    if (len && memmem(bytes, len, words[i], strlen(words[i])))
      found = words[i];
  free(bytes);
  if (file)
    fclose(file);
  return 0;
}

static const char *word_in_files(void)
{
  found = NULL;
  nftw(fixture.options.dir, look_into, 16, FTW_PHYS);
  return found;
}

Test(store_sealed, no_word_of_it_is_in_any_file)
{
  for (int i = 0; i < 200; i++) {
    char prompt[128], answer[9000];
    snprintf(prompt, sizeof(prompt), "{\"prompt\":\"first question %d\"}", i);
    snprintf(answer, sizeof(answer), "{\"answer\":\"%*d everybody knows\"}", i % 3 ? 10 : 8000, i);
    struct caller caller = caller_of(&fixture, prompt);
    cr_assert_eq(caller_ask(&caller, answer), IDEM_OWNED);
    struct idem_error error;
    if (i % 5 == 0)
      cr_assert_geq(idem_store_remove(fixture.store, caller.call.id, &error), 0);
  }
  const char *word = word_in_files();
  cr_expect_null(word, "\"%s\" is there", word);
}

static void ask_a_plain_store(void)
{
  struct idem_error error = {""};
  static char dir[256];
  snprintf(dir, sizeof(dir), "%s", fixture_path(&fixture, "plain"));
  fixture.options.dir = dir;
  fixture.options.key_file = NULL;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  asked();
}

Test(store_sealed, the_search_finds_what_is_not_encrypted)
{
  ask_a_plain_store();
  cr_expect_not_null(word_in_files());
}

/* Answers. */

Test(store_sealed, a_hit_is_the_answer)
{
  struct idem_error error = {""};
  asked();
  for (int i = 0; i < 3; i++) {
    struct caller again = caller_of(&fixture, PROMPT);
    cr_assert_eq(caller_enter(&again), IDEM_HIT);
    struct idem_answer *answer = &again.call.answer;
    cr_expect(answer->body.len == strlen(ANSWER) && !memcmp(answer->body.data, ANSWER, answer->body.len));
    cr_expect_eq(answer->chunk_count, 1);
    cr_expect_eq(answer->chunks[0].len, strlen(ANSWER));
    cr_expect(answer->facts.len == 5 && !memcmp(answer->facts.data, "facts", 5));
    cr_expect_eq(answer->status, 200);
    if (i == 1)
      cr_expect_eq(idem_store_unpin(fixture.store, &again.call), 0);
    cr_expect(answer->body.len == strlen(ANSWER) && !memcmp(answer->body.data, ANSWER, answer->body.len));
    caller_leave(&again, true);
  }
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  struct caller later = caller_of(&fixture, "{ \"prompt\" : \"the first question of all\" }");
  cr_expect_eq(caller_ask(&later, "{}"), IDEM_HIT);
  cr_expect_str_eq(later.body, ANSWER);
}

Test(store_sealed, mismatches_and_samples_are_as_ever)
{
  fixture_rule(&fixture, "mismatch=reject");
  struct caller first = caller_of(&fixture, PROMPT), other = caller_of(&fixture, "{\"prompt\":2}");
  caller_header(&first, "Idempotency-Key: one");
  caller_header(&other, "Idempotency-Key: one");
  cr_expect_eq(caller_ask(&first, ANSWER), IDEM_OWNED);
  cr_expect_eq(caller_ask(&other, ANSWER), IDEM_MISMATCH);
  fixture_rule(&fixture, "repeats=fresh");
  for (int i = 0; i < 3; i++) {
    struct caller sample = caller_of(&fixture, PROMPT);
    cr_expect_eq(caller_ask(&sample, ANSWER), IDEM_OWNED);
  }
  fixture_rule(&fixture, "repeats=sequence");
  for (int i = 0; i < 4; i++) {
    struct caller one = caller_of(&fixture, PROMPT);
    cr_expect_eq(caller_ask(&one, ANSWER), i < 3 ? IDEM_HIT : IDEM_OWNED, "number %d", i);
  }
}

static int take_body(void *arg, const struct idem_answer *answer)
{
  snprintf(arg, 256, "%.*s %.*s", (int)answer->body.len, answer->body.data, (int)answer->request_body.len,
           answer->request_body.data);
  return 0;
}

Test(store_sealed, the_command_reads_them)
{
  char listed[256] = "", shown[256] = "";
  struct idem_error error = {""};
  struct idem_verify verify;
  struct caller caller = asked();
  cr_expect_eq(idem_store_each(fixture.store, IDEM_OLDEST_FIRST, take_body, listed, &error), 0, "%s",
               error.text);
  cr_expect_eq(idem_store_show(fixture.store, caller.call.id, take_body, shown, &error), 0, "%s", error.text);
  cr_expect_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0, "%s", error.text);
  cr_expect_str_eq(listed, ANSWER " " PROMPT);
  cr_expect_str_eq(shown, listed);
  cr_expect_eq(verify.answers, 1);
  cr_expect_eq(verify.damaged, 0);
}

/* Keys. */

static void expect_refused(const char *what)
{
  struct idem_error error = {""};
  cr_expect_eq(fixture_reopen(&fixture, &error), -EKEYREJECTED, "%s", what);
  cr_expect(strstr(error.text, what), "%s", error.text);
}

Test(store_sealed, another_key_opens_nothing)
{
  asked();
  fixture.options.key_file = other_path;
  expect_refused("encrypted with another key");
  fixture.options.key_file = NULL;
  expect_refused("the store is encrypted; --key-file or IDEMSHIM_KEY_FILE names its key");
  fixture.options.key_file = "/no/such/file";
  expect_refused("the key cannot be read");
  fixture.options.key_file = key_path;
  struct idem_error error = {""};
  cr_expect_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
}

Test(store_sealed, a_store_that_is_not_encrypted_takes_no_key)
{
  ask_a_plain_store();
  fixture.options.key_file = key_path;
  expect_refused("the store is not encrypted");
}

/* Damage. */

Test(store_sealed, flipped_bytes_are_a_miss)
{
  struct idem_error error = {""};
  asked();
  idem_store_close(fixture.store);
  fixture.store = NULL;
  char path[300];
  snprintf(path, sizeof(path), "%s/data.mdb", fixture.options.dir);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  off_t size = lseek(fd, 0, SEEK_END);
  static char bytes[1 << 20];
  cr_assert(size > 0 && size <= (off_t)sizeof(bytes) && pread(fd, bytes, (size_t)size, 0) == size);
  /* The magic of a record, in the byte order of this machine. */
  char *record = memmem(bytes, (size_t)size, "\x5e\xa2\xe3\x1d", 4);
  cr_assert_not_null(record);
  for (int at = 400; at < 440; at++)
    record[at] ^= 1;
  cr_assert_eq(pwrite(fd, bytes, (size_t)size, 0), size);
  close(fd);
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  struct caller again = caller_of(&fixture, PROMPT);
  cr_expect_eq(caller_ask(&again, ANSWER), IDEM_OWNED);
  cr_expect_geq(fixture_counter(&fixture, IDEM_COUNTER_damaged), 1);
}

/* What the kernel writes of this process when it dies, and of what not: proc(5), smaps. */
static bool is_dumped(const void *address)
{
  FILE *maps = fopen("/proc/self/smaps", "re");
  char line[512];
  bool here = false, dumped = true;
  cr_assert_not_null(maps);
  while (fgets(line, sizeof(line), maps)) {
    unsigned long first, last;
    if (sscanf(line, "%lx-%lx ", &first, &last) == 2)
      here = (unsigned long)address >= first && (unsigned long)address < last;
    else if (here && strncmp(line, "VmFlags:", 8) == 0)
      dumped = !strstr(line, " dd");
  }
  fclose(maps);
  return dumped;
}

Test(store_sealed, its_key_is_in_no_core_dump)
{
  static const int elsewhere;
  cr_expect_not(is_dumped(fixture.store));
  cr_expect(is_dumped(&elsewhere));
}
