/* SPDX-License-Identifier: MIT */
/*
 * What never reaches a tape. Names and shapes stay: a reader sees that there was an Authorization header and how many
 * cookies, and a replay calls back with the same sizes where the app saw them. It happens after naming, so what is redacted
 * still counts in the key.
 */
#include "tape/redact.h"

#include "store/json/json_pointer.h"
#include "store/judge/event_stream.h"
#include "store/key/key.h"

#include <string.h>
#include <strings.h>

/* Query. */

/* Name by name; the value of a credential is replaced. */
void tape_redact_query(struct tape_buffer *out, struct idem_span query)
{
  struct idem_span piece;
  bool credential, first = true;
  for (; key_query_next(&query, &piece, &credential); first = false) {
    size_t name =
        credential ? (size_t)((const char *)memchr(piece.data, '=', piece.len) + 1 - piece.data) : 0;
    tape_buffer_text(out, first ? "" : "&");
    tape_buffer_add(out, piece.data, credential ? name : piece.len);
    tape_buffer_text(out, credential ? TAPE_REDACTED : "");
  }
}

/* Request headers. */

/* Authorization and Proxy-Authorization, whose scheme (Bearer, Basic) stays readable. */
static bool is_authorization(struct idem_span name)
{
  static const char word[] = "authorization";
  size_t len = sizeof(word) - 1;
  return name.len >= len && strncasecmp(name.data + name.len - len, word, len) == 0;
}

/* Bytes of the scheme in "Bearer xyz", with the blank; it is worth knowing and no secret. */
static size_t scheme_len(struct idem_span name, struct idem_span value)
{
  const char *blank = is_authorization(name) ? memchr(value.data, ' ', value.len) : NULL;
  return blank ? (size_t)(blank - value.data) + 1 : 0;
}

static struct idem_span whole_value(struct idem_span line)
{
  const char *colon = memchr(line.data, ':', line.len);
  struct idem_span value = {colon + 1, line.len - (size_t)(colon + 1 - line.data)};
  while (value.len && (*value.data == ' ' || *value.data == '\t'))
    value = (struct idem_span){value.data + 1, value.len - 1};
  return value;
}

/* One line: what is no credential stays as it is. */
static void redact_line(struct tape_buffer *out, const struct idem_request *request, struct idem_span line)
{
  struct header header = key_header(request, line, false);
  if (header.role != HEADER_CREDENTIAL && header.role != HEADER_SECRET) {
    tape_buffer_span(out, line);
  } else {
    struct idem_span value = whole_value(line);
    tape_buffer_span(out, header.name);
    tape_buffer_text(out, ": ");
    tape_buffer_add(out, value.data, scheme_len(header.name, value));
    tape_buffer_text(out, TAPE_REDACTED);
  }
  tape_buffer_text(out, "\r\n");
}

/* Every line that the request has, in its order. */
void tape_redact_headers(struct tape_buffer *out, const struct idem_request *request)
{
  for (size_t i = 0; i < request->header_count; i++)
    if (request->headers[i].len)
      redact_line(out, request, request->headers[i]);
}

/* Bodies. */

/* Where the next part of the body that stays begins. */
struct covering {
  struct tape_buffer *out;
  const char *from; /* what has not been added yet */
};

/* In the order of the text; what lies in another that is covered is covered with it. */
static void cover_place(void *arg, size_t which, struct idem_span value)
{
  struct covering *covering = arg;
  (void)which;
  if (value.data < covering->from)
    return;
  tape_buffer_add(covering->out, covering->from, (size_t)(value.data - covering->from));
  tape_buffer_text(covering->out, "\"" TAPE_REDACTED "\"");
  covering->from = value.data + value.len;
}

/* A body that cannot be read as JSON has nothing to point to, and is left out as a whole: what
 * the rule wants hidden may be anywhere in it. */
void tape_redact_body(struct tape_buffer *out, const struct idem_rule *rule, struct idem_span body)
{
  struct covering covering = {out, body.data};
  size_t before = out->len;
  if (rule->redact.count && body.len && !json_find(body, &rule->redact, cover_place, &covering))
    out->len = before;
  else
    tape_buffer_add(out, covering.from, (size_t)(body.data + body.len - covering.from));
}

/* Response headers. */

/* The header of that name, in any case. */
static bool is_named(struct idem_span line, const char *name)
{
  size_t len = strlen(name);
  return line.len > len && line.data[len] == ':' && strncasecmp(line.data, name, len) == 0;
}

/* "[redacted]", cut or filled up to the length that the value has. */
static void cover(char *value, size_t len)
{
  size_t text = sizeof(TAPE_REDACTED) - 1;
  memset(value, '*', len);
  if (len >= text)
    memcpy(value, TAPE_REDACTED, text);
}

/* Set-Cookie: NAME=VALUE; attributes. The name and the attributes stay. */
static void cover_cookie(char *line, size_t len)
{
  char *equals = memchr(line, '=', len), *end = memchr(line, ';', len);
  end = end ? end : line + len;
  if (equals && equals < end)
    cover(equals + 1, (size_t)(end - equals - 1));
}

/* In place, and of the same length, since the app's callbacks get these bytes back. */
void tape_redact_response(char *headers, size_t len)
{
  static const char *const whole[] = {"Set-Cookie2", "Authentication-Info", "Proxy-Authentication-Info"};
  struct idem_span rest = {headers, len}, line;
  while (sse_line(&rest, &line)) {
    char *place = headers + (line.data - headers);
    if (is_named(line, "Set-Cookie"))
      cover_cookie(place, line.len);
    for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
      if (is_named(line, whole[i]))
        cover(place + strlen(whole[i]) + 1, line.len - strlen(whole[i]) - 1);
  }
}
