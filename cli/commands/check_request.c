/* SPDX-License-Identifier: MIT */
#include "cli/commands/check_request.h"

#include "cli/command/command.h"
#include "cli/launch/find_store.h"
#include "cli/output/json.h"
#include "cli/output/units.h"
#include "store/key/content.h"
#include "store/key/key.h"
#include "store/key/sampled.h"
#include "store/records/record.h"
#include "store/state/state.h"

#include "config/ascii.h"
#include "config/names.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The request as the shim would build it of a handle (shim/request/request.c). */
struct described {
  struct idem_request request;
  struct idem_span headers[CLI_LIST_MAX + 2], user;
  char origin[1024], shape[512];
};

/* "Name:" with nothing behind it counts, too: the user has said something of that header. */
static bool has_header(const struct idem_request *request, const char *name)
{
  size_t len = strlen(name);
  for (size_t i = 0; i < request->header_count; i++)
    if (request->headers[i].len > len && request->headers[i].data[len] == ':' &&
        strncasecmp(request->headers[i].data, name, len) == 0)
      return true;
  return false;
}

static struct idem_span span(const char *text)
{
  return (struct idem_span){text, strlen(text)};
}

/* A Host: line that says what the URL says is none. */
static void add_host(struct described *d, const struct cli_request *asked, bool https)
{
  const struct idem_target *target = asked->target;
  size_t used = strlen(d->origin);
  char usual[600];
  snprintf(usual, sizeof(usual), "%.*s:%u", (int)target->host_len, target->host, target->port);
  for (size_t i = 0; i < d->request.header_count; i++) {
    const char *line = d->request.headers[i].data;
    if (strncasecmp(line, "host:", 5) != 0)
      continue;
    line += 5 + strspn(line + 5, " \t");
    bool port_is_usual = target->port == (https ? 443 : 80);
    if (strcasecmp(line, usual) != 0 && !(port_is_usual && strlen(line) == target->host_len &&
                                          strncasecmp(line, target->host, target->host_len) == 0))
      snprintf(d->origin + used, sizeof(d->origin) - used, " host:%s", line);
  }
}

/* "Name:" takes a header away that libcurl would send. */
static void drop_empty(struct described *d)
{
  size_t kept = 0;
  for (size_t i = 0; i < d->request.header_count; i++) {
    const char *colon = strchr(d->headers[i].data, ':');
    if (colon && colon[1 + strspn(colon + 1, " \t")])
      d->headers[kept++] = d->headers[i];
  }
  d->request.header_count = kept;
}

/* In the order of shim/request/request.c, or names would differ: the user's lines first; then libcurl's own,
 * where the user has not spoken of them; only then are empty ones dropped, for those have kept libcurl's
 * away. */
static void describe(struct described *d, const struct cli_request *asked)
{
  const struct idem_target *target = asked->target;
  const char *url = asked->url, *scheme = strstr(url, "://"), *authority = scheme ? scheme + 3 : url;
  const char *query = url + strcspn(url, "?#"), *at = memchr(authority, '@', strcspn(authority, "/?#"));
  /* An address of IPv6 has lost its brackets when the URL was read, and an origin has them. */
  bool https = strncasecmp(url, "http://", 7) != 0, literal = memchr(target->host, ':', target->host_len);
  struct idem_request *request = &d->request;
  memset(d, 0, sizeof(*d));
  request->rule = asked->rule;
  request->scope = span(asked->config->scope);
  request->method = span(asked->method);
  request->path = (struct idem_span){target->path, target->path_len};
  if (*query == '?')
    request->query = (struct idem_span){query + 1, strcspn(query + 1, "#")};
  request->body = span(asked->body ? asked->body : "");
  request->headers = d->headers;
  for (size_t i = 0; i < CLI_LIST_MAX && asked->headers[i]; i++)
    d->headers[request->header_count++] = span(asked->headers[i]);
  if (!has_header(request, "Accept"))
    d->headers[request->header_count++] = span("Accept: */*");
  if (strcmp(asked->method, "POST") == 0 && !has_header(request, "Content-Type"))
    d->headers[request->header_count++] = span("Content-Type: application/x-www-form-urlencoded");
  drop_empty(d);
  snprintf(d->origin, sizeof(d->origin), "%s%s%.*s%s:%u", https ? "https://" : "http://", literal ? "[" : "",
           (int)target->host_len, target->host, literal ? "]" : "", target->port);
  add_host(d, asked, https);
  for (size_t i = 0, used = 0; i < request->header_count && used < sizeof(d->shape); i++)
    if (strncasecmp(d->headers[i].data, "Accept-Encoding:", 16) == 0) {
      const char *value = d->headers[i].data + 16;
      value += strspn(value, " \t");
      size_t len = strlen(value);
      while (len && strchr(" \t", value[len - 1]))
        len--;
      used += (size_t)snprintf(d->shape + used, sizeof(d->shape) - used, ";asks: %.*s", (int)len, value);
    }
  request->shape = span(d->shape);
  for (char *c = d->origin; *c; c++)
    *c = (char)tolower((unsigned char)*c);
  request->origin = span(d->origin);
  /* "user:password@" of the URL is a credential, as CURLOPT_USERPWD is. */
  if (at) {
    d->user = (struct idem_span){authority, (size_t)(at - authority)};
    request->credentials = &d->user;
    request->credential_count = 1;
  }
}

/* Adds "KIND NAME" to a list. */
static void tell(json_t *list, const char *kind, struct idem_span name)
{
  char text[256];
  snprintf(text, sizeof(text), "%s%.*s", kind, (int)name.len, name.data);
  json_array_append_new(list, cli_json_string(text));
}

/* Names of parameters and cookies are told, and values never: one of them may be a secret, and this is
 * printed to be shown to others. */
static void tell_query(const struct idem_request *request, json_t *tenant, json_t *left_out)
{
  struct idem_span rest = request->query, piece;
  bool credential, presigned = key_query_is_presigned(rest);
  while (key_query_next(&rest, &piece, &credential)) {
    enum header_role role = key_query_role(&request->rule->keying, presigned, &piece);
    const char *equals = memchr(piece.data, '=', piece.len);
    if (equals)
      piece.len = (size_t)(equals - piece.data);
    if (role != HEADER_VARY)
      tell(role == HEADER_CREDENTIAL ? tenant : left_out, "query ", piece);
  }
}

/* Which of them say who asks, and which do not count: those of load balancers and bot shields. Names alone
 * are told, for a value may be a session. */
static void tell_cookies(struct idem_span cookies, json_t *tenant, json_t *left_out)
{
  struct idem_span cookie;
  bool counts;
  while (key_cookie_next(&cookies, &cookie, &counts)) {
    const char *equals = memchr(cookie.data, '=', cookie.len);
    if (equals)
      cookie.len = (size_t)(equals - cookie.data);
    tell(counts ? tenant : left_out, "cookie ", cookie);
  }
}

/* `tenant` takes what the credentials are; where the rule names the tenant, they are left out. */
static void tell_headers(const struct idem_request *request, bool named, json_t *tenant, json_t *content,
                         json_t *left_out)
{
  bool by_credentials = request->rule->keying.tenant == IDEM_TENANT_CREDENTIALS;
  json_t *who = by_credentials ? tenant : left_out;
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = key_header(request, request->headers[i], named);
    bool key = header.role == HEADER_KEY && named && request->rule->keying.kind != IDEM_KEY_JSON;
    /* These two count elsewhere, in the origin and in the shape. */
    if (idem_is_named(header.name.data, header.name.len, "Host") ||
        idem_is_named(header.name.data, header.name.len, "Accept-Encoding"))
      continue;
    if (header.role == HEADER_CREDENTIAL && idem_is_named(header.name.data, header.name.len, "Cookie"))
      tell_cookies(header.value, who, left_out);
    else if (header.name.len && !key)
      tell(header.role == HEADER_CREDENTIAL ? who
           : header.role == HEADER_TENANT   ? tenant
           : header.role == HEADER_VARY     ? content
                                            : left_out,
           "header ", header.name);
  }
  tell_query(request, who, left_out);
  if (request->credential_count)
    tell(who, "the URL's user and password", span(""));
  if (request->rule->keying.tenant == IDEM_TENANT_JSON)
    tell(tenant, "body ", span(request->rule->keying.tenant_of.word[0]));
}

json_t *cli_request_name(const struct cli_request *asked)
{
  /* Where no store can be opened, there is no secret either. Then the tenant's hash and so the id cannot be
   * known; what is told besides does not depend on it. */
  static const uint8_t no_secret[STORE_SECRET];
  static const char *const kinds[] = {
      [IDEM_KEY_HEADER] = "header", [IDEM_KEY_JSON] = "body", [IDEM_KEY_CONTENT] = "content"};
  const struct idem_keying *keying = &asked->rule->keying;
  struct idem_store *store = NULL;
  struct idem_error error;
  struct described d;
  struct name name;
  char id[IDEM_ID_SIZE] = "", hex[2 * IDEM_KEY_SIZE + 1];
  describe(&d, asked);
  if (cli_open_store(asked->config, &store, &error) < 0)
    store = NULL;
  /* The same function that names calls, so that what it says cannot differ from what happens. */
  int rc = key_of_request(store ? store->secret : no_secret, &d.request, &name);
  if (rc == 0 && store)
    record_id(name.base, id);
  if (store)
    idem_store_close(store);
  if (rc < 0)
    return json_pack("{s:s}", "live",
                     rc == -ENOKEY    ? "the rule's key is not in this request"
                     : rc == -ENODATA ? "the rule's tenant is not in this request"
                                      : "no memory");
  json_t *tenant = json_array(), *content = json_array(), *left_out = json_array();
  bool named = name.kind != IDEM_KEY_CONTENT;
  tell_headers(&d.request, named, tenant, content, left_out);
  /* Of a body that could not be read as JSON nothing is left out. */
  for (size_t i = 0; !name.unread && d.request.body.len && i < keying->ignore.count; i++)
    tell(left_out, "body ", span(keying->ignore.word[i]));
  return json_pack("{s:o, s:s, s:o, s:s, s:o, s:o, s:b, s:b, s:b}", "tenant", tenant, "key", kinds[name.kind],
                   "id", *id ? json_string(id) : json_null(), "fingerprint",
                   cli_hex(hex, name.fingerprint, IDEM_KEY_SIZE), "content_headers", content, "left_out",
                   left_out, "unread", (int)name.unread, "sampled", (int)name.sampled, "numbered",
                   (int)sampled_is_numbered(asked->rule->repeats, name.sampled));
}
