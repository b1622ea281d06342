/* SPDX-License-Identifier: MIT */
/* bench VERB ARGUMENTS: each verb's function says what it measures. */
#include "tests/bench/bench.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

static const struct {
  const char *name, *arguments;
  int least; /* how many there are */
  int (*run)(char **arguments);
} verbs[] = {
    {"serve", "", 0, bench_serve},
    {"request", "", 0, bench_request},
    {"hits", "UPSTREAM DIR [PEER ORIGIN CALLS]...", 2, bench_hits},
    {"random", "UPSTREAM DIR COUNT", 3, bench_random},
    {"sampled", "UPSTREAM", 1, bench_sampled},
    {"transport", "UPSTREAM PEER", 2, bench_transport},
    {"rate", "UPSTREAM MS", 2, bench_rate},
    {"fill", "UPSTREAM QUERY|mix FROM COUNT", 4, bench_fill},
    {"live", "UPSTREAM QUERY COUNT [FROM]", 3, bench_live},
    {"first", "UPSTREAM [NUMBER]", 1, bench_first},
    {"callers", "UPSTREAM threads|multi COUNT MS", 4, bench_callers},
    {"get", "SOCKET", 1, bench_get},
    {"stream", "UPSTREAM EVENTS COUNT", 3, bench_stream},
    {"follow", "UPSTREAM thread|process|forked|copy COUNT", 3, bench_follow},
    {"other", "", 0, bench_other},
    {"idle", "COUNT", 1, bench_idle},
    {"exec", "PRELOAD EMPTY", 2, bench_exec},
    {"memory", "UPSTREAM", 1, bench_memory},
    {"count", "hit|live|stream|setopt|other ORIGIN COUNT", 3, bench_count},
};

int main(int argc, char **argv)
{
  for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
    if (argc - 2 >= verbs[i].least && strcmp(argv[1], verbs[i].name) == 0) {
      curl_global_init(CURL_GLOBAL_ALL);
      return verbs[i].run(argv + 2);
    }
  for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
    fprintf(stderr, "%s %s %s\n", i ? "      " : "bench:", verbs[i].name, verbs[i].arguments);
  return 2;
}
