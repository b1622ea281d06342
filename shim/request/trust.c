/* SPDX-License-Identifier: MIT */
#include "shim/request/trust.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* NATIVE_CA, and what SSL_OPTIONS says of revocation and of chains that end early. */
enum { TRUST_BITS = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 };

/* The options of a connection, to the server or to an https proxy. */
struct ends {
  const char *name;
  CURLoption peer, host, pins, ca_file, ca_dir, issuer, crl, ca_blob, issuer_blob, bits;
};
static const struct ends server = {
    "",
    CURLOPT_SSL_VERIFYPEER,
    CURLOPT_SSL_VERIFYHOST,
    CURLOPT_PINNEDPUBLICKEY,
    CURLOPT_CAINFO,
    CURLOPT_CAPATH,
    CURLOPT_ISSUERCERT,
    CURLOPT_CRLFILE,
    CURLOPT_CAINFO_BLOB,
    CURLOPT_ISSUERCERT_BLOB,
    CURLOPT_SSL_OPTIONS,
};
static const struct ends proxy = {
    "proxy-",
    CURLOPT_PROXY_SSL_VERIFYPEER,
    CURLOPT_PROXY_SSL_VERIFYHOST,
    CURLOPT_PROXY_PINNEDPUBLICKEY,
    CURLOPT_PROXY_CAINFO,
    CURLOPT_PROXY_CAPATH,
    CURLOPT_PROXY_ISSUERCERT,
    CURLOPT_PROXY_CRLFILE,
    CURLOPT_PROXY_CAINFO_BLOB,
    CURLOPT_PROXY_ISSUERCERT_BLOB,
    CURLOPT_PROXY_SSL_OPTIONS,
};

struct writing {
  const struct shadow *shadow;
  const struct ends *ends;
  char *room;
  size_t size, len;
};

static void add(struct writing *w, const char *what, const char *value)
{
  size_t room = w->len < w->size ? w->size - w->len : 0;
  w->len += (size_t)snprintf(w->room + (room ? w->len : 0), room, "%s%s%s%s%s", w->len ? "," : "",
                             w->ends->name, what, value ? "=" : "", value ? value : "");
}

static void add_text(struct writing *w, const char *what, CURLoption option)
{
  const char *value = (const char *)shadow_value(w->shadow, option);
  if (value)
    add(w, what, value);
}

/* A place that is libcurl's own anyway is no place; libcurl before 7.84 does not tell which that is. */
static void add_place(struct writing *w, const char *what, CURLoption option, CURLINFO which)
{
  const char *value = (const char *)shadow_value(w->shadow, option);
  char *own = NULL;
  if (!value)
    return;
  bool told = w->shadow->lib->easy_getinfo(w->shadow->handle, which, &own) == CURLE_OK;
  if (!told || !own || strcmp(own, value) != 0)
    add(w, what, value);
}

static void add_ends(struct writing *w, const struct ends *ends, enum idem_trust level)
{
  const struct shadow *shadow = w->shadow;
  bool peer = (long)shadow_value(shadow, ends->peer) != 0;
  char number[24];
  w->ends = ends;
  if (!peer)
    add(w, "any-peer", NULL);
  if ((long)shadow_value(shadow, ends->host) == 0)
    add(w, "any-name", NULL);
  add_text(w, "pins", ends->pins);
  if (level != IDEM_TRUST_FULL || !peer)
    return;
  add_place(w, "ca", ends->ca_file, CURLINFO_CAINFO);
  add_place(w, "ca-dir", ends->ca_dir, CURLINFO_CAPATH);
  add_text(w, "issuer", ends->issuer);
  add_text(w, "crl", ends->crl);
  add_text(w, "ca-blob", ends->ca_blob);
  add_text(w, "issuer-blob", ends->issuer_blob);
  long bits = (long)shadow_value(shadow, ends->bits) & TRUST_BITS;
  snprintf(number, sizeof(number), "%ld", bits);
  if (bits)
    add(w, "options", number);
}

/* Without an option the environment may name one. */
static bool may_be_https_proxy(const struct shadow *shadow)
{
  const char *name = (const char *)shadow_value(shadow, CURLOPT_PROXY);
  long type = (long)shadow_value(shadow, CURLOPT_PROXYTYPE);
  return !name || strncasecmp(name, "https://", 8) == 0 ||
         (!strstr(name, "://") && type >= CURLPROXY_HTTPS && type <= 3);
}

const char *trust_of(const struct shadow *shadow, enum idem_trust level, char *room, size_t size,
                     struct idem_span *trust)
{
  struct writing w = {.shadow = shadow, .room = room, .size = size};
  *trust = (struct idem_span){"", 0};
  /* Most handles have no such option set. */
  if (!shadow->parts.https || level == IDEM_TRUST_NONE || !shadow->rare_count)
    return NULL;
  if (trust_is_the_apps(shadow, level))
    return "SSL_CTX_FUNCTION";
  add_ends(&w, &server, level);
  if ((long)shadow_value(shadow, CURLOPT_SSL_VERIFYSTATUS))
    add(&w, "status", NULL);
  if (may_be_https_proxy(shadow))
    add_ends(&w, &proxy, level);
  if (w.len >= size)
    return "the demands on the server's identity are too long";
  *trust = (struct idem_span){room, w.len};
  return NULL;
}

bool trust_is_the_apps(const struct shadow *shadow, enum idem_trust level)
{
  return level == IDEM_TRUST_FULL && shadow->parts.https && shadow_value(shadow, CURLOPT_SSL_CTX_FUNCTION);
}
