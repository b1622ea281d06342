/* SPDX-License-Identifier: MIT */
/*
 * Which login libcurl takes depends on its version, on the login that was set, and on where a redirect leads.
 * So the tenant is all that could be about the host: its entries and the default one. Where versions read a
 * file in different ways (quotes, comments amid an entry, a keyword in a value's place), where libcurl
 * may spell the host otherwise, and where a redirect is followed, it is the whole file.
 */
#include "shim/request/netrc.h"

#include "config/kernel.h"
#include "shim/form/form_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MACHINE, DEFAULT, LOGIN, PASSWORD, ACCOUNT, VALUE };

static unsigned kind_of(const char *word, size_t len)
{
  static const char keywords[VALUE][9] = {"machine", "default", "login", "password", "account"};
  unsigned kind = MACHINE;
  while (kind < VALUE && (strlen(keywords[kind]) != len || strncasecmp(keywords[kind], word, len) != 0))
    kind++;
  return kind;
}

/* True for the name of a host that libcurl looks for as it stands: it decodes escapes, and makes 127.0.0.1 of
 * 127.1 and of 0x7f000001. */
static bool is_spelled_out(const char *host, size_t len)
{
  static const char digits[] = "0123456789abcdefABCDEFxX.";
  char text[256];
  struct in_addr address;
  for (size_t i = 0; i < len; i++)
    if (!(host[i] == '-' || host[i] == '_' || host[i] == '.' || (host[i] >= '0' && host[i] <= '9') ||
          ((host[i] | 0x20) >= 'a' && (host[i] | 0x20) <= 'z')))
      return false;
  if (!len || len >= sizeof(text) || host[len - 1] == '.')
    return false;
  memcpy(text, host, len);
  text[len] = '\0';
  return text[strspn(text, digits)] || inet_pton(AF_INET, text, &address) == 1;
}

/* Appends the words that may be about the host. False where that is not certain, or without memory. An entry
 * without a login or a password is not: some versions of libcurl then take what stands in the next one for a
 * sign that there is no login. */
static bool select_host(struct buffer *kept, const char *at, const char *host, size_t host_len)
{
  const unsigned whole = 1u << LOGIN | 1u << PASSWORD;
  bool keep = false, comment = false;
  unsigned before = VALUE, kind, said = 0;
  for (size_t len;; at += len, before = kind) {
    size_t blanks = strspn(at, " \t\n");
    comment &= !memchr(at, '\n', blanks);
    at += blanks;
    len = strcspn(at, " \t\n");
    kind = len ? kind_of(at, len) : DEFAULT;
    if (kind <= DEFAULT && keep && (said & whole) != whole)
      return false;
    if (!len)
      return true;
    comment |= *at == '#';
    if (kind == VALUE ? *at == '#' && before != VALUE : comment || (before != VALUE && before != DEFAULT))
      return false;
    said = kind <= DEFAULT ? 0 : said | 1u << kind;
    if (kind <= DEFAULT)
      keep = kind == DEFAULT;
    else if (before == MACHINE)
      keep = len == host_len && strncasecmp(at, host, len) == 0;
    if (keep && !(buffer_append(kept, at, len) && buffer_append(kept, "\n", 1)))
      return false;
  }
}

/* The file that libcurl would read, NULL where that is not certain: without a HOME it asks the system's
 * database of users. */
static const char *path_of(const struct shadow *shadow, char room[4096])
{
  const char *file = (const char *)shadow_value(shadow, CURLOPT_NETRC_FILE);
  if (file)
    return file;
  const char *home = getenv("HOME"), *own = shadow->lib->version >= 0x081000 ? getenv("NETRC") : NULL;
  if (own && *own)
    return own;
  return home && *home && snprintf(room, 4096, "%s/.netrc", home) < 4096 ? room : NULL;
}

static bool read_path(const struct shadow *shadow, const char *path, struct buffer *text,
                      struct buffer *files)
{
  enum { PLAIN_MAX = 4095, FILE_LIMIT = 65536 }; /* older versions read lines in such pieces */
  const struct url_parts *parts = &shadow->parts;
  const char *host = shadow->url.data + parts->host;
  struct stat info;
  struct buffer kept = {0};
  if (idem_fstatat(AT_FDCWD, path, &info, 0) < 0)
    return errno == ENOENT || errno == ENOTDIR;
  if (form_file_read(text, files, path, INT64_MAX, FILE_LIMIT) || !buffer_append(text, "", 1))
    return false;
  text->len--;
  bool selected = !shadow->slot[SLOT_FOLLOWLOCATION] && text->len < PLAIN_MAX &&
                  strcspn(text->data, "\"\r") == text->len && is_spelled_out(host, parts->host_len) &&
                  select_host(&kept, text->data, host, parts->host_len);
  struct buffer *unused = selected ? text : &kept;
  buffer_release(unused);
  if (selected)
    *text = kept;
  return true;
}

bool netrc_read(const struct shadow *shadow, struct buffer *text, struct buffer *files)
{
  char room[4096];
  int saved = errno;
  const char *path = path_of(shadow, room);
  bool known = path && read_path(shadow, path, text, files);
  errno = saved;
  return known;
}
