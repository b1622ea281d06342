/* SPDX-License-Identifier: MIT */
/* Directories that are no store, limits of the process, and what must never be in a file. */
#include "store/base/stats.h"
#include "store/lmdb/engine_internal.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct idem_error error;

TestSuite(store_open, .init = open_fixture, .fini = close_fixture, .timeout = 60);

/* Opens `dir` as a second store; it is closed again. */
static int open_dir(const char *dir, bool must_exist)
{
  struct idem_store_options options = {.dir = dir, .size = 64 << 20, .must_exist = must_exist};
  struct idem_store *store;
  error = (struct idem_error){""};
  int rc = idem_store_open(&store, &options, &error);
  if (rc == 0)
    idem_store_close(store);
  else
    cr_expect_neq(error.text[0], '\0');
  return rc;
}

Test(store_open, a_store_is_for_its_owner_alone)
{
  static const char *const files[] = {"data.mdb", "lock.mdb", "claims", STATS_FILE};
  struct stat stat_of;
  cr_assert_eq(open_dir(fixture_path(&fixture, "a/b/c"), false), 0, "%s", error.text);
  cr_assert_eq(stat(fixture_path(&fixture, "a/b/c"), &stat_of), 0);
  cr_expect_eq(stat_of.st_mode & 07777, 0700);
  for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
    cr_assert_eq(stat(fixture_path(&fixture, files[i]), &stat_of), 0);
    cr_expect_eq(stat_of.st_mode & 07777, 0600, "%s", files[i]);
  }
}

Test(store_open, its_files_are_its_owners_whatever_the_umask_is)
{
  static const char *const files[] = {"", "/data.mdb", "/lock.mdb", "/claims", ("/" STATS_FILE)};
  struct stat stat_of;
  char path[300];
  umask(0777);
  cr_assert_eq(open_dir(fixture_path(&fixture, "a/b"), false), 0, "%s", error.text);
  cr_assert_eq(open_dir(fixture_path(&fixture, "a/b"), false), 0, "%s", error.text);
  for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
    snprintf(path, sizeof(path), "%s%s", fixture_path(&fixture, "a/b"), files[i]);
    cr_assert_eq(stat(path, &stat_of), 0, "%s", path);
    cr_expect_eq(stat_of.st_mode & 07777, i ? 0600 : 0700, "%s: %o", path, stat_of.st_mode);
  }
}

/* Who owns a link says where it leads. */
Test(store_open, a_link_of_another_user_is_refused_and_ones_own_is_not)
{
  char link[256], dir[256];
  strcpy(link, fixture_path(&fixture, "link"));
  strcpy(dir, fixture_path(&fixture, "linked"));
  cr_assert_eq(mkdir(dir, 0700), 0);
  cr_assert_eq(symlink(dir, link), 0);
  cr_expect_eq(open_dir(link, false), 0, "%s", error.text);
  if (geteuid() != 0)
    cr_skip_test("only root can give a link away");
  cr_assert_eq(lchown(link, 65534, 65534), 0);
  cr_expect_eq(open_dir(link, false), -EPERM);
  cr_expect(strstr(error.text, "link of another user"), "%s", error.text);
}

/* Two containers that share a directory may have the same pid. */
Test(store_open, what_a_process_of_the_same_pid_has_left_is_in_nobodys_way)
{
  char path[300], dir[256];
  strcpy(dir, fixture_path(&fixture, "other"));
  cr_assert_eq(mkdir(dir, 0700), 0);
  snprintf(path, sizeof(path), "%s/" STATS_FILE ".%d", dir, (int)getpid());
  cr_assert_eq(mkdir(path, 0700), 0);
  cr_expect_eq(open_dir(dir, false), 0, "%s", error.text);
}

Test(store_open, a_directory_that_others_may_write_to_is_refused)
{
  char dir[256];
  strcpy(dir, fixture_path(&fixture, "shared"));
  cr_assert_eq(mkdir(dir, 0700), 0);
  static const mode_t modes[] = {0720, 0702, 0777};
  for (size_t i = 0; i < 3; i++) {
    chmod(dir, modes[i]);
    cr_expect_eq(open_dir(dir, false), -EPERM);
    cr_expect_not_null(strstr(error.text, dir));
  }
}

Test(store_open, a_file_is_no_directory)
{
  char path[256];
  strcpy(path, fixture_path(&fixture, "claims"));
  cr_expect_eq(open_dir(path, false), -ENOTDIR);
}

Test(store_open, the_command_does_not_make_a_store)
{
  char dir[256];
  strcpy(dir, fixture_path(&fixture, "none"));
  cr_expect_eq(open_dir(dir, true), -ENOENT);
  cr_expect_neq(access(dir, F_OK), 0);
  mkdir(dir, 0700);
  cr_expect_eq(open_dir(dir, true), -ENOENT);
  cr_expect_neq(access(fixture_path(&fixture, "none/claims"), F_OK), 0);
}

Test(store_open, opening_twice_shares_one_store)
{
  struct idem_store *second;
  cr_assert_eq(idem_store_open(&second, &fixture.options, &error), 0);
  cr_expect_eq(second, fixture.store);
  idem_store_close(second);
  struct caller caller = caller_of(&fixture, "{}");
  cr_expect_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
}

/* Runs in a child; the test passes if it returns 0. */
static void in_child(int (*body)(void))
{
  int status;
  pid_t child = fork();
  if (child == 0)
    _exit(body());
  waitpid(child, &status, 0);
  cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "signal %d, step %d",
            WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
}

static char other_dir[256];

static int another_user(void)
{
  if (setgid(65534) < 0 || setuid(65534) < 0)
    return 1;
  if (open_dir(other_dir, false) != -EPERM)
    return 2;
  /* Theirs, but not to be written. */
  char mine[] = "/tmp/idemshim-read-only.XXXXXX";
  if (!mkdtemp(mine) || chmod(mine, 0500) < 0)
    return 3;
  int rc = open_dir(mine, false);
  rmdir(mine);
  return rc == -EACCES ? 0 : 4;
}

Test(store_open, a_directory_of_another_user_or_without_write_permission_is_refused)
{
  if (geteuid() != 0)
    cr_skip_test("needs root");
  strcpy(other_dir, fixture.dir);
  chmod(fixture.dir, 0755);
  in_child(another_user);
}

static int limited_file_size(void)
{
  struct idem_store *store;
  struct rlimit limit = {8 << 20, 8 << 20};
  struct fixture small = fixture;
  if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
    return 1;
  small.options.dir = other_dir;
  if (idem_store_open(&store, &small.options, &error) < 0)
    return 2;
  small.store = store;
  /* Far more than the limit: each is stored or refused, and SIGXFSZ never comes. */
  static char answer[600000];
  memset(answer, ' ', sizeof(answer) - 1);
  memcpy(answer, "{}", 2);
  int stored = 0;
  for (int i = 0; i < 40; i++) {
    char body[32];
    snprintf(body, sizeof(body), "{\"n\":%d}", i);
    struct caller caller = caller_of(&small, body);
    if (caller_enter(&caller) != IDEM_OWNED)
      return 3;
    int rc = caller_commit(&caller, answer);
    stored += rc == IDEM_STORED;
    if (rc < 0 && rc != -ENOSPC)
      return 4;
    caller_leave(&caller, true);
  }
  return stored > 3 ? 0 : 5;
}

static int tiny_file_size(void)
{
  struct rlimit limit = {100000, 100000};
  if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
    return 1;
  return open_dir(other_dir, false) < 0 ? 0 : 2;
}

Test(store_open, a_limit_on_file_size_never_raises_a_signal)
{
  strcpy(other_dir, fixture_path(&fixture, "limited"));
  in_child(limited_file_size);
  strcpy(other_dir, fixture_path(&fixture, "tiny"));
  in_child(tiny_file_size);
}

static int limited_memory(void)
{
#ifndef IDEM_SANITIZED
  struct rlimit limit = {1 << 30, 1 << 30};
  struct idem_store_options options = {.dir = other_dir, .size = UINT64_C(64) << 30};
  struct idem_store *store;
  if (setrlimit(RLIMIT_AS, &limit) < 0)
    return 1;
  if (idem_store_open(&store, &options, &error) < 0)
    return 2;
  /* Most of it is left to the app. */
  void *memory = mmap(NULL, 500 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  idem_store_close(store);
  return memory == MAP_FAILED ? 3 : 0;
#else
  return 0;
#endif
}

/* Its app has taken nearly all that it may have: there is room for two maps of 64 MiB and little else. */
static int memory_in_use(void)
{
#ifndef IDEM_SANITIZED
  struct rlimit limit = {UINT64_C(4) << 30, UINT64_C(4) << 30};
  struct idem_store_options options = {.dir = other_dir, .size = UINT64_C(64) << 30};
  struct idem_store *store;
  enum { PIECE = 8 << 20, LEFT = 200 << 20 };
  void *room = mmap(NULL, LEFT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED || setrlimit(RLIMIT_AS, &limit) < 0)
    return 1;
  while (mmap(NULL, PIECE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
    ;
  munmap(room, LEFT);
  if (idem_store_open(&store, &options, &error) < 0)
    return 2;
  idem_store_close(store);
#endif
  return 0;
}

Test(store_open, little_address_space_makes_a_smaller_map)
{
  strcpy(other_dir, fixture_path(&fixture, "narrow"));
  in_child(limited_memory);
  strcpy(other_dir, fixture_path(&fixture, "taken"));
  in_child(memory_in_use);
}

/* Nothing of ours may be where the app will look for its standard streams. */
static int closed_stdio(void)
{
  for (int fd = 0; fd < 3; fd++)
    close(fd);
  struct fixture mine = fixture;
  mine.options.dir = other_dir;
  if (idem_store_open(&mine.store, &mine.options, &error) < 0)
    return 10;
  struct caller caller = caller_of(&mine, "{}");
  if (caller_enter(&caller) != IDEM_OWNED)
    return 11;
  for (int fd = 0; fd < 3; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      return 12 + fd;
  caller_commit(&caller, "{}");
  caller_leave(&caller, true);
  idem_store_close(mine.store);
  return 0;
}

Test(store_open, closed_standard_streams_stay_closed)
{
  strcpy(other_dir, fixture_path(&fixture, "closed"));
  in_child(closed_stdio);
}

static int count_fds(bool *all_cloexec)
{
  DIR *dir = opendir("/proc/self/fd");
  struct dirent *entry;
  int count = 0;
  *all_cloexec = true;
  while ((entry = readdir(dir))) {
    int fd = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == dirfd(dir))
      continue;
    char path[64], target[256] = "";
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "idemshim-store") &&
        !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
      *all_cloexec = false;
    count++;
  }
  closedir(dir);
  return count;
}

Test(store_open, no_descriptor_is_left_and_none_survives_exec)
{
  bool cloexec;
  idem_store_close(fixture.store);
  fixture.store = NULL;
  int before = count_fds(&cloexec);
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  for (int i = 0; i < 20; i++) {
    struct caller caller = caller_of(&fixture, "{}");
    if (caller_enter(&caller) == IDEM_OWNED) {
      count_fds(&cloexec);
      cr_expect(cloexec);
    }
    caller_leave(&caller, false);
  }
  idem_store_close(fixture.store);
  fixture.store = NULL;
  cr_expect_eq(count_fds(&cloexec), before);
}

/* Its map could be halved more than once, which is for want of address space alone. */
Test(store_open, a_large_store_is_opened_once)
{
  bool cloexec;
  MDB_envinfo info;
  idem_store_close(fixture.store);
  fixture.store = NULL;
  int before = count_fds(&cloexec);
  fixture.options.size = UINT64_C(4) << 30;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  mdb_env_info(fixture.store->engine->env, &info);
  cr_expect_geq(info.me_mapsize, fixture.options.size);
  idem_store_close(fixture.store);
  fixture.store = NULL;
  cr_expect_eq(count_fds(&cloexec), before);
}

static int descriptors_taken_away(void)
{
  struct fixture mine = fixture;
  mine.options.dir = other_dir;
  if (idem_store_open(&mine.store, &mine.options, &error) < 0)
    return 1;
  for (int fd = 3; fd < 100; fd++)
    close(fd);
  /* The app's own file now has the numbers that were LMDB's. */
  char path[300], byte[2] = "";
  snprintf(path, sizeof(path), "%s/of-the-app", other_dir);
  for (int i = 0; i < 20; i++)
    open(path, O_RDWR | O_CREAT, 0600);
  struct caller caller = caller_of(&mine, "{}");
  caller.request.headers = caller.headers;
  caller.request.rule = mine.config.rules;
  int verdict = idem_store_enter(mine.store, &caller.request, &caller.call, &error);
  if (verdict == IDEM_OWNED)
    idem_store_leave(mine.store, &caller.call, false);
  int fd = open(path, O_RDONLY);
  return verdict != IDEM_OWNED ? 2 : read(fd, byte, 1) != 0 ? 3 : 0;
}

Test(store_open, an_app_that_closes_our_descriptors_does_not_get_our_bytes)
{
  strcpy(other_dir, fixture_path(&fixture, "robbed"));
  in_child(descriptors_taken_away);
}

/* Changes the schema number in the file as a later version would write it. */
static void write_schema(uint32_t schema)
{
  MDB_env *env;
  MDB_txn *txn;
  MDB_dbi dbi;
  struct {
    uint32_t schema;
    char rest[50];
  } identity = {.schema = schema};
  MDB_val key = {sizeof("identity"), (void *)(uintptr_t) "identity"}, value = {sizeof(identity), &identity};
  idem_store_close(fixture.store);
  fixture.store = NULL;
  cr_assert_eq(mdb_env_create(&env), 0);
  mdb_env_set_maxdbs(env, 10);
  mdb_env_set_mapsize(env, 64 << 20);
  cr_assert_eq(mdb_env_open(env, fixture.dir, 0, 0600), 0);
  cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
  cr_assert_eq(mdb_dbi_open(txn, "meta", 0, &dbi), 0);
  cr_assert_eq(mdb_put(txn, dbi, &key, &value, 0), 0);
  cr_assert_eq(mdb_txn_commit(txn), 0);
  mdb_env_close(env);
}

Test(store_open, a_store_of_a_newer_version_is_left_alone)
{
  write_schema(77);
  cr_expect_eq(fixture_reopen(&fixture, &error), -EPROTO);
  cr_expect_not_null(strstr(error.text, "77"), "%s", error.text);
}

Test(store_open, a_bad_stats_file_is_replaced)
{
  struct caller caller = caller_of(&fixture, "{}");
  caller_ask(&caller, "{}");
  idem_store_close(fixture.store);
  fixture.store = NULL;
  int fd = open(fixture_path(&fixture, STATS_FILE), O_WRONLY);
  cr_assert_eq(pwrite(fd, "garbage", 7, 0), 7);
  close(fd);
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  cr_expect_eq(caller_ask(&caller, "{}"), IDEM_HIT);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_hits), 1);
  cr_assert_eq(truncate(fixture_path(&fixture, STATS_FILE), 100), 0);
  cr_assert_eq(open_dir(fixture_path(&fixture, "x"), false), 0);
}

/* 0.1 is at work in the same store, with counters of another order. */
Test(store_open, counters_of_another_version_are_left_alone)
{
  static const char theirs[] = "as 0.1 has written it";
  char bytes[64] = "";
  struct caller caller = caller_of(&fixture, "{}");
  idem_store_close(fixture.store);
  fixture.store = NULL;
  const char *path = fixture_path(&fixture, "stats");
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  cr_assert_eq(write(fd, theirs, sizeof(theirs)), (ssize_t)sizeof(theirs));
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  caller_ask(&caller, "{}");
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_stored), 1);
  struct stat stat_of;
  cr_expect_eq(fstat(fd, &stat_of), 0);
  cr_expect_eq(stat_of.st_nlink, 1, "it was replaced");
  cr_expect_eq(pread(fd, bytes, sizeof(bytes), 0), (ssize_t)sizeof(theirs));
  cr_expect_str_eq(bytes, theirs);
  close(fd);
}

static bool file_has(const char *path, const char *bytes)
{
  int fd = open(path, O_RDONLY);
  struct stat stat_of;
  fstat(fd, &stat_of);
  char *data = malloc((size_t)stat_of.st_size + 1);
  ssize_t len = read(fd, data, (size_t)stat_of.st_size);
  bool has = len > 0 && memmem(data, (size_t)len, bytes, strlen(bytes));
  free(data);
  close(fd);
  return has;
}

Test(store_open, no_credential_is_ever_written)
{
  static const char *const files[] = {"data.mdb", "lock.mdb", "claims", STATS_FILE};
  struct caller caller = caller_of(&fixture, "{\"findable\":1}");
  struct idem_span more = SPAN("user:test-credential-alpha");
  fixture_rule(&fixture, "vary=* key=content");
  caller.request.query = SPAN("x=1&key=test-credential-alpha");
  caller.request.credentials = &more, caller.request.credential_count = 1;
  caller_header(&caller, "X-Api-Key: test-credential-alpha");
  caller_header(&caller, "Cookie: s=test-credential-alpha");
  caller_header(&caller, "Proxy-Authorization: Basic test-credential-alpha");
  caller_header(&caller, "X-Amz-Security-Token: test-credential-alpha");
  cr_assert_eq(caller_ask(&caller, "{\"a\":1}"), IDEM_OWNED);
  cr_assert_eq(caller_ask(&caller, "{\"a\":1}"), IDEM_HIT);
  cr_assert(file_has(fixture_path(&fixture, "data.mdb"), "findable"));
  for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
    cr_expect_not(file_has(fixture_path(&fixture, files[i]), "test-credential-alpha"), "%s", files[i]);
}

/* What may be left of a store whose first process was killed, had no room, or lost its
 * power while it made it. */
static const struct cut {
  const char *file, *bytes;
  off_t size;
} cuts[] = {
    {"data.mdb", "", 0},        {"data.mdb", "x", 1},    {"data.mdb", "", 4096}, {"data.mdb", "x", 8191},
    {"data.mdb", "", 2 * 4096}, {"data.mdb", "", 40960}, {"lock.mdb", "", 0},    {"lock.mdb", "", 100},
    {"lock.mdb", "", 131200},   {"claims", "", 0},       {"claims", "", 100},    {STATS_FILE, "", 0},
    {STATS_FILE, "", 4096},
};

static void cut_short(const char *dir, const struct cut *cut)
{
  char path[300];
  snprintf(path, sizeof(path), "%s/%s", dir, cut->file);
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  cr_assert_geq(fd, 0);
  cr_assert_eq(ftruncate(fd, cut->size), 0);
  cr_assert_eq(pwrite(fd, cut->bytes, strlen(cut->bytes), 0), (ssize_t)strlen(cut->bytes));
  close(fd);
}

Test(store_open, one_that_was_cut_short_while_it_was_made_is_made_anew)
{
  for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
    struct fixture other = {.store = NULL};
    fixture_open(&other, "");
    idem_store_close(other.store);
    /* It is the first file that is there, or all are. */
    for (int alone = 0; alone < 2; alone++) {
      if (alone) {
        idem_store_close(other.store);
        cr_assert_eq(unlink(fixture_path(&other, "data.mdb")), 0);
      }
      cut_short(other.dir, &cuts[i]);
      error = (struct idem_error){""};
      cr_expect_eq(idem_store_open(&other.store, &other.options, &error), 0, "%s of %ld: %s", cuts[i].file,
                   (long)cuts[i].size, error.text);
      cr_expect_str_empty(error.text);
      struct caller caller = caller_of(&other, alone ? "{}" : "[]");
      cr_expect_eq(caller_ask(&caller, "{\"answer\":1}"), IDEM_OWNED);
      cr_expect_eq(caller_ask(&caller, "{\"answer\":2}"), IDEM_HIT);
    }
    fixture_close(&other);
  }
}

/* What has had answers is not thrown away, whatever is in its first pages by now. */
Test(store_open, one_that_is_damaged_is_not_made_anew)
{
  static const char garbage[] = "no page of LMDB's";
  struct stat stat_of;
  struct caller caller = caller_of(&fixture, "{}");
  caller_ask(&caller, "{}");
  idem_store_close(fixture.store);
  fixture.store = NULL;
  cr_assert_eq(stat(fixture_path(&fixture, "data.mdb"), &stat_of), 0);
  int fd = open(fixture_path(&fixture, "data.mdb"), O_RDWR | O_CLOEXEC);
  cr_assert_eq(pwrite(fd, garbage, sizeof(garbage), 0), (ssize_t)sizeof(garbage));
  cr_assert_eq(pwrite(fd, garbage, sizeof(garbage), 4096), (ssize_t)sizeof(garbage));
  cr_expect_eq(idem_store_open(&fixture.store, &fixture.options, &error), -EILSEQ);
  off_t before = stat_of.st_size;
  cr_assert_eq(fstat(fd, &stat_of), 0);
  cr_expect_eq(stat_of.st_size, before);
  close(fd);
  fixture.store = NULL;
}
