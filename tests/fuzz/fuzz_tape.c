/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a tape: what is read stays inside them, and whatever was made harmless stays so. The first
 * byte says what the others are: a segment behind its head; changes to a sound tape (place, place, byte); the
 * insides of a record whose sums hold, so that the lengths in it are reached; or a text that is named, looked
 * into and masked.
 */
#include "tape/mask.h"
#include "tape/reader.h"
#include "tape/redact.h"

#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SOUND_MOST = 1 << 16 };

static char dir[64], path[96];
static char sound[SOUND_MOST];
static size_t sound_size;
static struct idem_config config;
static volatile unsigned sum;

static char *get_rule(const char *name)
{
  static char rule[] = "host=* ignore=/a,/b/0 redact=/c", home[] = "/nonexistent", none[] = "none";
  return !strcmp(name, "IDEMSHIM_RULES")    ? rule
         : !strcmp(name, "HOME")            ? home
         : !strcmp(name, "IDEMSHIM_CONFIG") ? none
                                            : NULL;
}

static void require(bool holds)
{
  if (!holds)
    abort();
}

static void clean_up(void)
{
  unlink(path);
  rmdir(dir);
}

/* A sound tape of two exchanges. */

static void record_two(struct tape_writer *writer)
{
  static const struct tape_chunk chunks[] = {{1, 2}, {2, 2}};
  struct idem_span header = {"Content-Type: application/json", 30};
  struct idem_request request = {.rule = config.rules,
                                 .method = {"POST", 4},
                                 .origin = {"https://a:443", 13},
                                 .path = {"/v1", 3},
                                 .headers = &header,
                                 .header_count = 1,
                                 .body = {"{\"a\":1,\"c\":2}", 13}};
  struct tape_outcome outcome = {.status = 200, .body = {"body", 4}, .chunks = chunks, .chunk_count = 2};
  for (int i = 0; i < 2; i++) {
    struct tape_call call = tape_begin(writer);
    tape_name(&request, &call);
    require(tape_append(writer, &call, &request, &outcome, NULL) == 0);
  }
}

static void make_sound(void)
{
  struct tape_writer *writer;
  snprintf(dir, sizeof(dir), "/tmp/idemshim-fuzz.XXXXXX");
  require(mkdtemp(dir) && idem_config_load(&config, get_rule, NULL) == 0);
  snprintf(path, sizeof(path), "%s/00000001.tape", dir);
  require(tape_open_writer(&writer, &(struct tape_options){.dir = dir}, NULL) == 0);
  record_two(writer);
  tape_close_writer(writer);
  FILE *file = fopen(path, "r");
  sound_size = fread(sound, 1, sizeof(sound), file);
  fclose(file);
  atexit(clean_up);
}

/* Reading. */

static void read_all(struct idem_span span)
{
  for (size_t i = 0; i < span.len; i++)
    sum += (unsigned char)span.data[i];
}

static void read_record(const struct tape_record *record)
{
  const struct tape_outcome *outcome = &record->outcome;
  const struct idem_span spans[] = {record->method,      record->origin,         record->path,
                                    record->query,       record->request_body,   record->shape,
                                    outcome->body,       outcome->headers,       outcome->facts,
                                    outcome->error_text, record->request_headers};
  uint64_t chunks = 0, number;
  struct idem_span text;
  for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++)
    read_all(spans[i]);
  for (size_t i = 0; i < outcome->chunk_count; i++)
    chunks += outcome->chunks[i].len;
  require(!outcome->chunk_count || chunks == outcome->body.len);
  require(record->call.what < TAPE_WHATS && record->call.id[IDEM_ID_SIZE - 1] == '\0');
  for (unsigned i = 0; i < 80; i++)
    if (tape_fact_text(outcome, i, &text) || tape_fact_number(outcome, i, (int64_t *)&number))
      sum++;
}

static void match_first(const struct tape *tape, const struct tape_record *record)
{
  struct tape_matcher *matcher;
  struct tape_match match;
  struct idem_span headers[16];
  struct tape_call call = record->call;
  struct idem_request request = tape_request(record, config.rules, headers, 16);
  require(tape_open_matcher(&matcher, tape, &(struct tape_matching){.loose = true}, NULL) == 0);
  tape_match(matcher, &request, &call, &match);
  call.key[0] ^= 1, call.fingerprint[0] ^= 1;
  tape_match(matcher, &request, &call, &match);
  require(memchr(match.note, '\0', sizeof(match.note)));
  tape_close_matcher(matcher);
}

static void read_tape(const void *bytes, size_t size)
{
  struct tape *tape;
  struct tape_totals totals;
  struct tape_record record = {0};
  struct tape_source source = {.dir = dir};
  FILE *file = fopen(path, "w");
  fwrite(bytes, 1, size, file);
  fclose(file);
  tape_verify(&source, &totals, NULL, NULL);
  if (tape_open(&tape, &source, NULL) < 0)
    return;
  for (uint64_t number = 1; number <= tape_totals(tape).exchanges; number++)
    if (tape_read(tape, number, &record, NULL) == 0)
      read_record(&record);
  if (tape_totals(tape).exchanges && tape_read(tape, 1, &record, NULL) == 0)
    match_first(tape, &record);
  tape_record_release(&record);
  tape_close(tape);
}

/* The ways to make one. */

static char segment[2 * SOUND_MOST];

static void read_behind_head(const uint8_t *data, size_t size)
{
  size = size < SOUND_MOST ? size : SOUND_MOST;
  memcpy(segment, sound, sizeof(struct tape_head));
  memcpy(segment + sizeof(struct tape_head), data, size);
  read_tape(segment, sizeof(struct tape_head) + size);
}

static void read_changed(const uint8_t *data, size_t size)
{
  memcpy(segment, sound, sound_size);
  for (size_t i = 0; i + 2 < size; i += 3)
    segment[(data[i] | (size_t)data[i + 1] << 8) % sound_size] = (char)data[i + 2];
  read_tape(segment, sound_size);
}

static void read_with_sums(const uint8_t *data, size_t size)
{
  struct tape_head head;
  size = size < SOUND_MOST ? size : SOUND_MOST;
  memcpy(&head, sound, sizeof(head));
  memcpy(segment, sound, sizeof(head));
  char *summary = segment + sizeof(head) + sizeof(struct tape_frame);
  size_t part = size < sizeof(struct tape_summary) ? size : sizeof(struct tape_summary) + size % 8;
  part = part < size ? part : size;
  memcpy(summary, data, size);
  struct tape_frame frame = {.magic = TAPE_FRAME_MAGIC,
                             .summary_len = (uint32_t)part,
                             .content_len = (uint32_t)(size - part),
                             .summary_sum = tape_sum(&head, summary, part),
                             .content_sum = tape_sum(&head, summary + part, size - part)};
  frame.sum = tape_sum(&head, &frame, offsetof(struct tape_frame, sum));
  memcpy(segment + sizeof(head), &frame, sizeof(frame));
  read_tape(segment, sizeof(head) + sizeof(frame) + size);
}

static void look_into(const uint8_t *data, size_t size)
{
  struct idem_span text = {(const char *)data, size};
  struct buffer out = {0};
  tape_mask(&out, text);
  tape_redact_body(&out, config.rules, text);
  tape_redact_query(&out, text);
  size_t from = out.len;
  buffer_span(&out, text);
  if (out.data)
    tape_redact_response(out.data + from, size);
  require(out.len == from + size);
  free(out.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static void (*const ways[])(const uint8_t *, size_t) = {read_behind_head, read_changed, read_with_sums,
                                                          look_into};
  if (!sound_size)
    make_sound();
  if (size)
    ways[data[0] % 4](data + 1, size - 1);
  return 0;
}
