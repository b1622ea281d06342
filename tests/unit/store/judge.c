/* SPDX-License-Identifier: MIT */
/* What is kept as an answer, and what is a failure in an answer's clothes. */
#include "tests/unit/store/answer_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(store_answers, .init = open_fixture, .fini = close_fixture);

Test(store_answers, whole_answers_are_stored)
{
  static const struct answer_sample samples[] = {
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
  static const struct answer_sample samples[] = {
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

Test(store_answers, a_status_of_grpc_counts_behind_the_body_too)
{
  for (int failed = 0; failed < 2; failed++) {
    struct idem_chunk chunk;
    struct idem_recording recording = recording_of(&chunk, OK("application/grpc"), "a message");
    recording.trailers = failed ? SPAN("grpc-status: 14\r\n") : SPAN("Grpc-Status: 0\r\n");
    cr_expect_eq(answer_commit(&recording), failed ? IDEM_REFUSED : IDEM_STORED);
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
  cr_expect_eq(answer_stored(EVENTS OK("text/plain"), "plain"), IDEM_STORED);
  cr_expect_eq(
      answer_stored("HTTP/1.1 100 Continue\r\n\r\nHTTP/2 200\r\ncontent-type:application/json\r\n\r\n", "{"),
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
    cr_expect_eq(answer_commit(&recording), samples[i].wanted, "%s", samples[i].body);
  }
}

Test(store_answers, a_judge_that_has_not_seen_all_of_the_body_does_not_judge_it)
{
  static const char body[] = "{\"error\":{\"code\":1}}";
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, OK("application/json"), body);
  recording.judge = idem_judge_new(recording.headers, false);
  idem_judge_feed(recording.judge, (struct idem_span){"{\"a\":1}", 7});
  cr_expect_eq(answer_commit(&recording), IDEM_REFUSED);
  idem_judge_free(recording.judge);
}
