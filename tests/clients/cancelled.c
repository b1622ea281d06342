/* SPDX-License-Identifier: MIT */
/*
 * cancelled WAY URL BODY
 *
 * Makes a call in a thread that is cancelled in its write callback, and the same call again in the main
 * thread. The thread ends at the first point of cancellation after that callback:
 *   early  in curl_easy_perform(), wherever that is, for it was cancelled before
 *   easy   in curl_easy_perform(), which the callback has told to end
 *   wait   in curl_easy_perform(), which waits for more
 *   progress  the same, where it was cancelled in its progress callback; nothing is called again
 *   multi  in curl_multi_perform(), which goes on reading; main takes the handle out, and cleans the multi up
 *   go-on  as multi, but main goes on with it and says how it ends; nothing is called again
 */
#include "tests/clients/post.h"

#include <pthread.h>
#include <stdbool.h>

static const char *way, *url, *body;
static CURLM *multi;
static pthread_t main_thread;
static CURL *handle;
static struct reply reply;

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  if (!pthread_equal(pthread_self(), main_thread))
    pthread_cancel(pthread_self());
  return multi || strcmp(way, "wait") == 0 ? reply_take(data, size, count, arg) : 0;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t up_total, curl_off_t up)
{
  (void)arg, (void)a, (void)b, (void)up_total, (void)up;
  pthread_cancel(pthread_self());
  return 0;
}

static void *call(void *unused)
{
  int running = 1;
  if (strcmp(way, "early") == 0)
    pthread_cancel(pthread_self());
  if (!multi)
    curl_easy_perform(handle);
  while (multi && running) {
    curl_multi_perform(multi, &running);
    curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  return unused;
}

int main(int argc, char **argv)
{
  pthread_t thread;
  void *end;
  if (argc != 4)
    return 2;
  way = argv[1];
  url = argv[2];
  body = argv[3];
  main_thread = pthread_self();
  handle = post_new(url, body, &reply);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  bool progress = strcmp(way, "progress") == 0;
  if (progress) {
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  }
  bool goes_on = strcmp(way, "go-on") == 0;
  if (goes_on || strcmp(way, "multi") == 0) {
    multi = curl_multi_init();
    curl_multi_add_handle(multi, handle);
  }
  pthread_create(&thread, NULL, call, NULL);
  pthread_join(thread, &end);
  printf("%s\n", end == PTHREAD_CANCELED ? "cancelled" : "came back");
  if (goes_on) {
    CURLMsg *message;
    int left;
    call(NULL);
    if ((message = curl_multi_info_read(multi, &left)))
      reply_print("goes on", handle, message->data.result, &reply);
  }
  if (multi) {
    curl_multi_remove_handle(multi, handle);
    curl_multi_cleanup(multi);
    curl_easy_cleanup(handle);
  }
  free(reply.bytes);
  return goes_on || progress ? 0 : post_once("again", url, body);
}
