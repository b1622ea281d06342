/* SPDX-License-Identifier: MIT */
/*
 * bench hits ORIGIN NGINX_ORIGIN DIR: under the preload: hits against the limit and against nginx.
 *
 * bench transport ORIGIN NGINX_ORIGIN: under the preload with IDEMSHIM_DELIVERY=transport: the same through
 * libcurl, in the easy interface and in a multi.
 *
 * bench sampled ORIGIN: under the preload with repeats=auto: one sampled call, again and again. The first run fills the
 * store, and the second meets the answers of the same numbers.
 *
 * bench other: with or without the preload: what calls cost that are not ours.
 *
 * bench idle COUNT: with or without it: a turn of a multi in which so many calls of ours wait for their answers.
 *
 * bench upstream ORIGIN LATENCY_MS COUNT: with or without it: calls to a server that takes its time.
 *
 * bench exec PRELOAD: what exec of a program without libcurl costs, with PRELOAD and without.
 *
 * Each line is NAME<tab>nanoseconds. scripts/bench runs them and prints the table.
 */
#include "shim/libcurl/curl_compat.h"
#include "tests/bench/bench.h"

#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct calls {
  CURL *handle;
  struct curl_slist *headers;
  unsigned answers, next;
  size_t got;
  char (*requests)[REQUEST_SIZE + 1];
  char sink[2 << 20];
};

static size_t into_sink(char *data, size_t size, size_t count, void *user)
{
  struct calls *calls = user;
  size_t len = size * count;
  if (calls->got + len <= sizeof(calls->sink))
    memcpy(calls->sink + calls->got, data, len);
  calls->got += len;
  return len;
}

static void perform_calls(void *data, unsigned count)
{
  struct calls *calls = data;
  for (unsigned i = 0; i < count; i++) {
    calls->got = 0;
    curl_easy_setopt(calls->handle, CURLOPT_POSTFIELDS, calls->requests[calls->next]);
    calls->next = (calls->next + 7919) % calls->answers;
    CURLcode code = curl_easy_perform(calls->handle);
    if (code || !calls->got) {
      fprintf(stderr, "bench: %s\n", curl_easy_strerror(code));
      exit(1);
    }
  }
}

static struct calls *calls_open(const char *origin, size_t answer_size, unsigned answers)
{
  struct calls *calls = calloc(1, sizeof(*calls));
  char url[256];
  calls->answers = answers;
  calls->requests = calloc(answers, sizeof(*calls->requests));
  for (unsigned i = 0; i < answers; i++)
    make_request(calls->requests[i], i);
  snprintf(url, sizeof(url), "%s/v1/chat/completions?mock=size%%3D%zu", origin, answer_size);
  calls->handle = curl_easy_init();
  calls->headers = curl_slist_append(NULL, "Content-Type: application/json");
  calls->headers = curl_slist_append(calls->headers, "Authorization: Bearer bench-credential");
  curl_easy_setopt(calls->handle, CURLOPT_URL, url);
  curl_easy_setopt(calls->handle, CURLOPT_HTTPHEADER, calls->headers);
  curl_easy_setopt(calls->handle, CURLOPT_POSTFIELDSIZE, (long)REQUEST_SIZE);
  curl_easy_setopt(calls->handle, CURLOPT_WRITEFUNCTION, into_sink);
  curl_easy_setopt(calls->handle, CURLOPT_WRITEDATA, calls);
  perform_calls(calls, answers);
  return calls;
}

/* One call after the other, all different, to a server that takes its time. */
static int bench_upstream(const char *origin, const char *latency_ms, const char *count)
{
  char url[256], request[REQUEST_SIZE + 1];
  unsigned calls = (unsigned)strtoul(count, NULL, 10);
  snprintf(url, sizeof(url), "%s/v1/chat/completions?mock=latency_ms%%3D%s", origin, latency_ms);
  CURL *handle = curl_easy_init();
  struct calls *sink = calloc(1, sizeof(*sink));
  curl_easy_setopt(handle, CURLOPT_URL, url);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, into_sink);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, sink);
  int64_t start = clock_ns();
  for (unsigned i = 0; i < calls; i++) {
    make_request(request, i);
    sink->got = 0;
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request);
    if (curl_easy_perform(handle) || !sink->got)
      return 1;
  }
  printf("upstream\t%.1f\n", (double)(clock_ns() - start) / calls);
  return 0;
}

static void print(const struct subject *subjects, size_t count)
{
  for (size_t i = 0; i < count; i++)
    printf("%s\t%.1f\n", subjects[i].name, subjects[i].median_ns);
}

static struct limit *limit_in(const char *dir, const char *name, size_t answer_size, unsigned answers)
{
  char path[512], command[600];
  snprintf(path, sizeof(path), "%s/%s", dir, name);
  snprintf(command, sizeof(command), "mkdir -p '%s'", path);
  if (system(command))
    exit(1);
  return limit_open(path, answer_size, answers);
}

static int bench_hits(const char *origin, const char *nginx, const char *dir)
{
  static const size_t sizes[] = {2048, 65536, 1048576};
  static const char *const names[][3] = {{"limit 2 KB", "hit 2 KB", "nginx 2 KB"},
                                         {"limit 64 KB", "hit 64 KB", "nginx 64 KB"},
                                         {"limit 1 MB", "hit 1 MB", "nginx 1 MB"}};
  struct subject rows[9];
  for (size_t i = 0; i < 3; i++) {
    unsigned count = sizes[i] > 100000 ? 100 : 1000;
    rows[i * 3] = (struct subject){names[i][0], limit_run, limit_in(dir, names[i][0], sizes[i], 1), count, 0};
    rows[i * 3 + 1] = (struct subject){names[i][1], perform_calls, calls_open(origin, sizes[i], 1), count, 0};
    rows[i * 3 + 2] =
        (struct subject){names[i][2], perform_calls, calls_open(nginx, sizes[i], 1), count / 10, 0};
  }
  measure(rows, 9, 31);
  print(rows, 9);
  return 0;
}

/* A handle's call in a multi, from its adding to its removal. */
static CURLcode run_in_multi(CURLM *multi, CURL *handle)
{
  int running = 1, left;
  CURLMsg *message;
  curl_multi_add_handle(multi, handle);
  while (running && curl_multi_perform(multi, &running) == CURLM_OK)
    if (running)
      curl_multi_poll(multi, NULL, 0, 1000, NULL);
  message = curl_multi_info_read(multi, &left);
  CURLcode code = message ? message->data.result : CURLE_FAILED_INIT;
  curl_multi_remove_handle(multi, handle);
  return code;
}

static void perform_in_multi(void *data, unsigned count)
{
  struct calls *calls = data;
  CURLM *multi = curl_multi_init();
  for (unsigned i = 0; i < count; i++) {
    calls->got = 0;
    if (run_in_multi(multi, calls->handle) || !calls->got) {
      fprintf(stderr, "bench: a call in a multi failed\n");
      exit(1);
    }
  }
  curl_multi_cleanup(multi);
}

static int bench_transport(const char *origin, const char *nginx)
{
  struct subject rows[] = {
      {"transport 2 KB", perform_calls, calls_open(origin, 2048, 1), 500, 0},
      {"nginx 2 KB", perform_calls, calls_open(nginx, 2048, 1), 500, 0},
      {"multi 2 KB", perform_in_multi, calls_open(origin, 2048, 1), 500, 0},
      {"nginx in multi 2 KB", perform_in_multi, calls_open(nginx, 2048, 1), 500, 0},
      {"transport 64 KB", perform_calls, calls_open(origin, 65536, 1), 200, 0},
      {"nginx 64 KB", perform_calls, calls_open(nginx, 65536, 1), 200, 0},
  };
  measure(rows, sizeof(rows) / sizeof(*rows), 31);
  print(rows, sizeof(rows) / sizeof(*rows));
  return 0;
}

static int bench_sampled(const char *origin)
{
  request_temperature = '1';
  struct subject row = {"sampled 2 KB", perform_calls, calls_open(origin, 2048, 1), 100, 0};
  measure(&row, 1, 31);
  print(&row, 1);
  return 0;
}

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

/* Without a URL libcurl runs its loop, and gives up before the kernel's part of a transfer, whose time varies
 * by more than we add. */
static int bench_other(void)
{
  CURL *handle = curl_easy_init();
  CURL **handles = calloc(HANDLES, sizeof(CURL *));
  for (unsigned i = 0; handles && i < HANDLES; i++)
    handles[i] = curl_easy_init();
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  struct subject rows[] = {
      {"setopt", set_option, handle, 100000, 0},
      {"perform", perform_elsewhere, handle, 10000, 0},
      {"setopt in turn", set_option_in_turn, handles, HANDLES, 0},
  };
  measure(rows, 3, 31);
  print(rows, 3);
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

/* A listener that accepts nobody: the kernel takes the connections and the requests, and nothing is answered. Our
 * configuration is read when the first handle is made, so its port can be one of ours until then. */
static int listen_in_vain(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  char hosts[32];
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096) ||
      getsockname(fd, (struct sockaddr *)&address, &size))
    exit(1);
  snprintf(hosts, sizeof(hosts), "127.0.0.1:%u", ntohs(address.sin_port));
  setenv("IDEMSHIM_HOSTS", hosts, 1);
  return ntohs(address.sin_port);
}

static int bench_idle(const char *count)
{
  struct rlimit files;
  struct idle idle = {.fd = -1};
  struct subject rows[] = {{"idle", turn, &idle, 1000, 0}};
  char url[64];
  int port = listen_in_vain(), running;
  idle.multi = curl_multi_init();
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/chat/completions", port);
  curl_multi_setopt(idle.multi, CURLMOPT_SOCKETFUNCTION, note_socket);
  curl_multi_setopt(idle.multi, CURLMOPT_SOCKETDATA, &idle);
  for (unsigned i = 0; i < strtoul(count, NULL, 10); i++) {
    CURL *handle = curl_easy_init();
    char request[REQUEST_SIZE + 1];
    make_request(request, i);
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, request);
    curl_multi_add_handle(idle.multi, handle);
  }
  for (int i = 0; i < 50; i++) {
    curl_multi_socket_all(idle.multi, &running);
    usleep(5000);
  }
  if (idle.fd < 0)
    return 1;
  measure(rows, 1, 31);
  print(rows, 1);
  fflush(stdout);
  _exit(0); /* nobody waits for the calls */
}

struct program {
  char **environment;
};

static void run_program(void *data, unsigned count)
{
  const struct program *program = data;
  for (unsigned i = 0; i < count; i++) {
    char name[] = "/bin/true", *arguments[] = {name, NULL};
    pid_t child;
    int status;
    if (posix_spawn(&child, name, NULL, NULL, arguments, program->environment) ||
        waitpid(child, &status, 0) < 0)
      exit(1);
  }
}

static int bench_exec(char *preload)
{
  char variable[4200];
  snprintf(variable, sizeof(variable), "LD_PRELOAD=%s", preload);
  char path[] = "PATH=/usr/bin:/bin", nothing[] = "LD_NOTHING=1";
  char *with[] = {path, variable, NULL}, *without[] = {path, nothing, NULL};
  struct program preloaded = {with}, plain = {without};
  struct subject rows[] = {
      {"exec", run_program, &plain, 20, 0},
      {"exec preloaded", run_program, &preloaded, 20, 0},
  };
  measure(rows, 2, 51);
  print(rows, 2);
  return 0;
}

int main(int argc, char **argv)
{
  const char *what = argc > 1 ? argv[1] : "";
  curl_global_init(CURL_GLOBAL_ALL);
  if (strcmp(what, "hits") == 0 && argc == 5)
    return bench_hits(argv[2], argv[3], argv[4]);
  if (strcmp(what, "upstream") == 0 && argc == 5)
    return bench_upstream(argv[2], argv[3], argv[4]);
  if (strcmp(what, "transport") == 0 && argc == 4)
    return bench_transport(argv[2], argv[3]);
  if (strcmp(what, "sampled") == 0 && argc == 3)
    return bench_sampled(argv[2]);
  if (strcmp(what, "other") == 0)
    return bench_other();
  if (strcmp(what, "idle") == 0 && argc == 3)
    return bench_idle(argv[2]);
  if (strcmp(what, "exec") == 0 && argc == 3)
    return bench_exec(argv[2]);
  fprintf(stderr, "bench: hits ORIGIN NGINX_ORIGIN DIR | transport ORIGIN NGINX_ORIGIN | sampled ORIGIN | "
                  "other | idle COUNT | "
                  "upstream ORIGIN LATENCY_MS COUNT | exec PRELOAD; "
                  "scripts/bench runs them\n");
  return 2;
}
