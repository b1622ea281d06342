/* SPDX-License-Identifier: MIT */
/*
 * post: one POST through libcurl's easy interface and a line about what came back, for the subject programs.
 *
 *     struct reply reply = {0};
 *     CURL *handle = post_new(url, body, &reply);
 *     reply_print("main", handle, curl_easy_perform(handle), &reply);
 *     curl_easy_cleanup(handle);
 *     free(reply.bytes);
 *
 * CURL_CA_BUNDLE names whom to trust, as for the curl tool; POST_TIMEOUT_MS limits each call.
 */
#ifndef CLIENT_POST_H
#define CLIENT_POST_H

#include "shim/libcurl/curl_compat.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reply {
  char *bytes;
  size_t len;
};

/* A write callback. */
static inline size_t reply_take(char *data, size_t size, size_t count, void *arg)
{
  struct reply *reply = arg;
  char *grown = realloc(reply->bytes, reply->len + size * count + 1);

  if (!grown)
    return 0;
  memcpy(grown + reply->len, data, size * count);
  reply->bytes = grown;
  reply->len += size * count;
  grown[reply->len] = 0;
  return size * count;
}

/* FNV-1a: enough to tell answers apart. */
static inline uint64_t reply_checksum(const struct reply *reply)
{
  uint64_t hash = 14695981039346656037u;

  for (size_t i = 0; i < reply->len; i++)
    hash = (hash ^ (unsigned char)reply->bytes[i]) * 1099511628211u;
  return hash;
}

static inline void reply_print(const char *name, CURL *handle, CURLcode code, const struct reply *reply)
{
  long status = 0;

  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  printf("%s rc=%d status=%ld bytes=%zu checksum=%016" PRIx64 "\n", name, (int)code, status, reply->len,
         reply_checksum(reply));
  fflush(stdout);
}

/* A handle that is ready to perform; `url`, `body` and `reply` must stay. NULL: no memory. */
static inline CURL *post_new(const char *url, const char *body, struct reply *reply)
{
  CURL *handle = curl_easy_init();

  if (!handle)
    return NULL;
  curl_easy_setopt(handle, CURLOPT_URL, url);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, reply_take);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, reply);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  if (getenv("CURL_CA_BUNDLE"))
    curl_easy_setopt(handle, CURLOPT_CAINFO, getenv("CURL_CA_BUNDLE"));
  if (getenv("POST_TIMEOUT_MS"))
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, atol(getenv("POST_TIMEOUT_MS")));
  return handle;
}

/* All of it at once. Returns 0 if the transfer went well. */
static inline int post_once(const char *name, const char *url, const char *body)
{
  struct reply reply = {0};
  CURL *handle = post_new(url, body, &reply);
  CURLcode code = handle ? curl_easy_perform(handle) : CURLE_FAILED_INIT;

  if (handle)
    reply_print(name, handle, code, &reply);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return code != CURLE_OK;
}

#endif
