/* SPDX-License-Identifier: MIT */
/*
 * stream UPSTREAM EVENTS COUNT: COUNT streams of EVENTS events each, all different.
 *
 *   chunk   what one event takes where they come as fast as they can: of the whole call
 *   late    how long after it was sent an event is with the app, where there is one each millisecond
 *   end     from the last piece that the app gets to the call's return, in those that come fast
 */
#include "tests/bench/bench.h"
#include "tests/bench/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lateness {
  struct calls *calls;
  double *ns;
  size_t count, room;
};

/* Each event says when it was sent. */
static size_t note_lateness(char *data, size_t size, size_t count, void *user)
{
  static const char sent[] = "\"sent\":";
  struct lateness *lateness = user;
  int64_t now = clock_ns();
  size_t len = size * count;
  const char *at = memmem(data, len, sent, sizeof(sent) - 1);
  if (at && lateness->count < lateness->room)
    lateness->ns[lateness->count++] = (double)(now - strtoll(at + sizeof(sent) - 1, NULL, 10));
  lateness->calls->got += len;
  return len;
}

int bench_stream(char **arguments)
{
  unsigned events = (unsigned)strtoul(arguments[1], NULL, 10),
           count = share_of((unsigned)strtoul(arguments[2], NULL, 10));
  uint64_t number = request_fresh();
  double *chunk = calloc(count, sizeof(*chunk)), *end = calloc(count, sizeof(*end));
  char query[64];
  snprintf(query, sizeof(query), "stream=%u", events);
  struct calls *fast = calls_open(arguments[0], query, 1, CALLS_STREAM);
  must(chunk && end && calls_perform(fast, number++) == CURLE_OK, "the first stream");
  for (unsigned i = 0; i < count; i++) {
    int64_t start = clock_ns();
    must(calls_perform(fast, number++) == CURLE_OK, "a stream");
    int64_t now = clock_ns();
    chunk[i] = (double)(now - start) / events;
    end[i] = (double)(now - fast->last_ns);
  }
  print_figure("chunk", median_of(chunk, count));
  print_figure("end", median_of(end, count));

  snprintf(query, sizeof(query), "stream=%u&gap_us=1000", share_of(200));
  struct lateness lateness = {calls_open(arguments[0], query, 1, CALLS_STREAM), calloc(1000, sizeof(double)),
                              0, 1000};
  curl_easy_setopt(lateness.calls->handle, CURLOPT_WRITEFUNCTION, note_lateness);
  curl_easy_setopt(lateness.calls->handle, CURLOPT_WRITEDATA, &lateness);
  must(calls_perform(lateness.calls, number) == CURLE_OK, "a slow stream");
  print_figure("late", lateness.count ? median_of(lateness.ns, lateness.count) : 0);
  return 0;
}
