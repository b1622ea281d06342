/* SPDX-License-Identifier: MIT */
/*
 * mock-llm [--cert FILE --key FILE]
 *
 * An LLM API on the loopback, with the faults of a real one on request. When it is ready it prints one line,
 * {"http":PORT} or, with a certificate, {"http":PORT,"https":PORT}; it runs until its standard input ends or
 * SIGTERM. How it answers is scripted by requests: tests/mock/script.h. Its own endpoints:
 *
 *   GET  /_mock/count      {"requests", "served", "work", "connections"}
 *   GET  /_mock/requests   the last 4096 requests as they were received
 *   POST /_mock/reset      forgets counts, requests, defaults, keys and wires
 *   POST /_mock/default?mock=name=value,...
 *   POST /_mock/release?n=COUNT       lets so many pieces go that are held (hold=1); one
 *   POST /_mock/open?gate=BEGINNING   opens the gates whose names begin so (gate=NAME), until a reset
 *   POST /_mock/wire/NAME  a response to be played as it is: tests/mock/wire.h
 */
#include "tests/mock/ledger.h"
#include "tests/mock/pause.h"
#include "tests/mock/recall.h"
#include "tests/mock/server.h"
#include "tests/mock/wire.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

static char *read_file(const char *path)
{
  FILE *file = fopen(path, "re");
  char *text = NULL;
  size_t size = 0;

  if (!file || getdelim(&text, &size, 0, file) <= 0)
    fprintf(stderr, "mock-llm: cannot read %s\n", path);
  if (file)
    fclose(file);
  return text;
}

/* Blocked before any thread starts, so that only our descriptor gets it. */
static int catch_termination(void)
{
  sigset_t set;

  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

static void wait_for_the_end(int termination)
{
  struct pollfd ends[] = {
      {.fd = STDIN_FILENO, .events = POLLIN},
      {.fd = termination, .events = POLLIN},
  };
  char ignored[512];

  while (poll(ends, 2, -1) >= 0 && !ends[1].revents)
    if (ends[0].revents && read(STDIN_FILENO, ignored, sizeof ignored) <= 0)
      return;
}

static int serve(char *cert, char *key)
{
  int termination = catch_termination();
  bool ready = termination >= 0 && pause_init();
  struct server *http = ready ? server_start(NULL, NULL) : NULL;
  struct server *https = http && cert ? server_start(cert, key) : NULL;

  ready = http && (https || !cert);
  if (ready && https)
    printf("{\"http\":%d,\"https\":%d}\n", server_port(http), server_port(https));
  else if (ready)
    printf("{\"http\":%d}\n", server_port(http));
  else
    fprintf(stderr, "mock-llm: cannot listen on the loopback\n");
  fflush(stdout);
  if (ready)
    wait_for_the_end(termination);
  pause_end();
  server_stop(http);
  server_stop(https);
  ledger_reset();
  recall_reset();
  wire_reset();
  return ready ? 0 : 1;
}

int main(int argc, char **argv)
{
  static const struct option options[] = {
      {"cert", required_argument, NULL, 'c'},
      {"key", required_argument, NULL, 'k'},
      {NULL, 0, NULL, 0},
  };
  char *cert = NULL, *key = NULL;
  int option, status;

  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    char **text = option == 'c' ? &cert : option == 'k' ? &key : NULL;
    if (!text || *text || !(*text = read_file(optarg)))
      return 2;
  }
  if (!cert != !key || optind != argc) {
    fprintf(stderr, "usage: mock-llm [--cert FILE --key FILE]\n");
    return 2;
  }
  status = serve(cert, key);
  free(cert);
  free(key);
  return status;
}
