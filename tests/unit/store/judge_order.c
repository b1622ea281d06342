/* SPDX-License-Identifier: MIT */
/* JSON has no order of members: what a document is does not depend on theirs. */
#include "store/judge/document.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(store_judge_order);

/* Each fact of the judge's table at least once, saying this and saying that. */
static const char *const members[] = {
    "\"error\":null",
    "\"error\":{\"message\":\"m\"}",
    "\"error\":{}",
    "\"error\":\"ok\"",
    "\"errors\":[]",
    "\"errors\":[1]",
    "\"errorMessage\":\"m\"",
    "\"__type\":\"ValidationException\"",
    "\"choices\":[]",
    "\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]",
    "\"choices\":[{\"finish_reason\":\"length\",\"index\":1},{\"index\":0}]",
    "\"content\":[]",
    "\"output\":[{}]",
    "\"output\":{\"task_status\":\"PENDING\",\"finish_reason\":\"null\"}",
    "\"response\":{\"error\":{\"code\":1},\"status\":\"in_progress\"}",
    "\"response\":{\"usage\":{\"input_tokens\":3}}",
    "\"response\":null",
    "\"generated_text\":\"t\"",
    "\"message\":\"m\"",
    "\"message\":{\"content\":\"c\"}",
    "\"detail\":[{\"loc\":1}]",
    "\"reason\":\"timeout\"",
    "\"title\":\"t\"",
    "\"id\":\"i\"",
    "\"task_id\":\"t\"",
    "\"finish_reason\":\"error\"",
    "\"finish_reason\":null",
    "\"stop_reason\":\"end_turn\"",
    "\"stop_reason\":null",
    "\"status\":\"success\"",
    "\"status\":\"error\"",
    "\"status\":\"failed\"",
    "\"status\":\"failure\"",
    "\"status\":\"queued\"",
    "\"status\":\"created\"",
    "\"status\":\"incomplete\"",
    "\"status\":200",
    "\"status\":\"429\"",
    "\"state\":\"failed\"",
    "\"state\":\"running\"",
    "\"processing_status\":\"in_progress\"",
    "\"object\":\"error\"",
    "\"object\":\"list\"",
    "\"error_code\":17",
    "\"error_code\":0",
    "\"code\":17",
    "\"code\":0",
    "\"code\":\"Throttling.RateQuota\"",
    "\"code\":\"ok\"",
    "\"success\":false",
    "\"success\":true",
    "\"ok\":false",
    "\"ok\":true",
    "\"type\":\"error\"",
    "\"type\":\"message_stop\"",
    "\"type\":\"about:blank\"",
    "\"type\":\"https://errors.example/x\"",
    "\"type\":\"completion\"",
    "\"type\":\"abort\"",
    "\"type\":\"image_edit.partial_image\"",
    "\"event_type\":\"stream-end\"",
    "\"event_type\":\"error\"",
    "\"event_type\":\"text-generation\"",
    "\"event\":\"message_end\"",
    "\"event\":\"workflow_finished\"",
    "\"is_finished\":true",
    "\"done\":false",
    "\"done\":true",
    "\"stop\":true",
    "\"name\":\"operations/1\"",
    "\"polling_url\":\"u\"",
    "\"candidates\":[{\"finishReason\":\"STOP\"}]",
    "\"candidates\":[{\"content\":1}]",
    "\"candidates\":[{\"index\":1},{\"finishReason\":\"STOP\",\"index\":0}]",
    "\"promptFeedback\":{\"blockReason\":\"SAFETY\"}",
    "\"promptFeedback\":{\"blockReason\":null}",
    "\"x_groq\":{\"error\":\"over_capacity\"}",
    "\"usage\":{\"prompt_tokens\":1,\"input_tokens\":2,\"cache_read_input_tokens\":4}",
    "\"eval_count\":5",
    "\"workflow_run_id\":\"w\"",
    "\"data\":{\"status\":\"failed\"}",
    "\"data\":{\"taskId\":\"t\"}",
    "\"data\":{\"message\":\"m\"}",
    "\"incomplete_details\":{\"reason\":\"content_filter\"}",
    "\"results\":[{\"stop_reason\":\"not_finished\"}]",
    "\"other\":1",
};
enum { MEMBERS = sizeof(members) / sizeof(*members) };

/* What is read of it, as a text that shows where two differ. */
static void read_as_text(const char *body, char *out, size_t size)
{
  struct document document = DOCUMENT_INIT;
  document_read((struct idem_span){body, strlen(body)}, &document);
  snprintf(out, size,
           "json=%d failed=%d error=%d words=%d empty=%d job=%d ended=%d over=%d broken=%d goes_on=%d "
           "answers=%d owes=%d usage=%lld,%lld "
           "reasons=%u,%u choices=%d,%d,%d candidates=%d,%d",
           document.json, document.failed, document.error, document.words, document.empty, document.job,
           document.ended, document.over, document.broken, document.goes_on, document.answers, document.owes,
           (long long)document.usage.input, (long long)document.usage.output, document.choices.reasons,
           document.choices.lengths, document_choices_over(&document.choices),
           document_choices_differ(&document.choices), document_choices_awaited(&document.choices),
           document_choices_over(&document.candidates), document_choices_differ(&document.candidates));
}

/* Of three members each order; an equal pair is left out, for of one name twice the last one counts. */
Test(store_judge_order, members_in_another_order_say_the_same, .timeout = 300)
{
  static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  char first[256], other[256], body[512], first_body[512];
  unsigned wrong = 0;
  for (int a = 0; a < MEMBERS; a++)
    for (int b = a + 1; b < MEMBERS; b++)
      for (int c = b + 1; c < MEMBERS; c++) {
        const char *const three[] = {members[a], members[b], members[c]};
        size_t name_a = strcspn(three[0] + 1, "\""), name_b = strcspn(three[1] + 1, "\"");
        if (strncmp(three[0], three[1], name_a + 2) == 0 || strncmp(three[1], three[2], name_b + 2) == 0)
          continue;
        for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
          snprintf(body, sizeof(body), "{%s,%s,%s}", three[orders[i][0]], three[orders[i][1]],
                   three[orders[i][2]]);
          read_as_text(body, i ? other : first, sizeof(first));
          if (i == 0)
            snprintf(first_body, sizeof(first_body), "%s", body);
          else if (strcmp(first, other) != 0 && wrong++ < 20)
            cr_expect_str_eq(other, first, "%s is not read as %s", body, first_body);
        }
      }
  cr_expect_eq(wrong, 0, "%u", wrong);
}
