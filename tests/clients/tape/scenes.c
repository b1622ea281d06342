/* SPDX-License-Identifier: MIT */
#include "tests/clients/tape/scenes.h"

#include <stdio.h>
#include <string.h>

#define JSON(status) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\n\r\n"
#define EVENTS                                                                                               \
  "HTTP/2 200\r\ncontent-type: text/event-stream\r\nset-cookie: session=0123456789abcdef; Path=/\r\n\r\n"

#define ASK(text) "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]}"
#define SAY(text)                                                                                            \
  "{\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"" text \
  "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":42,\"total_"       \
  "tokens\":61}}"
#define DELTA(text) "data: {\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define END_OF_STREAM                                                                                        \
  "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":8}}\n\n"                      \
  "data: [DONE]\n\n"
#define BUSY                                                                                                 \
  "{\"error\":{\"message\":\"Rate limit reached. Please try again in "                                       \
  "1s.\",\"type\":\"rate_limit\",\"code\":429}}"
#define TOO_MANY JSON("429 Too Many Requests")

#define STORY                                                                                                \
  "{\"model\":\"gpt-4o-mini\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Tell me a "     \
  "story.\"}]}"

static const char summarise[] = ASK("Summarise ticket 1042 in two sentences.");
static const char classify[] = ASK("Is this a complaint? Answer yes or no.");
static const char story[] = STORY;

/* A stream of eight pieces and its end. */
static const char stream[] = DELTA("Once") DELTA(" upon") DELTA(" a") DELTA(" time") DELTA(" there")
    DELTA(" was") DELTA(" a") DELTA(" tape.") END_OF_STREAM;

static void rate_limited(struct scene *scene)
{
  perform(scene,
          &(struct act){.lane = 2,
                        .request = classify,
                        .status = 429,
                        .headers = TOO_MANY,
                        .body = BUSY,
                        .wait_ms = 40,
                        .stream_ms = 1},
          400);
  perform(scene,
          &(struct act){.lane = 2,
                        .request = classify,
                        .status = 429,
                        .headers = TOO_MANY,
                        .body = BUSY,
                        .wait_ms = 35,
                        .stream_ms = 1},
          700);
  perform(scene,
          &(struct act){.lane = 2, .request = classify, .body = SAY("Yes."), .wait_ms = 480, .stream_ms = 3},
          200);
}

static void failures(struct scene *scene)
{
  perform(scene,
          &(struct act){.lane = 3,
                        .request = ASK("Translate it."),
                        .curl_code = 28,
                        .error = "Operation timed out after 3000 milliseconds with 0 bytes received",
                        .wait_ms = 3000},
          150);
  perform(scene,
          &(struct act){.lane = 1,
                        .request = ASK("And in French?"),
                        .status = 200,
                        .curl_code = 56,
                        .headers = EVENTS,
                        .body = DELTA("Il") DELTA(" \xc3\xa9tait"),
                        .chunks = 2,
                        .error = "Recv failure: Connection reset by peer",
                        .wait_ms = 300,
                        .stream_ms = 500},
          900);
  perform(scene,
          &(struct act){.lane = 1,
                        .request = ASK("And in French?"),
                        .headers = EVENTS,
                        .body = stream,
                        .chunks = 10,
                        .wait_ms = 280,
                        .stream_ms = 1100},
          600);
  perform(scene,
          &(struct act){.lane = 2,
                        .origin = "https://api.elsewhere.example:443",
                        .request = ASK("x"),
                        .curl_code = 6,
                        .error = "Could not resolve host: api.elsewhere.example",
                        .wait_ms = 12},
          700);
}

static void others(struct scene *scene, const char *answer)
{
  perform(scene,
          &(struct act){.lane = 3,
                        .request = summarise,
                        .what = TAPE_HIT,
                        .body = SAY("A printer is on fire."),
                        .stream_ms = 1},
          30);
  perform(scene,
          &(struct act){.lane = 2,
                        .request = story,
                        .what = TAPE_JOIN,
                        .headers = EVENTS,
                        .body = stream,
                        .chunks = 10,
                        .wait_ms = 700,
                        .stream_ms = 900},
          100);
  perform(scene,
          &(struct act){.lane = 1,
                        .process = 1,
                        .path = "/v1/audio/speech",
                        .request = ASK("Say it."),
                        .headers = "HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n",
                        .body = "\xff\xfb\x90\x64\0\0\0\0\x80\xfe\xff",
                        .body_size = 11,
                        .wait_ms = 600,
                        .stream_ms = 200},
          300);
  perform(scene,
          &(struct act){.lane = 1,
                        .process = 1,
                        .path = "/v1/embeddings",
                        .query = "key=test-credential-beta&n=1",
                        .what = TAPE_BYPASS,
                        .request = "{\"input\":\"fire\"}",
                        .body = "{\"data\":[],\"usage\":{\"prompt_tokens\":3}}",
                        .wait_ms = 90},
          400);
  perform(scene,
          &(struct act){.lane = 3,
                        .request = ASK("Translate it."),
                        .what = TAPE_RESCUE,
                        .body = SAY("Es brennt."),
                        .wait_ms = 3900,
                        .stream_ms = 20},
          200);
  perform(scene,
          &(struct act){.lane = 1,
                        .request = ASK("One more."),
                        .what = TAPE_REJECT,
                        .status = 422,
                        .headers = JSON("422 Unprocessable Content"),
                        .body = "{\"title\":\"mismatch\"}",
                        .stream_ms = 1},
          200);
  perform(
      scene,
      &(struct act){.lane = 2, .request = ASK("Last one."), .body = answer, .wait_ms = 350, .stream_ms = 4},
      0);
}

static void play_with(struct scene *scene, const char *answer)
{
  perform(scene,
          &(struct act){.lane = 1,
                        .request = summarise,
                        .body = SAY("A printer is on fire."),
                        .wait_ms = 820,
                        .stream_ms = 6},
          60);
  perform(scene,
          &(struct act){.lane = 3,
                        .request = story,
                        .headers = EVENTS,
                        .body = stream,
                        .chunks = 10,
                        .wait_ms = 410,
                        .stream_ms = 1600},
          120);
  rate_limited(scene);
  failures(scene);
  scene->now_us += 600 * INT64_C(1000000);
  others(scene, answer);
}

void play_day(struct scene *scene, long count)
{
  (void)count;
  play_with(scene, SAY("Goodbye."));
}

void play_other_day(struct scene *scene, long count)
{
  (void)count;
  play_with(scene, SAY("Farewell."));
  perform(scene, &(struct act){.lane = 2, .request = ASK("A new one."), .wait_ms = 10}, 0);
}

void play_hostile(struct scene *scene, long count)
{
  (void)count;
  static const char *const texts[] = {"</script><script>document.title='owned'</script>",
                                      "\"><img src=x onerror=document.title='owned'>",
                                      "<!-- --><svg/onload=document.title='owned'>",
                                      "\033]0;owned\007\033[2J",
                                      ("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae"
                                       "end"),
                                      "&lt;b&gt; &amp;",
                                      "\xff\xfe\xc0\x80",
                                      "</details></pre><h1>owned</h1>",
                                      "javascript:document.title='owned'"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    perform(scene,
            &(struct act){.path = texts[i],
                          .query = texts[i],
                          .header = texts[i],
                          .request = texts[i],
                          .error = texts[i],
                          .headers = texts[i],
                          .body = texts[i],
                          .curl_code = i % 2 ? 56 : 0,
                          .origin = i == 4 ? texts[0] : NULL,
                          .wait_ms = 20,
                          .stream_ms = 10},
            35);
}

void play_many(struct scene *scene, long count)
{
  static char request[2200], answer[2400];
  char filler[1801];
  memset(filler, 'x', sizeof filler - 1);
  filler[sizeof filler - 1] = '\0';
  for (long i = 0; i < count; i++) {
    snprintf(request, sizeof request,
             "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"number %ld %s\"}]}", i, filler);
    snprintf(answer, sizeof answer, SAY("number %ld %s"), i, filler);
    perform(scene,
            &(struct act){.lane = 1 + (uint32_t)(i % 8),
                          .request = request,
                          .body = answer,
                          .wait_ms = 5 + (unsigned)(i * 7 % 90),
                          .stream_ms = (unsigned)(i * 13 % 40)},
            9);
  }
}

void play_crowd(struct scene *scene, long count)
{
  for (long i = 0; i < count; i++)
    perform(scene, &(struct act){.process = (uint32_t)i, .wait_ms = 100}, 110);
}
