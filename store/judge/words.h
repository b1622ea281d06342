/* SPDX-License-Identifier: MIT */
/*
 * words: what the values of a document say, in the words that providers have for it.
 *
 *     if (words_have_state(WORDS_JOB_STATES, text)) ...
 *
 * A text is that of a string without its quotes, of a number or of a word, as it stands in the document.
 */
#ifndef IDEMSHIM_STORE_JUDGE_WORDS_H
#define IDEMSHIM_STORE_JUDGE_WORDS_H

#include "store/json/json_cursor.h"

#include <string.h>

enum words {
  WORDS_ERROR,
  WORDS_FAILURES,
  WORDS_LOOSE_ENDS,
  WORDS_ABORTED,
  WORDS_BETWEEN,
  WORDS_OWING,
  WORDS_COMPLETIONS,
  WORDS_FAILED_STATES,
  WORDS_FAILED_WORKFLOWS,
  WORDS_REFUSED_STATES,
  WORDS_JOB_STATES,
  WORDS_BEGUN_STATES,
  WORDS_BROKEN,
  WORDS_UNFINISHED,
  WORDS_UNBLOCKED,
  WORDS_SUCCESSES,
  WORDS_LENGTHS,
};

/* True if the text is one of the list. */
bool words_have(enum words list, struct idem_span text);
/* The same without regard to case, for words that no escape is in. */
bool words_have_state(enum words list, struct idem_span text);
/* The same of the words behind "_" or "-" with which it ends: USER_CANCEL. */
bool words_end_as_a_state(enum words list, struct idem_span text);
/* True if it begins as one of them does. */
bool words_begin(enum words list, struct idem_span text);
/* True if it is what ends a stream in a provider's own words (config/answers.def). */
bool words_are_an_end(struct idem_span text);

bool words_say_error(struct idem_span text);
bool words_say_something(enum cursor_event event, struct idem_span text);
bool words_say_failure(enum cursor_event event, struct idem_span text);
bool words_are_digits(struct idem_span text);
bool words_are_a_failing_code(struct idem_span text, enum cursor_event event);
bool words_are_an_address(struct idem_span text);
bool words_end_as_an_exception(struct idem_span name);
int64_t words_number(struct idem_span text);

/* `escaped`: there are backslashes in the name, which is seldom. */
static inline bool words_are(struct idem_span name, bool escaped, const char *word, size_t len)
{
  if (escaped)
    return json_string_is(name, word, len);
  return name.len == len && *name.data == *word && memcmp(name.data, word, len) == 0;
}

/* The same where the row has no length: that is not counted unless the first letter is right. */
static inline bool words_are_all_of(struct idem_span name, bool escaped, const char *word)
{
  return (escaped || *name.data == *word) && words_are(name, escaped, word, strlen(word));
}

#endif
