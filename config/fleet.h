/* SPDX-License-Identifier: MIT */
/*
 * fleet: the store that many machines share, as IDEMSHIM_FLEET names it.
 *
 *     redis://[USER[:PASSWORD]@]HOST[:6379][/DB][?NAME=VALUE&...]      rediss:// is the same by TLS
 *     redis+unix:///PATH[?...]                                        or unix:///PATH
 *     redis+sentinel://[USER[:PASSWORD]@]HOST[:26379],.../MASTER[/DB][?...]
 *     redis+cluster://[USER[:PASSWORD]@]HOST[:6379],...[?...]         both with rediss+ by TLS
 *     @FILE                                                           a file whose first line is one of these
 *
 *     struct idem_fleet *fleet = config.fleet;                        NULL: there is none
 *     printf("%s\n", fleet->shown);                                   "redis://user:***@host:6379"
 *
 * USER, PASSWORD, PATH and values may have %XX. A mistake is told with its column, and never with what stands
 * before the @. The attributes have the names that ccache gave them, where it has them. Nothing is owned: the
 * config's memory has all.
 */
#ifndef IDEMSHIM_CONFIG_FLEET_H
#define IDEMSHIM_CONFIG_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum idem_fleet_kind { IDEM_FLEET_SINGLE, IDEM_FLEET_UNIX, IDEM_FLEET_SENTINEL, IDEM_FLEET_CLUSTER };

/* So many are named at most; a cluster tells of the others itself. */
enum { IDEM_FLEET_NODES = 16 };

struct idem_fleet_node {
  const char *host; /* a name, or an address without brackets; of UNIX the socket's path */
  uint16_t port;
};

struct idem_fleet {
  enum idem_fleet_kind kind;
  bool tls;
  const char *user, *password; /* NULL: none */
  struct idem_fleet_node node[IDEM_FLEET_NODES];
  size_t node_count;
  const char *master; /* of SENTINEL */
  unsigned db;

  const char *name;      /* keys begin with idemshim:NAME */
  uint64_t connect_ms;   /* limits: of a connection, TLS and login included, */
  uint64_t operation_ms; /* of one request and its reply, */
  uint64_t call_ms;      /* and of all that one call waits for the fleet */
  uint64_t lease_ms;     /* for how long an owner that says nothing has its claim */
  uint64_t near_ms;      /* how late a removal on another machine may be seen */
  unsigned replicas;     /* that must have a write of a rule with indoubt=fail */
  uint64_t max_value;    /* bytes; a larger answer stays on its machine */
  bool read_only;        /* nothing is claimed or stored */
  bool fails;            /* unreachable=fail: a rule with indoubt=fail refuses to send */
  bool insecure;         /* the server's certificate is not looked at */
  const char *ca, *cert, *key, *password_file, *sentinel_password_file; /* files; NULL: none */

  const char *shown; /* the URL for people: without what is secret */
};

/* 0, or -EINVAL, -ENOMEM or the errno of a file, with the message set. A file that
 * others may read is refused. */
struct idem_value;
int idem_fleet_parse(const struct idem_value *value, struct idem_fleet **out);

#endif
