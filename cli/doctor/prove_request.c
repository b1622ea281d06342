/* SPDX-License-Identifier: MIT */
/* A request parser that keeps nothing but the method: enough to know where a request ends, for
 * any client that libcurl or another library may be. A byte at a time, so that no length of line
 * or body needs room. */
#include "cli/doctor/prove_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order in which they come; chunks go round from CHUNK_END to CHUNK_SIZE. */
enum part { FIRST_LINE, HEADERS, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILERS, WHOLE, BAD };

/* The value behind "Name:" and its blanks; NULL for another header. */
static const char *value_of(const char *line, const char *name)
{
  size_t len = strlen(name);
  return strncasecmp(line, name, len) == 0 && line[len] == ':'
             ? line + len + 1 + strspn(line + len + 1, " \t")
             : NULL;
}

/* Three headers decide where the body ends and whether the client waits for a word before it. */
static void read_header(struct doctor_request *request)
{
  const char *length = value_of(request->line, "Content-Length");
  const char *coding = value_of(request->line, "Transfer-Encoding");
  const char *expect = value_of(request->line, "Expect");
  if (length)
    request->left = strtoull(length, NULL, 10);
  if (coding && strcasestr(coding, "chunked"))
    request->chunked = true;
  if (expect && strcasestr(expect, "100-continue"))
    request->expects = true;
}

/* A request without either header has no body (RFC 9112, 6.3). */
static enum part after_headers(const struct doctor_request *request)
{
  if (request->chunked)
    return CHUNK_SIZE;
  return request->left ? BODY : WHOLE;
}

/* A whole line, without its end. What a line means depends on where in the request it stands; the
 * next state is all that is kept of it. */
static enum part take_line(struct doctor_request *request)
{
  char *end;
  switch ((enum part)request->part) {
  case FIRST_LINE:
    if (!request->line_len) /* RFC 9112, 2.2: empty lines before a request are passed over */
      return FIRST_LINE;
    snprintf(request->method, sizeof(request->method), "%.*s", (int)strcspn(request->line, " "),
             request->line);
    return strstr(request->line, " HTTP/1.") ? HEADERS : BAD;
  case HEADERS:
    if (!request->line_len)
      return after_headers(request);
    read_header(request);
    return HEADERS;
  case CHUNK_SIZE:
    request->left = strtoull(request->line, &end, 16);
    return end == request->line ? BAD : request->left ? CHUNK : TRAILERS;
  case CHUNK_END:
    return CHUNK_SIZE;
  case TRAILERS:
    return request->line_len ? TRAILERS : WHOLE;
  default:
    return BAD;
  }
}

/* A line ends with LF, with or without CR. What is longer than the buffer is cut, which no header
 * that counts is. */
static void take_byte(struct doctor_request *request, char byte)
{
  if (byte != '\n') {
    if (request->line_len < sizeof(request->line) - 1)
      request->line[request->line_len++] = byte;
    return;
  }
  if (request->line_len && request->line[request->line_len - 1] == '\r')
    request->line_len--;
  request->line[request->line_len] = '\0';
  request->part = take_line(request);
  request->line_len = 0;
}

/* How many bytes belong to the body or its chunk; those are not looked at. */
static size_t take_body(struct doctor_request *request, size_t len)
{
  size_t taken = request->left < len ? (size_t)request->left : len;
  request->left -= taken;
  if (!request->left)
    request->part = request->part == CHUNK ? CHUNK_END : WHOLE;
  return taken;
}

/* Bodies are taken in one step, everything else byte by byte. */
enum doctor_request_state doctor_request_feed(struct doctor_request *request, const char *bytes, size_t len)
{
  for (size_t i = 0; i < len && request->part < WHOLE;) {
    if (request->part == BODY || request->part == CHUNK)
      i += take_body(request, len - i);
    else
      take_byte(request, bytes[i++]);
  }
  return request->part == WHOLE ? DOCTOR_REQUEST_WHOLE
         : request->part == BAD ? DOCTOR_REQUEST_BAD
                                : DOCTOR_REQUEST_PART;
}

/* libcurl waits a second for it before it sends a body without. */
bool doctor_request_wants_word(struct doctor_request *request)
{
  bool wants = request->expects && (request->part == BODY || request->part == CHUNK_SIZE);
  request->expects = request->expects && !wants;
  return wants;
}
