/* SPDX-License-Identifier: MIT */
#include "shim/request/form_body.h"

#include "shim/form/form.h"
#include "shim/form/form_file.h"

#include <stdio.h>
#include <string.h>

#define BOUNDARY "--idemshim-form"

/* Deeper forms than this are not for any server, and threads may have small stacks. */
#define DEPTH_MAX 16u

static void fail(struct form_body *body, const char *reason)
{
  if (!body->reason)
    body->reason = reason;
}

void form_body_add(struct form_body *body, const char *data, size_t len)
{
  if (body->reason)
    return;
  if (body->text.len > body->limit || len > body->limit - body->text.len)
    fail(body, "max_body");
  else if (!buffer_append(&body->text, data, len))
    fail(body, "no memory");
}

void form_body_add_text(struct form_body *body, const char *text)
{
  form_body_add(body, text, strlen(text));
}

/* How long the part was, and what its text does not show. */
static void end_part(struct form_body *body, size_t start, const struct form_part *part)
{
  char line[96];
  bool parts = part->kind == PART_PARTS;
  int len = snprintf(line, sizeof(line), "\r\n" BOUNDARY " %zu bytes%s%s%s\r\n", body->text.len - start,
                     parts ? ", parts" : "", part->encoder ? ", " : "", part->encoder ? part->encoder : "");
  form_body_add(body, line, (size_t)len);
}

static void add_reader(struct form_body *body, struct form_reader *reader)
{
  if (!buffer_append(&body->readers, &reader, sizeof(reader))) {
    fail(body, "no memory");
    return;
  }
  form_reader_ref(reader);
  const char *reason = form_reader_open(reader, body->limit);
  if (reason)
    fail(body, reason);
  else
    form_body_add(body, reader->read.data, reader->read.len);
}

static void add_file(struct form_body *body, const char *path, int64_t size)
{
  if (body->reason)
    return;
  const char *reason = form_file_read(&body->text, &body->files, path, size, body->limit);
  if (reason)
    fail(body, reason);
}

static void add_parts(struct form_body *body, const struct form *form, const char *disposition);

/* How libcurl takes the parts of a part. */
static const char *disposition_of_parts(const struct form_part *part)
{
  const char *type = part->type ? part->type : form_header_value(part->headers, "Content-Type");
  return form_type_is_form_data(type) ? "form-data" : NULL;
}

static void add_content(struct form_body *body, const struct form_part *part)
{
  switch ((enum part_kind)part->kind) {
  case PART_EMPTY:
    break;
  case PART_DATA:
    form_body_add(body, part->data, part->len);
    break;
  case PART_FILE:
    add_file(body, part->path, part->size);
    break;
  case PART_READER:
    add_reader(body, part->reader);
    break;
  case PART_PARTS:
    add_parts(body, part->parts, disposition_of_parts(part));
    break;
  }
}

static void add_part(struct form_body *body, const struct form_part *part, const char *disposition)
{
  size_t start = body->text.len;
  if (part->unknown)
    fail(body, part->unknown);
  form_body_add_headers(body, part, disposition);
  if (!body->reason)
    add_content(body, part);
  end_part(body, start, part);
}

static void add_parts(struct form_body *body, const struct form *form, const char *disposition)
{
  if (form->unknown)
    fail(body, form->unknown);
  if (++body->depth > DEPTH_MAX)
    fail(body, "a form that is nested too deeply");
  form_body_add_text(body, BOUNDARY "\r\n");
  for (const struct form_part *part = form->first; part && !body->reason; part = part->next)
    add_part(body, part, disposition);
  body->depth--;
}

static void add_list(struct form_body *body, const char *disposition)
{
  const struct shadow *shadow = body->shadow;
  struct form *form = form_of_list((const struct curl_httppost *)shadow->slot[SLOT_HTTPPOST], shadow->lib);
  if (form)
    add_parts(body, form, disposition);
  else
    fail(body, "no memory");
  form_drop(form);
}

void form_body_open(struct form_body *body, const struct shadow *shadow, uint64_t limit)
{
  const struct curl_slist *headers = (const struct curl_slist *)shadow->slot[SLOT_HTTPHEADER];
  const char *type = form_header_value(headers, "Content-Type");
  const char *disposition = !type || form_type_is_form_data(type) ? "form-data" : NULL;
  *body = (struct form_body){.shadow = shadow, .limit = limit};
  if (shadow->request == HTTP_FORM && shadow->slot[SLOT_HTTPPOST])
    add_list(body, disposition);
  else if (shadow->request == HTTP_MIME && shadow->form)
    add_parts(body, shadow->form, disposition);
  else
    fail(body, "a form that is not known");
}

void form_body_release(struct form_body *body)
{
  struct form_reader **readers = (struct form_reader **)body->readers.data;
  for (size_t i = 0; i < body->readers.len / sizeof(*readers); i++) {
    form_reader_close(readers[i]);
    form_reader_unref(readers[i]);
  }
  form_files_release(&body->files);
  buffer_release(&body->readers);
  buffer_release(&body->text);
}

bool form_body_changed(const struct form_body *body)
{
  return form_files_changed(&body->files);
}
