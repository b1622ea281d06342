/* SPDX-License-Identifier: MIT */
/*
 * document: what a JSON document, or one event of a stream, says of the call that it answers: has it failed,
 * is it a job, is it over, what did it cost. One pass over the text, also while it is coming; the tables in
 * document.c (where members stand), words.c (what they say), counts.c (tokens) and config/answers.def know
 * the providers' words.
 *
 *     struct document document = DOCUMENT_INIT;
 *     document_read(data, &document);
 *     if (document.json && document.failed) ...
 *
 * A text that is still coming:
 *
 *     struct document_reader reader;
 *     document_begin(&reader, &document);
 *     used += document_feed(&reader, (struct idem_span){body + used, len - used}, false);    // as often as
 * it grows
 *     document_feed(&reader, (struct idem_span){body + used, len - used}, true);             // once
 *
 * It needs no memory but for texts that are nested more than 512 levels deep. A reader belongs to one thread.
 */
#ifndef IDEMSHIM_STORE_JUDGE_DOCUMENT_H
#define IDEMSHIM_STORE_JUDGE_DOCUMENT_H

#include "store/json/json_cursor.h"

/* Which of the choices of an answer have begun, and which are over, by their index. */
struct document_choices {
  uint64_t begun[2], over[2];
  uint64_t awaited[2]; /* said once that they are not over yet: the end of such a one says that it is */
  /* Why choices, or the answer, were over: how often, and how often for want of room. */
  unsigned reasons, lengths;
};

struct document {
  bool json;      /* it is JSON up to its last byte */
  bool cut;       /* it ends within a value */
  bool container; /* an object or an array, which shows its own end */
  bool filled;    /* there is something in it: neither {} nor [] */
  bool answers;   /* it has what is an answer in some provider's words, empty or not */
  bool several; /* one stands behind the other; what ends or goes on is the last's, and a failure any one's */
  bool failed;  /* it reports a failure and has no answer beside it, or says that it failed */
  bool error;   /* it has an `error` that is not null: in a stream that is a failure */
  bool words;   /* it has words for people and nothing else, as an error has: {"detail": "..."} */
  bool empty;   /* its list of choices is null, empty or not there: no failure in an event */
  bool half;    /* it says by `done` that it goes on: in a document of its own it is a piece */
  bool job;     /* it names work that goes on elsewhere */
  bool ended;   /* an event: the provider's own end */
  bool over;    /* an event: an end in words that others use for less, which takes whole framing to believe */
  bool broken;  /* an event: a reason that is none of the answer's own, if this is the end */
  bool goes_on; /* an event: what was an end before it is none any more */
  bool owes;    /* an event: of a stream that has an end in words of its own, and is over with no other */
  /* What it does not report stays; of several events the last counts. */
  struct idem_usage usage;
  struct document_choices choices;
  struct document_choices candidates; /* Gemini's, which are over until one of them goes on */
};
#define DOCUMENT_INIT                                                                                        \
  {                                                                                                          \
    .usage = { -1, -1 }                                                                                      \
  }

/* Reads one document, or several behind each other, which are then events of a stream; the members of an
 * array at the root are documents, too (Gemini). All but `usage`, `choices` and `candidates` is set anew. */
void document_read(struct idem_span text, struct document *document);

/* True if `name` is that of an event which reports a failure, or which ends a stream as
 * `ended` and `over` say it. */
bool document_is_failure(struct idem_span name);
bool document_is_end(struct idem_span name);
bool document_is_over(struct idem_span name);

/* True if each choice that has begun is over, and there was one. */
bool document_choices_over(const struct document_choices *choices);

/* True if one said that it was not over, and never that it is. */
bool document_choices_awaited(const struct document_choices *choices);

/* True if some are over, and some are not. */
bool document_choices_differ(const struct document_choices *choices);

enum { DOCUMENT_DEPTH = 4, DOCUMENT_PLACES = 14, DOCUMENT_COUNTS = 19 };

struct document_reader {
  struct document *document;
  struct json_cursor cursor;
  bool begun, bad, closed; /* `closed`: a whole object or array has been read */
  size_t base;             /* documents stand at this depth: 1 in an array of them */
  /* The ways that begin as where the reader is, or NULL, and which rows of the tables lead
   * there, for each depth. */
  const struct ways *ways;
  uint64_t ways_left[DOCUMENT_DEPTH + 1];
  uint32_t places[DOCUMENT_DEPTH + 1];
  bool answered, told, typed, end_typed, completion, stopped, listed, operation, done, code, code_word,
      worded;
  bool status_word, status_number; /* a `status` of that kind */
  bool denied, blamed;             /* `success` is false, and what else is there says what has failed */
  bool workflow, workflow_event, workflow_over, workflow_failed; /* Dify's */
  bool undone, model;        /* `done` is false, and it names the model that it is an answer of */
  bool token, reasoned;      /* KoboldCpp's; a reason at the top */
  bool audio, spoken_out;    /* MiniMax's */
  bool data_id, begun_data;  /* what `data` has, and that its `status` is that of a job */
  bool chooses;              /* its `object` is one whose answer stands in `choices` */
  bool incomplete, filtered; /* `status` is that, and it is for another reason than the length */
  bool created, expected;    /* so is `status`, and the answer is there as a null */
  bool in_data;
  size_t data_members, data_tickets; /* how many names are in its `data`, and of a task are of them */
  bool spoken, ticket, other; /* words that can stand alone, the id of a task, a member that no row has */
  bool opened, opened_list;   /* the last event began what is an answer unless it is empty */
  size_t error_depth;         /* of an `error` that has begun and is not over */
  size_t choice, choice_position, candidates;
  struct document_choices *choices; /* those that the choice is one of; NULL outside of any */
  bool choice_over, choice_awaited, blocked;
  uint32_t counted; /* places that have any of the counts; a bit each */
  int64_t count[DOCUMENT_PLACES][DOCUMENT_COUNTS];
};

void document_begin(struct document_reader *reader, struct document *document);

/* Returns how much of the text needs not be given again. Nothing but `usage`, `choices` and `candidates` is
 * settled before `last`. */
size_t document_feed(struct document_reader *reader, struct idem_span text, bool last);

/* For a reader that will not be fed to its end. */
void document_abandon(struct document_reader *reader);

#endif
