/* SPDX-License-Identifier: MIT */
/*
 * exit_with_calls HOW WHAT URL BODY...
 *
 * Makes a call for each body, each in a thread of its own, and leaves at SIGUSR1 while they are under way: by
 * exit(), by a return from main, or by quick_exit(). WHAT says what becomes of the threads:
 *   easy      nothing: they are in curl_easy_perform()
 *   multi     the same, each in a loop of curl_multi_perform()
 *   action    the same, of epoll and curl_multi_socket_action()
 *   joined    an exit handler from before libcurl's waits for them, and they say what they got
 *   late      the same, and that waits a second first
 *   slow      an exit handler from before libcurl's takes its time, and nobody waits for them
 *   cancelled it is cancelled before
 *   jumped    it has left libcurl by a jump out of its write callback
 *   stuck     it is in a write callback that does not come back
 *   handler   the only thread is in curl_easy_perform(), and the signal's handler exits
 *   callback  the only thread exits in its write callback
 * Says `first` when the first bytes of an answer have come.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

enum { MOST = 8 };

static const char *how, *what, *url;
static pthread_t threads[MOST];
static int count;
static __thread jmp_buf before;

static int is(const char *name)
{
  return strcmp(what, name) == 0;
}

static void leave(void)
{
  if (strcmp(how, "quick") == 0)
    quick_exit(0);
  if (strcmp(how, "exit") == 0)
    exit(0);
}

static void say(const char *text)
{
  if (write(1, text, strlen(text)) < 0)
    exit(2);
}

static size_t on_write(char *data, size_t size, size_t n, void *arg)
{
  struct reply *reply = arg;
  if (!reply->len)
    say("first\n");
  if (is("jumped"))
    longjmp(before, 1);
  if (is("callback"))
    leave();
  while (is("stuck"))
    pause();
  return reply_take(data, size, n, arg);
}

static CURLcode perform_in_loop(CURL *handle)
{
  struct loop loop;
  CURLMsg *message = NULL;
  int left;
  if (!loop_open(&loop, is("action") ? "epoll" : "poll"))
    return CURLE_FAILED_INIT;
  curl_multi_add_handle(loop.multi, handle);
  while (!message) {
    loop_step(&loop, 1000);
    message = curl_multi_info_read(loop.multi, &left);
  }
  CURLcode code = message->data.result;
  curl_multi_remove_handle(loop.multi, handle);
  loop_close(&loop);
  return code;
}

static void *call(void *body)
{
  struct reply reply = {0};
  CURL *handle = post_new(url, body, &reply);
  if (getenv("LEAVING_SOCKET"))
    curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, getenv("LEAVING_SOCKET"));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  if (setjmp(before) == 0) {
    CURLcode code = is("multi") || is("action") ? perform_in_loop(handle) : curl_easy_perform(handle);
    reply_print(body, handle, code, &reply);
  }
  while (is("jumped"))
    pause();
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return NULL;
}

static void join(void)
{
  if (is("late"))
    sleep(1);
  for (int i = 0; i < count; i++)
    pthread_join(threads[i], NULL);
}

static void take_time(void)
{
  usleep(300000);
}

static void take_more_time(void)
{
  sleep(2);
}

static void on_signal(int number)
{
  (void)number;
  leave();
}

static int wait_for_signal(void)
{
  sigset_t wanted;
  int number;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  return sigwait(&wanted, &number);
}

static void block_signal(void)
{
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &wanted, NULL);
}

int main(int argc, char **argv)
{
  if (argc < 5 || argc - 4 > MOST)
    return 2;
  how = argv[1];
  what = argv[2];
  url = argv[3];
  if (is("joined") || is("late")) {
    atexit(join);
    at_quick_exit(join);
  }
  if (is("slow")) {
    atexit(take_time);
    at_quick_exit(take_more_time);
  }
  curl_global_init(CURL_GLOBAL_ALL);
  if (is("handler"))
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL);
  else
    block_signal();
  if (is("handler") || is("callback")) {
    call(argv[4]);
    return 1;
  }
  for (count = 0; argv[4 + count]; count++)
    pthread_create(&threads[count], NULL, call, argv[4 + count]);
  wait_for_signal();
  if (is("cancelled")) {
    pthread_cancel(threads[0]);
    pthread_join(threads[0], NULL);
  }
  leave();
  return 0;
}
