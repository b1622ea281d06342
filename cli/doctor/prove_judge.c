/* SPDX-License-Identifier: MIT */
/* What two runs prove. Both witnesses must agree: the library's events say what it did, and the
 * server's count says whether that is true. */
#include "cli/doctor/prove_judge.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Events that the verdict goes by. */
static const struct {
  const char *name;
  size_t offset;
} counted[] = {
    {"live", offsetof(struct doctor_events, live)},
    {"stored", offsetof(struct doctor_events, stored)},
    {"hit", offsetof(struct doctor_events, hit)},
    {"bypass", offsetof(struct doctor_events, bypass)},
};

/* Events that are not counted by name still show that the library saw something. */
static void count_event(struct doctor_events *out, const char *name)
{
  for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
    if (strcmp(counted[i].name, name) == 0) {
      ++*(long *)((char *)out + counted[i].offset);
      return;
    }
  out->other++;
}

/* A line that is not JSON, or cut short by a kill, is passed over. */
void doctor_count_events(const char *log, struct doctor_events *out, char *reason, size_t size)
{
  *out = (struct doctor_events){0};
  for (const char *line = log; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    const char *name = NULL, *why = NULL;
    json_t *event = json_loadb(line, strcspn(line, "\n"), 0, NULL);
    json_unpack(event, "{s:s, s?s}", "event", &name, "reason", &why);
    if (name)
      count_event(out, name);
    if (why)
      snprintf(reason, size, "%s", why);
    json_decref(event);
  }
}

/* ---- the verdict ---- */

/* Not one event: the library was not in the program, or no rule wanted its calls. */
static bool saw_nothing(const struct doctor_events *events)
{
  return events->live + events->stored + events->hit + events->bypass + events->other == 0;
}

/* The library's own reason is better than any guess. */
static const char *because(const struct doctor_evidence *evidence)
{
  return *evidence->reason ? evidence->reason : "its events give no reason";
}

/* Requests came and the library saw none: its preload failed, or the call was none of a kind that
 * rules take. */
static void judge_silence(struct doctor_proof *proof, const struct doctor_evidence *evidence)
{
  if (strcmp(evidence->method, "POST") == 0)
    snprintf(proof->verdict, sizeof(proof->verdict),
             "not reached: requests arrived, and libidemshim.so saw none of them");
  else
    snprintf(proof->verdict, sizeof(proof->verdict),
             "nothing to prove: the request was a %s, and a rule takes POST alone unless it says method=",
             evidence->method);
}

/* The first run went live and was stored. Was the second one answered from there? */
static void judge_second_run(struct doctor_proof *proof, const struct doctor_run *second)
{
  proof->proven = second->events.hit > 0 && second->requests == 0;
  if (proof->proven)
    snprintf(proof->verdict, sizeof(proof->verdict),
             "proven: the first run went live and was stored, the second was replayed without a request");
  else if (second->requests == 0)
    snprintf(proof->verdict, sizeof(proof->verdict), "not proven: the second run made no call");
  else if (second->events.hit > 0)
    snprintf(proof->verdict, sizeof(proof->verdict),
             "partly: of the second run's calls, %ld were replayed and %ld were sent", second->events.hit,
             second->requests);
  else
    snprintf(proof->verdict, sizeof(proof->verdict),
             "reached, and not replayed: the second run's request was not the same as the first's");
}

/* From "nothing happened" to "all went as it should"; the first that holds is the verdict. */
void doctor_judge(struct doctor_proof *proof, const struct doctor_evidence *evidence)
{
  const struct doctor_run *first = &proof->runs[0], *second = &proof->runs[1];
  proof->proven = false;
  if (first->requests + second->requests == 0)
    snprintf(proof->verdict, sizeof(proof->verdict), "no request arrived: %s",
             evidence->has_url ? "the program did not call the URL"
                               : "write {URL} where the command has the address to call");
  else if (saw_nothing(&first->events) && saw_nothing(&second->events))
    judge_silence(proof, evidence);
  else if (first->events.stored == 0 && first->events.bypass > 0)
    snprintf(proof->verdict, sizeof(proof->verdict), "reached, and sent live untouched: %s",
             because(evidence));
  else if (first->events.stored == 0 || first->events.live == 0)
    snprintf(proof->verdict, sizeof(proof->verdict), "reached, and the answer was not stored: %s",
             because(evidence));
  else
    judge_second_run(proof, second);
}
