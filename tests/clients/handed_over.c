/* SPDX-License-Identifier: MIT */
/*
 * handed_over URL BODY
 *
 * The main thread adds a POST to a multi and turns it until it is sent; another one drives it to its end, and
 * makes the same call within its write callback. Meanwhile the main thread makes it, too.
 */
#include "tests/clients/post.h"

#include <pthread.h>
#include <semaphore.h>

static const char *url, *body;
static CURLM *multi;
static sem_t taken_over;

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  struct reply *reply = arg;
  if (!reply->len)
    post_once("nested", url, body);
  return reply_take(data, size, count, arg);
}

static void *drive(void *unused)
{
  int running = 1;
  curl_multi_perform(multi, &running);
  sem_post(&taken_over);
  while (running) {
    curl_multi_poll(multi, NULL, 0, 1000, NULL);
    curl_multi_perform(multi, &running);
  }
  return unused;
}

int main(int argc, char **argv)
{
  struct reply reply = {0};
  pthread_t driver;
  int running = 1, left;
  if (argc != 3)
    return 2;
  url = argv[1], body = argv[2];
  sem_init(&taken_over, 0, 0);
  CURL *handle = post_new(url, body, &reply);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  multi = curl_multi_init();
  curl_multi_add_handle(multi, handle);
  for (long sent = 0; !sent && running; curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &sent)) {
    curl_multi_perform(multi, &running);
    curl_multi_poll(multi, NULL, 0, 10, NULL);
  }
  pthread_create(&driver, NULL, drive, NULL);
  sem_wait(&taken_over);
  int failed = post_once("first thread", url, body);
  pthread_join(driver, NULL);
  const CURLMsg *message = curl_multi_info_read(multi, &left);
  failed |= !message || message->data.result != CURLE_OK;
  reply_print("handed over", handle, message ? message->data.result : CURLE_FAILED_INIT, &reply);
  curl_multi_remove_handle(multi, handle);
  curl_multi_cleanup(multi);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return failed;
}
