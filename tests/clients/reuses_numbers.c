/* SPDX-License-Identifier: MIT */
/*
 * reuses_numbers WHEN URL BODY
 *
 * Makes a call, and closes what has been opened since a moment that it knows of: files of its own have the
 * numbers afterwards, which it looks at in the end. WHEN is sent, in a progress callback, what is newer than
 * the call's socket; or added, what is newer than the call's place in a multi that has not been turned yet.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { LAST = 100 };

static bool known[LAST], taken[LAST];

static void learn(void)
{
  for (int fd = 0; fd < LAST; fd++)
    known[fd] = fcntl(fd, F_GETFD) >= 0;
}

static void take_what_is_new(void)
{
  for (int fd = 0; fd < LAST; fd++)
    if (!known[fd] && !taken[fd] && fcntl(fd, F_GETFD) >= 0) {
      int file = memfd_create("app", MFD_CLOEXEC);
      taken[fd] = file >= 0 && (file == fd || dup2(file, fd) == fd);
      if (file != fd)
        close(file);
    }
}

static int count_taken(void)
{
  struct stat status;
  int count = 0;

  for (int fd = 0; fd < LAST; fd++)
    if (taken[fd]) {
      if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_size || lseek(fd, 0, SEEK_CUR))
        printf("%d was touched\n", fd);
      count++;
    }
  return count;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

  (void)arg;
  (void)purpose;
  learn();
  return fd;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
  (void)arg;
  (void)down_total;
  (void)down;
  (void)up_total;
  if (up > 0)
    take_what_is_new();
  return 0;
}

static CURLcode perform_in_multi(CURL *handle)
{
  struct loop loop;
  int left;

  if (!loop_open(&loop, "poll"))
    return CURLE_FAILED_INIT;
  learn();
  curl_multi_add_handle(loop.multi, handle);
  take_what_is_new();
  while (loop.running)
    loop_step(&loop, 1000);
  CURLMsg *message = curl_multi_info_read(loop.multi, &left);
  CURLcode code = message ? message->data.result : CURLE_FAILED_INIT;
  curl_multi_remove_handle(loop.multi, handle);
  loop_close(&loop);
  return code;
}

int main(int argc, char **argv)
{
  struct reply reply = {0};

  if (argc != 4)
    return 2;
  bool added = strcmp(argv[1], "added") == 0;
  if (added)
    post_once("before", argv[2], "{\"before\":true}");
  CURL *handle = post_new(argv[2], argv[3], &reply);
  if (!added) {
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  }
  CURLcode code = added ? perform_in_multi(handle) : curl_easy_perform(handle);
  reply_print("call", handle, code, &reply);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  printf("taken=%d\n", count_taken());
  return code != CURLE_OK;
}
