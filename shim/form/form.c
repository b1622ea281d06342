/* SPDX-License-Identifier: MIT */
/*
 * A form is a list of parts, in the order in which libcurl sends them. A handle that is given a form shares
 * it with the app, which may go on to change it until the transfer; a copied handle has a copy of its own. So
 * a form lives until its curl_mime is freed and every handle has dropped it, and a part as long as its form.
 */
#include "shim/form/form.h"

#include "config/kernel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char no_memory[] = "no memory";

/* Forms and parts. Their memory is freed, so they are looked for under the lock: forms are not made by the
 * thousand for each call. */
static struct pointer_map forms = POINTER_MAP(struct pointer_entry);

/* Bytes with one reference; NULL without memory. */
static struct blob *blob_new(const char *data, size_t len)
{
  struct blob *blob = malloc(sizeof(*blob) + len);
  if (!blob)
    return NULL;
  blob->refs = 1;
  blob->len = len;
  if (len)
    memcpy(blob->data, data, len);
  return blob;
}

static void blob_drop(struct blob *blob)
{
  if (blob && atomic_fetch_sub(&blob->refs, 1) == 1)
    free(blob);
}

struct form *form_new(const struct libcurl *lib)
{
  struct form *form = calloc(1, sizeof(*form));
  if (!form)
    return NULL;
  form->lib = lib;
  form->refs = 1;
  return form;
}

/* libcurl makes the form even if we cannot: it is then one that we do not know. */
void form_track(curl_mime *mime, const struct libcurl *lib)
{
  struct form *form = form_new(lib);
  if (form && !pointer_map_add(&forms, &form->entry, mime))
    free(form);
}

struct form *form_find(const curl_mime *mime)
{
  return pointer_map_find_locked(&forms, mime);
}

struct form_part *form_part_find(const curl_mimepart *part)
{
  return pointer_map_find_locked(&forms, part);
}

struct form_part *form_append(struct form *form)
{
  struct form_part *part = calloc(1, sizeof(*part));
  if (!part)
    return NULL;
  part->form = form;
  if (form->last)
    form->last->next = part;
  else
    form->first = part;
  form->last = part;
  return part;
}

/* A form that lacks a part would pass for another one, so without memory it is unknown. */
void form_add_part(struct form *form, const curl_mimepart *real)
{
  struct form_part *part = form_append(form);
  if (!part || !pointer_map_add(&forms, &part->entry, real))
    form->unknown = no_memory;
}

/* A missing name is a name too, so without memory the form is unknown. */
void form_part_set_text(struct form_part *part, char **text, const char *value)
{
  free(*text);
  *text = value ? strdup(value) : NULL;
  if (value && !*text)
    part->form->unknown = no_memory;
}

/* A copy's header lines are its own; the app's are only pointed at. */
static void free_own_headers(struct form_part *part)
{
  struct curl_slist *line = part->own_headers ? (struct curl_slist *)part->headers : NULL;
  while (line) {
    struct curl_slist *next = line->next;
    free(line->data);
    free(line);
    line = next;
  }
  part->own_headers = false;
  part->headers = NULL;
}

void form_part_set_headers(struct form_part *part, const struct curl_slist *headers)
{
  free_own_headers(part);
  part->headers = headers;
}

/* The reader and the parts are dropped last: freeing a form takes it out of this very part. */
void form_part_clear(struct form_part *part)
{
  struct form *parts = part->parts;
  struct form_reader *reader = part->reader;
  blob_drop(part->blob);
  free(part->path);
  part->kind = PART_EMPTY;
  part->unknown = NULL;
  part->blob = NULL;
  part->path = NULL;
  part->reader = NULL;
  part->parts = NULL;
  if (reader)
    form_reader_unref(reader);
  if (parts)
    form_forget(parts);
}

/* libcurl copies data as well: the app may free its own at once. */
void form_part_set_data(struct form_part *part, const char *data, size_t len)
{
  part->kind = PART_DATA;
  part->blob = blob_new(data, len);
  part->data = part->blob ? part->blob->data : NULL;
  part->len = len;
  if (!part->blob)
    part->unknown = no_memory;
}

/* libcurl tells the last part of the path to the server, and sends as many bytes as there are now. */
void form_part_set_file(struct form_part *part, const char *path)
{
  const char *slash = strrchr(path, '/');
  struct stat file;
  part->kind = PART_FILE;
  part->size = idem_fstatat(AT_FDCWD, path, &file, 0) == 0 && S_ISREG(file.st_mode) ? file.st_size : -1;
  form_part_set_text(part, &part->path, path);
  form_part_set_text(part, &part->filename, slash ? slash + 1 : path);
}

/* libcurl has one reference already, which form_reader_free() ends; this one is the description's. */
void form_part_set_reader(struct form_part *part, struct form_reader *reader)
{
  part->kind = PART_READER;
  part->reader = reader;
  form_reader_ref(reader);
}

void form_part_set_parts(struct form_part *part, struct form *parts)
{
  part->kind = PART_PARTS;
  part->parts = parts;
  parts->owner = part;
}

static void free_part(struct form_part *part)
{
  pointer_map_remove(&forms, &part->entry);
  form_part_clear(part);
  free_own_headers(part);
  free(part->name);
  free(part->filename);
  free(part->type);
  free(part->encoder);
  free(part);
}

/* Each part is off the list before it goes, so that the list is whole at any moment. */
static void free_parts(struct form *form)
{
  for (struct form_part *part; (part = form->first);) {
    form->first = part->next;
    free_part(part);
  }
  form->last = NULL;
}

/* Takes the form out of the part that it was put into, as libcurl does. Handles that still have it know from
 * now on that nobody can tell what they send. */
void form_forget(struct form *form)
{
  struct form_part *owner = form->owner;
  pointer_map_remove(&forms, &form->entry);
  form->owner = NULL;
  if (owner) {
    owner->parts = NULL;
    form_part_clear(owner);
  }
  free_parts(form);
  form->unknown = "a form that was freed";
  form_drop(form);
}

/* The handle shares the form with the app, which may still add to it. */
struct form *form_take(const curl_mime *mime)
{
  struct form *form = form_find(mime);
  if (form)
    form->refs++;
  return form;
}

curl_mime *form_real(const struct form *form)
{
  return form ? (curl_mime *)form->entry.key : NULL;
}

/* The last of the curl_mime and the handles that had it frees it. */
void form_drop(struct form *form)
{
  if (!form || --form->refs)
    return;
  free_parts(form);
  free(form);
}

/* Copies, as curl_easy_duphandle() makes them [Curl_mime_duppart]: everything anew but for the readers'
 * arguments. */

static bool copy_headers(struct form_part *to, const struct curl_slist *line)
{
  struct curl_slist *first = NULL, **end = &first;
  for (; line; line = line->next) {
    struct curl_slist *copy = calloc(1, sizeof(*copy));
    if (!copy || !(copy->data = strdup(line->data))) {
      free(copy);
      break;
    }
    *end = copy;
    end = &copy->next;
  }
  form_part_set_headers(to, first);
  to->own_headers = true;
  return !line;
}

/* Copies what the part is about. A file is looked at anew, as libcurl does; data is shared, for it never
 * changes. False without memory. */
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
    if (!copy_content(to, from) || !copy_headers(to, from->headers))
      copy->unknown = no_memory;
    form_part_set_text(to, &to->name, from->name);
    form_part_set_text(to, &to->filename, from->filename);
    form_part_set_text(to, &to->type, from->type);
    form_part_set_text(to, &to->encoder, from->encoder);
    if (from->unknown)
      to->unknown = from->unknown;
  }
  return copy;
}

/* The copy that is about to be made will call the same functions with the same arguments, and what one of the
 * two reads the other has lost. */
void form_share_readers(const struct form *form)
{
  for (const struct form_part *part = form->first; part; part = part->next) {
    if (part->kind == PART_READER)
      form_reader_share(part->reader);
    if (part->kind == PART_PARTS)
      form_share_readers(part->parts);
  }
}

void form_lock_all(void)
{
  pointer_map_lock(&forms);
}

void form_unlock_all(void)
{
  pointer_map_unlock(&forms);
}
