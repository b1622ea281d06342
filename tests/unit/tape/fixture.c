/* SPDX-License-Identifier: MIT */
#include "tests/unit/tape/fixture.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
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

  snprintf(text, sizeof(text), "host=* %s", fields);
  rule_text = text;
  idem_config_release(&self->config);
  cr_assert_eq(idem_config_load(&self->config, get_rule, &self->error), 0, "%s", self->error.text);
}

static void note_finding(void *arg, const char *what)
{
  struct fixture *self = arg;
  size_t len = strlen(self->findings);
  snprintf(self->findings + len, sizeof(self->findings) - len, "%s\n", what);
}

static void prepare(struct fixture *self)
{
  const char *tmp = getenv("TMPDIR");

  memset(self, 0, sizeof(*self));
  snprintf(self->top, sizeof(self->top), "%s/idemshim-tape.XXXXXX", tmp ? tmp : "/tmp");
  cr_assert_not_null(mkdtemp(self->top));
  snprintf(self->dir, sizeof(self->dir), "%s/tape", self->top);
  self->options.dir = self->source.dir = self->dir;
  self->source.found = note_finding;
  self->source.arg = self;
  fixture_rule(self, "");
}

void fixture_open(struct fixture *self)
{
  prepare(self);
  cr_assert_eq(fixture_reopen(self), 0, "%s", self->error.text);
}

void fixture_open_sealed(struct fixture *self)
{
  static char path[128];

  prepare(self);
  snprintf(path, sizeof(path), "%s/key", self->top);
  fixture_write(path, "a test key of thirty-two bytes!!", 32);
  self->options.key_file = self->source.key_file = path;
  cr_assert_eq(fixture_reopen(self), 0, "%s", self->error.text);
}

int fixture_reopen(struct fixture *self)
{
  tape_close_writer(self->writer);
  return tape_open_writer(&self->writer, &self->options, &self->error);
}

int fixture_try(struct fixture *self)
{
  tape_close(self->tape);
  self->findings[0] = '\0';
  return tape_open(&self->tape, &self->source, &self->error);
}

struct tape *fixture_tape(struct fixture *self)
{
  cr_assert_eq(fixture_try(self), 0, "%s", self->error.text);
  return self->tape;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
  (void)stat, (void)flag, (void)walk;
  return remove(path);
}

void fixture_close(struct fixture *self)
{
  tape_close_writer(self->writer);
  tape_close(self->tape);
  idem_config_release(&self->config);
  nftw(self->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void open_fixture(void)
{
  fixture_open(&fixture);
}

void open_sealed_fixture(void)
{
  fixture_open_sealed(&fixture);
}

void close_fixture(void)
{
  fixture_close(&fixture);
}

static char *next_path(void)
{
  static char paths[8][256];
  static unsigned next;
  return paths[next++ % 8];
}

const char *fixture_segment(const struct fixture *self, unsigned number)
{
  char *path = next_path();
  snprintf(path, 256, "%s/%08u.tape", self->dir, number);
  return path;
}

const char *fixture_beside(const struct fixture *self, const char *name)
{
  char *path = next_path();
  snprintf(path, 256, "%s/%s", self->top, name);
  return path;
}

void fixture_write(const char *path, const void *bytes, size_t len)
{
  FILE *file = fopen(path, "w");
  cr_assert_not_null(file, "%s", path);
  cr_assert_eq(fwrite(bytes, 1, len, file), len);
  cr_assert_eq(fclose(file), 0);
}

char *fixture_read(const char *path, size_t *len)
{
  FILE *file = fopen(path, "r");
  char *bytes = NULL;
  cr_assert_not_null(file, "%s", path);
  FILE *out = open_memstream(&bytes, len);
  for (int c; (c = getc(file)) != EOF;)
    putc(c, out);
  fclose(file);
  fclose(out);
  return bytes;
}

/* Exchanges. */

struct exchange exchange_of(struct fixture *self, const char *body)
{
  static const char answer[] = "{\"answer\":1}";
  struct exchange exchange = {.fixture = self, .call = tape_begin(self->writer)};

  exchange.call.duration_us = 1500;
  exchange.request = (struct idem_request){.method = SPAN("POST"),
                                           .origin = SPAN("https://api.example.com:443"),
                                           .path = SPAN("/v1/chat"),
                                           .shape = SPAN("gzip"),
                                           .body = SPAN(body)};
  exchange.chunks[0] = (struct tape_chunk){1000, 5};
  exchange.chunks[1] = (struct tape_chunk){1200, 7};
  exchange.outcome = (struct tape_outcome){.status = 200,
                                           .delivered = true,
                                           .first_byte_us = 900,
                                           .headers = SPAN(OK_HEADERS),
                                           .body = SPAN(answer),
                                           .chunk_count = 2};
  exchange_header(&exchange, "Content-Type: application/json");
  exchange_header(&exchange, "Authorization: Bearer test-credential-alpha");
  return exchange;
}

void exchange_header(struct exchange *exchange, const char *line)
{
  exchange->headers[exchange->request.header_count++] = SPAN(line);
}

int exchange_try(struct exchange *exchange)
{
  exchange->request.rule = exchange->fixture->config.rules;
  exchange->request.headers = exchange->headers;
  if (!exchange->outcome.chunks)
    exchange->outcome.chunks = exchange->outcome.chunk_count ? exchange->chunks : NULL;
  tape_name(&exchange->request, &exchange->call);
  return tape_append(exchange->fixture->writer, &exchange->call, &exchange->request, &exchange->outcome,
                     &exchange->fixture->error);
}

void exchange_record(struct exchange *exchange)
{
  cr_assert_eq(exchange_try(exchange), 0, "%s", exchange->fixture->error.text);
}
