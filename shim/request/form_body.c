/* SPDX-License-Identifier: MIT */
/*
 * The text is what libcurl would send, part for part, so that two forms have one text only if a server is
 * sent the same. Whatever makes that doubtful (a part of unknown content, a file that cannot be read) is
 * noted as the reason why the call cannot be named, and ends the work.
 */
#include "shim/request/form_body.h"

#include "shim/form/form.h"
#include "shim/form/form_file.h"
#include "shim/handle/callbacks.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY "--idemshim-form"

/* Deeper forms than this are not for any server, and threads may have small stacks. */
#define DEPTH_MAX 16u

/* Notes the first reason why the call cannot be named; NULL is none. Nothing is added to the text from then
 * on. */
static void fail(struct form_body *body, const char *reason)
{
  if (!body->reason)
    body->reason = reason;
}

static void add(struct form_body *body, const char *data, size_t len)
{
  if (body->reason)
    return;
  if (body->text.len > body->limit || len > body->limit - body->text.len)
    fail(body, "max_body");
  else if (!buffer_append(&body->text, data, len))
    fail(body, "no memory");
}

static void add_text(struct form_body *body, const char *text)
{
  add(body, text, strlen(text));
}

/* The header of a part. */

static bool is_header(const char *line, const char *name)
{
  size_t len = strlen(name);
  return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

/* The value of a header in the list, without leading blanks, or NULL. */
static const char *header_value(const struct curl_slist *list, const char *name)
{
  for (; list; list = list->next)
    if (is_header(list->data, name)) {
      const char *value = list->data + strlen(name) + 1;
      return value + strspn(value, " ");
    }
  return NULL;
}

static bool is_type(const char *type, const char *wanted)
{
  size_t len = strlen(wanted);
  return type && strncasecmp(type, wanted, len) == 0 && (!type[len] || strchr("\t\r\n ;", type[len]));
}

/* True if parts of a form of this type are "form-data". */
static bool is_form_data(const char *type)
{
  return is_type(type, "multipart/form-data");
}

/* libcurl's own table of file name endings [mime.c, Curl_mime_contenttype]; NULL for another one. */
static const char *type_by_name(const char *name)
{
  static const struct {
    const char *ending, *type;
  } types[] = {
      {".gif", "image/gif"},       {".jpg", "image/jpeg"},    {".jpeg", "image/jpeg"},
      {".png", "image/png"},       {".svg", "image/svg+xml"}, {".txt", "text/plain"},
      {".htm", "text/html"},       {".html", "text/html"},    {".pdf", "application/pdf"},
      {".xml", "application/xml"},
  };
  size_t len = name ? strlen(name) : 0;
  for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
    size_t ending = strlen(types[i].ending);
    if (len >= ending && strcasecmp(name + len - ending, types[i].ending) == 0)
      return types[i].type;
  }
  return NULL;
}

/* The type that libcurl writes where the app has said none. */
static const char *guessed_type(const struct form_part *part)
{
  if (part->kind == PART_PARTS)
    return "multipart/mixed";
  bool file = part->kind == PART_FILE;
  const char *type = type_by_name(part->filename);
  if (!type && file)
    type = type_by_name(part->path);
  if (!type && file && part->filename)
    type = "application/octet-stream";
  return type && !part->filename && is_type(type, "text/plain") ? NULL : type;
}

/* Browsers write %22 for a quote, as libcurl does since 7.81; before, and if it is told to, \". */
static void add_quoted(struct form_body *body, const char *before, const char *text)
{
  const struct shadow *shadow = body->shadow;
  bool backslash =
      shadow->lib->version < 0x075100 || (shadow->slot[SLOT_MIME_OPTIONS] & CURLMIMEOPT_FORMESCAPE);
  if (!text)
    return;
  add_text(body, before);
  for (; *text; text++)
    if (backslash && (*text == '"' || *text == '\\')) {
      add_text(body, "\\");
      add(body, text, 1);
    } else if (!backslash && strchr("\"\r\n", *text))
      add_text(body, *text == '"' ? "%22" : *text == '\r' ? "%0D" : "%0A");
    else
      add(body, text, 1);
  add_text(body, "\"");
}

/* Writes Content-Disposition as libcurl decides on it: a part without a name has one only as an
 * attachment. */
static void add_disposition(struct form_body *body, const struct form_part *part, const char *disposition,
                            const char *type)
{
  bool named = part->name || part->filename;
  if (!disposition && (named || (type && strncasecmp(type, "multipart/", 10) != 0)))
    disposition = "attachment";
  if (!disposition || (!named && strcasecmp(disposition, "attachment") == 0))
    return;
  add_text(body, "Content-Disposition: ");
  add_text(body, disposition);
  add_quoted(body, "; name=\"", part->name);
  add_quoted(body, "; filename=\"", part->filename);
  add_text(body, "\r\n");
}

/* Adds "NAME: VALUE", or the name alone as a whole line. */
static void add_line(struct form_body *body, const char *name, const char *value)
{
  add_text(body, name);
  add_text(body, value ? ": " : "");
  add_text(body, value ? value : "");
  add_text(body, "\r\n");
}

/* The header of a part as libcurl writes it [Curl_mime_prepare_headers], with the empty line. `disposition`
 * is that of its form; NULL: as libcurl finds fit. */
static void add_headers(struct form_body *body, const struct form_part *part, const char *disposition)
{
  const char *type = part->type ? part->type : header_value(part->headers, "Content-Type");
  if (!type)
    type = guessed_type(part);
  if (!header_value(part->headers, "Content-Disposition"))
    add_disposition(body, part, disposition, type);
  if (type)
    add_line(body, "Content-Type", type);
  if (part->encoder && !header_value(part->headers, "Content-Transfer-Encoding"))
    add_line(body, "Content-Transfer-Encoding", part->encoder);
  for (const struct curl_slist *line = part->headers; line; line = line->next)
    if (!is_header(line->data, "Content-Type"))
      add_line(body, line->data, NULL);
  add_text(body, "\r\n");
}

/* The content. */

/* Ends a part with its length, and with what its text does not show. */
static void end_part(struct form_body *body, size_t start, const struct form_part *part)
{
  char line[96];
  bool parts = part->kind == PART_PARTS;
  int len = snprintf(line, sizeof(line), "\r\n" BOUNDARY " %zu bytes%s%s%s\r\n", body->text.len - start,
                     parts ? ", parts" : "", part->encoder ? ", " : "", part->encoder ? part->encoder : "");
  add(body, line, (size_t)len);
}

/* The reader stays open until the body is released: libcurl may yet read what was read ahead. */
static void add_reader(struct form_body *body, struct form_reader *reader)
{
  if (!buffer_append(&body->readers, &reader, sizeof(reader))) {
    fail(body, "no memory");
    return;
  }
  form_reader_ref(reader);
  fail(body, form_reader_open(reader, body->limit, &body->ahead, &body->shadow->resumed));
  add(body, reader->read.bytes.data, reader->read.bytes.len);
}

static void add_parts(struct form_body *body, const struct form *form, const char *disposition);

static void add_content(struct form_body *body, const struct form_part *part)
{
  const char *type;
  switch ((enum part_kind)part->kind) {
  case PART_EMPTY:
    break;
  case PART_DATA:
    add(body, part->data, part->len);
    break;
  case PART_FILE:
    fail(body, form_file_read(&body->text, &body->files, part->path, part->size, body->limit));
    break;
  case PART_READER:
    add_reader(body, part->reader);
    break;
  case PART_PARTS:
    type = part->type ? part->type : header_value(part->headers, "Content-Type");
    add_parts(body, part->parts, is_form_data(type) ? "form-data" : NULL);
    break;
  }
}

static void add_part(struct form_body *body, const struct form_part *part, const char *disposition)
{
  size_t start = body->text.len;
  fail(body, part->unknown);
  add_headers(body, part, disposition);
  if (!body->reason)
    add_content(body, part);
  end_part(body, start, part);
}

static void add_parts(struct form_body *body, const struct form *form, const char *disposition)
{
  fail(body, form->unknown);
  if (++body->depth > DEPTH_MAX)
    fail(body, "a form that is nested too deeply");
  add_text(body, BOUNDARY "\r\n");
  for (const struct form_part *part = form->first; part && !body->reason; part = part->next)
    add_part(body, part, disposition);
  body->depth--;
}

void form_body_open(struct form_body *body, const struct shadow *shadow, uint64_t limit)
{
  const struct curl_slist *headers = (const struct curl_slist *)shadow->slot[SLOT_HTTPHEADER];
  const char *type = header_value(headers, "Content-Type");
  const char *disposition = !type || is_form_data(type) ? "form-data" : NULL;
  *body = (struct form_body){.shadow = shadow, .limit = limit, .files = body->files};
  body->ahead = callback_ahead(shadow, true);
  if (shadow->request == HTTP_FORM && shadow->slot[SLOT_HTTPPOST]) {
    struct form *form = form_of_list((const struct curl_httppost *)shadow->slot[SLOT_HTTPPOST], shadow->lib);
    if (form)
      add_parts(body, form, disposition);
    else
      fail(body, "no memory");
    form_drop(form);
  } else if (shadow->request == HTTP_MIME && shadow->form)
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
