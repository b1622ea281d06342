/* SPDX-License-Identifier: MIT */
/*
 * curl.h, with what libcurl has added to it since 7.68.
 *
 *     #include "shim/libcurl/curl_compat.h"      in the place of <curl/curl.h>
 *
 * The libcurl of a program can be newer than the curl.h that the shim was built with, and both can be older
 * than what the shim knows. So everything that it has heard of has its name here, by number: numbers of
 * options and infos are part of libcurl's ABI and never change. A function of which an older libcurl knows
 * nothing is NULL in the table of libcurl.h.
 *
 * A new option gets a line here and a row in handle/options.h; the test options::have_a_row_each names those
 * that have none.
 */
#ifndef IDEMSHIM_SHIM_CURL_COMPAT_H
#define IDEMSHIM_SHIM_CURL_COMPAT_H

#ifndef CURL_DISABLE_DEPRECATION
#define CURL_DISABLE_DEPRECATION
#endif
#include <curl/curl.h>

/* A version has two hexadecimal digits for each of its numbers: 0x074500 is 7.69.0. */
#if LIBCURL_VERSION_NUM < 0x074500
#define CURLOPT_MAIL_RCPT_ALLLOWFAILS 290
#endif
#if LIBCURL_VERSION_NUM < 0x074700
#define CURLOPTTYPE_BLOB 40000
#define CURL_BLOB_COPY   1
struct curl_blob {
  void *data;
  size_t len;
  unsigned int flags;
};
#define CURLOPT_SSLCERT_BLOB          40291
#define CURLOPT_SSLKEY_BLOB           40292
#define CURLOPT_PROXY_SSLCERT_BLOB    40293
#define CURLOPT_PROXY_SSLKEY_BLOB     40294
#define CURLOPT_ISSUERCERT_BLOB       40295
#define CURLOPT_PROXY_ISSUERCERT      10296
#define CURLOPT_PROXY_ISSUERCERT_BLOB 40297
#endif
#if LIBCURL_VERSION_NUM < 0x074800
#define CURLINFO_EFFECTIVE_METHOD (CURLINFO_STRING + 58)
#endif
#if LIBCURL_VERSION_NUM < 0x074900
#define CURLOPT_SSL_EC_CURVES 10298
#define CURLINFO_PROXY_ERROR  (CURLINFO_LONG + 59)
#endif
#if LIBCURL_VERSION_NUM < 0x074a00
#define CURLHSTS_ENABLE           1
#define CURLOPT_HSTS_CTRL         299
#define CURLOPT_HSTS              10300
#define CURLOPT_HSTSREADFUNCTION  20301
#define CURLOPT_HSTSREADDATA      10302
#define CURLOPT_HSTSWRITEFUNCTION 20303
#define CURLOPT_HSTSWRITEDATA     10304
#endif
#if LIBCURL_VERSION_NUM < 0x074b00
#define CURLOPT_AWS_SIGV4  10305
#define CURLAUTH_AWS_SIGV4 (1ul << 7)
#endif
#if LIBCURL_VERSION_NUM < 0x074c00
#define CURLOPT_DOH_SSL_VERIFYPEER   306
#define CURLOPT_DOH_SSL_VERIFYHOST   307
#define CURLOPT_DOH_SSL_VERIFYSTATUS 308
#define CURLINFO_REFERER             (CURLINFO_STRING + 60)
#endif
#if LIBCURL_VERSION_NUM < 0x074d00
#define CURLOPT_CAINFO_BLOB       40309
#define CURLOPT_PROXY_CAINFO_BLOB 40310
#endif
#if LIBCURL_VERSION_NUM < 0x075000
#define CURLOPT_SSH_HOST_PUBLIC_KEY_SHA256 10311
#define CURLOPT_PREREQFUNCTION             20312
#define CURLOPT_PREREQDATA                 10313
#define CURLOPT_MAXLIFETIME_CONN           314
#define CURL_PREREQFUNC_OK                 0
#define CURL_PREREQFUNC_ABORT              1
typedef int (*curl_prereq_callback)(void *, char *, char *, int, int);
#endif
#if LIBCURL_VERSION_NUM < 0x075100
#define CURLOPT_MIME_OPTIONS   315
#define CURLMIMEOPT_FORMESCAPE (1 << 0)
#endif
#if LIBCURL_VERSION_NUM < 0x075300
#define CURLH_HEADER  (1 << 0)
#define CURLH_TRAILER (1 << 1)
#define CURLH_CONNECT (1 << 2)
#define CURLH_1XX     (1 << 3)
#define CURLH_PSEUDO  (1 << 4)
typedef enum {
  CURLHE_OK,
  CURLHE_BADINDEX,
  CURLHE_MISSING,
  CURLHE_NOHEADERS,
  CURLHE_NOREQUEST,
  CURLHE_OUT_OF_MEMORY,
  CURLHE_BAD_ARGUMENT,
  CURLHE_NOT_BUILT_IN
} CURLHcode;
struct curl_header {
  char *name;
  char *value;
  size_t amount;
  size_t index;
  unsigned origin;
  void *anchor;
};
CURLHcode curl_easy_header(CURL *handle, const char *name, size_t index, unsigned origin, int request,
                           struct curl_header **found);
struct curl_header *curl_easy_nextheader(CURL *handle, unsigned origin, int request,
                                         struct curl_header *previous);
#endif
#if LIBCURL_VERSION_NUM < 0x075400
#define CURLOPT_SSH_HOSTKEYFUNCTION 20316
#define CURLOPT_SSH_HOSTKEYDATA     10317
#define CURLINFO_CAINFO             (CURLINFO_STRING + 61)
#define CURLINFO_CAPATH             (CURLINFO_STRING + 62)
#endif
#if LIBCURL_VERSION_NUM < 0x075500
#define CURLOPT_PROTOCOLS_STR       10318
#define CURLOPT_REDIR_PROTOCOLS_STR 10319
#endif
#if LIBCURL_VERSION_NUM < 0x075600
#define CURLOPT_WS_OPTIONS 320
#endif
#if LIBCURL_VERSION_NUM < 0x075700
#define CURLOPT_CA_CACHE_TIMEOUT 321
#define CURLOPT_QUICK_EXIT       322
#define CURL_WRITEFUNC_ERROR     0xFFFFFFFF
#endif
#if LIBCURL_VERSION_NUM < 0x080100
#define CURLPROXY_HTTPS2 3
#endif
#if LIBCURL_VERSION_NUM < 0x080200
#define CURLOPT_HAPROXY_CLIENT_IP 10323
#endif
#if LIBCURL_VERSION_NUM < 0x080600
#define CURLOPT_SERVER_RESPONSE_TIMEOUT_MS 324
#endif
#if LIBCURL_VERSION_NUM < 0x080800
#define CURLOPT_ECH 10325
#endif
#if LIBCURL_VERSION_NUM < 0x080800
CURLMcode curl_multi_waitfds(CURLM *multi, struct curl_waitfd *fds, unsigned size, unsigned *count);
#endif
#if LIBCURL_VERSION_NUM < 0x080900
#define CURLOPT_TCP_KEEPCNT 326
#endif
#if LIBCURL_VERSION_NUM < 0x080d00
#define CURLOPT_UPLOAD_FLAGS 327
#endif
#if LIBCURL_VERSION_NUM < 0x080e00
#define CURLOPT_SSL_SIGNATURE_ALGORITHMS 10328
#endif
#if LIBCURL_VERSION_NUM < 0x081000
typedef int CURLMinfo_offt;
#define CURLMINFO_XFERS_RUNNING 2
#define CURLMINFO_XFERS_DONE    4
#define CURLMINFO_XFERS_ADDED   5
CURLMcode curl_multi_get_offt(CURLM *multi, CURLMinfo_offt info, curl_off_t *value);
#endif
#if LIBCURL_VERSION_NUM < 0x081100
#define CURLMOPT_NOTIFYFUNCTION 20018
#endif
#if LIBCURL_VERSION_NUM < 0x081500
#define CURLPROXY_HTTPS3 8
#endif
#if LIBCURL_VERSION_NUM < 0x081600
#define CURLOPT_HTTPSIG_ALGORITHM 329
#define CURLOPT_HTTPSIG_KEY       10330
#define CURLOPT_HTTPSIG_KEYID     10331
#define CURLOPT_HTTPSIG_HEADERS   10332
#define CURLAUTH_HTTPSIG          (1ul << 8)
#endif

#endif
