/* SPDX-License-Identifier: MIT */
/*
 * timeouts WAY URL BODY [MS]
 *
 * Makes a call and gives it up: by TIMEOUT_MS, LOW_SPEED (after a second), or from the write, header or
 * progress callback, once MS milliseconds have passed (300); `paused` is by the latter, while the write
 * callback holds the transfer. `prereq` and `debug` are by TIMEOUT_MS, which passes in that callback, within
 * the very turn of libcurl's loop that sends the request. Says how that ended, and makes the same call again
 * without a limit.
 */
#include "tests/clients/post.h"

#include <time.h>

static struct timespec started;
static long limit_ms = 300;
static const char *way;

static int is_over(const char *mine)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  long ms = (now.tv_sec - started.tv_sec) * 1000 + (now.tv_nsec - started.tv_nsec) / 1000000;
  return strcmp(way, mine) == 0 && ms >= limit_ms;
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  if (strcmp(way, "paused") == 0)
    return CURL_WRITEFUNC_PAUSE;
  return is_over("write") ? 0 : reply_take(data, size, count, arg);
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
  (void)line;
  (void)arg;
  return is_over("header") ? 0 : size * count;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
  (void)arg;
  (void)down_total;
  (void)down;
  (void)up_total;
  (void)up;
  return is_over("progress") || is_over("paused");
}

/* Till after the deadline. */
static void be_slow(const char *mine)
{
  long ms = limit_ms + 200;
  if (strcmp(way, mine) == 0)
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static int on_debug(CURL *handle, curl_infotype type, char *data, size_t size, void *arg)
{
  (void)handle;
  (void)data;
  (void)size;
  (void)arg;
  if (type == CURLINFO_HEADER_OUT)
    be_slow("debug");
  return 0;
}

static int on_prereq(void *arg, char *to, char *from, int to_port, int from_port)
{
  (void)arg;
  (void)to;
  (void)from;
  (void)to_port;
  (void)from_port;
  be_slow("prereq");
  return CURL_PREREQFUNC_OK;
}

static void limit(CURL *handle, struct reply *reply)
{
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, reply);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, on_prereq);
  curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, on_debug);
  curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
  if (strcmp(way, "timeout") == 0 || strcmp(way, "prereq") == 0 || strcmp(way, "debug") == 0)
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, limit_ms);
  if (strcmp(way, "slow") == 0) {
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1000L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, 1L);
  }
}

int main(int argc, char **argv)
{
  struct reply reply = {0};
  char error[CURL_ERROR_SIZE] = "";
  if (argc < 4)
    return 2;
  way = argv[1];
  if (argc > 4)
    limit_ms = atol(argv[4]);
  CURL *handle = post_new(argv[2], argv[3], &reply);
  if (!handle)
    return 2;
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
  limit(handle, &reply);
  clock_gettime(CLOCK_MONOTONIC, &started);
  CURLcode code = curl_easy_perform(handle);
  printf("gave up rc=%d after %zu bytes: %s\n", (int)code, reply.len, error);
  fflush(stdout);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return post_once("again", argv[2], argv[3]);
}
