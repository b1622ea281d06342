/* SPDX-License-Identifier: MIT */
#include "store/judge/event_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool sse_line(struct idem_span *rest, struct idem_span *line)
{
  if (!rest->len)
    return false;
  size_t len = 0;
  while (len < rest->len && rest->data[len] != '\n' && rest->data[len] != '\r')
    len++;
  *line = (struct idem_span){rest->data, len};
  size_t used = len < rest->len ? len + 1 : len;
  if (used < rest->len && rest->data[len] == '\r' && rest->data[used] == '\n')
    used++;
  *rest = (struct idem_span){rest->data + used, rest->len - used};
  return true;
}

/* "name: value" or "name:value"; a line without colon is a name alone. */
static bool field_is(struct idem_span line, const char *name, struct idem_span *value)
{
  size_t len = strlen(name);
  if (line.len < len || memcmp(line.data, name, len) != 0 || (line.len > len && line.data[len] != ':'))
    return false;
  size_t skip = line.len > len ? len + 1 : len;
  if (skip < line.len && line.data[skip] == ' ')
    skip++;
  *value = (struct idem_span){line.data + skip, line.len - skip};
  return true;
}

struct pending {
  char *data; /* as long as the stream, so it never has to grow */
  size_t len;
  struct idem_span name;
  bool any;
};

static void add_line(struct pending *pending, struct idem_span line)
{
  struct idem_span value;
  if (field_is(line, "event", &value)) {
    pending->name = value;
  } else if (field_is(line, "data", &value)) {
    if (pending->any)
      pending->data[pending->len++] = '\n';
    memcpy(pending->data + pending->len, value.data, value.len);
    pending->len += value.len;
    pending->any = true;
  }
}

static int dispatch(struct pending *pending, int (*event)(void *, struct idem_span, struct idem_span),
                    void *arg)
{
  int rc = pending->any ? event(arg, pending->name, (struct idem_span){pending->data, pending->len}) : 0;
  pending->len = 0;
  pending->any = false;
  pending->name = (struct idem_span){"", 0};
  return rc;
}

int sse_each(struct idem_span stream, int (*event)(void *arg, struct idem_span name, struct idem_span data),
             void *arg)
{
  struct pending pending = {.data = malloc(stream.len + 1), .name = {"", 0}};
  struct idem_span line;
  int rc = 0;
  if (!pending.data)
    return -ENOMEM;
  if (stream.len >= 3 && memcmp(stream.data, "\xef\xbb\xbf", 3) == 0)
    stream = (struct idem_span){stream.data + 3, stream.len - 3};
  while (rc == 0 && sse_line(&stream, &line)) {
    if (line.len)
      add_line(&pending, line);
    else
      rc = dispatch(&pending, event, arg);
  }
  if (rc == 0)
    rc = dispatch(&pending, event, arg);
  free(pending.data);
  return rc;
}
