/* SPDX-License-Identifier: MIT */
#include "shim/transport/transport_header.h"

#include "shim/base/http_header.h"
#include "shim/base/span.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* An empty field stands in for one that libcurl must not see. */
static const struct idem_span no_field = {"x:\r\n", 4};

static bool put(struct buffer *wire, struct idem_span text)
{
  return buffer_append(wire, text.data, text.len);
}

static bool is_named(struct idem_span line, const char *name)
{
  size_t len = strlen(name);
  return line.len > len && line.data[len] == ':' && strncasecmp(line.data, name, len) == 0;
}

/* True for fields that steer a connection: ours is steered by nothing but its end, and what libcurl would
 * undo has been undone. */
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

/* True if the field says how much follows. Without a body it says what would have followed, and stays. */
static bool length_holds(struct idem_span block, const struct transport_header_facts *facts)
{
  struct idem_span length = header_find(block, "content-length");
  return facts->bodyless || (!header_find(block, "transfer-encoding").data && length.len &&
                             strtoull(length.data, NULL, 10) == facts->body_len);
}

/* A line of the response that the app's callbacks get the body of. */
static bool put_last(struct buffer *wire, struct idem_span line, struct idem_span block,
                     const struct transport_header_facts *facts)
{
  if (line.data == block.data) {
    const char *space = memchr(line.data, ' ', line.len);
    if (!space || (line.len > 7 && memcmp(line.data, "HTTP/1.", 7) == 0))
      return put(wire, line);
    return buffer_append(wire, "HTTP/1.1", 8) && put(wire, span_between(space, line.data + line.len));
  }
  if (steers(line) || (is_named(line, "content-length") && !length_holds(block, facts)))
    return put(wire, no_field);
  size_t start = wire->len;
  if (!put(wire, line))
    return false;
  /* "; Secure" loses its meaning: our connection is not https, whatever the app's was. */
  bool hides = facts->secure_cookies && is_named(line, "set-cookie");
  for (const char *at; hides && (at = header_find_secure((struct idem_span){wire->data + start, line.len}));)
    *(char *)(uintptr_t)at = 'x';
  return true;
}

bool transport_header_compose(struct buffer *wire, struct idem_span record,
                              const struct transport_header_facts *facts)
{
  static const struct idem_span interim = {"HTTP/1.1 102 Processing\r\n", 25};
  struct idem_span last = header_last_block(record), line;
  bool complete = true;
  while (complete && (line = span_cut_line(&record)).len) {
    if (line.data >= last.data)
      complete = put_last(wire, line, last, facts);
    else if (header_status(line.data, line.len))
      complete = put(wire, interim);
    else
      complete = put(wire, *line.data == '\r' || *line.data == '\n' ? line : no_field);
  }
  return complete;
}
