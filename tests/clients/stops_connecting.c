/* SPDX-License-Identifier: MIT */
/*
 * stops_connecting URL BODY
 *
 * A POST whose program stops (SIGSTOP) when libcurl wants its socket: the call is decided, and nothing is sent. A line on
 * stdout says so before.
 */
#include "tests/clients/post.h"

#include <signal.h>
#include <sys/socket.h>

static curl_socket_t open_socket(void *stopped, curlsocktype purpose, struct curl_sockaddr *address)
{
  (void)purpose;
  if (!*(int *)stopped) {
    *(int *)stopped = 1;
    puts("stops");
    fflush(stdout);
    raise(SIGSTOP);
  }
  return socket(address->family, address->socktype, address->protocol);
}

int main(int argc, char **argv)
{
  struct reply reply = {0};
  int stopped = 0;
  if (argc != 3)
    return 2;
  CURL *handle = post_new(argv[1], argv[2], &reply);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &stopped);
  CURLcode code = curl_easy_perform(handle);
  reply_print("main", handle, code, &reply);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return code != CURLE_OK;
}
