/* SPDX-License-Identifier: MIT */
/*
 * What curl_easy_getinfo told of a live transfer, as it is stored with its answer: a list of (number, length,
 * value), keyed by the number of the CURLINFO without its type, so that CURLINFO_SIZE_DOWNLOAD and
 * CURLINFO_SIZE_DOWNLOAD_T are one.
 */
#ifndef IDEMSHIM_SHIM_FACTS_H
#define IDEMSHIM_SHIM_FACTS_H

#include "shim/handle/shadow.h"

/* Newer than some headers. */
#if LIBCURL_VERSION_NUM < 0x080700
#define CURLINFO_USED_PROXY ((CURLINFO)(CURLINFO_LONG + 66))
#endif
#if LIBCURL_VERSION_NUM < 0x080c00
#define CURLINFO_HTTPAUTH_USED  ((CURLINFO)(CURLINFO_LONG + 69))
#define CURLINFO_PROXYAUTH_USED ((CURLINFO)(CURLINFO_LONG + 70))
#endif

#define NUMBER_OF(info) ((unsigned)(info)&CURLINFO_MASK)

enum { FACT_NULL, FACT_EMPTY }; /* a text before anything is known */

/* X(info, value before anything is known [Curl_initinfo, Curl_pgrsResetTransferSizes], when libcurl itself
 * knows as well: under transport it tells what GROWS until its transfer has ended well, and what is PARSED
 * from the header always). They are stored in this order and looked for from the front: the first four are
 * what a delivery itself asks for. */
#define NUMBER_FACTS(X)                                                                                      \
  X(REDIRECT_COUNT, 0, FIXED)                                                                                \
  X(CONTENT_LENGTH_DOWNLOAD_T, -1, GROWS)                                                                    \
  X(SIZE_UPLOAD_T, 0, FIXED)                                                                                 \
  X(SIZE_DOWNLOAD_T, 0, GROWS)                                                                               \
  X(RESPONSE_CODE, 0, FIXED)                                                                                 \
  X(HTTP_CONNECTCODE, 0, FIXED)                                                                              \
  X(HEADER_SIZE, 0, FIXED)                                                                                   \
  X(REQUEST_SIZE, 0, FIXED)                                                                                  \
  X(SSL_VERIFYRESULT, 0, FIXED)                                                                              \
  X(PROXY_SSL_VERIFYRESULT, 0, FIXED)                                                                        \
  X(HTTPAUTH_AVAIL, 0, FIXED)                                                                                \
  X(PROXYAUTH_AVAIL, 0, FIXED)                                                                               \
  X(OS_ERRNO, 0, GROWS)                                                                                      \
  X(NUM_CONNECTS, 0, FIXED)                                                                                  \
  X(CONDITION_UNMET, 0, PARSED)                                                                              \
  X(PRIMARY_PORT, 0, FIXED)                                                                                  \
  X(LOCAL_PORT, 0, FIXED)                                                                                    \
  X(HTTP_VERSION, 0, FIXED)                                                                                  \
  X(PROTOCOL, 0, FIXED)                                                                                      \
  X(PROXY_ERROR, 0, FIXED)                                                                                   \
  X(USED_PROXY, 0, FIXED)                                                                                    \
  X(HTTPAUTH_USED, 0, FIXED)                                                                                 \
  X(PROXYAUTH_USED, 0, FIXED)                                                                                \
  X(FILETIME_T, -1, PARSED)                                                                                  \
  X(CONTENT_LENGTH_UPLOAD_T, -1, FIXED)                                                                      \
  X(RETRY_AFTER, 0, FIXED)

#define TEXT_FACTS(X)                                                                                        \
  X(CONTENT_TYPE, FACT_NULL, GROWS)                                                                          \
  X(REDIRECT_URL, FACT_NULL, FIXED)                                                                          \
  X(PRIMARY_IP, FACT_EMPTY, FIXED)                                                                           \
  X(LOCAL_IP, FACT_EMPTY, FIXED)                                                                             \
  X(SCHEME, FACT_NULL, FIXED)                                                                                \
  X(EFFECTIVE_METHOD, FACT_NULL, FIXED)                                                                      \
  X(REFERER, FACT_NULL, FIXED)                                                                               \
  X(FTP_ENTRY_PATH, FACT_NULL, FIXED)

/* Reads the facts of the live transfer that has just ended on the handle into `facts`. A credential in the
 * URL's query is left out and put back when it is asked for. False without memory. */
bool info_record_collect(const struct shadow *shadow, struct buffer *facts);

/* Its times and speeds, which only a tape keeps: a replay from the store tells its own. */
bool info_record_collect_times(const struct shadow *shadow, struct buffer *facts);

/* One fact, for an answer that we make ourselves. */
bool info_record_add_number(struct buffer *facts, CURLINFO info, int64_t value);
bool info_record_add_text(struct buffer *facts, CURLINFO info, const char *value);

/* When the live call began, as the mark X-Original-Request-Time says it: written once, so that a hit need
 * not. */
bool info_record_add_date(struct buffer *facts, int64_t started_us);
const char *info_record_date(struct idem_span facts); /* or NULL */

/* HTTP trailers, as their lines came; only a tape has them. */
bool info_record_add_trailers(struct buffer *facts, struct idem_span lines);
struct idem_span info_record_trailers(const struct buffer *facts);

/* False if the app wants the certificates of a handshake that were not asked for when the answer was stored.
 */
bool info_record_has_certificates(const struct shadow *shadow, struct idem_span facts);

/* A stored fact by number; `fallback` if it is not there. */
int64_t info_record_number(const char *facts, size_t len, CURLINFO info, int64_t fallback);

/* The value of a fact, or NULL. */
const char *info_record_find(const char *facts, size_t len, unsigned number, size_t *fact_len);

#endif
