/* SPDX-License-Identifier: MIT */
/* The page as a whole: its head, the sums, the picture, the list. Style and script are in it, so
 * it can be mailed as one file, and a policy in its head lets nothing else run or be fetched. */
#include "cli/output/units.h"
#include "cli/report/report.h"
#include "cli/view/exchange.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

/* Nothing is fetched, and no script but ours runs, even if something on the tape were taken for markup. The
 * directory's name is the title; it may hold anything, too. */
static void put_head(const struct report *report)
{
  char when[CLI_UNIT_SIZE], took[CLI_UNIT_SIZE];
  unsigned char digest[SHA256_DIGEST_LENGTH], script[64];
  FILE *out = report->out;
  /* The style is inline as well, but can fetch nothing, and what is on the tape is never in it. */
  SHA256((const unsigned char *)report_script, strlen(report_script), digest);
  /* Of what stands between the tags, to the byte (CSP, hash-source); 32 bytes are 44 characters. */
  EVP_EncodeBlock(script, digest, sizeof(digest));
  fprintf(out,
          "<!doctype html>\n<html lang=en><meta charset=utf-8>\n"
          "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; "
          "script-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n",
          script);
  fputs("<meta name=viewport content='width=device-width,initial-scale=1'>\n<meta name=color-scheme "
        "content='light dark'>"
        "\n<title>Tape ",
        out);
  report_text(out, cli_span(report->dir));
  fprintf(out, "</title>\n<style>\n%s</style>\n<main>\n<h1>Tape ", report_style);
  report_text(out, cli_span(report->dir));
  fprintf(out, "</h1>\n<p class=sub>%s, %s from the first call to the end of the last</p>\n",
          report->count ? cli_time(when, report->began_us) : "no calls",
          cli_duration(took, (uint64_t)report->took_us / 1000));
}

/* Sums. */

/* The order of times, for qsort(). */
static int by_value(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* The median and the 95th of a hundred of the times to the first byte of live calls that had one. */
static void put_waits(const struct report *report)
{
  int64_t *waits = calloc(report->count + 1, sizeof(*waits));
  char middle[CLI_UNIT_SIZE] = "-", high[CLI_UNIT_SIZE] = "-";
  size_t count = 0;
  for (size_t i = 0; waits && i < report->count; i++)
    /* With a status, an answer did come; a replay's first byte says nothing of the server. */
    if (report->calls[i].what == TAPE_LIVE && report->calls[i].status)
      waits[count++] = report->calls[i].first_us - report->calls[i].start_us;
  if (count) {
    qsort(waits, count, sizeof(*waits), by_value);
    cli_duration(middle, (uint64_t)waits[count / 2] / 1000);
    /* Never beyond the last: count * 95 / 100 is less than count. */
    cli_duration(high, (uint64_t)waits[count * 95 / 100] / 1000);
  }
  fprintf(
      report->out,
      "<div><dt>First byte, median</dt><dd><span>%s</span> <span><small>p95 %s</small></span></dd></div>\n",
      middle, high);
  free(waits);
}

/* `bad`: in red unless it is 0. */
static void put_sum(FILE *out, const char *name, uint64_t n, bool bad)
{
  char text[CLI_UNIT_SIZE];
  fprintf(out, "<div%s><dt>%s</dt><dd>%s</dd></div>\n", bad && n ? " class=bad" : "", name,
          cli_count(text, n));
}

/* By model, the dearest first. What has no price says so. */
static void put_money(const struct report *report)
{
  char paid[40], saved[40], given_up[40], calls[CLI_UNIT_SIZE];
  FILE *out = report->out;
  fputs("<table class=money><thead><tr><th>model<th>calls<th>paid<th>saved<th>given up</thead>\n", out);
  for (size_t i = 0; i < report->money.count; i++) {
    const struct cli_money_row *row = &report->money.row[i];
    fputs("<tr><td>", out);
    report_text(out, cli_span(row->model));
    fprintf(out, "<td>%s<td>%s<td>%s<td>%s", cli_count(calls, row->calls),
            row->unpriced == row->calls ? "no price" : cli_dollars(paid, row->paid),
            cli_dollars(saved, row->saved), cli_dollars(given_up, row->given_up));
    if (row->unpriced && row->unpriced < row->calls)
      fprintf(out, "<td>%" PRIu64 " without a price", row->unpriced);
  }
  fputs("</table>\n", out);
}

/* The figures above the picture. Tokens of what was replayed were paid for once already. What a copy finished
 * in the background is not a failure that the app saw. */
static void put_sums(const struct report *report)
{
  size_t failed = 0, good = 0, retries = 0, timeouts = 0, saved = 0;
  uint64_t input_tokens = 0, output_tokens = 0;
  char input[CLI_UNIT_SIZE], output[CLI_UNIT_SIZE];
  FILE *out = report->out;
  for (size_t i = 0; i < report->count; i++) {
    const struct report_call *call = &report->calls[i];
    bool replayed = call->what == TAPE_HIT || call->what == TAPE_JOIN;
    failed += call->what != TAPE_RESCUE && call->failed;
    good += call->what != TAPE_RESCUE && call->failed && report->good[call->number - 1];
    retries += call->previous != 0;
    timeouts += report_gave_up_after(report, call) >= 0;
    saved += replayed;
    input_tokens += !replayed && !call->rescued && call->usage.input > 0 ? (uint64_t)call->usage.input : 0;
    output_tokens += !replayed && !call->rescued && call->usage.output > 0 ? (uint64_t)call->usage.output : 0;
  }
  fputs("<dl class=sums>\n", out);
  put_sum(out, "Calls", report->count, false);
  put_sum(out, "Failed", failed, true);
  put_sum(out, "Made good by a retry", good, false);
  put_sum(out, "Retries", retries, false);
  put_sum(out, "Of them after a timeout", timeouts, false);
  put_sum(out, "Hits and joins", saved, false);
  put_waits(report);
  fprintf(out,
          "<div><dt>Tokens paid for</dt><dd><span>%s <small>in</small></span> <span>%s "
          "<small>out</small></span></dd></div>\n",
          cli_count(input, input_tokens), cli_count(output, output_tokens));
  if (report->prices)
    fprintf(
        out,
        "<div><dt>Paid, and saved</dt><dd><span>%s</span> <span><small>%s saved</small></span></dd></div>\n",
        cli_dollars(input, report->money.sum.paid), cli_dollars(output, report->money.sum.saved));
  fputs("</dl>\n", out);
  if (report->prices)
    put_money(report);
}

/* The legend has only the kinds that occur in this run. */
static void put_legend(const struct report *report)
{
  static const char *const helps[TAPE_WHATS] = {"sent upstream",        "answered from the store",
                                                "joined one in flight", "passed by the shim",
                                                "refused by the shim",  "finished in the background"};
  bool seen[TAPE_WHATS] = {false};
  for (size_t i = 0; i < report->count; i++)
    seen[report->calls[i].what] = true;
  /* Pale and full are in every bar. */
  fputs("<ul class=legend>", report->out);
  for (int what = 0; what < TAPE_WHATS; what++)
    if (seen[what])
      fprintf(report->out, "<li class=%s><i></i>%s: %s</li>", tape_what_name((enum tape_what)what),
              tape_what_name((enum tape_what)what), helps[what]);
  fputs("<li class=failed><i></i>failed</li><li class=line><i></i>tried again</li><li>pale: waiting; full: "
        "receiving</li></ul>\n",
        report->out);
}

/* The list. */

/* A full disk ends the page; the draft is removed by the sink. */
static int visit(void *arg, const struct tape_record *record)
{
  struct report *report = arg;
  report_exchange(report, record);
  return ferror(report->out) ? CLI_STORE : CLI_OK;
}

/* The second reading of the tape happens in the middle of it. Returns an enum cli_exit. */
int report_page(struct report *report)
{
  put_head(report);
  put_sums(report);
  /* A tape without an exchange has a page too, which says so. */
  if (report->count) {
    fputs("<h2>The run</h2>\n", report->out);
    put_legend(report);
    report_overview(report);
    report_picture(report);
  }
  fputs("<h2>Calls</h2>\n", report->out);
  fputs("<div class=bar><input type=search placeholder='Find in calls' aria-label='Find in calls'><label>"
        "<input type=checkbox> failed only</label><label>sort by <select><option value=n>number<option "
        "value=took>time taken"
        "<option value=wait>first byte<option value=tokens>tokens<option value=size>size<option "
        "value=usd>cost</select></label>"
        "<output></output></div>\n",
        report->out); /* for report.js; without scripts the list is whole */
  fputs("<div class=list>\n", report->out);
  int code = cli_tape_each(report->tape, "tape report, writing", true, visit, report);
  fputs("</div>\n", report->out);
  fprintf(report->out,
          "<footer>Written by idemshim " IDEM_VERSION "; credentials were left out when the run was recorded."
          "</footer>\n</main>\n<script>%s</script>\n</html>\n",
          report_script);
  return code;
}
