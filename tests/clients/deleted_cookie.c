/* SPDX-License-Identifier: MIT */
/*
 * deleted_cookie HOW FILE...: the server deletes cookies that came from a file: HOW is `one`, `two`, or
 * `late` for two that expire before the next call. Which cookies go along with that call and with the two
 * after it?
 *
 * All three ask the same server on one handle, for which libcurl loads the cookie files each time. Prints the
 * Cookie line of each request.
 */
#include "tests/clients/local_server.h"
#include "tests/clients/post.h"

static void print_cookies(const char *request)
{
  const char *line = strcasestr(request, "\r\nCookie:");
  printf("%.*s\n", line ? (int)strcspn(line + 2, "\r") : 4, line ? line + 2 : "none");
}

#define DELETE(name, age) "Set-Cookie: " name "=gone; path=/; Max-Age=" age "\r\n"

int main(int argc, char **argv)
{
  bool late = argc > 1 && strcmp(argv[1], "late") == 0;
  const char *header = late                                      ? DELETE("session", "1") DELETE("user", "1")
                       : argc > 1 && strcmp(argv[1], "two") == 0 ? DELETE("session", "0") DELETE("user", "0")
                                                                 : DELETE("session", "0");
  struct reply reply = {0};
  char name[32], url[64];

  snprintf(name, sizeof name, "deleted-cookie-%d", (int)getpid());
  if (argc < 2 || !server_start(name))
    return 2;
  snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/chat/completions", server.port);
  CURL *handle = post_new(url, "{}", &reply);
  for (int i = 2; i < argc; i++)
    curl_easy_setopt(handle, CURLOPT_COOKIEFILE, argv[i]);
  for (int i = 0; i < 3; i++) {
    char body[16];

    snprintf(body, sizeof body, "{\"n\":%d}", i);
    curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, body);
    server.header = i ? NULL : header;
    reply_print(body, handle, curl_easy_perform(handle), &reply);
    print_cookies(server.request);
    for (time_t start = time(NULL); late && i == 0 && time(NULL) <= start + 1;)
      usleep(10000);
  }
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return 0;
}
