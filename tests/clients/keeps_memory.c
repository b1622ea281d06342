/* SPDX-License-Identifier: MIT */
/*
 * keeps_memory CASE URL ROUNDS [stream|afresh]
 *
 * Makes calls in a way that CASE says, so many times and then as many again, and tells how many more pieces
 * of memory the process has after the second half than after the first, and how many more bytes: `more N N`.
 * What a library keeps for a call and never gives back is there once for each round. Before that a line for
 * each kind of end that the calls came to: `rc=N status=N: TIMES`.
 *
 * With `stream` it asks for streams; with `afresh` no address comes twice, so that what is kept by the
 * address of a handle is not found again.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>

/* The program's own allocator is libc's, with a count. */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *memory);

static atomic_long pieces, bytes;
static bool afresh;

static void *count(void *memory)
{
  pieces += memory != NULL;
  bytes += (long)malloc_usable_size(memory);
  return memory;
}

#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *malloc(size_t size)
{
  return count(__libc_malloc(size));
}

EXPORTED void *calloc(size_t count_of, size_t size)
{
  return count(__libc_calloc(count_of, size));
}

EXPORTED void *realloc(void *memory, size_t size)
{
  long before = (long)malloc_usable_size(memory);
  void *grown = __libc_realloc(memory, size);

  if (!memory)
    return count(grown);
  if (!grown && size)
    return NULL;
  pieces -= !grown;
  bytes += (long)malloc_usable_size(grown) - before;
  return grown;
}

EXPORTED void *memalign(size_t align, size_t size)
{
  return count(__libc_memalign(align, size));
}

EXPORTED void *aligned_alloc(size_t align, size_t size)
{
  return memalign(align, size);
}

EXPORTED int posix_memalign(void **memory, size_t align, size_t size)
{
  *memory = memalign(align, size);
  return *memory ? 0 : ENOMEM;
}

EXPORTED void free(void *memory)
{
  pieces -= memory != NULL;
  bytes -= (long)malloc_usable_size(memory);
  if (!afresh)
    __libc_free(memory);
}

/* The calls. */

static const char *url;
static char body[160];
static struct reply reply, second;
static unsigned ends[200][1000]; /* by result and status */

static void note_end(CURL *handle, CURLcode code)
{
  long status = 0;

  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  ends[code < 200 ? code : 199][status > 0 && status < 1000 ? status : 0]++;
}

static void perform(CURL *handle)
{
  reply.len = 0;
  note_end(handle, curl_easy_perform(handle));
}

static void perform_once(CURL *handle)
{
  perform(handle);
  curl_easy_cleanup(handle);
}

static void finish(struct loop *loop)
{
  CURLMsg *message;
  int left;

  loop->running = 1;
  while (loop->running)
    loop_step(loop, 1000);
  while ((message = curl_multi_info_read(loop->multi, &left))) {
    CURL *handle = message->easy_handle;
    note_end(handle, message->data.result);
    loop_note(loop, curl_multi_remove_handle(loop->multi, handle));
  }
}

/* On one handle that stays. */
static void hold(unsigned number)
{
  static CURL *handle;

  (void)number;
  handle = handle ? handle : post_new(url, body, &reply);
  perform(handle);
}

static void anew(unsigned number)
{
  (void)number;
  perform_once(post_new(url, body, &reply));
}

/* Each of its own kind: a string, a list, a copied body, a handle that is a copy. */
static void dressed(unsigned number)
{
  struct curl_slist *list = curl_slist_append(NULL, "X-One: 1");
  CURL *handle = post_new(url, body, &reply), *copy;

  (void)number;
  list = curl_slist_append(list, "Content-Type: application/json");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list);
  /* Without its size older ones of libcurl cannot copy it with the handle. */
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
  curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, body);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "keeps_memory");
  curl_easy_setopt(handle, CURLOPT_COOKIE, "a=1");
  curl_easy_setopt(handle, CURLOPT_COOKIEFILE, "");
  copy = curl_easy_duphandle(handle);
  perform(copy);
  curl_easy_cleanup(copy);
  curl_easy_reset(handle);
  curl_easy_setopt(handle, CURLOPT_URL, url);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, reply_take);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &reply);
  perform_once(handle);
  curl_slist_free_all(list);
}

/* Facts that are strings and lists of libcurl's, or of ours. */
static void asked(unsigned number)
{
  CURL *handle = post_new(url, body, &reply);
  struct curl_slist *cookies = NULL;
  char *text = NULL;

  (void)number;
  curl_easy_setopt(handle, CURLOPT_COOKIEFILE, "");
  perform(handle);
  curl_easy_getinfo(handle, CURLINFO_COOKIELIST, &cookies);
  curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &text);
  curl_easy_getinfo(handle, CURLINFO_EFFECTIVE_URL, &text);
  curl_easy_getinfo(handle, CURLINFO_PRIMARY_IP, &text);
  curl_slist_free_all(cookies);
  curl_easy_cleanup(handle);
}

/* The address is a CURLU, with a user whose name has a mark of the syntax in it. */
static void parsed(unsigned number)
{
  CURL *handle = post_new(url, body, &reply);
  CURLU *parts = curl_url();

  curl_url_set(parts, CURLUPART_URL, url, 0);
  curl_url_set(parts, CURLUPART_USER, number % 2 ? "some@body" : "somebody", CURLU_URLENCODE);
  curl_url_set(parts, CURLUPART_PASSWORD, "word", 0);
  curl_easy_setopt(handle, CURLOPT_CURLU, parts);
  perform_once(handle);
  curl_url_cleanup(parts);
}

static size_t part_at;

static size_t read_body(char *into, size_t size, size_t count_of, void *arg)
{
  size_t left = strlen(body) - part_at, room = size * count_of;

  (void)arg;
  left = left < room ? left : room;
  memcpy(into, body + part_at, left);
  part_at += left;
  return left;
}

static void read_ahead(unsigned number)
{
  CURL *handle = post_new(url, NULL, &reply);

  (void)number;
  part_at = 0;
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
  curl_easy_setopt(handle, CURLOPT_READFUNCTION, read_body);
  perform_once(handle);
}

/* Nothing of the body is asked for. */
static void refused(unsigned number)
{
  CURL *handle = post_new(url, NULL, &reply);

  (void)number;
  part_at = 0;
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
  curl_easy_setopt(handle, CURLOPT_READFUNCTION, read_body);
  curl_easy_setopt(handle, CURLOPT_PORT, 1L);
  perform_once(handle);
}

static void form(unsigned number)
{
  CURL *handle = post_new(url, NULL, &reply);
  curl_mime *mime = curl_mime_init(handle);
  curl_mimepart *part = curl_mime_addpart(mime);

  (void)number;
  curl_mime_name(part, "words");
  curl_mime_data(part, body, CURL_ZERO_TERMINATED);
  part = curl_mime_addpart(mime);
  part_at = 0;
  curl_mime_name(part, "read");
  curl_mime_type(part, "text/plain");
  curl_mime_data_cb(part, (curl_off_t)strlen(body), read_body, NULL, NULL, NULL);
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, mime);
  perform_once(handle);
  curl_mime_free(mime);
}

static void multi(unsigned number)
{
  static struct loop loop;
  CURL *handle = post_new(url, body, &reply);

  if (number == 0)
    loop_open(&loop, "poll");
  loop_note(&loop, curl_multi_add_handle(loop.multi, handle));
  finish(&loop);
  curl_easy_cleanup(handle);
}

/* One follows the other, in a multi that goes with them. */
static void both(unsigned number)
{
  struct loop loop;
  CURL *handle = post_new(url, body, &reply), *other = post_new(url, body, &second);

  (void)number;
  loop_open(&loop, "epoll");
  loop_note(&loop, curl_multi_add_handle(loop.multi, handle));
  loop_note(&loop, curl_multi_add_handle(loop.multi, other));
  finish(&loop);
  curl_easy_cleanup(handle);
  curl_easy_cleanup(other);
  loop_close(&loop);
  second.len = 0;
}

/* Taken away while it is under way, and cleaned up in its multi. */
static void taken_away(unsigned number)
{
  struct loop loop;
  CURL *handle = post_new(url, body, &reply), *other = post_new(url, body, &second);
  long sent = 0;

  loop_open(&loop, "poll");
  loop_note(&loop, curl_multi_add_handle(loop.multi, handle));
  loop_note(&loop, curl_multi_add_handle(loop.multi, other));
  while (sent == 0) {
    loop_step(&loop, 10);
    curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &sent);
  }
  if (number % 2)
    loop_note(&loop, curl_multi_remove_handle(loop.multi, handle));
  curl_easy_cleanup(handle);
  loop_note(&loop, curl_multi_remove_handle(loop.multi, other));
  curl_easy_cleanup(other);
  loop_close(&loop);
}

static CURL *held;

static size_t reset_it(char *data, size_t size, size_t count_of, void *arg)
{
  (void)data, (void)arg;
  curl_easy_reset(held);
  curl_easy_setopt(held, CURLOPT_WRITEFUNCTION, reply_take);
  curl_easy_setopt(held, CURLOPT_WRITEDATA, &reply);
  return size * count_of;
}

static size_t refuse_it(char *data, size_t size, size_t count_of, void *arg)
{
  (void)data, (void)size, (void)count_of, (void)arg;
  return 0;
}

static void reset_in_header(unsigned number)
{
  (void)number;
  held = post_new(url, body, &reply);
  curl_easy_setopt(held, CURLOPT_HEADERFUNCTION, reset_it);
  perform_once(held);
}

static void reset_in_body(unsigned number)
{
  (void)number;
  held = post_new(url, body, &reply);
  curl_easy_setopt(held, CURLOPT_WRITEFUNCTION, reset_it);
  perform_once(held);
}

static void refuses(unsigned number)
{
  CURL *handle = post_new(url, body, &reply);

  (void)number;
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, refuse_it);
  perform_once(handle);
}

static const struct {
  const char *name;
  void (*round)(unsigned number);
  bool differs; /* each round asks something else */
} cases[] = {
    {"hold", hold, false},
    {"hold-new", hold, true},
    {"anew", anew, false},
    {"anew-new", anew, true},
    {"dressed", dressed, false},
    {"dressed-new", dressed, true},
    {"asked", asked, false},
    {"asked-new", asked, true},
    {"parsed", parsed, false},
    {"parsed-new", parsed, true},
    {"read", read_ahead, false},
    {"read-new", read_ahead, true},
    {"refused", refused, false},
    {"form", form, false},
    {"form-new", form, true},
    {"multi", multi, false},
    {"multi-new", multi, true},
    {"both", both, false},
    {"both-new", both, true},
    {"taken-away", taken_away, true},
    {"reset-in-header", reset_in_header, false},
    {"reset-in-header-new", reset_in_header, true},
    {"reset-in-body", reset_in_body, false},
    {"reset-in-body-new", reset_in_body, true},
    {"refuses", refuses, false},
    {"refuses-new", refuses, true},
};

int main(int argc, char **argv)
{
  long before = 0, bytes_before = 0;

  const char *asks = argc == 5 && strcmp(argv[4], "stream") == 0 ? ",\"stream\":true" : "";
  afresh = argc == 5 && strcmp(argv[4], "afresh") == 0;
  for (size_t i = 0; argc > 3 && i < sizeof cases / sizeof *cases; i++) {
    unsigned rounds = (unsigned)strtoul(argv[3], NULL, 10);
    if (strcmp(cases[i].name, argv[1]) != 0)
      continue;
    url = argv[2];
    for (unsigned n = 0; n < 2 * rounds; n++) {
      snprintf(body, sizeof body, "{\"model\":\"m\",\"case\":\"%s\",\"n\":%u%s}", argv[1],
               cases[i].differs ? n : 0, asks);
      cases[i].round(n);
      if (n + 1 == rounds) {
        before = pieces;
        bytes_before = bytes;
      }
    }
    long more_pieces = pieces - before, more_bytes = bytes - bytes_before;
    for (int code = 0; code < 200; code++)
      for (int status = 0; status < 1000; status++)
        if (ends[code][status])
          printf("rc=%d status=%d: %u\n", code, status, ends[code][status]);
    printf("more %ld %ld\n", more_pieces, more_bytes);
    return 0;
  }
  fprintf(stderr, "usage: keeps_memory CASE URL ROUNDS [stream|afresh]\n");
  return 2;
}
