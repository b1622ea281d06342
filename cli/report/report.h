/* SPDX-License-Identifier: MIT */
/*
 * report: a run as one HTML page that needs nothing else: no network, no file beside it, no script to be
 * readable.
 *
 *     struct report report = {.tape = tape, .dir = dir, .out = file};
 *     report_read(&report)      every exchange once, for what the picture and the sums need
 *     report_plan(&report)      where each of them is drawn
 *     report_page(&report)      the page; reads the tape a second time, for headers and bodies
 *
 * Memory is taken for an exchange's numbers, not for its bodies: a tape may be a gigabyte. What is on a tape
 * was written by others, so every byte of it goes through report_text().
 */
#ifndef IDEMSHIM_CLI_REPORT_H
#define IDEMSHIM_CLI_REPORT_H

#include "cli/tape/tape.h"
#include "cli/view/prices.h"

#include <stdio.h>

/* The measures of the picture, in CSS pixels. They are chosen so that a label fits beside a bar, a bar can be
 * hit with a finger, and a night with three calls does not become a mile of nothing. */
enum {
  MARGIN = 12,
  WIDTH_LEAST = 960,
  WIDTH_MOST = 16000,
  WIDTH_EACH = 16,
  LABEL_ROOM = 120, /* behind the last bar */
  FOLD_WIDTH = 64,
  FOLD_LEAST_US = 500000,
  AXIS_HEIGHT = 46,
  ROW_HEIGHT = 24,
  BAR_HEIGHT = 14,
  THIN_HEIGHT = 10, /* of a row in which copies finish what apps have given up */
  THIN_BAR = 5,
  BAR_LEAST = 5,
  LANE_GAP = 14,
  ROWS_MOST = 64,
  TICK_LEAST = 80,
  TICK_TOP = 22,
  CROSS_ROOM = 14,
  LETTER_WIDTH = 8,
  OVERVIEW_BINS = 600 /* of the strip that shows all of the run */
};

/* An exchange without its texts. Times are from the beginning of the run, in µs; places of the picture are in
 * CSS pixels. */
struct report_call {
  uint64_t number;
  int64_t start_us, end_us, first_us; /* first_us: of the first byte; end_us if none came */
  uint64_t body_len;
  struct idem_usage usage;
  uint32_t curl_code, lane; /* lane: an index into report->lanes */
  uint16_t status;
  uint8_t what;
  bool failed, stream, no_answer;
  bool rescued; /* given up by the app: all that it took is in its rescue, and in no sum a second time */
  double usd;   /* paid, or of a replay saved; negative: there is no price */
  int64_t process_us; /* of which process, and which of its calls: a rescue has those of its call */
  uint64_t sequence;
  struct cli_money_row *row_of_money; /* while it is read; NULL: it is in no sum */
  char id[IDEM_ID_SIZE];
  char operation[IDEM_ID_SIZE +
                 8];       /* what attempts of one share: its id, or its name on the tape and its number */
  uint64_t previous, next; /* attempts of one operation: after a failed one comes the next; 0: none */

  double x, first_x, end_x; /* in the picture */
  double room_x;            /* where the next bar of the row begins */
  uint32_t row;             /* of the lane: calls that overlap have rows of their own */
};

/* A band of the picture: one thread, or several that came one after the other. */
struct report_lane {
  uint32_t process, lane, pid; /* of the first thread in it */
  uint32_t threads;            /* how many have it, one after the other */
  uint32_t was;                /* its index, by order of appearance */
  int64_t from_us, to_us;
  uint32_t rows, thin_rows; /* the thin ones below the others */
  double y;
};

/* A stretch of time with calls in it. What is between two of them is folded. */
struct report_stretch {
  int64_t from_us, to_us;
  double x, end_x;
};

/* Everything about one page. `calls`, `lanes` and `stretches` are allocated, and freed by the
 * command. */
struct report {
  const struct tape *tape;
  const char *dir;
  FILE *out;
  struct report_call *calls;
  uint64_t *good; /* by which exchange a failed one was made good; 0: by none */
  size_t count;
  struct report_lane *lanes;
  size_t lane_count;
  struct report_stretch *stretches;
  size_t stretch_count;
  int64_t began_us, took_us;
  double width, height;
  size_t body_shown;     /* bytes of each body */
  struct prices *prices; /* NULL: none were given */
  struct cli_money money;
  struct idem_config config; /* the built-in rules, by which it is told why something was not stored */
  struct idem_rule own_api;  /* the same for what is no provider's */
};

int report_read(struct report *report); /* an enum cli_exit */
/* The index of the record's lane, a new one at the end; -1 without memory. */
int report_lane_of(struct report *report, const struct tape_record *record);

/* Puts the lanes into the order in which they are drawn, and everything into its place. False without
 * memory. */
bool report_plan(struct report *report);
int report_page(struct report *report);

/* Where a moment of a stretch lies in the picture. */
double report_x(const struct report *report, int64_t us);

void report_picture(const struct report *report);

/* The strip above the picture: how many calls there were, and failed, over the whole run. */
void report_overview(const struct report *report);

/* One exchange of the list. */
void report_exchange(const struct report *report, const struct tape_record *record);

/* What it opens to beyond its bytes: the answer joined, the difference to the attempt before,
 * why it was not stored. */
void report_insight(const struct report *report, const struct report_call *call,
                    const struct tape_record *record);
void report_answer(const struct report *report, const struct tape_record *record);

/* What the app had waited before it gave up the attempt before this one, in µs; -1: that ended in another
 * way, or there was none. An upstream may have finished it all the same, and been paid for it. */
int64_t report_gave_up_after(const struct report *report, const struct report_call *call);

/* The call with that number; NULL: it is not in the picture. */
const struct report_call *report_find(const struct report *report, uint64_t number);

/* "live", "hit", ..., or "failed": the class that the style sheet has a colour for. */
const char *report_class(const struct report_call *call);

/* "200", "429", "timed out": how it ended, in short. */
const char *report_ending(const struct report_call *call, char text[32]);

/* The text with markup, control characters and marks that turn the direction made harmless. */
void report_text(FILE *out, struct idem_span text);

/* The same for the value of an attribute, which stands in single quotes; bytes beyond ASCII
 * are shown as escapes. */
void report_attribute(FILE *out, struct idem_span text);

/* As much of the text, up to `most`, as ends with a whole character. */
size_t report_whole(struct idem_span text, size_t most);

/* The same for a body: JSON is laid out, and what is longer than `most` is cut with a note. `encoded`: it is
 * not what it says. */
void report_body(FILE *out, struct idem_span body, size_t most, bool encoded);

/* report.css and report.js. */
extern const char report_style[], report_script[];

#endif
