/* SPDX-License-Identifier: MIT */
/*
 * left_callback LOOP WAY CALLBACK NEXT URL BODY [lives|ends]
 *
 * A thread makes a POST whose callback never returns, and something is done after that; shows what the app
 * sees. What libcurl does with such a handle is its own: it refuses it, but for its cleanup.
 *
 * LOOP: easy, multi. CALLBACK: write, header, read, progress, debug.
 * WAY:
 *   jump     longjmp() to the caller; the thread lives on and does NEXT
 *   throw    an exception, as C++ and others unwind the stack, to the caller; the same
 *   cancel   the thread is cancelled; the main thread does NEXT
 *   exit     pthread_exit(); the same
 * NEXT: perform, reset, cleanup, duphandle, add (to a multi), unmatched (a GET on another handle), nothing.
 * Then the handle is cleaned up, and the main thread makes the same call again.
 *
 * With `lives`, for jump and throw, the thread has not ended by then, as a worker of a pool: it waits for
 * what comes of that call, and where NEXT is `nothing` it has not touched its handle, either. Then it ends,
 * and the main thread makes the call once more.
 *
 * With `ends`, for cancel and exit, the main thread makes the same call before it does NEXT, so that nobody
 * has touched the handle since its thread ended.
 */
#include "tests/clients/post.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdbool.h>
#include <unistd.h>
#include <unwind.h>

static const char *loop, *way, *callback, *next, *url, *body;
static CURL *handle;
static CURLM *multi;
static struct reply reply;
static bool armed = true;
static jmp_buf caller;
static size_t body_at;
static bool lives, ends;
static sem_t waits, retried;

static _Unwind_Reason_Code stop(int version, _Unwind_Action actions, _Unwind_Exception_Class kind,
                                struct _Unwind_Exception *exception, struct _Unwind_Context *context,
                                void *landing)
{
  (void)version, (void)actions, (void)kind, (void)exception;
  if (_Unwind_GetCFA(context) > (_Unwind_Word)(uintptr_t)landing)
    longjmp(caller, 1);
  return _URC_NO_REASON;
}

static void *landing;

static void leave(const char *where)
{
  static struct _Unwind_Exception exception;
  if (!armed || strcmp(where, callback) != 0)
    return;
  armed = false;
  if (strcmp(way, "jump") == 0)
    longjmp(caller, 1);
  if (strcmp(way, "throw") == 0)
    _Unwind_ForcedUnwind(&exception, stop, landing);
  if (strcmp(way, "cancel") == 0) {
    pthread_cancel(pthread_self());
    pthread_testcancel();
  }
  pthread_exit(NULL);
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  leave("write");
  return reply_take(data, size, count, arg);
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
  (void)line, (void)arg;
  leave("header");
  return size * count;
}

static size_t on_read(char *into, size_t size, size_t count, void *arg)
{
  size_t len = strlen(body) - body_at, room = size * count;
  (void)arg;
  leave("read");
  len = len < room ? len : room;
  memcpy(into, body + body_at, len);
  body_at += len;
  return len;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
  (void)arg, (void)total, (void)up_total, (void)up;
  if (now)
    leave("progress");
  return 0;
}

static int on_debug(CURL *of, curl_infotype type, char *data, size_t size, void *arg)
{
  (void)of, (void)data, (void)size, (void)arg;
  if (type == CURLINFO_HEADER_IN)
    leave("debug");
  return 0;
}

static void prepare(CURL *of, struct reply *to)
{
  curl_easy_setopt(of, CURLOPT_URL, url);
  curl_easy_setopt(of, CURLOPT_POST, 1L);
  curl_easy_setopt(of, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
  if (strcmp(callback, "read") == 0)
    curl_easy_setopt(of, CURLOPT_READFUNCTION, on_read);
  else
    curl_easy_setopt(of, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(of, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(of, CURLOPT_WRITEDATA, to);
  curl_easy_setopt(of, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(of, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(of, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(of, CURLOPT_DEBUGFUNCTION, on_debug);
  curl_easy_setopt(of, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(of, CURLOPT_NOSIGNAL, 1L);
}

static void run(void)
{
  int running = 1;
  if (!multi) {
    printf("came back %d\n", (int)curl_easy_perform(handle));
    return;
  }
  curl_multi_add_handle(multi, handle);
  while (running && curl_multi_perform(multi, &running) == CURLM_OK)
    curl_multi_poll(multi, NULL, 0, 1000, NULL);
  printf("came back\n");
}

static void perform(const char *name, CURL *of, struct reply *to)
{
  body_at = 0;
  CURLcode code = curl_easy_perform(of);
  printf("%s rc=%d bytes=%zu\n", name, (int)code, to->len);
}

static void go_on(void)
{
  struct reply other = {0};
  if (strcmp(next, "perform") == 0) {
    perform("again", handle, &reply);
  } else if (strcmp(next, "reset") == 0) {
    curl_easy_reset(handle);
    prepare(handle, &reply);
    perform("after the reset", handle, &reply);
  } else if (strcmp(next, "duphandle") == 0) {
    CURL *copy = curl_easy_duphandle(handle);
    curl_easy_setopt(copy, CURLOPT_WRITEDATA, &other);
    perform("copy", copy, &other);
    curl_easy_cleanup(copy);
  } else if (strcmp(next, "add") == 0) {
    CURLM *second = curl_multi_init();
    printf("added %d\n", (int)curl_multi_add_handle(second, handle));
    curl_multi_cleanup(second);
  } else if (strcmp(next, "unmatched") == 0) {
    CURL *get = curl_easy_init();
    curl_easy_setopt(get, CURLOPT_URL, url);
    curl_easy_setopt(get, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(get, CURLOPT_WRITEFUNCTION, reply_take);
    curl_easy_setopt(get, CURLOPT_WRITEDATA, &other);
    perform("unmatched", get, &other);
    curl_easy_cleanup(get);
  }
  if (multi) {
    int left = 0;
    printf("message %d\n", curl_multi_info_read(multi, &left) != NULL);
    printf("removed %d\n", (int)curl_multi_remove_handle(multi, handle));
    printf("cleaned up %d\n", (int)curl_multi_cleanup(multi));
  }
  curl_easy_cleanup(handle);
  free(other.bytes);
}

static void stay(void)
{
  sem_post(&waits);
  while (sem_wait(&retried) != 0)
    ;
}

static void *call(void *unused)
{
  bool first = lives && strcmp(next, "nothing") == 0;

  landing = __builtin_frame_address(0);
  if (setjmp(caller) == 0) {
    run();
    sem_post(&waits);
  } else {
    printf("left\n");
    if (first)
      stay();
    go_on();
    if (lives && !first)
      stay();
  }
  return unused;
}

static void call_again(void)
{
  struct reply last = {0};
  CURL *retry = curl_easy_init();
  prepare(retry, &last);
  perform("the same call", retry, &last);
  curl_easy_cleanup(retry);
  free(last.bytes);
}

int main(int argc, char **argv)
{
  pthread_t thread;
  lives = argc == 8 && strcmp(argv[7], "lives") == 0;
  ends = argc == 8 && strcmp(argv[7], "ends") == 0;
  if (argc != 7 && !lives && !ends)
    return 2;
  loop = argv[1], way = argv[2], callback = argv[3], next = argv[4], url = argv[5], body = argv[6];
  setvbuf(stdout, NULL, _IONBF, 0);
  handle = curl_easy_init();
  prepare(handle, &reply);
  multi = strcmp(loop, "multi") == 0 ? curl_multi_init() : NULL;
  sem_init(&waits, 0, 0);
  sem_init(&retried, 0, 0);
  pthread_create(&thread, NULL, call, NULL);
  if (lives) {
    while (sem_wait(&waits) != 0)
      ;
    call_again();
    sem_post(&retried);
  }
  pthread_join(thread, NULL);
  if (ends)
    call_again();
  if (strcmp(way, "cancel") == 0 || strcmp(way, "exit") == 0)
    go_on();
  call_again();
  free(reply.bytes);
  return 0;
}
