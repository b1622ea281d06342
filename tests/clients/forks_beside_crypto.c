/* SPDX-License-Identifier: MIT */
/*
 * forks_beside_crypto URL CHILDREN
 *
 * Forks so many children, one after the other, while another thread uses libcrypto without a pause and so
 * holds its locks at most times. Each child makes a call over plain http, for which libcurl needs nothing of
 * libcrypto.
 */
#include "tests/clients/post.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void *(*fetch)(void *, const char *, const char *);
static void (*drop)(void *);

static void *use_crypto(void *unused)
{
  for (;;)
    drop(fetch(NULL, "none", NULL)); /* it is looked for each time */
  return unused;
}

int main(int argc, char **argv)
{
  pthread_t thread;
  int status = 0;
  char body[64];
  if (argc != 3)
    return 2;
  void *libcrypto = dlopen("libcrypto.so.3", RTLD_LAZY);
  fetch = libcrypto ? (void *(*)(void *, const char *, const char *))dlsym(libcrypto, "EVP_MD_fetch") : NULL;
  drop = libcrypto ? (void (*)(void *))dlsym(libcrypto, "EVP_MD_free") : NULL;
  if (!fetch || !drop)
    return 77;
  curl_global_init(CURL_GLOBAL_ALL);
  if (pthread_create(&thread, NULL, use_crypto, NULL))
    return 1;
  for (int i = 0; i < atoi(argv[2]) && !status; i++) {
    snprintf(body, sizeof body, "{\"child\":%d}", i % 8);
    pid_t child = fork();
    if (child == 0)
      _exit(post_once("child", argv[1], body));
    if (waitpid(child, &status, 0) != child)
      return 1;
  }
  _exit(status != 0);
}
