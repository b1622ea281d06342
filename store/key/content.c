/* SPDX-License-Identifier: MIT */
#include "store/key/content.h"

#include "store/json/json_canon.h"
#include "store/json/json_pointer.h"
#include "store/key/key.h"

#include <ctype.h>
#include <errno.h>

struct values {
  struct hash *hash;
  bool any, said; /* there is a value; it is not the empty text */
  int rc;         /* of one that cannot be read */
};

/* Where a member is given twice, each value counts: nobody can say which of them the server takes. */
static void hash_value(void *arg, size_t which, struct idem_span value)
{
  struct values *values = arg;
  uint8_t digest[IDEM_KEY_SIZE];
  (void)which;
  if (value.len == 4 && memcmp(value.data, "null", 4) == 0)
    return;
  int rc = json_canon(value, &(struct json_canon_options){0}, digest);
  values->rc = rc < 0 ? rc : values->rc;
  values->any = true;
  values->said |= value.len != 2 || value.data[0] != '"';
  hash_digest(values->hash, digest);
}

/* A walk for each pointer, since their values count in the rule's order and not in that of the text; a rule
 * has few. The byte behind them ends a pointer's values. Fields that are all there and all empty name
 * nobody. */
int content_pointers(const struct idem_words *pointers, struct idem_span body, struct hash *hash)
{
  struct values values = {.hash = hash};
  for (size_t i = 0; i < pointers->count; i++) {
    struct idem_words one = {&pointers->word[i], 1};
    values.any = false;
    hash_text(hash, pointers->word[i]);
    bool found = json_find(body, &one, hash_value, &values);
    if (!found || values.rc < 0 || !values.any)
      return values.rc == -ENOMEM ? -ENOMEM : -ENOKEY;
    hash_bytes(hash, "", 1);
  }
  return values.said ? 0 : -ENOKEY;
}

void content_hash_name(struct hash *hash, struct idem_span name)
{
  hash_number(hash, name.len);
  for (size_t i = 0; i < name.len; i++) {
    char c = (char)tolower((unsigned char)name.data[i]);
    hash_bytes(hash, &c, 1);
  }
}

/* Forms that the app has written itself: their boundary is random, in the header and in the body. */

/* The boundary of a multipart Content-Type, within its value; no length: there is none. RFC 2046, 5.1.1: a
 * token, or in quotes. If it is found in the wrong place, no line of the body begins with it, and the body
 * counts byte by byte. */
static struct idem_span boundary_in(struct idem_span type)
{
  static const char kind[] = "multipart/", name[] = "boundary=";
  struct idem_span none = {"", 0};
  if (type.len < sizeof(kind) || strncasecmp(type.data, kind, sizeof(kind) - 1) != 0)
    return none;
  for (const char *at = type.data, *end = at + type.len; (size_t)(end - at) > sizeof(name) - 1; at++) {
    if (strncasecmp(at, name, sizeof(name) - 1) != 0)
      continue;
    at += sizeof(name) - 1;
    bool quoted = *at == '"';
    at += quoted;
    const char *stop = at;
    while (stop < end && (quoted ? *stop != '"' : !strchr("; \t\"", *stop)))
      stop++;
    return (struct idem_span){at, (size_t)(stop - at)};
  }
  return none;
}

static bool is_content_type(struct idem_span name)
{
  return name.len == 12 && strncasecmp(name.data, "content-type", 12) == 0;
}

/* Whether the header counts or not: it says what the body is. */
static struct idem_span find_type(const struct idem_request *request)
{
  struct idem_span type = {"", 0};
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = key_header(request, request->headers[i], false);
    if (is_content_type(header.name))
      type = header.value;
  }
  return type;
}

/* Where JSON is sent, and arrays are that: libcurl calls what it posts a form if nobody says otherwise. */
static bool may_be_json(struct idem_span type)
{
  static const char form[] = "application/x-www-form-urlencoded";
  for (size_t i = 0; i + 4 <= type.len; i++)
    if (strncasecmp(type.data + i, "json", 4) == 0)
      return true;
  return !type.len || (type.len >= sizeof(form) - 1 && strncasecmp(type.data, form, sizeof(form) - 1) == 0);
}

/* A prompt may look like JSON, and each blank in it is said: so of a number, a string or a word the bytes
 * count, and of all that is sent as text. An object is none, and a list elsewhere is none, where the rule has
 * fields of it to ignore or to redact. */
static bool is_plain_text(const struct idem_request *request, struct idem_span type)
{
  const struct idem_span body = json_trimmed(request->body);
  const bool has_fields = request->rule->keying.ignore.count || request->rule->redact.count;
  const bool text = type.len > 5 && strncasecmp(type.data, "text/", 5) == 0;
  if (body.len && *body.data == '{')
    return text && !has_fields;
  if (body.len && *body.data == '[')
    return text || (!has_fields && !may_be_json(type));
  return true;
}

bool content_is_plain_text(const struct idem_request *request)
{
  return is_plain_text(request, find_type(request));
}

/* The next place where a line begins with the boundary, or the end. */
static const char *find_delimiter(struct idem_span body, const char *from, struct idem_span boundary)
{
  const char *end = body.data + body.len;
  for (const char *at = from; (at = memmem(at, (size_t)(end - at), boundary.data, boundary.len)); at++)
    if (at - from >= 2 && at[-1] == '-' && at[-2] == '-' && (at - 2 == body.data || at[-3] == '\n'))
      return at - 2;
  return end;
}

/* The parts, each with its length, so that none can pass for two. False if the body is no form of this
 * boundary. */
static bool hash_form(struct hash *hash, struct idem_span body, struct idem_span boundary)
{
  if (!boundary.len || !body.len)
    return false;
  const char *from = body.data, *end = body.data + body.len;
  if (find_delimiter(body, from, boundary) == end)
    return false;
  while (from < end) {
    const char *to = find_delimiter(body, from, boundary);
    hash_field(hash, (struct idem_span){from, (size_t)(to - from)});
    from = to < end ? to + 2 + boundary.len : end;
  }
  /* No length is so large: it ends the list, here and below. */
  hash_number(hash, UINT64_MAX);
  return true;
}

struct counting {
  struct hash *hash;
  struct idem_span boundary; /* that does not count */
};

static void hash_header(void *arg, struct idem_span name, struct idem_span value)
{
  const struct counting *counting = arg;
  content_hash_name(counting->hash, name);
  if (counting->boundary.len && is_content_type(name)) {
    struct idem_span boundary = boundary_in(value);
    size_t before = (size_t)(boundary.data - value.data), behind = before + boundary.len;
    hash_field(counting->hash, (struct idem_span){value.data, before});
    value = (struct idem_span){value.data + behind, value.len - behind};
  }
  hash_field(counting->hash, value);
}

static void hash_query(struct hash *hash, const struct idem_request *request)
{
  struct idem_span query = request->query, piece;
  bool credential, presigned = key_query_is_presigned(query);
  while (key_query_next(&query, &piece, &credential))
    if (key_query_role(&request->rule->keying, presigned, &piece) == HEADER_VARY)
      hash_field(hash, piece);
  hash_number(hash, UINT64_MAX);
}

/* What the body says, and how it was read: F a form, J JSON, R byte by byte; 0: there is no memory to see
 * whether it is JSON, and its bytes would be another name than the one that it has on a better day. */
static char body_digest(const struct idem_request *request, struct idem_span type, struct idem_span boundary,
                        const struct json_canon_options *options, uint8_t digest[IDEM_KEY_SIZE])
{
  struct hash hash;
  hash_begin(&hash);
  if (!hash_form(&hash, request->body, boundary)) {
    int rc = is_plain_text(request, type) ? -EINVAL : json_canon(request->body, options, digest);
    if (rc != -EINVAL)
      return rc < 0 ? 0 : 'J';
    hash_bytes(&hash, request->body.data, request->body.len);
    hash_end(&hash, digest);
    return 'R';
  }
  hash_end(&hash, digest);
  return 'F';
}

static void end_with_headers(const struct idem_request *request, bool named, struct counting *counting,
                             uint8_t digest[IDEM_KEY_SIZE])
{
  key_headers(request, HEADER_VARY, named, hash_header, counting);
  hash_number(counting->hash, UINT64_MAX);
  hash_end(counting->hash, digest);
}

/* What goes in, and in which order, is on the disk as a name. If it changes, so must the text that it begins
 * with. */
void content_of_replaced(const struct idem_request *request, bool named,
                         struct idem_span (*replace)(void *arg, struct idem_span text), void *arg,
                         struct content *content)
{
  const struct json_canon_options options = {&request->rule->keying.ignore, replace, arg};
  uint8_t body[IDEM_KEY_SIZE];
  struct hash hash, other;
  const struct idem_span type = find_type(request);
  struct counting counting = {.hash = &hash, .boundary = boundary_in(type)};
  char kind = body_digest(request, type, counting.boundary, &options, body);
  /* The boundary is left out of the header only where it was left out of the body. */
  if (kind != 'F')
    counting.boundary.len = 0;
  hash_begin(&hash);
  hash_text(&hash, "idemshim content 2");
  hash_query(&hash, request);
  hash_field(&hash, request->shape);
  hash_bytes(&hash, &kind, 1);
  hash_digest(&hash, body);
  /* A hash owns nothing and may go on in several ways: without the headers, and with them. */
  other = hash;
  hash_end(&other, content->beside_headers);
  other = hash;
  end_with_headers(request, named, &counting, content->fingerprint);
  memcpy(content->unnamed, content->fingerprint, IDEM_KEY_SIZE);
  if (named) {
    counting.hash = &other;
    end_with_headers(request, false, &counting, content->unnamed);
  }
  content->lacks_memory = !kind;
  content->unread =
      kind != 'J' && request->body.len && (options.ignore->count || request->rule->redact.count);
}

void content_of(const struct idem_request *request, bool named, struct content *content)
{
  content_of_replaced(request, named, NULL, NULL, content);
}
