/* SPDX-License-Identifier: MIT */
#include "cli/advice.h"

#include "cli/nearest.h"

#include <stdio.h>
#include <string.h>

/* By the first word of a difference as the store tells it. Where there is an `after`, the word that follows
 * (a header's name, a JSON pointer) stands between the two. */
static const struct advice {
  const char *kind, *before, *after;
} table[] = {
    {.kind = "tenant",
     .before =
         "the calls were made with different credentials, which never share an answer; use one API key"                                                                },
    {.kind = "scope",
     .before = "IDEMSHIM_SCOPE differs; use one scope for both if they are one set of operations"                                                                      },
    {.kind = "header",
     .before = "if ",
     .after = " does not change the answer, give the rule a vary= list without it"},
    {.kind = "JSON",                                                                                                       .before = "if this does not change the answer, put ignore=",                                                                                                                                                   .after = " into the rule"},
    {.kind = "query",                                                                              .before = "keep out of the query what changes from call to call: all of it counts"},
    {.kind = "key",
     .before = "each call carries a key of its own; send the same one with a retry, or put churn=join into "
               "the rule"            },
    {.kind = "body",
     .before =
         "a body that is no JSON has to be equal byte for byte; with key=header the app names the operation"                                                                                                                                },
    {.kind = "sequence",
     .before =
         "repeats=sequence and repeats=fresh take the same call for a new sample; repeats=replay does not"},
};

static const struct advice *find(const char *kind, size_t len)
{
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
    if (strlen(table[i].kind) == len && strncmp(table[i].kind, kind, len) == 0)
      return &table[i];
  return NULL;
}

/* The two were one operation by their content; what kept them apart is not in the request. */
static const char *same_content(const struct idem_answer *target, const struct idem_answer *other)
{
  if (target->sequence != other->sequence)
    return "sequence";
  return target->key_kind == IDEM_KEY_HEADER || other->key_kind == IDEM_KEY_HEADER ? "key" : "";
}

void cli_advice(const struct idem_answer *target, const struct cli_nearest *nearest, char *out, size_t size)
{
  const char *text =
      nearest->alike == 1000 ? same_content(target, &nearest->kept.answer) : nearest->difference;
  size_t len = strcspn(text, " ");
  const struct advice *advice = find(text, len);
  const char *subject = text + len + strspn(text + len, " ");
  if (!advice)
    snprintf(out, size,
             "the rules of the two calls may differ; idemshim check METHOD URL shows the one in force");
  else if (advice->after)
    snprintf(out, size, "%s%.*s%s", advice->before, (int)strcspn(subject, " "), subject, advice->after);
  else
    snprintf(out, size, "%s", advice->before);
}
