/* SPDX-License-Identifier: MIT */
/*
 * forms CASE URL [TEXT [MORE]]
 *
 * POSTs one form, made in the way that CASE names from TEXT, which is a file's path where the case is about
 * files. Shows each result, the answer, and how often the program's reader was called back.
 */
#define CURL_DISABLE_DEPRECATION
#include "tests/clients/post.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

struct reader {
  const char *text;
  size_t at;
  unsigned reads, seeks, frees;
  unsigned pauses;
};

static size_t reader_read(char *into, size_t size, size_t count, void *arg)
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

static int reader_seek(void *arg, curl_off_t offset, int origin)
{
  struct reader *reader = arg;

  reader->seeks++;
  if (origin != SEEK_SET)
    return CURL_SEEKFUNC_FAIL;
  reader->at = (size_t)offset;
  return CURL_SEEKFUNC_OK;
}

static void reader_free(void *arg)
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

static void perform(struct subject *s, const char *name)
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

static curl_mimepart *part_named(curl_mime *mime, const char *name)
{
  curl_mimepart *part = curl_mime_addpart(mime);

  curl_mime_name(part, name);
  return part;
}

/* A form with a text field; the caller adds what its case is about. */
static curl_mime *begin(struct subject *s)
{
  s->mime = curl_mime_init(s->handle);
  curl_mime_data(part_named(s->mime, "model"), "whisper-1", CURL_ZERO_TERMINATED);
  curl_easy_setopt(s->handle, CURLOPT_MIMEPOST, s->mime);
  return s->mime;
}

static void data(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "say \"hi\"");

  curl_mime_data(part, s->text, CURL_ZERO_TERMINATED);
  curl_mime_filename(part, "a b.json");
  curl_mime_type(part, "application/json");
}

static void escaped(struct subject *s)
{
  data(s);
  curl_easy_setopt(s->handle, CURLOPT_MIME_OPTIONS, (long)CURLMIMEOPT_FORMESCAPE);
}

static void file(struct subject *s)
{
  curl_mime_filedata(part_named(begin(s), "file"), s->text);
}

static void file_as(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "file");

  curl_mime_filedata(part, s->text);
  curl_mime_filename(part, s->more);
}

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

static void parts(struct subject *s)
{
  curl_mime *inner;

  begin(s);
  inner = curl_mime_init(s->handle);
  curl_mime_data(part_named(inner, "one"), s->text, CURL_ZERO_TERMINATED);
  curl_mime_data(part_named(inner, "two"), "2", CURL_ZERO_TERMINATED);
  curl_mime_subparts(part_named(s->mime, "inner"), inner);
}

static void alternative(struct subject *s)
{
  parts(s);
  curl_mime *inner = curl_mime_init(s->handle);
  curl_mimepart *part = curl_mime_addpart(s->mime);
  curl_mime_data(curl_mime_addpart(inner), s->text, CURL_ZERO_TERMINATED);
  curl_mime_subparts(part, inner);
  curl_mime_type(part, "multipart/alternative");
}

static void headers(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "file");

  s->headers = curl_slist_append(NULL, s->text);
  s->headers = curl_slist_append(s->headers, "Content-Type: text/x-odd");
  curl_mime_data(part, "content", CURL_ZERO_TERMINATED);
  curl_mime_headers(part, s->headers, 1);
}

static void base64(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "file");

  curl_mime_data(part, s->text, CURL_ZERO_TERMINATED);
  curl_mime_encoder(part, "base64");
}

/* The same header, but the content is sent as it is. */
static void base64_claimed(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "file");
  struct curl_slist *list = curl_slist_append(NULL, "Content-Transfer-Encoding: base64");

  curl_mime_data(part, s->text, CURL_ZERO_TERMINATED);
  curl_mime_headers(part, list, 1);
}

static void related(struct subject *s)
{
  data(s);
  s->headers = curl_slist_append(NULL, "Content-Type: multipart/related");
  curl_easy_setopt(s->handle, CURLOPT_HTTPHEADER, s->headers);
}

static void no_parts(struct subject *s)
{
  s->mime = curl_mime_init(s->handle);
  curl_easy_setopt(s->handle, CURLOPT_MIMEPOST, s->mime);
}

/* The copy has all of it, whatever becomes of the original. */
static void duplicate(struct subject *s)
{
  CURL *original = s->handle;

  s->headers = curl_slist_append(NULL, "X-Part: kept");
  curl_mime_data(part_named(begin(s), "data"), s->text, CURL_ZERO_TERMINATED);
  curl_mimepart *part = part_named(s->mime, "headers");
  curl_mime_headers(part, s->headers, 1);
  curl_mime *inner = curl_mime_init(s->handle);
  curl_mime_data(part_named(inner, "inner"), s->text, CURL_ZERO_TERMINATED);
  curl_mime_subparts(part, inner);
  s->handle = curl_easy_duphandle(original);
  curl_mime_free(s->mime);
  curl_easy_cleanup(original);
  s->mime = NULL;
  s->headers = NULL;
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

static void freed(struct subject *s)
{
  data(s);
  curl_mime_free(s->mime);
  s->mime = NULL;
}

static void changed(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "file");

  curl_mime_data(part, s->text, CURL_ZERO_TERMINATED);
  perform(s, "first");
  curl_mime_data(part, s->more, CURL_ZERO_TERMINATED);
}

/* The handle's form is replaced by one that libcurl puts at the same address as likely as not. */
static void reused_address(struct subject *s)
{
  data(s);
  curl_mime_free(s->mime);
  s->mime = NULL;
  curl_mime *other = curl_mime_init(s->handle);
  curl_mime_data(part_named(other, "other"), "another form", CURL_ZERO_TERMINATED);
  perform(s, "freed");
  curl_mime_free(other);
}

static const char *appended;

static size_t append(char *bytes, size_t size, size_t count, void *arg)
{
  FILE *into = appended ? fopen(appended, "a") : NULL;

  if (into) {
    fputs("more", into);
    fclose(into);
    appended = NULL;
  }
  return reply_take(bytes, size, count, arg);
}

static void file_in_motion(struct subject *s)
{
  file(s);
  appended = s->text;
  curl_easy_setopt(s->handle, CURLOPT_WRITEFUNCTION, append);
}

#define FIELD(s, ...) curl_formadd(&(s)->list, &(s)->last, CURLFORM_COPYNAME, __VA_ARGS__, CURLFORM_END)

static void begin_list(struct subject *s)
{
  FIELD(s, "model", CURLFORM_COPYCONTENTS, "whisper-1");
}

static void list(struct subject *s)
{
  begin_list(s);
  FIELD(s, "contents", CURLFORM_PTRCONTENTS, s->text, CURLFORM_CONTENTTYPE, "text/x-odd");
  FIELD(s, "length", CURLFORM_COPYCONTENTS, s->text, CURLFORM_CONTENTSLENGTH, 2L);
  curl_easy_setopt(s->handle, CURLOPT_HTTPPOST, s->list);
}

static void list_file(struct subject *s)
{
  begin_list(s);
  FIELD(s, "file", CURLFORM_FILE, s->text, CURLFORM_FILENAME, "shown.png");
  FIELD(s, "content", CURLFORM_FILECONTENT, s->text);
  curl_easy_setopt(s->handle, CURLOPT_HTTPPOST, s->list);
}

static void list_files(struct subject *s)
{
  begin_list(s);
  FIELD(s, "files", CURLFORM_FILE, s->text, CURLFORM_CONTENTTYPE, "text/x-odd", CURLFORM_FILE, s->text);
  curl_easy_setopt(s->handle, CURLOPT_HTTPPOST, s->list);
}

static void list_buffer(struct subject *s)
{
  begin_list(s);
  FIELD(s, "buffer", CURLFORM_BUFFER, "b.txt", CURLFORM_BUFFERPTR, s->text, CURLFORM_BUFFERLENGTH,
        (long)strlen(s->text));
  curl_easy_setopt(s->handle, CURLOPT_HTTPPOST, s->list);
}

static void list_stream(struct subject *s)
{
  begin_list(s);
  s->reader.text = s->text;
  FIELD(s, "stream", CURLFORM_STREAM, &s->reader, CURLFORM_CONTENTLEN, (curl_off_t)strlen(s->text));
  curl_easy_setopt(s->handle, CURLOPT_HTTPPOST, s->list);
  curl_easy_setopt(s->handle, CURLOPT_READFUNCTION, reader_read);
}

static const struct {
  const char *name;
  void (*prepare)(struct subject *s);
} cases[] = {
    {"data",             data            },
    {"escaped",          escaped         },
    {"file",             file            },
    {"file-as",          file_as         },
    {"file-in-motion",   file_in_motion  },
    {"reader",           reader          },
    {"sized-reader",     sized_reader    },
    {"reader-once",      reader_once     },
    {"reader-twice",     reader_twice    },
    {"once-twice",       once_twice      },
    {"once-elsewhere",   once_elsewhere  },
    {"reader-elsewhere", reader_elsewhere},
    {"replaced-reader",  replaced_reader },
    {"paused-reader",    paused_reader   },
    {"refused-once",     refused_once    },
    {"refused-reader",   refused_reader  },
    {"shared-reader",    shared_reader   },
    {"parts",            parts           },
    {"alternative",      alternative     },
    {"headers",          headers         },
    {"base64",           base64          },
    {"base64-claimed",   base64_claimed  },
    {"related",          related         },
    {"no-parts",         no_parts        },
    {"duplicate",        duplicate       },
    {"freed",            freed           },
    {"changed",          changed         },
    {"reused-address",   reused_address  },
    {"list",             list            },
    {"list-file",        list_file       },
    {"list-files",       list_files      },
    {"list-buffer",      list_buffer     },
    {"list-stream",      list_stream     },
};

static int run(const char *name, struct subject *s)
{
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (strcmp(cases[i].name, name) == 0) {
      s->handle = curl_easy_init();
      curl_easy_setopt(s->handle, CURLOPT_URL, s->url);
      curl_easy_setopt(s->handle, CURLOPT_WRITEFUNCTION, reply_take);
      curl_easy_setopt(s->handle, CURLOPT_ERRORBUFFER, s->error);
      cases[i].prepare(s);
      perform(s, name);
      curl_easy_cleanup(s->handle);
      curl_mime_free(s->mime);
      curl_formfree(s->list);
      if (strcmp(name, "related") == 0)
        curl_slist_free_all(s->headers);
      printf("reads %u seeks %u frees %u\n", s->reader.reads, s->reader.seeks, s->reader.frees);
      return 0;
    }
  return 2;
}

/* Many forms at the same time; each thread has its own text, and makes its call twice. */
static void *work(void *arg)
{
  const struct subject *model = arg;

  for (int i = 0; i < 6; i++) {
    struct subject s = {.url = model->url, .text = model->text};
    run(i % 2 ? "parts" : "reader", &s);
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
  struct subject s = {0};

  if (argc < 3) {
    fprintf(stderr, "usage: forms CASE URL [TEXT [MORE]]\n");
    return 2;
  }
  s.url = argv[2];
  s.text = argc > 3 ? argv[3] : "";
  s.more = argc > 4 ? argv[4] : "";
  return strcmp(argv[1], "threads") == 0 ? run_threads(s.url) : run(argv[1], &s);
}
