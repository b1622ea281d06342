/* SPDX-License-Identifier: MIT */
/*
 * headers: the lines of a request as libcurl will send them, from the app's list and from options.
 *
 *     reason = headers_build(request);              // NULL, or why the call cannot be named
 *     ...the body is read...
 *     if (headers_tell_another_length(request))     // the server takes a part of that body alone
 *
 * Lines of the app's list stay where they are; what is put together of options is in
 * `request->option_headers`. A line that a server may read in another way than we do, or that stands for
 * several, has no name.
 */
#ifndef IDEMSHIM_SHIM_REQUEST_HEADERS_H
#define IDEMSHIM_SHIM_REQUEST_HEADERS_H

#include "config/ascii.h"
#include "shim/request/request.h"

#include <string.h>
#include <strings.h>

/* The value of a line, without the blanks round it. */
static inline struct idem_span value_of(const char *colon)
{
  const char *start = colon + 1;
  while (idem_is_blank(*start))
    start++;
  struct idem_span value = {start, strcspn(start, "\r\n")};
  while (value.len && strchr(" \t", value.data[value.len - 1]))
    value.len--;
  return value;
}

/* True if a line that goes out is one of `name`, in lower case, and has a value. Where its colon stands, and
 * the first letter, settle nearly all. */
static inline bool header_says(struct idem_span line, const char *name)
{
  const size_t len = strlen(name);
  return line.len > len + 1 && line.data[len] == ':' && (line.data[0] | 0x20) == name[0] &&
         strncasecmp(line.data, name, len) == 0;
}

/* Fills `request->bytes.headers`, and `request->host` with the app's Host: line. */
const char *headers_build(struct request *request);

/* True if a Content-Length: of the app's own says another length than that of the body: the server takes a
 * part of it. How long a form of libcurl's is, depends on its boundary. */
bool headers_tell_another_length(const struct request *request);

#endif
