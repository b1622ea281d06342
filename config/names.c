/* SPDX-License-Identifier: MIT */
/* Tables, searched from their top to their bottom. The headers of each call that is named come by here, so
 * the most usual ones stand first. */
#include "config/names.h"

#include "config/ascii.h"
#include "config/config.h"

/* A row of a table has 32 bytes with its two numbers. */
enum { NAME_MOST = 30, PARAMETER_MOST = 8 };

struct entry {
  char name[NAME_MOST]; /* lower case */
  unsigned char len, what;
};
#define NAME(name, what)                                                                                     \
  {                                                                                                          \
    name, sizeof(name) - 1, IDEM_NAME_##what                                                                 \
  }

/* In the order of their first letters, for nothing but the eye. Texts and no pointers: each would cost every
 * exec a relocation. */
static const struct entry headers[] = {
    /* The most usual ones first, so that they are not looked for any further. */
    NAME("content-type", PLAIN),
    NAME("accept", PLAIN),
    NAME("user-agent", TRANSIENT),
    NAME("authorization", KNOWN),
    /* Whose call it is. */
    NAME("api-key", KNOWN),
    NAME("cookie", KNOWN),
    NAME("cookie2", KNOWN),
    NAME("ocp-apim-subscription-key", KNOWN),
    NAME("x-api-key", KNOWN),
    NAME("x-apikey", KNOWN),
    NAME("x-auth", KNOWN),
    NAME("x-goog-api-key", KNOWN),
    NAME("x-goog-iam-authority-selector", CREDENTIAL),
    /* What a gateway says of whom it lets in. */
    NAME("remote-user", CREDENTIAL),
    NAME("x-forwarded-client-cert", CREDENTIAL),
    NAME("x-forwarded-email", CREDENTIAL),
    NAME("x-forwarded-groups", CREDENTIAL),
    NAME("x-forwarded-user", CREDENTIAL),
    NAME("x-remote-user", CREDENTIAL),
    /* What an answer hands out. */
    NAME("authentication-info", KNOWN),
    NAME("proxy-authentication-info", KNOWN),
    NAME("set-cookie", KNOWN),
    NAME("set-cookie2", KNOWN),
    /* Kept by nobody, and no sign of who asks. */
    NAME("proxy-authorization", SECRET),
    NAME("x-csrf-token", SECRET),
    NAME("x-xsrf-token", SECRET),
    NAME("x-amz-security-token", SIGNED),
    NAME("x-amz-date", SIGNED),
    NAME("x-date", SIGNED),
    NAME("x-ms-date", SIGNED),
    NAME("x-tc-timestamp", SIGNED),
    /* What changes while the answer does not. */
    NAME("accept-encoding", TRANSIENT), /* counts in the shape */
    NAME("amz-sdk-invocation-id", TRANSIENT),
    NAME("amz-sdk-request", TRANSIENT),
    NAME("b3", TRANSIENT),
    NAME("baggage", TRANSIENT),
    NAME("cache-control", TRANSIENT),
    NAME("cf-ray", TRANSIENT),
    NAME("connection", TRANSIENT),
    NAME("content-length", TRANSIENT),
    NAME("correlation-id", TRANSIENT),
    NAME("date", TRANSIENT),
    NAME("dnt", TRANSIENT),
    NAME("expect", TRANSIENT),
    NAME("forwarded", TRANSIENT),
    NAME("host", TRANSIENT), /* counts in the origin */
    NAME("http2-settings", TRANSIENT),
    NAME("idempotency-key", TRANSIENT),
    NAME("keep-alive", TRANSIENT),
    NAME("newrelic", TRANSIENT),
    NAME("pragma", TRANSIENT),
    NAME("priority", TRANSIENT),
    NAME("proxy-connection", TRANSIENT),
    NAME("request-id", TRANSIENT),
    NAME("sentry-trace", TRANSIENT),
    NAME("te", TRANSIENT),
    NAME("traceparent", TRANSIENT),
    NAME("tracestate", TRANSIENT),
    NAME("trailer", TRANSIENT),
    NAME("transfer-encoding", TRANSIENT),
    NAME("uber-trace-id", TRANSIENT),
    NAME("upgrade", TRANSIENT),
    NAME("via", TRANSIENT),
    NAME("x-amz-user-agent", TRANSIENT),
    NAME("x-amzn-trace-id", TRANSIENT),
    NAME("x-client-request-id", TRANSIENT),
    NAME("x-client-trace-id", TRANSIENT),
    NAME("x-cloud-trace-context", TRANSIENT),
    NAME("x-correlation-id", TRANSIENT),
    /* The way that a request has come. Others of this beginning say who asks, or for what. */
    NAME("x-forwarded-by", TRANSIENT),
    NAME("x-forwarded-for", TRANSIENT),
    NAME("x-forwarded-host", TRANSIENT),
    NAME("x-forwarded-port", TRANSIENT),
    NAME("x-forwarded-proto", TRANSIENT),
    NAME("x-forwarded-protocol", TRANSIENT),
    NAME("x-forwarded-scheme", TRANSIENT),
    NAME("x-forwarded-server", TRANSIENT),
    NAME("x-forwarded-ssl", TRANSIENT),
    NAME("x-goog-api-client", TRANSIENT),
    NAME("x-idempotency-key", TRANSIENT),
    NAME("x-ms-client-request-id", TRANSIENT),
    NAME("x-real-ip", TRANSIENT),
    NAME("x-request-id", TRANSIENT),
    NAME("x-request-start", TRANSIENT),
    NAME("x-trace-id", TRANSIENT),
};

/* The same for globs, a * at one end. A family stands here only if none of it says who asks, or for what. */
static const struct entry header_globs[] = {
    NAME("x-amzn-oidc-*", CREDENTIAL),
    NAME("x-forwarded-preferred-*", CREDENTIAL),
    NAME("sec-*", SECRET),
    NAME("*-attempt", TRANSIENT),
    NAME("*-retry-count", TRANSIENT),
    NAME("x-b3-*", TRANSIENT),
    NAME("x-datadog-*", TRANSIENT),
    NAME("x-retry-*", TRANSIENT),
    NAME("x-stainless-*", TRANSIENT),
};

/* Words are compared whole: token, and not tokenizer or max_tokens. `sig` is that of Azure's shared access
 * signatures. */
static const struct entry words[] = {
    NAME("accesskey", CREDENTIAL),   NAME("accesstoken", CREDENTIAL),   NAME("apikey", CREDENTIAL),
    NAME("apisecret", CREDENTIAL),   NAME("apitoken", CREDENTIAL),      NAME("auth", CREDENTIAL),
    NAME("authkey", CREDENTIAL),     NAME("authorization", CREDENTIAL), NAME("authtoken", CREDENTIAL),
    NAME("bearer", CREDENTIAL),      NAME("clientsecret", CREDENTIAL),  NAME("credential", CREDENTIAL),
    NAME("credentials", CREDENTIAL), NAME("idtoken", CREDENTIAL),       NAME("jwt", CREDENTIAL),
    NAME("key", CREDENTIAL),         NAME("passwd", CREDENTIAL),        NAME("password", CREDENTIAL),
    NAME("pwd", CREDENTIAL),         NAME("refreshtoken", CREDENTIAL),  NAME("secret", CREDENTIAL),
    NAME("secretkey", CREDENTIAL),   NAME("sessiontoken", CREDENTIAL),  NAME("sig", CREDENTIAL),
    NAME("signature", CREDENTIAL),   NAME("token", CREDENTIAL),
};

/* Behind these, token and key of a query say a place in what is asked for, and not who asks: page_token,
 * NextToken, continuation-token, sortKey. In a header they say who asks: X-Back-End-Token, X-Sync-Key. */
static const struct entry places[] = {
    NAME("continuation", PLAIN), NAME("cursor", PLAIN),     NAME("end", PLAIN),    NAME("next", PLAIN),
    NAME("page", PLAIN),         NAME("pagination", PLAIN), NAME("paging", PLAIN), NAME("partition", PLAIN),
    NAME("prev", PLAIN),         NAME("previous", PLAIN),   NAME("resume", PLAIN), NAME("resumption", PLAIN),
    NAME("row", PLAIN),          NAME("sort", PLAIN),       NAME("start", PLAIN),  NAME("starting", PLAIN),
    NAME("sync", PLAIN),
};

/* Parameters of a query that are credentials as they stand, without the strokes between their words; and so
 * are the words themselves. */
static const struct entry known_parameters[] = {
    NAME("subscriptionkey", KNOWN), NAME("xamzcredential", KNOWN), NAME("xamzsecuritytoken", KNOWN),
    NAME("xamzsignature", KNOWN),   NAME("xapikey", KNOWN),        NAME("xgoogapikey", KNOWN),
    NAME("xgoogcredential", KNOWN), NAME("xgoogsignature", KNOWN),
};

/* Of Cloudflare, AWS, Azure, Kubernetes' ingress, Google, F5, Imperva, Akamai, DataDome, HAProxy, and others
 * of their kind. Globs are for what is numbered or named at random behind a name of theirs. */
static const char cookies[][NAME_MOST] = {
    "__cf_bm",       "__cflb",       "__cfruid",      "__cfseq-*",
    "_cfuvid",       "cf_clearance", "cf_chl_*",      "awsalb",
    "awsalbcors",    "awsalbtg",     "awsalbtgcors",  "awsalbapp-*",
    "awselb",        "awselbcors",   "arraffinity",   "arraffinitysamesite",
    "ingresscookie", "_ga",          "_ga_*",         "_gac_*",
    "_gid",          "_gat",         "_gat_*",        "gclb",
    "bigipserver*",  "incap_ses_*",  "visid_incap_*", "nlbi_*",
    "ak_bmsc",       "bm_sv",        "bm_sz",         "bm_mi",
    "_abck",         "datadome",     "serverid",      "applicationgatewayaffinity*",
};

static const char parameters[][PARAMETER_MOST] = {"code"}; /* Azure functions */

/* For globs, whose `len` says nothing. */
static bool name_is(const char *pattern, const char *name, size_t len)
{
  if (pattern[0] != '*' && pattern[0] != idem_lower(name[0]))
    return false;
  return idem_glob(pattern, name, len, true);
}

/* True if `name` is `lower` but for the case of its letters. */
static bool folds_to(const char *lower, const char *name, size_t len)
{
  size_t i = 0;
  while (i < len && idem_lower(name[i]) == lower[i])
    i++;
  return i == len;
}

/* The row of a name, or NULL. Most rows are settled by length and first letter. */
static const struct entry *find(const struct entry *table, size_t count, const char *name, size_t len)
{
  char first = idem_lower(name[0]);
  for (size_t i = 0; i < count; i++)
    if (table[i].len == len && table[i].name[0] == first && folds_to(table[i].name, name, len))
      return &table[i];
  return NULL;
}

static bool is_word(const char *name, size_t len)
{
  return find(words, sizeof(words) / sizeof(*words), name, len) != NULL;
}

static bool says_place(const char *word, size_t len)
{
  return idem_same_fold(word, len, "token", 5) || idem_same_fold(word, len, "key", 3);
}

static bool is_capital(char c)
{
  return c >= 'A' && c <= 'Z';
}

/* A word begins at a capital behind another letter, and at the last of several that a small one follows:
 * "APIKey". */
static bool begins(const char *name, size_t len, size_t at)
{
  if (!is_capital(name[at]))
    return false;
  return !is_capital(name[at - 1]) ||
         (at + 1 < len && idem_is_alnum(name[at + 1]) && !is_capital(name[at + 1]));
}

/* `places_count`: a word behind one that says a place is none. */
static bool tells(const char *name, size_t len, bool places_count)
{
  size_t from = 0;
  bool placed = false;
  for (size_t at = 0; at <= len; at++) {
    bool apart = at == len || !idem_is_alnum(name[at]);
    if (!apart && !(at > from && begins(name, len, at)))
      continue;
    if (at > from) {
      if (is_word(name + from, at - from) && !(placed && says_place(name + from, at - from)))
        return true;
      placed = places_count && find(places, sizeof(places) / sizeof(*places), name + from, at - from) != NULL;
    }
    from = apart ? at + 1 : at;
  }
  return false;
}

bool idem_name_tells(const char *name, size_t len)
{
  return tells(name, len, false);
}

/* A row wins over a glob, and both over words: x-csrf-token would be a credential by its last one, and be
 * counted. But what a glob lets pass for nothing may be a credential: X-Datadog-Api-Key. */
enum idem_name idem_name_of_header(const char *name, size_t len)
{
  if (!len)
    return IDEM_NAME_PLAIN;
  const struct entry *row = find(headers, sizeof(headers) / sizeof(*headers), name, len);
  if (row)
    return (enum idem_name)row->what;
  enum idem_name what = IDEM_NAME_PLAIN;
  for (size_t i = 0; what == IDEM_NAME_PLAIN && i < sizeof(header_globs) / sizeof(*header_globs); i++)
    if (name_is(header_globs[i].name, name, len))
      what = (enum idem_name)header_globs[i].what;
  if (what > IDEM_NAME_TRANSIENT)
    return what;
  return idem_name_tells(name, len) ? IDEM_NAME_CREDENTIAL : what;
}

static int digit_of(char c)
{
  c = idem_lower(c);
  return idem_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_known_parameter(const char *name, size_t len)
{
  char letters[NAME_MOST];
  size_t out = 0;
  for (size_t i = 0; i < len; i++) {
    if (name[i] == '-' || name[i] == '_')
      continue;
    if (out == sizeof(letters))
      return false;
    letters[out++] = name[i];
  }
  return out && (is_word(letters, out) ||
                 find(known_parameters, sizeof(known_parameters) / sizeof(*known_parameters), letters, out));
}

/* Of a name that is longer than the room here, what fits is looked at. */
enum idem_name idem_name_of_parameter(const char *name, size_t len)
{
  char plain[128];
  size_t out = 0;
  for (size_t i = 0; i < len && out < sizeof(plain); i++) {
    bool escaped = name[i] == '%' && i + 2 < len && digit_of(name[i + 1]) >= 0 && digit_of(name[i + 2]) >= 0;
    plain[out++] = escaped ? (char)(digit_of(name[i + 1]) << 4 | digit_of(name[i + 2])) : name[i];
    i += escaped ? 2 : 0;
  }
  if (is_known_parameter(plain, out))
    return IDEM_NAME_KNOWN;
  for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++)
    if (idem_same_fold(parameters[i], strlen(parameters[i]), plain, out))
      return IDEM_NAME_CREDENTIAL;
  return tells(plain, out, true) ? IDEM_NAME_CREDENTIAL : IDEM_NAME_PLAIN;
}

enum idem_name idem_name_of_cookie(const char *name, size_t len)
{
  for (size_t i = 0; len && i < sizeof(cookies) / sizeof(*cookies); i++)
    if (name_is(cookies[i], name, len))
      return IDEM_NAME_TRANSIENT;
  return IDEM_NAME_KNOWN;
}
