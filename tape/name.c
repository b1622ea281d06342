/* SPDX-License-Identifier: MIT */
/* What a replay looks an exchange up by. The store's names would not do: they have its secret, the credential
 * and the scope in them, and none of these are the same at another desk; and they cost more than a recording
 * may. */
#include "store/key/key.h"

#include "store/base/hash.h"
#include "store/base/process.h"
#include "store/key/content.h"
#include "tape/tape.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* What both names have in common. */
static void begin(struct hash *hash, const char *what, const struct idem_request *request)
{
  hash_begin(hash);
  hash_text(hash, what);
  hash_field(hash, request->method);
  hash_field(hash, request->origin);
  hash_field(hash, request->path);
}

/* The key. */

/* The first of the rule's headers that the request has with a value. */
static bool add_key_header(struct hash *hash, const struct idem_request *request)
{
  struct header first = {.which = UINT_MAX};
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = key_header(request, request->headers[i], false);
    if (header.role == HEADER_KEY && header.value.len && header.which < first.which)
      first = header;
  }
  if (first.which == UINT_MAX)
    return false;
  hash_text(hash, request->rule->keying.headers.word[first.which]);
  key_hash_values(hash, request, &first);
  return true;
}

/* A key that the client sent, or fields that the rule names; else the content alone. */
void tape_name(const struct idem_request *request, struct tape_call *call)
{
  struct quiet quiet = quiet_begin();
  struct hash hash;
  begin(&hash, "idemshim tape key 2", request);
  enum idem_key_kind kind = request->rule->keying.kind;
  int fields = kind == IDEM_KEY_JSON ? content_pointers(&request->rule->keying.pointers, request->body, &hash)
                                     : -ENOKEY;
  bool named =
      kind == IDEM_KEY_JSON ? fields == 0 : kind != IDEM_KEY_CONTENT && add_key_header(&hash, request);
  struct content content;
  struct hash print;
  content_of(request, named, &content);
  call->unnamed = content.lacks_memory || fields == -ENOMEM;
  begin(&print, "idemshim tape content 2", request);
  hash_digest(&print, content.fingerprint);
  hash_end(&print, call->fingerprint);
  if (named)
    hash_end(&hash, call->key);
  else
    memcpy(call->key, call->fingerprint, IDEM_KEY_SIZE);
  quiet_end(&quiet);
}
