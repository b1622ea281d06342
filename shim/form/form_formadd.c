/* SPDX-License-Identifier: MIT */
/*
 * A curl_formadd() list as the form that libcurl makes of it when it is sent [Curl_getformdata].
 *
 * Nothing is hooked of curl_formadd() itself: a list is public (struct curl_httppost), so it is read when a
 * call with it begins. Its bytes stay the app's. A field of several files is a form inside the form.
 */
#include "shim/form/form.h"

#include <stdlib.h>
#include <string.h>

/* A name may have a length of its own, and then has no NUL. */
static void set_name(struct form_part *part, const struct curl_httppost *post)
{
  size_t len = post->name && post->namelength ? (size_t)post->namelength : 0;
  char *name = len ? strndup(post->name, len) : NULL;
  form_part_set_text(part, &part->name, name ? name : post->name);
  free(name);
  if (len && !name)
    part->form->unknown = "no memory";
}

/* The bytes stay where they are: a list that is sent must not change, as libcurl demands too. */
static void point_at(struct form_part *part, const char *data, size_t len)
{
  if (!data)
    return;
  part->kind = PART_DATA;
  part->data = data;
  part->len = len ? len : strlen(data);
}

/* All but the file's name is taken from the first entry of the field. */
static void set_content(struct form_part *part, const struct curl_httppost *post,
                        const struct curl_httppost *file)
{
  curl_off_t len = post->flags & CURL_HTTPPOST_LARGE ? post->contentlen : post->contentslength;
  bool reads = post->flags & (CURL_HTTPPOST_FILENAME | CURL_HTTPPOST_READFILE);
  if (reads && strcmp(file->contents, "-") == 0)
    part->unknown = "a form with standard input";
  else if (reads) {
    form_part_set_file(part, file->contents);
    if (post->flags & CURL_HTTPPOST_READFILE)
      form_part_set_text(part, &part->filename, NULL);
  } else if (post->flags & CURL_HTTPPOST_BUFFER)
    point_at(part, post->buffer, (size_t)post->bufferlength);
  else if (post->flags & CURL_HTTPPOST_CALLBACK)
    part->unknown = "CURLFORM_STREAM cannot be rewound";
  else
    point_at(part, post->contents, (size_t)len);
}

/* One file or value of a field becomes a part. False without memory. */
static bool add_entry(struct form *into, const struct curl_httppost *post, const struct curl_httppost *file)
{
  const long named = CURL_HTTPPOST_FILENAME | CURL_HTTPPOST_BUFFER | CURL_HTTPPOST_CALLBACK;
  struct form_part *part = form_append(into);
  if (!part)
    return false;
  form_part_set_headers(part, file->contentheader);
  form_part_set_text(part, &part->type, file->contenttype);
  if (!post->more)
    set_name(part, post);
  set_content(part, post, file);
  if (post->showfilename && (post->more || (post->flags & named)))
    form_part_set_text(part, &part->filename, post->showfilename);
  return true;
}

/* A form inside the form, as a part of the field's name. */
static struct form *nest(struct form *form, const struct curl_httppost *post)
{
  struct form_part *part = form_append(form);
  struct form *parts = part ? form_new(form->lib) : NULL;
  if (!parts)
    return NULL;
  set_name(part, post);
  form_part_set_parts(part, parts);
  return parts;
}

struct form *form_of_list(const struct curl_httppost *list, const struct libcurl *lib)
{
  struct form *form = form_new(lib);
  bool complete = form;
  for (const struct curl_httppost *post = list; complete && post; post = post->next) {
    struct form *into = post->more ? nest(form, post) : form;
    complete = into;
    for (const struct curl_httppost *file = post; complete && file; file = file->more)
      complete = add_entry(into, post, file);
  }
  if (complete)
    return form;
  form_drop(form);
  return NULL;
}
