/* SPDX-License-Identifier: MIT */
/* Which model a request asks for: in its body, else in its path. */
#include "store/judge/model.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(store_model);

static void asks_for(const char *path, struct idem_span body, const char *wanted)
{
  struct idem_request request = {.path = SPAN(path), .body = body};
  struct model model;
  struct idem_span name = model_asked_for(&request, &model);
  cr_expect(name.len == strlen(wanted) && memcmp(name.data, wanted, name.len) == 0,
            "%s with %.*s: \"%.*s\" is not \"%s\"", path, (int)body.len, body.data, (int)name.len, name.data,
            wanted);
}

Test(store_model, it_is_what_the_body_says)
{
  asks_for("/v1/chat", SPAN("{\"model\":\"gpt-4o\"}"), "gpt-4o");
  asks_for("/v1/chat", SPAN("{\"messages\":[{\"model\":\"b\"}],\"model\":\"a\",\"n\":1}"), "a");
  asks_for("/v1/chat", SPAN("{\"model\":\"openai\\/gpt\\u002d4o\"}"), "openai/gpt-4o");
  asks_for("/v1/chat", SPAN("{\"model\":\"a\"}"), "a");
  asks_for("/v1/models/other", SPAN("{\"model\":\"gpt-4o\"}"), "gpt-4o");
}

Test(store_model, or_what_stands_behind_a_word_of_the_path)
{
  const struct idem_span none = {"", 0};
  asks_for("/v1beta/models/gemini-pro:generateContent", none, "gemini-pro");
  asks_for("/model/amazon.nova/invoke", none, "amazon.nova");
  asks_for("/openai/deployments/mine/chat/completions", none, "mine");
  asks_for("/v1/models/gemini-pro", none, "gemini-pro");
  asks_for("/v1/models/", none, "");
  asks_for("/v1/models", none, "");
  asks_for("/v1/chat", none, "");
  asks_for("", none, "");
}

/* No name, or none that is text, is looked for in the path. */
Test(store_model, a_body_that_names_none_says_nothing)
{
  static const char *const bodies[] = {
      "{\"model\":\"\"}",  "{\"model\":7}",    "{\"model\":null}",  "{\"model\":{}}",
      "{\"model\":\"a\"",  "model=gpt-4o",     "[\"model\",\"a\"]", "{}",
      "{\"Model\":\"a\"}", "{\"model\":10000}"};
  for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
    asks_for("/v1/models/of-the-path", SPAN(bodies[i]), "of-the-path");
    asks_for("/v1/chat", SPAN(bodies[i]), "");
  }
}

/* A longer one is no name that anybody has. */
Test(store_model, it_has_120_bytes_at_most)
{
  char name[256], body[512];
  for (int len = 119; len <= 240; len++) {
    snprintf(name, sizeof(name), "%0*d", len, 0);
    snprintf(body, sizeof(body), "{\"model\":\"%s\"}", name);
    asks_for("/v1/chat", SPAN(body), len <= 120 ? name : "");
  }
}

/* It has room for that, whatever the bytes become: one that is no UTF-8 is longer than it was. */
Test(store_model, bytes_that_are_no_text_have_room_as_well)
{
  char body[256] = "{\"model\":\"";
  struct model model;
  memset(body + 10, '\xff', 120);
  memcpy(body + 130, "\"}", 3);
  struct idem_request request = {.path = SPAN("/"), .body = SPAN(body)};
  struct idem_span name = model_asked_for(&request, &model);
  cr_expect(name.len >= 120 && name.len <= sizeof(model.name), "%zu", name.len);
}
