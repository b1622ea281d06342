/* SPDX-License-Identifier: MIT */
/*
 * descriptor_limit HOW URL [FIRST LAST]
 *
 * May have few descriptors: makes one call (HOW is easy), or eight at once in a multi (multi), and says how
 * each ended. For each limit from FIRST to LAST in a process of its own.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <sys/resource.h>
#include <sys/wait.h>

enum { CALLS = 8 };

static char bodies[CALLS][64];

static int run_multi(const char *url)
{
  struct reply replies[CALLS] = {{0}};
  CURL *handles[CALLS];
  CURLMsg *message;
  struct loop loop;
  int left;

  if (!loop_open(&loop, "poll")) {
    puts("no multi");
    return 0;
  }
  for (int i = 0; i < CALLS; i++) {
    handles[i] = post_new(url, bodies[i], &replies[i]);
    curl_multi_add_handle(loop.multi, handles[i]);
  }
  while (loop.running)
    loop_step(&loop, 1000);
  while ((message = curl_multi_info_read(loop.multi, &left)))
    reply_print("done", message->easy_handle, message->data.result, &(struct reply){0});
  for (int i = 0; i < CALLS; i++) {
    curl_multi_remove_handle(loop.multi, handles[i]);
    reply_print(bodies[i], handles[i], CURLE_OK, &replies[i]);
    curl_easy_cleanup(handles[i]);
    free(replies[i].bytes);
  }
  loop_close(&loop);
  return 0;
}

static int run(const char *how, const char *url, int most)
{
  struct rlimit limit = {(rlim_t)most, (rlim_t)most};

  for (int i = 0; i < CALLS; i++)
    snprintf(bodies[i], sizeof bodies[i], "{\"limit\":%d,\"call\":%d,\"how\":\"%s\"}", most, i, how);
  printf("limit %d\n", most);
  fflush(stdout);
  if (setrlimit(RLIMIT_NOFILE, &limit))
    return 2;
  if (strcmp(how, "multi") == 0)
    return run_multi(url);
  post_once("easy", url, bodies[0]);
  return 0;
}

int main(int argc, char **argv)
{
  if (argc != 5)
    return 2;
  curl_global_init(CURL_GLOBAL_ALL);
  for (int most = atoi(argv[3]); most <= atoi(argv[4]); most++) {
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
      _exit(run(argv[1], argv[2], most));
    if (waitpid(pid, &status, 0) != pid || status)
      printf("limit %d: ended with %d\n", most, status);
  }
  return 0;
}
