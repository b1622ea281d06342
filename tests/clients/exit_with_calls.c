/* SPDX-License-Identifier: MIT */
/*
 * exit_with_calls HOW WHAT URL BODY...
 *
 * Makes a call for each body, and leaves at SIGUSR1 while they are under way: by exit(), by a return from
 * main, or by quick_exit(). WHAT says who makes them:
 *   own       the thread that exits, all of them in a loop of curl_multi_perform()
 *   action    the same, of epoll and curl_multi_socket_action()
 *   turned    the same, and an exit handler from before libcurl's turns them to their ends
 *   handler   the only thread, in curl_easy_perform(), and the signal's handler exits
 *   callback  the only thread, which exits in its write callback
 *   jumped    the only thread, which has left libcurl by a jump out of its write callback
 *   easy      a thread for each, in curl_easy_perform()
 *   loops     a thread for each, in a loop of curl_multi_perform()
 *   joined    a thread for each; an exit handler from before libcurl's waits for them, and they say what they got
 *   late      the same, and that waits a second first
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
  return reply_take(data, size, n, arg);
}

static CURLcode perform_in_loop(CURL *handle)
{
  struct loop loop;
  CURLMsg *message = NULL;
  int left;
  if (!loop_open(&loop, "poll"))
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
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  if (setjmp(before) == 0) {
    CURLcode code = is("loops") ? perform_in_loop(handle) : curl_easy_perform(handle);
    reply_print(body, handle, code, &reply);
  }
  if (is("jumped"))
    return NULL;
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

static void on_signal(int number)
{
  (void)number;
  leave();
}

static sigset_t signal_set(void)
{
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  return wanted;
}

static bool has_signal(void)
{
  sigset_t pending;
  return sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1);
}

static struct reply replies[MOST];
static struct loop loop;

/* All of them in one multi of this thread, which nobody turns any more from the signal on. */
static void begin_in_own_loop(char **bodies)
{
  if (!loop_open(&loop, is("action") ? "epoll" : "poll"))
    exit(2);
  for (int i = 0; bodies[i]; i++) {
    CURL *handle = post_new(url, bodies[i], &replies[i]);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(handle, CURLOPT_PRIVATE, &replies[i]);
    count = i + 1;
    loop_note(&loop, curl_multi_add_handle(loop.multi, handle));
  }
  while (!has_signal())
    loop_step(&loop, 20);
}

static void turn_to_the_end(void)
{
  CURLMsg *message;
  int left;
  while (count) {
    loop_step(&loop, 20);
    while ((message = curl_multi_info_read(loop.multi, &left))) {
      struct reply *reply;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&reply);
      reply_print("turned", message->easy_handle, message->data.result, reply);
      count--;
    }
  }
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
  if (is("turned")) {
    atexit(turn_to_the_end);
    at_quick_exit(turn_to_the_end);
  }
  curl_global_init(CURL_GLOBAL_ALL);
  sigset_t wanted = signal_set();
  int number;
  if (is("handler"))
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL);
  else
    pthread_sigmask(SIG_BLOCK, &wanted, NULL);
  if (is("own") || is("action") || is("turned"))
    begin_in_own_loop(argv + 4);
  else if (is("handler") || is("callback") || is("jumped"))
    call(argv[4]);
  else
    for (count = 0; argv[4 + count]; count++)
      pthread_create(&threads[count], NULL, call, argv[4 + count]);
  sigwait(&wanted, &number);
  leave();
  return 0;
}
