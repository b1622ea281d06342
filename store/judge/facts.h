/* SPDX-License-Identifier: MIT */
/* facts: what a member of a document says of the call, and what all of them together do. */
#ifndef IDEMSHIM_STORE_JUDGE_FACTS_H
#define IDEMSHIM_STORE_JUDGE_FACTS_H

#include "store/judge/document.h"

/* What decides. */
enum fact {
  FACT_ERROR,
  FACT_ERRORS,
  FACT_ERROR_WORDS, /* what an `error` says of itself: one that says it is a failure beside an answer, too */
  FACT_TOLD,        /* an error by another name */
  FACT_EXCEPTION,   /* the name of one, if it ends as such a name does */
  FACT_ANSWER,      /* with any of these that is not empty there is an answer, whatever `error` says */
  FACT_MESSAGE,     /* an answer if it is an object, and else the words of an error */
  FACT_WORDS,       /* such words, also where they are a list or an object */
  FACT_BESIDE,      /* stands beside such words; neither a word nor an answer */
  FACT_REASON,      /* such a word; in an event that ends a stream, why */
  FACT_LIST,        /* an answer, and none where it is empty */
  FACT_CHOICE,
  FACT_CHOICE_INDEX,
  FACT_CHOICE_FINISH,
  FACT_FINISH, /* OpenRouter and Cohere say "error" here */
  FACT_OVER,   /* the same, and each event has one */
  FACT_STOP,
  FACT_STATUS,
  FACT_STATE,       /* a weaker word: nothing beside an answer */
  FACT_TASK_STATUS, /* of a task, whose state is all there is to tell */
  FACT_OBJECT,
  FACT_CODE,     /* not zero: a failure */
  FACT_NUMBER,   /* of an error: the same where it is one, in quotes or not */
  FACT_ANY_CODE, /* neither zero nor a success of HTTP, and words beside it: the same. A word is one only where
                    nothing but such words is there */
  FACT_SUCCESS,
  FACT_OK, /* false, and words beside it: a failure */
  FACT_TYPE,
  FACT_EVENT_TYPE,
  FACT_EVENT, /* Dify has its name here */
  FACT_IS_FINISHED,
  FACT_DONE,
  FACT_MODEL,     /* with it `done` is of an answer */
  FACT_TOKEN,     /* KoboldCpp: an event with one and a reason is the last */
  FACT_STOPPED,   /* llama.cpp */
  FACT_GENERATED, /* TGI has the whole text in the last event */
  FACT_NAME,
  FACT_JOB,
  FACT_TICKET, /* a job if nothing else is there */
  FACT_DATA,
  FACT_DATA_TICKET,
  FACT_DATA_ID,
  FACT_DATA_AUDIO,
  FACT_DATA_WORDS,
  FACT_INCOMPLETE_REASON,
  FACT_WORKFLOW,
  FACT_DATA_STATUS,
  FACT_CANDIDATE,
  /* Gemini has no word for the end: each candidate of the last chunk says why it is over. */
  FACT_CANDIDATE_FINISH,
  FACT_BLOCKED,
};

/* One value, which the row of this fact has led to. */
void facts_take(struct document_reader *reader, enum fact fact, enum cursor_event event, size_t depth);
/* An `error` at this depth says something. */
void facts_take_error(struct document_reader *reader, size_t depth);
/* One of `choices` or `candidates` is over. */
void facts_end_choice(struct document_reader *reader);
/* So is the document. */
void facts_end(struct document_reader *reader);

#endif
