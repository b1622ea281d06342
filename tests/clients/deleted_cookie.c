/* SPDX-License-Identifier: MIT */
/*
 * deleted_cookie FILE...: the server deletes a cookie that came from a file; which cookies go along with that
 * call and with the two after it?
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

int main(int argc, char **argv)
{
  struct reply reply = {0};
  char name[32], url[64];

  snprintf(name, sizeof name, "deleted-cookie-%d", (int)getpid());
  if (!server_start(name))
    return 2;
  snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/chat/completions", server.port);
  CURL *handle = post_new(url, "{}", &reply);
  for (int i = 1; i < argc; i++)
    curl_easy_setopt(handle, CURLOPT_COOKIEFILE, argv[i]);
  for (int i = 0; i < 3; i++) {
    char body[16];

    snprintf(body, sizeof body, "{\"n\":%d}", i);
    curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, body);
    server.header = i ? NULL : "Set-Cookie: session=gone; path=/; Max-Age=0\r\n";
    reply_print(body, handle, curl_easy_perform(handle), &reply);
    print_cookies(server.request);
  }
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return 0;
}
