/* SPDX-License-Identifier: MIT */
/* curl_easy_header() and curl_easy_nextheader(), where there are any. */
#include "tests/fidelity/fidelity.h"

#include <string.h>
#include <strings.h>

#pragma weak curl_easy_header
#pragma weak curl_easy_nextheader

static void say_found(struct watch *w, const char *what, const struct curl_header *header)
{
  say(w->out, "%s \"%s\", %zu of %zu, origin %x", what, header->name, header->index, header->amount,
      header->origin & ANY_ORIGIN);
  if (strcasecmp(header->name, "Date") != 0)
    say_bytes(w->out, "    ", header->value, strlen(header->value));
}

void say_headers(struct watch *w, unsigned origin, int request)
{
  struct curl_header *header = NULL;

  say(w->out, "headers of %x in request %d:", origin, request);
  if (!libcurl_is(0x075300))
    return;
  while ((header = curl_easy_nextheader(w->easy, origin, request, header)))
    say_found(w, "  next", header);
}

void say_header(struct watch *w, const char *name, size_t index, unsigned origin, int request)
{
  struct curl_header *header = NULL;
  CURLHcode code = libcurl_is(0x075300) ? curl_easy_header(w->easy, name, index, origin, request, &header)
                                        : CURLHE_NOT_BUILT_IN;

  if (code)
    say(w->out, "header %s %zu in request %d: %d", name, index, request, (int)code);
  else
    say_found(w, "header", header);
}
