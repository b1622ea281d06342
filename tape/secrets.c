/* SPDX-License-Identifier: MIT */
/* The credentials of a request wherever else they stand: a server that echoes its request, a URL in a
 * message. */
#include "store/name.h"
#include "tape/redact.h"

#include <string.h>

/* Texts that are shorter are found by chance. */
static void add(struct tape_secrets *out, struct idem_span secret)
{
  if (secret.len >= SECRET_LEAST && out->count < SECRETS_MOST)
    out->at[out->count++] = secret;
}

/* The words of a value: "Bearer xyz", "a=b; c=d", "user:password". */
static void add_words(struct tape_secrets *out, struct idem_span value)
{
  size_t from = 0;
  for (size_t i = 0; i <= value.len; i++) {
    if (i < value.len && !strchr(" ;:,", value.data[i]))
      continue;
    struct idem_span word = {value.data + from, i - from};
    const char *equals = word.len ? memchr(word.data, '=', word.len) : NULL;
    /* The = at the end of a base64 text is a part of it. */
    if (equals && (size_t)(equals - word.data) + 2 < word.len && equals[1] != '=')
      word = (struct idem_span){equals + 1, word.len - (size_t)(equals + 1 - word.data)};
    add(out, word);
    from = i + 1;
  }
}

void tape_secrets_collect(const struct idem_request *request, struct tape_secrets *out)
{
  struct idem_span query = request->query, piece;
  bool credential;
  out->count = 0;
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = name_header(&request->rule->keying, request->headers[i]);
    if (header.role == HEADER_CREDENTIAL)
      add_words(out, header.value);
  }
  while (name_query_next(&query, &piece, &credential))
    if (credential)
      add(out, (struct idem_span){piece.data + 4, piece.len - 4});
  for (size_t i = 0; i < request->credential_count; i++)
    add_words(out, request->credentials[i]);
}

void tape_secrets_scrub(const struct tape_secrets *secrets, char *data, size_t len)
{
  for (size_t i = 0; i < secrets->count; i++) {
    const struct idem_span *secret = &secrets->at[i];
    for (char *at = data, *end = data + len;
         (at = memmem(at, (size_t)(end - at), secret->data, secret->len));)
      memset(at, '*', secret->len);
  }
}
