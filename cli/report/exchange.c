/* SPDX-License-Identifier: MIT */
/* One exchange of the list: a line that can be read at a glance and opens to both sides of it.
 * All HTML is written as it is made, and every byte from the tape goes through report_text() or
 * report_body(). */
#include "cli/view/exchange.h"
#include "cli/output/units.h"
#include "cli/report/report.h"
#include "cli/view/curl_names.h"
#include "cli/view/prompt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct idem_span span_of(const char *text)
{
  return (struct idem_span){text, strlen(text)};
}

/* For our own words alone: nothing is escaped. */
static void put_cell(FILE *out, const char *name, const char *text)
{
  fprintf(out, "<span class=%s>%s</span>", name, text);
}

/* The line. */

/* In its short form, as in lists. */
static void put_call(FILE *out, const struct tape_record *record)
{
  struct idem_answer view = cli_record_view(record);
  char *text = cli_call_text(&view, CLI_CALL_SHORT);
  fputs("<span class=url>", out);
  if (text)
    report_text(out, span_of(text));
  fputs("</span>", out);
  free(text);
}

/* Cut at a character and not inside of one. */
static void put_prompt(FILE *out, const struct tape_record *record)
{
  enum { SHOWN = 160 };
  char *prompt = cli_prompt(record->request_body);
  if (prompt && *prompt) {
    struct idem_span text = span_of(prompt);
    text.len = text.len < SHOWN ? text.len : SHOWN;
    while (text.len < strlen(prompt) && text.len && ((unsigned char)prompt[text.len] & 0xc0) == 0x80)
      text.len--;
    fputs("<span class=prompt>", out);
    report_text(out, text);
    fputs("</span>", out);
  }
  free(prompt);
}

/* Nothing where the answer does not tell. */
static void put_tokens(FILE *out, const struct report_call *call)
{
  char input[CLI_UNIT_SIZE], output[CLI_UNIT_SIZE];
  if (call->usage.input < 0 && call->usage.output < 0)
    return;
  fprintf(out, "<span class=tokens>%s&#8594;%s tok</span>",
          call->usage.input < 0 ? "?" : cli_count(input, (uint64_t)call->usage.input),
          call->usage.output < 0 ? "?" : cli_count(output, (uint64_t)call->usage.output));
}

/* As the axis of the picture has it. */
static void put_start(FILE *out, int64_t us)
{
  double s = (double)us / 1e6;
  if (us < 60000000)
    fprintf(out, "<span class=at>+%.3f s</span>", s);
  else
    fprintf(out, "<span class=at>+%.0fm %04.1fs</span>", (double)(us / 60000000),
            (double)(us % 60000000) / 1e6);
}

/* The closed form. What the script filters by is in it: the call, the prompt, the ending. */
static void put_line(FILE *out, const struct report_call *call, const struct tape_record *record)
{
  char text[CLI_UNIT_SIZE];
  fprintf(out, "<summary><span class=n>%" PRIu64 "</span>", call->number);
  put_start(out, call->start_us);
  fprintf(out, "<span class='pill %s'>%s</span>", report_class(call), report_ending(call, text));
  put_cell(out, "what", tape_what_name((enum tape_what)call->what));
  fputs("<span class=call>", out);
  put_call(out, record);
  put_prompt(out, record);
  fputs("</span><span class=nums>", out);
  put_tokens(out, call);
  put_cell(out, "size", cli_bytes(text, call->body_len));
  put_cell(out, "took", cli_duration(text, (uint64_t)(call->end_us - call->start_us) / 1000));
  fputs("</span></summary>\n", out);
}

/* What it opens to. */

/* A row of the list of facts, escaped. */
static void put_fact(FILE *out, const char *name, struct idem_span text)
{
  fprintf(out, "<dt>%s</dt><dd>", name);
  report_text(out, text);
  fputs("</dd>", out);
}

/* Links to the attempts before and after, so that a chain of retries can be walked. */
static void put_attempts(FILE *out, const struct report_call *call)
{
  if (!call->previous && !call->next)
    return;
  fputs("<dt>attempts</dt><dd>", out);
  if (call->previous)
    fprintf(out, "again after <a href='#e%" PRIu64 "'>%" PRIu64 "</a> ", call->previous, call->previous);
  if (call->next)
    fprintf(out, "tried again in <a href='#e%" PRIu64 "'>%" PRIu64 "</a>", call->next, call->next);
  fputs("</dd>", out);
}

/* What the line has no room for. */
static void put_facts(FILE *out, const struct report_call *call, const struct tape_record *record)
{
  char text[256], when[CLI_UNIT_SIZE], wait[CLI_UNIT_SIZE], took[CLI_UNIT_SIZE];
  fputs("<dl class=facts>", out);
  if (call->curl_code) {
    snprintf(text, sizeof(text), "%s (%" PRIu32 ") ", cli_curl_error(call->curl_code), call->curl_code);
    fputs("<dt>error</dt><dd class=error>", out);
    report_text(out, span_of(text));
    report_text(out, record->outcome.error_text);
    fputs("</dd>", out);
  }
  put_fact(out, "started", span_of(cli_timestamp(when, record->call.started_us)));
  snprintf(text, sizeof(text), "%s, then %s to the end",
           cli_duration(wait, (uint64_t)(call->first_us - call->start_us) / 1000),
           cli_duration(took, (uint64_t)(call->end_us - call->first_us) / 1000));
  put_fact(out, "first byte", record->outcome.first_byte_us < 0 ? span_of("none came") : span_of(text));
  snprintf(text, sizeof(text), "process %" PRIu32 " (pid %" PRIu32 "), thread %" PRIu32, record->process,
           record->call.pid, record->call.lane);
  put_fact(out, "lane", span_of(text));
  if (*call->id)
    put_fact(out, "operation", span_of(call->id));
  put_attempts(out, call);
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
  if (outcome->chunk_count < 2)
    return;
  fprintf(out,
          "<svg class=chunks viewBox='0 0 1000 16' preserveAspectRatio=none role=img aria-label='%zu "
          "pieces'><path d='",
          outcome->chunk_count);
  for (size_t i = 0; i < outcome->chunk_count; i += step) {
    uint64_t at = outcome->chunks[i].at_us < took ? outcome->chunks[i].at_us : took;
    fprintf(out, "M%.1f 2v12", 1 + 998.0 * (double)at / (double)took);
  }
  fprintf(out, "'/></svg><p class=note>%zu pieces over time</p>", outcome->chunk_count);
}

/* As they came; only what is absurdly long is cut. */
static void put_headers(FILE *out, struct idem_span headers)
{
  enum { SHOWN = 16 << 10 };
  while (headers.len && (headers.data[headers.len - 1] == '\n' || headers.data[headers.len - 1] == '\r'))
    headers.len--;
  if (!headers.len)
    return;
  fputs("<pre class=headers>", out);
  report_text(out, (struct idem_span){headers.data, headers.len < SHOWN ? headers.len : SHOWN});
  fputs("</pre>", out);
}

/* The section stays open, for what only one of the two sides has. */
static void put_side(const struct report *report, const char *title, struct idem_span headers,
                     struct idem_span body, bool encoded)
{
  fprintf(report->out, "<section><h3>%s</h3>", title);
  put_headers(report->out, headers);
  if (body.len)
    report_body(report->out, body, report->body_shown, encoded);
}

/* A body that was there and is not on the tape must not look like an empty one. */
static void put_missing(FILE *out, uint64_t len, size_t kept)
{
  if (len > kept && !kept)
    fprintf(out, "<p class=note>a body of %" PRIu64 " bytes, not on the tape</p>", len);
}

/* The calls are in the order of their numbers, but some may be missing. */
static const struct report_call *find(const struct report *report, uint64_t number)
{
  size_t low = 0, high = report->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (report->calls[middle].number < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low < report->count && report->calls[low].number == number ? &report->calls[low] : NULL;
}

/* The anchor #eN is what the picture's bars link to. */
void report_exchange(const struct report *report, const struct tape_record *record)
{
  const struct report_call *call = find(report, record->number);
  const struct tape_outcome *outcome = &record->outcome;
  FILE *out = report->out;
  if (!call)
    return;
  fprintf(out, "<details id=e%" PRIu64 " class='%s'>", call->number, report_class(call));
  put_line(out, call, record);
  put_facts(out, call, record);
  fputs("<div class=sides>", out);
  put_side(report, "Request", record->request_headers, record->request_body, false);
  put_missing(out, record->call.request_body_len, record->request_body.len);
  fputs("</section>", out);
  put_side(report, "Response", outcome->headers, outcome->body, outcome->encoded);
  put_missing(out, outcome->body_len, outcome->body.len);
  put_chunks(out, record);
  fputs("</section></div></details>\n", out);
}
