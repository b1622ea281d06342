/* SPDX-License-Identifier: MIT */
#include "shim/request/cookies.h"

#include "config/names.h"
#include "shim/base/http_header.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const char field[] = "set-cookie:";
enum { FIELD_LEN = sizeof(field) - 1 };

/* Calls `visit` with each Set-Cookie value until it returns true, which is then returned. */
static bool any_cookie(struct idem_span headers, bool (*visit)(const char *value, size_t len, void *arg),
                       void *arg)
{
  const char *at = headers.data, *end = at + headers.len, *next;
  for (; at < end; at = next) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    next = newline ? newline + 1 : end;
    size_t len = (size_t)(next - at);
    if (len <= FIELD_LEN || strncasecmp(at, field, FIELD_LEN) != 0)
      continue;
    at += FIELD_LEN + strspn(at + FIELD_LEN, " ");
    if (at < next && visit(at, (size_t)(next - at), arg))
      return true;
  }
  return false;
}

/* Names that libcurl takes from https alone [cookie.c]. */
static bool has_prefix(const char *value, size_t len, void *arg)
{
  (void)arg;
  return len > 9 && (strncasecmp(value, "__Secure-", 9) == 0 || strncasecmp(value, "__Host-", 7) == 0);
}

const char *cookies_refuse(const struct shadow *shadow, struct idem_span headers, bool redirected)
{
  if ((!shadow->cookie_engine && !shadow->shared) || !header_find(headers, "set-cookie").data)
    return NULL;
  if (redirected)
    return "a cookie set on the way of a redirect";
  return shadow->parts.https && any_cookie(headers, has_prefix, NULL) ? "a cookie that only https can set"
                                                                      : NULL;
}

static bool is_secure(const char *value, size_t len)
{
  for (const char *at = value, *end = value + len; (at = memchr(at, ';', (size_t)(end - at)));) {
    for (at++; at < end && *at == ' ';)
      at++;
    if (end - at > 6 && strncasecmp(at, "secure", 6) == 0 && strchr("; \r\n", at[6]))
      return true;
  }
  return false;
}

/* The parts of libcurl's own text for a cookie: domain, tail match, path, secure, expires, name, value. */
enum { DOMAIN, TAILMATCH, PATH, SECURE, EXPIRES, NAME, VALUE, PART_COUNT };

static bool cut(char *line, char *parts[PART_COUNT])
{
  for (int i = 0; i < PART_COUNT; i++) {
    parts[i] = line;
    line = line ? strchr(line, '\t') : NULL;
    if (line)
      *line++ = '\0';
  }
  return parts[NAME] != NULL;
}

/* Whose cookies go along: a Host: line has its say there, without its port [cookie.c]. */
static struct idem_span cookie_host(const struct shadow *shadow, const char *host_line)
{
  const char *value = host_line ? strchr(host_line, ':') + 1 : "";
  value += strspn(value, " \t");
  if (!*value)
    return (struct idem_span){shadow->url.data + shadow->parts.host, shadow->parts.host_len};
  bool literal = *value == '[';
  value += literal;
  return (struct idem_span){value, strcspn(value, literal ? "]" : ": \t\r\n")};
}

static bool is_of_host(struct idem_span asked, char *const parts[PART_COUNT])
{
  const char *host = asked.data, *domain = parts[DOMAIN];
  size_t host_len = asked.len;
  if (strncmp(domain, "#HttpOnly_", 10) == 0)
    domain += 10;
  domain += *domain == '.';
  size_t len = strlen(domain);
  if (len > host_len || strncasecmp(host + host_len - len, domain, len) != 0)
    return false;
  return len == host_len || (strcmp(parts[TAILMATCH], "TRUE") == 0 && host[host_len - len - 1] == '.');
}

struct mend {
  const struct shadow *shadow;
  struct idem_span host;
  struct curl_slist *jar;
};

/* The same cookie once more, with TRUE in the place of its FALSE. */
static void secure(const struct mend *mend, const char *line, const char *name, size_t name_len)
{
  char *copy = strdup(line), *text = malloc(strlen(line) + 1), *parts[PART_COUNT];
  if (copy && text && cut(copy, parts) && strlen(parts[NAME]) == name_len &&
      memcmp(parts[NAME], name, name_len) == 0 && strcmp(parts[SECURE], "FALSE") == 0 &&
      is_of_host(mend->host, parts)) {
    size_t before = (size_t)(parts[SECURE] - copy);
    memcpy(text, line, before);
    memcpy(text + before, "TRUE", 4);
    memcpy(text + before + 4, line + before + 5, strlen(line + before + 5) + 1);
    mend->shadow->lib->easy_setopt(mend->shadow->handle, CURLOPT_COOKIELIST, text);
  }
  free(copy);
  free(text);
}

static bool mend_one(const char *value, size_t len, void *arg)
{
  struct mend *mend = arg;
  size_t name_len = strcspn(value, "=;\r\n");
  if (!is_secure(value, len))
    return false;
  while (name_len && value[name_len - 1] == ' ')
    name_len--;
  for (struct curl_slist *cookie = mend->jar; cookie; cookie = cookie->next)
    secure(mend, cookie->data, value, name_len);
  return false;
}

void cookies_mend(const struct shadow *shadow, const char *host_line, struct idem_span headers)
{
  struct mend mend = {.shadow = shadow, .host = cookie_host(shadow, host_line)};
  if ((!shadow->cookie_engine && !shadow->shared) || !shadow->parts.https ||
      !header_find(headers, "set-cookie").data)
    return;
  shadow->lib->easy_getinfo(shadow->handle, CURLINFO_COOKIELIST, &mend.jar);
  any_cookie(headers, mend_one, &mend);
  shadow->lib->slist_free_all(mend.jar);
}

/* RFC 6265, 5.1.4. */
static bool is_of_path(const struct shadow *shadow, const char *path)
{
  const char *asked = shadow->url.data + shadow->parts.path;
  size_t len = strlen(path), asked_len = shadow->parts.path_len;
  if (len <= 1)
    return true;
  return asked_len >= len && memcmp(asked, path, len) == 0 &&
         (asked_len == len || path[len - 1] == '/' || asked[len] == '/');
}

static bool is_sent(const struct shadow *shadow, struct idem_span host, char *const parts[PART_COUNT],
                    int64_t now)
{
  int64_t expires = strtoll(parts[EXPIRES], NULL, 10);
  return is_of_host(host, parts) && is_of_path(shadow, parts[PATH]) && (!expires || expires > now) &&
         idem_name_of_cookie(parts[NAME], strlen(parts[NAME])) != IDEM_NAME_TRANSIENT;
}

static bool append_sent(const struct shadow *shadow, struct idem_span host, const char *line, int64_t now,
                        struct buffer *text)
{
  char *copy = strdup(line), *parts[PART_COUNT];
  bool complete = copy != NULL;
  if (copy && cut(copy, parts) && is_sent(shadow, host, parts, now))
    complete = buffer_append(text, parts[NAME], strlen(parts[NAME])) && buffer_append(text, "=", 1) &&
               (!parts[VALUE] || buffer_append(text, parts[VALUE], strlen(parts[VALUE]))) &&
               buffer_append(text, "\n", 1);
  free(copy);
  return complete;
}

static int compare(const void *a, const void *b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* libcurl's own order is that of its hash and of time. */
static bool append_sorted(const struct shadow *shadow, struct idem_span host, const struct curl_slist *jar,
                          struct buffer *text)
{
  size_t count = 0;
  for (const struct curl_slist *at = jar; at; at = at->next)
    count++;
  const char **lines = malloc((count + 1) * sizeof(*lines));
  bool complete = lines != NULL;
  for (size_t i = 0; complete && i < count; i++, jar = jar->next)
    lines[i] = jar->data;
  if (complete)
    qsort(lines, count, sizeof(*lines), compare);
  for (size_t i = 0; complete && i < count; i++)
    complete = append_sent(shadow, host, lines[i], time(NULL), text);
  free(lines);
  return complete;
}

/* "a=b; c=d", in the order given. */
static bool append_option(const char *option, struct buffer *text)
{
  for (option += strspn(option, "; "); *option; option += strspn(option, "; ")) {
    size_t len = strcspn(option, ";"), name = strcspn(option, "=;");
    if (idem_name_of_cookie(option, name) != IDEM_NAME_TRANSIENT &&
        !(buffer_append(text, option, len) && buffer_append(text, "\n", 1)))
      return false;
    option += len;
  }
  return true;
}

bool cookies_sent(const struct shadow *shadow, const char *host_line, const char *option, struct buffer *text)
{
  struct curl_slist *jar = NULL;
  bool complete = true;
  if (shadow->cookie_engine || shadow->shared) {
    if (shadow->cookie_file)
      shadow->lib->easy_setopt(shadow->handle, CURLOPT_COOKIELIST, "RELOAD");
    shadow->lib->easy_getinfo(shadow->handle, CURLINFO_COOKIELIST, &jar);
    complete = append_sorted(shadow, cookie_host(shadow, host_line), jar, text);
    shadow->lib->slist_free_all(jar);
  }
  return complete && (!option || append_option(option, text));
}
