/* SPDX-License-Identifier: MIT */
#include "shim/transport/transport_options.h"

#include "shim/form/form.h"
#include "shim/transport/transport.h"

#include <stdarg.h>

/* X(option, what libcurl gets, what it has without us). The pipe needs no name, no proxy, no second
 * connection and no request that anybody reads. */
#define LENT(X)                                                                                              \
  X(URL, lend->url, shadow->url.len ? shadow->url.data : NULL)                                               \
  X(WRITEFUNCTION, lend->write, shadow->slot[SLOT_WRITEFUNCTION])                                            \
  X(WRITEDATA, lend->transport, shadow->slot[SLOT_WRITEDATA])                                                \
  X(HEADERFUNCTION, lend->header, shadow->slot[SLOT_HEADERFUNCTION])                                         \
  X(HEADERDATA, lend->transport, shadow->slot[SLOT_HEADERDATA])                                              \
  X(HTTPHEADER, NULL, shadow->slot[SLOT_HTTPHEADER])                                                         \
  X(FOLLOWLOCATION, 0, shadow->slot[SLOT_FOLLOWLOCATION])                                                    \
  X(OPENSOCKETFUNCTION, lend->open_socket, RARE(OPENSOCKETFUNCTION, 0))                                      \
  X(OPENSOCKETDATA, lend->transport, RARE(OPENSOCKETDATA, 0))                                                \
  X(CLOSESOCKETFUNCTION, lend->close_socket, RARE(CLOSESOCKETFUNCTION, 0))                                   \
  X(CLOSESOCKETDATA, NULL, RARE(CLOSESOCKETDATA, 0))                                                         \
  X(SOCKOPTFUNCTION, NULL, RARE(SOCKOPTFUNCTION, 0))                                                         \
  X(PROXY, "", RARE(PROXY, 0))                                                                               \
  X(HTTP_VERSION, CURL_HTTP_VERSION_1_1, RARE(HTTP_VERSION, CURL_HTTP_VERSION_NONE))                         \
  X(FRESH_CONNECT, 1, RARE(FRESH_CONNECT, 0))                                                                \
  X(FORBID_REUSE, 1, RARE(FORBID_REUSE, 0))

/* The same where the app has set it: X(option, condition, what libcurl gets, what it has without us). They
 * come first: since 8.14 CURLU takes the URL away. */
#define LENT_IF(X)                                                                                           \
  X(CURLU, shadow->slot[SLOT_CURLU], NULL, shadow->slot[SLOT_CURLU])                                         \
  X(PORT, shadow->slot[SLOT_PORT], 0, shadow->slot[SLOT_PORT])                                               \
  X(PRE_PROXY, RARE(PRE_PROXY, 0), NULL, RARE(PRE_PROXY, 0))                                                 \
  X(MAX_RECV_SPEED_LARGE, RARE(MAX_RECV_SPEED_LARGE, 0), 0, RARE(MAX_RECV_SPEED_LARGE, 0))                   \
  X(TCP_FASTOPEN, RARE(TCP_FASTOPEN, 0), 0, RARE(TCP_FASTOPEN, 0))                                           \
  X(IPRESOLVE, RARE(IPRESOLVE, 0), CURL_IPRESOLVE_WHATEVER, RARE(IPRESOLVE, 0))                              \
  X(VERBOSE, RARE(VERBOSE, 0), 0, RARE(VERBOSE, 0))                                                          \
  X(HTTPAUTH, RARE(HTTPAUTH, CURLAUTH_BASIC) != CURLAUTH_BASIC, CURLAUTH_BASIC,                              \
    RARE(HTTPAUTH, CURLAUTH_BASIC))                                                                          \
  X(RESUME_FROM_LARGE, resumes_upload(shadow), 0, RARE(RESUME_FROM_LARGE, 0))                                \
  X(PREREQFUNCTION, RARE(PREREQFUNCTION, 0), lend->prereq, RARE(PREREQFUNCTION, 0))                          \
  X(PREREQDATA, RARE(PREREQFUNCTION, 0), lend->transport, RARE(PREREQDATA, 0))                               \
  X(XFERINFOFUNCTION, may_show_progress(shadow), lend->progress, shadow->slot[SLOT_XFERINFOFUNCTION])        \
  X(XFERINFODATA, may_show_progress(shadow), lend->transport, shadow->slot[SLOT_XFERINFODATA])

#define RARE(name, fallback) shadow_value(shadow, CURLOPT_##name)

/* The app's protocols may leave http out. */
static bool bars_http(const struct shadow *shadow)
{
  return shadow->slot[SLOT_PROTOCOLS_STR] || shadow->slot[SLOT_PROTOCOLS] != (uintptr_t)-1;
}

/* Also if it is only turned on in the middle. */
static bool may_show_progress(const struct shadow *shadow)
{
  return !shadow->slot[SLOT_NOPROGRESS] || shadow->slot[SLOT_XFERINFOFUNCTION] ||
         shadow->slot[SLOT_PROGRESSFUNCTION];
}

/* With a body, RESUME_FROM is about what is sent. */
static bool resumes_upload(const struct shadow *shadow)
{
  return shadow->request != HTTP_GET && shadow->request != HTTP_HEAD && RARE(RESUME_FROM_LARGE, 0);
}

void lend_method(struct shadow *shadow)
{
  if (!shadow->no_body && shadow->request != HTTP_GET)
    shadow->lib->easy_setopt(shadow->handle, CURLOPT_HTTPGET, 1L);
}

static void return_method(const struct shadow *shadow, CURL *handle)
{
  const struct libcurl *real = shadow->lib;
  if (shadow->no_body)
    return;
  switch ((enum http_request)shadow->request) {
  case HTTP_POST:
    real->easy_setopt(handle, CURLOPT_POST, 1L);
    break;
  case HTTP_PUT:
    real->easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    break;
  case HTTP_FORM:
    real->easy_setopt(handle, CURLOPT_HTTPPOST, shadow->slot[SLOT_HTTPPOST]);
    break;
  case HTTP_MIME:
    real->easy_setopt(handle, CURLOPT_MIMEPOST, form_real(shadow->form));
    break;
  case HTTP_GET:
  case HTTP_HEAD:
    break;
  }
}

void lend_all(struct shadow *shadow, const struct lend *lend)
{
  const struct libcurl *real = shadow->lib;
  CURL *handle = shadow->handle;
#define X(option, condition, lent, without)                                                                  \
  if (condition)                                                                                             \
    real->easy_setopt(handle, CURLOPT_##option, (uintptr_t)(lent));
  LENT_IF(X)
#undef X
#define X(option, lent, without) real->easy_setopt(handle, CURLOPT_##option, (uintptr_t)(lent));
  LENT(X)
#undef X
  if (bars_http(shadow))
    real->easy_setopt(handle, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
  if (lend->untimed)
    real->easy_setopt(handle, CURLOPT_TIMEOUT_MS, 0L);
  real->easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, "idemshim");
  lend_method(shadow);
}

void lend_return_all(struct shadow *shadow, CURL *handle)
{
  const struct libcurl *real = shadow->lib;
  /* All of them: the app may have changed the condition meanwhile. */
#define X(option, condition, lent, without) real->easy_setopt(handle, CURLOPT_##option, (uintptr_t)(without));
  LENT_IF(X)
#undef X
#define X(option, lent, without) real->easy_setopt(handle, CURLOPT_##option, (uintptr_t)(without));
  LENT(X)
#undef X
  /* Setting the newer of the two callbacks says that there is none of either [setopt.c]. */
  if (shadow->slot[SLOT_PROGRESSFUNCTION] && !shadow->slot[SLOT_XFERINFOFUNCTION])
    real->easy_setopt(handle, CURLOPT_PROGRESSFUNCTION, shadow->slot[SLOT_PROGRESSFUNCTION]);
  real->easy_setopt(handle, CURLOPT_PROTOCOLS, shadow->slot[SLOT_PROTOCOLS]);
  if (shadow->slot[SLOT_PROTOCOLS_STR])
    real->easy_setopt(handle, CURLOPT_PROTOCOLS_STR, shadow->slot[SLOT_PROTOCOLS_STR]);
  real->easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, shadow->slot[SLOT_UNIX_SOCKET_PATH]);
  if (shadow->slot[SLOT_ABSTRACT_UNIX_SOCKET])
    real->easy_setopt(handle, CURLOPT_ABSTRACT_UNIX_SOCKET, shadow->slot[SLOT_ABSTRACT_UNIX_SOCKET]);
  real->easy_setopt(handle, CURLOPT_TIMEOUT_MS, shadow->slot[SLOT_TIMEOUT_MS]);
  return_method(shadow, handle);
}

bool transport_lends(CURLoption option)
{
  switch ((int)option) {
#define X(option, lent, without) case CURLOPT_##option:
    LENT(X)
#undef X
#define X(option, condition, lent, without) case CURLOPT_##option:
    LENT_IF(X)
#undef X
  case CURLOPT_PROTOCOLS:
  case CURLOPT_PROTOCOLS_STR:
  case CURLOPT_UNIX_SOCKET_PATH:
  case CURLOPT_ABSTRACT_UNIX_SOCKET:
    return true;
  default:
    return false;
  }
}
