/* SPDX-License-Identifier: MIT */
/* Files that the app names and libcurl reads: what they say of who asks is the tenant, and one that gives its
 * text once is left to libcurl. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(files_of_the_app, .init = open_world, .fini = close_world);

static const char target[] = "/v1/chat/completions";

/* Posts with these options: how many requests that took, and what it said, in `out` if it is not NULL. */
static long sent_with(const char *const *options, struct run *out)
{
  long before = mock_count(&w).requests;
  const char *argv[16] = {"curl", "-sS", "-d", "{}", world_url(&w, target)};
  for (int i = 0; options[i]; i++)
    argv[5 + i] = options[i];
  struct run r = run_argv(&w, true, argv);
  expect_success(&r);
  if (out)
    *out = r;
  else
    run_release(&r);
  return mock_count(&w).requests - before;
}

static const char *netrc;

/* The same with a .netrc of this text, which may be NULL for none. */
static long sent_with_netrc(const char *text)
{
  const char *const options[] = {"--netrc-file", netrc, "--netrc-optional", NULL};
  unlink(netrc);
  if (text)
    world_write(&w, "a-netrc", text, strlen(text));
  return sent_with(options, NULL);
}

static char netrc_path[300];
static void begin_netrc(void)
{
  snprintf(netrc_path, sizeof(netrc_path), "%s/a-netrc", w.dir);
  netrc = netrc_path;
}

/* The Authorization header of the last request, or "". */
static const char *last_login(void)
{
  static char login[200];
  json_t *all = mock_requests(&w);
  const char *header = mock_header(json_array_get(all, json_array_size(all) - 1), "Authorization");
  snprintf(login, sizeof(login), "%s", header ? header : "");
  json_decref(all);
  return login;
}

Test(files_of_the_app, two_logins_of_one_host_in_a_netrc_are_two_tenants)
{
  static const char *const texts[] = {
      "machine 127.0.0.1 login alice password one\n",
      "machine 127.0.0.1 login alice password two\n",
      "machine 127.0.0.1\n  login bob\n  password one\n",
      "default login alice password one\n",
      "machine other.example login me password x default login bob password one\n",
      "machine \"127.0.0.1\" login \"al ice\" password one\n",
      "machine \"127.0.0.1\" login \"al ice\" password \"o\\\"ne\"\n",
      "machine other.example macdef init\nmachine 127.0.0.1\n\nmachine 127.0.0.1 login m password one\n",
      "machine other.example macdef init\nmachine 127.0.0.1\n\nmachine 127.0.0.1 login m password two\n",
      "machine 127.0.0.1 # mine\n login alice password one\n",
      "machine 127.0.0.1 password machine login alice\n",
      "machine 127.0.0.1 password machine login bobby\n",
      "machine 127.0.0.1 login alice machine other.example login me password x\n",
      "machine 127.0.0.1 login alice machine other.example login me\n"};
  begin_netrc();
  for (int round = 0; round < 2; round++)
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
      cr_expect_eq(sent_with_netrc(texts[i]), round ? 0 : 1, "round %d: %s", round, texts[i]);
  cr_expect_eq(log_events(&w, "bypass"), 0);
}

/* By whatever rules the libcurl at hand reads it. */
Test(files_of_the_app, files_of_one_tenant_log_in_alike)
{
  unsigned same = 0;
  world_env(&w, "IDEMSHIM_MODE", "observe");
  struct run r = run_shell(&w, world_text(&w, "cd '%s' && exec netrc_logins 5 1000 '%s' '%s'", w.dir,
                                          world_url(&w, target), w.log));
  expect_success(&r);
  cr_expect_eq(sscanf(r.out, "1000 files, %u of a tenant that was there, 0 wrong", &same), 1, "%s", r.out);
  cr_expect_gt(same, 200, "%s", r.out);
  run_release(&r);
}

Test(files_of_the_app, a_login_of_a_netrc_is_sent_and_written_nowhere)
{
  begin_netrc();
  cr_expect_eq(sent_with_netrc("machine 127.0.0.1 login alice password test-credential-alpha\n"), 1);
  cr_expect_str_eq(last_login(), "Basic YWxpY2U6dGVzdC1jcmVkZW50aWFsLWFscGhh");
  cr_expect_eq(sent_with_netrc("machine 127.0.0.1 login alice password test-credential-alpha\n"), 0);
  cr_expect_not(file_contains(w.store, "test-credential"));
  cr_expect_not(log_contains(&w, "test-credential"));
}

Test(files_of_the_app, a_netrc_that_is_about_other_hosts_changes_nothing)
{
  static const char *const texts[] = {
      "machine other.example login me password x\n", "",
      "# of mine\nmachine other.example\n  login me\n  password x\n  account 127.0.0.1\n",
      "machine 127.0.0.1.example login me password x machine 27.0.0.1 login me password x\n"};
  begin_netrc();
  cr_expect_eq(sent_with_netrc(NULL), 1, "there is none");
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
    cr_expect_eq(sent_with_netrc(texts[i]), 0, "%s", texts[i]);
  const char *const none[] = {NULL}, *const far[] = {"-L", "--netrc-file", netrc, NULL};
  cr_expect_eq(sent_with(none, NULL), 0, "without the option it is the same call");
  sent_with_netrc(texts[0]);
  cr_expect_eq(sent_with(far, NULL), 1, "a redirect may lead to one of them");
  cr_expect_eq(sent_with(far, NULL), 0);
  world_write(&w, "a-netrc", "machine other.example login me password y\n", 42);
  cr_expect_eq(sent_with(far, NULL), 1, "as another one");
  cr_expect_eq(log_events(&w, "bypass"), 0);
}

Test(files_of_the_app, an_entry_of_another_host_does_not_make_another_tenant)
{
  begin_netrc();
  cr_expect_eq(
      sent_with_netrc("machine a.example login me password x\nmachine 127.0.0.1 login m password y\n"), 1);
  cr_expect_eq(
      sent_with_netrc("machine 127.0.0.1\nlogin m\npassword y\nmachine b.example login me password z"), 0);
}

/* libcurl reads the file after us, and may have sent the other login. */
Test(files_of_the_app, a_netrc_that_is_written_meanwhile_names_no_answer)
{
  static const char one[] = "machine 127.0.0.1 login alice password one\n",
                    *other = "machine 127.0.0.1 login alice password two\n";
  begin_netrc();
  world_write(&w, "a-netrc", one, strlen(one));
  mock_default(&w, "hold=1,chunk=100000,size=150000");
  struct run r =
      start_shim(&w, "curl", "-sS", "-d", "{}", "--netrc-file", netrc, world_url(&w, target), NULL);
  wait_until(mock_count(&w).requests == 1);
  world_write(&w, "a-netrc", other, strlen(other));
  mock_release(&w, 1);
  run_wait(&r);
  expect_success(&r);
  run_release(&r);
  mock_default(&w, "");
  cr_expect_eq(log_events(&w, "stored"), 0);
  cr_expect_eq(sent_with_netrc(other), 1);
  cr_expect_eq(sent_with_netrc(one), 1);
}

/* libcurl looks up 127.0.0.1 for that host. */
Test(files_of_the_app, a_host_that_is_spelled_in_another_way_has_its_login)
{
  world_env(&w, "IDEMSHIM_HOSTS", "127.1");
  for (int i = 0; i < 4; i++) {
    static const char *const passwords[] = {"one", "two", "one", "two"};
    const char *text = world_text(&w, "machine 127.0.0.1 login alice password %s\n", passwords[i]);
    world_write(&w, ".netrc", text, strlen(text));
    long before = mock_count(&w).requests;
    struct run r = run_shim(&w, "curl", "-sS", "-d", "{}", "-n",
                            world_text(&w, "http://127.1:%d%s", w.port, target), NULL);
    run_release(&r);
    cr_expect_eq(mock_count(&w).requests - before, i < 2, "%d", i);
  }
}

Test(files_of_the_app, the_netrc_of_the_home_is_read)
{
  /* Where there is none, the tool of 8.14 makes no call with -n. */
  const char *const options[] = {"-n", NULL}, *const optional[] = {"--netrc-optional", NULL};
  cr_expect_eq(sent_with(optional, NULL), 1, "there is none");
  world_write(&w, ".netrc", "machine 127.0.0.1 login a password b\n", 37);
  cr_expect_eq(sent_with(options, NULL), 1);
  cr_expect_str_eq(last_login(), "Basic YTpi");
  cr_expect_eq(sent_with(options, NULL), 0);
  cr_expect_eq(log_events(&w, "bypass"), 0);
  world_unset(&w, "HOME");
  cr_expect_eq(sent_with(optional, NULL), 1, "nobody knows which file that is");
  cr_expect(log_contains(&w, "\"reason\":\"NETRC\""));
}

static bool sleeps(pid_t pid)
{
  char path[64], state = '?';
  snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  FILE *stat = fopen(path, "re");
  bool asleep = stat && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1 && state == 'S';
  if (stat)
    fclose(stat);
  return asleep;
}

/* Whoever writes into the pipe sees that libcurl alone has read it. */
static void expect_pipe_left_to_libcurl(const char *option, const char *text, const char *reason)
{
  const char *pipe = world_path(&w, "a-pipe");
  cr_assert_eq(mkfifo(pipe, 0600), 0, "%m");
  for (int i = 0; i < 2; i++) {
    struct run writer = start_plain(&w, "sh", "-c", "printf %s \"$0\" > \"$1\"", text, pipe, NULL);
    const char *const options[] = {option, pipe, NULL};
    wait_until(sleeps(writer.pid)); /* until somebody opens the pipe */
    cr_expect_eq(sent_with(options, NULL), 1);
    run_wait(&writer);
    cr_expect_eq(writer.status, 0, "%s", writer.err);
    run_release(&writer);
  }
  cr_expect_eq(log_events(&w, "bypass"), 2);
  cr_expect(log_contains(&w, world_text(&w, "\"reason\":\"%s\"", reason)));
}

Test(files_of_the_app, a_netrc_that_is_a_pipe_is_left_to_libcurl)
{
  expect_pipe_left_to_libcurl("--netrc-file", "machine 127.0.0.1 login a password b\n", "NETRC");
  cr_expect_str_eq(last_login(), "Basic YTpi");
}

Test(files_of_the_app, a_netrc_that_cannot_be_read_makes_calls_live)
{
  begin_netrc();
  const char *const options[] = {"--netrc-file", netrc, "--netrc-optional", NULL};
  symlink(netrc, netrc);
  cr_expect_eq(sent_with(options, NULL), 1);
  cr_expect_eq(sent_with(options, NULL), 1, "a circle of links");
  unlink(netrc);
  mkdir(netrc, 0700);
  cr_expect_eq(sent_with(options, NULL), 1, "a directory");
  cr_expect_eq(log_events(&w, "bypass"), 3);
}

Test(files_of_the_app, a_cookie_file_that_is_a_pipe_is_left_to_libcurl)
{
  expect_pipe_left_to_libcurl("-b", "127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\talpha\n", "COOKIEFILE");
  json_t *all = mock_requests(&w);
  cr_expect_str_eq(mock_header(json_array_get(all, 1), "Cookie"), "session=alpha");
  json_decref(all);
}

Test(files_of_the_app, a_cookie_file_that_is_standard_input_is_left_to_libcurl)
{
  static const char *const names[] = {"-", "/dev/stdin", "-", "/dev/stdin"};
  for (int i = 0; i < 4; i++) {
    struct run r =
        run_shell(&w, world_text(&w,
                                 "printf '127.0.0.1\\tFALSE\\t/\\tFALSE\\t0\\tsession\\tbravo\\n' | "
                                 "curl -sS -b %s -d {} '%s'",
                                 names[i], world_url(&w, target)));
    expect_success(&r);
    run_release(&r);
    json_t *all = mock_requests(&w);
    cr_expect_eq(json_array_size(all), (size_t)i + 1);
    cr_expect_str_eq(mock_header(json_array_get(all, (size_t)i), "Cookie"), "session=bravo");
    json_decref(all);
  }
}

Test(files_of_the_app, a_cookie_file_that_holds_nothing_changes_nothing)
{
  static const char *const files[] = {"/dev/null", "/nowhere/at/all", "/"};
  const char *const none[] = {NULL};
  cr_expect_eq(sent_with(none, NULL), 1);
  for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
    const char *const options[] = {"-b", files[i], NULL};
    cr_expect_eq(sent_with(options, NULL), 0, "%s", files[i]);
  }
}

Test(files_of_the_app, a_form_with_a_pipe_in_it_is_left_to_libcurl)
{
  const char *pipe = world_path(&w, "a-pipe"), *part = world_text(&w, "file=@%s", pipe);
  cr_assert_eq(mkfifo(pipe, 0600), 0, "%m");
  for (int i = 0; i < 2; i++) {
    struct run writer = start_plain(&w, "sh", "-c", "printf text > \"$0\"", pipe, NULL);
    struct run r = run_shim(&w, "curl", "-sS", "-F", part, world_url(&w, "/v1/audio/transcriptions"), NULL);
    expect_success(&r);
    run_wait(&writer);
    cr_expect_eq(writer.status, 0, "%s", writer.err);
    run_release(&writer);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "bypass"), 2);
}
