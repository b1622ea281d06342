/* SPDX-License-Identifier: MIT */
#include "tests/bench/calls.h"
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIGITS = 20 };
static const char number_at[] = "\"content\":\"";

void request_make(char out[REQUEST_SIZE + 1], enum calls_kind kind)
{
  int len = snprintf(out, REQUEST_SIZE + 1,
                     "{\"model\":\"bench\",\"temperature\":%d,\"stream\":%s,"
                     "\"messages\":[{\"role\":\"user\",%s%0*d ",
                     kind == CALLS_SAMPLED, kind == CALLS_STREAM ? "true" : "false", number_at, DIGITS, 0);
  memset(out + len, 'x', REQUEST_SIZE - (size_t)len - 4);
  memcpy(out + REQUEST_SIZE - 4, "\"}]}", 5);
}

void request_number(char request[REQUEST_SIZE + 1], uint64_t number)
{
  char *digit = strstr(request, number_at) + sizeof(number_at) - 1 + DIGITS;
  for (int i = 0; i < DIGITS; i++, number /= 10)
    *--digit = (char)('0' + number % 10);
}

/* splitmix64: no step's place follows from the one before, so that nothing is read ahead. */
uint64_t request_next(uint64_t *step, unsigned count)
{
  uint64_t mix = *step += 0x9e3779b97f4a7c15u;
  mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9u;
  mix = (mix ^ mix >> 27) * 0x94d049bb133111ebu;
  return (mix ^ mix >> 31) % count;
}

/* The time in nanoseconds, and a process's own; those of stores that were filled begin at 0. */
uint64_t request_fresh(void)
{
  return (uint64_t)clock_ns() * 1000 + (uint64_t)getpid() % 1000;
}

static size_t into_sink(char *data, size_t size, size_t count, void *user)
{
  struct calls *calls = user;
  size_t len = size * count;
  calls->last_ns = clock_ns();
  if (!calls->got)
    calls->first_ns = calls->last_ns;
  memcpy(calls->sink + (calls->got + len <= sizeof(calls->sink) ? calls->got : 0), data, len);
  calls->got += len;
  return len;
}

struct calls *calls_open(const char *origin, const char *query, unsigned answers, enum calls_kind kind)
{
  struct calls *calls = calloc(1, sizeof(*calls));
  char url[256];
  must(calls != NULL, "calloc");
  calls->answers = answers;
  request_make(calls->request, kind);
  snprintf(url, sizeof(url), "%s/v1/chat/completions?%s", origin, query);
  calls->handle = curl_easy_init();
  calls->headers = curl_slist_append(NULL, "Content-Type: application/json");
  calls->headers = curl_slist_append(calls->headers, "Authorization: Bearer bench-credential");
  /* libcurl would wait a second for a server that says nothing to it. */
  calls->headers = curl_slist_append(calls->headers, "Expect:");
  curl_easy_setopt(calls->handle, CURLOPT_URL, url);
  curl_easy_setopt(calls->handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(calls->handle, CURLOPT_HTTPHEADER, calls->headers);
  curl_easy_setopt(calls->handle, CURLOPT_POSTFIELDSIZE, (long)REQUEST_SIZE);
  curl_easy_setopt(calls->handle, CURLOPT_POSTFIELDS, calls->request);
  curl_easy_setopt(calls->handle, CURLOPT_WRITEFUNCTION, into_sink);
  curl_easy_setopt(calls->handle, CURLOPT_WRITEDATA, calls);
  return calls;
}

void calls_number(struct calls *calls, uint64_t number)
{
  request_number(calls->request, number);
  calls->got = 0;
  curl_easy_setopt(calls->handle, CURLOPT_POSTFIELDS, calls->request);
}

CURLcode calls_perform(struct calls *calls, uint64_t number)
{
  calls_number(calls, number);
  CURLcode code = curl_easy_perform(calls->handle);
  return code == CURLE_OK && !calls->got ? CURLE_GOT_NOTHING : code;
}

void perform_calls(void *data, unsigned count)
{
  struct calls *calls = data;
  for (unsigned i = 0; i < count; i++)
    must(calls_perform(calls, request_next(&calls->step, calls->answers)) == CURLE_OK, "a call");
}

/* A handle's call in a multi, from its adding to its removal. */
static CURLcode run_in_multi(CURLM *multi, CURL *handle)
{
  int running = 1, left;
  curl_multi_add_handle(multi, handle);
  while (running && curl_multi_perform(multi, &running) == CURLM_OK)
    if (running)
      curl_multi_poll(multi, NULL, 0, 1000, NULL);
  CURLMsg *message = curl_multi_info_read(multi, &left);
  CURLcode code = message ? message->data.result : CURLE_FAILED_INIT;
  curl_multi_remove_handle(multi, handle);
  return code;
}

void perform_in_multi(void *data, unsigned count)
{
  struct calls *calls = data;
  CURLM *multi = curl_multi_init();
  for (unsigned i = 0; i < count; i++) {
    calls_number(calls, request_next(&calls->step, calls->answers));
    must(run_in_multi(multi, calls->handle) == CURLE_OK && calls->got, "a call in a multi");
  }
  curl_multi_cleanup(multi);
}

/* request: what every other verb sends first, for the servers that are told what to answer. */
int bench_request(char **arguments)
{
  char request[REQUEST_SIZE + 1];
  (void)arguments;
  request_make(request, CALLS_COMMON);
  fwrite(request, 1, REQUEST_SIZE, stdout);
  return 0;
}
