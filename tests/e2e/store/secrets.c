/* SPDX-License-Identifier: MIT */
/* Whatever is a credential is written nowhere: not into the store, the spool of a call under way, a tape, the
 * log, what is exported or shown, nor is it in the memory of the command that shows it. The secrets are made
 * when the test runs; all begin with the same random letters. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The beginning of all secrets, and of "me:" and such a one in base64, as Basic has them. */
enum { MARKER = 9 };
static char marker[MARKER + 1], basic[17];
static const char *tape;

static void encode_basic(void)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char plain[13];
  snprintf(plain, sizeof(plain), "me:%s", marker);
  for (int i = 0; i < 12; i += 3) {
    unsigned three = (unsigned)plain[i] << 16 | (unsigned)plain[i + 1] << 8 | (unsigned)plain[i + 2];
    for (int j = 0; j < 4; j++)
      basic[i / 3 * 4 + j] = digits[three >> (18 - 6 * j) & 63];
  }
}

static void set_up(void)
{
  static char tape_path[300];
  open_world();
  int fd = open("/dev/urandom", O_RDONLY);
  cr_assert_eq(read(fd, marker, MARKER), MARKER, "%m");
  close(fd);
  for (int i = 0; i < MARKER; i++)
    marker[i] = (char)('a' + (unsigned char)marker[i] % 26);
  encode_basic();
  snprintf(tape_path, sizeof(tape_path), "%s/tape", w.dir);
  tape = tape_path;
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 redact=/secret,/deep/0/token");
  world_env(&w, "IDEMSHIM_TAPE", "%s", tape);
  world_env(&w, "CURL_HOME", "%s", w.dir); /* no .curlrc of anybody's */
}

TestSuite(secrets, .init = set_up, .fini = close_world);

/* Each row has a way of its own to say a secret: %s, with the row's number behind it. %p is the mock's port,
 * %d the world's directory. What is not an option is a path with its query, or the user of the URL and an
 * @. */
static const char *const ways[][5] = {
    /* Of these nobody is the tenant, so they are one call. */
    {"-H", "Proxy-Authorization: Basic %s"},
    {"-H", "X-CSRF-Token: %s"},
    {"-H", "Sec-Custom: %s"},
    {"-x", "http://127.0.0.1:%p", "--proxy-user", "me:%s"},
    {"-x", "http://me:%s@127.0.0.1:%p"},
    /* Of these, each has one of its own. */
    {"-H", "Authorization: Bearer %s"},
    {"-H", "Authorization: %s"},
    {"-H", "X-Api-Key: %s"},
    {"-H", "api-key: %s"},
    {"-H", "x-goog-api-key: %s"},
    {"-H", "Ocp-Apim-Subscription-Key: %s"},
    {"-H", "X-Auth: %s"},
    {"-H", "Cookie: session=%s; __cf_bm=%s"},
    {"-H", "X-Acme-Token: %s"},
    {"-H", "acmeApiKey: %s"},
    {"-H", "X-Acme-Client-Secret: %s"},
    {"-H", "X-Password: %s"},
    {"-H", "X-Signature: %s"},
    {"-H", "X-Gateway-JWT: %s"},
    {"-H", "Authorization: AWS4-HMAC-SHA256 Credential=ID/1/r/s/aws4_request, Signature=%s", "-H",
     "X-Amz-Security-Token: %s"},
    {"-H", "X-Amz-Security-Token: %s"},
    {"-u", "me:%s"},
    {"-u", "me:%s", "--digest"},
    {"-b", "session=%s; AWSALB=%s"},
    {"-b", "%d/jar"},
    {"--oauth2-bearer", "%s"},
    {"--netrc-file", "%d/a-netrc"},
    {"--aws-sigv4", "aws:amz:us-east-1:bedrock", "-u", "me:%s"},
    {"/v1/chat/completions?api_key=%s"},
    {"/v1/chat/completions?access_token=%s&sig=%s"},
    {"/v1/chat/completions?api%5Fkey=%s"},
    {"/v1/chat/completions?code=%s"},
    {"/v1/chat/completions?X-Amz-Credential=ID%2Fs&X-Amz-Security-Token=%s&X-Amz-Signature=%s"},
    {"me:%s@"},
    {"%s@"},
    /* Two headers in one string. */
    {"-H", "X-One: 1\r\nAuthorization: Bearer %s"},
    {"-H", "X-One: 1\nX-Api-Key: a\r\n  %s"},
    {"-H", "X-Forwarded-Access-Token: %s"},
    {"-H", "X-Datadog-Api-Key: %s"},
    /* Forms that a server may read in several ways go live. */
    {"-H", " Authorization: Bearer %s"},
    {"-H", "X-One: 1\rAuthorization: Bearer %s"},
};
enum { NOBODYS = 5, ODD = 2, WAYS = sizeof(ways) / sizeof(*ways) };

static const char *expand(const char *format, size_t row)
{
  static char room[6][400];
  static unsigned next;
  char *text = room[next++ % 6], *at = text;
  for (; *format; format++) {
    const char *known = *format == '%' && format[1] ? strchr("spd", format[1]) : NULL;
    if (!known)
      *at++ = *format;
    else if (format++, *known == 's')
      at += sprintf(at, "%s%02zu", marker, row);
    else
      at += *known == 'p' ? sprintf(at, "%d", w.port) : sprintf(at, "%s", w.dir);
  }
  *at = '\0';
  return text;
}

static int left_out;

static void send_one(size_t row, const char *body)
{
  const char *const *way = ways[row];
  if (strcmp(way[0], "--aws-sigv4") == 0 && libcurl_version() < 0x074b00) {
    left_out++;
    return;
  }
  const char *first = expand(way[0], row);
  bool options = *first == '-', path = *first == '/';
  const char *argv[16] = {"curl", "-sS", "-H", "Content-Type: application/json", "-d", body};
  char url[600];
  snprintf(url, sizeof(url), "http://%s127.0.0.1:%d%s", options || path ? "" : first, w.port,
           path ? first : "/v1/chat/completions");
  argv[6] = url;
  for (size_t i = 0; options && i < 5 && way[i]; i++)
    argv[7 + i] = expand(way[i], row);
  struct run r = run_argv(&w, true, argv);
  expect_success(&r);
  run_release(&r);
}

static void send_all(void)
{
  char body[200], text[200];
  snprintf(text, sizeof(text), "127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\t%s80\n", marker);
  world_write(&w, "jar", text, strlen(text));
  snprintf(text, sizeof(text), "machine 127.0.0.1 login me password %s81\n", marker);
  world_write(&w, "a-netrc", text, strlen(text));
  snprintf(body, sizeof(body), "{\"secret\":\"%s90\",\"deep\":[{\"token\":\"%s91\"}],\"n\":1}", marker,
           marker);
  for (size_t i = 0; i < WAYS; i++)
    send_one(i, body);
}

static void expect_none_in(const char *text, const char *what)
{
  const char *at = strstr(text, marker), *coded = strstr(text, basic);
  cr_expect_not(at, "%s: ...%.60s", what, at > text + 40 ? at - 40 : text);
  cr_expect_not(coded, "%s: ...%.60s", what, coded > text + 40 ? coded - 40 : text);
}

static void expect_none_in_file(const char *path)
{
  cr_expect_not(file_contains(path, marker), "%s", path);
  cr_expect_not(file_contains(path, basic), "%s", path);
}

/* What a command says, of which something must be there. */
static void expect_none_said(const char *a, const char *b, const char *c, const char *d)
{
  struct run r = run_plain(&w, "idemshim", a, b, c, d, NULL);
  cr_expect_eq(r.status, 0, "%s %s: %s", a, b, r.err);
  cr_expect_gt(r.out_len, 20, "%s %s", a, b);
  expect_none_in(r.out, a);
  expect_none_in(r.err, a);
  run_release(&r);
}

static void show_all(void)
{
  struct run ls = run_shell_plain(
      &w, "for id in $(idemshim ls --json | sed 's/.*\"id\": *\"\\([0-9a-f]*\\)\".*/\\1/;t;d'); do\n"
          "idemshim show $id; idemshim show --json $id; idemshim show --request $id\n"
          "idemshim explain $id; done");
  cr_expect(strstr(ls.out, "[redacted]"), "%s%s", ls.out, ls.err);
  expect_none_in(ls.out, "show");
  expect_none_in(ls.err, "show");
  run_release(&ls);
  expect_none_said("ls", "--json", NULL, NULL);
  expect_none_said("ls", NULL, NULL, NULL);
  expect_none_said("verify", NULL, NULL, NULL);
  expect_none_said("tape", "export", "--har", tape);
  expect_none_said("tape", "ls", "--json", tape);
  expect_none_said("tape", "ls", tape, NULL);
  expect_none_said("tape", "report", tape, NULL);
  expect_none_said("tape", "show", tape, "1");
}

Test(secrets, are_written_nowhere, .timeout = 120)
{
  send_all();
  cr_expect_eq(log_events(&w, "stored"), WAYS - NOBODYS - ODD + 1 - left_out);
  expect_none_in_file(w.store);
  expect_none_in_file(w.log);
  expect_none_in_file(tape);
  cr_expect(file_contains(tape, "[redacted]"), "the search finds what is there");
  cr_expect(file_contains(w.store, "[redacted]"));
  show_all();
}

/* Both are under way, and the stream is in the spool as far as it has come. */
Test(secrets, are_in_no_spool)
{
  char header[64], body[100];
  const char *url = world_url(&w, "/v1/chat/completions?mock=hold%3D1&api_key=");
  snprintf(header, sizeof(header), "Authorization: Bearer %s01", marker);
  snprintf(body, sizeof(body), "{\"stream\":true,\"secret\":\"%s02\"}", marker);
  const char *argv[] = {"curl", "-sSN", "-H",           header, "-u", expand("me:%s", 3),
                        "-d",   body,   expand(url, 4), NULL};
  struct run owner = start_argv(&w, true, argv), follower;
  wait_until((run_look(&owner), owner.out_len) > 0);
  follower = start_argv(&w, true, argv);
  wait_until((run_look(&follower), follower.out_len) > 0);
  cr_expect(file_contains(w.store, "chat.completion.chunk"), "it is there");
  expect_none_in_file(w.store);
  expect_none_in_file(w.log);
  mock_release(&w, 1000);
  run_wait(&owner);
  run_wait(&follower);
  expect_success(&owner);
  expect_success(&follower);
  cr_expect_eq(mock_count(&w).requests, 1);
  expect_none_in_file(tape);
  run_release(&owner);
  run_release(&follower);
}

/* What a server hands out is in the store, for the app gets it again, and in nothing else. */
Test(secrets, that_a_server_sets_are_not_shown)
{
  struct run r =
      run_shim(&w, "curl", "-sSi", "-d", "{}", world_url(&w, "/v1/chat/completions?mock=cookie%3D1"), NULL);
  char *cookie = strcasestr(r.out, "set-cookie: ");
  cr_assert_not_null(cookie, "%s", r.out);
  cr_assert((cookie = strstr(cookie, "ssion=")));
  snprintf(marker, sizeof(marker), "%.*s", MARKER, cookie); /* the value is in other places, too */
  cr_expect(file_contains(w.store, marker));
  expect_none_in_file(w.log);
  expect_none_in_file(tape);
  show_all();
  run_release(&r);
}

/* Looks through what the process can write to. False if nobody may look. */
static bool look_into(pid_t pid, const char *control)
{
  char line[512], path[64];
  bool found = false;
  snprintf(path, sizeof(path), "/proc/%d/maps", pid);
  FILE *maps = fopen(path, "re");
  snprintf(path, sizeof(path), "/proc/%d/mem", pid);
  int memory = open(path, O_RDONLY);
  while (maps && memory >= 0 && fgets(line, sizeof(line), maps)) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || !strstr(line, " rw"))
      continue;
    char *bytes = malloc(to - from);
    ssize_t len = pread(memory, bytes, to - from, (off_t)from);
    if (len > 0) {
      cr_expect_not(memmem(bytes, (size_t)len, marker, MARKER), "%s", line);
      cr_expect_not(memmem(bytes, (size_t)len, basic, sizeof(basic) - 1), "%s", line);
      found |= memmem(bytes, (size_t)len, control, strlen(control)) != NULL;
    }
    free(bytes);
  }
  if (maps)
    fclose(maps);
  if (memory >= 0)
    close(memory);
  cr_expect(found || memory < 0, "the search finds what is there");
  return memory >= 0;
}

/* A core of the command while it writes into a pipe that nobody empties. */
Test(secrets, are_in_no_core_of_the_command, .timeout = 120)
{
  mock_default(&w, "size=8000");
  send_all();
  const char *pipe = world_path(&w, "a-pipe");
  cr_assert_eq(mkfifo(pipe, 0600), 0, "%m");
  int end = open(pipe, O_RDONLY | O_NONBLOCK), size = fcntl(end, F_GETPIPE_SZ), waiting = 0;
  struct run har =
      start_plain(&w, "sh", "-c", "exec idemshim tape export --har \"$0\" > \"$1\"", tape, pipe, NULL);
  wait_until(ioctl(end, FIONREAD, &waiting) == 0 && waiting > size - 4096);
  if (!look_into(har.pid, "chat/completions"))
    cr_log_warn("nobody may look into the memory of another process here");
  run_signal(&har, SIGTERM);
  run_wait(&har);
  close(end);
  run_release(&har);
}
