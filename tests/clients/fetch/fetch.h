/* SPDX-License-Identifier: MIT */
/*
 * fetch: an easy-interface client whose every habit can be chosen; `fetch --help` lists them. Built once for
 * each libcurl flavour.
 */
#ifndef CLIENT_FETCH_H
#define CLIENT_FETCH_H

#include "tests/clients/post.h"

#include <stdbool.h>

struct options {
  const char *url, *method;
  char *body;
  size_t body_len;
  struct curl_slist *headers, *connect_to;
  long repeat, threads, timeout_ms, chunk_limit;

  /* Flags, as long as the option table wants them. */
  long upload_callback, upload_chunked, copy_postfields, reuse_handle, dup, reset_between;
  long print_headers, print_body, stream, header_api, write_out_all, times;
  long follow, fail, compressed, cookies;
};

/* What one call shows goes to `out`, whole. */
struct call {
  const struct options *options;
  FILE *out;
  struct reply reply;
  size_t uploaded, chunks;
  char *error; /* CURL_ERROR_SIZE bytes that outlive the handle */
};

/* Fills options; false: it has said what is wrong. */
bool options_parse(struct options *options, int argc, char **argv);

/* Sets a handle up for a call, performs it, and shows the result. */
void call_prepare(struct call *call, CURL *handle);
CURLcode call_perform(struct call *call, CURL *handle);

/* Every CURLINFO that is not a time (or those alone), one "NAME value" on a line; and what the header API
 * knows. */
void show_infos(FILE *out, CURL *handle, bool times);
void show_headers(FILE *out, CURL *handle);

#endif
