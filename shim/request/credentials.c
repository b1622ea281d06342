/* SPDX-License-Identifier: MIT */
#include "shim/request/credentials.h"

#include "config/kernel.h"
#include "shim/base/span.h"
#include "shim/form/form_file.h"
#include "shim/request/cookies.h"
#include "shim/request/netrc.h"

#include <errno.h>
#include <string.h>

static void add_credential(struct request *request, enum idem_credential kind, struct idem_span text)
{
  struct idem_request *bytes = &request->bytes;
  bytes->credential_kinds |= (uint64_t)kind << 4 * bytes->credential_count;
  request->credentials[bytes->credential_count++] = text;
}

/* HTTPAUTH says which login goes out: a token that it does not name stays here, and with CURLAUTH_NONE each
 * one. Kerberos needs none. The store takes 0 for the usual, so CURLAUTH_NONE is told by a bit that stands
 * for no kind. */
static void build_auth(struct request *request)
{
  if (!request->shadow->rare_count)
    return;
  const unsigned long auth = (unsigned long)shadow_value(request->shadow, CURLOPT_HTTPAUTH);
  if (auth != CURLAUTH_BASIC &&
      (request->bytes.credential_count || (auth & ~CURLAUTH_ONLY) == CURLAUTH_NEGOTIATE))
    request->bytes.auth = auth == CURLAUTH_NONE ? 1ull << 63 : auth;
}

/* Credentials say who is asking, as far as it was not said in a header. */
void credentials_build(struct request *request)
{
  static const struct {
    uint8_t slot, kind;
  } options[] = {{SLOT_USERPWD, IDEM_CREDENTIAL_LOGIN},     {SLOT_USERNAME, IDEM_CREDENTIAL_USER},
                 {SLOT_PASSWORD, IDEM_CREDENTIAL_PASSWORD}, {SLOT_XOAUTH2_BEARER, IDEM_CREDENTIAL_BEARER},
                 {SLOT_AWS_SIGV4, IDEM_CREDENTIAL_SIGNER},  {SLOT_SSLCERT, IDEM_CREDENTIAL_CERTIFICATE}};
  enum { OPTIONS = sizeof(options) / sizeof(*options) };
  _Static_assert(OPTIONS + 4 <= REQUEST_CREDENTIALS_MAX,
                 "a place for each, for the URL's, for cookies, for a .netrc and for a certificate");
  const struct shadow *shadow = request->shadow;
  request->bytes.credentials = request->credentials;
  for (size_t i = 0; i < OPTIONS; i++)
    if (shadow->slot[options[i].slot])
      add_credential(request, options[i].kind, span_of(shadow_text(shadow, options[i].slot)));
  const struct url_parts *parts = &shadow->parts;
  if (parts->user_len)
    add_credential(request, IDEM_CREDENTIAL_LOGIN,
                   (struct idem_span){shadow->url.data + parts->user, parts->user_len});
  build_auth(request);
}

static bool is_user(const char *login)
{
  return login && *login && *login != ':';
}

bool credentials_log_in_as_process(const struct request *request)
{
  const struct shadow *shadow = request->shadow;
  if (!shadow->rare_count || request->rule->keying.tenant != IDEM_TENANT_CREDENTIALS)
    return false;
  const unsigned long kinds = (unsigned long)shadow_value(shadow, CURLOPT_HTTPAUTH) & ~CURLAUTH_ONLY;
  if (!(kinds & (CURLAUTH_NEGOTIATE | CURLAUTH_NTLM | CURLAUTH_NTLM_WB)))
    return false;
  if (kinds == CURLAUTH_NEGOTIATE)
    return true;
  const char *pair = shadow_text(shadow, SLOT_USERPWD), *name = shadow_text(shadow, SLOT_USERNAME),
             *in_url = shadow->parts.user_len ? shadow->url.data + shadow->parts.user : NULL;
  if (request->netrc.len || is_user(pair) || is_user(name) || is_user(in_url))
    return false;
  return pair || name || in_url || shadow_text(shadow, SLOT_PASSWORD);
}

const char *credentials_add_cookies(struct request *request)
{
  const struct shadow *shadow = request->shadow;
  const char *option = shadow_text(shadow, SLOT_COOKIE);
  if (!option && !shadow->cookie_engine && !shadow->shared)
    return NULL;
  const char *reason = cookies_sent(shadow, request->host, option, &request->cookies);
  if (!reason && request->cookies.len)
    add_credential(request, IDEM_CREDENTIAL_LOGIN, span_of_buffer(&request->cookies));
  return reason;
}

bool credentials_add_netrc(struct request *request)
{
  if (!netrc_read(request->shadow, &request->netrc, &request->body.form.files))
    return false;
  if (request->netrc.len)
    add_credential(request, IDEM_CREDENTIAL_LOGIN, span_of_buffer(&request->netrc));
  build_auth(request);
  return true;
}

bool credentials_add_certificate(struct request *request)
{
  enum { CERTIFICATE_MAX = 1 << 20 };
  const char *path = shadow_text(request->shadow, SLOT_SSLCERT);
  struct stat info;
  int saved = errno;
  bool known = true;
  if (request->rule->keying.tenant == IDEM_TENANT_CREDENTIALS &&
      idem_fstatat(AT_FDCWD, path, &info, 0) == 0) {
    known =
        !form_file_read(&request->certificate, &request->body.form.files, path, INT64_MAX, CERTIFICATE_MAX);
    if (known)
      add_credential(request, IDEM_CREDENTIAL_CERTIFICATE, span_of_buffer(&request->certificate));
  }
  errno = saved;
  return known;
}
