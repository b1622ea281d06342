/* SPDX-License-Identifier: MIT */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture fixture;
static const char *rule_text;

static char *get_rule(const char *name)
{
  if (!strcmp(name, "IDEMSHIM_RULES"))
    return (char *)(uintptr_t)rule_text;
  if (!strcmp(name, "IDEMSHIM_CONFIG"))
    return (char *)(uintptr_t) "none";
  return !strcmp(name, "HOME") ? (char *)(uintptr_t) "/nonexistent" : NULL;
}

void fixture_rule(struct fixture *self, const char *fields)
{
  char text[512];
  struct idem_error error;

  snprintf(text, sizeof(text), "host=* %s", fields);
  rule_text = text;
  idem_config_release(&self->config);
  cr_assert_eq(idem_config_load(&self->config, get_rule, &error), 0, "%s", error.text);
}

void fixture_open(struct fixture *self, const char *fields)
{
  const char *tmp = getenv("TMPDIR");
  struct idem_error error = {""};

  memset(self, 0, sizeof(*self));
  snprintf(self->dir, sizeof(self->dir), "%s/idemshim-store.XXXXXX", tmp ? tmp : "/tmp");
  cr_assert_not_null(mkdtemp(self->dir));
  fixture_rule(self, fields);
  self->options = (struct idem_store_options){.dir = self->dir, .size = 64 << 20};
  cr_assert_eq(idem_store_open(&self->store, &self->options, &error), 0, "%s", error.text);
}

int fixture_reopen(struct fixture *self, struct idem_error *error)
{
  idem_store_close(self->store);
  self->store = NULL;
  return idem_store_open(&self->store, &self->options, error);
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
  (void)stat;
  (void)flag;
  (void)walk;
  return remove(path);
}

void fixture_close(struct fixture *self)
{
  idem_store_close(self->store);
  idem_config_release(&self->config);
  nftw(self->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fixture_path(const struct fixture *self, const char *file)
{
  static char path[256];

  snprintf(path, sizeof(path), "%s/%s", self->dir, file);
  return path;
}

uint64_t fixture_counter(const struct fixture *self, enum idem_counter counter)
{
  struct idem_stats stats;
  struct idem_error error = {""};

  cr_assert_eq(idem_store_stats(self->store, &stats, &error), 0, "%s", error.text);
  return stats.counter[counter];
}

void open_fixture(void)
{
  fixture_open(&fixture, "");
}

void close_fixture(void)
{
  fixture_close(&fixture);
}

struct caller caller_of(struct fixture *self, const char *body)
{
  struct caller caller = {.fixture = self, .call = IDEM_CALL_INIT};

  caller.request = (struct idem_request){.method = SPAN("POST"),
                                         .origin = SPAN("https://api.example.com:443"),
                                         .path = SPAN("/v1/chat"),
                                         .shape = SPAN("gzip"),
                                         .body = SPAN(body)};
  caller_header(&caller, "Content-Type: application/json");
  caller_header(&caller, "Authorization: Bearer test-credential-alpha");
  return caller;
}

void caller_header(struct caller *caller, const char *line)
{
  caller->headers[caller->request.header_count++] = SPAN(line);
}

void caller_bare(struct caller *caller)
{
  caller->request.header_count = 0;
}

int caller_enter(struct caller *caller)
{
  caller->request.headers = caller->headers;
  caller->request.rule = caller->fixture->config.rules;
  caller->error = (struct idem_error){""};
  int verdict = idem_store_enter(caller->fixture->store, &caller->request, &caller->call, &caller->error);
  cr_assert_geq(verdict, 0, "%s", caller->error.text);
  return verdict;
}

void caller_leave(struct caller *caller, bool delivered)
{
  idem_store_leave(caller->fixture->store, &caller->call, delivered);
}

struct idem_recording recording_of(struct idem_chunk *chunk, const char *headers, const char *body)
{
  *chunk = (struct idem_chunk){(uint32_t)strlen(body), 1};
  return (struct idem_recording){.status = 200,
                                 .started_us = 1,
                                 .duration_ms = 10,
                                 .headers = SPAN(headers),
                                 .body = SPAN(body),
                                 .facts = SPAN("facts"),
                                 .chunks = chunk,
                                 .chunk_count = 1,
                                 .framed = true,
                                 .delivered = true};
}

int caller_commit(struct caller *caller, const char *answer)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, JSON_HEADERS, answer);

  return idem_store_commit(caller->fixture->store, &caller->call, &caller->request, &recording,
                           &caller->error);
}

int caller_ask(struct caller *caller, const char *answer)
{
  int verdict;

  caller->call = (struct idem_call)IDEM_CALL_INIT;
  while ((verdict = caller_enter(caller)) == IDEM_BUSY) {
    idem_store_wait(caller->fixture->store, &caller->call, 100);
    caller_leave(caller, false);
  }
  if (verdict == IDEM_HIT)
    snprintf(caller->body, sizeof(caller->body), "%.*s", (int)caller->call.answer.body.len,
             caller->call.answer.body.data);
  if (verdict == IDEM_OWNED)
    cr_assert_eq(caller_commit(caller, answer), IDEM_STORED, "%s", caller->error.text);
  caller_leave(caller, true);
  return verdict;
}

const char *caller_key(struct caller *caller)
{
  static char ids[32][IDEM_ID_SIZE];
  static unsigned next;
  char *id = ids[next++ % 32];

  caller->call = (struct idem_call)IDEM_CALL_INIT;
  caller_enter(caller);
  memcpy(id, caller->call.id, IDEM_ID_SIZE);
  caller_leave(caller, false);
  return id;
}
