/* SPDX-License-Identifier: MIT */
/* A curl_formadd() list as the form that libcurl makes of it when it is sent [Curl_getformdata]. */
#include "shim/form/form.h"

#include <stdlib.h>
#include <string.h>

static void set_name(struct form_part *part, const struct curl_httppost *post)
{
  size_t len = post->name && post->namelength ? (size_t)post->namelength : 0;
  char *name = len ? strndup(post->name, len) : NULL;
  form_part_set_text(part, &part->name, name ? name : post->name);
  free(name);
  if (len && !name)
    part->form->unknown = "no memory";
}

static void point_at(struct form_part *part, const char *data, size_t len)
{
  if (!data)
    return;
  part->kind = PART_DATA;
  part->data = data;
  part->len = len ? len : strlen(data);
}

static void set_file(struct form_part *part, const struct curl_httppost *post, const char *path)
{
  if (strcmp(path, "-") == 0) {
    part->unknown = "a form with standard input";
    return;
  }
  form_part_set_file(part, path);
  if (post->flags & CURL_HTTPPOST_READFILE)
    form_part_set_text(part, &part->filename, NULL);
}

/* All but the file's name is taken from the first entry of the field. */
static void set_content(struct form_part *part, const struct curl_httppost *post,
                        const struct curl_httppost *file)
{
  curl_off_t len = post->flags & CURL_HTTPPOST_LARGE ? post->contentlen : post->contentslength;
  if (post->flags & (CURL_HTTPPOST_FILENAME | CURL_HTTPPOST_READFILE))
    set_file(part, post, file->contents);
  else if (post->flags & CURL_HTTPPOST_BUFFER)
    point_at(part, post->buffer, (size_t)post->bufferlength);
  else if (post->flags & CURL_HTTPPOST_CALLBACK)
    part->unknown = "CURLFORM_STREAM cannot be rewound";
  else
    point_at(part, post->contents, (size_t)len);
}

static bool shows_filename(const struct curl_httppost *post)
{
  const long kinds = CURL_HTTPPOST_FILENAME | CURL_HTTPPOST_BUFFER | CURL_HTTPPOST_CALLBACK;
  return post->showfilename && (post->more || (post->flags & kinds));
}

static bool add_entry(struct form *into, const struct curl_httppost *post, const struct curl_httppost *file)
{
  struct form_part *part = form_append(into);
  if (!part)
    return false;
  form_part_set_headers(part, file->contentheader);
  form_part_set_text(part, &part->type, file->contenttype);
  if (!post->more)
    set_name(part, post);
  set_content(part, post, file);
  if (shows_filename(post))
    form_part_set_text(part, &part->filename, post->showfilename);
  return true;
}

/* Several files of one field are a form inside the form. */
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

static bool add_field(struct form *form, const struct curl_httppost *post)
{
  struct form *into = post->more ? nest(form, post) : form;
  bool complete = into;
  for (const struct curl_httppost *file = post; complete && file; file = file->more)
    complete = add_entry(into, post, file);
  return complete;
}

struct form *form_of_list(const struct curl_httppost *list, const struct libcurl *lib)
{
  struct form *form = form_new(lib);
  bool complete = form;
  for (; complete && list; list = list->next)
    complete = add_field(form, list);
  if (complete)
    return form;
  form_drop(form);
  return NULL;
}
