/* SPDX-License-Identifier: MIT */
#include "shim/handle/overrides.h"

#include "shim/form/form.h"

/* X(option), in the order of restoring. CURLU is before URL, which it takes away since 8.14; what the socket
 * of the connection is comes after its proxies, and the method, which forms and bodies choose, is last. */
/* clang-format off */
#define OVERRIDES(X)                                                                                         \
  X(CURLU) X(URL) X(PORT)                                                                                    \
  X(WRITEFUNCTION) X(WRITEDATA) X(HEADERFUNCTION) X(HEADERDATA)                                              \
  X(READFUNCTION) X(READDATA) X(SEEKFUNCTION) X(SEEKDATA)                                                    \
  X(XFERINFOFUNCTION) X(XFERINFODATA) X(PREREQFUNCTION) X(PREREQDATA)                                        \
  X(OPENSOCKETFUNCTION) X(OPENSOCKETDATA) X(CLOSESOCKETFUNCTION) X(CLOSESOCKETDATA) X(SOCKOPTFUNCTION)       \
  X(ERRORBUFFER) X(VERBOSE)                                                                                  \
  X(HTTPHEADER) X(HTTPAUTH) X(FOLLOWLOCATION) X(RESUME_FROM_LARGE) X(PROTOCOLS)                              \
  X(TIMEOUT_MS) X(LOW_SPEED_LIMIT) X(LOW_SPEED_TIME) X(MAX_RECV_SPEED_LARGE)                                 \
  X(HTTP_VERSION) X(FRESH_CONNECT) X(FORBID_REUSE) X(TCP_FASTOPEN) X(IPRESOLVE)                              \
  X(TCP_KEEPALIVE) X(TCP_KEEPIDLE) X(TCP_KEEPINTVL)                                                           \
  X(PRE_PROXY) X(PROXY) X(UNIX_SOCKET_PATH)                                                                  \
  X(HTTPGET)
/* clang-format on */

enum row {
#define X(name) ROW_##name,
  OVERRIDES(X)
#undef X
      ROW_COUNT
};
_Static_assert(ROW_COUNT <= 64, "a bit of a shadow for each");

static const CURLoption rows[ROW_COUNT] = {
#define X(name) CURLOPT_##name,
    OVERRIDES(X)
#undef X
};

/* Two options that fill one place in libcurl share a row. */
static enum row row_of(CURLoption option)
{
  switch ((int)option) {
#define X(name)                                                                                              \
  case CURLOPT_##name:                                                                                       \
    return ROW_##name;
    OVERRIDES(X)
#undef X
  case CURLOPT_PROGRESSFUNCTION:
    return ROW_XFERINFOFUNCTION;
  case CURLOPT_TIMEOUT:
    return ROW_TIMEOUT_MS;
  case CURLOPT_PROTOCOLS_STR:
    return ROW_PROTOCOLS;
  case CURLOPT_ABSTRACT_UNIX_SOCKET:
    return ROW_UNIX_SOCKET_PATH;
  default:
    return ROW_COUNT;
  }
}

/* 0 for an option without a row. */
static uint64_t bit(enum row row)
{
  return row == ROW_COUNT ? 0 : UINT64_C(1) << row;
}

bool override_find(const struct shadow *shadow, CURLoption option)
{
  return shadow->held & bit(row_of(option));
}

void override_put_off(struct shadow *shadow, CURLoption option)
{
  shadow->altered |= bit(row_of(option));
}

/* True for the app's own value, in libcurl. HTTPGET says nothing to a transfer that is a GET or a HEAD. */
static bool has_already(const struct shadow *shadow, enum row row, uintptr_t value)
{
  if (row == ROW_HTTPGET)
    return shadow->no_body || shadow->request == HTTP_GET;
  return !(shadow->overridden & bit(row)) && shadow_value(shadow, rows[row]) == value;
}

void override_put(struct shadow *shadow, CURLoption option, uintptr_t value, bool hold)
{
  enum row row = row_of(option);
  if (row == ROW_COUNT)
    return;
  if (!has_already(shadow, row, value)) {
    shadow->lib->easy_setopt(shadow->handle, option, value);
    shadow->altered |= bit(row);
  }
  shadow->overridden |= bit(row);
  shadow->held = hold ? shadow->held | bit(row) : shadow->held & ~bit(row);
}

void override_method_again(struct shadow *shadow)
{
  if (shadow->overridden & bit(ROW_HTTPGET))
    override_set(shadow, CURLOPT_HTTPGET, 1);
}

/* HTTPGET has taken the method alone. What chose it before is set once more, and goes with the body that
 * libcurl still has. */
static void restore_method(const struct shadow *shadow, CURL *handle)
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

/* The other option of a row, where the app has set that one. */
static void restore_other(const struct shadow *shadow, CURL *handle, CURLoption option)
{
  uintptr_t value = shadow_value(shadow, option);
  if (value)
    shadow->lib->easy_setopt(handle, option, value);
}

static void restore(const struct shadow *shadow, CURL *handle, enum row row)
{
  if (row == ROW_HTTPGET) {
    restore_method(shadow, handle);
    return;
  }
  shadow->lib->easy_setopt(handle, rows[row], shadow_value(shadow, rows[row]));
  if (row == ROW_PROTOCOLS)
    restore_other(shadow, handle, CURLOPT_PROTOCOLS_STR);
  else if (row == ROW_UNIX_SOCKET_PATH)
    restore_other(shadow, handle, CURLOPT_ABSTRACT_UNIX_SOCKET);
  /* The one of the two callbacks that was set last says whether libcurl draws its meter. */
  else if (row == ROW_XFERINFOFUNCTION)
    restore_other(shadow, handle, CURLOPT_PROGRESSFUNCTION);
}

void override_restore(struct shadow *shadow, CURLoption option)
{
  enum row row = row_of(option);
  if (!(shadow->overridden & bit(row)))
    return;
  shadow->overridden &= ~bit(row);
  shadow->held &= ~bit(row);
  shadow->altered &= ~bit(row);
  restore(shadow, shadow->handle, row);
}

void override_restore_on(const struct shadow *shadow, CURL *copy)
{
  for (uint64_t left = shadow->altered; left; left &= left - 1)
    restore(shadow, copy, (enum row)__builtin_ctzll(left));
}

void override_restore_all(struct shadow *shadow)
{
  override_restore_on(shadow, shadow->handle);
  shadow->overridden = shadow->held = shadow->altered = 0;
}
