/* SPDX-License-Identifier: MIT */
/*
 * many_threads PROCESSES THREADS URL BODY [DIR PLACES]
 *
 * In each of so many processes so many threads make the same call at the same moment, and none of them ends
 * before all have their answers. With DIR this process has the store there open meanwhile, before all others
 * and with PLACES for readers. Prints a line for each process: how many calls succeeded with a body. Exits
 * with 77 where so many threads cannot be had.
 */
#include "tests/clients/post.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK = 256 << 10, CANNOT = 77 };

static pthread_barrier_t *all; /* the threads of all processes */
static const char *url, *body;
static _Atomic unsigned answered;

static void *call(void *arg)
{
  struct reply reply = {0};
  CURL *handle = post_new(url, body, &reply);

  pthread_barrier_wait(all);
  CURLcode code = handle ? curl_easy_perform(handle) : CURLE_OUT_OF_MEMORY;
  answered += code == CURLE_OK && reply.len > 0;
  pthread_barrier_wait(all);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return arg;
}

static void run(unsigned threads)
{
  pthread_t *thread = calloc(threads, sizeof *thread);
  pthread_attr_t attributes;

  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK);
  curl_global_init(CURL_GLOBAL_ALL);
  for (unsigned i = 0; i < threads; i++)
    if (!thread || pthread_create(&thread[i], &attributes, call, NULL))
      _exit(CANNOT);
  for (unsigned i = 0; i < threads; i++)
    pthread_join(thread[i], NULL);
  printf("answered=%u\n", answered);
  fflush(stdout);
  free(thread);
}

/* By LMDB itself, whose calls are these. Who comes later has as many places as whoever came first. */
static bool open_store(const char *dir, unsigned places)
{
  void *lmdb = dlopen("liblmdb.so.0", RTLD_NOW | RTLD_LOCAL), *env = NULL;
  int (*create)(void **) = lmdb ? (int (*)(void **))dlsym(lmdb, "mdb_env_create") : NULL;
  int (*set_maxreaders)(void *, unsigned) =
      lmdb ? (int (*)(void *, unsigned))dlsym(lmdb, "mdb_env_set_maxreaders") : NULL;
  int (*open_env)(void *, const char *, unsigned, mode_t) =
      lmdb ? (int (*)(void *, const char *, unsigned, mode_t))dlsym(lmdb, "mdb_env_open") : NULL;
  return create && set_maxreaders && open_env && create(&env) == 0 && set_maxreaders(env, places) == 0 &&
         open_env(env, dir, 0, 0600) == 0;
}

int main(int argc, char **argv)
{
  bool fits = argc == 5 || argc == 7;
  unsigned processes = fits ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
  unsigned threads = fits ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
  pthread_barrierattr_t shared;
  unsigned made;
  int status, failed;
  pid_t child[64];

  if (!processes || processes > 64 || !threads) {
    fprintf(stderr, "usage: many_threads PROCESSES THREADS URL BODY [DIR PLACES]\n");
    return 2;
  }
  if (argc == 7 && !open_store(argv[5], (unsigned)strtoul(argv[6], NULL, 10))) {
    fprintf(stderr, "many_threads: %s cannot be opened\n", argv[5]);
    return 2;
  }
  url = argv[3];
  body = argv[4];
  all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_barrierattr_init(&shared);
  pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  if (all == MAP_FAILED || pthread_barrier_init(all, &shared, processes * threads))
    return CANNOT;
  for (made = 0; made < processes && (child[made] = fork()) >= 0; made++)
    if (child[made] == 0) {
      run(threads);
      _exit(0);
    }
  failed = made < processes ? CANNOT : 0;
  for (unsigned left = made; left > 0; left--) {
    /* Those whose others are not there would wait at the barrier for ever. */
    for (unsigned i = 0; failed == CANNOT && i < made; i++)
      kill(child[i], SIGKILL);
    pid_t ended = wait(&status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
      failed = CANNOT;
    else if (status != 0 && !failed)
      failed = 1;
    for (unsigned i = 0; i < made; i++)
      if (child[i] == ended)
        child[i] = child[--made];
  }
  return failed;
}
