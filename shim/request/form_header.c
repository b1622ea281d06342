/* SPDX-License-Identifier: MIT */
/* The header of a form's part as libcurl writes it [Curl_mime_prepare_headers]. */
#include "shim/form/form.h"
#include "shim/request/form_body.h"

#include <string.h>
#include <strings.h>

static bool is_header(const char *line, const char *name)
{
  size_t len = strlen(name);
  return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

const char *form_header_value(const struct curl_slist *list, const char *name)
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

bool form_type_is_form_data(const char *type)
{
  return is_type(type, "multipart/form-data");
}

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

/* What the app did not say. */
static const char *guessed_type(const struct form_part *part)
{
  if (part->kind == PART_PARTS)
    return "multipart/mixed";
  const char *type = type_by_name(part->filename);
  if (!type && part->kind == PART_FILE)
    type = type_by_name(part->path);
  if (!type && part->kind == PART_FILE && part->filename)
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
  form_body_add_text(body, before);
  for (; *text; text++)
    if (backslash && (*text == '"' || *text == '\\')) {
      form_body_add_text(body, "\\");
      form_body_add(body, text, 1);
    } else if (!backslash && strchr("\"\r\n", *text))
      form_body_add_text(body, *text == '"' ? "%22" : *text == '\r' ? "%0D" : "%0A");
    else
      form_body_add(body, text, 1);
  form_body_add_text(body, "\"");
}

static void add_disposition(struct form_body *body, const struct form_part *part, const char *disposition,
                            const char *type)
{
  bool named = part->name || part->filename;
  if (!disposition && (named || (type && strncasecmp(type, "multipart/", 10) != 0)))
    disposition = "attachment";
  if (!disposition || (!named && strcasecmp(disposition, "attachment") == 0))
    return;
  form_body_add_text(body, "Content-Disposition: ");
  form_body_add_text(body, disposition);
  add_quoted(body, "; name=\"", part->name);
  add_quoted(body, "; filename=\"", part->filename);
  form_body_add_text(body, "\r\n");
}

static void add_line(struct form_body *body, const char *name, const char *value)
{
  form_body_add_text(body, name);
  form_body_add_text(body, ": ");
  form_body_add_text(body, value);
  form_body_add_text(body, "\r\n");
}

void form_body_add_headers(struct form_body *body, const struct form_part *part, const char *disposition)
{
  const char *type = part->type ? part->type : form_header_value(part->headers, "Content-Type");
  if (!type)
    type = guessed_type(part);
  if (!form_header_value(part->headers, "Content-Disposition"))
    add_disposition(body, part, disposition, type);
  if (type)
    add_line(body, "Content-Type", type);
  if (part->encoder && !form_header_value(part->headers, "Content-Transfer-Encoding"))
    add_line(body, "Content-Transfer-Encoding", part->encoder);
  for (const struct curl_slist *line = part->headers; line; line = line->next)
    if (!is_header(line->data, "Content-Type")) {
      form_body_add_text(body, line->data);
      form_body_add_text(body, "\r\n");
    }
  form_body_add_text(body, "\r\n");
}
