/* SPDX-License-Identifier: MIT */
/* With the preload or without it: what those pay whose calls are not ours, and those who have many. */
#include "tests/bench/bench.h"
#include "tests/bench/calls.h"

#include <netinet/in.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void set_option(void *handle, unsigned count)
{
  for (unsigned i = 0; i < count; i++)
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)i);
}

enum { HANDLES = 50000 };

static void set_option_in_turn(void *handles, unsigned count)
{
  for (unsigned i = 0; i < count; i++)
    curl_easy_setopt(((CURL **)handles)[i % HANDLES], CURLOPT_TIMEOUT_MS, (long)i);
}

static void perform_elsewhere(void *handle, unsigned count)
{
  for (unsigned i = 0; i < count; i++)
    curl_easy_perform(handle);
}

/* other: without a URL libcurl runs its loop, and gives up before the kernel's part of a transfer, whose time
 * varies by more than we add. */
int bench_other(char **arguments)
{
  CURL *handle = curl_easy_init();
  CURL **handles = calloc(HANDLES, sizeof(CURL *));
  (void)arguments;
  must(handle && handles, "handles");
  for (unsigned i = 0; i < HANDLES; i++)
    handles[i] = curl_easy_init();
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  struct subject rows[] = {
      {"setopt", set_option, handle, 100000, 0},
      {"perform", perform_elsewhere, handle, 10000, 0},
      {"setopt in turn", set_option_in_turn, handles, HANDLES, 0},
  };
  measure(rows, sizeof(rows) / sizeof(*rows));
  print_subjects(rows, sizeof(rows) / sizeof(*rows));
  return 0;
}

struct idle {
  CURLM *multi;
  curl_socket_t fd; /* of one of the calls */
};

static int note_socket(CURL *handle, curl_socket_t fd, int what, void *user, void *of_socket)
{
  (void)handle;
  (void)of_socket;
  if (what != CURL_POLL_REMOVE)
    ((struct idle *)user)->fd = fd;
  return 0;
}

/* libcurl looks at the one transfer, and finds that nothing has come. */
static void turn(void *data, unsigned count)
{
  const struct idle *idle = data;
  int running;
  for (unsigned i = 0; i < count; i++)
    curl_multi_socket_action(idle->multi, idle->fd, CURL_CSELECT_IN, &running);
}

/* A listener that accepts nobody: the kernel takes the connections and the requests, and nothing is answered.
 * Our configuration is read when the first handle is made, so its port can be one of ours until then. */
static int listen_in_vain(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  char hosts[32];
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 4096) == 0 &&
           getsockname(fd, (struct sockaddr *)&address, &size) == 0,
       "listening");
  snprintf(hosts, sizeof(hosts), "127.0.0.1:%u", ntohs(address.sin_port));
  setenv("IDEMSHIM_HOSTS", hosts, 1);
  return ntohs(address.sin_port);
}

/* idle COUNT: a turn of a multi in which so many calls of ours wait for their answers. */
int bench_idle(char **arguments)
{
  struct rlimit files;
  struct idle idle = {.fd = -1};
  struct subject rows[] = {{"idle", turn, &idle, 1000, 0}};
  unsigned long count = strtoul(arguments[0], NULL, 10);
  char origin[64];
  int running;
  snprintf(origin, sizeof(origin), "http://127.0.0.1:%d", listen_in_vain());
  idle.multi = curl_multi_init();
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  curl_multi_setopt(idle.multi, CURLMOPT_SOCKETFUNCTION, note_socket);
  curl_multi_setopt(idle.multi, CURLMOPT_SOCKETDATA, &idle);
  for (unsigned long i = 0; i < count; i++) {
    struct calls *calls = calls_open(origin, "", 1, CALLS_COMMON);
    calls_number(calls, i);
    curl_multi_add_handle(idle.multi, calls->handle);
  }
  for (int i = 0; i < 50; i++) {
    curl_multi_socket_all(idle.multi, &running);
    usleep(5000);
  }
  must(idle.fd >= 0, "a connection");
  measure(rows, 1);
  print_subjects(rows, 1);
  fflush(stdout);
  _exit(0); /* nobody waits for the calls */
}

static void run_program(void *environment, unsigned count)
{
  for (unsigned i = 0; i < count; i++) {
    char name[] = "/bin/true", *arguments[] = {name, NULL};
    pid_t child;
    int status;
    must(posix_spawn(&child, name, NULL, NULL, arguments, environment) == 0 &&
             waitpid(child, &status, 0) == child && status == 0,
         "/bin/true");
  }
}

/* exec PRELOAD EMPTY: a program without libcurl, with each of the two objects and without one. */
int bench_exec(char **arguments)
{
  char ours[4200], empty[4200], path[] = "PATH=/usr/bin:/bin", nothing[] = "LD_NOTHING=1";
  snprintf(ours, sizeof(ours), "LD_PRELOAD=%s", arguments[0]);
  snprintf(empty, sizeof(empty), "LD_PRELOAD=%s", arguments[1]);
  char *with_ours[] = {path, ours, NULL}, *with_empty[] = {path, empty, NULL},
       *without[] = {path, nothing, NULL};
  struct subject rows[] = {{"without", run_program, without, 20, 0},
                           {"empty", run_program, with_empty, 20, 0},
                           {"ours", run_program, with_ours, 20, 0}};
  measure(rows, 3);
  print_subjects(rows, 3);
  return 0;
}

/* What the process has for itself: neither files nor the store's map. */
static double own_bytes(void)
{
  char line[256];
  long kib = -1;
  FILE *status = fopen("/proc/self/status", "re");
  must(status != NULL, "/proc/self/status");
  while (fgets(line, sizeof(line), status))
    sscanf(line, "RssAnon: %ld kB", &kib);
  fclose(status);
  must(kib >= 0, "RssAnon");
  return (double)kib * 1024;
}

/* memory UPSTREAM: "process": bytes of a process with a thousand hits and as many live calls behind it;
 * "transfer": how many it has grown by for each of 5,000 live calls after that; "handle": for each of 20,000
 * handles that are ready for a call. */
int bench_memory(char **arguments)
{
  unsigned calls_made = share_of(5000), handles = share_of(20000);
  struct calls *calls = calls_open(arguments[0], "size=2048", 1, CALLS_COMMON);
  uint64_t number = request_fresh();
  perform_calls(calls, share_of(1000));
  for (unsigned i = 0; i < share_of(1000); i++)
    must(calls_perform(calls, number++) == CURLE_OK, "a call");
  double before = own_bytes();
  print_figure("process", before);
  for (unsigned i = 0; i < calls_made; i++)
    must(calls_perform(calls, number++) == CURLE_OK, "a call");
  double after = own_bytes();
  print_figure("transfer", (after - before) / calls_made);
  for (unsigned i = 0; i < handles; i++) {
    CURL *handle = curl_easy_init();
    curl_easy_setopt(handle, CURLOPT_URL, "http://127.0.0.1:1/v1/chat/completions");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, calls->headers);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, calls->request);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, calls);
  }
  print_figure("handle", (own_bytes() - after) / handles);
  return 0;
}

/* count hit|live|stream|setopt|other ORIGIN COUNT: does it so often, for a tool that counts instructions:
 * those of COUNT are the difference of two runs. */
int bench_count(char **arguments)
{
  const char *what = arguments[0];
  unsigned count = (unsigned)strtoul(arguments[2], NULL, 10);
  bool stream = strcmp(what, "stream") == 0, live = stream || strcmp(what, "live") == 0;
  struct calls *calls = stream ? calls_open(arguments[1], "stream=200", 1, CALLS_STREAM)
                               : calls_open(arguments[1], "size=2048", 1, CALLS_COMMON);
  if (strcmp(what, "setopt") == 0) {
    set_option(calls->handle, count);
  } else if (strcmp(what, "other") == 0) {
    perform_elsewhere(curl_easy_init(), count);
  } else {
    uint64_t number = live ? request_fresh() : 0;
    perform_calls(calls, 1);
    for (unsigned i = 0; i < count; i++)
      must(calls_perform(calls, live ? number++ : 0) == CURLE_OK, "a call");
  }
  return 0;
}
