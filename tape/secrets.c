/* SPDX-License-Identifier: MIT */
/* The credentials of a request wherever else they stand: a server that echoes its request, a URL in a
 * message. */
#include "store/key/key.h"
#include "tape/redact.h"

#include <string.h>
#include <strings.h>

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

/* "a=b; c=d" */
static void add_cookies(struct tape_secrets *out, struct idem_span cookies)
{
  while (cookies.len) {
    const char *end = memchr(cookies.data, ';', cookies.len);
    size_t len = end ? (size_t)(end - cookies.data) : cookies.len, used = end ? len + 1 : len;
    add(out, behind((struct idem_span){cookies.data, len}, '='), COOKIE_LEAST);
    cookies = (struct idem_span){cookies.data + used, cookies.len - used};
  }
}

/* In any case. */
static bool is_named(const struct header *header, const char *name)
{
  return header->name.len == strlen(name) && strncasecmp(header->name.data, name, header->name.len) == 0;
}

/* Of "Bearer xyz", the scheme is no secret. */
static void add_header(struct tape_secrets *out, const struct header *header)
{
  if (is_named(header, "Cookie"))
    add_cookies(out, header->value);
  else if (is_named(header, "Authorization"))
    add(out, behind(header->value, ' '), SECRET_LEAST);
  else
    add(out, header->value, SECRET_LEAST);
}

/* Headers, query, and credentials that were set as options. */
void tape_secrets_collect(const struct idem_request *request, struct tape_secrets *out)
{
  struct idem_span query = request->query, piece;
  bool credential;
  out->count = 0;
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = key_header(request, request->headers[i], false);
    if (header.role == HEADER_CREDENTIAL)
      add_header(out, &header);
  }
  while (key_query_next(&query, &piece, &credential))
    if (credential)
      add(out, behind(piece, '='), SECRET_LEAST);
  for (size_t i = 0; i < request->credential_count; i++)
    add(out, behind(request->credentials[i], ':'), SECRET_LEAST);
}

/* Every place in which one of them stands, also inside of a body. */
void tape_secrets_scrub(const struct tape_secrets *secrets, char *data, size_t len)
{
  for (size_t i = 0; i < secrets->count; i++) {
    const struct idem_span *secret = &secrets->at[i];
    for (char *at = data, *end = data + len;
         (at = memmem(at, (size_t)(end - at), secret->data, secret->len));)
      memset(at, '*', secret->len);
  }
}
