/* SPDX-License-Identifier: MIT */
/* What usage=zero makes of a body, whoever has written it. */
#include "store/store.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *body, *zeroed;
  size_t numbers;
} rows[] = {
    /* OpenAI, Anthropic */
    {"{\"n\":7,\"usage\":{\"prompt_tokens\":12,\"details\":{\"cached\":3},\"tier\":\"a9\",\"cost\":-0.25e-2},"
     "\"m\":8}",
     "{\"n\":7,\"usage\":{\"prompt_tokens\":0 ,\"details\":{\"cached\":0},\"tier\":\"a9\",\"cost\":0       "
     "},\"m\":8}",
     3},
    {"data: {\"usage\": null}\n\ndata: {\"message\":{\"usage\" : {\"input_tokens\": 100}},\"n\":1}\n\ndata: "
     "[DONE]\n\n",
     "data: {\"usage\": null}\n\ndata: {\"message\":{\"usage\" : {\"input_tokens\": 0  }},\"n\":1}\n\ndata: "
     "[DONE]\n\n",
     1},
    /* Gemini: a list within */
    {"{\"usageMetadata\":{\"promptTokenCount\":4,\"d\":[{\"modality\":\"TEXT\",\"tokenCount\":44}],\"t\":5},"
     "\"x\":6}",
     "{\"usageMetadata\":{\"promptTokenCount\":0,\"d\":[{\"modality\":\"TEXT\",\"tokenCount\":0 "
     "}],\"t\":0},\"x\":6}",
     3},
    /* Cohere, Ollama */
    {"{\"meta\":{\"billed_units\":{\"input_tokens\":2}}}",
     "{\"meta\":{\"billed_units\":{\"input_tokens\":0}}}", 1},
    {"{\"eval_count\":26,\"eval_duration\":99,\"prompt_eval_count\":1}",
     "{\"eval_count\":0 ,\"eval_duration\":99,\"prompt_eval_count\":0}", 2},
    /* What only looks like it */
    {"{\"text\":\"\\\"usage\\\":{\\\"n\\\":1}\",\"usage\":[1],\"a\":{\"b\":2}}",
     "{\"text\":\"\\\"usage\\\":{\\\"n\\\":1}\",\"usage\":[1],\"a\":{\"b\":2}}", 0},
    {"no JSON \"usage\":", "no JSON \"usage\":", 0},
    {"\"usage\":{\"n\\", "\"usage\":{\"n\\", 0},
    {"", "", 0},
};

Test(usage_zero, numbers_become_0_and_nothing_moves)
{
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char body[256];
    strcpy(body, rows[i].body);
    cr_assert_eq(strlen(rows[i].zeroed), strlen(body), "row %zu", i);
    cr_expect_eq(idem_usage_zero(body, strlen(body)), rows[i].numbers, "row %zu", i);
    cr_expect_str_eq(body, rows[i].zeroed);
  }
}

/* Under the address sanitizer: a body has no end but its length. */
Test(usage_zero, nothing_is_read_behind_the_end)
{
  static const char whole[] = "{\"usage\" : {\"a\\\"\": 12.5e3, \"b\":{\"c\":-1}}}";
  for (size_t len = 0; len < sizeof whole; len++) {
    char *body = len ? memcpy(malloc(len), whole, len) : NULL;
    cr_expect_leq(idem_usage_zero(body, len), 2);
    free(body);
  }
}
