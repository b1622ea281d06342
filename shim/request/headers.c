/* SPDX-License-Identifier: MIT */
#include "shim/request/headers.h"

#include "shim/base/span.h"
#include "shim/request/room_text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The first letter, of a `name` in lower case, settles nearly all. */
static inline bool is_named(const char *line, const char *name)
{
  size_t len = strlen(name);
  return (line[0] | 0x20) == name[0] && strncasecmp(line, name, len) == 0 &&
         (line[len] == ':' || line[len] == ';');
}

static const char too_many[] = "too many headers, or too long ones", odd_form[] = "a header in an odd form";

/* False if there is no room for one more; the line stays where it is. */
static bool add_header(struct request *request, struct idem_span line)
{
  if (request->bytes.header_count == REQUEST_HEADERS_MAX)
    return false;
  request->headers[request->bytes.header_count++] = line;
  return true;
}

/* "NAME: VALUE", which has to be put together. */
static bool add_made_header(struct request *request, struct text *text, struct idem_span name,
                            const char *value)
{
  size_t start = text->len;
  add(text, name.data, name.len);
  add_text(text, value);
  return fits(text) && add_header(request, (struct idem_span){text->at + start, text->len - start});
}

/* Nothing but blanks and line ends, and most have a letter at once. */
static bool is_empty(const char *text)
{
  return (unsigned char)text[text[0] == ' '] <= ' ' && !text[strspn(text, " \t\r\n")];
}

/* The length of a text without the blanks at its end. */
static size_t trimmed_len(const char *text)
{
  size_t len = strlen(text);
  while (len && idem_is_blank(text[len - 1]))
    len--;
  return len;
}

/* True for "NAME:..." with a name that no server can take for another one: "Host :" is read in two ways, and
 * a line that begins with a blank goes on with the one before. */
static bool has_plain_name(const char *line, size_t len)
{
  size_t name = 0;
  while (name < len && line[name] != ':' && (unsigned char)line[name] > ' ')
    name++;
  return name && name < len && line[name] == ':';
}

/* Where the header that begins here ends, in a string that may hold several, with the lines that are folded
 * into it; before its line end. Sets *next to where another one begins. */
static size_t header_len(const char *line, size_t len, size_t *next)
{
  const char *end = memchr(line, '\n', len);
  while (end && end + 1 < line + len && idem_is_blank(end[1]))
    end = memchr(end + 1, '\n', (size_t)(line + len - end - 1));
  if (!end) {
    *next = len;
    return len;
  }
  *next = (size_t)(end - line) + 1;
  return (size_t)(end - line) - (end > line && end[-1] == '\r');
}

/* Adds the headers that an entry of the app's list comes to on the wire: libcurl sends it as it is, also
 * where lines in it make several headers of it. NULL, or why the call cannot be named. */
static const char *add_headers(struct request *request, const char *line, size_t len)
{
  for (size_t at = 0, next; at < len; at += next) {
    size_t here = header_len(line + at, len - at, &next);
    const char *stray = memchr(line + at, '\r', here);
    /* A lone CR ends a line for some servers. A fold has its CR before the LF. */
    while (stray && stray[1] == '\n' && stray + 1 < line + at + here)
      stray = memchr(stray + 1, '\r', (size_t)(line + at + here - stray - 1));
    /* libcurl has a Host: of its own beside one that does not stand first. */
    if (stray || !has_plain_name(line + at, here) || (at && is_named(line + at, "host")))
      return odd_form;
    if (!add_header(request, (struct idem_span){line + at, here}))
      return too_many;
  }
  return NULL;
}

/* One entry of the app's list, as libcurl sends it [http.c, Curl_add_custom_headers]: "Name:" is not sent at
 * all, and "Name;" is sent without a value. A line end at the end of one ends all headers, for libcurl adds
 * its own. */
static const char *add_entry(struct request *request, struct text *text, const char *line)
{
  const char *colon = strchr(line, ':'), *semicolon = colon ? NULL : strchr(line, ';');
  const size_t len = trimmed_len(line);
  const bool ends_all = len && (line[len - 1] == '\r' || line[len - 1] == '\n');
  if (semicolon) {
    const size_t name = (size_t)(semicolon - line), start = text->len;
    if (!is_empty(semicolon + 1))
      return NULL;
    if (!add_made_header(request, text, (struct idem_span){line, name}, ":"))
      return too_many;
    /* An empty Host: is no server's name, and counts nowhere. */
    return has_plain_name(text->at + start, name + 1) && !is_named(line, "host") && !ends_all ? NULL
                                                                                              : odd_form;
  }
  if (!colon)
    return NULL;
  /* libcurl takes the first of several; but behind a bare "Host:" it sends them all. */
  if (is_named(line, "host") && request->host && strcmp(request->host, "Host:") == 0)
    return odd_form;
  if (is_named(line, "host") && !request->host)
    request->host = line;
  if (is_empty(colon + 1))
    return NULL;
  return ends_all ? odd_form : add_headers(request, line, len);
}

/* Adds what libcurl adds where the app says nothing of it, and what it makes of options. */
static bool add_own_headers(struct request *request, struct text *text)
{
  const struct shadow *shadow = request->shadow;
  const struct curl_slist *line = (const struct curl_slist *)shadow->slot[SLOT_HTTPHEADER];
  const char *agent = shadow_text(shadow, SLOT_USERAGENT), *referer = shadow_text(shadow, SLOT_REFERER);
  /* libcurl's own for POSTFIELDS; a form's type has its boundary, and stands in the text of the body. */
  bool accept = true, type = shadow->request == HTTP_POST && !shadow->no_body, told_agent = false,
       told_referer = false;
  for (; line; line = line->next) {
    accept &= !is_named(line->data, "accept");
    type &= !is_named(line->data, "content-type");
    told_agent |= is_named(line->data, "user-agent");
    told_referer |= is_named(line->data, "referer");
  }
  static const struct idem_span agent_name = {"User-Agent: ", 12}, referer_name = {"Referer: ", 9};
  return (!accept || add_header(request, span_of("Accept: */*"))) &&
         (!type || add_header(request, span_of("Content-Type: application/x-www-form-urlencoded"))) &&
         (!agent || told_agent || add_made_header(request, text, agent_name, agent)) &&
         (!referer || told_referer || add_made_header(request, text, referer_name, referer));
}

const char *headers_build(struct request *request)
{
  const struct curl_slist *line = (const struct curl_slist *)request->shadow->slot[SLOT_HTTPHEADER];
  struct text text = {request->option_headers, 0, sizeof(request->option_headers)};
  const char *reason = NULL;
  request->bytes.headers = request->headers;
  for (; line && !reason; line = line->next)
    reason = add_entry(request, &text, line->data);
  return reason ? reason : add_own_headers(request, &text) ? NULL : too_many;
}

bool headers_tell_another_length(const struct request *request)
{
  static const char name[] = "content-length:";
  const struct idem_request *bytes = &request->bytes;
  char length[24];
  if (request->shadow->request == HTTP_FORM || request->shadow->request == HTTP_MIME)
    return false;
  for (size_t i = 0; i < bytes->header_count; i++) {
    const struct idem_span *line = &request->headers[i];
    if (line->len < sizeof(name) || strncasecmp(line->data, name, sizeof(name) - 1) != 0)
      continue;
    struct idem_span value = value_of(line->data + sizeof(name) - 2);
    size_t len = (size_t)snprintf(length, sizeof(length), "%zu", bytes->body.len);
    if (value.len != len || memcmp(value.data, length, len) != 0)
      return true;
  }
  return false;
}
