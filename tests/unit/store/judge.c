/* SPDX-License-Identifier: MIT */
/* What is kept as an answer, and what is a failure in an answer's clothes. */
#include "store/judge/judge.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(store_answers, .init = open_fixture, .fini = close_fixture);

#define OK(type)  "HTTP/1.1 200 OK\r\nContent-Type: " type "\r\n\r\n"
#define EVENTS    OK("text/event-stream; charset=utf-8")
#define LINES     OK("application/x-ndjson")
#define OPENAI    "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
#define ANTHROPIC "event: content_block_delta\ndata: {\"type\":\"content_block_delta\"}\n\n"

static struct idem_usage usage;

/* Sends one new call and gives it this answer. */
static int stored_with(const struct idem_recording *recording)
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
    usage = caller.call.answer.usage;
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

static int stored(const char *headers, const char *body)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, headers, body);
  return stored_with(&recording);
}

struct sample {
  const char *headers, *body;
};

static void all_are(const struct sample *sample, size_t count, int wanted)
{
  for (size_t i = 0; i < count; i++) {
    cr_expect_eq(stored(sample[i].headers, sample[i].body), wanted, "%s", sample[i].body);
    is_the_same_in_pieces(sample[i].headers, sample[i].body);
  }
}

#define ALL_ARE(samples, wanted) all_are(samples, sizeof(samples) / sizeof(*(samples)), wanted)

Test(store_answers, whole_answers_are_stored)
{
  static const struct sample samples[] = {
      {OK("application/json"), "{\"choices\":[{\"message\":{}}]}"},
      {OK("application/json"),
       "{\"object\":\"response\",\"status\":\"completed\",\"error\":null,\"output\":[]}"},
      {OK("application/json"), "{\"choices\":[1],\"error\":{\"note\":\"beside an answer\"}}"},
      {OK("application/vnd.a+json"), "{\"a\":1}"},
      {OK("application/json"), "[{\"candidates\":[]},{\"candidates\":[]}]"},
      {OK("application/json"), "{\"n\":123456789012345678901234567890}"},
      {OK("audio/mpeg"), "\xff\xfb\x90"},
      {OK("text/plain"), ""},
      /* A name has no escapes, whatever stands behind a backslash. */
      {EVENTS, OPENAI "event: \\quite another name\ndata: {}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "event: err\\u006fr\ndata: {}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "data: [DONE]\n\n"},
      {EVENTS, "\xef\xbb\xbf" OPENAI ": a comment\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"choices\":[{}]}\r\n\r\ndata: [DONE]\r\n\r\n"},
      {EVENTS, "data: {\"choices\":[{}]}\r\rdata: [DONE]\r\r"},
      {EVENTS, "data: {\"choices\":\ndata: [{}]}\n\ndata:[DONE]\n\n"},
      {EVENTS, ANTHROPIC "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
      {EVENTS, "data: {\"type\":\"response.created\",\"response\":{\"error\":null}}\n\n"
               "data: {\"type\":\"response.completed\",\"response\":{\"error\":null}}\n\n"},
      {EVENTS, "data: {\"type\":\"response.incomplete\"}\n\n"},
      {EVENTS, "data: {\"candidates\":[{\"content\":1}]}\n\ndata: "
               "{\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"},
      {EVENTS, "data: {\"type\":\"message-end\"}\n\n"},
      {EVENTS, "data: {\"event_type\":\"stream-end\",\"finish_reason\":\"COMPLETE\"}\n\n"},
      {LINES, "{\"response\":\"a\",\"done\":false}\n{\"done\":true}\n"},
      /* Not JSON to the letter, but whole. */
      {OK("application/json"), "\xef\xbb\xbf{\"choices\":[{\"text\":\"half an emoji \\ud83c\"}]}"},
      {OK("application/json"), "{\"choices\":[{\"text\":\"\xf0\x9f\x8e\",\"p\":[NaN,-Infinity]}]}"},
      {OK("application/json"), "{\"choices\":[{}],\"a\":1,}"},
      {OK("application/json"), "{'choices': 'python'}"},
      {OK("application/json"), "[0.1, 0.2,]"},
      /* A refusal by policy, tool calls, a thing without any choices. */
      {OK("application/json"), "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"candidates\":[]}"},
      {OK("application/json"), "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{}]}}]}"},
      {OK("application/json"), "{\"content\":[],\"stop_reason\":\"end_turn\"}"},
      {OK("application/json"), "{\"object\":\"list\",\"data\":[]}"},
      {OK("application/json"), "{\"status\":\"completed\",\"background\":true,\"output\":[{}]}"},
      {OK("application/json"), "{\"status\":\"incomplete\",\"error\":null,\"output\":[{}]}"},
      {OK("application/json"), "{\"error_code\":0,\"error_msg\":\"\",\"result\":\"a\"}"},
      {OK("application/json"), "{\"base_resp\":{\"status_code\":0},\"choices\":[{}]}"},
      {OK("application/json"), "{\"success\":true,\"errors\":[],\"result\":{\"response\":\"a\"}}"},
      {OK("application/json"), "{\"code\":200,\"message\":\"ok\",\"data\":{\"a\":1}}"},
      {OK("application/json"), "{\"name\":\"models/a/operations/b\",\"done\":true,\"response\":{}}"},
      {OK("application/json"),
       "{\"model\":\"a\",\"message\":{\"content\":\"b\"},\"done\":true,\"error\":\"\"}"},
      {OK("application/json"), "17"},
      {OK("text/html"), "{\"choices\":[{}]}"},
      /* The end in each provider's words. */
      {EVENTS, "data: {\"choices\":[{\"index\":0,\"finish_reason\":null}]}\n\n"
               "data: {\"choices\":[{\"index\":1,\"finish_reason\":\"stop\"}]}\n\n"
               "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"length\"}],\"usage\":{}}\n\n"},
      {EVENTS, "data: {\"type\":\"image_generation.partial_image\"}\n\n"
               "data: {\"type\":\"image_generation.completed\"}\n\n"},
      {EVENTS, "data: {\"type\":\"image_edit.completed\"}\n\n"},
      {EVENTS, "data: {\"type\":\"speech.audio.delta\"}\n\ndata: {\"type\":\"speech.audio.done\"}\n\n"},
      {EVENTS, "data: {\"type\":\"transcript.text.done\"}\n\n"},
      {EVENTS,
       "event: completion\ndata: {\"type\":\"completion\",\"completion\":\"a\",\"stop_reason\":null}\n\n"
       "event: completion\ndata: {\"type\":\"completion\",\"completion\":\"\",\"stop_reason\":\"max\"}\n\n"},
      {OK("application/stream+json"),
       "{\"is_finished\":false,\"event_type\":\"text-generation\"}\n"
       "{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"COMPLETE\"}\n"},
      {OK("text/plain"), "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"choices\":[{\"index\":70,\"finish_reason\":\"stop\"}]}\n\n"},
      {EVENTS, "data: {\"choices\":[{\r\ndata: }]}\r\n\r\ndata: [DONE]\r\n\r\n"},
      {OK("application/json"),
       "{\"choices\":[{\"text\":\"say \\\"hi\\\" \\\\\"}],\"error\":null,\"usage\":{\"prompt_tokens\":3}}"},
      {OK("application/octet-stream"), "\x89PNG"},
      {OK("text/plain"), "{ this is no JSON"},
      /* An `error` that says nothing, an error of something in an answer, words beside a success. */
      {OK("application/json"), "{\"choices\":[{}],\"error\":{\"code\":null,\"message\":\"\"}}"},
      {OK("application/json"), "{\"result\":{\"ok\":1},\"error\":[]}"},
      {OK("application/json"), "{\"output\":[{\"type\":\"mcp_call\",\"error\":{\"message\":\"x\"}}]}"},
      {OK("application/json"), "{\"status\":\"ok\",\"message\":\"hello\"}"},
      {OK("application/json"), "{\"status\":200,\"message\":\"hello\"}"},
      {OK("application/json"), "{\"code\":\"SUCCESS\",\"message\":\"hello\"}"},
      {OK("application/json"), "{\"code\":\"print(1)\",\"message\":\"in Python\"}"},
      {OK("application/json"), "{\"message\":\"hello\",\"usage\":{\"tokens\":1}}"},
      {OK("application/json"), "{\"title\":\"An essay\",\"description\":\"of errors\"}"},
      {OK("application/json"), "{\"state\":\"running\",\"text\":\"a\"}"},
      {OK("application/json"), "{\"task_id\":\"a\",\"answer\":\"b\"}"},
      {OK("application/json"), "{\"output\":{\"task_status\":\"SUCCEEDED\",\"results\":[]}}"},
      {OK("application/json"), "{\"choices\":[{\"finish_reason\":\"content_filter\"}]}"},
      {OK("application/json"), "{\"choices\":[{\"message\":{},\"finish_reason\":null}]}"},
      {EVENTS, "data: {\"error\":{},\"choices\":[{}]}\n\ndata: [DONE]\n\n"},
      /* Under another type, or several documents under that of one. */
      {EVENTS, "{\"choices\":[{}]}"},
      {OK("application/json"), ": wait\n\n" OPENAI "data: [DONE]\n\n"},
      {OK("application/event-stream"), OPENAI "data: [DONE]\n\n"},
      {LINES, OPENAI "data: [DONE]\n\n"},
      {OK("application/json"), "{\"response\":\"a\",\"done\":false}\n{\"done\":true}\n"},
      {OK("application/json"), "{\"a\":1}{\"a\":2}"},
      {OK("text/plain"), "id: 7\nname: a record of its own"},
      {OK("text/plain"), ":-) hello"},
      /* Ends that need whole framing, and servers that are careless with events. */
      {EVENTS, "data: {\"output\":{\"finish_reason\":\"null\"}}\n\n"
               "data: {\"output\":{\"finish_reason\":\"stop\"}}\n\n"},
      {EVENTS, "data: {\"output\":{\"choices\":[{\"finish_reason\":\"stop\"}]}}\n\n"},
      {EVENTS, "data: {\"token\":{},\"generated_text\":null}\n\ndata: {\"generated_text\":\"ab\"}\n\n"},
      {EVENTS, "data: {\"content\":\"a\",\"stop\":false}\n\ndata: {\"content\":\"\",\"stop\":true}\n\n"},
      {EVENTS, "data: {\"result\":\"a\",\"is_end\":false}\n\ndata: {\"result\":\"b\",\"is_end\":true}\n\n"},
      {EVENTS, "event: output\ndata: a\n\nevent: done\ndata: {}\n\n"},
      {EVENTS, "data: {\"event\":\"message\"}\n\ndata: {\"event\":\"message_end\"}\n\n"},
      {EVENTS, "data: {\"type\":\"response.created\"}\n\ndata: {\"type\":\"response.done\"}\n\n"},
      {EVENTS, OPENAI "event: message_stop\ndata: {}\n\n"},
      {EVENTS, OPENAI "data:  [DONE] \n\n"},
      {EVENTS, "data: {\"choices\":[{}]}\ndata: {\"choices\":[{}]}\ndata: [DONE]\n"},
      {EVENTS, "data: hello\n\ndata: [DONE]\n\n"},
      /* An `error` that says there is none, words of a code that is asked for, a list of records. */
      {OK("application/json"), "{\"data\":{\"a\":1},\"error\":{\"code\":\"ok\",\"message\":\"\"}}"},
      {OK("application/json"), "{\"data\":{\"a\":1},\"error\":{\"code\":\"0\",\"message\":\"Success\"}}"},
      {OK("application/json"), "{\"thing\":{\"a\":1},\"error\":{\"code\":\"ok\",\"message\":\"\"}}"},
      {OK("application/json"), "{\"error_code\":0,\"error_msg\":\"SUCCESS\",\"faces\":[{}]}"},
      {OK("application/json"), "{\"error_code\":\"0\",\"error_msg\":\"SUCCESS\",\"result\":{\"a\":1}}"},
      {OK("application/json"), "{\"language\":\"python\",\"code\":\"pass\",\"message\":\"Here you are\"}"},
      {OK("application/json"), "{\"code\":\"SAVE10\",\"message\":\"valid\",\"discount\":10}"},
      {OK("application/json"), "[{\"id\":1,\"message\":\"hello\"},{\"id\":2,\"message\":\"you\"}]"},
      {OK("application/json"), "[{\"task_id\":\"a\"},{\"task_id\":\"b\"}]"},
      {OK("application/json"),
       "[{\"name\":\"a\",\"state\":\"failed\"},{\"name\":\"b\",\"state\":\"running\"}]"},
      {OK("application/json"), "{\"status\":\"200\",\"message\":\"hello\"}"},
      {OK("application/json"),
       "{\"type\":\"https://schema.example/Essay\",\"name\":\"a\",\"description\":\"b\"}"},
      {OK("application/json"), "{\"\\u0063hoices\":[{}],\"error\":{\"note\":\"beside an answer\"}}"},
      {EVENTS, "data: {\"message\":\"Hel\"}\n\ndata: {\"message\":\"lo\"}\n\ndata: [DONE]\n\n"},
      /* [DONE] behind the end of the stream's own, and where there is none. */
      {EVENTS, "data: {\"type\":\"response.created\"}\n\ndata: {\"type\":\"response.completed\"}\n\n"
               "data: [DONE]\n\n"},
      {EVENTS, ANTHROPIC "data: {\"type\":\"message_stop\"}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"choices\":[{\"finish_reason\":null}]}\n\ndata: {\"choices\":[{\"finish_reason\":"
               "\"stop\"}]}\n\ndata: {\"choices\":[{\"finish_reason\":null}]}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"content\":\"a\",\"stop\":false}\n\ndata: {\"stop\":true}\n\ndata: [DONE]\n\n"},
      /* Gemini: of two candidates each is over, and what has no candidates takes no end back. */
      {EVENTS, "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"
               "data: {\"promptFeedback\":{\"safetyRatings\":[]},\"usageMetadata\":{}}\n\n"},
      {EVENTS, "data: {\"candidates\":[{\"index\":0,\"finishReason\":\"STOP\"}]}\n\n"
               "data: {\"candidates\":[{\"index\":1,\"content\":1}]}\n\n"
               "data: {\"candidates\":[{\"index\":1,\"finishReason\":\"STOP\"}]}\n\n"},
      {EVENTS, "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n"},
      {EVENTS, "data: {\"choices\":[{}],\"x_groq\":{\"id\":\"r\",\"error\":null}}\n\ndata: [DONE]\n\n"},
      /* A check that is not passed, a thing that was made, and a workflow that took another way. */
      {OK("application/json"), "{\"success\":false,\"data\":{\"score\":1}}"},
      {OK("application/json"), "{\"id\":\"a\",\"title\":\"b\"}"},
      {OK("application/json"), "{\"order\":{\"id\":5},\"status\":\"created\"}"},
      {OK("application/json"), "{\"status\":\"created\",\"response\":{\"choices\":[{}]}}"},
      {OK("application/json"), "{\"data\":{\"taskId\":\"a\",\"text\":\"b\"}}"},
      {OK("application/json"), "[{\"id\":\"a\"},{\"id\":\"b\"}]"},
      {OK("application/json"), "{\"type\":\"abort\",\"line\":7}"},
      {OK("application/json"), "{\"data\":{\"status\":\"failed\"},\"order\":5}"},
      {OK("application/json"),
       "{\"workflow_run_id\":\"w\",\"task_id\":\"t\",\"data\":{\"status\":\"succeeded\"}}"},
      {EVENTS,
       "data: {\"event\":\"node_finished\",\"workflow_run_id\":\"w\",\"data\":{\"status\":\"failed\"}}\n\n"
       "data: {\"event\":\"workflow_finished\",\"data\":{\"status\":\"succeeded\"}}\n\n"},
      {OK("application/json"), "{\"artifacts\":[{\"base64\":\"AA\",\"finishReason\":\"SUCCESS\"}]}"},
      /* The ends of watsonx, Hunyuan and of a transcription of Mistral's. */
      {EVENTS, "data: {\"results\":[{\"generated_text\":\"a\",\"stop_reason\":\"not_finished\"}]}\n\n"
               "data: {\"results\":[{\"generated_text\":\"\",\"stop_reason\":\"eos_token\"}]}\n\n"},
      {EVENTS, "data: {\"Choices\":[{\"FinishReason\":\"\"}]}\n\ndata: "
               "{\"Choices\":[{\"FinishReason\":\"stop\"}]}\n\n"},
      {EVENTS,
       "data: {\"type\":\"transcription.text.delta\"}\n\ndata: {\"type\":\"transcription.done\"}\n\n"},
      /* A thing that was made: asked for again it would be made again. */
      {OK("application/json"), "{\"id\":\"a\"}"},
      /* What is no event to a browser: a name that is an end by itself, and objects without a field. */
      {EVENTS, "event: data\r\ndata: \"hello\"\r\n\r\nevent: end\r\n\r\n"},
      {EVENTS, OPENAI "event: ping\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "error:\n\n{\"note\":1}\n\ndata: [DONE]\n\n"},
      /* LM Studio, KoboldCpp, MiniMax's speech. */
      {EVENTS, "event: chat.start\ndata: {\"type\":\"chat.start\"}\n\n"
               "event: message.delta\ndata: {\"type\":\"message.delta\",\"content\":\"a\"}\n\n"
               "event: chat.end\ndata: {\"type\":\"chat.end\",\"result\":{\"output\":[{}]}}\n\n"},
      {EVENTS, "event: message\ndata: {\"token\":\"a\",\"finish_reason\":null}\n\n"
               "event: message\ndata: {\"token\":\"\",\"finish_reason\":\"stop\"}\n\n"},
      {EVENTS, "data: {\"data\":{\"audio\":\"01\",\"status\":1},\"base_resp\":{\"status_code\":0}}\n\n"
               "data: {\"data\":{\"audio\":\"01\",\"status\":2},\"base_resp\":{\"status_code\":0}}\n\n"},
      /* What is like a failure or a job, and is none. */
      {OK("application/json"), "{\"choices\":[{\"message\":{\"content\":\"a\",\"error\":null}}]}"},
      {OK("application/json"), "{\"err_no\":0,\"err_msg\":\"success.\",\"result\":[\"a\"]}"},
      {OK("application/json"), "{\"errorCode\":\"0\",\"translation\":[\"a\"]}"},
      {OK("application/json"), "{\"valid\":false,\"errorCode\":\"E12\"}"},
      {OK("application/json"), "{\"errorCode\":\"200\",\"translation\":[\"a\"]}"},
      {OK("application/json"), "{\"data\":{\"id\":\"1\",\"status\":\"completed\"},\"code\":0}"},
      {OK("application/json"), "{\"data\":{\"status\":\"running\"}}"},
      {OK("application/json"), "{\"data\":[{\"id\":\"1\",\"status\":\"running\"}]}"},
      {EVENTS, "data: {\"data\":{\"id\":\"1\",\"status\":\"running\"}}\n\ndata: [DONE]\n\n"},
      {OK("application/json"), "{\"id\":1,\"title\":\"a task\",\"done\":false}"},
      {OK("application/json"), "{\"model\":\"m\",\"response\":\"a\",\"done\":true}"},
      {OK("application/json"), "{\"object\":\"chat.completion\",\"result\":\"a\"}"},
      {OK("application/json"), "{\"finish_reason\":\"cancellation_letter\",\"text\":\"a\"}"},
      {"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\ngrpc-status: 0\r\n\r\n", "\x01\x02"},
  };
  ALL_ARE(samples, IDEM_STORED);
}

Test(store_answers, failures_and_halves_are_refused)
{
  static const struct sample samples[] = {
      {OK("application/json"), "{\"choices\":["},
      {OK("application/json"), ""},
      {OK("application/json"), "{\"error\":{\"message\":\"overloaded\"}}"},
      {OK("application/json"), "{\"error\":\"overloaded\"}"},
      {OK("application/json"), "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}"},
      {OK("application/json"),
       "{\"object\":\"response\",\"status\":\"failed\",\"error\":{\"code\":\"x\"},\"output\":[]}"},
      {OK("application/json"), "[{\"error\":{\"code\":503}}]"},
      {OK("application/json"), "{\"choices\":[{\"finish_reason\":\"error\"}]}"},
      {EVENTS, ""},
      {EVENTS, OPENAI},
      {EVENTS, OPENAI "data: [DON"},
      {EVENTS, OPENAI ": data: [DONE]\n\n"},
      {EVENTS, "data: {\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "data: {\"error\":{\"message\":\"x\"},\"choices\":[]}\n\ndata: [DONE]\n\n"},
      {EVENTS,
       ANTHROPIC "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n"},
      {EVENTS, ANTHROPIC "event: message_delta\ndata: {\"type\":\"message_delta\"}\n\n"},
      {EVENTS, "data: {\"type\":\"response.failed\"}\n\n"},
      {EVENTS, "data: {\"candidates\":[{\"content\":1}]}\n\n"},
      {EVENTS, "data: {\"candidates\":[{\"finishReason\":\"STOP\"},{\"content\":1}]}\n\n"},
      {EVENTS, "data: {\"event_type\":\"stream-end\",\"finish_reason\":\"ERROR\"}\n\n"},
      {LINES, "{\"response\":\"a\",\"done\":false}\n"},
      {LINES, "{\"error\":\"x\"}\n{\"done\":true}\n"},
      {LINES, "{\"done\":true}\n{\"resp"},
      /* An error beside what would be an answer. */
      {OK("application/json"), "{\"choices\":null,\"error\":{\"code\":429}}"},
      {OK("application/json"), "{\"error\":{\"code\":429},\"choices\":[]}"},
      {OK("application/json"), "{\"data\":null,\"error\":\"x\"}"},
      {OK("application/json"), "{\"candidates\":[],\"error\":{\"code\":503}}"},
      {OK("application/json"), "{\"content\":\"\",\"error\":true}"},
      {OK("application/json"), "{\"choices\":[],\"id\":\"gen-1\"}"},
      {OK("application/json"), "{\"choices\":null}"},
      {OK("application/json"), "{\"candidates\":[]}"},
      {OK("application/json"), "{\"choices\":[{\"error\":{\"code\":502},\"message\":{\"content\":\"\"}}]}"},
      {OK("application/json"), "{\"object\":\"error\",\"message\":\"CUDA out of memory\"}"},
      {OK("application/json"), "{\"error_code\":17,\"error_msg\":\"limit\"}"},
      {OK("application/json"), "{\"error_code\":\"17\",\"result\":\"\"}"},
      {OK("application/json"), "{\"choices\":null,\"base_resp\":{\"status_code\":1002}}"},
      {OK("application/json"), "{\"success\":false,\"errors\":[{\"code\":1}],\"result\":null}"},
      {OK("application/json"), "{\"header\":{\"code\":10013},\"payload\":{}}"},
      {OK("application/json"), "{\"code\":500,\"msg\":\"busy\"}"},
      {OK("application/json"), "{\"code\":500,\"msg\":\"\",\"detail\":null}"},
      {OK("application/json"), "{\"status\":503,\"message\":\"busy\"}"},
      {OK("application/json"), "{\"status\":\"error\",\"message\":\"busy\"}"},
      {OK("application/json"), "{\"status\":\"cancelled\",\"output\":[{}]}"},
      {OK("application/json"), "{\"error\":\"no bytes behind it\""},
      {OK("application/json"), "{\"choices\":[{}],\"a\":tru"},
      {OK("application/json"), "{\"choices\":[{}]"},
      /* Jobs. */
      {OK("application/json"), "{\"status\":\"queued\",\"background\":true,\"error\":null,\"output\":[]}"},
      {OK("application/json"), "{\"status\":\"in_progress\",\"output\":[{}]}"},
      {OK("application/json"), "{\"status\":\"IN_PROGRESS\"}"},
      {OK("application/json"), "{\"name\":\"models/veo/operations/abc\"}"},
      {OK("application/json"), "{\"name\":\"operations/abc\",\"done\":false,\"metadata\":{}}"},
      {OK("application/json"), "{\"invocationArn\":\"arn:aws:bedrock\"}"},
      {OK("application/json"), "{\"id\":\"a\",\"polling_url\":\"https://a.example\"}"},
      /* Streams. */
      {EVENTS, "data: [DONE]\n\n"},
      {EVENTS, ": 1\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"choices\":[]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\ndata: "
               "[DONE]\n\n"},
      {EVENTS, "event: done\ndata: {}\n\n"},
      {EVENTS, "data: {\"object\":\"error\",\"code\":500}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "data: {\"error_code\":17}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "data: {\"base_resp\":{\"status_code\":1}}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "data: {\"choices\":[{\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"},{\"index\":1}]}\n\n"},
      {EVENTS, "data: {\"choices\":[{\"index\":130,\"finish_reason\":\"stop\"}]}\n\n"},
      {EVENTS, "data: {\"type\":\"image_generation.completed\"}\n\n"
               "data: {\"type\":\"image_generation.partial_image\"}\n\n"},
      {EVENTS, "data: {\"type\":\"response.in_progress\"}\n\n"},
      {EVENTS,
       "data: {\"type\":\"message-end\",\"delta\":{\"error\":\"x\",\"finish_reason\":\"COMPLETE\"}}\n\n"},
      {EVENTS, "data: {\"type\":\"response.output_text.done\"}\n\n"},
      {EVENTS, "data: {\"type\":\"completion\",\"completion\":\"a\",\"stop_reason\":null}\n\n"},
      {OK("application/stream+json"), "{\"is_finished\":false,\"event_type\":\"text-generation\"}\n"},
      {OK("application/stream+json"),
       "{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"ERROR_TOXIC\"}\n"},
      {OK("text/plain"), "data: {\"error\":\"x\"}\n\n"},
      {OK("text/plain"), "{\"error\":\"x\"}"},
      {OK("text/plain"), " \r\n\t{\"error\":\"x\"}"},
      {LINES, "{\"done\":true}\n{\"done\":false}\n"},
      /* Pages, and other words of those between. */
      {OK("application/json"), "upstream connect error or disconnect/reset before headers"},
      {OK("application/json"), "1a\r\n{\"choices\":[{}]}\r\n0\r\n\r\n"},
      {OK("text/html"), "<!DOCTYPE html><title>Just a moment...</title>"},
      {OK("application/json"), "\r\n<html><body>502</body></html>"},
      {OK("text/plain"), "<HTML><head>"},
      {"HTTP/1.1 302 Found\r\nContent-Type: text/plain\r\n\r\n" EVENTS, OPENAI},
      /* Errors by their other names, and words without any answer. */
      {OK("application/json"), "{\"choices\":[{\"message\":{\"content\":\"\"}}],\"error\":{\"code\":502}}"},
      {OK("application/json"), "{\"content\":[{}],\"error\":{\"message\":\"overloaded\"}}"},
      {OK("application/json"), "{\"error\":[\"too long\"]}"},
      {OK("application/json"), "{\"type\":\"error\",\"message\":\"overloaded\"}"},
      {OK("application/json"), "{\"__type\":\"ThrottlingException\",\"message\":\"slower\"}"},
      {OK("application/json"), "{\"Output\":{\"__type\":\"com.amazon#UnknownError\"}}"},
      {OK("application/json"), "{\"errorMessage\":\"timed out\"}"},
      {OK("application/json"), "{\"fault\":{\"faultstring\":\"quota\"}}"},
      {OK("application/json"), "{\"Response\":{\"Error\":{\"Code\":\"AuthFailure\"}}}"},
      {OK("application/json"), "{\"response\":{\"error\":{\"message\":\"x\"}}}"},
      {OK("application/json"), "{\"data\":{\"error\":{\"message\":\"x\"}}}"},
      {OK("application/json"), "{\"code\":\"Throttling.RateQuota\",\"message\":\"x\",\"output\":null}"},
      {OK("application/json"), "{\"code\":\"500\",\"msg\":\"busy\"}"},
      {OK("application/json"), "{\"statusCode\":429,\"message\":\"slower\"}"},
      {OK("application/json"), "{\"status\":\"fail\",\"message\":\"x\"}"},
      {OK("application/json"), "{\"state\":\"failed\"}"},
      {OK("application/json"), "{\"detail\":\"Internal Server Error\"}"},
      {OK("application/json"), "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"Field required\"}]}"},
      {OK("application/json"), "{\"message\":\"Rate limit exceeded\",\"request_id\":\"a\"}"},
      {OK("application/json"), "{\"choices\":[{\"message\":{},\"finish_reason\":\"network_error\"}]}"},
      {OK("application/json"), "{\"choices\":[{\"message\":{},\"finish_reason\":\"abort\"}]}"},
      {OK("application/json"), "{\"finish_reason\":\"TIMEOUT\",\"message\":{\"content\":[{}]}}"},
      {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-amzn-ErrorType: ThrottlingException\r\n\r\n",
       "{\"output\":{}}"},
      {OK("application/json"), "{\"output\":{\"task_status\":\"PENDING\",\"task_id\":\"a\"}}"},
      {OK("application/json"), "{\"data\":{\"task_status\":\"submitted\",\"task_id\":\"a\"}}"},
      {OK("application/json"), "{\"output\":{\"task_status\":\"FAILED\"}}"},
      {OK("application/json"), "{\"name\":\"batches/a\",\"metadata\":{\"state\":\"BATCH_STATE_PENDING\"}}"},
      {OK("application/json"), "{\"processing_status\":\"in_progress\"}"},
      {OK("application/json"), "{\"status\":\"notStarted\"}"},
      {OK("application/json"), "{\"request_id\":\"a\"}"},
      /* Under another type, or several documents under that of one. */
      {EVENTS, "{\"error\":\"x\"}"},
      {EVENTS, "{\"choices\":[{}]"},
      {OK("audio/mpeg"), "{\"error\":{\"message\":\"no voice\"}}"},
      {OK("application/javascript"), "{\"error\":{\"message\":\"x\"}}"},
      {OK("application/event-stream"), OPENAI},
      {OK("application/json"), OPENAI},
      {OK("text/plain"), ": wait\n\nevent: error\ndata: died\n\n"},
      {OK("text/plain"), "id: 1\n" OPENAI},
      {OK("application/json"), "{\"response\":\"a\",\"done\":false}\n{\"error\":\"x\"}\n"},
      {OK("application/json"), "{\"choices\":[{}]}\n{\"error\":{\"code\":1}}"},
      {OK("application/json"), "{\"response\":\"a\",\"done\":false}\n{\"response\":\"b\",\"done\":false}\n"},
      {OK("text/plain"), "{\"response\":\"a\",\"done\":false}\n{\"resp"},
      {OK("application/xhtml+xml"), "<?xml version=\"1.0\"?>"},
      /* Streams. */
      {EVENTS, OPENAI "event: Exception\ndata: {}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "data: [ERROR] died\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"detail\":\"Internal Server Error\"}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "data: {\"event\":\"error\"}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "data: {\"code\":\"Throttling\",\"message\":\"x\"}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "data: {\"error\":\"x\"}\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"choices\":[{\"finish_reason\":\"null\"}]}\n\n"},
      {EVENTS,
       "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"},{\"index\":1}]}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"output\":{\"finish_reason\":\"null\"}}\n\n"},
      {EVENTS, "data: {\"generated_text\":null}\n\n"},
      {EVENTS, "data: {\"content\":\"a\",\"stop\":false}\n\n"},
      {EVENTS, "event: output\ndata: a\n\nevent: done\ndata: {\"reason\":\"canceled\"}\n\n"},
      {EVENTS, "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"failed\"}}\n\n"},
      /* Problems (RFC 9457), a status in quotes, a failure in a list. */
      {OK("application/problem+json"), "{\"a\":1}"},
      {OK("application/json"),
       "{\"type\":\"about:blank\",\"title\":\"Busy\",\"detail\":\"later\",\"instance\":\"/a\"}"},
      {OK("application/json"), "{\"type\":\"about:blank\",\"title\":\"Busy\"}"},
      {OK("application/json"),
       "{\"type\":\"https://a.example/busy\",\"title\":\"Busy\",\"detail\":\"later\",\"instance\":\"/a\"}"},
      {OK("application/json"),
       "{\"type\":\"invalid_request_error\",\"code\":\"invalid_api_key\",\"message\":\"x\",\"param\":null}"},
      {OK("application/json"), "{\"status\":\"429\",\"message\":\"slower\"}"},
      {OK("application/json"), "[{\"candidates\":[{}]},{\"error\":{\"code\":503,\"message\":\"busy\"}}]"},
      {OK("application/json"), "[{\"status\":\"429\",\"message\":\"slower\"}]"},
      {OK("application/json"), "{\"data\":{\"a\":1},\"error\":{\"code\":\"busy\",\"message\":\"\"}}"},
      {OK("application/json"), "{\"\\u0065rror\":\"x\"}"},
      {EVENTS, "data: {\"message\":\"Hel\"}\n\ndata: [DONE]\n\n"},
      /* [DONE] alone, behind what has an end of its own. */
      {EVENTS, "data: {\"type\":\"response.created\"}\n\ndata: {\"type\":\"response.output_text.delta\"}\n\n"
               "data: [DONE]\n\n"},
      {EVENTS, ANTHROPIC "data: [DONE]\n\n"},
      {EVENTS, "data: {\"type\":\"message_start\"}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"candidates\":[{\"content\":1}]}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"choices\":[{\"finish_reason\":null}]}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"choices\":[{\"finish_reason\":\"\"}]}\n\ndata: [DONE]\n\n"},
      {EVENTS,
       "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[{\"index\":1,"
       "\"finish_reason\":null}]}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"output\":{\"finish_reason\":\"null\"}}\n\ndata: [DONE]\n\n"},
      {EVENTS, "data: {\"type\":\"image_edit.partial_image\"}\n\ndata: [DONE]\n\n"},
      /* Gemini: reasons that are none, and a candidate that has begun and is not over. */
      {EVENTS, "data: {\"candidates\":[{\"finishReason\":\"\"}]}\n\n"},
      {EVENTS, "data: {\"candidates\":[{\"finishReason\":\"FINISH_REASON_UNSPECIFIED\"}]}\n\n"},
      {EVENTS, "data: {\"candidates\":[{}],\"promptFeedback\":{\"blockReason\":null}}\n\n"},
      {EVENTS,
       "data: {\"candidates\":[{}],\"promptFeedback\":{\"blockReason\":\"BLOCK_REASON_UNSPECIFIED\"}}\n\n"},
      {EVENTS, "data: {\"candidates\":[{\"index\":1,\"content\":1}]}\n\n"
               "data: {\"candidates\":[{\"index\":0,\"finishReason\":\"STOP\"}]}\n\n"},
      {EVENTS, "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\ndata: "
               "{\"candidates\":[{\"content\":1}]}\n\n"},
      {OK("application/json"), "{\"candidates\":[],\"promptFeedback\":{\"blockReason\":null}}"},
      {EVENTS,
       OPENAI "data: {\"choices\":[{}],\"x_groq\":{\"error\":\"over_capacity\"}}\n\ndata: [DONE]\n\n"},
      /* No success, in so many words; Dify's, Stability's and the AI SDK's failures; jobs. */
      {OK("application/json"), "{\"success\":false,\"result\":{\"a\":1},\"errors\":[{\"code\":1000}]}"},
      {OK("application/json"), "{\"success\":false,\"result\":{\"a\":1},\"message\":\"no\"}"},
      {OK("application/json"), "{\"success\":false,\"data\":{\"message\":\"Rate limit\"}}"},
      {OK("application/json"), "{\"workflow_run_id\":\"w\",\"data\":{\"status\":\"failed\",\"outputs\":{}}}"},
      {EVENTS, "data: {\"event\":\"workflow_finished\",\"data\":{\"status\":\"stopped\"}}\n\n"},
      {OK("application/json"), "{\"artifacts\":[{\"base64\":\"\",\"finishReason\":\"ERROR\"}]}"},
      {EVENTS, "data: {\"type\":\"text-delta\"}\n\ndata: {\"type\":\"abort\"}\n\ndata: [DONE]\n\n"},
      {OK("application/json"), "{\"id\":\"a\",\"status\":\"CREATED\",\"response\":null}"},
      {OK("application/json"), "{\"id\":\"a\",\"status\":\"InProgress\"}"},
      {OK("application/json"), "{\"id\":\"a\",\"status\":\"waiting\"}"},
      {OK("application/json"), "{\"taskId\":\"a\"}"},
      {OK("application/json"), "{\"code\":200,\"msg\":\"success\",\"data\":{\"taskId\":\"a\"}}"},
      {EVENTS, "data: {\"results\":[{\"stop_reason\":\"not_finished\"}]}\n\n"},
      {EVENTS, "data: {\"Choices\":[{\"FinishReason\":\"\"}]}\n\n"},
      /* Failures that are no events to a browser, and a name that may have gone on. */
      {EVENTS, OPENAI "error: {\"code\":500,\"message\":\"x\"}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "{\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n"},
      {EVENTS, OPENAI "{\"error\":{\"message\":\"x\"}}"},
      {EVENTS, OPENAI "event: error\n\ndata: [DONE]\n\n"},
      {EVENTS, "event: data\ndata: \"hello\"\n\nevent: end\n"},
      /* The same of LM Studio, KoboldCpp and MiniMax without their ends, or with a failure before it. */
      {EVENTS, "event: chat.start\ndata: {\"type\":\"chat.start\"}\n\n"
               "event: message.end\ndata: {\"type\":\"message.end\"}\n\ndata: [DONE]\n\n"},
      {EVENTS, "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"a\"}}\n\n"
               "event: chat.end\ndata: {\"type\":\"chat.end\",\"result\":{\"output\":[]}}\n\n"},
      {EVENTS, "event: message\ndata: {\"token\":\"a\",\"finish_reason\":null}\n\n"},
      {EVENTS, "event: message\ndata: {\"token\":\"\",\"finish_reason\":\"error\"}\n\n"},
      {EVENTS, "data: {\"data\":{\"audio\":\"01\",\"status\":1},\"base_resp\":{\"status_code\":0}}\n\n"},
      {EVENTS, "data: {\"data\":{\"audio\":\"\",\"status\":2},\"base_resp\":{\"status_code\":1002}}\n\n"},
      /* An error within a choice, codes that are numbers, a reason's last word. */
      {OK("application/json"), "{\"choices\":[{\"message\":{\"content\":\"\",\"error\":{\"code\":502}}}]}"},
      {EVENTS, "data: {\"choices\":[{\"delta\":{\"content\":\"\",\"error\":\"x\"}}]}\n\ndata: [DONE]\n\n"},
      {OK("application/json"), "{\"err_no\":3301,\"err_msg\":\"speech quality error.\",\"sn\":\"a\"}"},
      {OK("application/json"), "{\"errorCode\":\"108\",\"requestId\":\"a\",\"l\":\"en2zh\"}"},
      {OK("application/json"), "{\"errcode\":40001,\"errmsg\":\"x\"}"},
      {OK("application/json"), "{\"errorCode\":\"Throttling\",\"message\":\"x\"}"},
      {OK("application/json"),
       "{\"data\":{\"id\":\"1\",\"status\":\"x\",\"last_error\":{\"code\":500}},\"code\":0}"},
      {OK("application/json"), "{\"text\":\"a\",\"finish_reason\":\"USER_CANCEL\"}"},
      {OK("application/json"), "{\"generations\":[{\"text\":\"a\",\"finish_reason\":\"USER_CANCEL\"}]}"},
      /* Jobs in `data`, a piece of a stream, choices that are not there. */
      {OK("application/json"), "{\"data\":{\"id\":\"1\",\"conversation_id\":\"2\",\"last_error\":{\"code\":0}"
                               ",\"status\":\"in_progress\"},"
                               "\"code\":0,\"msg\":\"\"}"},
      {OK("application/json"), "{\"data\":{\"task_id\":\"a\",\"status\":\"IN_PROGRESS\",\"generated\":[]}}"},
      {OK("application/json"), "{\"model\":\"m\",\"response\":\"a\",\"done\":false}"},
      {OK("application/json"), "{\"id\":\"a\",\"object\":\"chat.completion\",\"model\":\"m\",\"usage\":{}}"},
      {"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\ngrpc-status: 8\r\n\r\n", "\x01\x02"},
  };
  ALL_ARE(samples, IDEM_REFUSED);
}

/* Where an answer is an object or a list with something in it, or a stream, nothing else is one. */
Test(store_answers, what_is_no_json_is_no_answer_of_an_endpoint_that_speaks_it)
{
  static const struct sample samples[] = {
      {OK("application/json"), "{}"},
      {OK("application/json"), " { }\n"},
      {OK("application/json"), "[]"},
      {OK("application/json"), "null"},
      {OK("application/json"), "\"\""},
      {OK("application/json"), "17"},
      {OK("text/plain"), "502 Bad Gateway\n"},
      {OK("text/plain"), "{}"},
      {OK("text/html; charset=utf-8"), "<html><body>502 Bad Gateway</body></html>"},
      {OK("application/xml"), "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>"},
      {"HTTP/1.1 200 OK\r\n\r\n", "upstream connect error or disconnect/reset before headers"},
  };
  static const char *const paths[] = {
      "/v1/chat/completions", "/gateway/openai/v1/responses",      "/v1/messages",
      "/v1/embeddings",       "/openai/deployments/d/completions", "/v1beta/models/m:streamGenerateContent",
      "/model/m/invoke"};
  static const char *const others[] = {"/v1/ask", "/api/chat", "/api/messages"};
  struct caller caller = caller_of(&fixture, "{}");
  caller.request.rule = fixture.config.rules;
  caller.request.header_count = 0;
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct idem_chunk chunk;
    struct idem_recording recording = recording_of(&chunk, samples[i].headers, samples[i].body);
    struct answer_facts facts;
    struct idem_error why = {""};
    for (size_t j = 0; j < sizeof(paths) / sizeof(*paths); j++) {
      caller.request.path = SPAN(paths[j]);
      cr_expect(!judge_answer(&caller.request, &recording, &facts, &why), "%s: %s", paths[j],
                samples[i].body);
    }
    for (size_t j = 0; j < sizeof(others) / sizeof(*others); j++) {
      caller.request.path = SPAN(others[j]);
      cr_expect(judge_answer(&caller.request, &recording, &facts, &why), "%s: %s: %s", others[j],
                samples[i].body, why.text);
    }
  }
}

/* Bytes that no text is, and JSON under any type. */
Test(store_answers, what_such_an_endpoint_may_send_is_an_answer)
{
  static const struct sample samples[] = {
      {OK("application/octet-stream"), "\x01\x02"},
      {OK("audio/mpeg"), "\xff\xfb\x90"},
      {OK("text/plain"), "{\"choices\":[{}]}"},
      {OK("text/html"), "data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n"},
      {OK("application/json"), "[[0.5]]"},
  };
  struct caller caller = caller_of(&fixture, "{}");
  caller.request.rule = fixture.config.rules;
  caller.request.headers = caller.headers;
  caller.request.path = SPAN("/v1/embeddings");
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct idem_chunk chunk;
    struct idem_recording recording = recording_of(&chunk, samples[i].headers, samples[i].body);
    struct answer_facts facts;
    struct idem_error why = {""};
    cr_expect(judge_answer(&caller.request, &recording, &facts, &why), "%s: %s", samples[i].body, why.text);
  }
}

/* What else is asked for says what is no answer there. */
Test(store_answers, each_endpoint_has_answers_of_its_own)
{
  static const struct {
    const char *path, *headers, *body;
    bool accepted;
  } samples[] = {
      {"/v1/audio/speech", OK("audio/mpeg"), "ID3", true},
      {"/v1/audio/speech", "HTTP/1.1 200 OK\r\n\r\n", "ID3", true},
      {"/v1/audio/speech", OK("audio/pcm"), "{\x01\x02", true},
      {"/v1/audio/speech", OK("application/json"), "{\"audio\":\"AAAA\"}", true},
      {"/v1/audio/speech", EVENTS, "data: {\"type\":\"speech.audio.done\"}\n\n", true},
      {"/v1/audio/speech", OK("audio/mpeg"), "", false},
      {"/v1/audio/speech", OK("text/plain"), "upstream connect error", false},
      {"/v1/audio/speech", OK("application/xml"), "<?xml version=\"1.0\"?><Error/>", false},
      {"/v1/audio/speech", OK("application/json"), "{}", false},
      {"/v1/audio/transcriptions", OK("text/plain"), "", true},
      {"/v1/audio/transcriptions", OK("text/plain"), "Hello", true},
      {"/v1/audio/transcriptions", OK("application/json"), "{\"text\":\"\"}", true},
      {"/v1/audio/transcriptions", OK("text/html"), "<!doctype html><html>Sign in</html>", false},
      {"/v1/images/edits", OK("application/json"), "{\"data\":[{}]}", true},
      {"/v1/images/edits", OK("text/html"), "<!doctype html><html>Sign in</html>", false},
      {"/v1beta/models/m:generateContent", OK("application/json"),
       "{\"usageMetadata\":{\"promptTokenCount\":1}}", false},
      {"/v1beta/models/m:generateContent", OK("application/json"),
       "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}", true},
      {"/v1beta/models/m:streamGenerateContent", OK("application/json"),
       "[{\"candidates\":[{\"content\":1}]}]", false},
      {"/v1beta/models/m:streamGenerateContent", OK("application/json"),
       "[{\"candidates\":[{\"content\":1}]},{\"candidates\":[{\"finishReason\":\"STOP\"}]},{"
       "\"usageMetadata\":{}}]",
       true},
      {"/own", OK("application/json"), "[{\"candidates\":[{\"content\":1}]}]", true},
      {"/own", OK("application/json"), "{\"usageMetadata\":{\"promptTokenCount\":1}}", true},
  };
  struct caller caller = caller_of(&fixture, "{}");
  caller.request.rule = fixture.config.rules;
  caller.request.header_count = 0;
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct idem_chunk chunk;
    struct idem_recording recording = recording_of(&chunk, samples[i].headers, samples[i].body);
    struct answer_facts facts;
    struct idem_error why = {""};
    caller.request.path = SPAN(samples[i].path);
    cr_expect_eq(judge_answer(&caller.request, &recording, &facts, &why), samples[i].accepted, "%s: %s: %s",
                 samples[i].path, samples[i].body, why.text);
  }
}

/* On the endpoint of a provider it is known what stands where. */
Test(store_answers, a_completion_of_a_provider_has_choices)
{
  static const struct {
    const char *path, *body;
    bool accepted;
  } samples[] = {
      {"/v1/chat/completions", "{\"id\":\"a\",\"model\":\"m\"}", false},
      {"/v1/chat/completions", "{\"id\":\"a\",\"choices\":[{}]}", true},
      {"/v1/chat/completions", "{\"success\":true,\"result\":{\"response\":\"a\"}}", true},
      {"/v1/embeddings", "{\"id\":\"a\",\"model\":\"m\"}", true},
  };
  struct caller caller = caller_of(&fixture, "{}");
  struct idem_rule rule = *fixture.config.rules, built_in = rule;
  built_in.name = "OpenAI";
  caller.request.header_count = 0;
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct idem_chunk chunk;
    struct idem_recording recording = recording_of(&chunk, OK("application/json"), samples[i].body);
    struct answer_facts facts;
    struct idem_error why = {""};
    caller.request.path = SPAN(samples[i].path);
    caller.request.rule = &built_in;
    cr_expect_eq(judge_answer(&caller.request, &recording, &facts, &why), samples[i].accepted, "%s: %s",
                 samples[i].body, why.text);
    caller.request.rule = &rule;
    cr_expect(judge_answer(&caller.request, &recording, &facts, &why), "%s: %s", samples[i].body, why.text);
  }
}

Test(store_answers, a_status_of_grpc_counts_behind_the_body_too)
{
  for (int failed = 0; failed < 2; failed++) {
    struct idem_chunk chunk;
    struct idem_recording recording = recording_of(&chunk, OK("application/grpc"), "a message");
    recording.trailers = failed ? SPAN("grpc-status: 14\r\n") : SPAN("Grpc-Status: 0\r\n");
    cr_expect_eq(stored_with(&recording), failed ? IDEM_REFUSED : IDEM_STORED);
  }
}

/* It might be an answer, so that it is said; a stream of nothing is not. */
Test(store_answers, a_stream_that_may_be_an_answer_is_refused_aloud)
{
  static const struct {
    const char *body;
    bool aloud;
  } samples[] = {{"data: {\"message\":\"Hel\"}\n\ndata: [DONE]\n\n", true},
                 {ANTHROPIC "data: [DONE]\n\n", true},
                 {"data: [DONE]\n\n", false}};
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct idem_chunk chunk;
    struct idem_recording recording = recording_of(&chunk, EVENTS, samples[i].body);
    struct caller caller = caller_of(&fixture, samples[i].body);
    struct answer_facts facts;
    struct idem_error why = {""};
    caller.request.rule = fixture.config.rules;
    caller.request.headers = caller.headers;
    cr_expect(!judge_answer(&caller.request, &recording, &facts, &why));
    cr_expect_eq(facts.unproven, samples[i].aloud, "%s: %s", samples[i].body, why.text);
  }
}

Test(store_answers, the_last_header_block_says_what_the_body_is)
{
  cr_expect_eq(stored(EVENTS OK("text/plain"), "plain"), IDEM_STORED);
  cr_expect_eq(
      stored("HTTP/1.1 100 Continue\r\n\r\nHTTP/2 200\r\ncontent-type:application/json\r\n\r\n", "{"),
      IDEM_REFUSED);
}

Test(store_answers, a_body_that_ends_with_the_connection_must_prove_its_end)
{
  static const struct {
    const char *headers, *body;
    int wanted;
  } samples[] = {
      {OK("text/plain"), "half a", IDEM_REFUSED},
      {OK("application/json"), "{\"a\":1}", IDEM_STORED},
      {OK("application/json"), "12", IDEM_REFUSED},
      {EVENTS, OPENAI "data: [DONE]\n\n", IDEM_STORED},
      {LINES, "{\"done\":true}\n", IDEM_STORED},
      {EVENTS, "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n", IDEM_REFUSED},
      {EVENTS, "event: output\ndata: a\n\nevent: done\ndata: {}\n\n", IDEM_REFUSED},
      {EVENTS, "data: {\"token\":\"\",\"finish_reason\":\"length\"}\n\n", IDEM_STORED},
      {EVENTS, "data: {\"text\":\"\",\"finish_reason\":\"length\"}\n\n", IDEM_REFUSED},
      {EVENTS, "data: {\"type\":\"chat.end\"}\n\n", IDEM_REFUSED},
      {OK("application/json"), "{\"a\":1}\n{\"a\":2}", IDEM_STORED},
  };
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct idem_chunk chunk;
    struct idem_recording recording = recording_of(&chunk, samples[i].headers, samples[i].body);
    recording.framed = false;
    cr_expect_eq(stored_with(&recording), samples[i].wanted, "%s", samples[i].body);
  }
}

Test(store_answers, an_encoded_stream_cannot_be_trusted)
{
  struct idem_chunk chunk;
  struct idem_recording events = recording_of(&chunk, EVENTS, "\x1f\x8b"), json = events;
  events.encoded = true;
  cr_expect_eq(stored_with(&events), IDEM_REFUSED);
  json = recording_of(&chunk, OK("application/json"), "\x1f\x8b");
  json.encoded = true;
  cr_expect_eq(stored_with(&json), IDEM_STORED);
  json.framed = false;
  cr_expect_eq(stored_with(&json), IDEM_REFUSED);
}

/* An event stream with 3 tokens in it, and an error, in each coding. */
#define BYTES(text)                                                                                          \
  {                                                                                                          \
    text, sizeof(text) - 1                                                                                   \
  }
static const struct coded {
  char coding[8];
  struct idem_span stream, error;
} coded[] = {
    {"gzip",
     BYTES("\037\213\010\000\000\000\000\000\002\377\113\111\054\111\264\122\250\126\112\316\310\317"
           "\114\116\055\126\262\212\256\126\312\314\113\111\255\120\262\062\250\215\325\121\052\055"
           "\116\114\117\125\262\252\126\052\050\312\317\055\050\211\057\311\317\116\315\003\052\063"
           "\256\255\345\342\112\001\153\216\166\361\367\163\215\345\342\002\000\221\264\373\320\113"
           "\000\000\000"),
     BYTES("\037\213\010\000\000\000\000\000\002\377\253\126\112\055\052\312\057\122\262\252\126\112"
           "\316\117\111\125\262\062\061\262\254\325\121\112\316\310\317\114\116\055\126\262\312\053"
           "\315\311\251\005\000\135\211\141\373\045\000\000\000")},
    {"deflate",
     BYTES("\170\332\113\111\054\111\264\122\250\126\112\316\310\317\114\116\055\126\262\212\256\126"
           "\312\314\113\111\255\120\262\062\250\215\325\121\052\055\116\114\117\125\262\252\126\052"
           "\050\312\317\055\050\211\057\311\317\116\315\003\052\063\256\255\345\342\112\001\153\216"
           "\166\361\367\163\215\345\342\002\000\320\306\030\266"),
     BYTES("\170\332\253\126\112\055\052\312\057\122\262\252\126\112\316\117\111\125\262\062\061\262"
           "\254\325\121\112\316\310\317\114\116\055\126\262\312\053\315\311\251\005\000\351\301\014"
           "\224")},
    {"br",
     BYTES("\023\112\000\000\304\362\326\277\044\273\054\330\264\313\124\326\177\046\044\143\150\277"
           "\007\207\034\070\234\070\012\263\226\133\260\061\166\256\106\320\214\043\213\030\014\313"
           "\063\250\006\111\202\311\107\104\352\007\032\316\335\353\374\131\375\074\060\273\213\000"
           "\112\113\157\165\210\000"),
     BYTES("\023\044\000\000\004\124\071\362\362\351\271\274\254\313\132\221\111\104\351\105\123\326"
           "\167\062\170\141\200\303\333\357\020\242\370\171\120")},
    {"zstd",
     BYTES("\050\265\057\375\040\113\131\002\000\144\141\164\141\072\040\173\042\143\150\157\151\143"
           "\145\163\042\072\133\173\042\151\156\144\145\170\042\072\060\175\135\054\042\165\163\141"
           "\147\145\042\072\173\042\160\162\157\155\160\164\137\164\157\153\145\156\163\042\072\063"
           "\175\175\012\012\144\141\164\141\072\040\133\104\117\116\105\135\012\012"),
     BYTES("\050\265\057\375\040\045\051\001\000\173\042\145\162\162\157\162\042\072\173\042\143\157"
           "\144\145\042\072\064\062\071\175\054\042\143\150\157\151\143\145\163\042\072\156\165\154"
           "\154\175")},
};

static int stored_in_coding(const struct coded *in, const char *type, struct idem_span body)
{
  char headers[128];
  struct idem_chunk chunk;
  snprintf(headers, sizeof(headers), "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: %s\r\n\r\n",
           type, in->coding);
  struct idem_recording recording = recording_of(&chunk, headers, "");
  recording.encoded = true;
  recording.body = body;
  chunk.len = (uint32_t)body.len;
  return stored_with(&recording);
}

Test(store_answers, a_coding_that_the_app_undoes_is_undone_for_the_judge)
{
  for (size_t i = 0; i < sizeof(coded) / sizeof(*coded); i++) {
    struct idem_span part = coded[i].stream;
    usage = (struct idem_usage){0};
    cr_expect_eq(stored_in_coding(&coded[i], "text/event-stream", part), IDEM_STORED, "%s", coded[i].coding);
    cr_expect_eq(usage.input, 3, "%s", coded[i].coding);
    while (--part.len)
      cr_expect_eq(stored_in_coding(&coded[i], "text/event-stream", part), IDEM_REFUSED, "%s: %zu bytes",
                   coded[i].coding, part.len);
    cr_expect_eq(stored_in_coding(&coded[i], "application/json", coded[i].error), IDEM_REFUSED, "%s",
                 coded[i].coding);
  }
}

/* What is named as a coding and is none changes no byte; several are not undone, and that is said. */
Test(store_answers, a_coding_that_is_none_is_looked_through)
{
  static const struct {
    const char *coding, *type, *body;
    int wanted;
  } samples[] = {
      {"none", "application/json", "{\"error\":{\"message\":\"x\"}}", IDEM_REFUSED},
      {"none", "text/event-stream", OPENAI "data: [DONE]\n\n", IDEM_STORED},
      {"none", "text/event-stream", OPENAI, IDEM_REFUSED},
      {"UTF-8", "text/event-stream", OPENAI "data: [DONE]\n\n", IDEM_STORED},
      {"identity, none", "application/json", "{\"error\":{\"message\":\"x\"}}", IDEM_REFUSED},
      {"x-own", "application/json", "{\"error\":{\"message\":\"x\"}}", IDEM_REFUSED},
      {"x-own", "application/json", "{\"a\":1}", IDEM_STORED},
      {"x-own", "text/event-stream", OPENAI "data: [DONE]\n\n", IDEM_STORED},
      {"x-own", "text/event-stream", "event: error\ndata: x\n\ndata: [DONE]\n\n", IDEM_REFUSED},
      {"x-own", "application/json", "\x1f\x9d\x90", IDEM_STORED},
      {"x-own", "text/event-stream", "\x1f\x9d\x90", IDEM_REFUSED},
      {"gzip, gzip", "application/json", "\x1f\x8b", IDEM_REFUSED},
      {"gzip, x-own", "audio/mpeg", "\x1f\x8b", IDEM_REFUSED},
  };
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    char headers[128];
    struct idem_chunk chunk;
    snprintf(headers, sizeof(headers), "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: %s\r\n\r\n",
             samples[i].type, samples[i].coding);
    struct idem_recording recording = recording_of(&chunk, headers, samples[i].body);
    recording.encoded = true;
    cr_expect_eq(stored_with(&recording), samples[i].wanted, "%s: %s", samples[i].coding, samples[i].body);
  }
}

/* A document is believed by its framing then, a stream is not. */
Test(store_answers, a_coding_whose_library_is_not_there_is_not_looked_into)
{
  fixture_has_no_libraries = true;
  for (size_t i = 0; i < sizeof(coded) / sizeof(*coded); i++) {
    cr_expect_eq(stored_in_coding(&coded[i], "text/event-stream", coded[i].stream), IDEM_REFUSED, "%s",
                 coded[i].coding);
    cr_expect_eq(stored_in_coding(&coded[i], "application/json", coded[i].error), IDEM_STORED, "%s",
                 coded[i].coding);
  }
}

Test(store_answers, a_judge_that_has_not_seen_all_of_the_body_does_not_judge_it)
{
  static const char body[] = "{\"error\":{\"code\":1}}";
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, OK("application/json"), body);
  recording.judge = idem_judge_new(recording.headers, false);
  idem_judge_feed(recording.judge, (struct idem_span){"{\"a\":1}", 7});
  cr_expect_eq(stored_with(&recording), IDEM_REFUSED);
  idem_judge_free(recording.judge);
}

/* One frame with the header `name`: "x" and this payload. */
static size_t add_frame(char *out, const char *name, const char *payload)
{
  size_t headers = 1 + strlen(name) + 1 + 2 + 1, total = 12 + headers + strlen(payload) + 4;
  memset(out, 0, total);
  out[2] = (char)(total >> 8), out[3] = (char)total, out[7] = (char)headers;
  char *at = out + 12;
  *at++ = (char)strlen(name);
  memcpy(at, name, strlen(name));
  at += strlen(name);
  *at++ = 7, *at++ = 0, *at++ = 1, *at++ = 'x';
  memcpy(at, payload, strlen(payload));
  return total;
}

Test(store_answers, amazon_frames_are_whole_and_without_exception)
{
  char body[512];
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, OK("application/vnd.amazon.eventstream"), "");
  size_t len = add_frame(body, ":event-type", "{}");
  len += add_frame(body + len, ":event-type", "{\"usage\":{\"inputTokens\":3,\"outputTokens\":4}}");
  recording.body = (struct idem_span){body, len};
  chunk.len = (uint32_t)len;
  cr_expect_eq(stored_with(&recording), IDEM_STORED);
  cr_expect_eq(usage.input, 3);
  cr_expect_eq(usage.output, 4);
  recording.body.len = chunk.len = (uint32_t)len - 1;
  cr_expect_eq(stored_with(&recording), IDEM_REFUSED);
  len += add_frame(body + len, ":exception-type", "{}");
  recording.body.len = chunk.len = (uint32_t)len;
  cr_expect_eq(stored_with(&recording), IDEM_REFUSED);
}

/* InvokeModel has the model's own events in base64. */
Test(store_answers, what_amazon_frames_carry_is_read)
{
#define CHUNK(base64) "{\"bytes\":\"" base64 "\"}"
  static const char start[] =
      CHUNK("eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnsidXNhZ2UiOnsiaW5wdXRfdG9rZW5zIjozfX19");
  static const char delta[] = CHUNK("eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSJ9");
  static const char failure[] =
      CHUNK("eyJ0eXBlIjoiZXJyb3IiLCJlcnJvciI6eyJ0eXBlIjoib3ZlcmxvYWRlZF9lcnJvciJ9fQ==");
  static const char stop[] =
      CHUNK("eyJ0eXBlIjoibWVzc2FnZV9zdG9wIiwiYW1hem9uLWJlZHJvY2staW52b2NhdGlvbk1ldHJpY3MiOnsiaW5wdXRUb2tlbkNv"
            "dW50IjozLCJjYWNoZVJlYWRJbnB1dFRva2VuQ291bnQiOjEwLCJvdXRwdXRUb2tlbkNvdW50Ijo3fX0=");
  static const char other_model[] =
      CHUNK("eyJvdXRwdXRUZXh0IjoiaGkiLCJhbWF6b24tYmVkcm9jay1pbnZvY2F0aW9uTWV0cmljcyI6eyJpbnB1dFRva2VuQ291bnQi"
            "OjUsIm91dHB1dFRva2VuQ291bnQiOjl9fQ==");
  static const struct {
    const char *frames[3];
    int verdict;
  } streams[] = {{{start, delta, stop}, IDEM_STORED},
                 {{start, delta, failure}, IDEM_REFUSED},
                 {{start, delta, delta}, IDEM_REFUSED},
                 {{other_model, delta, other_model}, IDEM_STORED},
                 {{CHUNK("eyJ9"), CHUNK("?"), "{\"bytes\":7}"}, IDEM_STORED}};
  for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
    char body[1024];
    size_t len = 0;
    struct idem_chunk chunk;
    struct idem_recording recording = recording_of(&chunk, OK("application/vnd.amazon.eventstream"), "");
    for (size_t j = 0; j < 3; j++)
      len += add_frame(body + len, ":event-type", streams[i].frames[j]);
    recording.body = (struct idem_span){body, len};
    chunk.len = (uint32_t)len;
    usage = (struct idem_usage){-1, -1};
    cr_expect_eq(stored_with(&recording), streams[i].verdict, "%zu", i);
    if (i == 0)
      cr_expect(usage.input == 13 && usage.output == 7, "%d, %d", (int)usage.input, (int)usage.output);
    if (i == 3)
      cr_expect(usage.input == 5 && usage.output == 9, "%d, %d", (int)usage.input, (int)usage.output);
  }
}

Test(store_answers, what_may_not_be_kept_is_not)
{
  struct idem_chunk chunk;
  struct idem_recording token = recording_of(
      &chunk, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: private, No-Store\r\n\r\n",
      "{\"access_token\":\"t\"}");
  cr_expect_eq(stored_with(&token), IDEM_REFUSED);
  fixture_rule(&fixture, "ignore_cache_control=on");
  cr_expect_eq(stored_with(&token), IDEM_STORED);
}

Test(store_answers, a_202_is_a_job_unless_the_rule_names_it)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, "HTTP/1.1 202 Accepted\r\n\r\n", "ok");
  recording.status = 202;
  cr_expect_eq(stored_with(&recording), IDEM_REFUSED);
  fixture_rule(&fixture, "status=200,202");
  cr_expect_eq(stored_with(&recording), IDEM_STORED);
}

Test(store_answers, what_was_cut_short_is_kept_unless_the_rule_minds)
{
  static const struct sample samples[] = {
      {OK("application/json"),
       "{\"choices\":[{\"finish_reason\":\"length\"},{\"finish_reason\":\"length\"}]}"},
      {OK("application/json"), "{\"content\":[{}],\"stop_reason\":\"max_tokens\"}"},
      {OK("application/json"), "{\"candidates\":[{\"finishReason\":\"MAX_TOKENS\"}]}"},
      {OK("application/json"), "{\"status\":\"incomplete\",\"output\":[{}]}"},
      {OK("application/json"), "{\"done_reason\":\"length\",\"done\":true,\"response\":\"a\"}"},
      {EVENTS, "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\n"
               "data: {\"type\":\"message_stop\"}\n\n"},
      {EVENTS, "data: {\"type\":\"response.incomplete\",\"response\":{\"status\":\"incomplete\"}}\n\n"},
      {OK("application/json"), "{\"content\":[{}],\"stop_reason\":\"model_context_window_exceeded\"}"},
      {OK("application/json"), "{\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"status\":"
                               "\"incomplete\",\"output\":[{}]}"},
  };
  static const struct sample others[] = {
      {OK("application/json"), "{\"choices\":[{\"finish_reason\":\"length\"},{\"finish_reason\":\"stop\"}]}"},
      {OK("application/json"), "{\"choices\":[{}]}"},
      {OK("application/json"),
       "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"},\"output\":[{}]}"},
  };
  ALL_ARE(samples, IDEM_STORED);
  fixture_rule(&fixture, "truncated=live");
  ALL_ARE(samples, IDEM_REFUSED);
  ALL_ARE(others, IDEM_STORED);
}

Test(store_answers, the_rule_says_which_status_is_an_answer)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, "HTTP/1.1 404 Not Found\r\n\r\n", "no");
  recording.status = 404;
  cr_expect_eq(stored_with(&recording), IDEM_REFUSED);
  fixture_rule(&fixture, "status=200,404");
  cr_expect_eq(stored_with(&recording), IDEM_STORED);
}

Test(store_answers, larger_than_max_body_is_refused)
{
  fixture_rule(&fixture, "max_body=10");
  cr_expect_eq(stored(OK("text/plain"), "0123456789"), IDEM_STORED);
  cr_expect_eq(stored(OK("text/plain"), "0123456789a"), IDEM_REFUSED);
}

Test(store_answers, tokens_are_read_in_every_providers_words)
{
  static const struct {
    const char *headers, *body;
    int64_t input, output;
  } samples[] = {
      {OK("application/json"), "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}", 1, 2},
      {OK("application/json"), "{\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}", 7, -1},
      {OK("application/json"),
       "{\"usage\":{\"input_tokens\":1,\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":100,"
       "\"output_tokens\":2}}",
       111, 2},
      {OK("application/json"),
       "{\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":2,\"thoughtsTokenCount\":30}}", 1,
       32},
      {OK("application/json"), "{\"prompt_eval_count\":1,\"eval_count\":2}", 1, 2},
      {OK("application/json"), "{\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}", 1, 2},
      {OK("application/json"), "{\"meta\":{\"tokens\":{\"input_tokens\":1,\"output_tokens\":2}}}", 1, 2},
      /* OpenAI's count has the cached tokens in it, whatever a gateway says beside it; Bedrock's has not. */
      {OK("application/json"),
       "{\"usage\":{\"prompt_tokens\":100,\"cache_read_input_tokens\":90,\"prompt_tokens_details\":{"
       "\"cached_tokens\":90},\"completion_tokens\":2}}",
       100, 2},
      {OK("application/json"),
       "{\"usage\":{\"input_tokens\":100,\"input_tokens_details\":{\"cached_tokens\":90},\"output_tokens\":2}"
       "}",
       100, 2},
      {OK("application/json"),
       "{\"usage\":{\"inputTokens\":1,\"cacheReadInputTokens\":10,\"cacheWriteInputTokens\":100,"
       "\"outputTokens\":2}}",
       111, 2},
      {OK("application/json"), "{\"a\":1}", -1, -1},
      {EVENTS,
       "data: {\"usage\":null}\n\ndata: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: "
       "[DONE]\n\n",
       1, 2},
      {EVENTS,
       "data: "
       "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n"
       "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":9}}\n\ndata: "
       "{\"type\":\"message_stop\"}\n\n",
       5, 9},
      {EVENTS,
       "data: "
       "{\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}"
       "\n\n",
       3, 4},
      {LINES, "{\"done\":true,\"prompt_eval_count\":3,\"eval_count\":4}\n", 3, 4},
  };
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    cr_assert_eq(stored(samples[i].headers, samples[i].body), IDEM_STORED, "%s", samples[i].body);
    cr_expect_eq(usage.input, samples[i].input, "%s: %ld", samples[i].body, usage.input);
    cr_expect_eq(usage.output, samples[i].output, "%s: %ld", samples[i].body, usage.output);
  }
}
