/* SPDX-License-Identifier: MIT */
#include "cli/view/advice.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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
    {"header", "if it does not change the answer, leave it out of vary= in the rule: ", true},
    {"JSON", "if it does not change the answer, put into the rule: ignore=", true},
};

static const struct advice no_advice = {
    .text = "this decides what the answer is, so these are two operations; nothing can or should be done",
};

static const struct advice unknown = {
    .text = "the rules of the two calls may differ; idemshim check METHOD URL shows the one in force",
};

/* Members that decide what the answer is. To ignore one of them would give wrong answers. */
static const char *const deciding_members[] = {
    "/messages",
    "/input",
    "/contents",
    "/prompt",
    "/message",
    "/inputs",
    "/system",
    "/instructions",
    "/systemInstruction",
    "/system_instruction",
    "/model",
    "/tools",
    "/texts",
    "/documents",
    "/stream",
    "/response_format",
    "/n",
    "/query",
};

static bool decides(const char *pointer, size_t len)
{
  size_t first = 1 + strcspn(pointer + 1, "/ ");
  for (size_t i = 0; i < sizeof(deciding_members) / sizeof(deciding_members[0]); i++)
    if (strlen(deciding_members[i]) == (first < len ? first : len) &&
        strncmp(pointer, deciding_members[i], first) == 0)
      return true;
  return len <= 1; /* the whole body */
}

static const struct advice *find(const char *kind, size_t len)
{
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
    if (strlen(table[i].kind) == len && strncmp(table[i].kind, kind, len) == 0)
      return &table[i];
  return &unknown;
}

void cli_advice(const char *difference, char *out, size_t size)
{
  size_t len = strcspn(difference, " ");
  const char *subject = difference + len + strspn(difference + len, " ");
  size_t subject_len = strcspn(subject, " ");
  const struct advice *advice = find(difference, len);
  if (*subject == '/' && advice->names_it && decides(subject, subject_len))
    advice = &no_advice;
  snprintf(out, size, "%s%.*s", advice->text, advice->names_it ? (int)subject_len : 0, subject);
}
