/* SPDX-License-Identifier: MIT */
#include "shim/request/headers.h"

#include "shim/base/span.h"
#include "shim/request/room_text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* How long the name is that a line begins with: to its colon, to the semicolon that stands in its place, or
 * to what is in no name. */
static size_t name_len(const char *line)
{
  static const bool ends[UINT8_MAX + 1] = {[0 ... ' '] = true, [':'] = true, [';'] = true};
  size_t len = 0;
  while (!ends[(unsigned char)line[len]])
    len++;
  return len;
}

/* Names in the app's list that say something of the headers that libcurl makes: each has a length of its own,
 * which is its bit. */
#define NAMED(name) (1u << (sizeof(name) - 1))

/* The bit of the name of `len` bytes that the line begins with; 0: it is none of them. */
static inline unsigned named(const char *line, size_t len)
{
#define X(name) [sizeof(name) - 1] = name
  static const char names[][16] = {X("host"), X("accept"), X("referer"), X("user-agent"), X("content-type")};
#undef X
  const bool is_one = len < sizeof(names) / sizeof(*names) && (line[len] == ':' || line[len] == ';') &&
                      (line[0] | 0x20) == names[len][0] && strncasecmp(line, names[len], len) == 0;
  return is_one ? 1u << len : 0;
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
  return !text[0] || ((unsigned char)text[text[0] == ' '] <= ' ' && !text[strspn(text, " \t\r\n")]);
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
    if (stray || !has_plain_name(line + at, here) ||
        (at && named(line + at, name_len(line + at)) == NAMED("host")))
      return odd_form;
    if (!add_header(request, (struct idem_span){line + at, here}))
      return too_many;
  }
  return NULL;
}

/* One entry of the app's list, as libcurl sends it [http.c, Curl_add_custom_headers]: "Name:" is not sent at
 * all, and "Name;" is sent without a value. A line end at the end of one ends all headers, for libcurl adds
 * its own. `which` is the bit of its name, of `name` bytes. */
static const char *add_entry(struct request *request, struct text *text, const char *line, size_t name,
                             unsigned which)
{
  const char *stop = line + name, *colon = *stop == ':' ? stop : strchr(stop, ':');
  const char *semicolon = colon ? NULL : strchr(stop, ';');
  if (semicolon) {
    if (!is_empty(semicolon + 1))
      return NULL;
    if (!add_made_header(request, text, span_between(line, semicolon), ":"))
      return too_many;
    /* An empty Host: is no server's name, and counts nowhere. */
    return name && semicolon == stop && which != NAMED("host") && !strpbrk(semicolon, "\r\n") ? NULL
                                                                                              : odd_form;
  }
  if (!colon)
    return NULL;
  /* libcurl takes the first of several; but behind a bare "Host:" it sends them all. */
  if (which == NAMED("host") && request->host && strcmp(request->host, "Host:") == 0)
    return odd_form;
  if (which == NAMED("host") && !request->host)
    request->host = line;
  if (is_empty(colon + 1))
    return NULL;
  /* Nearly always no line ends in it, and it is one header. */
  const char *end = colon + strcspn(colon, "\r\n");
  size_t len = *end ? strlen(line) : (size_t)(end - line);
  while (idem_is_blank(line[len - 1]))
    len--;
  if (name && colon == stop && !*end)
    return add_header(request, (struct idem_span){line, len}) ? NULL : too_many;
  return line[len - 1] == '\r' || line[len - 1] == '\n' ? odd_form : add_headers(request, line, len);
}

/* Adds what libcurl adds where the app says nothing of it, and what it makes of options. `told` has the bits
 * of the names in the app's list. */
static bool add_own_headers(struct request *request, struct text *text, unsigned told)
{
  const struct shadow *shadow = request->shadow;
  const char *agent = shadow_text(shadow, SLOT_USERAGENT), *referer = shadow_text(shadow, SLOT_REFERER);
  /* libcurl's own for POSTFIELDS; a form's type has its boundary, and stands in the text of the body. */
  const bool type = shadow->request == HTTP_POST && !shadow->no_body;
  static const struct idem_span agent_name = {"User-Agent: ", 12}, referer_name = {"Referer: ", 9};
  return (told & NAMED("accept") || add_header(request, span_of("Accept: */*"))) &&
         (told & NAMED("content-type") || !type ||
          add_header(request, span_of("Content-Type: application/x-www-form-urlencoded"))) &&
         (told & NAMED("user-agent") || !agent || add_made_header(request, text, agent_name, agent)) &&
         (told & NAMED("referer") || !referer || add_made_header(request, text, referer_name, referer));
}

const char *headers_build(struct request *request)
{
  const struct curl_slist *line = (const struct curl_slist *)request->shadow->slot[SLOT_HTTPHEADER];
  struct text text = {request->option_headers, 0, sizeof(request->option_headers)};
  const char *reason = NULL;
  unsigned told = 0;
  request->bytes.headers = request->headers;
  for (; line && !reason; line = line->next) {
    const size_t name = name_len(line->data);
    const unsigned which = named(line->data, name);
    told |= which;
    reason = add_entry(request, &text, line->data, name, which);
  }
  return reason ? reason : add_own_headers(request, &text, told) ? NULL : too_many;
}

bool headers_tell_another_length(const struct request *request)
{
  const struct idem_request *bytes = &request->bytes;
  char length[24];
  if (request->shadow->request == HTTP_FORM || request->shadow->request == HTTP_MIME)
    return false;
  for (size_t i = 0; i < bytes->header_count; i++) {
    if (!header_says(bytes->headers[i], "content-length"))
      continue;
    struct idem_span value = value_of(bytes->headers[i].data + strlen("content-length"));
    size_t len = (size_t)snprintf(length, sizeof(length), "%zu", bytes->body.len);
    if (value.len != len || memcmp(value.data, length, len) != 0)
      return true;
  }
  return false;
}
