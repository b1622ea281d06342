/* SPDX-License-Identifier: MIT */
/*
 * forker URL BODY CHILD_BODY
 *
 * Forks in the middle of a transfer, from its write callback, and once more between two calls. Each child
 * makes a call of its own with CHILD_BODY, the second one on a copy of the parent's handle; each parent goes
 * on.
 */
#include "tests/clients/post.h"

#include <sys/wait.h>
#include <unistd.h>

struct forking {
  struct reply reply;
  const char *url, *child_body;
  pid_t child; /* 0: not forked yet */
};

static size_t fork_once_and_take(char *data, size_t size, size_t count, void *arg)
{
  struct forking *forking = arg;

  if (!forking->child) {
    forking->child = fork();
    if (!forking->child)
      _exit(post_once("child-in-callback", forking->url, forking->child_body));
  }
  return reply_take(data, size, count, &forking->reply);
}

static int wait_for(pid_t child)
{
  int status;

  return waitpid(child, &status, 0) != child || status;
}

static int in_the_middle(CURL *handle, struct forking *forking)
{
  CURLcode code;

  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, fork_once_and_take);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, forking);
  code = curl_easy_perform(handle);
  reply_print("parent-in-callback", handle, code, &forking->reply);
  return code != CURLE_OK || wait_for(forking->child);
}

/* The parent's connection is no longer ours to use; its options are. */
static int on_a_copy(CURL *handle, struct forking *forking)
{
  struct reply reply = {0};
  CURL *copy = curl_easy_duphandle(handle);
  CURLcode code;

  curl_easy_setopt(copy, CURLOPT_POSTFIELDS, forking->child_body);
  curl_easy_setopt(copy, CURLOPT_WRITEFUNCTION, reply_take);
  curl_easy_setopt(copy, CURLOPT_WRITEDATA, &reply);
  code = curl_easy_perform(copy);
  reply_print("child-between-calls", copy, code, &reply);
  return code != CURLE_OK;
}

static int between_calls(CURL *handle, struct forking *forking)
{
  struct reply reply = {0};
  pid_t child = fork();
  CURLcode code;

  if (!child)
    _exit(on_a_copy(handle, forking));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, reply_take);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &reply);
  code = curl_easy_perform(handle);
  reply_print("parent-between-calls", handle, code, &reply);
  free(reply.bytes);
  return code != CURLE_OK || wait_for(child);
}

int main(int argc, char **argv)
{
  struct forking forking = {.url = argc > 3 ? argv[1] : NULL, .child_body = argc > 3 ? argv[3] : NULL};
  CURL *handle;
  int failed;

  if (argc != 4) {
    fprintf(stderr, "usage: forker URL BODY CHILD_BODY\n");
    return 2;
  }
  handle = post_new(argv[1], argv[2], &forking.reply);
  failed = in_the_middle(handle, &forking);
  failed |= between_calls(handle, &forking);
  curl_easy_cleanup(handle);
  free(forking.reply.bytes);
  return failed;
}
