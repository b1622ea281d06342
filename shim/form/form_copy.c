/* SPDX-License-Identifier: MIT */
/* Forms as curl_easy_duphandle() copies them [Curl_mime_duppart]: everything anew but for the readers'
 * arguments. */
#include "shim/form/form.h"

#include <stdlib.h>
#include <string.h>

static struct curl_slist *copy_line(const struct curl_slist *line)
{
  struct curl_slist *copy = malloc(sizeof(*copy));
  char *data = strdup(line->data);
  if (!copy || !data) {
    free(copy);
    free(data);
    return NULL;
  }
  *copy = (struct curl_slist){.data = data};
  return copy;
}

static bool copy_headers(struct form_part *to, const struct curl_slist *line)
{
  struct curl_slist *first = NULL, **end = &first;
  bool complete = true;
  for (; line && complete; line = line->next) {
    *end = copy_line(line);
    complete = *end != NULL;
    end = complete ? &(*end)->next : end;
  }
  form_part_set_headers(to, first);
  to->own_headers = true;
  return complete;
}

static bool copy_content(struct form_part *to, const struct form_part *from)
{
  switch ((enum part_kind)from->kind) {
  case PART_EMPTY:
    return true;
  case PART_DATA:
    to->kind = PART_DATA;
    to->data = from->data;
    to->len = from->len;
    to->blob = from->blob;
    if (to->blob)
      atomic_fetch_add(&to->blob->refs, 1);
    return true;
  case PART_FILE:
    if (from->path)
      form_part_set_file(to, from->path);
    return from->path;
  case PART_READER:
    form_part_set_reader(to, from->reader);
    return true;
  case PART_PARTS: {
    struct form *parts = form_copy(from->parts);
    if (parts)
      form_part_set_parts(to, parts);
    return parts;
  }
  }
  return false;
}

static void copy_part(struct form_part *to, const struct form_part *from)
{
  bool complete = copy_content(to, from) && copy_headers(to, from->headers);
  form_part_set_text(to, &to->name, from->name);
  form_part_set_text(to, &to->filename, from->filename);
  form_part_set_text(to, &to->type, from->type);
  form_part_set_text(to, &to->encoder, from->encoder);
  if (from->unknown)
    to->unknown = from->unknown;
  if (!complete)
    to->form->unknown = "no memory";
}

struct form *form_copy(const struct form *form)
{
  struct form *copy = form_new(form->lib);
  if (!copy)
    return NULL;
  copy->unknown = form->unknown;
  for (const struct form_part *from = form->first; from; from = from->next) {
    struct form_part *to = form_append(copy);
    if (!to) {
      form_drop(copy);
      return NULL;
    }
    copy_part(to, from);
  }
  return copy;
}

void form_share_readers(const struct form *form)
{
  for (const struct form_part *part = form->first; part; part = part->next) {
    if (part->kind == PART_READER)
      form_reader_share(part->reader);
    if (part->kind == PART_PARTS)
      form_share_readers(part->parts);
  }
}
