/* SPDX-License-Identifier: MIT */
/*
 * stalling HOW URL BODY
 *
 * A POST whose program hangs on the way. A line on stdout says when it does ("hangs"), and SIGUSR1 lets it go
 * on.
 *   lock      one thread makes the call, and its write callback waits for a lock that the main thread has,
 *             which makes the same call with it. Nobody else lets go. lock-sockopt and lock-debug: that callback does.
 *   callback  the write callback waits for the signal
 *   progress  the progress callback does
 *   multi     in a multi whose loop is not turned once the request is sent, until the signal comes
 *   silent    in a multi that is turned by epoll, in a loop that sleeps until libcurl wants to be called. It
 *             goes on.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

static const char *how, *url, *body;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t inside, locked;

static void go_on(int number)
{
  (void)number;
  sem_post(&locked);
}

static void hang(void)
{
  puts("hangs");
  fflush(stdout);
  while (sem_wait(&locked) < 0)
    ;
}

static void want_the_lock(void)
{
  sem_post(&inside);
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
}

static size_t lock_in_write(char *data, size_t size, size_t count, void *arg)
{
  want_the_lock();
  return reply_take(data, size, count, arg);
}

static int lock_in_sockopt(void *arg, curl_socket_t fd, curlsocktype purpose)
{
  (void)arg, (void)fd, (void)purpose;
  want_the_lock();
  return CURL_SOCKOPT_OK;
}

/* After the callbacks of the header, which come between. */
static int lock_in_debug(CURL *handle, curl_infotype type, char *data, size_t len, void *arg)
{
  (void)handle, (void)data, (void)len, (void)arg;
  if (type == CURLINFO_DATA_IN)
    want_the_lock();
  return 0;
}

static size_t hang_in_write(char *data, size_t size, size_t count, void *arg)
{
  hang();
  return reply_take(data, size, count, arg);
}

static int hang_in_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t up_total, curl_off_t up)
{
  static bool done;
  (void)arg, (void)a, (void)b;
  if (up_total && up == up_total && !done) {
    done = true;
    hang();
  }
  return 0;
}

static CURLcode perform(CURL *handle, curl_write_callback write, const char *name, struct reply *reply)
{
  if (write)
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, write);
  CURLcode code = curl_easy_perform(handle);
  reply_print(name, handle, code, reply);
  curl_easy_cleanup(handle);
  free(reply->bytes);
  return code;
}

static void *call_with_the_lock(void *failed)
{
  struct reply reply = {0};
  CURL *handle = post_new(url, body, &reply);
  if (strcmp(how, "lock-sockopt") == 0)
    curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, lock_in_sockopt);
  curl_easy_setopt(handle, CURLOPT_VERBOSE, (long)(strcmp(how, "lock-debug") == 0));
  curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, lock_in_debug);
  if (perform(handle, strcmp(how, "lock") == 0 ? lock_in_write : NULL, "thread", &reply) != CURLE_OK)
    *(bool *)failed = true;
  return NULL;
}

static int hang_on_a_lock(void)
{
  pthread_t thread;
  bool failed = false;
  pthread_mutex_lock(&lock);
  pthread_create(&thread, NULL, call_with_the_lock, &failed);
  sem_wait(&inside);
  int rc = post_once("main", url, body);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
  return rc || failed;
}

static int drive(bool hangs)
{
  struct reply reply = {0};
  struct loop loop;
  if (!loop_open(&loop, "epoll"))
    return 2;
  CURL *handle = post_new(url, body, &reply);
  loop_note(&loop, curl_multi_add_handle(loop.multi, handle));
  long sent = 0;
  while (loop.running) {
    loop_step(&loop, hangs && !sent ? 10 : 600000);
    if (hangs && !sent && curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &sent) == CURLE_OK && sent)
      hang();
  }
  int left;
  const CURLMsg *message = curl_multi_info_read(loop.multi, &left);
  CURLcode code = message ? message->data.result : CURLE_FAILED_INIT;
  reply_print("multi", handle, code, &reply);
  curl_multi_remove_handle(loop.multi, handle);
  curl_easy_cleanup(handle);
  loop_close(&loop);
  free(reply.bytes);
  return code != CURLE_OK || loop.errors;
}

int main(int argc, char **argv)
{
  if (argc != 4)
    return 2;
  struct reply reply = {0};
  how = argv[1];
  url = argv[2];
  body = argv[3];
  sem_init(&inside, 0, 0);
  sem_init(&locked, 0, 0);
  signal(SIGUSR1, go_on);
  curl_global_init(CURL_GLOBAL_ALL);
  if (strncmp(how, "lock", 4) == 0)
    return hang_on_a_lock();
  if (strcmp(how, "multi") == 0 || strcmp(how, "silent") == 0)
    return drive(strcmp(how, "multi") == 0);
  CURL *handle = post_new(url, body, &reply);
  if (strcmp(how, "progress") == 0) {
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, hang_in_progress);
  }
  return perform(handle, strcmp(how, "callback") == 0 ? hang_in_write : NULL, how, &reply) != CURLE_OK;
}
