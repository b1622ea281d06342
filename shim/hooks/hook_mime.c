/* SPDX-License-Identifier: MIT */
/* What the app puts into a form: curl_mime_*. */
#include "shim/form/form.h"
#include "shim/handle/shadow.h"
#include "shim/hooks/hook.h"
#include "shim/runtime/settings.h"

#include <string.h>

/* How each hook of a part begins: `known` is the part, if it is one of ours, and `real` a libcurl that has
 * the function. */
#define FIND_PART(function)                                                                                  \
  struct form_part *known = form_part_find(part);                                                            \
  const struct libcurl *real = known ? known->form->lib : libcurl_of(CALLER);                                \
  if (!real || !real->mime_##function)                                                                       \
    return CURLE_NOT_BUILT_IN;

/* Content that no rule would let into a key is not kept. */
static bool is_too_large(size_t len)
{
  const struct idem_config *config = settings();
  for (size_t i = 0; i < config->rule_count; i++)
    if (len <= config->rules[i].max_body)
      return false;
  return true;
}

/* libcurl makes forms of its own, for a copied handle and of a curl_formadd() list: those are its own affair.
 */
HOOK(curl_mime *, curl_mime_init, (CURL * handle))
{
  const struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  curl_mime *mime = real && real->mime_init ? real->mime_init(handle) : NULL;
  if (mime && shadow && settings_active() && !libcurl_itself(CALLER))
    form_track(mime, real);
  return mime;
}

HOOK(void, curl_mime_free, (curl_mime * mime))
{
  struct form *form = form_find(mime);
  const struct libcurl *real = form ? form->lib : libcurl_of(CALLER);
  if (form)
    form_forget(form);
  if (real && real->mime_free)
    real->mime_free(mime);
}

HOOK(curl_mimepart *, curl_mime_addpart, (curl_mime * mime))
{
  struct form *form = form_find(mime);
  const struct libcurl *real = form ? form->lib : libcurl_of(CALLER);
  curl_mimepart *part = real && real->mime_addpart ? real->mime_addpart(mime) : NULL;
  if (part && form)
    form_add_part(form, part);
  return part;
}

/* Functions that set a text; the member has the function's name. libcurl frees the earlier text first, so
 * that after a failure there is none [mime.c, curl_mime_name]. */
#define HOOK_TEXT(text)                                                                                      \
  HOOK(CURLcode, curl_mime_##text, (curl_mimepart * part, const char *value))                                \
  {                                                                                                          \
    FIND_PART(text)                                                                                          \
    CURLcode code = real->mime_##text(part, value);                                                          \
    if (known)                                                                                               \
      form_part_set_text(known, &known->text, code == CURLE_OK ? value : NULL);                              \
    return code;                                                                                             \
  }
HOOK_TEXT(name)
HOOK_TEXT(filename)
HOOK_TEXT(type)
HOOK_TEXT(encoder)

HOOK(CURLcode, curl_mime_headers, (curl_mimepart * part, struct curl_slist *headers, int take_ownership))
{
  FIND_PART(headers)
  CURLcode code = real->mime_headers(part, headers, take_ownership);
  if (known && code == CURLE_OK)
    form_part_set_headers(known, headers);
  return code;
}

HOOK(CURLcode, curl_mime_data, (curl_mimepart * part, const char *data, size_t len))
{
  FIND_PART(data)
  /* Before the call, as in libcurl, which lets go of the content of before whether it takes the new one or
   * not, and calls an app's free function for it [mime.c, cleanup_part_content]. */
  if (known)
    form_part_clear(known);
  CURLcode code = real->mime_data(part, data, len);
  if (!known || code != CURLE_OK || !data)
    return code;
  if (len == CURL_ZERO_TERMINATED)
    len = strlen(data);
  if (is_too_large(len))
    known->unknown = "max_body";
  else
    form_part_set_data(known, data, len);
  return code;
}

/* libcurl keeps the path of a file that it cannot read, too. */
HOOK(CURLcode, curl_mime_filedata, (curl_mimepart * part, const char *path))
{
  FIND_PART(filedata)
  if (known)
    form_part_clear(known);
  CURLcode code = real->mime_filedata(part, path);
  if (known && path)
    form_part_set_file(known, path);
  if (known && code != CURLE_OK)
    known->unknown = "a file that cannot be read";
  return code;
}

/* Ours in front of the app's; without memory the app's alone, and nobody knows what it will say. */
static CURLcode set_reader(struct form_part *known, curl_mimepart *part, struct form_reader *reader)
{
  const struct libcurl *real = known->form->lib;
  CURLcode code = real->mime_data_cb(part, reader->size, form_reader_read,
                                     reader->seek_app ? form_reader_seek : NULL, form_reader_free, reader);
  if (code == CURLE_OK)
    form_part_set_reader(known, reader);
  else
    form_reader_unref(reader);
  return code;
}

HOOK(CURLcode, curl_mime_data_cb,
     (curl_mimepart * part, curl_off_t size, curl_read_callback read, curl_seek_callback seek,
      curl_free_callback free, void *arg))
{
  FIND_PART(data_cb)
  if (known)
    form_part_clear(known);
  struct form_reader *reader = known && read ? form_reader_new(size, read, seek, free, arg) : NULL;
  if (reader)
    return set_reader(known, part, reader);
  if (known && read)
    known->unknown = "no memory";
  return real->mime_data_cb(part, size, read, seek, free, arg);
}

/* A form that goes where we do not see it is one that we do not know. */
static void note_parts(struct form_part *known, curl_mime *subparts)
{
  struct form *parts = form_find(subparts);
  if (known && parts)
    form_part_set_parts(known, parts);
  else if (known && subparts)
    known->unknown = "a form that is not known";
  else if (parts)
    form_forget(parts);
}

HOOK(CURLcode, curl_mime_subparts, (curl_mimepart * part, curl_mime *subparts))
{
  FIND_PART(subparts)
  /* The same form once more is no change, and libcurl lets nothing go then [mime.c,
   * Curl_mime_set_subparts]. */
  bool again = known && subparts && known->parts && known->parts->entry.key == subparts;
  if (known && !again)
    form_part_clear(known);
  CURLcode code = real->mime_subparts(part, subparts);
  if (code == CURLE_OK && !again)
    note_parts(known, subparts);
  return code;
}
