/* SPDX-License-Identifier: MIT */
/* key.h's view of header lines and of the query. It is on the path of every hit. */
#include "store/key/key.h"

#include "config/ascii.h"
#include "config/names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* More headers than anybody sends; those beyond are taken in the order given. */
enum { SORTED_MOST = 128 };

/* Beside a key of the operation's own these are content, and of the others what the rule names: a retry may
 * carry another X-Attempt. */
static const char *const beside_key[] = {"accept",      "content-type", "openai-*",
                                         "anthropic-*", "x-goog-*",     "x-amzn-bedrock-*"};

/* Their signature is made anew for each request; the id behind Credential= stays. */
static const char *const signing[] = {"AWS4-HMAC-SHA256 ", "AWS4-ECDSA-P256-SHA256 ", "TC3-HMAC-SHA256 ",
                                      "HMAC-SHA256 "};

static struct idem_span trim(struct idem_span text)
{
  text.data = idem_trim(text.data, &text.len);
  return text;
}

/* Most names part at the first letter, and this is asked of each header for each word of a rule. No name here
 * is empty. */
static bool same_name(struct idem_span name, const char *word)
{
  return tolower((unsigned char)word[0]) == tolower((unsigned char)name.data[0]) &&
         strncasecmp(word, name.data, name.len) == 0 && word[name.len] == '\0';
}

static int find_word(const struct idem_words *words, struct idem_span name)
{
  for (size_t i = 0; i < words->count; i++)
    if (same_name(name, words->word[i]))
      return (int)i;
  return -1;
}

static bool glob_is(const char *glob, struct idem_span name)
{
  return (glob[0] == '*' || glob[0] == '?' ||
          tolower((unsigned char)glob[0]) == tolower((unsigned char)name.data[0])) &&
         idem_glob(glob, name.data, name.len, true);
}

/* What `*` in vary= comes to. */
static bool counts_by_default(struct idem_span name, enum idem_name what, bool named)
{
  if (!named)
    return what == IDEM_NAME_PLAIN;
  /* X-Goog-Api-Client has the number of the attempt. */
  if (what == IDEM_NAME_TRANSIENT)
    return false;
  for (size_t i = 0; i < COUNT(beside_key); i++)
    if (glob_is(beside_key[i], name))
      return true;
  return false;
}

/* The last word about a header counts. */
static bool counts(const struct idem_words *vary, struct idem_span name, enum idem_name what, bool named)
{
  for (size_t i = vary->count; i-- > 0;) {
    const char *word = vary->word[i];
    if (strcmp(word, "*") == 0)
      return counts_by_default(name, what, named);
    if (glob_is(word + (*word == '-'), name))
      return *word != '-';
  }
  return false;
}

/* `-NAME`, by its own name, where no later word takes it in again, be it a glob. `-GLOB` says
 * nothing of whose call it is. */
static bool is_left_out(const struct idem_words *vary, struct idem_span name)
{
  for (size_t i = vary->count; i-- > 0;) {
    const char *word = vary->word[i];
    if (*word == '-' ? same_name(name, word + 1) : glob_is(word, name))
      return *word == '-';
  }
  return false;
}

/* True for `Authorization: AWS4-HMAC-SHA256 Credential=...` and its like, if the header of this name is made
 * anew with the signature: AWS's date and token, and the times of others who are known by an id. */
static bool is_signed(const struct idem_request *request, struct idem_span name)
{
  static const struct {
    const char *scheme, *with, *id; /* the header's name begins so; and this stands in the signature */
  } renewed[] = {{"AWS4-", "x-amz-", ""},
                 {"TC3-HMAC-SHA256 ", "x-tc-", "Credential="},
                 {"HMAC-SHA256 ", "x-date", "Credential="},
                 {"HMAC-SHA256 ", "x-ms-date", "Credential="}};
  static const char start[] = "authorization:";
  for (size_t i = 0; i < request->header_count; i++) {
    struct idem_span line = request->headers[i];
    if (line.len < sizeof(start) || strncasecmp(line.data, start, sizeof(start) - 1) != 0)
      continue;
    line = trim((struct idem_span){line.data + sizeof(start) - 1, line.len - sizeof(start) + 1});
    for (size_t k = 0; k < COUNT(renewed); k++) {
      const char *scheme = renewed[k].scheme, *with = renewed[k].with, *id = renewed[k].id;
      if (line.len > strlen(scheme) && memcmp(line.data, scheme, strlen(scheme)) == 0 &&
          name.len >= strlen(with) && strncasecmp(name.data, with, strlen(with)) == 0 &&
          memmem(line.data, line.len, id, strlen(id)))
        return true;
    }
  }
  return false;
}

/* AWS and its like: Credential=ID/date/region/service/..., where what follows the slash is of the day. */
static struct idem_span steady_credential(struct idem_span value)
{
  static const char field[] = "Credential=";
  for (size_t i = 0; i < COUNT(signing); i++) {
    size_t len = strlen(signing[i]);
    if (value.len < len || strncasecmp(value.data, signing[i], len) != 0)
      continue;
    const char *id = memmem(value.data, value.len, field, sizeof(field) - 1);
    if (!id)
      return value;
    id += sizeof(field) - 1;
    const char *end = value.data + value.len, *at = id;
    /* Azure has & between the fields. */
    while (at < end && *at != '/' && *at != ',' && *at != '&' && !idem_is_end(*at))
      at++;
    return (struct idem_span){id, (size_t)(at - id)};
  }
  return value;
}

static enum header_role role_of(const struct idem_request *request, struct header *header, bool named)
{
  const struct idem_keying *keying = &request->rule->keying;
  struct idem_span name = header->name;
  /* The rule's own words come first, then what the tables know, and last what vary= makes of it. */
  int which = find_word(&keying->headers, name);
  if (which >= 0) {
    header->which = (unsigned)which;
    return HEADER_KEY;
  }
  if (keying->tenant == IDEM_TENANT_HEADER && same_name(name, keying->tenant_of.word[0]))
    return HEADER_TENANT;
  enum idem_name what = idem_name_of_header(name.data, name.len);
  if (what == IDEM_NAME_SIGNED)
    what = is_signed(request, name)               ? IDEM_NAME_SECRET
           : idem_name_tells(name.data, name.len) ? IDEM_NAME_CREDENTIAL
                                                  : IDEM_NAME_PLAIN;
  if (what == IDEM_NAME_SECRET || (what == IDEM_NAME_CREDENTIAL && is_left_out(&keying->vary, name)))
    return HEADER_SECRET;
  /* By its name it is content, unless a later word makes it what it is without one. */
  if (what == IDEM_NAME_KNOWN ||
      (what == IDEM_NAME_CREDENTIAL &&
       (find_word(&keying->vary, name) < 0 || !counts(&keying->vary, name, what, false))))
    return HEADER_CREDENTIAL;
  return counts(&keying->vary, name, what, named) ? HEADER_VARY : HEADER_OTHER;
}

struct header key_header(const struct idem_request *request, struct idem_span line, bool named)
{
  struct header header = {.role = HEADER_OTHER};
  const char *colon = line.len ? memchr(line.data, ':', line.len) : NULL;
  if (!colon)
    return header;
  header.name = trim((struct idem_span){line.data, (size_t)(colon - line.data)});
  header.value = trim((struct idem_span){colon + 1, line.len - (size_t)(colon - line.data) - 1});
  if (!header.name.len)
    return header;
  header.role = role_of(request, &header, named);
  if (header.role == HEADER_CREDENTIAL)
    header.value = steady_credential(header.value);
  return header;
}

/* Sorting. */

static int by_name(const void *a, const void *b)
{
  const struct header *x = a, *y = b;
  size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
  int order = strncasecmp(x->name.data, y->name.data, len);
  if (order == 0)
    order = (x->name.len > y->name.len) - (x->name.len < y->name.len);
  /* The same header twice: the order on the wire counts. */
  return order ? order : (x->which > y->which) - (x->which < y->which);
}

void key_headers(const struct idem_request *request, enum header_role role, bool named,
                 void (*add)(void *arg, struct idem_span name, struct idem_span value), void *arg)
{
  struct header found[SORTED_MOST];
  size_t count = 0;
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = key_header(request, request->headers[i], named);
    if (header.role != role)
      continue;
    header.which = (unsigned)i;
    if (count < SORTED_MOST)
      found[count++] = header;
    else
      add(arg, header.name, header.value);
  }
  qsort(found, count, sizeof(*found), by_name);
  for (size_t i = 0; i < count; i++)
    add(arg, found[i].name, found[i].value);
}

static enum idem_name what_is(struct idem_span piece)
{
  const char *equals = piece.len ? memchr(piece.data, '=', piece.len) : NULL;
  return equals ? idem_name_of_parameter(piece.data, (size_t)(equals - piece.data)) : IDEM_NAME_PLAIN;
}

bool key_query_next(struct idem_span *rest, struct idem_span *piece, bool *credential)
{
  if (!rest->len)
    return false;
  const char *end = memchr(rest->data, '&', rest->len);
  piece->data = rest->data;
  piece->len = end ? (size_t)(end - rest->data) : rest->len;
  size_t used = end ? piece->len + 1 : piece->len;
  *rest = (struct idem_span){rest->data + used, rest->len - used};
  *credential = what_is(*piece) != IDEM_NAME_PLAIN;
  return true;
}

/* What follows "NAME=", or no text at all. */
static struct idem_span behind_name(struct idem_span piece, const char *name)
{
  size_t len = strlen(name);
  if (piece.len < len || memcmp(piece.data, name, len) != 0)
    return (struct idem_span){NULL, 0};
  return (struct idem_span){piece.data + len, piece.len - len};
}

bool key_query_is_presigned(struct idem_span query)
{
  struct idem_span piece;
  bool credential, id = false, signature = false;
  while (key_query_next(&query, &piece, &credential)) {
    id |= behind_name(piece, "X-Amz-Credential=").len > 0;
    signature |= behind_name(piece, "X-Amz-Signature=").len > 0;
  }
  return id && signature;
}

enum header_role key_query_role(const struct idem_keying *keying, bool presigned, struct idem_span *piece)
{
  enum idem_name what = what_is(*piece);
  static const char *const renewed[] = {"X-Amz-Signature=", "X-Amz-Date=", "X-Amz-Security-Token="};
  for (size_t i = 0; presigned && i < COUNT(renewed); i++)
    if (behind_name(*piece, renewed[i]).data)
      return HEADER_SECRET;
  struct idem_span id = presigned ? behind_name(*piece, "X-Amz-Credential=") : (struct idem_span){NULL, 0};
  size_t len = 0;
  /* In a query the slash is mostly written %2F. */
  while (len < id.len && id.data[len] != '/' && id.data[len] != '%')
    len++;
  piece->len -= id.len - len;
  if (keying->tenant != IDEM_TENANT_CREDENTIALS && what == IDEM_NAME_CREDENTIAL)
    return HEADER_VARY;
  return what == IDEM_NAME_PLAIN ? HEADER_VARY : HEADER_CREDENTIAL;
}

bool key_cookie_next(struct idem_span *rest, struct idem_span *cookie, bool *counts_as_tenant)
{
  while (rest->len && (*rest->data == ' ' || *rest->data == ';'))
    *rest = (struct idem_span){rest->data + 1, rest->len - 1};
  if (!rest->len)
    return false;
  const char *end = memchr(rest->data, ';', rest->len);
  *cookie = (struct idem_span){rest->data, end ? (size_t)(end - rest->data) : rest->len};
  *rest = (struct idem_span){rest->data + cookie->len, rest->len - cookie->len};
  *cookie = trim(*cookie);
  const char *equals = cookie->len ? memchr(cookie->data, '=', cookie->len) : NULL;
  size_t name = equals ? (size_t)(equals - cookie->data) : cookie->len;
  *counts_as_tenant = idem_name_of_cookie(cookie->data, name) != IDEM_NAME_TRANSIENT;
  return true;
}
