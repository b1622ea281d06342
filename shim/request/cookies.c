/* SPDX-License-Identifier: MIT */
#include "shim/request/cookies.h"

#include "config/kernel.h"
#include "config/names.h"
#include "shim/base/http_header.h"
#include "shim/base/span.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

/* True if libcurl's engine takes what this header sets. */
static bool are_taken(const struct shadow *shadow, struct idem_span headers)
{
  return (shadow->cookie_engine || shadow->shared) && header_find(headers, "set-cookie").data;
}

/* The value of the next Set-Cookie line, which is taken off `headers`; empty if there is none. */
static struct idem_span next_cookie(struct idem_span *headers)
{
  static const char field[] = "set-cookie:";
  const size_t field_len = sizeof(field) - 1;
  struct idem_span line;
  while ((line = span_cut_line(headers)).len)
    if (line.len > field_len && strncasecmp(line.data, field, field_len) == 0) {
      size_t start = field_len + strspn(line.data + field_len, " ");
      if (start < line.len)
        return (struct idem_span){line.data + start, line.len - start};
    }
  return line;
}

const char *cookies_refuse(const struct shadow *shadow, struct idem_span headers, bool redirected)
{
  struct idem_span cookie;
  if (!are_taken(shadow, headers))
    return NULL;
  if (redirected)
    return "a cookie set on the way of a redirect";
  /* Names that libcurl takes from https alone [cookie.c]. */
  while (shadow->parts.https && (cookie = next_cookie(&headers)).len)
    if (cookie.len > 9 &&
        (strncasecmp(cookie.data, "__Secure-", 9) == 0 || strncasecmp(cookie.data, "__Host-", 7) == 0))
      return "a cookie that only https can set";
  return NULL;
}

/* The parts of libcurl's own text for a cookie: domain, tail match, path, secure, expires, name, value. */
enum { DOMAIN, TAILMATCH, PATH, SECURE, EXPIRES, NAME, VALUE, PART_COUNT };

/* Cuts a line of the jar in place. False for one that has no name. */
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

/* The host whose cookies go along: a Host: line has its say there, without its port [cookie.c]. */
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

/* RFC 6265, 5.1.3. In libcurl's text, as in Netscape's files, a cookie that is for HTTP alone has its mark
 * before the domain, and one for subdomains has TRUE behind it. */
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

/* True for a cookie that is over, or that a server has deleted. It stays in the jar until the next loading of
 * cookie files, and keeps them from bringing it back; but an addition to the jar removes it, too, and since
 * 8.16 whoever asks for the jar [cookie.c, remove_expired]. */
static bool is_ended(char *const parts[PART_COUNT])
{
  int64_t expires = strtoll(parts[EXPIRES], NULL, 10);
  return expires && expires <= time(NULL);
}

/* True if the jar has a cookie of this one's name, path and domain, whatever its value. */
static bool has_cookie(const struct curl_slist *jar, char *const parts[PART_COUNT])
{
  static const uint8_t identity[] = {DOMAIN, PATH, NAME};
  for (bool same = false; jar; jar = jar->next) {
    char *copy = strdup(jar->data), *others[PART_COUNT];
    same = copy && cut(copy, others) && !is_ended(others);
    for (size_t i = 0; same && i < sizeof(identity); i++)
      same = strcmp(others[identity[i]], parts[identity[i]]) == 0;
    free(copy);
    if (same)
      return true;
  }
  return false;
}

static bool is_named(char *const parts[PART_COUNT], struct idem_span name)
{
  return strlen(parts[NAME]) == name.len && memcmp(parts[NAME], name.data, name.len) == 0;
}

/* Deletes the cookie of this line once more: libcurl then has it as one that a server has ended. */
static void end_cookie(const struct shadow *shadow, const struct curl_slist *jar, const char *line,
                       const struct idem_span *name)
{
  char *copy = strdup(line), *parts[PART_COUNT], *text;
  if (copy && cut(copy, parts) && (!name || is_named(parts, *name)) && !has_cookie(jar, parts) &&
      asprintf(&text, "%s\t%s\t%s\t%s\t1\t%s\t%s", parts[DOMAIN], parts[TAILMATCH], parts[PATH],
               parts[SECURE], parts[NAME], parts[VALUE] ? parts[VALUE] : "") >= 0) {
    shadow->lib->easy_setopt(shadow->handle, CURLOPT_COOKIELIST, text);
    free(text);
  }
  free(copy);
}

/* Deletes once more what a loading of the files brings back beside the cookies of `jar`, and has this name if
 * one is given. That can be done for one cookie, and libcurl has no more unless several have come to their
 * time: what is deleted last removes the others. */
static void end_again(const struct shadow *shadow, const struct curl_slist *jar, const struct idem_span *name)
{
  struct curl_slist *again = NULL;
  shadow->lib->easy_setopt(shadow->handle, CURLOPT_COOKIELIST, "RELOAD");
  shadow->lib->easy_getinfo(shadow->handle, CURLINFO_COOKIELIST, &again);
  for (const struct curl_slist *line = again; line; line = line->next)
    end_cookie(shadow, jar, line->data, name);
  shadow->lib->slist_free_all(again);
}

/* Gives libcurl the cookie of a line of its jar once more, with TRUE in the place of its FALSE, if it is the
 * one of this name and host. */
static void secure(const struct shadow *shadow, struct idem_span host, const char *line,
                   struct idem_span name)
{
  char *copy = strdup(line), *parts[PART_COUNT], *text;
  if (copy && cut(copy, parts) && is_named(parts, name) && strcmp(parts[SECURE], "FALSE") == 0 &&
      is_of_host(host, parts) && !is_ended(parts)) {
    int before = (int)(parts[SECURE] - copy);
    if (asprintf(&text, "%.*sTRUE%s", before, line, line + before + 5) >= 0) {
      shadow->lib->easy_setopt(shadow->handle, CURLOPT_COOKIELIST, text);
      free(text);
    }
  }
  free(copy);
}

void cookies_mend(const struct shadow *shadow, const char *host_line, struct idem_span headers)
{
  struct idem_span host = cookie_host(shadow, host_line), name = {0}, cookie;
  struct curl_slist *jar = NULL;
  bool asked = false;
  if (!shadow->parts.https || !are_taken(shadow, headers))
    return;
  while ((cookie = next_cookie(&headers)).len) {
    name = (struct idem_span){cookie.data, strcspn(cookie.data, "=;\r\n")};
    while (name.len && name.data[name.len - 1] == ' ')
      name.len--;
    if (!header_find_secure(cookie))
      continue;
    if (!asked)
      shadow->lib->easy_getinfo(shadow->handle, CURLINFO_COOKIELIST, &jar);
    asked = true;
    for (const struct curl_slist *line = jar; line; line = line->next)
      secure(shadow, host, line->data, name);
  }
  /* A deleted cookie has been removed by that, or is by a loading. It can only be the
   * last one that was set. */
  if (asked && shadow->cookie_file) {
    shadow->lib->easy_setopt(shadow->handle, CURLOPT_COOKIELIST, "RELOAD");
    end_again(shadow, jar, &name);
  }
  shadow->lib->slist_free_all(jar);
}

/* True if a cookie of `path` goes along with the URL (RFC 6265, 5.1.4). */
static bool is_of_path(const struct shadow *shadow, const char *path)
{
  const struct idem_span asked = shadow_path(shadow);
  size_t len = strlen(path);
  if (len <= 1)
    return true;
  return asked.len >= len && memcmp(asked.data, path, len) == 0 &&
         (asked.len == len || path[len - 1] == '/' || asked.data[len] == '/');
}

static bool append_text(struct buffer *text, const char *data, const char *end)
{
  return buffer_append(text, data, strlen(data)) && buffer_append(text, end, 1);
}

/* Appends "name=value" if libcurl would send the cookie of this line of its jar; and for which domain and
 * path one is that it would not, where a redirect may lead there. False without memory. */
static bool append_sent(const struct shadow *shadow, struct idem_span host, const char *line,
                        struct buffer *text)
{
  char *copy = strdup(line), *parts[PART_COUNT];
  bool complete = copy != NULL;
  if (copy && cut(copy, parts)) {
    bool sent = is_of_host(host, parts) && is_of_path(shadow, parts[PATH]);
    bool counts = (sent || shadow->slot[SLOT_FOLLOWLOCATION]) && !is_ended(parts) &&
                  idem_name_of_cookie(parts[NAME], strlen(parts[NAME])) != IDEM_NAME_TRANSIENT;
    if (counts && !sent)
      complete = append_text(text, parts[DOMAIN], "\t") && append_text(text, parts[PATH], "\t");
    if (counts)
      complete = complete && append_text(text, parts[NAME], "=") &&
                 append_text(text, parts[VALUE] ? parts[VALUE] : "", "\n");
  }
  free(copy);
  return complete;
}

static int compare(const void *a, const void *b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, for libcurl's own order is that of its hash and of time. */
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
    complete = append_sent(shadow, host, lines[i], text);
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

static unsigned count_ended(const struct curl_slist *jar)
{
  unsigned count = 0;
  for (; jar; jar = jar->next) {
    char *copy = strdup(jar->data), *parts[PART_COUNT];
    count += copy && cut(copy, parts) && is_ended(parts);
    free(copy);
  }
  return count;
}

/* Whoever reads a pipe, a terminal or standard input waits for it, and leaves nothing to the next one. */
static bool can_be_read_again(const char *file)
{
  struct stat info;
  if (strcmp(file, "-") == 0)
    return false;
  return idem_fstatat(AT_FDCWD, file, &info, 0) < 0 || S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) ||
         info.st_rdev == makedev(1, 3); /* /dev/null, which turns the engine on */
}

/* Loads the files as the transfer will, and then asks for the jar. A deleted cookie is kept from coming back
 * for one loading, which must not be ours. */
static const char *load_files(const struct shadow *shadow, struct curl_slist **jar)
{
  const struct libcurl *lib = shadow->lib;
  unsigned ended = 1;
  /* Since 8.16 to ask for the jar removes what has expired, and there may have been one: that is assumed. */
  if (lib->version < 0x081000) {
    lib->easy_getinfo(shadow->handle, CURLINFO_COOKIELIST, jar);
    ended = count_ended(*jar);
    lib->slist_free_all(*jar);
    *jar = NULL;
  }
  if (ended > 1)
    return "cookies that have expired, and that a cookie file may bring back";
  lib->easy_setopt(shadow->handle, CURLOPT_COOKIELIST, "RELOAD");
  lib->easy_getinfo(shadow->handle, CURLINFO_COOKIELIST, jar);
  if (ended)
    end_again(shadow, *jar, NULL);
  return NULL;
}

const char *cookies_sent(const struct shadow *shadow, const char *host_line, const char *option,
                         struct buffer *text)
{
  const struct buffer *files = &shadow->cookie_files;
  for (size_t at = 0; at < files->len; at += strlen(files->data + at) + 1)
    if (!can_be_read_again(files->data + at))
      return "COOKIEFILE";
  struct curl_slist *jar = NULL;
  const char *reason = NULL;
  bool complete = true;
  if (shadow->cookie_engine || shadow->shared) {
    if (shadow->cookie_file)
      reason = load_files(shadow, &jar);
    else
      shadow->lib->easy_getinfo(shadow->handle, CURLINFO_COOKIELIST, &jar);
    complete = reason || append_sorted(shadow, cookie_host(shadow, host_line), jar, text);
    shadow->lib->slist_free_all(jar);
  }
  complete = complete && (!option || append_option(option, text));
  return complete ? reason : "no memory for cookies";
}
