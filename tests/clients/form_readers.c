/* SPDX-License-Identifier: MIT */
/* form_readers CASE URL [TEXT [MORE]]: forms whose content comes from a read callback. */
#include "tests/clients/form.h"

#include <pthread.h>

static void reader_from(struct subject *s, curl_off_t size, curl_seek_callback seek)
{
  s->reader.text = s->text;
  curl_mime_data_cb(part_named(begin(s), "reader"), size, reader_read, seek, reader_free, &s->reader);
}

static void reader(struct subject *s)
{
  reader_from(s, -1, reader_seek);
}

static void sized_reader(struct subject *s)
{
  reader_from(s, (curl_off_t)strlen(s->text), reader_seek);
}

static void reader_once(struct subject *s)
{
  reader_from(s, -1, NULL);
}

static void replaced_reader(struct subject *s)
{
  reader_from(s, -1, reader_seek);
  curl_mimepart *part = part_named(s->mime, "other");
  curl_mime_data_cb(part, -1, reader_read, reader_seek, reader_free, &s->reader);
  curl_mime_data(part, "in its place", CURL_ZERO_TERMINATED);
}

static int resume(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
  (void)total, (void)now, (void)up_total, (void)up;
  curl_easy_pause(arg, CURLPAUSE_CONT);
  return 0;
}

static void paused_reader(struct subject *s)
{
  reader(s);
  s->reader.pauses = 1;
  curl_easy_setopt(s->handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(s->handle, CURLOPT_XFERINFOFUNCTION, resume);
  curl_easy_setopt(s->handle, CURLOPT_XFERINFODATA, s->handle);
  curl_easy_setopt(s->handle, CURLOPT_TIMEOUT, 20L);
}

/* The first attempt fails before libcurl comes to read: nothing of the reader may be lost. */
static void refused_first(struct subject *s, curl_seek_callback seek)
{
  reader_from(s, -1, seek);
  curl_easy_setopt(s->handle, CURLOPT_URL, s->more);
  perform(s, "refused");
  curl_easy_setopt(s->handle, CURLOPT_URL, s->url);
}

static void refused_once(struct subject *s)
{
  refused_first(s, NULL);
}

static void refused_reader(struct subject *s)
{
  refused_first(s, reader_seek);
}

/* After a replay, what libcurl has never read must still be there for a call that is not a replay. */
static void reader_twice(struct subject *s)
{
  reader(s);
  perform(s, "first");
}

static void once_twice(struct subject *s)
{
  reader_once(s);
  perform(s, "first");
}

static void once_elsewhere(struct subject *s)
{
  reader_once(s);
  perform(s, "first");
  curl_easy_setopt(s->handle, CURLOPT_URL, s->more);
}

static void reader_elsewhere(struct subject *s)
{
  reader(s);
  perform(s, "first");
  curl_easy_setopt(s->handle, CURLOPT_URL, s->more);
}

/* While both handles have it, nobody knows who will be asked next. */
static void shared_reader(struct subject *s)
{
  CURL *original;

  reader(s);
  original = s->handle;
  s->handle = curl_easy_duphandle(original);
  perform(s, "shared");
  curl_easy_cleanup(s->handle);
  s->handle = original;
}

static const struct form_case cases[] = {
    {"reader", reader},
    {"sized-reader", sized_reader},
    {"reader-once", reader_once},
    {"reader-twice", reader_twice},
    {"once-twice", once_twice},
    {"once-elsewhere", once_elsewhere},
    {"reader-elsewhere", reader_elsewhere},
    {"replaced-reader", replaced_reader},
    {"paused-reader", paused_reader},
    {"refused-once", refused_once},
    {"refused-reader", refused_reader},
    {"shared-reader", shared_reader},
    {NULL, NULL},
};

/* Many forms at the same time; each thread has its own text, and makes one call over and over. */
static void *work(void *arg)
{
  const struct subject *model = arg;

  for (int i = 0; i < 6; i++) {
    struct subject s = {.url = model->url, .text = model->text};
    form_run(cases, i % 2 ? "sized-reader" : "reader-once", &s);
  }
  return NULL;
}

static int run_threads(const char *url)
{
  enum { THREADS = 8 };
  static char texts[THREADS][16];
  static struct subject models[THREADS];
  pthread_t threads[THREADS];

  for (int i = 0; i < THREADS; i++) {
    snprintf(texts[i], sizeof texts[i], "thread %d", i);
    models[i] = (struct subject){.url = url, .text = texts[i]};
    pthread_create(&threads[i], NULL, work, &models[i]);
  }
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  return 0;
}

int main(int argc, char **argv)
{
  if (argc > 2 && strcmp(argv[1], "threads") == 0)
    return run_threads(argv[2]);
  return form_main(cases, argc, argv);
}
