/* SPDX-License-Identifier: MIT */
/* What a person would work out from the bytes of an exchange: what was said in the pieces of a stream, how a
 * retry differs from the attempt before it, what it has cost, and why an answer was none to keep. */
#include "cli/report/report.h"
#include "cli/view/exchange.h"
#include "config/words.h"
#include "store/judge/event_stream.h"
#include "store/judge/judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The text may be from the tape, and the name is ours. */
static void put_fact(FILE *out, const char *name, const char *text)
{
  fprintf(out, "<dt>%s</dt><dd>", name);
  report_text(out, cli_span(text));
  fputs("</dd>", out);
}

/* The request's one difference, as `tape diff` and `explain` name it. */
static void put_difference(const struct report *report, const struct report_call *call,
                           const struct tape_record *record)
{
  /* Read once more, for the page keeps no bodies. */
  struct tape_record before = {0};
  struct idem_error error = {""};
  char difference[512] = "";
  if (tape_read(report->tape, call->previous, &before, &error) == 0) {
    struct idem_answer a = cli_record_view(&before), b = cli_record_view(record);
    idem_store_compare(&a, &b, difference, sizeof(difference));
    put_fact(report->out, "difference to that", *difference ? difference : "none: the same request");
  }
  tape_record_release(&before);
}

/* The rule that would have met it without any configuration; a host that is none of
 * those is somebody's own. */
static const struct idem_rule *rule_of(const struct report *report, const struct tape_record *record)
{
  const char *at = memmem(record->origin.data, record->origin.len, "://", 3),
             *host = at ? at + 3 : record->origin.data;
  const char *end = record->origin.data + record->origin.len,
             *colon = memrchr(host, ':', (size_t)(end - host));
  struct idem_target target = {.method = record->method.data,
                               .method_len = record->method.len,
                               .host = host,
                               .host_len = (size_t)((colon ? colon : end) - host),
                               .path = record->path.data,
                               .path_len = record->path.len,
                               .port = (uint16_t)(colon ? strtol(colon + 1, NULL, 10) : 443)};
  const struct idem_rule *rule = idem_config_match(&report->config, &target);
  return rule ? rule : &report->own_api;
}

/* Empty where it is an answer; judged as it would be when it came, by default rules. */
static void why_not_stored(const struct report *report, const struct tape_record *record,
                           struct idem_error *why)
{
  const struct tape_outcome *outcome = &record->outcome;
  struct idem_span lines[64], rest = record->request_headers;
  struct answer_facts facts = {0};
  size_t count = 0;
  while (count < sizeof(lines) / sizeof(lines[0]) && event_stream_line(&rest, &lines[count]))
    count++;
  struct idem_request request = tape_request(record, rule_of(report, record), lines, count);
  struct idem_recording recording = {.status = outcome->status,
                                     .headers = outcome->headers,
                                     .body = outcome->body,
                                     .encoded = outcome->encoded,
                                     /* A tape does not tell how the body's end was known: it is taken for
                                      * whole. */
                                     .framed = true,
                                     .delivered = outcome->delivered};
  /* What was cut when it was recorded cannot be judged. */
  if (outcome->body.len < outcome->body_len)
    return;
  judge_answer(&request, &recording, &facts, why);
}

int64_t report_gave_up_after(const struct report *report, const struct report_call *call)
{
  enum { OPERATION_TIMEDOUT = 28, ABORTED_BY_CALLBACK = 42 };
  const struct report_call *before = call->previous ? report_find(report, call->previous) : NULL;
  return before && (before->curl_code == OPERATION_TIMEDOUT || before->curl_code == ABORTED_BY_CALLBACK)
             ? before->end_us - before->start_us
             : -1;
}

void report_insight(const struct report *report, const struct report_call *call,
                    const struct tape_record *record)
{
  struct idem_error why = {""};
  char text[40];
  if (call->previous)
    put_difference(report, call, record);
  /* A replay has cost nothing: what it would have cost is what was saved. */
  if (call->usd >= 0)
    put_fact(report->out, call->what == TAPE_HIT || call->what == TAPE_JOIN ? "saved" : "cost",
             cli_dollars(text, call->usd));
  else if (report->prices && !call->failed)
    put_fact(report->out, "cost", "the model has no price");
  /* Only what was sent and came back could have been stored. */
  if (call->what != TAPE_LIVE && call->what != TAPE_RESCUE)
    return;
  if (call->curl_code)
    put_fact(report->out, "not stored", "the transfer failed");
  else if ((why_not_stored(report, record, &why), *why.text))
    put_fact(report->out, "not stored", why.text);
}

/* Of a stream, what its pieces make together. */
void report_answer(const struct report *report, const struct tape_record *record)
{
  struct cli_reply reply;
  FILE *out = report->out;
  /* Of everything else the body shows it already. */
  if (!cli_is_event_stream(record->outcome.headers) && !record->outcome.encoded)
    return;
  cli_reply_read(&reply, record->outcome.headers, record->outcome.body, record->outcome.encoded);
  /* Texts are NULL without memory. */
  bool said = (reply.text && *reply.text) || (reply.tools && *reply.tools);
  if (said) {
    fputs("<h3>The answer, joined</h3><p class=note>", out);
    report_text(out, cli_span(reply.model && *reply.model ? reply.model : "no model is named"));
    if (reply.reasons && *reply.reasons) {
      fputs(", ended by ", out);
      report_text(out, cli_span(reply.reasons));
    }
    if (reply.usage.input >= 0)
      fprintf(out, ", %" PRId64 " %s in", reply.usage.input,
              idem_word((uint64_t)reply.usage.input, "token", "tokens"));
    if (reply.cached > 0)
      fprintf(out, " (%" PRId64 " cached)", reply.cached);
    if (reply.usage.output >= 0)
      fprintf(out, ", %" PRId64 " out", reply.usage.output);
    fputs("</p>", out);
  }
  for (int i = 0; said && i < 2; i++) {
    struct idem_span text = cli_span(i ? reply.tools : reply.text);
    size_t shown = report_whole(text, report->body_shown);
    if (!text.len)
      continue;
    fputs(i ? "<h3>Tools called</h3><pre>" : "<pre class=joined>", out);
    report_text(out, (struct idem_span){text.data, shown});
    fputs(shown < text.len ? "</pre><p class=note>the beginning of it</p>" : "</pre>", out);
  }
  cli_reply_release(&reply);
}
