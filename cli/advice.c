/* SPDX-License-Identifier: MIT */
#include "cli/advice.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* By the first word of a difference as the store tells it. Where there is an `after`, the word that follows
 * (a header's name, a JSON pointer) stands between the two. */
static const struct advice {
  const char *kind, *before, *after;
} table[] = {
    {.kind = "tenant",
     .before =
         "the calls were made with different credentials, which never share an answer; use one API key"                                                                                         },
    {.kind = "scope",
     .before = "IDEMSHIM_SCOPE differs; use one scope for both if they are one set of operations"                                                                                               },
    {.kind = "query",                                                                                         .before = "keep out of the query what changes from call to call: all of it counts"},
    {.kind = "header",
     .before = "if ",
     .after = " does not change the answer, give the rule a vary= list without it"},
    {.kind = "JSON",                                                                                                       .before = "if this does not change the answer, put ignore=",                                                                                                                                                                            .after = " into the rule"},
    {.kind = "body",
     .before =
         "a body that is no JSON has to be equal byte for byte; with key=header the app names the operation"},
    {.kind = "idempotency",
     .before = "each call carries a key of its own; send the same one with a retry, or put churn=join into "
               "the rule"                                                                                              },
    {.kind = "sequence",
     .before =
         "repeats=sequence and repeats=fresh take the same call for a new sample; repeats=replay does not"                                                                       },
};

static const struct advice no_advice = {
    .before = "this decides what the answer is, so these are two operations; nothing can or should be done",
};

static const struct advice unknown = {
    .before = "the rules of the two calls may differ; idemshim check METHOD URL shows the one in force",
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
  if (*subject == '/' && advice->after && decides(subject, subject_len))
    advice = &no_advice;
  if (advice->after)
    snprintf(out, size, "%s%.*s%s", advice->before, (int)subject_len, subject, advice->after);
  else
    snprintf(out, size, "%s", advice->before);
}
