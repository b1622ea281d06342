/* SPDX-License-Identifier: MIT */
/*
 * what_counts SEED PAIRS|each LOG [FAULT]: pairs of requests, of which the second differs from the first by
 * one change; with `each`, one for each row.
 *
 * Both go through a handle of libcurl's and fail to get a socket, so that nothing is sent; what they were
 * named is read from the log, IDEMSHIM_LOG, where `live` tells the id and `bypass` that there is none. Each
 * row of the table below is a row of docs/keys.md. A pair that is named otherwise than the table says is
 * printed, and the exit status is 1. With FAULT the expectation of that row is turned round, so that a test
 * can see that it would be found.
 */
#define CURL_DISABLE_TYPECHECK
#include "shim/libcurl/curl_compat.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum verdict { SAME, OTHER, LIVE, SAME_SINCE_7_86 /* and before live */ };

/* A request in pieces that a change can get at. */
struct ask {
  char url[256], body[512], ca[64];
  char header[8][128];
  int headers;
  const char *method, *cookie, *referer, *agent, *userpwd, *pins;
  bool any_peer, any_name, follow, late_default, ctx, own_sockets;
  long max_redirects, timeout;
  struct {
    CURLoption option;
    long number;
    const char *text; /* NULL: it is the number */
  } set[4];
  int sets;
  const char *part, *netrc, *to, *blob, *url_part, *dir;
  CURLoption blob_of;
};

static unsigned long state;

static unsigned pick(unsigned n)
{
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(state >> 33) % n;
}

/* A header in which %u, if it is there, becomes the number. */
static void add(struct ask *ask, const char *line, unsigned number)
{
  const char *at = strstr(line, "%u");
  char *header = ask->header[ask->headers++];
  if (at)
    snprintf(header, sizeof(ask->header[0]), "%.*s%u%s", (int)(at - line), line, number, at + 2);
  else
    snprintf(header, sizeof(ask->header[0]), "%s", line);
}

static void number(struct ask *ask, CURLoption option, long value)
{
  ask->set[ask->sets].option = option;
  ask->set[ask->sets++].number = value;
}

static void text(struct ask *ask, CURLoption option, const char *value)
{
  ask->set[ask->sets].option = option;
  ask->set[ask->sets++].text = value;
}

/* A form as Guzzle and openai-php write it. */
static void form(struct ask *ask, const char *boundary, const char *value)
{
  snprintf(ask->header[ask->headers++], sizeof(ask->header[0]),
           "Content-Type: multipart/form-data; boundary=%s", boundary);
  snprintf(ask->body, sizeof(ask->body),
           "--%s\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n%s\r\n--%s--\r\n", boundary, value,
           boundary);
}

static void blob(struct ask *ask, CURLoption option, const char *bytes)
{
  ask->blob_of = option;
  ask->blob = bytes;
}

static void replace(char *text, size_t size, const char *from, const char *to)
{
  char rest[512], *at = strstr(text, from);
  if (!at)
    abort();
  snprintf(rest, sizeof(rest), "%s", at + strlen(from));
  snprintf(at, size - (size_t)(at - text), "%s%s", to, rest);
}

static const char *const whom[] = {"X-Forwarded-User: u%u",
                                   "X-Forwarded-Email: u%u",
                                   "X-Forwarded-Groups: g%u",
                                   "X-Forwarded-Preferred-Username: u%u",
                                   "X-Forwarded-Access-Token: %u",
                                   "X-Forwarded-Client-Cert: Hash=%u",
                                   "X-Datadog-Api-Key: %u",
                                   "X-Back-End-Token: %u",
                                   "X-Sync-Key: %u",
                                   "X-Page-Token: %u"};
static const char *const what_for[] = {"X-Forwarded-Uri: /%u", "X-Forwarded-Method: M%u",
                                       "X-Forwarded-Prefix: /%u", "X-Forwarded-Language: l%u"};

#define BODY(from, to) replace(b->body, sizeof(b->body), from, to)
#define URL(from, to)  replace(b->url, sizeof(b->url), from, to)
/* Without a proxy, and without a look for the host's name. */
#define BY_SOCKET                                                                                            \
  (text(a, CURLOPT_PROXY, ""), text(b, CURLOPT_PROXY, ""), text(a, CURLOPT_UNIX_SOCKET_PATH, "/nowhere"),    \
   text(b, CURLOPT_UNIX_SOCKET_PATH, "/nowhere"))
#define HTTP (replace(a->url, sizeof(a->url), "https", "http"), URL("https", "http"))

/* Both are of one random kind; `b` is a copy of `a` that the change may alter, and `a` may be prepared for
 * it. */
#define CHANGES(X)                                                                                           \
  X(json_order, SAME, BODY("\"model\":\"m\",\"n\":1", "\"n\":1,\"model\":\"m\""))                            \
  X(json_blanks, SAME, BODY("\"n\":1", "\n \"n\" : 1\t"))                                                    \
  X(json_escape, SAME, BODY("\"model\"", "\"\\u006dodel\""))                                                 \
  X(json_mark, SAME, BODY("{\"model", "\xef\xbb\xbf{\"model"))                                               \
  X(json_fraction, SAME, BODY("0.70", "7e-1"))                                                               \
  X(json_point, OTHER, BODY("\"n\":1", "\"n\":1.0"))                                                         \
  X(json_digit, OTHER, BODY("12345678901234567890", "12345678901234567891"))                                 \
  X(json_elements, OTHER, BODY("[1,2]", "[2,1]"))                                                            \
  X(json_double, OTHER, BODY("\"d\":1,\"d\":2", "\"d\":2,\"d\":1"))                                          \
  X(json_half_pair, OTHER, BODY("\\ud83d", "\\ud83e"))                                                       \
  X(json_value, OTHER, BODY("prompt ", "prompt, "))                                                          \
  X(json_ignored, SAME, BODY("\"at\":7", "\"at\":{\"x\":[8]}"))                                              \
  X(text_blanks, OTHER, (strcpy(a->body, "a=1&b=2"), strcpy(b->body, "a=1&b=2 ")))                           \
  X(text_like_json, OTHER,                                                                                   \
    (add(a, "Content-Type: text/plain; charset=utf-8", 0), strcpy(a->body, "[1, 2]"),                        \
     add(b, "Content-Type: text/plain; charset=utf-8", 0), strcpy(b->body, "[1,2]")))                        \
  X(query_value, OTHER, URL("q=", "q=x"))                                                                    \
  X(query_order, OTHER, URL("alt=a&q=", "q=&alt=a"))                                                         \
  X(query_credential, OTHER, (strcat(a->url, "&api_key=a"), strcat(b->url, "&api_key=b")))                   \
  X(query_page, OTHER, (strcat(a->url, "&page_token=a"), strcat(b->url, "&page_token=b")))                   \
  X(query_word, OTHER, (strcat(a->url, "&unit_key=a"), strcat(b->url, "&unit_key=b")))                       \
  X(path, OTHER, URL("/v1/", "/v2/"))                                                                        \
  X(path_as_is, OTHER,                                                                                       \
    (replace(a->url, sizeof(a->url), "/v1/", "/a/../v1/"), URL("/v1/", "/a/../v1/"),                         \
     number(b, CURLOPT_PATH_AS_IS, 1)))                                                                      \
  X(path_dots, SAME, URL("/v1/", "/a/../v1/./"))                                                             \
  X(path_hidden, SAME, (replace(a->url, sizeof(a->url), "/v1/", "/.v1/"), URL("/v1/", "/a/../.v1/")))        \
  X(path_dots_cookie, OTHER,                                                                                 \
    (replace(a->url, sizeof(a->url), "/v1/", "/a/../v1/"), URL("/v1/", "/a/../v1/"),                         \
     text(a, CURLOPT_COOKIELIST, "Set-Cookie: s=1; domain=api.example; path=/v1"),                           \
     text(b, CURLOPT_COOKIELIST, "Set-Cookie: s=2; domain=api.example; path=/v1")))                          \
  X(host, OTHER, URL("api.", "apj."))                                                                        \
  X(port, OTHER, URL(".example", ".example:8443"))                                                           \
  X(method, OTHER, b->method = "PUT")                                                                        \
  X(header_known, SAME, add(b, known[pick(sizeof(known) / sizeof(*known))], pick(1000)))                     \
  X(header_any, OTHER, add(b, "X-Made-Up-%u: 1", pick(1000)))                                                \
  X(header_value, OTHER, (add(a, "X-Foo: 1", 0), add(b, "X-Foo: 2", 0)))                                     \
  X(header_case, SAME, (add(a, "X-Foo: %u", 1), add(b, "x-fOO:\t%u  ", 1)))                                  \
  X(header_order, SAME,                                                                                      \
    (add(a, "X-A: 1", 0), add(a, "X-B: 2", 0), add(b, "X-B: 2", 0), add(b, "X-A: 1", 0)))                    \
  X(header_lines, OTHER,                                                                                     \
    (add(a, "X-A: 1", 0), add(a, "X-A: 2", 0), add(b, "X-A: 2", 0), add(b, "X-A: 1", 0)))                    \
  X(header_joined, OTHER, (add(a, "X-A: 1\r\nX-B: %u", 1), add(b, "X-A: 1\r\nX-B: %u", 2)))                  \
  X(header_apart, SAME, (add(a, "X-A: 1\r\nX-B: 2", 0), add(b, "X-A: 1", 0), add(b, "X-B: 2", 0)))           \
  X(header_joined_known, SAME, (add(a, "X-A: 1", 0), add(b, "X-A: 1\nX-Request-Id: %u", pick(9))))           \
  X(header_joined_token, OTHER, (add(a, "X-A: 1\nX-Api-Key: %u", 1), add(b, "X-A: 1\nX-Api-Key: %u", 2)))    \
  X(header_joined_empty, OTHER, (add(a, "X-A: 1", 0), add(b, "X-A: 1\r\nX-B:", 0)))                          \
  X(header_folded, OTHER, (add(a, "X-A: 1\r\n %u", 1), add(b, "X-A: 1\r\n %u", 2)))                          \
  X(header_with_end, LIVE, add(b, "X-A: 1\r\n", 0))                                                          \
  X(header_with_lf, LIVE, add(b, "X-A: 1\n ", 0))                                                            \
  X(header_empty_with_end, LIVE, add(b, "X-A;\r\n", 0))                                                      \
  X(header_begins_blank, LIVE, add(b, " X-A: 1", 0))                                                         \
  X(header_blank_name, LIVE, add(b, "Host : other.example", 0))                                              \
  X(header_no_name, LIVE, add(b, "X-A: 1\r\nX-B", 0))                                                        \
  X(header_ends_all, LIVE, add(b, "X-A: 1\r\n\r\nX-B: 2", 0))                                                \
  X(header_lone_cr, LIVE, add(b, "X-A: 1\rX-B: 2", 0))                                                       \
  X(header_joined_host, LIVE, add(b, "X-A: 1\r\nHost: other.example", 0))                                    \
  X(forwarded_for_whom, OTHER, add(b, whom[pick(sizeof(whom) / sizeof(*whom))], pick(1000)))                 \
  X(forwarded_for_what, OTHER, add(b, what_for[pick(sizeof(what_for) / sizeof(*what_for))], pick(1000)))     \
  X(header_removed, SAME, add(b, "X-Gone:", 0))                                                              \
  X(length_of_body, SAME, (strcpy(a->body, "a=1"), strcpy(b->body, "a=1"), add(b, "Content-Length: 3", 0)))  \
  X(length_of_less, LIVE, (strcpy(b->body, "a=1"), add(b, "Content-Length: 2", 0)))                          \
  X(accept_removed, OTHER, add(b, "Accept:", 0))                                                             \
  X(accept_usual, SAME, add(b, "Accept: */*", 0))                                                            \
  X(referer, SAME, (a->referer = "http://r/", add(b, "Referer: http://r/", 0)))                              \
  X(agent, SAME, b->agent = "other/2")                                                                       \
  X(host_same, SAME, add(b, "Host: api.example", 0))                                                         \
  X(host_other, OTHER, add(b, "Host: h%u.example", pick(1000)))                                              \
  X(host_twice, OTHER,                                                                                       \
    (add(a, "Host: a.example", 0), add(a, "Host: c.example", 0), add(b, "Host: b.example", 0),               \
     add(b, "Host: c.example", 0)))                                                                          \
  X(host_behind_none, LIVE, (add(b, "Host:", 0), add(b, "Host: a.example", 0)))                              \
  X(host_removed, OTHER, add(b, "Host:", 0))                                                                 \
  X(host_empty, LIVE, add(b, "Host;", 0))                                                                    \
  X(token_header, OTHER, add(b, "Authorization: Bearer %u", pick(1000)))                                     \
  X(word_header, OTHER, (add(a, "X-Acme-Token: %u", 1), add(b, "X-Acme-Token: %u", 2)))                      \
  X(signature, SAME,                                                                                         \
    (add(a, "Authorization: AWS4-HMAC-SHA256 Credential=ID/x, Signature=%u", 1),                             \
     add(b, "Authorization: AWS4-HMAC-SHA256 Credential=ID/x, Signature=%u", 2)))                            \
  X(signer, OTHER,                                                                                           \
    (add(a, "Authorization: AWS4-HMAC-SHA256 Credential=ID%u/x", 1),                                         \
     add(b, "Authorization: AWS4-HMAC-SHA256 Credential=ID%u/x", 2)))                                        \
  X(presigned, SAME,                                                                                         \
    (strcat(a->url, "&X-Amz-Credential=ID%2F1&X-Amz-Date=1&X-Amz-Signature=a"),                              \
     strcat(b->url, "&X-Amz-Credential=ID%2F2&X-Amz-Date=2&X-Amz-Signature=b")))                             \
  X(presigner, OTHER,                                                                                        \
    (strcat(a->url, "&X-Amz-Credential=IA%2F1&X-Amz-Date=1&X-Amz-Signature=a"),                              \
     strcat(b->url, "&X-Amz-Credential=IB%2F1&X-Amz-Date=1&X-Amz-Signature=a")))                             \
  X(userpwd, OTHER, (a->userpwd = "me:a", b->userpwd = "me:b"))                                              \
  X(login_by_halves, OTHER,                                                                                  \
    (text(a, CURLOPT_USERNAME, "you"), text(a, CURLOPT_USERPWD, "me:a"), text(b, CURLOPT_USERPWD, "me:a"),   \
     text(b, CURLOPT_USERNAME, "you")))                                                                      \
  X(url_user, OTHER, (replace(a->url, sizeof(a->url), "://", "://me:a@"), URL("://", "://me:b@")))           \
  X(cookie, OTHER, (a->cookie = "s=1", b->cookie = "s=2"))                                                   \
  X(cookie_balancer, SAME, (a->cookie = "s=1", b->cookie = "AWSALB=7; s=1"))                                 \
  X(cookie_login, OTHER,                                                                                     \
    (a->cookie = "AWSELBAuthSessionCookie-0=a", b->cookie = "AWSELBAuthSessionCookie-0=b"))                  \
  X(cookie_alike, OTHER, (a->cookie = "_gauth=a", b->cookie = "_gauth=b"))                                   \
  X(any_peer, OTHER, (BY_SOCKET, b->any_peer = true))                                                        \
  X(any_name, OTHER, (BY_SOCKET, b->any_name = true))                                                        \
  X(pins, OTHER, b->pins = "sha256//AAAA")                                                                   \
  X(ca, OTHER, strcpy(b->ca, "/nowhere/ca.pem"))                                                             \
  X(usual_trust, SAME, b->late_default = true)                                                               \
  X(trust_of_http, SAME, (HTTP, b->any_peer = true))                                                         \
  X(trust_of_redirect, OTHER, (HTTP, a->follow = b->follow = true, b->any_peer = true))                      \
  X(redirects, OTHER, (a->follow = b->follow = true, b->max_redirects = 3))                                  \
  X(redirects_none, OTHER, (a->follow = b->follow = true, number(b, CURLOPT_MAXREDIRS, 0)))                  \
  X(redirects_off, SAME, b->max_redirects = 3)                                                               \
  X(redirects_post, OTHER, (a->follow = b->follow = true, number(b, CURLOPT_POSTREDIR, 7)))                  \
  X(redirects_login, OTHER, (a->follow = b->follow = true, number(b, CURLOPT_UNRESTRICTED_AUTH, 1)))         \
  X(redirects_schemes, OTHER,                                                                                \
    (a->follow = b->follow = true, number(b, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTPS)))                     \
  X(redirects_no_scheme, OTHER, (a->follow = b->follow = true, number(b, CURLOPT_REDIR_PROTOCOLS, 0)))       \
  X(redirects_schemes_last, SAME,                                                                            \
    (a->follow = b->follow = true, text(b, (CURLoption)10319 /* REDIR_PROTOCOLS_STR, of 7.85 */, "https"),   \
     number(a, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP),                                                     \
     number(b, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP)))                                                    \
  X(redirects_usual, SAME,                                                                                   \
    (a->follow = b->follow = true, number(b, CURLOPT_POSTREDIR, 0), number(b, CURLOPT_UNRESTRICTED_AUTH, 0), \
     number(b, CURLOPT_AUTOREFERER, 0)))                                                                     \
  X(redirects_custom, OTHER, (a->follow = b->follow = true, b->method = "POST"))                             \
  X(redirects_custom_off, SAME, b->method = "POST")                                                          \
  X(redirects_kind, OTHER,                                                                                   \
    (a->follow = b->follow = true, a->method = b->method = "PUT", number(b, CURLOPT_HTTPGET, 1),             \
     *a->body = *b->body = '\0', add(a, "Content-Type:", 0)))                                                \
  X(redirects_how, OTHER, (a->follow = b->follow = true, number(b, CURLOPT_FOLLOWLOCATION, 2)))              \
  X(redirects_referer, OTHER, (a->follow = b->follow = true, number(b, CURLOPT_AUTOREFERER, 1)))             \
  X(redirects_referer_off, SAME, number(b, CURLOPT_AUTOREFERER, 1))                                          \
  X(timeout, SAME, b->timeout = 5000)                                                                        \
  X(buffer, SAME, number(b, CURLOPT_BUFFERSIZE, 2048))                                                       \
  X(keep_alive, SAME, number(b, CURLOPT_TCP_KEEPALIVE, 1))                                                   \
  X(form_boundary, SAME, (form(a, "1234", "x"), form(b, "4321", "x")))                                       \
  X(form_value, OTHER, (form(a, "1234", "x"), form(b, "4321", "y")))                                         \
  X(form_mime, SAME, a->part = b->part = "x")                                                                \
  X(form_mime_value, OTHER, (a->part = "x", b->part = "y"))                                                  \
  X(netrc_absent, SAME, b->netrc = "/nowhere/at/all")                                                        \
  X(netrc_login, OTHER, (a->netrc = "alice", b->netrc = "bobby"))                                            \
  X(bearer, OTHER, (text(a, CURLOPT_XOAUTH2_BEARER, "a"), text(b, CURLOPT_XOAUTH2_BEARER, "b")))             \
  X(bearer_let_out, OTHER,                                                                                   \
    (text(a, CURLOPT_XOAUTH2_BEARER, "a"), text(b, CURLOPT_XOAUTH2_BEARER, "a"),                             \
     number(b, CURLOPT_HTTPAUTH, CURLAUTH_BEARER)))                                                          \
  X(login_kept_in, OTHER, (a->userpwd = b->userpwd = "me:a", number(b, CURLOPT_HTTPAUTH, CURLAUTH_BEARER)))  \
  X(auth_usual, SAME, (a->userpwd = b->userpwd = "me:a", number(b, CURLOPT_HTTPAUTH, CURLAUTH_BASIC)))       \
  X(auth_none, OTHER, (a->userpwd = b->userpwd = "me:a", number(b, CURLOPT_HTTPAUTH, CURLAUTH_NONE)))        \
  X(auth_none_of_nobody, SAME, number(b, CURLOPT_HTTPAUTH, CURLAUTH_NONE))                                   \
  X(auth_of_nobody, SAME, number(b, CURLOPT_HTTPAUTH, CURLAUTH_DIGEST))                                      \
  X(auth_any_of_nobody, SAME, number(b, CURLOPT_HTTPAUTH, (long)CURLAUTH_ANY))                               \
  X(auth_of_process, LIVE, (b->userpwd = ":", number(b, CURLOPT_HTTPAUTH, (long)CURLAUTH_NTLM)))             \
  X(auth_of_process_asked, LIVE,                                                                             \
    (b->userpwd = ":", add(b, "X-Api-Key: a", 0), number(b, CURLOPT_HTTPAUTH, (long)CURLAUTH_ANY)))          \
  X(auth_of_ticket, LIVE, (b->userpwd = "me:", number(b, CURLOPT_HTTPAUTH, (long)CURLAUTH_NEGOTIATE)))       \
  X(auth_any_of_user, OTHER, (b->userpwd = "me:a", number(b, CURLOPT_HTTPAUTH, (long)CURLAUTH_ANY)))         \
  X(login_of_token, OTHER, (text(a, CURLOPT_XOAUTH2_BEARER, "a"), b->userpwd = "a"))                         \
  X(login_halves, OTHER, (text(a, CURLOPT_USERNAME, "a"), text(b, CURLOPT_PASSWORD, "a")))                   \
  X(certificate_text, OTHER, (text(a, CURLOPT_SSLCERT, "a"), text(b, CURLOPT_USERNAME, "a")))                \
  X(certificate, OTHER, text(b, CURLOPT_SSLCERT, "/nowhere/me.pem"))                                         \
  X(cookie_engine, OTHER, text(b, CURLOPT_COOKIELIST, "Set-Cookie: s=1; domain=api.example; path=/"))        \
  X(cookie_elsewhere, SAME, text(b, CURLOPT_COOKIELIST, "Set-Cookie: s=1; domain=b.example; path=/"))        \
  X(cookie_of_redirect, OTHER,                                                                               \
    (a->follow = b->follow = true,                                                                           \
     text(b, CURLOPT_COOKIELIST, "Set-Cookie: s=1; domain=b.example; path=/")))                              \
  X(cookie_of_path, SAME, text(b, CURLOPT_COOKIELIST, "Set-Cookie: s=1; domain=api.example; path=/v9"))      \
  X(cookie_of_redirected_path, OTHER,                                                                        \
    (a->follow = b->follow = true,                                                                           \
     text(a, CURLOPT_COOKIELIST, "Set-Cookie: s=1; domain=api.example; path=/v9"),                           \
     text(b, CURLOPT_COOKIELIST, "Set-Cookie: s=2; domain=api.example; path=/v9")))                          \
  X(ca_dir, OTHER, text(b, CURLOPT_CAPATH, "/nowhere"))                                                      \
  X(issuer, OTHER, text(b, CURLOPT_ISSUERCERT, "/nowhere/issuer.pem"))                                       \
  X(crl, OTHER, text(b, CURLOPT_CRLFILE, "/nowhere/crl.pem"))                                                \
  X(ca_unasked, SAME, (a->any_peer = b->any_peer = true, text(b, CURLOPT_CAPATH, "/nowhere")))               \
  X(ca_blob, OTHER, (blob(a, CURLOPT_CAINFO_BLOB, "ca one"), blob(b, CURLOPT_CAINFO_BLOB, "ca two")))        \
  X(ca_blob_same, SAME, (blob(a, CURLOPT_CAINFO_BLOB, "ca one"), blob(b, CURLOPT_CAINFO_BLOB, "ca one")))    \
  X(status, OTHER, number(b, CURLOPT_SSL_VERIFYSTATUS, 1))                                                   \
  X(revocation, OTHER, number(b, CURLOPT_SSL_OPTIONS, CURLSSLOPT_NO_REVOKE))                                 \
  X(early_data, SAME, number(b, CURLOPT_SSL_OPTIONS, CURLSSLOPT_ALLOW_BEAST))                                \
  X(tls_version, SAME, number(b, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2))                               \
  X(proxy_any_peer, OTHER,                                                                                   \
    (text(a, CURLOPT_PROXY, "https://127.0.0.1:1"), text(b, CURLOPT_PROXY, "https://127.0.0.1:1"),           \
     number(b, CURLOPT_PROXY_SSL_VERIFYPEER, 0)))                                                            \
  X(proxy_of_http, SAME, number(b, CURLOPT_PROXY_SSL_VERIFYPEER, 0))                                         \
  X(proxy, SAME, text(b, CURLOPT_PROXY, "socks5h://127.0.0.1:2"))                                            \
  X(proxy_to_any_peer, OTHER,                                                                                \
    (a->any_peer = b->any_peer = true, text(b, CURLOPT_PROXY, "http://127.0.0.1:2")))                        \
  X(proxy_to_any_name, OTHER,                                                                                \
    (a->any_name = b->any_name = true, text(b, CURLOPT_PROXY, "http://127.0.0.1:2")))                        \
  X(proxy_to_http, OTHER, (HTTP, text(b, CURLOPT_PROXY, "http://127.0.0.1:2")))                              \
  X(proxy_scheme_to_http, OTHER, (HTTP, text(b, CURLOPT_PROXY, "socks5://127.0.0.1:1")))                     \
  X(proxy_type_to_http, OTHER,                                                                               \
    (HTTP, text(a, CURLOPT_PROXY, "127.0.0.1:1"), text(b, CURLOPT_PROXY, "127.0.0.1:1"),                     \
     number(b, CURLOPT_PROXYTYPE, CURLPROXY_SOCKS5_HOSTNAME)))                                               \
  X(proxy_port_to_http, OTHER,                                                                               \
    (HTTP, text(a, CURLOPT_PROXY, "127.0.0.1"), text(b, CURLOPT_PROXY, "127.0.0.1"),                         \
     number(b, CURLOPT_PROXYPORT, 2)))                                                                       \
  X(proxy_not_for_some, OTHER, (HTTP, text(b, CURLOPT_NOPROXY, "api.example")))                              \
  X(proxy_of_none, SAME, (HTTP, BY_SOCKET, text(b, CURLOPT_NOPROXY, "*")))                                   \
  X(proxy_before, OTHER, (HTTP, text(b, CURLOPT_PRE_PROXY, "socks4a://127.0.0.1:2")))                        \
  X(proxy_user, SAME,                                                                                        \
    (HTTP, text(a, CURLOPT_PROXY, "http://me:a@127.0.0.1:1"),                                                \
     text(b, CURLOPT_PROXY, "http://me:b@x@127.0.0.1:1")))                                                   \
  X(proxy_odd, LIVE, (HTTP, text(b, CURLOPT_PROXY, "http://me:a/b@127.0.0.1:1")))                            \
  X(doh, OTHER, (HTTP, text(b, CURLOPT_DOH_URL, "https://127.0.0.1:1/dns-query")))                           \
  X(doh_proven, SAME, text(b, CURLOPT_DOH_URL, "https://127.0.0.1:1/dns-query"))                             \
  X(own_sockets, LIVE, (HTTP, b->own_sockets = true))                                                        \
  X(own_sockets_proven, SAME, b->own_sockets = true)                                                         \
  X(proxy_login, SAME, text(b, CURLOPT_PROXYUSERPWD, "me:a"))                                                \
  X(socket, OTHER, text(b, CURLOPT_UNIX_SOCKET_PATH, "/nowhere/a"))                                          \
  X(socket_elsewhere, OTHER,                                                                                 \
    (text(a, CURLOPT_UNIX_SOCKET_PATH, "llm.sock"), text(b, CURLOPT_UNIX_SOCKET_PATH, "llm.sock"),           \
     b->dir = "/"))                                                                                          \
  X(socket_by_whole_path, SAME,                                                                              \
    (text(a, CURLOPT_UNIX_SOCKET_PATH, "/usr/llm.sock"), text(b, CURLOPT_UNIX_SOCKET_PATH, "llm.sock"),      \
     b->dir = "/usr"))                                                                                       \
  X(connect_to, OTHER, b->to = "::127.0.0.1:1")                                                              \
  X(codings, OTHER, text(b, CURLOPT_ACCEPT_ENCODING, "gzip"))                                                \
  X(codings_blanks, SAME, (add(a, "Accept-Encoding:gzip", 0), add(b, "Accept-Encoding: \tgzip ", 0)))        \
  X(codings_header, OTHER, add(b, "Accept-Encoding: gzip", 0))                                               \
  X(range, OTHER, text(b, CURLOPT_RANGE, "0-9"))                                                             \
  X(url_parts, SAME, b->url_part = b->url)                                                                   \
  X(condition, LIVE, number(b, CURLOPT_TIMECONDITION, CURL_TIMECOND_IFMODSINCE))                             \
  X(upload_then_post, SAME_SINCE_7_86, (number(b, CURLOPT_UPLOAD, 1), number(b, CURLOPT_POST, 1)))           \
  X(ctx_function, LIVE, b->ctx = true)

/* The table of headers that change while the answer does not. */
static const char *const known[] = {"Connection: a%u",
                                    "Keep-Alive: %u",
                                    "Expect: a%u",
                                    "TE: a%u",
                                    "Trailer: a%u",
                                    "Upgrade: a%u",
                                    "HTTP2-Settings: %u",
                                    "Date: %u",
                                    "DNT: %u",
                                    "Priority: u=%u",
                                    "Cache-Control: a=%u",
                                    "Pragma: a%u",
                                    "Via: a%u",
                                    "Forwarded: for=%u",
                                    "X-Forwarded-For: 10.0.0.%u",
                                    "X-Forwarded-Proto: p%u",
                                    "X-Forwarded-Host: h%u.example",
                                    "X-Forwarded-Port: %u",
                                    "X-Real-IP: 10.0.0.%u",
                                    "CF-Ray: %u",
                                    "Proxy-Connection: a%u",
                                    "traceparent: 00-%u",
                                    "tracestate: a=%u",
                                    "baggage: a=%u",
                                    "b3: %u",
                                    "X-B3-TraceId: %u",
                                    "newrelic: %u",
                                    "sentry-trace: %u",
                                    "uber-trace-id: %u",
                                    "X-Amzn-Trace-Id: %u",
                                    "X-Cloud-Trace-Context: %u",
                                    "X-Datadog-Trace-Id: %u",
                                    "X-Trace-Id: %u",
                                    "Request-Id: %u",
                                    "X-Request-Id: %u",
                                    "Correlation-Id: %u",
                                    "X-Correlation-Id: %u",
                                    "X-Client-Request-Id: %u",
                                    "X-Client-Trace-Id: %u",
                                    "X-MS-Client-Request-Id: %u",
                                    "X-Request-Start: %u",
                                    "X-Retry-Count: %u",
                                    "Foo-Attempt: %u",
                                    "Foo-Retry-Count: %u",
                                    "X-Stainless-Lang: %u",
                                    "Amz-Sdk-Invocation-Id: %u",
                                    "Amz-Sdk-Request: attempt=%u",
                                    "X-Amz-User-Agent: a/%u",
                                    "X-Goog-Api-Client: a/%u",
                                    "User-Agent: a/%u",
                                    "Sec-Fetch-%u: x",
                                    "Proxy-Authorization: %u",
                                    "X-CSRF-Token: %u",
                                    "X-XSRF-Token: %u"};

struct change {
  const char *name;
  enum verdict verdict;
  void (*apply)(struct ask *a, struct ask *b);
};

#define X(name, verdict, what)                                                                               \
  static void change_##name(struct ask *a, struct ask *b)                                                    \
  {                                                                                                          \
    (void)a, (void)b;                                                                                        \
    what;                                                                                                    \
  }
CHANGES(X)
#undef X

#define X(name, verdict, what) {#name, verdict, change_##name},
static const struct change changes[] = {CHANGES(X)};
#undef X
enum { CHANGE_COUNT = sizeof(changes) / sizeof(*changes) };

static void make(struct ask *ask, unsigned number)
{
  static const char *const usual[] = {"X-Base: %u", "OpenAI-Beta: v%u", "anthropic-version: %u",
                                      "X-Region: r%u"};
  memset(ask, 0, sizeof(*ask));
  snprintf(ask->url, sizeof(ask->url), "https://api.example/v1/%u?alt=a&q=", pick(3));
  snprintf(ask->body, sizeof(ask->body),
           "{\"model\":\"m\",\"n\":1,\"t\":0.70,\"big\":12345678901234567890,\"list\":[1,2],\"d\":1,\"d\":2,"
           "\"half\":\"\\ud83d\",\"at\":7,\"text\":\"prompt %u %u\"}",
           number, pick(1000));
  for (unsigned n = pick(3); n > 0; n--)
    add(ask, usual[pick(4)], pick(5));
}

static curl_socket_t no_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
  (void)data, (void)purpose, (void)address;
  return CURL_SOCKET_BAD;
}

static int on_socket(void *data, curl_socket_t fd, curlsocktype purpose)
{
  (void)data, (void)fd, (void)purpose;
  return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static CURLcode on_ctx(CURL *handle, void *ctx, void *data)
{
  (void)handle, (void)ctx, (void)data;
  return CURLE_OK;
}

/* A file in which this user has a login for all hosts. */
static const char *netrc_of(const char *user)
{
  static char path[256];
  snprintf(path, sizeof(path), "%s/netrc-%s", getenv("HOME"), user);
  FILE *file = fopen(path, "w");
  if (!file)
    abort();
  fprintf(file, "default login %s password x\n", user);
  fclose(file);
  return path;
}

static void send_it(const struct ask *ask)
{
  CURL *h = curl_easy_init();
  curl_mime *mime = curl_mime_init(h);
  struct curl_slist *list = NULL, *to = ask->to ? curl_slist_append(NULL, ask->to) : NULL;
  CURLU *parts = curl_url();
  for (int i = 0; i < ask->headers; i++)
    list = curl_slist_append(list, ask->header[i]);
  curl_easy_setopt(h, CURLOPT_URL, ask->url);
  if (ask->part) {
    curl_mime_data(curl_mime_addpart(mime), ask->part, CURL_ZERO_TERMINATED);
    curl_easy_setopt(h, CURLOPT_MIMEPOST, mime);
  } else {
    curl_easy_setopt(h, CURLOPT_POSTFIELDS, ask->body);
  }
  curl_easy_setopt(h, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, no_socket);
  curl_easy_setopt(h, CURLOPT_RESOLVE, NULL);
  curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(h, CURLOPT_PROXY, "http://127.0.0.1:1");
  curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, ask->method);
  curl_easy_setopt(h, CURLOPT_COOKIE, ask->cookie);
  curl_easy_setopt(h, CURLOPT_REFERER, ask->referer);
  curl_easy_setopt(h, CURLOPT_USERAGENT, ask->agent);
  curl_easy_setopt(h, CURLOPT_USERPWD, ask->userpwd);
  curl_easy_setopt(h, CURLOPT_PINNEDPUBLICKEY, ask->pins);
  curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, (long)ask->follow);
  if (ask->any_peer)
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
  if (ask->any_name)
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
  if (ask->late_default) {
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYSTATUS, 0L);
  }
  if (*ask->ca)
    curl_easy_setopt(h, CURLOPT_CAINFO, ask->ca);
  if (ask->max_redirects)
    curl_easy_setopt(h, CURLOPT_MAXREDIRS, ask->max_redirects);
  if (to)
    curl_easy_setopt(h, CURLOPT_CONNECT_TO, to);
  if (ask->url_part && curl_url_set(parts, CURLUPART_URL, ask->url, 0) == CURLUE_OK)
    curl_easy_setopt(h, CURLOPT_CURLU, parts);
  if (ask->netrc) {
    curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
    curl_easy_setopt(h, CURLOPT_NETRC_FILE, *ask->netrc == '/' ? ask->netrc : netrc_of(ask->netrc));
  }
  if (ask->blob) {
    struct curl_blob bytes = {(void *)ask->blob, strlen(ask->blob), CURL_BLOB_COPY};
    /* Until 7.77 an issuer's stands for a CA's. */
    if (curl_easy_setopt(h, ask->blob_of, &bytes) == CURLE_UNKNOWN_OPTION)
      curl_easy_setopt(h, CURLOPT_ISSUERCERT_BLOB, &bytes);
  }
  for (int i = 0; i < ask->sets; i++)
    if (ask->set[i].text)
      curl_easy_setopt(h, ask->set[i].option, ask->set[i].text);
    else
      curl_easy_setopt(h, ask->set[i].option, ask->set[i].number);
  if (ask->own_sockets)
    curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, on_socket);
  if (ask->timeout)
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, ask->timeout);
  if (ask->ctx)
    curl_easy_setopt(h, CURLOPT_SSL_CTX_FUNCTION, on_ctx);
  int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (here < 0 || (ask->dir && chdir(ask->dir) < 0))
    abort();
  curl_easy_perform(h);
  if (fchdir(here) < 0)
    abort();
  close(here);
  curl_slist_free_all(list);
  curl_slist_free_all(to);
  curl_easy_cleanup(h);
  curl_mime_free(mime);
  curl_url_cleanup(parts);
}

/* What the log says since last time: 1 with the id of a live call, 0 for a bypass, -1 for neither. */
static int named(FILE *log, char id[17])
{
  static char line[4096];
  int found = -1;
  clearerr(log);
  while (fgets(line, sizeof(line), log)) {
    const char *at = strstr(line, "\"id\":\"");
    if (strstr(line, "\"event\":\"bypass\""))
      found = 0;
    else if (strstr(line, "\"event\":\"live\"") && at && sscanf(at, "\"id\":\"%16[0-9a-f]\"", id) == 1)
      found = 1;
  }
  return found;
}

int main(int argc, char **argv)
{
  if (argc < 4)
    return 2;
  unsigned long pairs = strcmp(argv[2], "each") ? strtoul(argv[2], NULL, 10) : CHANGE_COUNT, wrong = 0;
  state = strtoul(argv[1], NULL, 10);
  FILE *log = fopen(argv[3], "a+");
  if (!log)
    return 2;
  fseek(log, 0, SEEK_END);
  curl_global_init(CURL_GLOBAL_ALL);
  for (unsigned long n = 0; n < pairs; n++) {
    static const char *const words[] = {"same", "other", "live"};
    const struct change *change = &changes[n % CHANGE_COUNT];
    struct ask a, b;
    char ids[2][17] = {"", ""};
    make(&a, (unsigned)n);
    b = a;
    change->apply(&a, &b);
    send_it(&a);
    int first = named(log, ids[0]);
    send_it(&b);
    int second = named(log, ids[1]);
    enum verdict is = second == 0 ? LIVE : strcmp(ids[0], ids[1]) == 0 ? SAME : OTHER, want = change->verdict;
    if (want == SAME_SINCE_7_86)
      want = curl_version_info(CURLVERSION_NOW)->version_num >= 0x075600 ? SAME : LIVE;
    if (argc > 4 && strcmp(argv[4], change->name) == 0)
      want = want == SAME ? OTHER : SAME;
    if (first == 1 && second >= 0 && is == want)
      continue;
    if (wrong++ < 40)
      printf("pair %lu, %s: is %s, should be %s (%d %d)\n", n, change->name, words[is], words[want], first,
             second);
  }
  if (argc > 4 && strcmp(argv[4], "list") == 0)
    for (int i = 0; i < CHANGE_COUNT; i++)
      puts(changes[i].name);
  printf("%lu pairs, %lu wrong\n", pairs, wrong);
  return wrong != 0;
}
