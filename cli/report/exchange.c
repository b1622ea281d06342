/* SPDX-License-Identifier: MIT */
/* One exchange of the list: a line that can be read at a glance and opens to both sides of it.
 * All HTML is written as it is made, and every byte from the tape goes through report_text() or
 * report_body(). */
#include "cli/view/exchange.h"
#include "cli/output/json.h"
#include "cli/output/units.h"
#include "cli/report/report.h"
#include "cli/view/curl_names.h"
#include "cli/view/prompt.h"
#include "config/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* For our own words alone: nothing is escaped. */
static void put_cell(FILE *out, const char *name, const char *text)
{
  fprintf(out, "<span class=%s>%s</span>", name, text);
}

/* The line. */

/* The closed form. What the script filters by is in it: the call, the prompt, the ending. Times are as the
 * axis of the picture has them; tokens are left out where the answer does not tell. */
static void put_line(FILE *out, const struct report_call *call, const struct tape_record *record)
{
  enum { PROMPT_SHOWN = 160 };
  char text[CLI_UNIT_SIZE];
  struct idem_answer view = cli_record_view(record);
  struct cli_tokens tokens = cli_tokens(&call->usage, "?");
  char *url = cli_call_text(&view, CLI_CALL_SHORT), *prompt = cli_prompt(record->request_body);
  double s = (double)call->start_us / 1e6;
  fprintf(out, "<summary><span class=n>%" PRIu64 "</span>", call->number);
  /* Up to a minute as seconds, as the axis has it. */
  if (call->start_us < 60000000)
    fprintf(out, "<span class=at>+%.3f s</span>", s);
  else
    fprintf(out, "<span class=at>+%.0fm %04.1fs</span>", (double)(call->start_us / 60000000),
            (double)(call->start_us % 60000000) / 1e6);
  fprintf(out, "<span class='pill %s'>%s</span>", report_class(call), report_ending(call, text));
  put_cell(out, "what", tape_what_name((enum tape_what)call->what));
  fputs("<span class=call><span class=url>", out);
  report_text(out, cli_span(url ? url : ""));
  fputs("</span>", out);
  if (prompt && *prompt) {
    struct idem_span whole = cli_span(prompt);
    fputs("<span class=prompt>", out);
    report_text(out, (struct idem_span){prompt, report_whole(whole, PROMPT_SHOWN)});
    fputs("</span>", out);
  }
  fputs("</span><span class=nums>", out);
  if (call->usage.input >= 0 || call->usage.output >= 0)
    fprintf(out, "<span class=tokens>%s&#8594;%s tok</span>", tokens.input, tokens.output);
  if (call->usd >= 0)
    put_cell(out, "usd", cli_dollars(text, call->usd));
  put_cell(out, "size", cli_bytes(text, call->body_len));
  put_cell(out, "took", cli_duration(text, (uint64_t)(call->end_us - call->start_us) / 1000));
  fputs("</span></summary>\n", out);
  free(url);
  free(prompt);
}

/* What it opens to. */

/* A row of the list of facts, escaped. */
static void put_fact(FILE *out, const char *name, struct idem_span text)
{
  fprintf(out, "<dt>%s</dt><dd>", name);
  report_text(out, text);
  fputs("</dd>", out);
}

/* What the line has no room for; links to the attempts before and after let a chain of retries be walked. */
static void put_facts(const struct report *report, const struct report_call *call,
                      const struct tape_record *record)
{
  FILE *out = report->out;
  char text[256], when[CLI_UNIT_SIZE], wait[CLI_UNIT_SIZE], took[CLI_UNIT_SIZE];
  fputs("<dl class=facts>", out);
  if (call->curl_code) {
    snprintf(text, sizeof(text), "%s (%" PRIu32 ") ", cli_curl_error(call->curl_code), call->curl_code);
    fputs("<dt>error</dt><dd class=error>", out);
    report_text(out, cli_span(text));
    report_text(out, record->outcome.error_text);
    fputs("</dd>", out);
  }
  if (call->no_answer) {
    fputs("<dt>no answer</dt><dd class=error>", out);
    report_text(out, record->outcome.error_text);
    fputs("</dd>", out);
  }
  put_fact(out, "started", cli_span(cli_timestamp(when, record->call.started_us)));
  snprintf(text, sizeof(text), "%s, then %s to the end",
           cli_duration(wait, (uint64_t)(call->first_us - call->start_us) / 1000),
           cli_duration(took, (uint64_t)(call->end_us - call->first_us) / 1000));
  put_fact(out, "first byte", record->outcome.first_byte_us < 0 ? cli_span("none came") : cli_span(text));
  snprintf(text, sizeof(text), "process %" PRIu32 " (pid %" PRIu32 "), thread %" PRIu32, record->process,
           record->call.pid, record->call.lane);
  put_fact(out, "lane", cli_span(text));
  /* A tape that was recorded without a store has none. */
  if (*call->id)
    put_fact(out, "operation", cli_span(call->id));
  snprintf(text, sizeof(text), "%" PRIu32, record->call.number);
  /* 0 where the rule does not number identical calls. */
  if (record->call.number)
    put_fact(out, "number of its content", cli_span(text));
  int64_t gave_up = report_gave_up_after(report, call);
  if (call->previous || call->next)
    fputs("<dt>attempts</dt><dd>", out);
  if (call->previous)
    fprintf(out, "again after <a href='#e%" PRIu64 "'>%" PRIu64 "</a>%s%s ", call->previous, call->previous,
            gave_up < 0 ? "" : ", which was given up after ",
            gave_up < 0 ? "" : cli_duration(wait, (uint64_t)gave_up / 1000));
  if (call->next)
    fprintf(out, "tried again in <a href='#e%" PRIu64 "'>%" PRIu64 "</a>", call->next, call->next);
  if (call->previous || call->next)
    fputs("</dd>", out);
  report_insight(report, call, record);
  fputs("</dl>\n", out);
}

/* When the pieces of a stream came, as marks on a line. A stream of ten thousand pieces would
 * make a path of as many strokes on a line that is a thousand units wide, so only every n-th is
 * drawn. */
static void put_chunks(FILE *out, const struct tape_record *record)
{
  enum { MARKS_MOST = 200 };
  const struct tape_outcome *outcome = &record->outcome;
  uint64_t took = record->call.duration_us ? record->call.duration_us : 1;
  size_t step = outcome->chunk_count / MARKS_MOST + 1;
  /* A piece alone is the body, and has no rhythm to show. */
  if (outcome->chunk_count < 2)
    return;
  fprintf(out,
          "<svg class=chunks viewBox='0 0 1000 16' preserveAspectRatio=none role=img aria-label='%zu "
          "pieces'><path d='",
          outcome->chunk_count);
  for (size_t i = 0; i < outcome->chunk_count; i += step) {
    /* A damaged record may say that a piece came after the end. */
    uint64_t at = outcome->chunks[i].at_us < took ? outcome->chunks[i].at_us : took;
    fprintf(out, "M%.1f 2v12", 1 + 998.0 * (double)at / (double)took);
  }
  fprintf(out, "'/></svg><p class=note>%zu pieces over time</p>", outcome->chunk_count);
}

/* Headers as they came; only what is absurdly long is cut. A body that was there and is not on the tape must
 * not look like an empty one. The section stays open, for what only one of the two sides has. */
static void put_side(const struct report *report, const char *title, struct idem_span headers,
                     struct idem_span body, bool encoded, uint64_t body_len)
{
  enum { HEADERS_SHOWN = 16 << 10 };
  FILE *out = report->out;
  fprintf(out, "<section><h3>%s</h3>", title);
  while (headers.len && (headers.data[headers.len - 1] == '\n' || headers.data[headers.len - 1] == '\r'))
    headers.len--;
  if (headers.len) {
    /* The cut may be in the middle of a character: report_text() shows what is left of it as bytes. */
    headers.len = headers.len < HEADERS_SHOWN ? headers.len : HEADERS_SHOWN;
    fputs("<pre class=headers>", out);
    report_text(out, headers);
    fputs("</pre>", out);
  }
  if (body.len)
    report_body(out, body, report->body_shown, encoded);
  else if (body_len)
    fprintf(out, "<p class=note>a body of %" PRIu64 " %s, not on the tape</p>", body_len,
            idem_word(body_len, "byte", "bytes"));
}

/* For bsearch(): calls are in the order of their numbers, but some may be missing. */
static int by_number(const void *number, const void *call)
{
  uint64_t x = *(const uint64_t *)number, y = ((const struct report_call *)call)->number;
  return (x > y) - (x < y);
}

const struct report_call *report_find(const struct report *report, uint64_t number)
{
  return bsearch(&number, report->calls, report->count, sizeof(*report->calls), by_number);
}

/* For "copy as curl"; a call whose body is not whole on the page has none. */
static void put_address(const struct report *report, const struct tape_record *record)
{
  struct idem_answer view = cli_record_view(record);
  char *url = cli_call_text(&view, CLI_CALL_URL);
  if (url && record->request_body.len == record->call.request_body_len &&
      record->request_body.len <= report->body_shown && cli_is_text(record->request_body)) {
    fputs(" data-method='", report->out);
    report_attribute(report->out, record->method);
    fputs("' data-url='", report->out);
    report_attribute(report->out, cli_span(url));
    fputs("'", report->out);
  }
  free(url);
}

/* The anchor #eN is what the picture's bars link to. */
void report_exchange(const struct report *report, const struct tape_record *record)
{
  const struct report_call *call = report_find(report, record->number);
  const struct tape_outcome *outcome = &record->outcome;
  FILE *out = report->out;
  if (!call)
    return;
  fprintf(out,
          /* What report.js sorts by: µs, bytes, tokens, dollars. */
          "<details id=e%" PRIu64 " class='%s' data-took=%" PRId64 " data-wait=%" PRId64
          " data-size=%" PRIu64,
          call->number, report_class(call), call->end_us - call->start_us, call->first_us - call->start_us,
          call->body_len);
  if (call->usage.input >= 0 || call->usage.output >= 0)
    fprintf(out, " data-tokens=%" PRId64,
            (call->usage.input > 0 ? call->usage.input : 0) +
                (call->usage.output > 0 ? call->usage.output : 0));
  if (call->usd >= 0)
    fprintf(out, " data-usd=%.9f", call->usd);
  put_address(report, record);
  putc('>', out);
  put_line(out, call, record);
  put_facts(report, call, record);
  fputs("<div class=sides>", out);
  put_side(report, "Request", record->request_headers, record->request_body, false,
           record->call.request_body_len);
  fputs("</section>", out);
  put_side(report, "Response", outcome->headers, outcome->body, outcome->encoded, outcome->body_len);
  put_chunks(out, record);
  report_answer(report, record);
  fputs("</section></div></details>\n", out);
}
