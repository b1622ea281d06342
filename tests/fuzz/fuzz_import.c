/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what a browser has saved. If the first byte is odd, the rest is the file; else it says how an
 * archive is made: each byte is a kind of value, with bytes behind it. What is imported is written as HAR and
 * as OTLP again, which must be JSON, and the HAR imported once more, with as many exchanges.
 */
#include "cli/tape/export.h"
#include "cli/tape/tape.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/idemshim-fuzz.XXXXXX", tape_dir[sizeof(dir) + 8], segment[sizeof(tape_dir) + 16];
static const uint8_t *at;
static size_t left;

static void require(bool holds)
{
  if (!holds)
    abort();
}

static void clean_up(void)
{
  unlink(segment);
  rmdir(tape_dir);
}

static void clean_up_all(void)
{
  clean_up();
  rmdir(dir);
}

/* What the command says is nobody's here. The fuzzer's own words go where they went. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc, (void)argv;
  require(mkdtemp(dir) != NULL);
  snprintf(tape_dir, sizeof(tape_dir), "%s/tape", dir);
  snprintf(segment, sizeof(segment), "%s/00000001.tape", tape_dir);
  atexit(clean_up_all);
  stdout = fopen("/dev/null", "w");
  stderr = fopen("/dev/null", "w");
  require(stdout && stderr);
  setenv("IDEMSHIM_CONFIG", "none", 1);
  setenv("IDEMSHIM_RULES", "host=* method=*", 1);
  return 0;
}

/* An archive from bytes. */

static uint8_t byte(void)
{
  return left ? left--, *at++ : 0;
}

static json_t *text(void)
{
  size_t len = byte() & 31;
  len = len < left ? len : left;
  json_t *made = json_stringn_nocheck((const char *)at, len);
  at += len, left -= len;
  return made;
}

/* One of the words that are meant there, or anything. */
static json_t *word(const char *const *words, size_t count)
{
  uint8_t kind = byte();
  if (kind % 8 < 5)
    return json_string(words[kind / 8 % count]);
  return kind % 8 == 5 ? text() : kind % 8 == 6 ? json_integer((int)kind * 1000 - 300) : json_null();
}
#define WORD(...)                                                                                            \
  word((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static json_t *number(void)
{
  uint8_t kind = byte();
  static const double numbers[] = {0, 1, 12.5, -1, 1e18, 1e300, 200, 404, 503, 65536};
  return kind % 8 == 7 ? text() : json_real(numbers[kind % (sizeof(numbers) / sizeof(*numbers))]);
}

static json_t *headers(void)
{
  json_t *list = json_array();
  for (int i = byte() & 3; i > 0; i--)
    json_array_append_new(
        list, json_pack("{s:o,s:o}", "name",
                        WORD("Content-Type", "Authorization", "Set-Cookie", "Host", "X-A", ":path", ""),
                        "value", WORD("application/json", "Bearer x", "a=b; Secure", "", "a\r\nb: c")));
  return list;
}

static json_t *entry(void)
{
  json_t *request =
      json_pack("{s:o,s:o,s:o,s:{s:o}}", "method", WORD("POST", "GET", ""), "url",
                WORD("https://a.example/v1?key=x#f", "http://[::1]:80/", "https://u:p@b/", "x", ""),
                "headers", headers(), "postData", "text", WORD("{\"model\":\"m\"}", "", "a=b"));
  json_t *response =
      json_pack("{s:o,s:o,s:o,s:o,s:{s:o,s:o,s:o}}", "status", number(), "statusText",
                WORD("OK", "", "OK\r\na: b"), "httpVersion", WORD("HTTP/1.1", "h2", "HTTP/3", ""), "headers",
                headers(), "content", "text", WORD("{\"ok\":true}", "eyJhIjoxfQ==", "data: {}\n\n", ""),
                "encoding", WORD("base64", ""), "mimeType", WORD("application/json", "text/event-stream"));
  json_t *message = json_pack("{s:o,s:o,s:o,s:o}", "time", number(), "eventName", WORD("message", "delta"),
                              "eventId", WORD("", "1"), "data", WORD("{}", "a\nb", ""));
  return json_pack("{s:o,s:o,s:o,s:o,s:{s:o,s:o,s:o},s:o,s:[o]}", "startedDateTime",
                   WORD("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05+14:00", "1969-12-31T23:59:59Z",
                        "9999-99-99T99:99:99Z"),
                   "time", number(), "request", request, "response", response, "timings", "send", number(),
                   "wait", number(), "receive", number(), "_error",
                   WORD("net::ERR_TIMED_OUT", "28", "NO_ANSWER"), "_eventSourceMessages", message);
}

/* Returns a text to be freed, or NULL where bytes are no UTF-8. */
static char *make_archive(void)
{
  json_t *entries = json_array();
  while (left && json_array_size(entries) < 6)
    json_array_append_new(entries, entry());
  json_t *document = json_pack("{s:{s:o}}", "log", "entries", entries);
  char *archive = json_dumps(document, 0);
  json_decref(document);
  return archive;
}

/* Through the command, and back. */

static int import(const char *archive, size_t len)
{
  char path[32], *operands[] = {path, NULL};
  int file = memfd_create("archive", MFD_CLOEXEC);
  require(file >= 0 && write(file, archive, len) == (ssize_t)len);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
  const struct cli_options options = {.tape = tape_dir};
  int code = cli_tape_import.run(&options, 1, operands);
  close(file);
  return code;
}

static void require_json(const char *text, size_t len)
{
  json_t *document = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
  require(document != NULL);
  json_decref(document);
}

/* The text of one format, to be freed. */
static char *export(const struct tape *tape, int (*put)(const struct tape *tape, FILE *out), size_t *len)
{
  char *text = NULL;
  FILE *out = open_memstream(&text, len);
  require(out && put(tape, out) == CLI_OK && fclose(out) == 0);
  require_json(text, *len);
  return text;
}

static uint64_t exchanges(struct tape **tape)
{
  require(tape_open(tape, &(struct tape_source){.dir = tape_dir}, NULL) == 0);
  return tape_totals(*tape).exchanges;
}

static void import_again(void)
{
  struct tape *tape;
  uint64_t count = exchanges(&tape);
  size_t len;
  free(export(tape, cli_write_otlp, &len));
  char *archive = export(tape, cli_write_har, &len);
  tape_close(tape);
  clean_up();
  require(import(archive, len) == CLI_OK && exchanges(&tape) == count);
  tape_close(tape);
  free(archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!size)
    return 0;
  at = data + 1, left = size - 1;
  char *archive = data[0] & 1 ? NULL : make_archive();
  if (!archive && !(data[0] & 1))
    return 0;
  int code = archive ? import(archive, strlen(archive)) : import((const char *)at, left);
  require(code == CLI_OK || code == CLI_NO || code == CLI_USAGE);
  if (code == CLI_OK)
    import_again();
  clean_up();
  free(archive);
  return 0;
}
