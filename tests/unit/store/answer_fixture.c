/* SPDX-License-Identifier: MIT */
/* Answers to judge, as answer_fixture.h has them. */
#include "tests/unit/store/answer_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct idem_usage answer_usage;

int answer_commit(const struct idem_recording *recording)
{
  static int number;
  char body[32];
  snprintf(body, sizeof(body), "{\"n\":%d}", number++);
  struct caller caller = caller_of(&fixture, body);
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  int rc = idem_store_commit(fixture.store, &caller.call, &caller.request, recording, &caller.error);
  caller_leave(&caller, true);
  cr_expect((rc == IDEM_STORED) == (caller.error.text[0] == '\0'), "%s", caller.error.text);
  if (rc == IDEM_STORED) {
    cr_assert_eq(caller_enter(&caller), IDEM_HIT);
    answer_usage = caller.call.answer.usage;
    caller_leave(&caller, true);
  }
  return rc;
}

/* The same verdict for the body in one piece, and in three, cut at each place. */
static void is_the_same_in_pieces(const char *headers, const char *body)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, headers, body);
  struct caller caller = caller_of(&fixture, body);
  struct answer_facts whole, facts;
  struct idem_error why = {""}, again = {""};
  caller.request.rule = fixture.config.rules;
  caller.request.headers = caller.headers;
  bool accepted = judge_answer(&caller.request, &recording, &whole, &why);
  for (size_t cut = 0; cut <= recording.body.len; cut++) {
    size_t next = cut < recording.body.len ? cut + 1 : cut;
    recording.judge = idem_judge_new(recording.headers, false);
    idem_judge_feed(recording.judge, (struct idem_span){body, cut});
    idem_judge_feed(recording.judge, (struct idem_span){body + cut, next - cut});
    idem_judge_feed(recording.judge, (struct idem_span){body + next, recording.body.len - next});
    cr_expect_eq(judge_answer(&caller.request, &recording, &facts, &again), accepted, "%s cut at %zu", body,
                 cut);
    cr_expect_str_eq(again.text, why.text, "%s cut at %zu", body, cut);
    cr_expect_eq(facts.usage.input, whole.usage.input, "%s cut at %zu", body, cut);
    cr_expect_eq(facts.usage.output, whole.usage.output, "%s cut at %zu", body, cut);
    idem_judge_free(recording.judge);
    again.text[0] = '\0';
  }
}

int answer_stored(const char *headers, const char *body)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, headers, body);
  return answer_commit(&recording);
}

bool answer_accepted(const char *path, const struct idem_rule *rule, const struct answer_sample *sample,
                     struct idem_error *why)
{
  struct caller caller = caller_of(&fixture, "{}");
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, sample->headers, sample->body);
  struct answer_facts facts;

  caller.request.rule = rule ? rule : fixture.config.rules;
  caller.request.header_count = 0;
  caller.request.path = SPAN(path);
  why->text[0] = '\0';
  return judge_answer(&caller.request, &recording, &facts, why);
}

void all_answers_are(const struct answer_sample *sample, size_t count, int wanted)
{
  for (size_t i = 0; i < count; i++) {
    cr_expect_eq(answer_stored(sample[i].headers, sample[i].body), wanted, "%s", sample[i].body);
    is_the_same_in_pieces(sample[i].headers, sample[i].body);
  }
}
