/* SPDX-License-Identifier: MIT */
/*
 * origin: a server as a URL begins with it, for a replay whose calls go to another one than the recorded
 * calls did.
 *
 *     struct idem_origin origin;
 *     if (idem_origin_parse("https://Prod.example", 20, &origin))
 *       origin.text                                   "https://prod.example:443"
 *
 * It needs no memory, and nothing of it fails but by being no origin.
 */
#ifndef IDEMSHIM_ORIGIN_H
#define IDEMSHIM_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As requests have it: lower case, always with a port. `host` is without brackets. `text` has room for the
 * longest host, its brackets, the scheme and five digits. */
struct idem_origin {
  char text[280], host[256];
  size_t host_len;
  uint16_t port;
  bool https;
};

/* Server `now` stands for `recorded`. Room for all of them is made at once, 17 KiB, where the variable is
 * set. */
struct idem_origin_map {
  struct idem_origin recorded, now;
};
enum { IDEM_ORIGINS_MOST = 16 };

/* False for what is no http:// or https:// with a host, and perhaps a port; a slash may stand behind it. */
bool idem_origin_parse(const char *text, size_t len, struct idem_origin *origin);

/* "RECORDED=NOW". */
bool idem_origin_map_parse(const char *text, size_t len, struct idem_origin_map *map);

#endif
