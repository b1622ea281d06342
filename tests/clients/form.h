/* SPDX-License-Identifier: MIT */
/*
 * form: one program that POSTs forms is a table of cases, each of which makes a form of TEXT, and maybe MORE.
 * Shows each result, the answer, and how often the program's reader was called back. POST_TIMEOUT_MS limits
 * each call.
 *
 *     static void plain(struct subject *s) { curl_mime_data(part_named(begin(s), "name"), s->text, ...); }
 *     static const struct form_case cases[] = {{"plain", plain}, {NULL, NULL}};
 *     int main(int argc, char **argv) { return form_main(cases, argc, argv); }
 */
#ifndef CLIENT_FORM_H
#define CLIENT_FORM_H

#include "tests/clients/post.h"

struct reader {
  const char *text;
  size_t at;
  unsigned reads, seeks, frees;
  unsigned pauses;
};

static inline size_t reader_read(char *into, size_t size, size_t count, void *arg)
{
  struct reader *reader = arg;
  size_t left = strlen(reader->text) - reader->at, room = size * count;

  reader->reads++;
  if (reader->pauses && reader->at) {
    reader->pauses--;
    return CURL_READFUNC_PAUSE;
  }
  if (left > room)
    left = room;
  if (reader->pauses && left > 1)
    left = 1;
  memcpy(into, reader->text + reader->at, left);
  reader->at += left;
  return left;
}

static inline int reader_seek(void *arg, curl_off_t offset, int origin)
{
  struct reader *reader = arg;

  reader->seeks++;
  if (origin != SEEK_SET)
    return CURL_SEEKFUNC_FAIL;
  reader->at = (size_t)offset;
  return CURL_SEEKFUNC_OK;
}

static inline void reader_free(void *arg)
{
  struct reader *reader = arg;

  reader->frees++;
}

struct subject {
  CURL *handle;
  curl_mime *mime;
  struct curl_httppost *list, *last;
  struct curl_slist *headers;
  const char *url, *text, *more;
  struct reader reader;
  char error[CURL_ERROR_SIZE];
};

static inline void perform(struct subject *s, const char *name)
{
  struct reply reply = {0};

  s->error[0] = '\0';
  curl_easy_setopt(s->handle, CURLOPT_WRITEDATA, &reply);
  CURLcode code = curl_easy_perform(s->handle);
  reply_print(name, s->handle, code, &reply);
  printf("error \"%s\"\n%s\n", s->error, reply.bytes ? reply.bytes : "");
  curl_easy_setopt(s->handle, CURLOPT_WRITEDATA, stdout);
  free(reply.bytes);
}

static inline curl_mimepart *part_named(curl_mime *mime, const char *name)
{
  curl_mimepart *part = curl_mime_addpart(mime);

  curl_mime_name(part, name);
  return part;
}

/* A form with a text field; the caller adds what its case is about. */
static inline curl_mime *begin(struct subject *s)
{
  s->mime = curl_mime_init(s->handle);
  curl_mime_data(part_named(s->mime, "model"), "whisper-1", CURL_ZERO_TERMINATED);
  curl_easy_setopt(s->handle, CURLOPT_MIMEPOST, s->mime);
  return s->mime;
}

struct form_case {
  const char *name;
  void (*prepare)(struct subject *s);
};

static inline int form_run(const struct form_case *cases, const char *name, struct subject *s)
{
  while (cases->name && strcmp(cases->name, name) != 0)
    cases++;
  if (!cases->name)
    return 2;
  s->handle = curl_easy_init();
  curl_easy_setopt(s->handle, CURLOPT_URL, s->url);
  curl_easy_setopt(s->handle, CURLOPT_WRITEFUNCTION, reply_take);
  curl_easy_setopt(s->handle, CURLOPT_ERRORBUFFER, s->error);
  if (getenv("POST_TIMEOUT_MS"))
    curl_easy_setopt(s->handle, CURLOPT_TIMEOUT_MS, atol(getenv("POST_TIMEOUT_MS")));
  cases->prepare(s);
  perform(s, name);
  curl_easy_cleanup(s->handle);
  curl_mime_free(s->mime);
  curl_formfree(s->list);
  curl_slist_free_all(s->headers);
  printf("reads %u seeks %u frees %u\n", s->reader.reads, s->reader.seeks, s->reader.frees);
  return 0;
}

/* The arguments of the program: CASE URL [TEXT [MORE]]. */
static inline int form_main(const struct form_case *cases, int argc, char **argv)
{
  struct subject s = {0};

  if (argc < 3) {
    fprintf(stderr, "usage: %s CASE URL [TEXT [MORE]]\n", argv[0]);
    return 2;
  }
  s.url = argv[2];
  s.text = argc > 3 ? argv[3] : "";
  s.more = argc > 4 ? argv[4] : "";
  return form_run(cases, argv[1], &s);
}

#endif
