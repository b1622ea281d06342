/* SPDX-License-Identifier: MIT */
/*
 * A writer: the directory, the tape's identity, its limits and its key. It has no descriptor and no lock, so
 * a child after fork() goes on with it, and an app that closes what it does not know does no harm.
 *
 * One record, one write(). The kernel keeps an append whole among appends of others on every local file
 * system, so there is no lock, no descriptor that stays open, and nothing to mend after fork(). What is
 * written was composed, redacted and sealed in memory before; if anything fails, the tape has nothing of it,
 * and the app's call is not touched.
 */
#include "tape/writer.h"

#include "config/kernel.h"
#include "config/words.h"
#include "store/base/clock.h"
#include "store/base/process.h"
#include "store/judge/judge.h"
#include "store/key/key.h"
#include "store/key/sampled.h"
#include "store/records/record.h"
#include "tape/record.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* A tape of up to 512 MiB has about eight segments, so that deleting one loses an eighth of it. A larger
 * one, as the default of 1 GiB is, and one without a limit have segments of SEGMENT_MOST. Where exchanges
 * are to go after some time, a segment spans a quarter of that. */
enum { SEGMENTS = 8, AGES = 4 };
#define SIZE_LEAST   ((uint64_t)1 << 20)
#define SEGMENT_MOST ((uint64_t)64 << 20)

/* Draws a new tape's identity: its id, its salt and the check of its key. */
static int make_head(struct tape_writer *writer, const uint8_t *master, struct idem_error *error)
{
  struct tape_head *head = &writer->head;
  *head = (struct tape_head){.flags = master ? TAPE_ENCRYPTED : 0};
  if (getrandom(head->id, sizeof(head->id), 0) != sizeof(head->id) ||
      getrandom(head->salt, sizeof(head->salt), 0) != sizeof(head->salt))
    return idem_error_set(error, -EIO, "no random numbers: %s", strerror(errno));
  tape_head_finish(head);
  struct idem_span salt = {(const char *)head->salt, sizeof(head->salt)};
  if (master && seal_derive(master, salt, writer->key, head->key_check) < 0)
    return idem_error_set(error, -ENOMEM, "%s: no memory for its key", writer->dir);
  return 0;
}

static int finish(const struct tape_writer *writer, struct buffer *buffer, const struct tape_layout *layout,
                  uint32_t rules);
static int append(struct tape_writer *writer, const struct buffer *buffer, struct idem_error *error);

/* The record of the rules, made once: it is the same in each segment. Its number is never 0, which stands
 * in the frame of an exchange. Rules that are too long are left out; a replay then goes by its own. */
static int compose_rules(struct tape_writer *writer, struct idem_span rules, struct idem_error *error)
{
  static const struct idem_rule none;
  struct tape_layout layout;
  struct tape_call call = {.what = TAPE_RULES};
  struct idem_request request = {.rule = &none};
  struct tape_outcome outcome = {.first_byte_us = -1, .body = rules};
  writer->rules.len = 0;
  if (!rules.len || rules.len > TAPE_RULES_MOST)
    return 0;
  writer->rules_number = (uint32_t)tape_sum(&writer->head, rules.data, rules.len) | 1;
  int rc = tape_record_compose(&writer->rules, &call, &request, &outcome, &layout);
  if (rc == 0)
    rc = finish(writer, &writer->rules, &layout, writer->rules_number);
  return rc < 0 ? path_fail(error, rc, writer->dir) : 0;
}

/* Two processes may begin the same tape: what counts is the head of the segment that one of them made. Whose
 * rules are not those that the segment begins with writes its own behind what is there. */
static int find_tape(struct tape_writer *writer, const uint8_t *master, struct idem_span rules,
                     struct idem_error *error)
{
  uint64_t size;
  int rc = tape_segment_adopt(writer, master, error);
  if (rc == -ENOENT) {
    rc = make_head(writer, master, error);
    if (rc == 0)
      rc = compose_rules(writer, rules, error);
    int fd = rc < 0 ? rc : tape_segment_open(writer, &size, error);
    rc = fd == -ESTALE ? tape_segment_adopt(writer, master, error) : fd;
    if (fd >= 0)
      close(fd);
  }
  if (rc >= 0)
    rc = compose_rules(writer, rules, error);
  if (rc >= 0 && writer->rules.len && !tape_segment_has_rules(writer))
    rc = append(writer, &writer->rules, error);
  return rc < 0 ? rc : 0;
}

/* Segments are an eighth of the whole, so that deleting the oldest frees about as much. */
static void set_limits(struct tape_writer *writer, const struct tape_options *options)
{
  uint64_t size = options->max_size && options->max_size < SIZE_LEAST ? SIZE_LEAST : options->max_size;
  bool ages = options->max_age_ms && options->max_age_ms < INT64_MAX / 1000;
  writer->max_size = size;
  writer->segment_size = size && size / SEGMENTS < SEGMENT_MOST ? size / SEGMENTS : SEGMENT_MOST;
  writer->max_age_us = ages ? (int64_t)options->max_age_ms * 1000 : 0;
  writer->segment_age_us = writer->max_age_us / AGES;
}

/* On failure everything is released, by the same function that closes a writer. The key file is read and
 * forgotten: what stays is the key that was derived from it. */
static int open_writer(struct tape_writer **out, const struct tape_options *options, struct idem_error *error)
{
  struct tape_writer *writer = seal_room(sizeof(*writer));
  char *dir = strdup(options->dir);
  if (!writer || !dir) {
    seal_room_free(writer, sizeof(*writer));
    free(dir);
    return idem_error_set(error, -ENOMEM, "%s: no memory to open the tape", options->dir);
  }
  writer->dir = dir;
  set_limits(writer, options);
  struct stat stat;
  uint8_t master[SEAL_KEY_SIZE];
  /* A key that is refused leaves no directory behind. */
  int rc = options->key_file ? seal_read_key(options->key_file, master, error) : 0;
  if (rc == 0)
    rc = path_make_dir(dir, error);
  if (rc == 0)
    rc = path_check_dir(dir, &stat, error);
  if (rc == 0)
    rc = find_tape(writer, options->key_file ? master : NULL, options->rules, error);
  OPENSSL_cleanse(master, sizeof(master));
  if (rc == 0)
    *out = writer;
  else
    tape_close_writer(writer);
  return rc;
}

/* Makes the directory and the first segment where there is no tape yet. */
int tape_open_writer(struct tape_writer **out, const struct tape_options *options, struct idem_error *error)
{
  struct quiet quiet = quiet_begin();
  *out = NULL;
  int rc = process_register_fork();
  rc = rc < 0 ? path_fail(error, rc, options->dir) : open_writer(out, options, error);
  quiet_end(&quiet);
  return rc;
}

/* The key is overwritten first. NULL is fine. */
void tape_close_writer(struct tape_writer *writer)
{
  if (!writer)
    return;
  repeats_release(&writer->repeats);
  free(writer->rules.data);
  free(writer->dir);
  seal_room_free(writer, sizeof(*writer));
}

/* Numbers. */

/* As the store would number it (store/call/end.c). */
void tape_number(struct tape_writer *writer, const struct idem_request *request, struct tape_call *call)
{
  struct quiet quiet = quiet_begin();
  enum idem_repeats repeats = request->rule->repeats;
  bool by_content = memcmp(call->key, call->fingerprint, IDEM_KEY_SIZE) == 0;
  if (sampled_is_numbered(repeats, repeats == IDEM_REPEATS_AUTO && by_content && sampled_is(request))) {
    struct repeats_number number = repeats_take(&writer->repeats, call->key);
    call->repeat = number.of;
    call->number = number.is;
  }
  quiet_end(&quiet);
}

/* Whether it is an answer, for its number and for people; of what did not go well libcurl has told already.
 * What cannot be told to be an answer may be one, and takes up its number all the same. */
static void judge(const struct tape_call *call, const struct idem_request *request,
                  struct tape_outcome *outcome, struct idem_error *why)
{
  struct idem_recording recording = {.status = outcome->status,
                                     .headers = outcome->headers,
                                     .body = outcome->body,
                                     .encoded = outcome->encoded,
                                     .framed = true};
  struct answer_facts facts = {.unproven = false};
  bool told = (call->what == TAPE_LIVE || call->what == TAPE_RESCUE) &&
              idem_rule_accepts(request->rule, outcome->status);
  bool judged = outcome->curl_code == 0 && (call->repeat || told), accepted = false;
  if (judged && outcome->body_len > outcome->body.len)
    facts.unproven =
        idem_error_set(why, 1, "the answer is larger than max_body=, and only its first %zu %s on the tape",
                       outcome->body.len, idem_word(outcome->body.len, "byte is", "bytes are"));
  else if (judged)
    accepted = judge_answer(request, &recording, &facts, why);
  if (call->repeat)
    repeats_settle(call->repeat, call->number, accepted || facts.unproven, request->rule->ttl_ms);
  outcome->no_answer = judged && told && !accepted;
  if (outcome->no_answer)
    outcome->error_text = (struct idem_span){why->text, strlen(why->text)};
}

/* Attempts of one operation have its name and its number, which is what a store makes an id of. */
static struct tape_call named(const struct tape_call *call)
{
  struct tape_call copy = *call;
  uint8_t key[IDEM_KEY_SIZE];
  if (!*copy.id) {
    key_of_repeat(call->key, call->number, key);
    record_id(key, copy.id);
  }
  return copy;
}

/* Appending. */

/* Seals both parts, each with its tag behind it, where compose has left room. The last bit of a nonce is 0
 * for a summary and 1 for a content, so that these two never share one. */
static int seal_parts(const struct tape_writer *writer, struct tape_frame *frame, uint8_t *summary,
                      uint8_t *content, const struct tape_layout *layout)
{
  char bound[TAPE_HEAD_BOUND + TAPE_FRAME_BOUND];
  uint8_t nonce[TAPE_NONCE_SIZE];
  if (getrandom(frame->nonce, sizeof(frame->nonce), 0) != sizeof(frame->nonce))
    return -EIO;
  frame->nonce[TAPE_NONCE_SIZE - 1] &= 0xfe;
  struct idem_span with = tape_bound(&writer->head, frame, bound);
  tape_content_nonce(frame, nonce);
  int rc = seal_encrypt(writer->key, frame->nonce, with, summary, layout->summary_len);
  return rc < 0 ? rc : seal_encrypt(writer->key, nonce, with, content, layout->content_len);
}

/* Turns what was composed into what stands in the file. */
static int finish(const struct tape_writer *writer, struct buffer *buffer, const struct tape_layout *layout,
                  uint32_t rules)
{
  bool sealed = writer->head.flags & TAPE_ENCRYPTED;
  size_t tag = sealed ? TAPE_TAG_SIZE : 0;
  struct tape_frame frame = {.magic = TAPE_FRAME_MAGIC,
                             .summary_len = (uint32_t)(layout->summary_len + tag),
                             .content_len = (uint32_t)(layout->content_len + tag),
                             .rules = rules};
  uint8_t *summary = (uint8_t *)buffer->data + layout->summary,
          *content = (uint8_t *)buffer->data + layout->content;
  if (!sealed)
    content = memmove(summary + frame.summary_len, content, layout->content_len);
  int rc = sealed ? seal_parts(writer, &frame, summary, content, layout) : 0;
  frame.summary_sum = tape_sum(&writer->head, summary, frame.summary_len);
  frame.content_sum = tape_sum(&writer->head, content, frame.content_len);
  frame.sum = tape_sum(&writer->head, &frame, offsetof(struct tape_frame, sum));
  memcpy(buffer->data, &frame, sizeof(frame));
  buffer->len = sizeof(frame) + frame.summary_len + frame.content_len;
  return rc;
}

/* The segment is opened for this record alone, and closed again. One write: appends of others come before it
 * or after it, never into it. */
static int append(struct tape_writer *writer, const struct buffer *buffer, struct idem_error *error)
{
  uint64_t size;
  int fd = tape_segment_open(writer, &size, error), rc = 0;
  if (fd < 0)
    return fd;
  if (!idem_file_may_have(size + buffer->len))
    rc = -EFBIG;
  ssize_t len = 0;
  while (rc == 0 && (len = write(fd, buffer->data, buffer->len)) < 0 && errno == EINTR)
    continue;
  if (rc == 0 && len != (ssize_t)buffer->len)
    rc = len < 0 ? -errno : -ENOSPC;
  close(fd);
  return rc < 0 ? path_fail(error, rc, writer->dir) : 0;
}

/* Called when a call is over, in the app's thread: no signal, no cancellation point, errno as it
 * was. */
int tape_append(struct tape_writer *writer, const struct tape_call *call, const struct idem_request *request,
                const struct tape_outcome *outcome, struct idem_error *error)
{
  struct quiet quiet = quiet_begin();
  struct buffer buffer = {0};
  struct tape_layout layout;
  struct tape_call copy = named(call);
  struct tape_outcome judged = *outcome;
  struct idem_error why = {""};
  judge(call, request, &judged, &why);
  int rc = copy.unnamed ? -ENOMEM : tape_record_compose(&buffer, &copy, request, &judged, &layout);
  bool is_larger = rc == -EFBIG;
  if (rc == 0)
    rc = finish(writer, &buffer, &layout, 0);
  if (is_larger)
    idem_error_set(error, rc, "a body or header is larger than the %d MiB that a tape keeps of one",
                   (int)(TAPE_RECORD_MOST / 4 >> 20));
  else
    rc = rc < 0 ? path_fail(error, rc, writer->dir) : append(writer, &buffer, error);
  free(buffer.data);
  quiet_end(&quiet);
  return rc;
}
