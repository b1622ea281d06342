/* SPDX-License-Identifier: MIT */
#include "shim/transport/transport_header.h"

#include "shim/base/http_header.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char no_field[] = "x:\r\n";

static bool put(struct buffer *wire, const char *text, size_t len)
{
  return buffer_append(wire, text, len);
}

static bool is_named(struct idem_span line, const char *name)
{
  size_t len = strlen(name);
  return line.len > len && line.data[len] == ':' && strncasecmp(line.data, name, len) == 0;
}

/* Fields that steer a connection: ours is steered by nothing but its end. */
static bool steers(struct idem_span line)
{
  static const char *const names[] = {"transfer-encoding", "content-encoding", "connection",
                                      "proxy-connection",  "upgrade",          "www-authenticate",
                                      "proxy-authenticate"};
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
    if (is_named(line, names[i]))
      return true;
  return false;
}

static bool length_holds(struct idem_span block, const struct transport_header_facts *facts)
{
  struct idem_span length = header_find(block, "content-length");
  return facts->bodyless || (!header_find(block, "transfer-encoding").data && length.len &&
                             strtoull(length.data, NULL, 10) == facts->body_len);
}

static bool put_status(struct buffer *wire, struct idem_span line)
{
  const char *space = memchr(line.data, ' ', line.len);
  if (!space || memcmp(line.data, "HTTP/1.", 7) == 0)
    return put(wire, line.data, line.len);
  return put(wire, "HTTP/1.1", 8) && put(wire, space, (size_t)(line.data + line.len - space));
}

/* "; Secure" without a meaning: our connection is not https, whatever the app's was. */
static bool put_cookie(struct buffer *wire, struct idem_span line)
{
  size_t start = wire->len;
  if (!put(wire, line.data, line.len))
    return false;
  for (char *at = wire->data + start, *end = wire->data + wire->len;
       (at = memchr(at, ';', (size_t)(end - at)));) {
    for (at++; at < end && *at == ' ';)
      at++;
    if (end - at > 6 && strncasecmp(at, "secure", 6) == 0 && strchr("; \r\n", at[6]))
      *at = 'x';
  }
  return true;
}

static bool put_last(struct buffer *wire, struct idem_span line, struct idem_span block,
                     const struct transport_header_facts *facts)
{
  if (line.data == block.data)
    return put_status(wire, line);
  if (steers(line) || (is_named(line, "content-length") && !length_holds(block, facts)))
    return put(wire, no_field, sizeof(no_field) - 1);
  if (facts->secure_cookies && is_named(line, "set-cookie"))
    return put_cookie(wire, line);
  return put(wire, line.data, line.len);
}

static bool put_earlier(struct buffer *wire, struct idem_span line)
{
  static const char interim[] = "HTTP/1.1 102 Processing\r\n";
  if (header_status(line.data, line.len))
    return put(wire, interim, sizeof(interim) - 1);
  bool blank = *line.data == '\r' || *line.data == '\n';
  return blank ? put(wire, line.data, line.len) : put(wire, no_field, sizeof(no_field) - 1);
}

bool transport_header_compose(struct buffer *wire, struct idem_span record,
                              const struct transport_header_facts *facts)
{
  struct idem_span last = header_last_block(record);
  bool complete = true;
  for (const char *at = record.data, *end = at + record.len, *next; at < end && complete; at = next) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    next = newline ? newline + 1 : end;
    struct idem_span line = {at, (size_t)(next - at)};
    complete = at < last.data ? put_earlier(wire, line) : put_last(wire, line, last, facts);
  }
  return complete;
}
