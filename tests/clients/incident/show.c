/* SPDX-License-Identifier: MIT */
#include "tests/clients/incident/incident.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#pragma weak curl_easy_nextheader /* libcurl has had it since 7.83 */

/* FNV-1a: enough to tell bytes apart. */
static uint32_t sum(const struct show *show, const char *data, size_t len)
{
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < len && !show->scene->secret; i++)
    hash = (hash ^ (unsigned char)data[i]) * 16777619u;
  return hash;
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  struct show *show = arg;
  size_t len = size * count;
  bool refused = (int)++show->writes == show->scene->refused_write;
  fprintf(show->out, "  write %zu %08x%s\n", len, sum(show, data, len), refused ? ", refused" : "");
  show->received += len;
  return refused ? len / 2 : len;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
  struct show *show = arg;
  size_t len = size * count;
  bool refused = (int)++show->headers == show->scene->refused_header;
  fprintf(show->out, "  header %zu %08x%s\n", len, sum(show, data, len), refused ? ", refused" : "");
  return refused ? 0 : len;
}

/* How often it is called is a matter of time; what it is told at the end is not. */
static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
  struct show *show = arg;
  (void)down_total;
  (void)up_total;
  (void)up;
  return show->scene->stops && down > 0;
}

static void set_request(struct show *show, int caller)
{
  static const char *const origins[] = {
      [HTTP] = "http://127.0.0.1:",      [TLS] = "https://127.0.0.1:",
      [STRANGER] = "https://127.0.0.1:", [PLAIN] = "https://127.0.0.1:",
      [NOBODY] = "http://127.0.0.1:",    [NO_NAME] = "http://no-such-name.invalid:",
  };
  const struct scene *scene = show->scene;
  bool tls = scene->place == TLS || scene->place == STRANGER;
  const char *port = tls ? tls_port : scene->place == NOBODY ? "1" : http_port;
  char url[512];
  snprintf(url, sizeof(url), "%s%s%s", origins[scene->place], port, scene->target);
  snprintf(show->body, sizeof(show->body), "{\"model\":\"m\",\"user\":\"%d\"%s}", caller,
           scene->streams ? ",\"stream\":true" : "");
  curl_easy_setopt(show->easy, CURLOPT_URL, url);
  curl_easy_setopt(show->easy, CURLOPT_POSTFIELDS, show->body);
}

void show_begin(struct show *show, const struct scene *scene, CURL *easy, FILE *out, int caller)
{
  *show = (struct show){.scene = scene, .easy = easy, .out = out, .error = "as it was before"};
  fprintf(out, "%s\n", scene->name);
  set_request(show, caller);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, show);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, show);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, show);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, show->error);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, scene->timeout_ms);
  if (scene->place == TLS && getenv("CURL_CA_BUNDLE"))
    curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("CURL_CA_BUNDLE"));
  if (scene->setup)
    scene->setup(easy);
}

static void show_headers(const struct show *show)
{
  struct curl_header *header = NULL;
  const unsigned origin = CURLH_HEADER | CURLH_TRAILER | CURLH_1XX;
  while (curl_easy_nextheader && (header = curl_easy_nextheader(show->easy, origin, -1, header)))
    fprintf(show->out, "  %s: %zu %s (%zu of %zu, from %u)\n", header->name, strlen(header->value),
            show->scene->secret ? "" : header->value, header->index, header->amount, header->origin);
}

static void show_cookies(const struct show *show)
{
  struct curl_slist *list = NULL;
  curl_easy_getinfo(show->easy, CURLINFO_COOKIELIST, &list);
  for (struct curl_slist *cookie = list; cookie; cookie = cookie->next)
    fprintf(show->out, "  a cookie of %zu bytes\n", strlen(cookie->data));
  curl_slist_free_all(list);
}

void show_end(struct show *show, CURLcode code)
{
  fprintf(show->out, "  result %d, \"%s\", %" PRIu64 " bytes\n", (int)code, show->error, show->received);
  show_headers(show);
  show_cookies(show);
  show_infos(show->out, show->easy);
}
