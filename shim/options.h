/* SPDX-License-Identifier: MIT */
/*
 * What each easy option means to a replay, in one table.
 *
 *   KEPT    remembered, and reproduced by direct delivery or part of the request
 *   TEXT    the same for a string, which libcurl copies and so do we
 *   NEEDS   only libcurl itself can do it: set to anything but 0 or NULL, the call goes live
 *   others  no effect on an answer that comes from the store; forwarded and forgotten
 *
 * An option that is in no list is newer than this table and counts as NEEDS.
 */
#ifndef IDEMSHIM_SHIM_OPTIONS_H
#define IDEMSHIM_SHIM_OPTIONS_H

#include <curl/curl.h>
#include <stdint.h>

/* X(name, what it is for) */
#define OPTIONS_KEPT(X)                                                                                      \
  X(WRITEFUNCTION)                                                                                           \
  X(WRITEDATA)                                                                                               \
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
  X(TIMEOUT_MS)                                                                                              \
  X(PROTOCOLS)                                                                                               \
  X(CONNECT_TO)                                                                                              \
  X(RESOLVE)                                                                                                 \
  X(CURLU)                                                                                                   \
  X(HTTPHEADER)                                                                                              \
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

/* X(name, why) */
#define OPTIONS_NEEDS(X)                                                                                     \
  X(VERBOSE, "the debug callback tells of a connection")                                                     \
  X(RANGE, "asks for a part of the answer")                                                                  \
  X(RESUME_FROM, "asks for a part of the answer")                                                            \
  X(RESUME_FROM_LARGE, "asks for a part of the answer")                                                      \
  X(CRLF, "changes the body on its way")                                                                     \
  X(TRANSFERTEXT, "changes the body on its way")                                                             \
  X(TIMECONDITION, "asks for an answer by its age")                                                          \
  X(NETRC, "takes the credential from a file, so the tenant is unknown")                                     \
  X(REQUEST_TARGET, "the path is not the URL's")                                                             \
  X(DEFAULT_PROTOCOL, "the scheme is not the URL's")                                                         \
  X(CONNECT_ONLY, "wants the connection itself")                                                             \
  X(HTTP200ALIASES, "accepts status lines that are not HTTP")                                                \
  X(HTTP09_ALLOWED, "accepts answers without a header")                                                      \
  X(IGNORE_CONTENT_LENGTH, "the end of the body is not the header's")                                        \
  X(TRANSFER_ENCODING, "asks for a transfer coding")                                                         \
  X(TRAILERFUNCTION, "sends trailers")                                                                       \
  X(PREREQFUNCTION, "is told the connection's addresses")                                                    \
  X(FILETIME, "wants the remote time")                                                                       \
  X(SSLCERT_BLOB, "a client certificate in memory is the caller's identity")                                 \
  X(SSLKEY_BLOB, "a client certificate in memory is the caller's identity")                                  \
  X(TLSAUTH_USERNAME, "who asks is said in the TLS handshake")                                               \
  X(HSTS, "rewrites URLs from a cache")                                                                      \
  X(HSTS_CTRL, "rewrites URLs from a cache")                                                                 \
  X(ALTSVC, "reroutes from a cache")                                                                         \
  X(ALTSVC_CTRL, "reroutes from a cache")                                                                    \
  X(DISALLOW_USERNAME_IN_URL, "checks the URL")

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
  X(MIMEPOST)                                                                                                \
  X(POSTFIELDSIZE)                                                                                           \
  X(POSTFIELDSIZE_LARGE)                                                                                     \
  X(INFILESIZE)                                                                                              \
  X(TIMEOUT)                                                                                                 \
  X(MAXFILESIZE)                                                                                             \
  X(COOKIEFILE)                                                                                              \
  X(COOKIEJAR)                                                                                               \
  X(COOKIELIST)                                                                                              \
  X(SHARE)

enum option_kind {
  OPTION_UNKNOWN,
  OPTION_FORWARDED,
  OPTION_KEPT,
  OPTION_TEXT,
  OPTION_NEEDS,
  OPTION_SPECIAL,
};

/* One slot for each KEPT and TEXT option, and for three of the SPECIAL ones. */
enum option_slot {
  SLOT_PORT,
  SLOT_POSTFIELDS,
  SLOT_POSTFIELDSIZE_LARGE,
#define X(name) SLOT_##name,
  OPTIONS_KEPT(X) OPTIONS_TEXT(X)
#undef X
      SLOT_COUNT
};

struct option_row {
  uint8_t kind; /* enum option_kind */
  uint8_t slot; /* KEPT, TEXT */
};

/* Option numbers are unique over the types, which count in ten thousands. */
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

/* "MIMEPOST", or "option 10330" written into `room` for one that is not in the table. */
const char *option_name(unsigned number, char room[24]);

#endif
