/* SPDX-License-Identifier: MIT */
#include "cli/tape/faults.h"

#include "cli/command/command.h"
#include "cli/launch/temporary.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "cli/tape/tape.h"
#include "cli/view/rules.h"
#include "config/fault.h"
#include "config/words.h"
#include "store/judge/event_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libcurl's codes, and numbers of its infos. */
enum { PARTIAL_FILE = 18, OPERATION_TIMEDOUT = 28, RECV_ERROR = 56 };
enum {
  RESPONSE_CODE = 2,
  SIZE_DOWNLOAD = 8,
  HEADER_SIZE = 11,
  CONTENT_LENGTH_DOWNLOAD = 15,
  CONTENT_TYPE = 18
};

/* Headers of a request. */
enum { HEADERS_MOST = 256 };

/* What was asked for, how many exchanges it has met, and where the copy goes. */
struct faults {
  struct idem_fault fault[IDEM_FAULTS_MOST];
  size_t count;
  uint64_t made;
  struct tape_writer *writer;
  const struct idem_rule *rule;
};

/* One sentence for each mistake: the forms are few enough to be shown in it. */
static int refuse(const char *word, size_t len)
{
  return cli_fail(
      CLI_USAGE,
      "--fault %.*s: expected a status such as 429, cut@0.5, stall:30s or reset, and @N for exchange N alone",
      (int)len, word);
}

/* A number that the tape does not have is refused: a fault that meets nothing would look like one that was
 * survived. */
static int parse_all(struct faults *faults, const char *text, uint64_t exchanges)
{
  for (size_t len; *text; text += len + (text[len] == ',')) {
    len = strcspn(text, ",");
    struct idem_fault *fault = &faults->fault[faults->count];
    if (faults->count == IDEM_FAULTS_MOST)
      return cli_fail(CLI_USAGE, "--fault: at most %d of them", IDEM_FAULTS_MOST);
    if (idem_fault_parse(text, len, fault) < 0)
      return refuse(text, len);
    if (fault->number > exchanges)
      return cli_fail(CLI_USAGE, "--fault %.*s: the tape has exchanges 1 to %" PRIu64, (int)len, text,
                      exchanges);
    faults->count++;
  }
  return faults->count ? CLI_OK : refuse("", 0);
}

/* Other outcomes. */

/* The first fact of a number is the one that counts. */
static void add_fact(struct event_text *facts, uint16_t number, const void *value, size_t len)
{
  uint16_t head[2] = {number, (uint16_t)len};
  event_text_add(facts, (struct idem_span){(const char *)head, sizeof(head)});
  event_text_add(facts, (struct idem_span){value, len});
}

static void add_number(struct event_text *facts, uint16_t number, int64_t value)
{
  add_fact(facts, number, &value, sizeof(value));
}

/* The answer is one that a client of a model's API can read, and comes whole when the first byte did in the
 * recording. `text` is the caller's, since the outcome points into it: 256 bytes for the body, and as many
 * for the headers. */
static void put_status(const struct idem_fault *fault, struct tape_outcome *outcome, struct event_text *facts,
                       char text[512], struct tape_chunk *chunk)
{
  static const char type[] = "application/json";
  int body = snprintf(
      text, 256, "{\"error\":{\"message\":\"a fault that was asked for\",\"type\":\"fault\",\"code\":%u}}",
      fault->status);
  char *headers = text + 256;
  int head = snprintf(headers, 256, "HTTP/1.1 %u Fault\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
                      fault->status, type, body);
  uint64_t at_us = outcome->first_byte_us > 0 ? (uint64_t)outcome->first_byte_us : 0;
  add_number(facts, RESPONSE_CODE, fault->status);
  add_number(facts, SIZE_DOWNLOAD, body);
  add_number(facts, CONTENT_LENGTH_DOWNLOAD, body);
  add_number(facts, HEADER_SIZE, head);
  add_fact(facts, CONTENT_TYPE, type, sizeof(type));
  *chunk = (struct tape_chunk){.at_us = at_us, .len = (uint64_t)body};
  *outcome = (struct tape_outcome){.status = (uint16_t)fault->status,
                                   .delivered = true,
                                   .first_byte_us = (int64_t)at_us,
                                   .error_text = {"", 0},
                                   .headers = {headers, (size_t)head},
                                   .body = {text, (size_t)body},
                                   .chunks = chunk,
                                   .chunk_count = 1,
                                   .facts = outcome->facts};
}

/* With the pieces that had come by then. An answer without a body breaks off before its first byte. */
static void cut(const struct idem_fault *fault, struct tape_outcome *outcome, struct event_text *facts,
                struct tape_chunk *chunks)
{
  static const char words[] = "transfer closed with outstanding read data remaining";
  /* Rounded down, so it is never the whole body: `part` is less than 1. */
  size_t len = (size_t)((double)outcome->body.len * fault->part), left = len, count = 0;
  for (size_t i = 0; i < outcome->chunk_count && left; i++) {
    chunks[count] = outcome->chunks[i];
    /* The last piece may be cut itself. */
    chunks[count].len = chunks[count].len < left ? chunks[count].len : left;
    left -= chunks[count++].len;
  }
  add_number(facts, SIZE_DOWNLOAD, (int64_t)len);
  outcome->curl_code = PARTIAL_FILE;
  outcome->error_text = (struct idem_span){words, sizeof(words) - 1};
  outcome->body.len = len;
  outcome->body_len = 0;
  outcome->chunks = chunks;
  outcome->chunk_count = count;
  outcome->delivered = false;
}

/* No answer came at all. */
static void lose(struct tape_outcome *outcome, struct event_text *facts, uint32_t curl_code,
                 const char *words)
{
  add_number(facts, RESPONSE_CODE, 0);
  add_number(facts, SIZE_DOWNLOAD, 0);
  *outcome = (struct tape_outcome){.curl_code = curl_code,
                                   .first_byte_us = -1,
                                   .error_text = {words, strlen(words)},
                                   .headers = {"", 0},
                                   .body = {"", 0},
                                   .facts = outcome->facts};
}

/* As from a program whose own timeout is that long: what others would do in between
 * is not known to a tape. */
static void stall(const struct idem_fault *fault, struct tape_outcome *outcome, struct tape_call *call,
                  struct event_text *facts, char text[512])
{
  snprintf(text, 512, "Operation timed out after %" PRIu64 " milliseconds with 0 bytes received",
           fault->stall_ms);
  lose(outcome, facts, OPERATION_TIMEDOUT, text);
  call->duration_us = fault->stall_ms * 1000;
}

/* An exchange as it was, or with its fault; everything that names it stays, so that the program's calls find
 * it. */
static int write_record(struct faults *faults, const struct tape_record *record)
{
  /* What a copy of the process finished in the background, no program saw. */
  const struct idem_fault *fault =
      record->call.what == TAPE_RESCUE ? NULL : idem_fault_find(faults->fault, faults->count, record->number);
  struct tape_outcome outcome = record->outcome;
  struct tape_call call = record->call;
  struct idem_span headers[HEADERS_MOST];
  struct idem_request request = tape_request(record, faults->rule, headers, HEADERS_MOST);
  struct idem_error error = {""};
  struct event_text facts = {0};
  /* One more than it had: an answer that is made has one, also where none came. */
  struct tape_chunk *chunks = calloc(outcome.chunk_count + 1, sizeof(*chunks));
  char text[512];
  if (!chunks)
    return cli_fail(CLI_STORE, "out of memory");
  if (fault) {
    faults->made++;
    if (fault->kind == IDEM_FAULT_STATUS)
      put_status(fault, &outcome, &facts, text, chunks);
    else if (fault->kind == IDEM_FAULT_CUT)
      cut(fault, &outcome, &facts, chunks);
    else if (fault->kind == IDEM_FAULT_RESET)
      lose(&outcome, &facts, RECV_ERROR, "Recv failure: Connection reset by peer");
    else
      stall(fault, &outcome, &call, &facts, text);
    /* Behind ours: what a fault does not speak of, such as addresses and times, stays as it was recorded. */
    event_text_add(&facts, outcome.facts);
    outcome.facts = (struct idem_span){facts.data, facts.len};
  }
  /* It belonged to the writer that made the record. */
  call.repeat = NULL;
  int result = tape_append(faults->writer, &call, &request, &outcome, &error);
  free(chunks);
  free(facts.data);
  return result < 0 ? cli_fail(CLI_STORE, "%s", error.text) : CLI_OK;
}

static int visit(void *arg, const struct tape_record *record)
{
  return write_record(arg, record);
}

/* Nothing is to be redacted again, so any rule will do; what is set for the program is
 * no business of a copy. */
static int copy_tape(struct faults *faults, const struct tape *tape, const char *key_file, const char *dir)
{
  struct idem_config config;
  struct idem_error error = {""};
  struct tape_met met;
  if (cli_built_in_rules(&config, &error) < 0 || tape_meets(tape, &met, &error) < 0)
    return cli_fail(CLI_STORE, "%s", error.text);
  struct tape_options options = {.dir = dir, .key_file = key_file, .rules = {met.rules, strlen(met.rules)}};
  faults->rule = config.rules;
  int code = tape_open_writer(&faults->writer, &options, &error) < 0
                 ? cli_fail(CLI_STORE, "%s", error.text)
                 : cli_tape_each(tape, NULL, true, visit, faults);
  if (faults->writer)
    tape_close_writer(faults->writer);
  tape_met_release(&met);
  idem_config_release(&config);
  return code;
}

int cli_faults_make(const char *text, const struct tape *tape, const char *key_file, char **copy)
{
  struct faults faults = {.count = 0};
  char made[CLI_UNIT_SIZE], all[CLI_UNIT_SIZE], path[PATH_MAX];
  uint64_t exchanges = tape_totals(tape).exchanges;
  int code = parse_all(&faults, text, exchanges);
  *copy = NULL;
  if (code != CLI_OK)
    return code;
  if (!cli_make_temporary(path, "faults", CLI_LARGE_DIRECTORY))
    return cli_fail(CLI_STORE, "%s: %s", path, strerror(errno));
  *copy = strdup(path);
  if (!*copy) {
    rmdir(path);
    return cli_fail(CLI_STORE, "a copy of the tape: %s", strerror(ENOMEM));
  }
  code = copy_tape(&faults, tape, key_file, *copy);
  /* Said before the program starts, and where its own output is not changed by it. */
  if (code == CLI_OK)
    fprintf(stderr, "idemshim: %s of %s %s %s as --fault says\n", cli_count(made, faults.made),
            cli_count(all, exchanges), idem_word(exchanges, "exchange", "exchanges"),
            idem_word(faults.made, "ends", "end"));
  return code;
}
