/* SPDX-License-Identifier: MIT */
/*
 * curlu_parts: URL handles (CURLOPT_CURLU) whose parts were set one by one, some of which no text could say.
 *
 * Each is asked twice. Prints the request line of the first call, which nobody has asked before, and for both
 * the result and the effective URL.
 */
#include "tests/clients/local_server.h"
#include "tests/clients/post.h"

static const struct {
  CURLUPart part;
  const char *value;
  unsigned flags;
  const char *query, *password; /* set besides, or NULL */
} cases[] = {
    {CURLUPART_QUERY, "q=a", 0, NULL, NULL},
    {CURLUPART_QUERY, "q=a b", CURLU_URLENCODE, NULL, NULL},
    {CURLUPART_HOST, "127.0.0.1", CURLU_NON_SUPPORT_SCHEME, "n=1", NULL},
    /* What comes next goes out in another way than its text says. */
    {CURLUPART_QUERY, "q=a#b", 0, NULL, NULL},
    {CURLUPART_QUERY, "q=a#c", 0, NULL, NULL},
    {CURLUPART_QUERY, "q=a  b", 0, NULL, NULL},
    {CURLUPART_PATH, "/v1/x", 0, "y=1", NULL},
    {CURLUPART_PATH, "/v1/x?y=1", 0, NULL, NULL},
    {CURLUPART_PATH, "/v1/x/../z", 0, NULL, NULL},
    /* A text with these would be cut at another place, but whose they are is certain. */
    {CURLUPART_USER, "of/another", 0, "n=2", NULL},
    {CURLUPART_USER, "me", 0, "n=2", "p@ss"},
    {CURLUPART_USER, "me", 0, "n=2", "p@s#?/s"},
    /* And here it is not where the password begins. */
    {CURLUPART_USER, "me:p", 0, "n=2", "@s"},
};

int main(void)
{
  char name[32], url[64];

  snprintf(name, sizeof name, "curlu-parts-%d", (int)getpid());
  if (!server_start(name))
    return 2;
  snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/chat/completions", server.port);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CURLU *parts = curl_url();
    bool set = !curl_url_set(parts, CURLUPART_URL, url, 0) &&
               !curl_url_set(parts, cases[i].part, cases[i].value, cases[i].flags) &&
               (!cases[i].password || !curl_url_set(parts, CURLUPART_PASSWORD, cases[i].password, 0)) &&
               (!cases[i].query || !curl_url_set(parts, CURLUPART_QUERY, cases[i].query, 0));

    snprintf(server.request, sizeof server.request, "nothing was sent\r");
    for (int n = 0; set && n < 2; n++) {
      struct reply reply = {0};
      CURL *handle = post_new(NULL, "{}", &reply);
      char *effective = NULL;

      curl_easy_setopt(handle, CURLOPT_CURLU, parts);
      CURLcode code = curl_easy_perform(handle);
      reply_print(n ? "again" : cases[i].value, handle, code, &reply);
      curl_easy_getinfo(handle, CURLINFO_EFFECTIVE_URL, &effective);
      effective = effective ? strstr(effective, "/v1/") : NULL; /* the port is another each time */
      printf("%s\n%.*s\n", effective ? effective : "none", (int)strcspn(server.request, "\r"),
             server.request);
      curl_easy_cleanup(handle);
      free(reply.bytes);
    }
    curl_url_cleanup(parts);
  }
  return 0;
}
