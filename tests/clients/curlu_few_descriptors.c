/* SPDX-License-Identifier: MIT */
/*
 * curlu_few_descriptors URL FREE
 *
 * Makes two calls in a multi, one after the other, whose URL is in a handle of libcurl's URL API, and says
 * what came back and how many sockets libcurl has asked for. With FREE 0 no descriptor is free when the first
 * is added; one is, when libcurl asks for its socket.
 */
#include "tests/clients/drive.h"
#include "tests/clients/post.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int fillers[256], filled, asked;

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
  (void)user;
  (void)purpose;
  asked++;
  if (filled)
    close(fillers[--filled]);
  return socket(address->family, address->socktype, address->protocol);
}

int main(int argc, char **argv)
{
  struct reply reply = {0};
  CURLU *url = curl_url();

  if (argc != 3 || curl_url_set(url, CURLUPART_URL, argv[1], 0) ||
      setrlimit(RLIMIT_NOFILE, &(struct rlimit){256, 256}))
    return 2;
  CURLM *multi = curl_multi_init();
  CURL *handle = post_new(NULL, "{}", &reply);
  curl_easy_setopt(handle, CURLOPT_CURLU, url);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(handle, CURLOPT_FORBID_REUSE, 1L);
  while (atoi(argv[2]) == 0 && (fillers[filled] = open("/dev/null", O_RDONLY)) >= 0)
    filled++;
  reply_print("first", handle, drive(handle, multi), &reply);
  while (filled)
    close(fillers[--filled]);
  reply.len = 0;
  reply_print("second", handle, drive(handle, multi), &reply);
  printf("sockets %d\n", asked);
  curl_multi_cleanup(multi);
  curl_easy_cleanup(handle);
  curl_url_cleanup(url);
  free(reply.bytes);
  return 0;
}
