/* SPDX-License-Identifier: MIT */
#include "tests/unit/tape/fixture.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *rule_text;

static char *get_rule(const char *name)
{
  if (!strcmp(name, "IDEMSHIM_RULES"))
    return (char *)(uintptr_t)rule_text;
  return !strcmp(name, "HOME") ? (char *)(uintptr_t) "/nonexistent" : NULL;
}

void studio_rule(struct studio *studio, const char *fields)
{
  char text[512];

  snprintf(text, sizeof(text), "host=* %s", fields);
  rule_text = text;
  idem_config_release(&studio->config);
  cr_assert_eq(idem_config_load(&studio->config, get_rule, &studio->error), 0, "%s", studio->error.text);
}

static void note_finding(void *arg, const char *what)
{
  struct studio *studio = arg;
  size_t len = strlen(studio->findings);
  snprintf(studio->findings + len, sizeof(studio->findings) - len, "%s\n", what);
}

static void prepare(struct studio *studio)
{
  const char *tmp = getenv("TMPDIR");

  memset(studio, 0, sizeof(*studio));
  snprintf(studio->top, sizeof(studio->top), "%s/idemshim-tape.XXXXXX", tmp ? tmp : "/tmp");
  cr_assert_not_null(mkdtemp(studio->top));
  snprintf(studio->dir, sizeof(studio->dir), "%s/tape", studio->top);
  studio->options.dir = studio->source.dir = studio->dir;
  studio->source.found = note_finding;
  studio->source.arg = studio;
  studio_rule(studio, "");
}

void studio_open(struct studio *studio)
{
  prepare(studio);
  cr_assert_eq(studio_reopen(studio), 0, "%s", studio->error.text);
}

void studio_open_sealed(struct studio *studio)
{
  static char path[128];

  prepare(studio);
  snprintf(path, sizeof(path), "%s/key", studio->top);
  studio_write(path, "a test key of thirty-two bytes!!", 32);
  studio->options.key_file = studio->source.key_file = path;
  cr_assert_eq(studio_reopen(studio), 0, "%s", studio->error.text);
}

int studio_reopen(struct studio *studio)
{
  tape_close_writer(studio->writer);
  return tape_open_writer(&studio->writer, &studio->options, &studio->error);
}

int studio_try(struct studio *studio)
{
  tape_close(studio->tape);
  studio->findings[0] = '\0';
  return tape_open(&studio->tape, &studio->source, &studio->error);
}

struct tape *studio_tape(struct studio *studio)
{
  cr_assert_eq(studio_try(studio), 0, "%s", studio->error.text);
  return studio->tape;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
  (void)stat, (void)flag, (void)walk;
  return remove(path);
}

void studio_close(struct studio *studio)
{
  tape_close_writer(studio->writer);
  tape_close(studio->tape);
  idem_config_release(&studio->config);
  nftw(studio->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static char *next_path(void)
{
  static char paths[8][256];
  static unsigned next;
  return paths[next++ % 8];
}

const char *studio_segment(const struct studio *studio, unsigned number)
{
  char *path = next_path();
  snprintf(path, 256, "%s/%08u.tape", studio->dir, number);
  return path;
}

const char *studio_beside(const struct studio *studio, const char *name)
{
  char *path = next_path();
  snprintf(path, 256, "%s/%s", studio->top, name);
  return path;
}

void studio_write(const char *path, const void *bytes, size_t len)
{
  FILE *file = fopen(path, "w");
  cr_assert_not_null(file, "%s", path);
  cr_assert_eq(fwrite(bytes, 1, len, file), len);
  cr_assert_eq(fclose(file), 0);
}

char *studio_read(const char *path, size_t *len)
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

/* Takes. */

struct take take_of(struct studio *studio, const char *body)
{
  static const char answer[] = "{\"answer\":1}";
  struct take take = {.studio = studio, .call = tape_begin(studio->writer)};

  take.call.duration_us = 1500;
  take.request = (struct idem_request){.method = SPAN("POST"),
                                       .origin = SPAN("https://api.example.com:443"),
                                       .path = SPAN("/v1/chat"),
                                       .shape = SPAN("gzip"),
                                       .body = SPAN(body)};
  take.chunks[0] = (struct tape_chunk){1000, 5};
  take.chunks[1] = (struct tape_chunk){1200, 7};
  take.outcome = (struct tape_outcome){.status = 200,
                                       .delivered = true,
                                       .first_byte_us = 900,
                                       .headers = SPAN(OK_HEADERS),
                                       .body = SPAN(answer),
                                       .chunk_count = 2};
  take_header(&take, "Content-Type: application/json");
  take_header(&take, "Authorization: Bearer test-credential-alpha");
  return take;
}

void take_header(struct take *take, const char *line)
{
  take->headers[take->request.header_count++] = SPAN(line);
}

int take_try(struct take *take)
{
  take->request.rule = take->studio->config.rules;
  take->request.headers = take->headers;
  if (!take->outcome.chunks)
    take->outcome.chunks = take->outcome.chunk_count ? take->chunks : NULL;
  tape_name(&take->request, &take->call);
  return tape_append(take->studio->writer, &take->call, &take->request, &take->outcome, &take->studio->error);
}

void take_record(struct take *take)
{
  cr_assert_eq(take_try(take), 0, "%s", take->studio->error.text);
}
