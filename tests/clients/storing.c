/* SPDX-License-Identifier: MIT */
/*
 * storing CASE LOOP URL
 *
 * A POST in a multi, whose app does what CASE says while its answer is being stored: its transfer has ended,
 * and a thread has appeared that writes. Shows what it sees. LOOP: multi_loops.h.
 *
 * From the environment: TIMEOUT_MS, of the call; OPENS, for an app that opens its sockets itself; NOTIFIED,
 * for one that looks for messages when libcurl notifies it, and at no other time (8.17).
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

static struct loop loop;
static const char *url;
static CURL *handle;
static struct reply reply;
static bool ended;
/* As some have: libc takes it from the stack of each thread. */
static __thread volatile char large[250000];
static unsigned usual; /* threads, such as a sanitizer's */

static const char body[] = "{\"n\":1}", other_body[] = "{\"n\":2}";

static void say(const char *what, long is)
{
  printf("%s: %ld\n", what, is);
  fflush(stdout);
}

/* What libcurl counts from 8.16 on. */
static void say_counts(void)
{
  static const struct {
    const char *name;
    CURLMinfo_offt info;
  } counts[] = {{"transfers running", CURLMINFO_XFERS_RUNNING},
                {"transfers done", CURLMINFO_XFERS_DONE},
                {"transfers added", CURLMINFO_XFERS_ADDED}};
  __typeof__(&curl_multi_get_offt) get = dlsym(RTLD_DEFAULT, "curl_multi_get_offt");
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    curl_off_t value = -1;
    loop_note(&loop, get ? get(loop.multi, counts[i].info, &value) : CURLM_UNKNOWN_OPTION);
    say(counts[i].name, (long)value);
  }
}

/* Of this process, besides the main one; `tid` is that of the last. */
static unsigned threads(int *tid)
{
  DIR *tasks = opendir("/proc/self/task");
  unsigned count = 0;
  const struct dirent *entry;

  while (tasks && (entry = readdir(tasks)))
    if (entry->d_name[0] != '.' && atoi(entry->d_name) != getpid()) {
      *tid = atoi(entry->d_name);
      count++;
    }
  if (tasks)
    closedir(tasks);
  return count;
}

static bool in_notification;

static bool collect(void)
{
  CURLMsg *message;
  int left;

  if (getenv("NOTIFIED") && !in_notification)
    return ended;
  while ((message = curl_multi_info_read(loop.multi, &left))) {
    ended = true;
    reply_print("call", message->easy_handle, message->data.result, &reply);
  }
  return ended;
}

static void on_notification(CURLM *multi, unsigned what, CURL *easy, void *user)
{
  (void)multi;
  (void)what;
  (void)easy;
  (void)user;
  in_notification = true;
  collect();
  in_notification = false;
}

static void ask_for_notifications(void)
{
  CURLMcode (*enable)(CURLM *, unsigned) =
      (__typeof__(enable))dlsym(RTLD_DEFAULT, "curl_multi_notify_enable");

  loop_note(&loop, curl_multi_setopt(loop.multi, CURLMOPT_NOTIFYFUNCTION, on_notification));
  loop_note(&loop, enable ? enable(loop.multi, 0) : CURLM_UNKNOWN_OPTION);
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
  (void)user;
  (void)purpose;
  return socket(address->family, address->socktype, address->protocol);
}

/* Waits for longer than the test has, so that a loop which nobody wakes does not go on. */
static void finish(void)
{
  unsigned turns = 0;

  while (!collect()) {
    loop_step(&loop, 600000);
    turns++;
  }
  say("turns without a reason", turns > 20);
  say("running", loop.running);
}

static void until_it_is_stored(int *tid)
{
  while (threads(tid) <= usual && !collect())
    loop_step(&loop, 5);
  say("storing", !ended);
  say("running", loop.running);
}

static void nothing(void)
{
  finish();
}

static void count(void)
{
  say_counts();
  finish();
  say_counts();
}

/* Python warns when such a process forks, and the kernel lets none with another thread into a namespace. */
static void alone(void)
{
  int tid;
  bool may;

  finish();
  may = unshare(CLONE_THREAD) == 0 || errno != EINVAL;
  say("threads", threads(&tid) - usual);
  say("alone", may);
}

/* It closes what it does not know, and has a timer of its own under the number then, which
 * nobody sets or closes. */
static void close_timer(void)
{
  struct itimerspec far = {.it_value = {.tv_sec = 7200}}, is = far;
  char path[32], what[32] = "";
  int fd = 3;

  for (; fd < 256 && strcmp(what, "anon_inode:[timerfd]"); fd++) {
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(path, what, sizeof what - 1);
    what[len < 0 ? 0 : len] = 0;
  }
  say("found", fd < 256);
  int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  timerfd_settime(timer, 0, &far, NULL);
  dup2(timer, --fd);
  finish();
  say("own timer", timerfd_gettime(fd, &is) == 0 && is.it_value.tv_sec > 7000);
}

static struct reply late;

/* It turns the multi until the transfer has ended, and leaves it as it is. */
static void turn_at_exit(void)
{
  while (!late.len)
    loop_step(&loop, 5);
  for (int i = 0; i < 10; i++)
    loop_step(&loop, 5);
}

static void end_with_handler(void)
{
  finish();
  loop_note(&loop, curl_multi_add_handle(loop.multi, post_new(url, other_body, &late)));
  exit(0);
}

/* More than is kept for a disk that does not keep up. An old libcurl reads much of each in a turn: those that
 * are nearly here are not held back. */
static void many(void)
{
  enum { MANY = 16, LARGE = 3999900, ENOUGH = 9 };
  static struct reply replies[MANY];
  static char bodies[MANY][16];
  CURL *handles[MANY];
  int left, done = 0, most = 0;

  finish();
  for (int i = 0; i < MANY; i++) {
    snprintf(bodies[i], sizeof bodies[i], "{\"many\":%d}", i);
    handles[i] = post_new(url, bodies[i], &replies[i]);
    loop_note(&loop, curl_multi_add_handle(loop.multi, handles[i]));
  }
  while (done < MANY) {
    int here = 0;
    loop_step(&loop, 600000);
    for (CURLMsg *message; (message = curl_multi_info_read(loop.multi, &left));)
      done += message->data.result == CURLE_OK;
    for (int i = 0; i < MANY; i++)
      here += replies[i].len > LARGE;
    most = here - done > most ? here - done : most;
  }
  for (int i = 0; i < MANY; i++) {
    curl_multi_remove_handle(loop.multi, handles[i]);
    curl_easy_cleanup(handles[i]);
    free(replies[i].bytes);
  }
  say("many", done);
  say("enough", most <= ENOUGH);
}

static void take_out(void)
{
  loop_note(&loop, curl_multi_remove_handle(loop.multi, handle));
  say("messages", collect());
}

static void reset(void)
{
  curl_easy_reset(handle);
  finish();
}

static void clean_up_handle(void)
{
  curl_easy_cleanup(handle);
  handle = NULL;
  say("messages", collect());
}

static void clean_up_multi(void)
{
  loop_close(&loop);
  loop.multi = NULL;
}

static void add_again(void)
{
  say("add", curl_multi_add_handle(loop.multi, handle));
  say("perform", curl_easy_perform(handle));
  finish();
}

static void end(void)
{
  exit(0);
}

static void end_at_once(void)
{
  _exit(0);
}

static void become_another(void)
{
  execlp("true", "true", NULL);
}

/* A child has no such thread: it makes a call of its own, and may turn what is its parent's. */
static void make_child(void)
{
  for (int i = 0; i < 4; i++) {
    struct reply own = {0};
    CURL *easy;
    int tid, status, running;
    pid_t child = fork();
    if (child) {
      say("child", waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
      continue;
    }
    if (threads(&tid) > usual)
      _exit(1);
    if (i % 2)
      curl_multi_perform(loop.multi, &running);
    easy = post_new(url, other_body, &own);
    if (curl_easy_perform(easy) != CURLE_OK)
      _exit(2);
    curl_easy_cleanup(easy);
    exit(0);
  }
  finish();
}

static int taken_by;

static void on_signal(int signal)
{
  (void)signal;
  taken_by = (int)syscall(SYS_gettid);
}

static void look_at_signals(int tid)
{
  char path[64], line[128];
  unsigned long long blocked = 0;
  FILE *status;

  snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
  status = fopen(path, "r");
  while (status && fgets(line, sizeof line, status))
    sscanf(line, "SigBlk: %llx", &blocked);
  if (status)
    fclose(status);
  /* All that can be blocked, but for those that are libc's own. */
  say("blocks", (blocked | 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 3ull << 31) == ~0ull);
  signal(SIGUSR1, on_signal);
  for (int i = 0; i < 100; i++) {
    taken_by = 0;
    kill(getpid(), SIGUSR1);
    while (!taken_by)
      usleep(100);
    if (taken_by != getpid())
      say("taken by", taken_by);
  }
  finish();
  while (threads(&tid) > usual)
    usleep(10000);
  say("threads", 0);
}

/* Its loop is not turned any more: whoever follows has its answer all the same. */
static void stand_still(void)
{
  for (;;)
    pause();
}

int main(int argc, char **argv)
{
  static const struct {
    const char *name;
    void (*run)(void);
  } cases[] = {
      {"nothing", nothing},
      {"alone", alone},
      {"count", count},
      {"close-timer", close_timer},
      {"end-with-handler", end_with_handler},
      {"many", many},
      {"take-out", take_out},
      {"reset", reset},
      {"clean-up-handle", clean_up_handle},
      {"clean-up-multi", clean_up_multi},
      {"add-again", add_again},
      {"end", end},
      {"end-at-once", end_at_once},
      {"become-another", become_another},
      {"make-child", make_child},
      {"stand-still", stand_still},
  };
  int tid = 0;

  if (argc != 4 || !loop_open(&loop, argv[2])) {
    fprintf(stderr, "usage: storing CASE LOOP URL\n");
    return 2;
  }
  url = argv[3];
  large[0] = 1;
  usual = threads(&tid);
  if (!strcmp(argv[1], "end-with-handler"))
    atexit(turn_at_exit);
  handle = post_new(url, body, &reply);
  if (getenv("TIMEOUT_MS"))
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, atol(getenv("TIMEOUT_MS")));
  if (getenv("OPENS"))
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  if (getenv("NOTIFIED"))
    ask_for_notifications();
  loop_note(&loop, curl_multi_add_handle(loop.multi, handle));
  /* It counts as another call, which is put in again. */
  if (!strcmp(argv[1], "count"))
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, other_body);
  until_it_is_stored(&tid);
  if (!strcmp(argv[1], "signals"))
    look_at_signals(tid);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (!strcmp(argv[1], cases[i].name))
      cases[i].run();
  if (loop.multi && handle)
    loop_note(&loop, curl_multi_remove_handle(loop.multi, handle));
  curl_easy_cleanup(handle);
  if (loop.multi)
    loop_close(&loop);
  free(reply.bytes);
  return loop.errors != 0;
}
