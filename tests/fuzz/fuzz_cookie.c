/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as cookies, in libcurl's own engine: lines of an answer and of a jar, then the answer that is
 * given again. What is said to be sent has a name and a value a line; what is mended was there before, and
 * only its Secure changes.
 */
#include "shim/request/cookies.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct libcurl lib = {.easy_setopt = curl_easy_setopt,
                                   .easy_getinfo = curl_easy_getinfo,
                                   .slist_free_all = curl_slist_free_all,
                                   .version = LIBCURL_VERSION_NUM};

static void require(bool holds)
{
  if (!holds)
    abort();
}

static struct curl_slist *jar_of(CURL *handle)
{
  struct curl_slist *jar = NULL;
  curl_easy_getinfo(handle, CURLINFO_COOKIELIST, &jar);
  return jar;
}

/* Domain, tail match and path; then Secure; then the rest. */
static const char *secure_of(const char *line)
{
  for (int i = 0; i < 3; i++)
    line = strchr(line, '\t') + 1;
  return line;
}

static bool has(const struct curl_slist *jar, const char *wanted)
{
  for (; jar; jar = jar->next) {
    const char *at = secure_of(jar->data), *other = secure_of(wanted);
    if (at - jar->data == other - wanted && memcmp(jar->data, wanted, (size_t)(at - jar->data)) == 0 &&
        strcmp(strchr(at, '\t'), strchr(other, '\t')) == 0)
      return true;
  }
  return false;
}

static size_t count(const struct curl_slist *jar)
{
  size_t count = 0;
  for (; jar; jar = jar->next)
    count++;
  return count;
}

static void mend(const struct shadow *shadow, struct idem_span headers)
{
  struct curl_slist *before = jar_of(shadow->handle);
  (void)cookies_refuse(shadow, headers, false);
  cookies_mend(shadow, NULL, headers);
  struct curl_slist *after = jar_of(shadow->handle);
  require(count(after) == count(before));
  for (const struct curl_slist *line = before; line; line = line->next)
    require(has(after, line->data));
  curl_slist_free_all(before);
  curl_slist_free_all(after);
}

static void send_all(const struct shadow *shadow, const char *option)
{
  struct buffer text = {0};
  const char *reason = cookies_sent(shadow, NULL, option, &text);
  require(reason || !text.len || text.data[text.len - 1] == '\n');
  buffer_release(&text);
}

/* Cut at NUL bytes: the option, the answer's header, and lines for the engine. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static char url[] = "https://a.example:443/v1/x";
  char *copy = malloc(size + 3), *at = copy;
  CURL *handle = curl_easy_init();
  require(copy && handle);
  memcpy(copy, data, size);
  memset(copy + size, 0, 3);
  char *option = at, *headers = at += strlen(at) + 1;
  struct shadow shadow = {
      .handle = handle,
      .lib = &lib,
      .url = {url, sizeof(url), sizeof(url)},
      .parts = {.host = 8, .host_len = 9, .path = 21, .path_len = 5, .port = 443, .https = true},
      .cookie_engine = true};
  curl_easy_setopt(handle, CURLOPT_COOKIEFILE, "");
  curl_easy_setopt(handle, CURLOPT_URL, url);
  for (at += at < copy + size ? strlen(at) + 1 : 0; at < copy + size; at += strlen(at) + 1)
    curl_easy_setopt(handle, CURLOPT_COOKIELIST, at);
  send_all(&shadow, *option ? option : NULL);
  mend(&shadow, (struct idem_span){headers, strlen(headers)});
  curl_easy_cleanup(handle);
  free(copy);
  return 0;
}
