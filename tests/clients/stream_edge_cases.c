/* SPDX-License-Identifier: MIT */
/*
 * stream_edge_cases easy|multi WHAT URL BODY
 *
 * A POST that says everything that it is given as it is given it, and what the handle tells in the middle and
 * at the end. WHAT it does meanwhile: nothing; `include` (CURLOPT_HEADER), `include-pause`, at the blank
 * line; `pause` at the second piece until the progress callback is called; `abort` at the third; `cookies`
 * (an engine).
 */
#include "shim/libcurl/curl_compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *what;
static CURL *handle;
static char error[CURL_ERROR_SIZE];
static int pieces, paused, pauses;

static int is(const char *name)
{
  return strcmp(what, name) == 0;
}

static void tell(const char *when)
{
  long status = 0, header = 0, redirects = 0, connects = 0;
  char *type = NULL, *ip = NULL;
  curl_off_t length = 0, down = 0;

  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(handle, CURLINFO_HEADER_SIZE, &header);
  curl_easy_getinfo(handle, CURLINFO_REDIRECT_COUNT, &redirects);
  curl_easy_getinfo(handle, CURLINFO_NUM_CONNECTS, &connects);
  curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &type);
  curl_easy_getinfo(handle, CURLINFO_PRIMARY_IP, &ip);
  curl_easy_getinfo(handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  curl_easy_getinfo(handle, CURLINFO_SIZE_DOWNLOAD_T, &down);
  printf("%s: status=%ld header=%ld redirects=%ld connects=%ld type=%s ip=%s length=%ld down=%ld\n", when,
         status, header, redirects, connects, type ? type : "-", ip ? ip : "-", (long)length, (long)down);
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
  (void)user;
  if (is("include-pause") && !paused && size * count <= 2 && !pauses++) {
    paused = 1;
    puts("pause");
    return CURL_WRITEFUNC_PAUSE;
  }
  printf("header %zu %.*s\n", size * count, (int)strcspn(line, ":\r\n"), line);
  return size * count;
}

static size_t on_write(char *data, size_t size, size_t count, void *user)
{
  (void)user;
  pieces++;
  if (is("pause") && pieces == 2) {
    paused = 1;
    puts("pause");
    return CURL_WRITEFUNC_PAUSE;
  }
  printf("write %zu %.*s\n", size * count, strncmp(what, "include", 7) == 0 ? 0 : 5, data);
  if (pieces == 2)
    tell("middle");
  return is("abort") && pieces == 3 ? 0 : size * count;
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
  (void)user;
  (void)down_total;
  (void)down;
  (void)up_total;
  (void)up;
  if (paused) {
    paused = 0;
    curl_easy_pause(handle, CURLPAUSE_CONT);
  }
  return 0;
}

static CURLcode by_multi(void)
{
  CURLM *multi = curl_multi_init();
  CURLMsg *message;
  CURLcode code = CURLE_FAILED_INIT;
  int running = 1, left;

  curl_multi_add_handle(multi, handle);
  while (curl_multi_perform(multi, &running) == CURLM_OK && running)
    curl_multi_poll(multi, NULL, 0, 100, NULL);
  while ((message = curl_multi_info_read(multi, &left)))
    code = message->data.result;
  curl_multi_remove_handle(multi, handle);
  curl_multi_cleanup(multi);
  return code;
}

int main(int argc, char **argv)
{
  if (argc != 5) {
    fprintf(stderr, "usage: stream_edge_cases easy|multi WHAT URL BODY\n");
    return 2;
  }
  what = argv[2];
  setvbuf(stdout, NULL, _IOLBF, 0);
  handle = curl_easy_init();
  curl_easy_setopt(handle, CURLOPT_URL, argv[3]);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, argv[4]);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
  if (strncmp(what, "include", 7) == 0)
    curl_easy_setopt(handle, CURLOPT_HEADER, 1L);
  if (is("cookies"))
    curl_easy_setopt(handle, CURLOPT_COOKIEFILE, "");
  CURLcode code = strcmp(argv[1], "multi") ? curl_easy_perform(handle) : by_multi();
  printf("rc=%d %s\n", (int)code, error);
  tell("end");
  curl_easy_cleanup(handle);
  return 0;
}
