/* SPDX-License-Identifier: MIT */
/*
 * options: what each easy option means to a replay, in one table.
 *
 *     switch (option_row(option)->kind) {...}                 // setopt; a load from a constant table
 *     option_way(number) == NEEDS_TRANSPORT                   // which way a NEEDS option leaves open
 *
 *   KEPT    remembered, and reproduced by direct delivery or part of the request
 *   TEXT    the same for a string, which libcurl copies and so do we
 *   RARE    remembered in a list that most handles do not have
 *   NEEDS   what direct delivery cannot do. TRANSPORT: libcurl does it when it runs the replay. LIVE: the
 *           call goes live. Both only if set to anything but 0 or NULL
 *   others  no effect on an answer that comes from the store; forwarded and forgotten
 *
 * An option that is in no list is newer than this table and counts as LIVE. A new one gets its number in
 * libcurl/curl_compat.h, a row here or among the FORWARDED in options.c, and a line in docs/delivery.md,
 * which scripts/fidelity-table prints. The test option_rows names those that are missing.
 */
#ifndef IDEMSHIM_SHIM_OPTIONS_H
#define IDEMSHIM_SHIM_OPTIONS_H

#include "shim/libcurl/curl_compat.h"
#include <stdbool.h>
#include <stdint.h>

/* X(name). First what many apps set for each call of a handle (shadow.slot). */
#define OPTIONS_KEPT(X)                                                                                      \
  X(WRITEDATA)                                                                                               \
  X(HTTPHEADER)                                                                                              \
  X(TIMEOUT_MS)                                                                                              \
  X(WRITEFUNCTION)                                                                                           \
  X(HEADERFUNCTION)                                                                                          \
  X(HEADERDATA)                                                                                              \
  X(READFUNCTION)                                                                                            \
  X(READDATA)                                                                                                \
  X(SEEKFUNCTION)                                                                                            \
  X(SEEKDATA)                                                                                                \
  X(IOCTLFUNCTION)                                                                                           \
  X(IOCTLDATA)                                                                                               \
  X(XFERINFOFUNCTION)                                                                                        \
  X(PROGRESSFUNCTION)                                                                                        \
  X(XFERINFODATA)                                                                                            \
  X(NOPROGRESS)                                                                                              \
  X(STDERR)                                                                                                  \
  X(ERRORBUFFER)                                                                                             \
  X(HEADER)                                                                                                  \
  X(CERTINFO)                                                                                                \
  X(FAILONERROR)                                                                                             \
  X(FOLLOWLOCATION)                                                                                          \
  X(MAXFILESIZE_LARGE)                                                                                       \
  X(HTTP_CONTENT_DECODING)                                                                                   \
  X(HTTP_TRANSFER_DECODING)                                                                                  \
  X(CONNECT_TO)                                                                                              \
  X(MIME_OPTIONS)                                                                                            \
  X(INFILESIZE_LARGE)

#define OPTIONS_TEXT(X)                                                                                      \
  X(CUSTOMREQUEST)                                                                                           \
  X(ACCEPT_ENCODING)                                                                                         \
  X(PROTOCOLS_STR)                                                                                           \
  X(USERAGENT)                                                                                               \
  X(REFERER)                                                                                                 \
  X(COOKIE)                                                                                                  \
  X(USERPWD)                                                                                                 \
  X(USERNAME)                                                                                                \
  X(PASSWORD)                                                                                                \
  X(XOAUTH2_BEARER)                                                                                          \
  X(AWS_SIGV4)                                                                                               \
  X(SSLCERT)                                                                                                 \
  X(UNIX_SOCKET_PATH)                                                                                        \
  X(ABSTRACT_UNIX_SOCKET)

/* X(name) and X(name of a string). What we override (overrides.h), and must know to restore it; what a call
 * demands of the server's identity; what decides whether a redirect is followed, which path is asked for and
 * which server has the host's name; and where a credential is read from. */
#define OPTIONS_RARE(X)                                                                                      \
  X(VERBOSE)                                                                                                 \
  X(DEBUGFUNCTION)                                                                                           \
  X(DEBUGDATA)                                                                                               \
  X(PREREQDATA)                                                                                              \
  X(OPENSOCKETFUNCTION)                                                                                      \
  X(OPENSOCKETDATA)                                                                                          \
  X(CLOSESOCKETFUNCTION)                                                                                     \
  X(CLOSESOCKETDATA)                                                                                         \
  X(SOCKOPTFUNCTION)                                                                                         \
  X(HTTP_VERSION)                                                                                            \
  X(FRESH_CONNECT)                                                                                           \
  X(FORBID_REUSE)                                                                                            \
  X(MAX_RECV_SPEED_LARGE)                                                                                    \
  X(BUFFERSIZE)                                                                                              \
  X(LOW_SPEED_LIMIT)                                                                                         \
  X(LOW_SPEED_TIME)                                                                                          \
  X(TCP_FASTOPEN)                                                                                            \
  X(TCP_KEEPALIVE)                                                                                           \
  X(TCP_KEEPIDLE)                                                                                            \
  X(TCP_KEEPINTVL)                                                                                           \
  X(TCP_KEEPCNT)                                                                                             \
  X(IPRESOLVE)                                                                                               \
  X(SUPPRESS_CONNECT_HEADERS)                                                                                \
  X(HTTPAUTH)                                                                                                \
  X(SSL_VERIFYPEER)                                                                                          \
  X(SSL_VERIFYHOST)                                                                                          \
  X(SSL_VERIFYSTATUS)                                                                                        \
  X(SSL_OPTIONS)                                                                                             \
  X(SSL_CTX_FUNCTION)                                                                                        \
  X(PROXYTYPE)                                                                                               \
  X(PROXYPORT)                                                                                               \
  X(PROXY_SSL_VERIFYPEER)                                                                                    \
  X(PROXY_SSL_VERIFYHOST)                                                                                    \
  X(PROXY_SSL_OPTIONS)                                                                                       \
  X(MAXREDIRS)                                                                                               \
  X(POSTREDIR)                                                                                               \
  X(REDIR_PROTOCOLS)                                                                                         \
  X(UNRESTRICTED_AUTH)                                                                                       \
  X(AUTOREFERER)                                                                                             \
  X(PATH_AS_IS)                                                                                              \
  X(UPLOAD_BUFFERSIZE)
#define OPTIONS_RARE_TEXT(X)                                                                                 \
  X(PROXY)                                                                                                   \
  X(PRE_PROXY)                                                                                               \
  X(NOPROXY)                                                                                                 \
  X(DOH_URL)                                                                                                 \
  X(DNS_SERVERS)                                                                                             \
  X(NETRC_FILE)                                                                                              \
  X(PINNEDPUBLICKEY)                                                                                         \
  X(CAINFO)                                                                                                  \
  X(CAPATH)                                                                                                  \
  X(ISSUERCERT)                                                                                              \
  X(CRLFILE)                                                                                                 \
  X(PROXY_PINNEDPUBLICKEY)                                                                                   \
  X(PROXY_CAINFO)                                                                                            \
  X(PROXY_CAPATH)                                                                                            \
  X(PROXY_ISSUERCERT)                                                                                        \
  X(PROXY_CRLFILE)                                                                                           \
  X(REDIR_PROTOCOLS_STR)
/* A struct curl_blob, which may be gone once it is set: its digest is remembered as a text. */
#define OPTIONS_RARE_BLOB(X)                                                                                 \
  X(CAINFO_BLOB)                                                                                             \
  X(ISSUERCERT_BLOB)                                                                                         \
  X(PROXY_CAINFO_BLOB)                                                                                       \
  X(PROXY_ISSUERCERT_BLOB)

/* X(name, way, why) */
#define OPTIONS_NEEDS(X)                                                                                     \
  X(RANGE, TRANSPORT, "asks for a part of the answer")                                                       \
  X(RESUME_FROM, TRANSPORT, "asks for a part of the answer")                                                 \
  X(RESUME_FROM_LARGE, TRANSPORT, "asks for a part of the answer")                                           \
  X(FILETIME, TRANSPORT, "wants the remote time")                                                            \
  X(IGNORE_CONTENT_LENGTH, TRANSPORT, "the end of the body is not the header's")                             \
  X(HTTP09_ALLOWED, TRANSPORT, "accepts answers without a header")                                           \
  X(PREREQFUNCTION, TRANSPORT, "is told the connection's addresses")                                         \
  X(HSTS, TRANSPORT, "rewrites URLs from a cache")                                                           \
  X(HSTS_CTRL, TRANSPORT, "rewrites URLs from a cache")                                                      \
  X(ALTSVC, TRANSPORT, "reroutes from a cache")                                                              \
  X(ALTSVC_CTRL, TRANSPORT, "reroutes from a cache")                                                         \
  X(CRLF, LIVE, "changes the body on its way")                                                               \
  X(TRANSFERTEXT, LIVE, "changes the body on its way")                                                       \
  X(TIMECONDITION, LIVE, "asks for an answer by its age")                                                    \
  X(NETRC, LIVE, "takes the credential from a file that cannot be read for certain")                         \
  X(REQUEST_TARGET, LIVE, "the path is not the URL's")                                                       \
  X(DEFAULT_PROTOCOL, LIVE, "the scheme is not the URL's")                                                   \
  X(CONNECT_ONLY, LIVE, "wants the connection itself")                                                       \
  X(HTTP200ALIASES, LIVE, "accepts status lines that are not HTTP")                                          \
  X(TRANSFER_ENCODING, LIVE, "asks for a transfer coding")                                                   \
  X(TRAILERFUNCTION, LIVE, "sends trailers")                                                                 \
  X(SSLCERT_BLOB, LIVE, "a client certificate in memory is the caller's identity")                           \
  X(SSLKEY_BLOB, LIVE, "a client certificate in memory is the caller's identity")                            \
  X(TLSAUTH_USERNAME, LIVE, "who asks is said in the TLS handshake")                                         \
  X(HTTPSIG_ALGORITHM, LIVE, "signs each request anew, and who asks is in the signature")                    \
  X(DISALLOW_USERNAME_IN_URL, LIVE, "checks the URL")

/* Handled one by one in shadow.c: they choose the method, decide the match, share another option's slot, or
 * copy. */
#define OPTIONS_SPECIAL(X)                                                                                   \
  X(URL)                                                                                                     \
  X(PORT)                                                                                                    \
  X(POSTFIELDS)                                                                                              \
  X(COPYPOSTFIELDS)                                                                                          \
  X(POST)                                                                                                    \
  X(UPLOAD)                                                                                                  \
  X(PUT)                                                                                                     \
  X(HTTPGET)                                                                                                 \
  X(NOBODY)                                                                                                  \
  X(HTTPPOST)                                                                                                \
  X(CURLU)                                                                                                   \
  X(MIMEPOST)                                                                                                \
  X(POSTFIELDSIZE)                                                                                           \
  X(POSTFIELDSIZE_LARGE)                                                                                     \
  X(INFILESIZE)                                                                                              \
  X(TIMEOUT)                                                                                                 \
  X(MAXFILESIZE)                                                                                             \
  X(COOKIEFILE)                                                                                              \
  X(COOKIEJAR)                                                                                               \
  X(COOKIELIST)                                                                                              \
  X(SHARE)                                                                                                   \
  X(RESOLVE)                                                                                                 \
  X(PROTOCOLS)

enum option_kind {
  OPTION_UNKNOWN,
  OPTION_FORWARDED,
  OPTION_KEPT,
  OPTION_TEXT,
  OPTION_RARE,
  OPTION_RARE_TEXT,
  OPTION_RARE_BLOB,
  OPTION_NEEDS,
  OPTION_SPECIAL,
};

/* One slot for each KEPT and TEXT option, and for seven of the SPECIAL ones. */
enum option_slot {
#define X(name) SLOT_##name,
  OPTIONS_KEPT(X) OPTIONS_TEXT(X)
#undef X
      SLOT_CURLU,
  SLOT_PORT,
  SLOT_HTTPPOST,
  SLOT_POSTFIELDS,
  SLOT_POSTFIELDSIZE_LARGE,
  SLOT_PROTOCOLS,
  SLOT_RESOLVE,
  SLOT_COUNT
};

struct option_row {
  uint8_t kind; /* enum option_kind */
  uint8_t slot; /* KEPT, TEXT */
};

/* Option numbers are unique over the types, which count in ten thousands. */
/* Larger than any number that libcurl has given away, with room for some that come. */
#define OPTION_LIMIT 352u
static inline unsigned option_number(CURLoption option)
{
  return (unsigned)option % 10000u;
}

/* Taken by 4096 the five types do not overlap, and the place of a row is a mask away. Rows of options that
 * are newer are zero: OPTION_UNKNOWN. */
#define OPTION_ROWS        4096u
#define OPTION_ROW(option) ((unsigned)(option) % OPTION_ROWS)
_Static_assert(CURLOPTTYPE_OFF_T % OPTION_ROWS > OPTION_LIMIT &&
                   CURLOPTTYPE_OBJECTPOINT % OPTION_ROWS > CURLOPTTYPE_OFF_T % OPTION_ROWS + OPTION_LIMIT &&
                   CURLOPTTYPE_BLOB % OPTION_ROWS > CURLOPTTYPE_OBJECTPOINT % OPTION_ROWS + OPTION_LIMIT &&
                   CURLOPTTYPE_FUNCTIONPOINT % OPTION_ROWS > CURLOPTTYPE_BLOB % OPTION_ROWS + OPTION_LIMIT &&
                   CURLOPTTYPE_FUNCTIONPOINT % OPTION_ROWS + OPTION_LIMIT < OPTION_ROWS,
               "no two options share a row");
extern const struct option_row option_rows[OPTION_ROWS];

static inline const struct option_row *option_row(CURLoption option)
{
  return &option_rows[OPTION_ROW(option)];
}

/* True if the name of a request, or which way its call goes, may depend on the option. */
bool option_decides(CURLoption option);

/* Which way a NEEDS option leaves open; NEEDS_LIVE for newer ones. */
enum option_way { NEEDS_LIVE, NEEDS_TRANSPORT };
enum option_way option_way(unsigned number);

/* "RANGE", or "option 10330" written into `room` for one that is not in the table. */
const char *option_name(unsigned number, char room[24]);

#endif
