/* SPDX-License-Identifier: MIT */
/* `explain`: why was this call sent, although a similar one was stored? The answer is always the
 * same, that its key was another, so what is worth telling is the nearest other request, where
 * the two first differ, and what a person could do about it. */
#include "cli/command/command.h"
#include "cli/launch/find_store.h"
#include "cli/output/json.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "cli/view/exchange.h"
#include "cli/view/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Both answers are copies: the store's memory is only ours inside of a visit. */
struct explanation {
  struct cli_kept target;
  struct cli_nearest nearest;
  char advice[512]; /* "" if nothing is similar */
};

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

/* CLI_NO if there is no other request for this URL: that is an answer, too. */
static int search(struct idem_store *store, bool all, struct explanation *explanation)
{
  struct idem_error error = {""};
  struct cli_nearest *nearest = &explanation->nearest;
  const struct idem_answer *target = &explanation->target.answer;
  int result = cli_nearest_find(store, target, all, nearest, &error);
  if (result < 0)
    return cli_fail(CLI_STORE, "%s", *error.text ? error.text : strerror(-result));
  if (nearest->alike >= 0)
    cli_advice(nearest->difference, explanation->advice, sizeof(explanation->advice));
  return nearest->alike >= 0 ? CLI_OK : CLI_NO;
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
  if (nearest->looked == CLI_NEAREST_MOST && nearest->looked < nearest->answers)
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
  cli_fact("why", "no answer was stored under its key");
  call_fact("nearest", &nearest->kept.answer);
  apart_fact(target, &nearest->kept.answer, nearest->alike);
  cli_fact("difference", "%s", nearest->difference);
  cli_fact("what to do", "%s", explanation->advice);
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
  return cli_print_json(document);
}

/* Exits 1 if nothing is similar, and prints what there is all the same. */
static int explain(const struct cli_options *options, struct idem_store *store, char **operands)
{
  struct explanation explanation = {0};
  int code = find_target(store, operands[0], &explanation.target), printed = CLI_OK;
  if (code == CLI_OK) {
    code = search(store, options->all, &explanation);
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
    .operands = "[ID]",
    .summary = "why a call was sent although a similar one was stored",
    .details = "Without ID, the newest answer. Shows the nearest other request for the same URL, where the "
               "two first\n"
               "differ, and what could be done about it. Exits 1 if nothing is similar.",
    .options =
        CLI_OPTIONS(CLI_OPTION("all", NULL, CLI_FLAG, all, "look at every answer, not at the newest 10,000"),
                    CLI_OPTION_JSON, CLI_OPTION_STORE),
    .max_operands = 1,
    .only_reads = true,
    .on_store = explain,
};
