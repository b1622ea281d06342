/* SPDX-License-Identifier: MIT */
/*
 * vitals: what libidemshim.so lets `idemshim doctor PID` see of the process that it is in. It lies in the
 * library's own data, and the doctor reads it through /proc/PID/mem: it looks for the magic in the writable
 * pages of the library.
 *
 *     read the pages of /proc/PID/maps that are of libidemshim.so and writable
 *     at = memmem(pages, size, IDEM_VITALS_MAGIC, sizeof(IDEM_VITALS_MAGIC));
 *     if (size, config_size and version are ours)
 *       read what config points to
 *
 * A process tells the truth of itself that way, which its environment does not: daemons write over theirs,
 * change user, and open the store as somebody else. Nothing is written to a file or sent to anybody, and who
 * may not trace the process sees nothing. Any thread writes, without a lock: a text may be seen half written,
 * and has an end all the same.
 */
#ifndef IDEMSHIM_CONFIG_VITALS_H
#define IDEMSHIM_CONFIG_VITALS_H

#include "config/config.h"

#include <stdatomic.h>

#define IDEM_VITALS_MAGIC "idemshim vitals"

enum idem_vitals_store { IDEM_VITALS_NO_STORE, IDEM_VITALS_STORE_OPEN, IDEM_VITALS_STORE_FAILED };

/* Threads are spread over as many, so that few share a line. */
enum { IDEM_VITALS_SHARDS = 8 };

/* A server that a call went to which no rule wanted, with the first such call's method. Who has made a
 * place BEGUN fills it and makes it THERE; others pass over what is BEGUN. A longer host has no place here,
 * a longer method is cut. */
enum { IDEM_VITALS_HOSTS = 8 };
enum idem_vitals_host_state { IDEM_VITALS_HOST_FREE, IDEM_VITALS_HOST_BEGUN, IDEM_VITALS_HOST_THERE };
struct idem_vitals_host {
  _Atomic uint32_t state;
  uint16_t port;
  char method[10], host[64];
};

/* The doctor compares both sizes with its own before it reads anything else. A child's counts begin anew by
 * the fork handlers, so one that was made by a raw clone() has those of its parent. */
struct idem_vitals {
  char magic[sizeof(IDEM_VITALS_MAGIC)];
  char version[16];
  uint32_t size, config_size;                 /* of this, and of struct idem_config */
  _Atomic(const struct idem_config *) config; /* NULL: no handle was made yet */
  _Atomic uint32_t store;                     /* enum idem_vitals_store: what the last try to open it gave, */
  _Atomic uint32_t store_uid;                 /* as which user, */
  char store_dir[256];                        /* and where, cut to this */
  _Atomic uint64_t sent;                      /* calls that went out with us, */
  _Atomic uint64_t passed;                    /* and those that went out as if we were not there */
  _Atomic uint64_t unmatched;                 /* calls that no rule wanted, */
  struct idem_vitals_host host[IDEM_VITALS_HOSTS]; /* and where the first of them went */
  char why_passed[64];                             /* the first reason for these, */
  char problem[256]; /* and the first thing that kept the library from its work; "": none */
  struct {
    _Alignas(64) _Atomic uint64_t matched; /* calls that a rule wanted */
  } shard[IDEM_VITALS_SHARDS];
};

#endif
