/* SPDX-License-Identifier: MIT */
#include "store/judge/facts.h"

#include "store/judge/counts.h"
#include "store/judge/words.h"

#include <string.h>

/* Why a choice, or all of it, is over; false if it is not. */
static bool take_reason(struct document_reader *reader, struct idem_span reason)
{
  struct document *document = reader->document;
  if (words_have_state(WORDS_UNFINISHED, reason))
    return false;
  document->choices.reasons++;
  document->choices.lengths += words_have_state(WORDS_LENGTHS, reason);
  document->failed |= words_say_error(reason) || words_end_as_a_state(WORDS_BROKEN, reason);
  return true;
}

/* Of more than 128 choices the rest is not followed; nobody asks for as many. */
void facts_end_choice(struct document_reader *reader)
{
  struct document_choices *choices = reader->choices;
  reader->choices = NULL;
  if (reader->choice >= 128)
    return;
  uint64_t bit = (uint64_t)1 << reader->choice % 64;
  choices->begun[reader->choice / 64] |= bit;
  if (choices == &reader->document->candidates)
    choices->over[reader->choice / 64] &= ~bit;
  if (reader->choice_over)
    choices->over[reader->choice / 64] |= bit;
  if (reader->choice_awaited)
    choices->awaited[reader->choice / 64] |= bit;
}

static void take_status(struct document_reader *reader, enum cursor_event event, bool nested)
{
  struct document *document = reader->document;
  struct idem_span text = reader->cursor.text;
  reader->incomplete |= event == CURSOR_STRING && words_have_state(WORDS_LENGTHS, text);
  document->failed |= event == CURSOR_STRING && words_have_state(WORDS_FAILED_STATES, text);
  /* `response` in an event tells how the whole call stands by then: in_progress there is no job. */
  if (nested)
    return;
  if (event == CURSOR_NUMBER)
    reader->told |= words_number(text) >= 400 && words_number(text) < 600;
  if (event != CURSOR_STRING)
    return;
  document->job |= words_have_state(WORDS_JOB_STATES, text);
  reader->created |= words_have_state(WORDS_BEGUN_STATES, text);
  reader->told |= words_have_state(WORDS_ERROR, text);
  reader->code |= words_have_state(WORDS_REFUSED_STATES, text);
}

/* An `error` is one if it says something, or something in it does. */
void facts_take_error(struct document_reader *reader, size_t depth)
{
  reader->told = reader->blamed = reader->document->error = true;
  reader->document->failed |= depth > 1;
}

/* It only notes what is there; what depends on other members is weighed by facts_end(), for they come in any
 * order. So are `told` and `answered`: an error at the top is a failure only where no answer is beside it,
 * since some send the member always. One of a choice or of a delta is a failure by itself. */
void facts_take(struct document_reader *reader, enum fact fact, enum cursor_event event, size_t depth)
{
  struct document *document = reader->document;
  struct idem_span text = reader->cursor.text;
  bool string = event == CURSOR_STRING, object = event == CURSOR_OBJECT, list = event == CURSOR_ARRAY;
  bool is_true = event == CURSOR_WORD && *text.data == 't',
       is_false = event == CURSOR_WORD && *text.data == 'f';
  bool says = words_say_something(event, text);
  switch (fact) {
  case FACT_ERROR:
    if (object || list)
      reader->error_depth = depth;
    if (words_say_failure(event, text))
      facts_take_error(reader, depth);
    break;
  case FACT_ERRORS:
  case FACT_TOLD:
    reader->told |= words_say_failure(event, text);
    reader->blamed |= words_say_failure(event, text);
    reader->opened_list = object || list;
    break;
  case FACT_ERROR_WORDS:
    document->failed |= words_say_failure(event, text);
    break;
  case FACT_EXCEPTION:
    reader->told |= string && words_end_as_an_exception(text);
    break;
  case FACT_WORDS:
    reader->spoken |= object || list;
    reader->worded |= object || list;
    /* fall through */
  case FACT_MESSAGE:
    reader->opened = object && fact == FACT_MESSAGE;
    reader->worded |= string;
    reader->spoken |= string && text.len;
    break;
  case FACT_REASON:
    document->broken |=
        string && (words_have_state(WORDS_ERROR, text) || words_have_state(WORDS_BROKEN, text));
    break;
  case FACT_BESIDE:
    break;
  case FACT_LIST:
    reader->listed = true;
    reader->choice_position = 0;
    /* fall through */
  case FACT_ANSWER:
    reader->opened = object || list;
    reader->expected |= event == CURSOR_WORD && *text.data == 'n';
    reader->answered |= says || is_false || event == CURSOR_NUMBER;
    break;
  case FACT_CHOICE:
  case FACT_CANDIDATE:
    /* By position, until its `index` says otherwise: a stream's events may have any one choice as their only
     * one. */
    reader->choice = reader->choice_position++;
    reader->choice_over = reader->choice_awaited = false;
    reader->choices = !object ? NULL : fact == FACT_CANDIDATE ? &document->candidates : &document->choices;
    reader->candidates += fact == FACT_CANDIDATE;
    break;
  case FACT_CHOICE_INDEX:
    if (event == CURSOR_NUMBER && words_number(text) >= 0)
      reader->choice = (size_t)words_number(text);
    break;
  case FACT_CHOICE_FINISH:
    reader->choice_over = string && take_reason(reader, text);
    reader->choice_awaited = !reader->choice_over;
    break;
  case FACT_FINISH: {
    bool over = string && take_reason(reader, text);
    reader->reasoned |= over && depth == 1;
    break;
  }
  case FACT_OVER: {
    bool over = string && take_reason(reader, text);
    document->over |= over;
    document->goes_on |= !over;
    break;
  }
  case FACT_STOP:
    reader->stopped = string;
    if (string)
      take_reason(reader, text);
    break;
  case FACT_STATUS:
    /* "429" is the number. */
    if (string && text.len && words_are_digits(text)) {
      event = CURSOR_NUMBER;
      string = false;
    }
    take_status(reader, event, depth > 1);
    reader->status_word |= string;
    reader->status_number |= event == CURSOR_NUMBER;
    break;
  case FACT_STATE:
    if (reader->base)
      break;
    reader->told |= string && words_have_state(WORDS_FAILED_STATES, text);
    reader->operation |= string && words_have_state(WORDS_JOB_STATES, text);
    break;
  case FACT_TASK_STATUS:
    document->failed |= string && (words_have_state(WORDS_FAILED_STATES, text) ||
                                   words_have_state(WORDS_REFUSED_STATES, text));
    document->job |= string && words_have_state(WORDS_JOB_STATES, text);
    break;
  case FACT_OBJECT:
    if (string && words_have(WORDS_ERROR, text))
      document->failed = document->error = true;
    reader->chooses |= string && words_have(WORDS_COMPLETIONS, text);
    break;
  case FACT_CODE:
    if ((event == CURSOR_NUMBER && words_number(text) != 0) ||
        (string && text.len && !json_string_is(text, "0", 1)))
      document->failed = document->error = true;
    break;
  case FACT_NUMBER:
    if ((event == CURSOR_NUMBER || (string && words_are_digits(text))) &&
        words_are_a_failing_code(text, event))
      document->failed = document->error = true;
    reader->other |= (string || event == CURSOR_NUMBER) && !words_are_a_failing_code(text, event);
    break;
  case FACT_ANY_CODE:
    *(event == CURSOR_NUMBER || words_are_digits(text) ? &reader->code : &reader->code_word) |=
        words_are_a_failing_code(text, event);
    reader->other |= (string || event == CURSOR_NUMBER) && !words_are_a_failing_code(text, event);
    break;
  case FACT_SUCCESS:
    reader->told |= is_false;
    reader->denied |= is_false;
    reader->other |= is_true;
    break;
  case FACT_OK:
    reader->code |= is_false;
    reader->other |= is_true;
    break;
  case FACT_EVENT:
    document->over |= string && document_is_over(text);
    document->error |= string && document_is_failure(text);
    reader->workflow_event |= string;
    reader->workflow_over |= string && json_string_is(text, "workflow_finished", 17);
    break;
  case FACT_EVENT_TYPE:
  case FACT_TYPE:
    /* Of an end `type` has the say where both are there; a failure is one by either. */
    reader->typed |= fact == FACT_TYPE;
    if (fact == FACT_TYPE || !reader->typed) {
      reader->end_typed = string && words_are_an_end(text);
      /* Anthropic's text completions: each event has a stop_reason, which is null up to the last. */
      reader->completion = string && json_string_is(text, "completion", 10);
    }
    document->goes_on |= string && words_have(WORDS_BETWEEN, text);
    document->owes |= string && words_begin(WORDS_OWING, text);
    document->over |= string && document_is_over(text);
    if (string && document_is_failure(text))
      facts_take_error(reader, depth);
    document->error |= string && words_have(WORDS_ABORTED, text);
    reader->told |= string && json_string_is(text, "about:blank", 11);
    reader->code_word |= string && words_are_an_address(text);
    reader->other |= string && !words_are_an_address(text) && !words_say_error(text);
    break;
  case FACT_STOPPED:
    document->over |= is_true;
    document->goes_on |= is_false;
    break;
  case FACT_GENERATED:
    document->over |= string;
    break;
  case FACT_IS_FINISHED:
  case FACT_DONE:
    reader->done |= is_true;
    reader->undone |= is_false && fact == FACT_DONE;
    document->goes_on |= is_false;
    break;
  case FACT_MODEL:
  case FACT_TOKEN:
    *(fact == FACT_MODEL ? &reader->model : &reader->token) |= string;
    reader->other |= event != CURSOR_WORD || *text.data != 'n';
    break;
  case FACT_NAME:
    /* Google's long-running operations: {"name": "operations/...", "done": false}. */
    reader->operation |= string && memmem(text.data, text.len, "operations/", 11);
    break;
  case FACT_JOB:
    reader->operation |= string;
    break;
  case FACT_TICKET:
    reader->ticket |= string && text.len;
    break;
  case FACT_DATA:
    reader->in_data = object;
    break;
  case FACT_DATA_TICKET:
    reader->data_tickets += string && text.len;
    break;
  case FACT_DATA_ID:
    reader->data_id |= (string && text.len) || event == CURSOR_NUMBER;
    break;
  case FACT_DATA_AUDIO:
    reader->audio |= string;
    break;
  case FACT_DATA_WORDS:
    reader->blamed |= string && text.len;
    break;
  case FACT_INCOMPLETE_REASON:
    reader->filtered |= string && !words_have_state(WORDS_LENGTHS, text);
    break;
  case FACT_WORKFLOW:
    reader->workflow |= string;
    reader->other |= string;
    break;
  case FACT_DATA_STATUS:
    reader->workflow_failed |= string && words_have(WORDS_FAILED_WORKFLOWS, text);
    reader->begun_data |= string && words_have_state(WORDS_JOB_STATES, text);
    /* MiniMax's speech: 1 while it is made, and 2 when it is all there. */
    reader->spoken_out |= event == CURSOR_NUMBER && words_number(text) == 2;
    break;
  case FACT_CANDIDATE_FINISH:
    reader->choice_over = string && take_reason(reader, text);
    break;
  case FACT_BLOCKED:
    reader->blocked = string && !words_have(WORDS_UNBLOCKED, text);
    break;
  }
}

void facts_end(struct document_reader *reader)
{
  struct document *document = reader->document;
  /* By now every member has been seen, and only now what one of them is worth beside the others is weighed:
   * they come in any order. Beside a status of success even words alone are an answer. */
  reader->other |=
      (reader->status_word && !reader->code && !document->failed) || (reader->status_number && !reader->told);
  /* A refusal of Gemini's is a blockReason without candidates, and is the answer. */
  reader->told |= reader->worded && (reader->code || (reader->code_word && !reader->other));
  document->failed |= reader->denied && (reader->blamed || reader->worded);
  /* A node of Dify's may fail, and the run go on by another way. */
  document->failed |=
      reader->workflow_failed && (reader->workflow_over || (reader->workflow && !reader->workflow_event));
  if (reader->incomplete) {
    document->choices.reasons++;
    document->choices.lengths += !reader->filtered;
  }
  document->failed |= reader->told && !reader->answered;
  /* A list of records is whole, whatever one of them has. */
  document->words |= reader->spoken && !reader->answered && !reader->other && !reader->base;
  document->empty |= (reader->listed || reader->chooses) && !reader->answered && !reader->blocked &&
                     !reader->base && !document->several;
  document->job |= reader->operation && !reader->answered && !reader->done;
  document->job |= reader->created && reader->expected && !reader->answered;
  document->job |= reader->data_tickets && reader->data_tickets == reader->data_members && !reader->base;
  document->job |= reader->begun_data && (reader->data_id || reader->data_tickets) && !reader->base;
  document->job |= reader->ticket && !reader->answered && !reader->other && !reader->spoken && !reader->base;
  document->half |= reader->undone && reader->model && !reader->base;
  document->over |= reader->audio && reader->spoken_out;
  document->ended = reader->end_typed || reader->done || (reader->token && reader->reasoned) ||
                    (reader->completion && reader->stopped);
  document->goes_on |= reader->completion && !reader->stopped;
  document->answers |= reader->answered || reader->listed || reader->blocked;
  if (reader->candidates || reader->blocked) {
    document->ended = reader->blocked || document_choices_over(&document->candidates);
    document->goes_on = !document->ended;
  }
  counts_end(reader);
}
