/* SPDX-License-Identifier: MIT */
/*
 * What never reaches a tape. Names and shapes stay: a reader sees that there was an Authorization header and
 * how many cookies, and a replay calls back with the same sizes where the app saw them. It happens after
 * naming, so what is redacted still counts in the key.
 */
#include "tape/redact.h"

#include "config/ascii.h"
#include "config/names.h"
#include "store/json/json_pointer.h"
#include "store/judge/event_stream.h"
#include "store/key/key.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

/* Query. */

/* Parameters are looked at name by name, and the value of a credential is replaced. */
void tape_redact_query(struct buffer *out, struct idem_span query)
{
  struct idem_span piece;
  bool credential, first = true;
  for (; key_query_next(&query, &piece, &credential); first = false) {
    size_t name =
        credential ? (size_t)((const char *)memchr(piece.data, '=', piece.len) + 1 - piece.data) : 0;
    buffer_text(out, first ? "" : "&");
    buffer_add(out, piece.data, credential ? name : piece.len);
    buffer_text(out, credential ? REDACTED : "");
  }
}

/* Request headers. */

/* One line: what is no credential stays as it is. Of Authorization and Proxy-Authorization the scheme
 * (Bearer, Basic) stays readable: it is worth knowing and no secret. */
static void redact_line(struct buffer *out, const struct idem_request *request, struct idem_span line)
{
  static const char word[] = "authorization";
  const size_t len = sizeof(word) - 1;
  struct header header = key_header(request, line, false);
  struct idem_span name = header.name;
  if (header.role != HEADER_CREDENTIAL && header.role != HEADER_SECRET) {
    buffer_span(out, line);
  } else {
    const char *value = (const char *)memchr(line.data, ':', line.len) + 1, *end = line.data + line.len;
    while (value < end && idem_is_blank(*value))
      value++;
    bool scheme = name.len >= len && strncasecmp(name.data + name.len - len, word, len) == 0;
    const char *blank = scheme ? memchr(value, ' ', (size_t)(end - value)) : NULL;
    buffer_span(out, name);
    buffer_text(out, ": ");
    buffer_add(out, value, blank ? (size_t)(blank - value) + 1 : 0);
    buffer_text(out, REDACTED);
  }
  buffer_text(out, "\r\n");
}

/* Every line that the request has, in its order. */
void tape_redact_headers(struct buffer *out, const struct idem_request *request)
{
  for (size_t i = 0; i < request->header_count; i++)
    if (request->headers[i].len)
      redact_line(out, request, request->headers[i]);
}

/* A body that cannot be read as JSON has nothing to point to, and is left out as a whole: what
 * the rule wants hidden may be anywhere in it. */
void tape_redact_body(struct buffer *out, const struct idem_rule *rule, struct idem_span body)
{
  if (rule->redact.count && body.len)
    json_redact(out, body, &rule->redact);
  else
    buffer_span(out, body);
}

/* Response headers. */

/* "[redacted]", cut or filled up to the length that the value has. */
static void cover(char *value, size_t len)
{
  size_t text = sizeof(REDACTED) - 1;
  memset(value, '*', len);
  if (len >= text)
    memcpy(value, REDACTED, text);
}

/* Set-Cookie: NAME=VALUE; attributes. The name and the attributes stay. */
static void cover_cookie(char *line, size_t len)
{
  char *equals = memchr(line, '=', len), *end = memchr(line, ';', len);
  end = end ? end : line + len;
  if (equals && equals < end)
    cover(equals + 1, (size_t)(end - equals - 1));
}

/* Bytes are covered in place, and keep their length, since the app's callbacks get them back. */
void tape_redact_response(char *headers, size_t len)
{
  struct idem_span rest = {headers, len}, line;
  while (event_stream_line(&rest, &line)) {
    const char *colon = memchr(line.data, ':', line.len);
    if (!colon)
      continue;
    struct idem_span name = {line.data, (size_t)(colon - line.data)};
    char *place = headers + (line.data - headers);
    if (idem_is_named(name.data, name.len, "Set-Cookie"))
      cover_cookie(place, line.len);
    else if (IDEM_NAME_IS_SECRET(idem_name_of_header(name.data, name.len)))
      cover(place + name.len + 1, line.len - name.len - 1);
  }
}

/* The credentials of a request wherever else they stand: a server that echoes its request, a URL in a
 * message. */

/* Texts that are shorter are found by chance, and a cookie may be a word that any page has. */
enum { SECRET_LEAST = 8, COOKIE_LEAST = 16 };

/* More secrets than there is room for are in no request that anybody makes. */
static void add(struct tape_secrets *out, struct idem_span secret, size_t least)
{
  if (secret.len >= least && out->count < SECRETS_MOST)
    out->at[out->count++] = secret;
}

/* What is behind the first such sign; all of it where there is none. */
static struct idem_span behind(struct idem_span text, char sign)
{
  const char *at = text.len ? memchr(text.data, sign, text.len) : NULL;
  return at ? (struct idem_span){at + 1, text.len - (size_t)(at + 1 - text.data)} : text;
}

/* All cookies stand in one header: "a=b; c=d". */
static void add_cookies(struct tape_secrets *out, struct idem_span cookies)
{
  while (cookies.len) {
    const char *end = memchr(cookies.data, ';', cookies.len);
    size_t len = end ? (size_t)(end - cookies.data) : cookies.len, used = end ? len + 1 : len;
    add(out, behind((struct idem_span){cookies.data, len}, '='), COOKIE_LEAST);
    cookies = (struct idem_span){cookies.data + used, cookies.len - used};
  }
}

/* "user:password", as a server sees it. */
static void add_basic(struct tape_secrets *out, struct idem_span pair)
{
  char *coded = out->coded + out->coded_len;
  size_t len = (pair.len + 2) / 3 * 4;
  if (!pair.len || !memchr(pair.data, ':', pair.len) || len >= sizeof(out->coded) - out->coded_len)
    return;
  EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)pair.data, (int)pair.len);
  add(out, (struct idem_span){coded, len}, SECRET_LEAST);
  out->coded_len += len + 1;
}

/* What was set as an option: a password, a token, or lines of cookies and of a .netrc. */
static void add_option(struct tape_secrets *out, struct idem_span text)
{
  struct idem_span line;
  add(out, behind(text, ':'), SECRET_LEAST);
  add_basic(out, text);
  while (event_stream_line(&text, &line))
    add(out, behind(line, '='), COOKIE_LEAST);
}

/* Headers (of "Bearer xyz", the scheme is no secret), query, and credentials that were set as options. */
void tape_secrets_collect(const struct idem_request *request, struct tape_secrets *out)
{
  struct idem_span query = request->query, piece;
  bool credential;
  out->count = out->coded_len = 0;
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = key_header(request, request->headers[i], false);
    if (header.role != HEADER_CREDENTIAL)
      continue;
    if (idem_is_named(header.name.data, header.name.len, "Cookie"))
      add_cookies(out, header.value);
    else
      add(out,
          idem_is_named(header.name.data, header.name.len, "Authorization") ? behind(header.value, ' ')
                                                                            : header.value,
          SECRET_LEAST);
  }
  while (key_query_next(&query, &piece, &credential))
    if (credential)
      add(out, behind(piece, '='), SECRET_LEAST);
  for (size_t i = 0; i < request->credential_count; i++)
    add_option(out, request->credentials[i]);
}

/* Secrets are covered wherever they stand, also inside of a body. */
void tape_secrets_scrub(const struct tape_secrets *secrets, char *data, size_t len)
{
  for (size_t i = 0; i < secrets->count; i++) {
    const struct idem_span *secret = &secrets->at[i];
    for (char *at = data, *end = data + len;
         (at = memmem(at, (size_t)(end - at), secret->data, secret->len));)
      memset(at, '*', secret->len);
  }
}
