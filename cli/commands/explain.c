/* SPDX-License-Identifier: MIT */
/* `explain`: why was this call sent, although a similar one was stored? The answer is always the
 * same, that its key was another, so what is worth telling is the nearest other request, where
 * the two first differ, and what a person could do about it. */
#include "cli/command/command.h"
#include "cli/launch/find_store.h"
#include "cli/output/json.h"
#include "cli/output/output.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/view/exchange.h"
#include "cli/view/nearest.h"
#include "cli/view/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is asked of the decisions: those of an id, and the first that says why. */
struct looking {
  const char *id;
  bool whys; /* those alone that say why a call was sent */
  struct idem_decision found;
};

/* Both answers are copies: the store's memory is only ours inside of a visit. */
struct explanation {
  struct cli_kept target;
  struct cli_nearest nearest;
  char advice[512]; /* "" if nothing is similar */
  char mend[700];   /* a rule that would make them one, "" if none would */
  struct looking why;
};

/* ---- calls of which there is no answer ---- */

/* What can be done, by the event. */
static const struct {
  const char *event, *text;
} remedies[] = {
    {"bypass", "the library leaves such calls alone; docs/delivery.md says which options and headers these "
               "are, and why"},
    {"not_stored", "only a whole success is kept, so that the retry goes upstream; status= and max_body= of "
                   "the rule say what that is"},
    {"store_error", "idemshim check says whether the store can be used"},
    {"expired", "ttl= of the rule says how long an answer is replayed"},
    {"key_churn", "send one key with a call and its retries, or put churn=join into the rule"},
    {"several_keys", "send the key in one line of its header"},
    {"mismatch", "the key came with another content; mismatch= of the rule says what happens then"},
    {"header_drift", "if the header does not change the answer, put into the rule: vary=*,-NAME"},
    {"new_sample", "the rule takes the same call for a new sample; repeats=replay does not"},
    {"in_doubt", "indoubt= of the rule says whether a call with no known outcome is sent again"},
    {"owner_stalled", "the call that was waited for did not go on; the answer that came first is kept"},
};

static const char *remedy(const char *event)
{
  for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
    if (strcmp(remedies[i].event, event) == 0)
      return remedies[i].text;
  return NULL;
}

/* For idem_store_decisions(), which begins with the newest: 1 ends it at the first that fits. */
static int look(void *arg, const struct idem_decision *decision)
{
  struct looking *looking = arg;
  if (strncmp(decision->id, looking->id, strlen(looking->id)) != 0 ||
      (looking->whys && (strcmp(decision->event, "bypass") == 0 ||
                         strcmp(decision->event, "not_stored") == 0 || !remedy(decision->event))))
    return 0;
  looking->found = *decision;
  return 1;
}

static void print_decision(const struct idem_decision *decision)
{
  char time[CLI_UNIT_SIZE];
  cli_fact("call", "%s  %s %s%s", decision->id, decision->method, decision->origin, decision->path);
  cli_fact("when", "%s", cli_time(time, decision->at_us));
  if (*decision->reason)
    cli_fact("why", "%s: %s", decision->event, decision->reason);
  else
    cli_fact("why", "%s", decision->event);
  if (remedy(decision->event))
    cli_fact("what to do", "%s", remedy(decision->event));
}

/* As it was noted; a status of 0, where no answer came, is left out. NULL without memory. */
static json_t *decision_json(const struct idem_decision *decision)
{
  char time[CLI_UNIT_SIZE];
  json_t *object =
      json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "time", cli_timestamp(time, decision->at_us), "event",
                decision->event, "id", decision->id, "method", cli_json_string(decision->method), "origin",
                cli_json_string(decision->origin), "path", cli_json_string(decision->path), "reason",
                cli_json_string(decision->reason));
  if (decision->status)
    json_object_set_new(object, "status", json_integer(decision->status));
  return object;
}

/* A call that was never stored, or not named. CLI_NO if nothing is known of it. */
static int explain_decision(const struct cli_options *options, struct idem_store *store, const char *id)
{
  struct looking looking = {.id = id};
  if (!*id || !idem_store_decisions(store, look, &looking))
    return CLI_NO;
  if (options->json)
    return cli_print_json(json_pack("{s:o}", "decision", decision_json(&looking.found)));
  print_decision(&looking.found);
  return CLI_OK;
}

/* How many lines `explain --recent` may still print, and where they go. */
struct listing {
  uint64_t left;
  json_t *list; /* NULL: text */
};

static int list_one(void *arg, const struct idem_decision *decision)
{
  struct listing *listing = arg;
  char time[CLI_UNIT_SIZE], line[512];
  if (listing->list) {
    json_array_append_new(listing->list, decision_json(decision));
  } else {
    snprintf(line, sizeof(line), "%s  %-16s  %-13s  %s %s%s%s%s", cli_time(time, decision->at_us),
             decision->id, decision->event, decision->method, decision->origin, decision->path,
             *decision->reason ? ": " : "", decision->reason);
    cli_put_line(stdout, line, strlen(line), CLI_UNCUT);
    putchar('\n');
  }
  return --listing->left == 0;
}

/* The newest first, as who asks has just seen one. */
static int list_recent(const struct cli_options *options, struct idem_store *store)
{
  struct listing listing = {options->limit ? options->limit : UINT64_MAX,
                            options->json ? json_array() : NULL};
  uint64_t most = listing.left;
  idem_store_decisions(store, list_one, &listing);
  if (!listing.list && listing.left == most)
    return cli_fail(CLI_OK, "no decision is remembered: every call was answered, or was sent and stored");
  return listing.list ? cli_print_json(listing.list) : CLI_OK;
}

/* The answer is needed beyond this visit. */
static int keep(void *arg, const struct idem_answer *answer)
{
  return cli_keep(arg, answer);
}

/* Of the first that is visited, which is the newest. */
static int remember_id(void *arg, const struct idem_answer *answer)
{
  memcpy(arg, answer->id, IDEM_ID_SIZE);
  return 1;
}

/* Finds the answer that `id` names, or the newest one. Returns an enum cli_exit. Without an id
 * the newest answer is meant: who has just seen a call go out asks about that one. */
static int find_target(struct idem_store *store, const char *id, struct cli_kept *target)
{
  char newest[IDEM_ID_SIZE] = "";
  struct idem_error error = {""};
  int result = id ? 0 : idem_store_each(store, IDEM_NEWEST_FIRST, remember_id, newest, &error);
  if (result < 0)
    return cli_fail(CLI_STORE, "%s", error.text);
  if (!id && !*newest)
    return cli_fail(CLI_NO, "the store is empty; there is no call to explain");
  /* Both ways by the id, so that what is damaged is told in the same words. */
  result = idem_store_show(store, id ? id : newest, keep, target, &error);
  if (result == -ENOMEM)
    return cli_fail(CLI_STORE, "out of memory");
  return result < 0 ? cli_not_found(result, &error) : CLI_OK;
}

/* The rule that is in force for the call, with what would mend the difference; or
 * that it has that already. */
static void advise(const struct idem_answer *target, const char *difference, struct explanation *explanation)
{
  struct idem_config config;
  struct idem_target aim;
  char url[2000];
  cli_advice(difference, explanation->advice, sizeof(explanation->advice));
  if (idem_config_load(&config, getenv, NULL) < 0)
    return;
  snprintf(url, sizeof(url), "%.*s%.*s", (int)target->origin.len, target->origin.data, (int)target->path.len,
           target->path.data);
  aim.method = target->method.data;
  aim.method_len = target->method.len;
  const struct idem_rule *rule =
      cli_url_parse(url, &aim, NULL) == 0 ? idem_config_match(&config, &aim) : NULL;
  if (rule && !cli_mend(rule, difference, explanation->mend, sizeof(explanation->mend)))
    snprintf(explanation->advice, sizeof(explanation->advice),
             "nothing: the rule in force (%s %d) does it already, and the two were called under another",
             rule->origin, rule->number);
  idem_config_release(&config);
}

/* CLI_NO if there is no other request for this URL: that is an answer, too. */
static int search(struct idem_store *store, bool all, struct explanation *explanation)
{
  struct idem_error error = {""};
  struct cli_nearest *nearest = &explanation->nearest;
  const struct idem_answer *target = &explanation->target.answer;
  int result = cli_nearest_find(store, target, all, nearest, &error);
  if (result < 0)
    return cli_fail(CLI_STORE, "%s", *error.text ? error.text : strerror(-result));
  explanation->why = (struct looking){.id = target->id, .whys = true};
  idem_store_decisions(store, look, &explanation->why);
  if (nearest->alike >= 0)
    advise(target, nearest->difference, explanation);
  return nearest->alike >= 0 ? CLI_OK : CLI_NO;
}

static int keep_nothing(void *unused, const struct idem_answer *answer)
{
  (void)unused, (void)answer;
  return 0;
}

/* Two calls that should have been one. */
static int compare(struct idem_store *store, const char *id, struct explanation *explanation)
{
  struct cli_nearest *nearest = &explanation->nearest;
  int code = find_target(store, id, &nearest->kept);
  if (code != CLI_OK)
    return code;
  const struct idem_answer *target = &explanation->target.answer;
  nearest->alike =
      idem_store_compare(target, &nearest->kept.answer, nearest->difference, sizeof(nearest->difference));
  explanation->why = (struct looking){.id = target->id, .whys = true};
  idem_store_decisions(store, look, &explanation->why);
  advise(target, nearest->difference, explanation);
  return CLI_OK;
}

/* Output. */

/* The id first: it is what another command would be asked with. */
static void call_fact(const char *label, const struct idem_answer *answer)
{
  char *text = cli_call_text(answer, CLI_CALL_WHOLE);
  if (text)
    cli_fact(label, "%s  %s", answer->id, text);
  free(text);
}

/* How alike the two are, and whether the nearest one was there in time: an answer that had
 * expired by then, or that came later, could not have been given. */
static void apart_fact(const struct idem_answer *target, const struct idem_answer *other, int alike)
{
  char span[CLI_UNIT_SIZE];
  /* What counts is whether it was there when the other call was made. */
  int64_t us = target->started_us - other->stored_us;
  bool earlier = us >= 0;
  /* `alike` is in thousandths. */
  cli_fact("alike", "%d.%d %%, stored %s %s it", alike / 10, alike % 10,
           cli_duration(span, (uint64_t)(earlier ? us : -us) / 1000), earlier ? "before" : "after");
  if (earlier && other->expires_us <= target->started_us)
    cli_fact("expired", "before this call was made; ttl= of the rule says how long an answer is replayed");
}

/* Only where there may be a nearer one. */
static void looked_fact(const struct cli_nearest *nearest)
{
  char looked[CLI_UNIT_SIZE], answers[CLI_UNIT_SIZE];
  if (nearest->cut)
    cli_fact("looked at", "the newest %s of %s answers; --all looks at every one",
             cli_count(looked, nearest->looked), cli_count(answers, nearest->answers));
}

/* The five lines in the order in which a person asks: which call, why, compared with what, where
 * it differs, what to do. */
static void print_text(const struct explanation *explanation)
{
  const struct idem_answer *target = &explanation->target.answer;
  const struct cli_nearest *nearest = &explanation->nearest;
  call_fact("call", target);
  if (nearest->alike < 0) {
    cli_fact(
        "why",
        "no other request for this URL is in the store, so there was nothing that it could be answered with");
    looked_fact(nearest);
    return;
  }
  if (*explanation->why.found.event)
    cli_fact("why", "%s%s%s", explanation->why.found.event, *explanation->why.found.reason ? ": " : "",
             explanation->why.found.reason);
  else
    cli_fact("why", "no answer was stored under its key");
  call_fact("nearest", &nearest->kept.answer);
  apart_fact(target, &nearest->kept.answer, nearest->alike);
  cli_fact("difference", "%s", nearest->difference);
  cli_fact("what to do", "%s", explanation->advice);
  if (*explanation->mend)
    cli_fact("rule", "%s", explanation->mend);
  looked_fact(nearest);
}

/* Without a nearest request the document has the call alone. */
static int print_document(const struct explanation *explanation)
{
  const struct cli_nearest *nearest = &explanation->nearest;
  json_t *document =
      json_pack("{s:o, s:I, s:I}", "call", cli_answer_json_request(&explanation->target.answer), "looked_at",
                (json_int_t)nearest->looked, "answers", (json_int_t)nearest->answers);
  /* -1: there is no other request for this URL. */
  if (!document || nearest->alike < 0)
    return cli_print_json(document);
  json_object_set_new(document, "nearest", cli_answer_json_request(&nearest->kept.answer));
  json_object_set_new(document, "alike", json_real(nearest->alike / 1000.0));
  json_object_set_new(document, "difference", cli_json_string(nearest->difference));
  json_object_set_new(document, "advice", json_string(explanation->advice));
  json_object_set_new(document, "rule", *explanation->mend ? json_string(explanation->mend) : json_null());
  return cli_print_json(document);
}

/* Exits 1 if nothing is similar, and prints what there is all the same. */
static int explain(const struct cli_options *options, struct idem_store *store, char **operands)
{
  struct explanation explanation = {0};
  int printed = CLI_OK;
  if (options->recent)
    return list_recent(options, store);
  /* What was stored has more to say. */
  if (operands[0] && idem_store_show(store, operands[0], keep_nothing, NULL, NULL) == -ENOENT &&
      (printed = explain_decision(options, store, operands[0])) != CLI_NO)
    return printed;
  printed = CLI_OK;
  int code = find_target(store, operands[0], &explanation.target);
  if (code == CLI_OK) {
    code = operands[0] && operands[1] ? compare(store, operands[1], &explanation)
                                      : search(store, options->all, &explanation);
    if (options->json && code <= CLI_NO)
      printed = print_document(&explanation);
    else if (code <= CLI_NO)
      print_text(&explanation);
  }
  cli_kept_release(&explanation.target);
  cli_kept_release(&explanation.nearest.kept);
  return printed != CLI_OK ? printed : code;
}

const struct cli_command cli_command_explain = {
    .name = "explain",
    .operands = "[ID [ID]]",
    .summary = "why a call was sent although a similar one was stored, or was not stored",
    .details = "Without ID, the newest answer. Shows the nearest other request for the same URL, or the "
               "second, where "
               "the\n"
               "two first differ, and what could be done about it; of a call that was not stored, why. Exits "
               "1 if nothing\n"
               "is similar.",
    .options =
        CLI_OPTIONS(CLI_OPTION("all", NULL, CLI_FLAG, all, "look at every answer, not at the newest 5,000"),
                    CLI_OPTION("recent", NULL, CLI_FLAG, recent,
                               "the last 512 decisions: what was sent, not stored, left alone"),
                    CLI_OPTION("limit", "N", CLI_COUNT, limit, "with --recent: only the newest N"),
                    CLI_OPTION_JSON, CLI_OPTION_STORE),
    .max_operands = 2,
    .only_reads = true,
    .on_store = explain,
};
