/* SPDX-License-Identifier: MIT */
/* key.h's view of header lines and of the query. On the path of every hit: most lines are settled by their
 * first character. */
#include "store/key/key.h"

#include <string.h>
#include <strings.h>

/* Whose call it is. The order is that in which they are hashed. */
static const struct idem_span credentials[] = {
    {"authorization", 13}, {"x-api-key", 9}, {"api-key", 7}, {"x-goog-api-key", 14}, {"cookie", 6},
};

/* Part of a signature, or for a proxy: they change, or say nothing of the answer, and are nobody's to keep.
 */
static const struct idem_span secrets[] = {
    {"x-amz-date", 10},
    {"x-amz-security-token", 20},
    {"proxy-authorization", 19},
};

static bool is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

static struct idem_span trim(struct idem_span text)
{
  while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
    text = (struct idem_span){text.data + 1, text.len - 1};
  while (text.len && is_space(text.data[text.len - 1]))
    text.len--;
  return text;
}

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static int find(const struct idem_span *table, size_t count, struct idem_span name)
{
  for (size_t i = 0; i < count; i++)
    if (table[i].len == name.len && table[i].data[0] == lower(name.data[0]) &&
        strncasecmp(table[i].data, name.data, name.len) == 0)
      return (int)i;
  return -1;
}

static int find_word(const struct idem_words *words, struct idem_span name)
{
  for (size_t i = 0; i < words->count; i++)
    if (lower(words->word[i][0]) == lower(name.data[0]) &&
        strncasecmp(words->word[i], name.data, name.len) == 0 && words->word[i][name.len] == '\0')
      return (int)i;
  return -1;
}

/* Most are words, and one that is the name itself matches it also as a glob. */
static bool matches(const struct idem_words *globs, struct idem_span name)
{
  if (find_word(globs, name) >= 0)
    return true;
  for (size_t i = 0; i < globs->count; i++) {
    char first = globs->word[i][0];
    if ((first == '*' || first == '?' || lower(first) == lower(name.data[0])) &&
        idem_glob(globs->word[i], name.data, name.len, true))
      return true;
  }
  return false;
}

/* AWS signs each request anew; what stays is the access key id, in "AWS4-HMAC-SHA256
 * Credential=ID/20260101/...". */
static struct idem_span steady_credential(struct idem_span value)
{
  static const char scheme[] = "AWS4-HMAC-SHA256", field[] = "Credential=";
  if (value.len < sizeof(scheme) || memcmp(value.data, scheme, sizeof(scheme) - 1) != 0)
    return value;
  const char *id = memmem(value.data, value.len, field, sizeof(field) - 1);
  if (!id)
    return value;
  id += sizeof(field) - 1;
  const char *end = value.data + value.len, *slash = memchr(id, '/', (size_t)(end - id));
  return (struct idem_span){id, (size_t)((slash ? slash : end) - id)};
}

struct header name_header(const struct idem_keying *keying, struct idem_span line)
{
  struct header header = {.role = HEADER_OTHER};
  const char *colon = line.len ? memchr(line.data, ':', line.len) : NULL;
  if (!colon)
    return header;
  header.name = trim((struct idem_span){line.data, (size_t)(colon - line.data)});
  header.value = trim((struct idem_span){colon + 1, line.len - (size_t)(colon - line.data) - 1});
  if (!header.name.len)
    return header;
  int which;
  if ((which = find(credentials, sizeof(credentials) / sizeof(*credentials), header.name)) >= 0) {
    header.role = HEADER_CREDENTIAL;
    if (which == 0)
      header.value = steady_credential(header.value);
  } else if (find(secrets, sizeof(secrets) / sizeof(*secrets), header.name) >= 0) {
    header.role = HEADER_SECRET;
  } else if ((which = find_word(&keying->headers, header.name)) >= 0) {
    header.role = HEADER_KEY;
  } else if (matches(&keying->vary, header.name)) {
    header.role = HEADER_VARY;
  }
  header.which = (unsigned)which;
  return header;
}

bool name_query_next(struct idem_span *rest, struct idem_span *piece, bool *credential)
{
  if (!rest->len)
    return false;
  const char *end = memchr(rest->data, '&', rest->len);
  piece->data = rest->data;
  piece->len = end ? (size_t)(end - rest->data) : rest->len;
  size_t used = end ? piece->len + 1 : piece->len;
  *rest = (struct idem_span){rest->data + used, rest->len - used};
  *credential = piece->len >= 4 && memcmp(piece->data, "key=", 4) == 0;
  return true;
}
