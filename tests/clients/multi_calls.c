/* SPDX-License-Identifier: MIT */
/*
 * multi_calls LOOP MULTIS URL BODY...
 *
 * A POST of each BODY, all at once: in turn over so many multis, which are driven in turn. Shows each call as
 * it ends with what came back, and fails if libcurl's count of running transfers is ever another than the
 * number of those that have not ended. LOOP: tests/clients/multi_loops.h.
 *
 * From the environment: TIMEOUT_MS, of the last call alone; HEADER, a line that goes with each; LIMIT, of
 * connections; READ, for bodies that come from a callback; TIMES, that each body is sent, and with it a last
 * line with the number of events that the sockets had for the loop epoll.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

enum { MULTIS_MOST = 16, CALLS_MOST = 512 };

static struct loop loops[MULTIS_MOST];
static unsigned multi_count, call_count, ended[MULTIS_MOST], added[MULTIS_MOST];
static CURL *handles[CALLS_MOST];
static struct reply replies[CALLS_MOST];
static char name[CALLS_MOST][16];
static struct curl_slist *headers;
static int failed;

/* A body at once, and then its end. */
static size_t read_body(char *into, size_t size, size_t count, void *arg)
{
  const char **body = arg;
  size_t len = strlen(*body);

  if (len > size * count)
    return CURL_READFUNC_ABORT;
  memcpy(into, *body, len);
  *body += len;
  return len;
}

static void add(unsigned i, const char *url, const char *body)
{
  static const char *unread[CALLS_MOST];
  struct loop *loop = &loops[i % multi_count];

  snprintf(name[i], sizeof name[i], "call-%u", i);
  handles[i] = post_new(url, body, &replies[i]);
  curl_easy_setopt(handles[i], CURLOPT_PRIVATE, (void *)name[i]);
  curl_easy_setopt(handles[i], CURLOPT_HTTPHEADER, headers);
  if (getenv("READ")) {
    unread[i] = body;
    curl_easy_setopt(handles[i], CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(handles[i], CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    curl_easy_setopt(handles[i], CURLOPT_READFUNCTION, read_body);
    curl_easy_setopt(handles[i], CURLOPT_READDATA, &unread[i]);
  }
  if (i == call_count - 1 && getenv("TIMEOUT_MS"))
    curl_easy_setopt(handles[i], CURLOPT_TIMEOUT_MS, atol(getenv("TIMEOUT_MS")));
  loop_note(loop, curl_multi_add_handle(loop->multi, handles[i]));
  added[i % multi_count]++;
}

static void show(const CURLMsg *message)
{
  unsigned i = 0;
  char *private = NULL;

  while (handles[i] != message->easy_handle)
    i++;
  curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
  reply_print(private, message->easy_handle, message->data.result, &replies[i]);
  failed |= message->data.result != CURLE_OK;
}

static void collect(unsigned n)
{
  CURLMsg *message;
  int left = 0, before = -1;

  while ((message = curl_multi_info_read(loops[n].multi, &left))) {
    if (before >= 0 && left != before - 1) {
      printf("after %d messages there are %d\n", before, left);
      failed = 1;
    }
    before = left;
    show(message);
    loop_note(&loops[n], curl_multi_remove_handle(loops[n].multi, message->easy_handle));
    ended[n]++;
  }
}

static bool step(unsigned n)
{
  loop_step(&loops[n], multi_count > 1 ? 1 : 1000);
  collect(n);
  return ended[n] < added[n];
}

static void check_running(unsigned n)
{
  /* Before an event loop's first event nobody has counted. */
  if (loops[n].running >= 0 && (unsigned)loops[n].running != added[n] - ended[n]) {
    printf("running %d of %u, of which %u have ended\n", loops[n].running, added[n], ended[n]);
    failed = 1;
  }
}

static void run(void)
{
  bool unfinished = true;

  while (unfinished) {
    unfinished = false;
    for (unsigned n = 0; n < multi_count; n++)
      if (ended[n] < added[n]) {
        loops[n].running = -1;
        unfinished |= step(n);
        check_running(n);
      }
  }
}

int main(int argc, char **argv)
{
  multi_count = argc < 5 ? 0 : (unsigned)strtoul(argv[2], NULL, 10);
  const char *times = getenv("TIMES");
  unsigned bodies = argc < 5 ? 0 : (unsigned)argc - 4;
  call_count = bodies * (times ? (unsigned)atoi(times) : 1);
  if (!multi_count || multi_count > MULTIS_MOST || !call_count || call_count > CALLS_MOST) {
    fprintf(stderr, "usage: multi_calls LOOP MULTIS URL BODY...\n");
    return 2;
  }
  curl_global_init(CURL_GLOBAL_ALL);
  for (unsigned n = 0; n < multi_count; n++) {
    if (!loop_open(&loops[n], argv[1]))
      return 2;
    if (getenv("LIMIT"))
      curl_multi_setopt(loops[n].multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, atol(getenv("LIMIT")));
  }
  if (getenv("HEADER"))
    headers = curl_slist_append(NULL, getenv("HEADER"));
  for (unsigned i = 0; i < call_count; i++)
    add(i, argv[3], argv[4 + i % bodies]);
  run();
  if (times)
    printf("events=%u\n", loops[0].events);
  for (unsigned i = 0; i < call_count; i++) {
    curl_easy_cleanup(handles[i]);
    free(replies[i].bytes);
  }
  for (unsigned n = 0; n < multi_count; n++) {
    loop_close(&loops[n]);
    failed |= loops[n].errors != 0;
  }
  curl_slist_free_all(headers);
  curl_global_cleanup();
  return failed;
}
