/* SPDX-License-Identifier: MIT */
/*
 * incident: a bad day of a program that uses libcurl, and everything that it can see of it.
 *
 * Each scene is one call that goes wrong in its own way, or well. What the program prints of it is all that
 * an app could go by: every callback with its size and a sum of its bytes, result and error text, every info,
 * the header API, cookies. A replay is true if the output is the same.
 */
#ifndef INCIDENT_H
#define INCIDENT_H

#include "shim/libcurl/curl_compat.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Where a scene's call goes. */
enum place { HTTP, TLS, STRANGER /* a certificate that nobody vouches for */, NOBODY, NO_NAME, PLAIN };

struct scene {
  const char *name;
  enum place place;
  const char *target; /* path and script for the mock */
  bool streams;
  bool secret; /* what it gets is redacted on a tape, so that only sizes can be the same */
  long timeout_ms;
  int refused_write, refused_header; /* the callback of that number takes less than it is given; 0: none */
  bool stops;                        /* the progress callback ends it once a byte has come */
  int given_up;                      /* multi: taken out after the write of that number; 0: not */
  void (*setup)(CURL *easy);
};

extern const struct scene scenes[];
extern const unsigned scene_count;

/* One call on its way. */
struct show {
  const struct scene *scene;
  CURL *easy;
  FILE *out;
  unsigned writes, headers;
  uint64_t received;
  char error[CURL_ERROR_SIZE], body[256];
};

/* Where the servers are, from the command line. */
extern const char *http_port, *tls_port;

/* A handle with everything set; `caller` makes the body its own. */
void show_begin(struct show *show, const struct scene *scene, CURL *easy, FILE *out, int caller);
void show_end(struct show *show, CURLcode code);
void show_infos(FILE *out, CURL *easy);

/* Before 7.88. */
static inline bool libcurl_is_old(void)
{
  return curl_version_info(CURLVERSION_NOW)->version_num < 0x075800;
}

#endif
