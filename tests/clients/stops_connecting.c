/* SPDX-License-Identifier: MIT */
/*
 * stops_connecting URL BODY [multi]
 *
 * A POST whose program stops (SIGSTOP) when libcurl wants its socket: the call is decided, and nothing is
 * sent. A line on stdout says so before.
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

/* The message, as the app of a multi gets it. */
static CURLcode perform_in_multi(CURL *handle)
{
  CURLM *multi = curl_multi_init();
  CURLMsg *message = NULL;
  int running = 1, left;
  curl_multi_add_handle(multi, handle);
  while (running && curl_multi_perform(multi, &running) == CURLM_OK)
    curl_multi_wait(multi, NULL, 0, 1000, NULL);
  message = curl_multi_info_read(multi, &left);
  CURLcode code = message ? message->data.result : CURLE_AGAIN;
  curl_multi_remove_handle(multi, handle);
  curl_multi_cleanup(multi);
  return code;
}

int main(int argc, char **argv)
{
  struct reply reply = {0};
  int stopped = 0;
  if (argc < 3)
    return 2;
  CURL *handle = post_new(argv[1], argv[2], &reply);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &stopped);
  CURLcode code = argc > 3 ? perform_in_multi(handle) : curl_easy_perform(handle);
  reply_print("main", handle, code, &reply);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return code != CURLE_OK;
}
