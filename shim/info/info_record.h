/* SPDX-License-Identifier: MIT */
/*
 * info_record: what curl_easy_getinfo() told of a live transfer, as it is stored with its answer. A record is
 * a list of facts: the number of the CURLINFO without its type, so that CURLINFO_SIZE_DOWNLOAD and
 * CURLINFO_SIZE_DOWNLOAD_T are one, a length, and as many bytes.
 *
 *     struct buffer facts = {0};
 *     if (info_record_collect(shadow, &facts))                     // at the end of the live transfer
 *       ...store it...
 *     status = info_record_number(span_of_buffer(&facts), CURLINFO_RESPONSE_CODE, 0);
 *
 * A replay tells these facts again, as the libcurl of the live call did: the connection that was made, what a
 * proxy said, how much came over the network. Numbers are in the byte order of the machine, as all of the
 * store. A record from elsewhere, or one that is cut, has fewer facts and is never read past its end. What
 * writes into a buffer returns false without memory. Nothing here takes a lock; collecting asks libcurl, so
 * it belongs to the handle's thread.
 */
#ifndef IDEMSHIM_SHIM_INFO_RECORD_H
#define IDEMSHIM_SHIM_INFO_RECORD_H

#include "shim/base/span.h"
#include "shim/handle/shadow.h"

/* Newer than some headers. */
#if LIBCURL_VERSION_NUM < 0x080700
#define CURLINFO_USED_PROXY ((CURLINFO)(CURLINFO_LONG + 66))
#endif
#if LIBCURL_VERSION_NUM < 0x080200
#define CURLINFO_XFER_ID ((CURLINFO)(CURLINFO_OFF_T + 63))
#define CURLINFO_CONN_ID ((CURLINFO)(CURLINFO_OFF_T + 64))
#endif
#if LIBCURL_VERSION_NUM < 0x080600
#define CURLINFO_QUEUE_TIME_T ((CURLINFO)(CURLINFO_OFF_T + 65))
#endif
#if LIBCURL_VERSION_NUM < 0x080a00
#define CURLINFO_POSTTRANSFER_TIME_T ((CURLINFO)(CURLINFO_OFF_T + 67))
#endif
#if LIBCURL_VERSION_NUM < 0x080b00
#define CURLINFO_EARLYDATA_SENT_T ((CURLINFO)(CURLINFO_OFF_T + 68))
#endif
#if LIBCURL_VERSION_NUM < 0x080c00
#define CURLINFO_HTTPAUTH_USED  ((CURLINFO)(CURLINFO_LONG + 69))
#define CURLINFO_PROXYAUTH_USED ((CURLINFO)(CURLINFO_LONG + 70))
#endif
#if LIBCURL_VERSION_NUM < 0x081400
#define CURLINFO_SIZE_DELIVERED ((CURLINFO)(CURLINFO_OFF_T + 71))
#endif

#define NUMBER_OF(info) ((unsigned)(info)&CURLINFO_MASK)

enum { FACT_NULL, FACT_EMPTY }; /* a text before anything is known */

/*
 * The infos that are stored: X(info, value before anything is known [Curl_initinfo,
 * Curl_pgrsResetTransferSizes], when it is known). The last says whom to ask in the middle of a replay:
 *
 *   CONNECTED  known once there is a connection, which PREREQFUNCTION is told of
 *   FIXED      known from the first header line on, or from the field that it comes from
 *   GROWS      under transport libcurl itself tells it until its transfer has ended well
 *   PARSED     under transport libcurl itself tells it always: it has parsed the same header
 *
 * They are stored in this order and looked for from the front: the first five are what a delivery itself asks
 * for.
 */
#define NUMBER_FACTS(X)                                                                                      \
  X(REDIRECT_COUNT, 0, FIXED)                                                                                \
  X(CONTENT_LENGTH_DOWNLOAD_T, -1, GROWS)                                                                    \
  X(SIZE_UPLOAD_T, 0, FIXED)                                                                                 \
  X(SIZE_DOWNLOAD_T, 0, GROWS)                                                                               \
  X(CONTENT_LENGTH_UPLOAD_T, -1, FIXED)                                                                      \
  X(RESPONSE_CODE, 0, FIXED)                                                                                 \
  X(HTTP_CONNECTCODE, 0, CONNECTED)                                                                          \
  X(HEADER_SIZE, 0, FIXED)                                                                                   \
  X(REQUEST_SIZE, 0, FIXED)                                                                                  \
  X(SSL_VERIFYRESULT, 0, CONNECTED)                                                                          \
  X(PROXY_SSL_VERIFYRESULT, 0, CONNECTED)                                                                    \
  X(HTTPAUTH_AVAIL, 0, FIXED)                                                                                \
  X(PROXYAUTH_AVAIL, 0, FIXED)                                                                               \
  X(OS_ERRNO, 0, GROWS)                                                                                      \
  X(NUM_CONNECTS, 0, CONNECTED)                                                                              \
  X(CONDITION_UNMET, 0, GROWS)                                                                               \
  X(PRIMARY_PORT, 0, CONNECTED)                                                                              \
  X(LOCAL_PORT, 0, CONNECTED)                                                                                \
  X(HTTP_VERSION, 0, FIXED)                                                                                  \
  X(PROTOCOL, 0, CONNECTED)                                                                                  \
  X(PROXY_ERROR, 0, FIXED)                                                                                   \
  X(USED_PROXY, 0, CONNECTED)                                                                                \
  X(HTTPAUTH_USED, 0, FIXED)                                                                                 \
  X(PROXYAUTH_USED, 0, FIXED)                                                                                \
  X(XFER_ID, -1, FIXED)                                                                                      \
  X(CONN_ID, -1, CONNECTED)                                                                                  \
  X(EARLYDATA_SENT_T, 0, FIXED)                                                                              \
  X(FILETIME_T, -1, PARSED)                                                                                  \
  X(RETRY_AFTER, 0, FIXED)

#define TEXT_FACTS(X)                                                                                        \
  X(CONTENT_TYPE, FACT_NULL, GROWS)                                                                          \
  X(REDIRECT_URL, FACT_NULL, FIXED)                                                                          \
  X(PRIMARY_IP, FACT_EMPTY, CONNECTED)                                                                       \
  X(LOCAL_IP, FACT_EMPTY, CONNECTED)                                                                         \
  X(SCHEME, FACT_NULL, CONNECTED)                                                                            \
  X(EFFECTIVE_METHOD, FACT_NULL, FIXED)                                                                      \
  X(REFERER, FACT_NULL, FIXED)                                                                               \
  X(FTP_ENTRY_PATH, FACT_NULL, FIXED)

/* Appends the facts of the transfer that has just ended on the handle, URLs without user and password. False
 * without memory, and where a text holds a credential of the URL's query: such an answer is not stored. */
bool info_record_collect(const struct shadow *shadow, struct buffer *facts);

/* False if a line that leads elsewhere, such as Location, holds one. */
bool info_record_may_keep(const struct shadow *shadow, struct idem_span headers);

/* Appends the times and speeds of that transfer, which only a tape keeps: a replay from the store tells its
 * own. */
bool info_record_collect_times(const struct shadow *shadow, struct buffer *facts);

/* Appends one fact, for an answer that we make ourselves. */
bool info_record_add_number(struct buffer *facts, CURLINFO info, int64_t value);
bool info_record_add_text(struct buffer *facts, CURLINFO info, const char *value);

/* When the live call began, as the mark X-Original-Request-Time says it: written once, so that a hit need
 * not. */
bool info_record_add_date(struct buffer *facts, int64_t started_us);
const char *info_record_date(struct idem_span facts); /* or NULL */

/* Says that none of the header's lines has the name of a mark of ours, so that a hit need not look for them;
 * nothing where one has. */
bool info_record_add_unmarked(struct buffer *facts, struct idem_span headers);
bool info_record_is_unmarked(struct idem_span facts);

/* HTTP trailers, as their lines came; also that there are none, which a hit then finds where it begins to
 * look. False without memory, and for more than a fact has room for. */
bool info_record_add_trailers(struct buffer *facts, struct idem_span lines);
struct idem_span info_record_trailers(struct idem_span facts);

/* The first fact of this number. `fallback`, NULL or a NULL span is returned where there is none of its
 * kind. */
int64_t info_record_number(struct idem_span facts, CURLINFO info, int64_t fallback);
const char *info_record_text(struct idem_span facts, CURLINFO info);
struct idem_span info_record_find(struct idem_span facts, CURLINFO info);

/* The certificates of the live handshake as libcurl gives them, in one allocation that the caller frees. NULL
 * if there are none, or no memory. */
struct curl_certinfo *info_record_certificates(struct idem_span facts);

#endif
