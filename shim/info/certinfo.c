/* SPDX-License-Identifier: MIT */
#include "shim/info/certinfo.h"

#include <stdlib.h>
#include <string.h>

bool certinfo_write(const struct curl_certinfo *info, struct buffer *text)
{
  bool complete = true;
  for (int i = 0; i < info->num_of_certs && complete; i++) {
    for (const struct curl_slist *line = info->certinfo[i]; line && complete; line = line->next)
      complete = buffer_append(text, line->data, strlen(line->data) + 1);
    complete = complete && buffer_append(text, "", 1);
  }
  return complete;
}

struct counts {
  size_t certificates, lines;
};

static struct counts count(const char *text, size_t len)
{
  struct counts counts = {0, 0};
  for (size_t at = 0; at < len; at += strnlen(text + at, len - at) + 1)
    if (text[at])
      counts.lines++;
    else
      counts.certificates++;
  return counts;
}

/* The struct, the array of lists, the nodes, and then the text. */
struct curl_certinfo *certinfo_read(const char *text, size_t len)
{
  struct counts counts = count(text, len);
  struct curl_certinfo *info = calloc(1, sizeof(*info) + counts.certificates * sizeof(struct curl_slist *) +
                                             counts.lines * sizeof(struct curl_slist) + len + 1);
  if (!info)
    return NULL;
  info->num_of_certs = (int)counts.certificates;
  info->certinfo = (struct curl_slist **)(info + 1);
  struct curl_slist *node = (struct curl_slist *)(info->certinfo + counts.certificates);
  char *copy = (char *)(node + counts.lines);
  if (len)
    memcpy(copy, text, len);
  struct curl_slist **link = info->certinfo;
  for (size_t at = 0, certificate = 0; at < len && certificate < counts.certificates;
       at += strnlen(copy + at, len - at) + 1)
    if (copy[at]) {
      node->data = copy + at;
      *link = node;
      link = &node++->next;
    } else
      link = &info->certinfo[++certificate < counts.certificates ? certificate : 0];
  return info;
}

void certinfo_free(struct curl_certinfo *info)
{
  free(info);
}
