/* SPDX-License-Identifier: MIT */
/* Goes over the store once, from the newest on, and compares each request for the same URL with the target.
 * What is kept is a copy, for the store's memory is only ours inside of a visit. */
#include "cli/view/nearest.h"

#include "cli/output/output.h"
#include "cli/view/exchange.h"
#include "cli/view/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The spans that name the request. */
static const size_t kept_spans[] = {
    offsetof(struct idem_answer, method),       offsetof(struct idem_answer, origin),
    offsetof(struct idem_answer, path),         offsetof(struct idem_answer, query),
    offsetof(struct idem_answer, scope),        offsetof(struct idem_answer, request_headers),
    offsetof(struct idem_answer, request_body),
};

/* How many spans a kept answer has. */
#define SPAN_COUNT (sizeof(kept_spans) / sizeof(kept_spans[0]))

/* The i-th of the spans that are kept. */
static struct idem_span *span_at(struct idem_answer *answer, size_t i)
{
  return (struct idem_span *)((char *)answer + kept_spans[i]);
}

/* One block for all of them, into which the spans are turned; NULL without memory. */
static char *copy_spans(struct idem_answer *answer)
{
  size_t total = 1, at = 0;
  for (size_t i = 0; i < SPAN_COUNT; i++)
    total += span_at(answer, i)->len;
  char *bytes = malloc(total);
  for (size_t i = 0; bytes && i < SPAN_COUNT; i++) {
    struct idem_span *span = span_at(answer, i);
    if (span->len)
      memcpy(bytes + at, span->data, span->len);
    span->data = bytes + at;
    at += span->len;
  }
  return bytes;
}

/* What is not needed for a comparison is not copied: bodies of answers may be large. */
int cli_keep(struct cli_kept *kept, const struct idem_answer *answer)
{
  struct idem_span nothing = {"", 0};
  struct idem_answer copy = *answer;
  char *bytes = copy_spans(&copy);
  if (!bytes)
    return -ENOMEM;
  /* Those pointed into the store, and would lead nowhere. */
  copy.headers = copy.body = copy.facts = nothing;
  copy.chunks = NULL;
  copy.chunk_count = 0;
  /* Only now: without memory the one of before stays. */
  cli_kept_release(kept);
  *kept = (struct cli_kept){copy, bytes};
  return 0;
}

/* May be called for {0}, and twice. */
void cli_kept_release(struct cli_kept *kept)
{
  free(kept->bytes);
  *kept = (struct cli_kept){0};
}

/* What a visit needs. */
struct search {
  const struct idem_answer *target;
  struct cli_nearest *nearest;
  bool all;
  uint64_t most, bytes; /* answers that are looked at; what those so far have */
};

/* What a visit ends with when the search is over, which is no error; and what two
 * operations are alike at most. */
enum { ENOUGH = 1, ALIKE_MOST = 999 };

/* Another operation at the same place is compared; the same key is the target itself. Of equally near ones
 * the newest, which came first, stays. */
static int visit(void *arg, const struct idem_answer *answer)
{
  struct search *search = arg;
  struct cli_nearest *nearest = search->nearest;
  char what[] = "explain", difference[sizeof(nearest->difference)] = "";
  const struct idem_answer *target = search->target;
  nearest->cut = !search->all && (nearest->looked == CLI_NEAREST_MOST || search->bytes >= CLI_NEAREST_BYTES);
  if (nearest->cut)
    return ENOUGH;
  search->bytes += answer->record.len;
  cli_progress(what, ++nearest->looked, search->most);
  if (memcmp(target->key, answer->key, IDEM_KEY_SIZE) == 0 || !cli_same(target->method, answer->method) ||
      !cli_same(target->origin, answer->origin) || !cli_same(target->path, answer->path))
    return 0;
  /* Where they differ takes longer than how far. */
  int alike = idem_store_compare(target, answer, NULL, 0);
  if (alike <= nearest->alike)
    return 0;
  nearest->alike = idem_store_compare(target, answer, difference, sizeof(difference));
  memcpy(nearest->difference, difference, sizeof(difference));
  int result = cli_keep(&nearest->kept, answer);
  return result == 0 && alike >= ALIKE_MOST ? ENOUGH : result;
}

/* The number of answers is asked first, for the progress. Comparing reads both bodies as JSON, so only those
 * of the same method, origin and path are compared; how alike two are is the store's judgement, in
 * thousandths. */
int cli_nearest_find(struct idem_store *store, const struct idem_answer *target, bool all,
                     struct cli_nearest *nearest, struct idem_error *error)
{
  struct idem_stats stats = {0};
  *nearest = (struct cli_nearest){.alike = -1};
  int result = idem_store_stats(store, &stats, error);
  if (result < 0)
    return result;
  nearest->answers = stats.answers;
  struct search search = {.target = target,
                          .nearest = nearest,
                          .all = all,
                          .most = all || stats.answers < CLI_NEAREST_MOST ? stats.answers : CLI_NEAREST_MOST};
  result = idem_store_each(store, IDEM_NEWEST_FIRST, visit, &search, error);
  cli_progress_end();
  return result < 0 ? result : 0;
}

/* Advice. */

/* What can be done about one kind of difference. */
struct advice {
  const char *kind, *text;
  bool names_it;
};

/* By the first word of a difference as the store tells it. With `names_it`, the word that follows (a
 * header's name, a JSON pointer) is put behind the text. */
static const struct advice table[] = {
    {"tenant", "two API keys never share an answer; use one for both", false},
    {"scope", "IDEMSHIM_SCOPE differs; use one if they are one set of operations", false},
    {"query", "all of the query counts; keep out of it what changes with each call", false},
    {"body", "what is no JSON has to be equal byte for byte, or named by key=header", false},
    {"idempotency", "send one key with a call and its retries, or put churn=join into the rule", false},
    {"sequence", "the rule takes the same call for a new sample; repeats=replay does not", false},
    {"header", "if it does not change the answer, put into the rule: vary=*,-", true},
    {"JSON", "if it does not change the answer, put into the rule: ignore=", true},
};

/* Never advises to ignore what decides the answer. */
static const struct advice no_advice = {
    .text = "this decides what the answer is, so these are two operations; nothing can or should be done",
};

/* For differences that a newer store may tell of. */
static const struct advice unknown = {
    .text = "the rules of the two calls may differ; idemshim check METHOD URL shows the one in force",
};

/* Members that decide what the answer is. To ignore one of them would give wrong answers. */
static const char deciding_members[] =
    " /messages /input /contents /prompt /message /inputs /system /instructions /systemInstruction"
    " /system_instruction /model /tools /texts /documents /stream /response_format /n /query ";

/* By its first member: /messages/0/content is part of /messages, and "/" is the whole body. */
static bool decides(const char *pointer, size_t len)
{
  char member[64];
  size_t first = 1 + strcspn(pointer + 1, "/ ");
  snprintf(member, sizeof(member), " %.*s ", (int)(first < len ? first : len), pointer);
  return len <= 1 || strstr(deciding_members, member);
}

static const struct advice *find_advice(const char *kind, size_t len)
{
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
    if (strlen(table[i].kind) == len && strncmp(table[i].kind, kind, len) == 0)
      return &table[i];
  return &unknown;
}

/* By the first word of the difference; the second one is what it is about. */
void cli_advice(const char *difference, char *out, size_t size)
{
  size_t len = strcspn(difference, " ");
  const char *subject = difference + len + strspn(difference + len, " ");
  size_t subject_len = strcspn(subject, " ");
  const struct advice *advice = find_advice(difference, len);
  if (*subject == '/' && advice->names_it && decides(subject, subject_len))
    advice = &no_advice;
  snprintf(out, size, "%s%.*s", advice->text, advice->names_it ? (int)subject_len : 0, subject);
}

static bool has_word(const struct idem_words *words, const char *minus, const char *subject, size_t len)
{
  size_t skip = strlen(minus);
  for (size_t i = 0; i < words->count; i++)
    if (strlen(words->word[i]) == skip + len && strncmp(words->word[i], minus, skip) == 0 &&
        strncasecmp(words->word[i] + skip, subject, len) == 0)
      return true;
  return false;
}

/* The rule's text has the field once more, behind what it says there by now. */
bool cli_mend(const struct idem_rule *rule, const char *difference, char *out, size_t size)
{
  size_t len = strcspn(difference, " ");
  const char *subject = difference + len + strspn(difference + len, " ");
  size_t subject_len = strcspn(subject, " ");
  bool header = len == 6 && strncmp(difference, "header", len) == 0;
  bool json = len == 4 && strncmp(difference, "JSON", len) == 0 && !decides(subject, subject_len);
  const char *field = header ? "vary" : "ignore", *minus = header ? "-" : "";
  char value[CLI_VALUE_SIZE], *text = cli_rule_text(rule);
  *out = '\0';
  if ((header && has_word(&rule->keying.vary, "-", subject, subject_len)) ||
      (json && has_word(&rule->keying.ignore, "", subject, subject_len))) {
    free(text);
    return false;
  }
  if ((header || json) && text) {
    bool set = cli_rule_value(rule, field, value);
    char *at = set ? strstr(text, header ? " vary=" : " ignore=") : NULL;
    char *end = at ? strchr(at, '=') + 1 + strlen(value) : text + strlen(text);
    snprintf(out, size, "%.*s%s%s%s%s%.*s%s", (int)(end - text), text, at ? "," : " ", at ? "" : field,
             at       ? ""
             : header ? "=*,"
                      : "=",
             minus, (int)subject_len, subject, end);
  }
  free(text);
  return true;
}
