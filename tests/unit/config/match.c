/* SPDX-License-Identifier: MIT */
/* Which rule a call meets, of the user's own and of the built-in ones. */
#include "tests/unit/config/fixture.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

static struct idem_config config;

static void release(void)
{
  idem_config_release(&config);
}

Test(config_match, the_first_rule_that_matches_wins, .fini = release)
{
  load_rules(
      &config,
      "host=a.example path=/v1/embeddings ttl=7d; host=a.example path=/v1/* action=bypass; host=*.example;"
      "host=a.example path=/never");
  cr_expect_eq(meets(&config, "POST", "a.example", 443, "/v1/embeddings")->number, 1);
  cr_expect_eq(meets(&config, "POST", "a.example", 443, "/v1/files")->number, 2);
  cr_expect_eq(meets(&config, "POST", "a.example", 443, "/v1/files")->action, IDEM_ACTION_BYPASS);
  cr_expect_eq(meets(&config, "POST", "a.example", 443, "/other")->number, 3);
  cr_expect_eq(meets(&config, "POST", "a.example", 443, "/never")->number, 3);
  cr_expect_null(meets(&config, "POST", "example", 443, "/"));
}

Test(config_match, hosts_have_no_case_paths_and_methods_do, .fini = release)
{
  load_rules(&config, "host=Api.Example path=/V1");
  cr_expect_not_null(meets(&config, "POST", "API.example", 443, "/V1"));
  cr_expect_not_null(meets(&config, "POST", "api.example.", 443, "/V1"), "fully qualified");
  cr_expect_null(meets(&config, "POST", "api.example..", 443, "/V1"));
  cr_expect_null(meets(&config, "POST", "api.example", 443, "/v1"));
  cr_expect_null(meets(&config, "post", "api.example", 443, "/V1"));
}

Test(config_match, a_port_in_a_rule_is_that_port_alone, .fini = release)
{
  load_rules(&config, "host=a.example:8443 ttl=1h; host=a.example; host=[::1]:1 method=*");
  cr_expect_eq(meets(&config, "POST", "a.example", 8443, "/")->number, 1);
  cr_expect_eq(meets(&config, "POST", "a.example", 443, "/")->number, 2);
  cr_expect_eq(meets(&config, "DELETE", "::1", 1, "/")->number, 3);
  cr_expect_null(meets(&config, "POST", "::1", 2, "/"));
}

Test(config_match, wildcards_may_stand_anywhere_in_a_host, .fini = release)
{
  load_rules(&config, "host=api.*; host=*.mid.*.example; host=???; host=x*");
  cr_expect_eq(meets(&config, "POST", "api.any", 443, "/")->number, 1);
  cr_expect_eq(meets(&config, "POST", "a.mid.b.example", 443, "/")->number, 2);
  cr_expect_eq(meets(&config, "POST", "abc", 443, "/")->number, 3);
  cr_expect_eq(meets(&config, "POST", "x", 443, "/")->number, 4);
  cr_expect_null(meets(&config, "POST", "abcd", 443, "/"));
  cr_expect_null(meets(&config, "POST", "", 443, "/"));
}

Test(config_match, every_length_of_a_literal_tail_is_told_apart, .fini = release)
{
  char rules[64], host[32], other[32];

  for (int len = 1; len <= 12; len++) {
    snprintf(rules, sizeof rules, "host=*%.*s", len, "abcdefghijkl");
    snprintf(host, sizeof host, "x%.*s", len, "ABCDEFGHIJKL");
    snprintf(other, sizeof other, "x-%.*s", len - 1, "bcdefghijkl");
    release();
    load_rules(&config, rules);
    cr_expect_not_null(meets(&config, "POST", host, 443, "/"), "%s %s", rules, host);
    cr_expect_null(meets(&config, "POST", other, 443, "/"), "%s %s", rules, other);
  }
}

struct call {
  char provider[24], host[64], path[80];
  unsigned port;
};

ParameterizedTestParameters(config_builtin, calls_that_run_a_model_are_ours)
{
  static struct call calls[] = {
      {"OpenAI", "api.openai.com", "/v1/chat/completions", 443},
      {"OpenAI", "api.openai.com", "/v1/completions", 443},
      {"OpenAI", "api.openai.com", "/v1/responses", 443},
      {"OpenAI", "api.openai.com", "/v1/embeddings", 443},
      {"OpenAI", "api.openai.com", "/v1/moderations", 443},
      {"OpenAI", "api.openai.com", "/v1/images/generations", 443},
      {"OpenAI", "eu.api.openai.com", "/v1/chat/completions", 443},
      {"Azure OpenAI", "me.openai.azure.com", "/openai/deployments/gpt/chat/completions", 443},
      {"Azure OpenAI", "me.openai.azure.com", "/openai/deployments/ada/embeddings", 443},
      {"Azure OpenAI", "me.openai.azure.com", "/openai/v1/responses", 443},
      {"Azure OpenAI", "me.cognitiveservices.azure.com", "/openai/deployments/gpt/chat/completions", 443},
      {"Azure OpenAI", "me.services.ai.azure.com", "/models/chat/completions", 443},
      {"Anthropic", "api.anthropic.com", "/v1/messages", 443},
      {"Anthropic", "api.anthropic.com", "/v1/messages/count_tokens", 443},
      {"Google Gemini", "generativelanguage.googleapis.com", "/v1beta/models/gemini-pro:generateContent",
       443},
      {"Google Gemini", "generativelanguage.googleapis.com", "/v1/models/gemini-pro:streamGenerateContent",
       443},
      {"Google Gemini", "generativelanguage.googleapis.com", "/v1beta/models/embedding:embedContent", 443},
      {"Google Gemini", "generativelanguage.googleapis.com", "/v1beta/openai/chat/completions", 443},
      {"Google Vertex AI", "europe-west4-aiplatform.googleapis.com",
       "/v1/projects/p/locations/l/publishers/google/models/g:generateContent", 443},
      {"Google Vertex AI", "aiplatform.googleapis.com",
       "/v1/projects/p/locations/l/publishers/anthropic/models/c:streamRawPredict", 443},
      {"Mistral", "api.mistral.ai", "/v1/chat/completions", 443},
      {"Mistral", "codestral.mistral.ai", "/v1/fim/completions", 443},
      {"Cohere", "api.cohere.com", "/v2/chat", 443},
      {"Cohere", "api.cohere.ai", "/v1/rerank", 443},
      {"Groq", "api.groq.com", "/openai/v1/chat/completions", 443},
      {"Together", "api.together.xyz", "/v1/chat/completions", 443},
      {"Together", "api.together.ai", "/v1/embeddings", 443},
      {"DeepSeek", "api.deepseek.com", "/chat/completions", 443},
      {"OpenRouter", "openrouter.ai", "/api/v1/chat/completions", 443},
      {"xAI", "api.x.ai", "/v1/chat/completions", 443},
      {"Amazon Bedrock", "bedrock-runtime.us-east-1.amazonaws.com", "/model/anthropic.claude-v2%3A1/converse",
       443},
      {"Amazon Bedrock", "bedrock-runtime.us-east-1.amazonaws.com", "/model/m/invoke-with-response-stream",
       443},
      {"Amazon Bedrock", "bedrock-runtime-fips.us-east-1.amazonaws.com", "/model/m/invoke", 443},
      {"Perplexity", "api.perplexity.ai", "/chat/completions", 443},
      {"Fireworks", "api.fireworks.ai", "/inference/v1/chat/completions", 443},
      {"Ollama", "localhost", "/api/chat", 11434},
      {"Ollama", "127.0.0.1", "/api/embed", 11434},
      {"Ollama", "::1", "/v1/chat/completions", 11434},
      {"vLLM", "localhost", "/v1/chat/completions", 8000},
      {"vLLM", "::1", "/v1/embeddings", 8000},
  };

  return cr_make_param_array(struct call, calls, sizeof calls / sizeof calls[0]);
}

ParameterizedTest(struct call *call, config_builtin, calls_that_run_a_model_are_ours, .fini = release)
{
  struct idem_error error;

  cr_assert_eq(LOAD_WITH(&config, &error, "HOME", "/home/someone"), 0, "%s", error.text);
  const struct idem_rule *rule = meets(&config, "POST", call->host, call->port, call->path);
  cr_assert_not_null(rule, "%s%s", call->host, call->path);
  cr_expect_str_eq(rule->name, call->provider);
  cr_expect_str_eq(rule->origin, "built-in");
  cr_expect_eq(rule->rescue_ms, 600000);
  cr_expect_null(meets(&config, "GET", call->host, call->port, call->path), "GET %s%s", call->host,
                 call->path);
}

ParameterizedTestParameters(config_builtin, other_calls_are_not)
{
  static struct call calls[] = {
      {"", "api.openai.com", "/v1/files", 443},
      {"", "api.openai.com", "/v1/fine_tuning/jobs", 443},
      {"", "api.openai.com", "/v1/batches", 443},
      {"", "api.openai.com", "/v1/chat/completions/chatcmpl-1", 443},
      {"", "api.openai.com", "/v1/responses/resp_1/cancel", 443},
      {"", "api.openai.com", "/v1/threads", 443},
      {"", "openai.com", "/v1/chat/completions", 443},
      {"", "api.openai.com.evil.example", "/v1/chat/completions", 443},
      {"", "notapi.openai.com", "/v1/chat/completions", 443},
      {"", "openai.azure.com", "/openai/deployments/g/completions", 443},
      {"", "me.openai.azure.com", "/openai/files", 443},
      {"", "me.openai.azure.com", "/openai/batches", 443},
      {"", "api.anthropic.com", "/v1/messages/batches", 443},
      {"", "generativelanguage.googleapis.com", "/upload/v1beta/files", 443},
      {"", "generativelanguage.googleapis.com", "/v1beta/models/g:batchGenerateContent", 443},
      {"", "generativelanguage.googleapis.com", "/v1beta/models/g:predictLongRunning", 443},
      {"", "storage.googleapis.com", "/v1/models/g:generateContent", 443},
      {"", "api.cohere.com", "/v1/embed-jobs", 443},
      {"", "bedrock.us-east-1.amazonaws.com", "/model/m/invoke", 443},
      {"", "bedrock-runtime.us-east-1.amazonaws.com", "/async-invoke", 443},
      {"", "localhost", "/api/pull", 11434},
      {"", "localhost", "/api/chat", 80},
      {"", "localhost", "/v1/chat/completions", 8080},
      {"", "localhost", "/login", 8000},
      {"", "example.com", "/", 443},
  };

  return cr_make_param_array(struct call, calls, sizeof calls / sizeof calls[0]);
}

ParameterizedTest(struct call *call, config_builtin, other_calls_are_not, .fini = release)
{
  struct idem_error error;

  cr_assert_eq(LOAD_WITH(&config, &error, "HOME", "/home/someone"), 0, "%s", error.text);
  cr_expect_null(meets(&config, "POST", call->host, call->port, call->path), "%s%s", call->host, call->path);
}

Test(config_builtin, rules_are_numbered_in_order, .fini = release)
{
  struct idem_error error;

  cr_assert_eq(LOAD_WITH(&config, &error, "HOME", "/home/someone"), 0);
  cr_assert_gt(config.rule_count, 0);
  for (size_t i = 0; i < config.rule_count; i++)
    cr_expect_eq(config.rules[i].number, (int)i + 1);
}

/* IDEMSHIM_HOSTS and the paths of others. */

Test(config_builtin, a_host_that_is_named_has_its_built_in_rules, .fini = release)
{
  struct idem_error error;

  cr_assert_eq(LOAD_WITH(&config, &error, "HOME", "/home/someone", "IDEMSHIM_HOSTS",
                         "a.example, api.openai.com:443,me.openai.azure.com, localhost:11434,localhost:81"),
               0, "%s", error.text);
  const struct idem_rule *rule = meets(&config, "POST", "api.openai.com", 443, "/v1/chat/completions");
  cr_assert_not_null(rule);
  cr_expect_str_eq(rule->name, "OpenAI");
  cr_expect_str_eq(rule->origin, "IDEMSHIM_HOSTS");
  cr_expect_eq(rule->number, 2);
  cr_expect_null(meets(&config, "POST", "api.openai.com", 443, "/v1/threads"));
  cr_expect_null(meets(&config, "POST", "api.openai.com", 443, "/v1/uploads"));
  cr_expect_null(meets(&config, "POST", "api.openai.com", 444, "/v1/chat/completions"));
  rule = meets(&config, "POST", "me.openai.azure.com", 443, "/openai/v1/responses");
  cr_assert_not_null(rule);
  cr_expect_str_eq(rule->name, "Azure OpenAI");
  cr_expect_null(meets(&config, "POST", "you.openai.azure.com", 443, "/openai/v1/responses"));
  cr_expect_null(meets(&config, "POST", "localhost", 11434, "/api/pull"));
  cr_expect_null(meets(&config, "POST", "localhost", 81, "/api/pull")->name);
  cr_expect_null(meets(&config, "POST", "a.example", 80, "/v1/threads")->name);
}

static bool leaves(const char *path, const char *rule_path)
{
  struct idem_rule rule = {.path = (char *)(uintptr_t)rule_path};
  struct idem_target target = {.path = path, .path_len = strlen(path)};

  return idem_rule_leaves(&rule, &target);
}

Test(config_match, a_path_that_looks_stateful_is_left_unless_the_rule_names_it)
{
  static const char *const stateful[] = {"/v1/threads",
                                         "/v1/threads/t/runs",
                                         "/v1/uploads/u/parts",
                                         "/oauth/token",
                                         "/v1/realtime/sessions",
                                         "/v1/Batches",
                                         "/m:predictLongRunning",
                                         "/login",
                                         "/v1/fine_tuning/jobs",
                                         "/v1/finetuning/f",
                                         "/v1/customization-jobs",
                                         "/projects/p/tuningJobs",
                                         "/api/create",
                                         "/api/Upsert",
                                         "/v1/responses/r/cancel",
                                         "/collections/c/points",
                                         "/v1/skills",
                                         "/webhooks",
                                         "/m:batchCreate",
                                         "/api/public/ingestion"};
  static const char *const others[] = {
      "/v1/chat/completions",
      "/v1/messages",
      "/v1/messages/count_tokens",
      "/tokenize",
      "/",
      "/v1/runstats",
      "/v1/embeddings",
      "/v1/agents/completions",
      "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
      "/accounts/a/ai/run/m",
      "/openai/deployments/d/chat/completions",
      "/model/m/converse",
      "/1/{/~",
      "//",
      "/v1/job_s",
      "/v1/copyedit"};

  for (size_t i = 0; i < sizeof stateful / sizeof *stateful; i++) {
    cr_expect(leaves(stateful[i], NULL), "%s", stateful[i]);
    cr_expect(leaves(stateful[i], "/*"), "%s", stateful[i]);
    cr_expect_not(leaves(stateful[i], stateful[i]), "%s", stateful[i]);
  }
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    cr_expect_not(leaves(others[i], NULL), "%s", others[i]);
  cr_expect(leaves("/v1/threads/t/runs", "/v1/threads/*"));
  cr_expect(leaves("/v1/threads", "/v1/*threads"));
  cr_expect_not(leaves("/v1/threads/t/runs", "/v1/threads/*/runs"));
}

Test(config_match, the_provider_says_what_a_key_is_worth)
{
  static const struct {
    const char *host;
    uint16_t port;
    enum idem_upstream_key key;
  } samples[] = {
      {"api.anthropic.com", 443, IDEM_UPSTREAM_KEY_IGNORED},
      {"bedrock-runtime.eu-west-1.amazonaws.com", 443, IDEM_UPSTREAM_KEY_IGNORED},
      {"localhost", 11434, IDEM_UPSTREAM_KEY_IGNORED},
      {"::1", 8000, IDEM_UPSTREAM_KEY_IGNORED},
      {"localhost", 80, IDEM_UPSTREAM_KEY_UNKNOWN},
      {"api.openai.com", 443, IDEM_UPSTREAM_KEY_UNKNOWN},
      {"a.example", 443, IDEM_UPSTREAM_KEY_UNKNOWN},
  };
  struct idem_rule rule = {0};

  for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
    struct idem_target target = {
        .host = samples[i].host, .host_len = strlen(samples[i].host), .port = samples[i].port};
    cr_expect_eq(idem_provider_key(&rule, &target), samples[i].key, "%s", samples[i].host);
  }
  rule.name = "Anthropic";
  cr_expect_eq(idem_provider_key(&rule, &(struct idem_target){.host = "proxy", .host_len = 5}),
               IDEM_UPSTREAM_KEY_IGNORED);
}
