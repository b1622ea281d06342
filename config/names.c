/* SPDX-License-Identifier: MIT */
#include "config/names.h"

#include "config/ascii.h"
#include "config/config.h"

enum { NAME_MOST = 30, WORD_MOST = 16 };

struct entry {
  char name[NAME_MOST]; /* lower case; * at its end is anything */
  unsigned char what;
};

/* In the order of their first letters, for nothing but the eye. Texts and no pointers: each would cost every exec a
 * relocation. */
static const struct entry headers[] = {
    /* The most usual ones first, so that they are not looked for any further. */
    {"content-type", IDEM_NAME_PLAIN},
    {"accept", IDEM_NAME_PLAIN},
    {"user-agent", IDEM_NAME_TRANSIENT},
    {"authorization", IDEM_NAME_KNOWN},
    /* Whose call it is. */
    {"api-key", IDEM_NAME_KNOWN},
    {"cookie", IDEM_NAME_KNOWN},
    {"cookie2", IDEM_NAME_KNOWN},
    {"ocp-apim-subscription-key", IDEM_NAME_KNOWN},
    {"x-api-key", IDEM_NAME_KNOWN},
    {"x-apikey", IDEM_NAME_KNOWN},
    {"x-auth", IDEM_NAME_KNOWN},
    {"x-goog-api-key", IDEM_NAME_KNOWN},
    {"x-goog-iam-authority-selector", IDEM_NAME_CREDENTIAL},
    {"x-amzn-oidc-*", IDEM_NAME_CREDENTIAL},
    /* Kept by nobody, and no sign of who asks. */
    {"proxy-authorization", IDEM_NAME_SECRET},
    {"sec-*", IDEM_NAME_SECRET},
    {"x-csrf-token", IDEM_NAME_SECRET},
    {"x-xsrf-token", IDEM_NAME_SECRET},
    {"x-amz-security-token", IDEM_NAME_SIGNED},
    {"x-amz-date", IDEM_NAME_SIGNED},
    /* What changes while the answer does not. */
    {"*-attempt", IDEM_NAME_TRANSIENT},
    {"*-retry-count", IDEM_NAME_TRANSIENT},
    {"accept-encoding", IDEM_NAME_TRANSIENT}, /* counts in the shape */
    {"amz-sdk-invocation-id", IDEM_NAME_TRANSIENT},
    {"amz-sdk-request", IDEM_NAME_TRANSIENT},
    {"b3", IDEM_NAME_TRANSIENT},
    {"baggage", IDEM_NAME_TRANSIENT},
    {"cache-control", IDEM_NAME_TRANSIENT},
    {"cf-ray", IDEM_NAME_TRANSIENT},
    {"connection", IDEM_NAME_TRANSIENT},
    {"content-length", IDEM_NAME_TRANSIENT},
    {"correlation-id", IDEM_NAME_TRANSIENT},
    {"date", IDEM_NAME_TRANSIENT},
    {"dnt", IDEM_NAME_TRANSIENT},
    {"expect", IDEM_NAME_TRANSIENT},
    {"forwarded", IDEM_NAME_TRANSIENT},
    {"host", IDEM_NAME_TRANSIENT}, /* counts in the origin */
    {"http2-settings", IDEM_NAME_TRANSIENT},
    {"idempotency-key", IDEM_NAME_TRANSIENT},
    {"keep-alive", IDEM_NAME_TRANSIENT},
    {"newrelic", IDEM_NAME_TRANSIENT},
    {"pragma", IDEM_NAME_TRANSIENT},
    {"priority", IDEM_NAME_TRANSIENT},
    {"proxy-connection", IDEM_NAME_TRANSIENT},
    {"request-id", IDEM_NAME_TRANSIENT},
    {"sentry-trace", IDEM_NAME_TRANSIENT},
    {"te", IDEM_NAME_TRANSIENT},
    {"traceparent", IDEM_NAME_TRANSIENT},
    {"tracestate", IDEM_NAME_TRANSIENT},
    {"trailer", IDEM_NAME_TRANSIENT},
    {"transfer-encoding", IDEM_NAME_TRANSIENT},
    {"uber-trace-id", IDEM_NAME_TRANSIENT},
    {"upgrade", IDEM_NAME_TRANSIENT},
    {"via", IDEM_NAME_TRANSIENT},
    {"x-amz-user-agent", IDEM_NAME_TRANSIENT},
    {"x-amzn-trace-id", IDEM_NAME_TRANSIENT},
    {"x-b3-*", IDEM_NAME_TRANSIENT},
    {"x-client-request-id", IDEM_NAME_TRANSIENT},
    {"x-client-trace-id", IDEM_NAME_TRANSIENT},
    {"x-cloud-trace-context", IDEM_NAME_TRANSIENT},
    {"x-correlation-id", IDEM_NAME_TRANSIENT},
    {"x-datadog-*", IDEM_NAME_TRANSIENT},
    {"x-forwarded-*", IDEM_NAME_TRANSIENT},
    {"x-goog-api-client", IDEM_NAME_TRANSIENT},
    {"x-idempotency-key", IDEM_NAME_TRANSIENT},
    {"x-ms-client-request-id", IDEM_NAME_TRANSIENT},
    {"x-real-ip", IDEM_NAME_TRANSIENT},
    {"x-request-id", IDEM_NAME_TRANSIENT},
    {"x-request-start", IDEM_NAME_TRANSIENT},
    {"x-retry-*", IDEM_NAME_TRANSIENT},
    {"x-stainless-*", IDEM_NAME_TRANSIENT},
    {"x-trace-id", IDEM_NAME_TRANSIENT},
};

static const char words[][WORD_MOST] = {
    "accesskey",     "accesstoken",  "apikey", "apisecret",    "apitoken",   "auth",         "authkey",
    "authorization", "authtoken",    "bearer", "clientsecret", "credential", "credentials",  "idtoken",
    "jwt",           "key",          "passwd", "password",     "pwd",        "refreshtoken", "secret",
    "secretkey",     "sessiontoken", "sig",    "signature",    "token",
};

static const char cookies[][NAME_MOST] = {
    "__cf_bm",       "__cflb",
    "__cfruid",      "__cfseq*",
    "_cfuvid",       "cf_clearance",
    "cf_chl_*",      "awsalb*",
    "awselb*",       "arraffinity*",
    "ingresscookie", "_ga*",
    "_gid",          "_gat*",
    "gclb",          "bigipserver*",
    "incap_ses_*",   "visid_incap_*",
    "nlbi_*",        "ak_bmsc",
    "bm_sv",         "bm_sz",
    "bm_mi",         "_abck",
    "datadome",      "applicationgatewayaffinity*",
    "lb_session",    "serverid",
};

static const char parameters[][WORD_MOST] = {"code"}; /* Azure functions */

static bool name_is(const char *pattern, const char *name, size_t len)
{
  if (pattern[0] != '*' && pattern[0] != idem_lower(name[0]))
    return false;
  return idem_glob(pattern, name, len, true);
}

static bool is_word(const char *name, size_t len)
{
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
    if (words[i][0] == idem_lower(name[0]) && idem_same_fold(words[i], strlen(words[i]), name, len))
      return true;
  return false;
}

static bool is_capital(char c)
{
  return c >= 'A' && c <= 'Z';
}

/* A word begins at a capital behind another letter, and at the last of several that a small one follows: "APIKey". */
static bool begins(const char *name, size_t len, size_t at)
{
  if (!is_capital(name[at]))
    return false;
  return !is_capital(name[at - 1]) ||
         (at + 1 < len && idem_is_alnum(name[at + 1]) && !is_capital(name[at + 1]));
}

bool idem_name_tells(const char *name, size_t len)
{
  size_t from = 0;
  for (size_t at = 0; at <= len; at++) {
    bool apart = at == len || !idem_is_alnum(name[at]);
    if (!apart && !(at > from && begins(name, len, at)))
      continue;
    if (at > from && is_word(name + from, at - from))
      return true;
    from = apart ? at + 1 : at;
  }
  return false;
}

enum idem_name idem_name_of_header(const char *name, size_t len)
{
  for (size_t i = 0; len && i < sizeof(headers) / sizeof(*headers); i++)
    if (name_is(headers[i].name, name, len))
      return (enum idem_name)headers[i].what;
  return idem_name_tells(name, len) ? IDEM_NAME_CREDENTIAL : IDEM_NAME_PLAIN;
}

static int digit_of(char c)
{
  c = idem_lower(c);
  return idem_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum idem_name idem_name_of_parameter(const char *name, size_t len)
{
  char plain[128];
  size_t out = 0;
  for (size_t i = 0; i < len && out < sizeof(plain); i++) {
    bool escaped = name[i] == '%' && i + 2 < len && digit_of(name[i + 1]) >= 0 && digit_of(name[i + 2]) >= 0;
    plain[out++] = escaped ? (char)(digit_of(name[i + 1]) << 4 | digit_of(name[i + 2])) : name[i];
    i += escaped ? 2 : 0;
  }
  for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++)
    if (idem_same_fold(parameters[i], strlen(parameters[i]), plain, out))
      return IDEM_NAME_CREDENTIAL;
  return idem_name_tells(plain, out) ? IDEM_NAME_CREDENTIAL : IDEM_NAME_PLAIN;
}

enum idem_name idem_name_of_cookie(const char *name, size_t len)
{
  for (size_t i = 0; len && i < sizeof(cookies) / sizeof(*cookies); i++)
    if (name_is(cookies[i], name, len))
      return IDEM_NAME_TRANSIENT;
  return IDEM_NAME_KNOWN;
}
