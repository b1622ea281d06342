/* SPDX-License-Identifier: MIT */
#include "shim/request/trust.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* NATIVE_CA, and what SSL_OPTIONS says of revocation and of chains that end early. */
enum { TRUST_BITS = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 };

/* The demands on the server and on an https proxy, in the order of the text. */
enum demand_kind { UNLESS_SET, TEXT, CA_FILE, CA_DIR, BITS };
static const struct {
  char name[12]; /* no pointer, which would be a relocation in every program that is started */
  uint8_t kind;  /* enum demand_kind */
  bool by_peer;  /* is asked under trust=full alone, and of a peer that is verified */
  CURLoption server, proxy;
} demands[] = {
    {"any-peer", UNLESS_SET, false, CURLOPT_SSL_VERIFYPEER, CURLOPT_PROXY_SSL_VERIFYPEER},
    {"any-name", UNLESS_SET, false, CURLOPT_SSL_VERIFYHOST, CURLOPT_PROXY_SSL_VERIFYHOST},
    {"pins", TEXT, false, CURLOPT_PINNEDPUBLICKEY, CURLOPT_PROXY_PINNEDPUBLICKEY},
    {"ca", CA_FILE, true, CURLOPT_CAINFO, CURLOPT_PROXY_CAINFO},
    {"ca-dir", CA_DIR, true, CURLOPT_CAPATH, CURLOPT_PROXY_CAPATH},
    {"issuer", TEXT, true, CURLOPT_ISSUERCERT, CURLOPT_PROXY_ISSUERCERT},
    {"crl", TEXT, true, CURLOPT_CRLFILE, CURLOPT_PROXY_CRLFILE},
    {"ca-blob", TEXT, true, CURLOPT_CAINFO_BLOB, CURLOPT_PROXY_CAINFO_BLOB},
    {"issuer-blob", TEXT, true, CURLOPT_ISSUERCERT_BLOB, CURLOPT_PROXY_ISSUERCERT_BLOB},
    {"options", BITS, true, CURLOPT_SSL_OPTIONS, CURLOPT_PROXY_SSL_OPTIONS},
};

/* The text, in a fixed room; `len` is more than that once it does not fit. */
struct writing {
  const struct shadow *shadow;
  char *room;
  size_t size, len;
};

static void add(struct writing *w, const char *of_whom, const char *what, const char *value)
{
  size_t room = w->len < w->size ? w->size - w->len : 0;
  w->len += (size_t)snprintf(w->room + (room ? w->len : 0), room, "%s%s%s%s%s", w->len ? "," : "", of_whom,
                             what, value ? "=" : "", value ? value : "");
}

/* True if a place is libcurl's own anyway; libcurl before 7.84 does not tell which that is. */
static bool is_libcurls_own(const struct shadow *shadow, CURLINFO which, const char *place)
{
  char *own = NULL;
  bool told = shadow->lib->easy_getinfo(shadow->handle, which, &own) == CURLE_OK;
  return told && own && strcmp(own, place) == 0;
}

static void add_demands(struct writing *w, bool of_proxy, bool full)
{
  const struct shadow *shadow = w->shadow;
  const char *of_whom = of_proxy ? "proxy-" : "";
  bool peer = shadow_value(shadow, of_proxy ? demands[0].proxy : demands[0].server);
  for (size_t i = 0; i < sizeof(demands) / sizeof(*demands); i++) {
    uintptr_t value = shadow_value(shadow, of_proxy ? demands[i].proxy : demands[i].server);
    const char *text = (const char *)value;
    char number[24];
    /* Rows of this kind are the last of the table. */
    if (demands[i].by_peer && !(full && peer))
      break;
    switch ((enum demand_kind)demands[i].kind) {
    case UNLESS_SET:
      if (!value)
        add(w, of_whom, demands[i].name, NULL);
      continue;
    case TEXT:
      break;
    case CA_FILE:
    case CA_DIR:
      if (text &&
          is_libcurls_own(shadow, demands[i].kind == CA_FILE ? CURLINFO_CAINFO : CURLINFO_CAPATH, text))
        text = NULL;
      break;
    case BITS:
      snprintf(number, sizeof(number), "%ld", (long)value & TRUST_BITS);
      text = value & TRUST_BITS ? number : NULL;
    }
    if (text)
      add(w, of_whom, demands[i].name, text);
  }
}

/* Without an option the environment may name one. */
static bool may_be_https_proxy(const struct shadow *shadow)
{
  const char *name = (const char *)shadow_value(shadow, CURLOPT_PROXY);
  long type = (long)shadow_value(shadow, CURLOPT_PROXYTYPE);
  return !name || strncasecmp(name, "https://", 8) == 0 ||
         (!strstr(name, "://") &&
          (type == CURLPROXY_HTTPS || type == CURLPROXY_HTTPS2 || type == CURLPROXY_HTTPS3));
}

/* Where a server need not prove who it is, the way to it says which one it is: a proxy that asks for a name
 * may be in another network than the next one, and so may a server of names. Returns NULL, or why the call
 * cannot be named: what may be a part of a login is never written. */
static const char *add_way(struct writing *w)
{
  static const struct {
    char name[12];
    CURLoption option;
  } places[] = {{"proxy", CURLOPT_PROXY},
                {"pre-proxy", CURLOPT_PRE_PROXY},
                {"doh", CURLOPT_DOH_URL},
                {"dns", CURLOPT_DNS_SERVERS}};
  const struct shadow *shadow = w->shadow;
  if (shadow_value(shadow, CURLOPT_OPENSOCKETFUNCTION) && shadow_value(shadow, CURLOPT_SOCKOPTFUNCTION))
    return "OPENSOCKETFUNCTION and SOCKOPTFUNCTION";
  for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
    char shown[256], number[48];
    const char *place = (const char *)shadow_value(shadow, places[i].option);
    if (!place || !*place)
      continue;
    const char *scheme = strstr(place, "://"), *authority = scheme ? scheme + 3 : place;
    const char *at = memrchr(authority, '@', strcspn(authority, "/?#")), *host = at ? at + 1 : authority;
    if (strpbrk(host, "@?#") || (scheme && strpbrk(place, ":@") != scheme) ||
        snprintf(shown, sizeof(shown), "%.*s%s", (int)(authority - place), place, host) >= (int)sizeof(shown))
      return "a proxy or a server of names in an odd form";
    add(w, "", places[i].name, shown);
    if (places[i].option != CURLOPT_PROXY)
      continue;
    snprintf(number, sizeof(number), "%ld:%ld", scheme ? 0 : (long)shadow_value(shadow, CURLOPT_PROXYTYPE),
             (long)shadow_value(shadow, CURLOPT_PROXYPORT));
    add(w, "proxy-", "kind", number);
    if (shadow_value(shadow, CURLOPT_NOPROXY))
      add(w, "proxy-", "not-for", (const char *)shadow_value(shadow, CURLOPT_NOPROXY));
  }
  return NULL;
}

const char *trust_of(const struct shadow *shadow, enum idem_trust level, char *room, size_t size,
                     struct idem_span *trust)
{
  struct writing w = {.shadow = shadow, .room = room, .size = size};
  const bool upgraded = !shadow->parts.https && shadow_has_hsts(shadow);
  *trust = (struct idem_span){"", 0};
  /* Most handles have no such option set. */
  if (level == IDEM_TRUST_NONE || (!shadow->rare_count && !upgraded))
    return NULL;
  /* A redirect, or what is known of the host, may lead from http to https. */
  if (shadow->parts.https || upgraded || shadow->slot[SLOT_FOLLOWLOCATION]) {
    /* The app can change there all that is trusted. */
    if (level == IDEM_TRUST_FULL && shadow_value(shadow, CURLOPT_SSL_CTX_FUNCTION))
      return "SSL_CTX_FUNCTION";
    /* An answer of http serves no call that may insist on https. */
    if (upgraded)
      add(&w, "", "hsts", NULL);
    add_demands(&w, false, level == IDEM_TRUST_FULL);
    if ((long)shadow_value(shadow, CURLOPT_SSL_VERIFYSTATUS))
      add(&w, "", "status", NULL);
    if (may_be_https_proxy(shadow))
      add_demands(&w, true, level == IDEM_TRUST_FULL);
  }
  const bool verified = shadow->parts.https && shadow_value(shadow, CURLOPT_SSL_VERIFYPEER) &&
                        shadow_value(shadow, CURLOPT_SSL_VERIFYHOST);
  const char *reason = verified ? NULL : add_way(&w);
  if (reason)
    return reason;
  if (w.len >= size)
    return "the demands on the server's identity are too long";
  *trust = (struct idem_span){room, w.len};
  return NULL;
}
