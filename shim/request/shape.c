/* SPDX-License-Identifier: MIT */
#include "shim/request/shape.h"

#include "shim/request/headers.h"
#include "shim/request/room_text.h"

#include <string.h>

/* A key cannot know whether the answer came by a redirect, so what decides that counts wherever one is
 * followed. */
static void add_redirects(struct text *text, const struct shadow *shadow)
{
  static const struct {
    CURLoption option;
    const char *name;
    bool none; /* 0 is none at all, and not the default */
  } numbers[] = {{CURLOPT_MAXREDIRS, ";redirects:", true},
                 {CURLOPT_POSTREDIR, ";post-redirects:", false},
                 {CURLOPT_REDIR_PROTOCOLS, ";redirect-protocols:", true},
                 {CURLOPT_UNRESTRICTED_AUTH, ";unrestricted-auth:", false},
                 {CURLOPT_AUTOREFERER, ";auto-referer:", false}};
  const long follow = (long)shadow->slot[SLOT_FOLLOWLOCATION];
  if (!follow)
    return;
  /* Since 8.16 it also says whether the method of CUSTOMREQUEST stays. */
  if (follow != 1)
    add_number(text, ";follow:", follow);
  /* On its way libcurl may change the method that it has of its own, and CUSTOMREQUEST covers it or not. A
   * GET and a HEAD stay what they are. */
  const char *custom = shadow_text(shadow, SLOT_CUSTOMREQUEST), *own = shadow_own_method(shadow);
  if (custom && (strcmp(custom, own) != 0 || (strcmp(own, "GET") != 0 && strcmp(own, "HEAD") != 0)))
    add_pair(text, ";custom-of:", own);
  for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
    const long value = (long)shadow_value(shadow, numbers[i].option);
    if (!value && numbers[i].none && shadow_has_set(shadow, numbers[i].option))
      add_pair(text, numbers[i].name, "0");
    add_number(text, numbers[i].name, value);
  }
  add_pair(text, ";redirect-protocols:", (const char *)shadow_value(shadow, CURLOPT_REDIR_PROTOCOLS_STR));
}

/* The shape is what decides the bytes of an answer besides the request: which codings the client undoes,
 * which part it asks for, which redirects it follows. */
const char *shape_build(struct request *request)
{
  const struct shadow *shadow = request->shadow;
  struct text text = {request->shape, 0, sizeof(request->shape)};
  add_pair(&text, "decodes:", shadow_text(shadow, SLOT_ACCEPT_ENCODING));
  if (!shadow->slot[SLOT_HTTP_CONTENT_DECODING])
    add_text(&text, ";raw-content");
  if (!shadow->slot[SLOT_HTTP_TRANSFER_DECODING])
    add_text(&text, ";raw-transfer");
  if (shadow->no_body)
    add_text(&text, ";no-body");
  /* libcurl takes dot segments out of the URL otherwise. */
  if (shadow->rare_count && shadow_value(shadow, CURLOPT_PATH_AS_IS))
    add_text(&text, ";path-as-is");
  if (shadow->needy) {
    /* The part of the answer that is asked for. */
    add_pair(&text, ";range:", (const char *)shadow_value(shadow, CURLOPT_RANGE));
    add_number(&text, ";from:", (long long)shadow_value(shadow, CURLOPT_RESUME_FROM_LARGE));
  }
  add_redirects(&text, shadow);
  for (size_t i = 0; i < request->bytes.header_count; i++) {
    /* An app may ask for a coding by a header of its own, and undo it itself. */
    if (header_says(request->headers[i], "accept-encoding")) {
      const struct idem_span value = value_of(request->headers[i].data + strlen("accept-encoding"));
      add_text(&text, ";asks: ");
      add(&text, value.data, value.len);
    }
  }
  return take_text(&request->bytes.shape, &text, "ACCEPT_ENCODING too long");
}
