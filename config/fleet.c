/* SPDX-License-Identifier: MIT */
/*
 * The URL of a fleet, from its left to its right. Each part is an idem_value of its own, so that a message
 * has the column and quotes this part alone: who may not see the password may well see the message.
 */
#include "config/fleet.h"

#include "config/ascii.h"
#include "config/field.h"
#include "config/file.h"
#include "config/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* The ports are those on which Redis and its sentinels listen if nobody says otherwise. The other two are
 * beyond what anybody runs, and find slips of the pen. */
enum { PORT_REDIS = 6379, PORT_SENTINEL = 26379, DB_MOST = 65535, REPLICAS_MOST = 16 };

#define SCHEMES                                                                                              \
  "redis://, rediss://, redis+unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or "          \
  "rediss+cluster://"

/* `unix` is what some clients call redis+unix; messages name the longer one alone. */
static const struct scheme {
  const char *name;
  enum idem_fleet_kind kind;
  bool tls;
} schemes[] = {
    {"redis", IDEM_FLEET_SINGLE, false},
    {"rediss", IDEM_FLEET_SINGLE, true},
    {"redis+unix", IDEM_FLEET_UNIX, false},
    {"unix", IDEM_FLEET_UNIX, false},
    {"redis+sentinel", IDEM_FLEET_SENTINEL, false},
    {"rediss+sentinel", IDEM_FLEET_SENTINEL, true},
    {"redis+cluster", IDEM_FLEET_CLUSTER, false},
    {"rediss+cluster", IDEM_FLEET_CLUSTER, true},
};

/* The first of these bytes from `at` on, or the end. */
static size_t find(const struct idem_value *value, size_t at, const char *bytes)
{
  while (at < value->len && !strchr(bytes, value->data[at]))
    at++;
  return at;
}

/* The value of a hexadecimal digit in either case, or -1. */
static int hex_of(char c)
{
  c = idem_lower(c);
  return idem_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* With %XX as the byte that it means. A value may be secret, so that it is not quoted. */
static int decode(const struct idem_value *value, const char **out)
{
  char *copy = idem_arena_copy(value->arena, value->data, value->len), *to = copy;
  if (!copy)
    return idem_value_no_memory(value);
  for (size_t i = 0; i < value->len; i++) {
    bool escaped = value->data[i] == '%', whole = escaped && i + 2 < value->len;
    int high = whole ? hex_of(value->data[i + 1]) : -1, low = whole ? hex_of(value->data[i + 2]) : -1;
    int byte = escaped ? high * 16 + low : (unsigned char)value->data[i];
    if (escaped && (high < 0 || low < 0 || byte == 0)) {
      struct idem_value part = idem_value_part(value, i, value->len);
      return idem_place_fail(&part.place, "expected two hexadecimal digits after %%, and not 00");
    }
    *to++ = (char)byte;
    i += escaped ? 2 : 0;
  }
  *to = '\0';
  *out = copy;
  return 0;
}

/* Digits alone, up to six of them, which an unsigned holds. `what` is what a message says was expected. */
static int parse_number(const struct idem_value *value, unsigned most, const char *what, unsigned *out)
{
  unsigned number = 0;
  bool good = value->len > 0 && value->len < 7;
  for (size_t i = 0; i < value->len && good; i++) {
    good = idem_is_digit(value->data[i]);
    number = number * 10 + (unsigned)(value->data[i] - '0');
  }
  if (!good || number > most)
    return idem_value_refuse(value, what, "");
  *out = number;
  return 0;
}

/* Attributes. */

/* Reads one value into the member that the table names. 0, or -EINVAL or -ENOMEM with the message set; what
 * it allocates is the arena's. A parser knows the member's type, and nothing else of the fleet. */
typedef int parse_attribute(const struct idem_value *value, void *member);

/* Milliseconds. Neither 0 nor forever is taken, for each of these durations is a bound. */
static int parse_ms(const struct idem_value *value, void *member)
{
  uint64_t *ms = member;
  if (idem_parse_duration(value->data, value->len, ms) < 0 || !*ms || *ms > IDEM_DURATION_MAX_MS)
    return idem_value_refuse(value, "a duration with its unit, such as 250ms or 15s", "");
  return 0;
}

/* One value of Redis, and of an int of OpenSSL's. */
static int parse_value_size(const struct idem_value *value, void *member)
{
  uint64_t *size = member;
  if (idem_parse_size(value->data, value->len, size) < 0 || *size < 1024 || *size > (UINT64_C(512) << 20))
    return idem_value_refuse(value, "a size from 1k to 512M", "");
  return 0;
}

static int parse_replicas(const struct idem_value *value, void *member)
{
  return parse_number(value, REPLICAS_MOST, "a number of replicas, up to 16", member);
}

static int parse_local_or_fail(const struct idem_value *value, void *member)
{
  unsigned index = 0;
  int rc = idem_value_choice(value, "local|fail", &index);
  *(bool *)member = index == 1;
  return rc;
}

static int parse_file(const struct idem_value *value, void *member)
{
  const char **path = member;
  int rc = decode(value, path);
  return rc < 0 || **path == '/' ? rc : idem_value_refuse(value, "an absolute path", "");
}

/* It is a part of each key's name, and of a directory's. */
static int parse_name(const struct idem_value *value, void *member)
{
  bool good = value->len > 0 && value->len <= 64;
  for (size_t i = 0; i < value->len && good; i++)
    good = idem_is_alnum(value->data[i]) || strchr("-_.", value->data[i]);
  return good ? decode(value, member)
              : idem_value_refuse(value, "a name of letters, digits, -, _ and ., up to 64", "");
}

/* Words that stand alone. */
static int parse_flag(const struct idem_value *value, void *member)
{
  *(bool *)member = true;
  return value->len == 0 || idem_value_is(value, "on") ? 0
                                                       : idem_value_refuse(value, "no value behind it", "");
}

/* The name in the URL, the value where it is not given, its parser, and the member of struct idem_fleet.
 * Where the value is NULL the member stays zero. docs/idemshim.7 has the same names and values, and says
 * what they mean. */
static const struct attribute {
  const char *name, *fallback;
  parse_attribute *parse;
  size_t offset;
} attributes[] = {
#define X(name, fallback, parse, member) {name, fallback, parse, offsetof(struct idem_fleet, member)},
    X("name", "default", parse_name, name)                                //
    X("connect-timeout", "100ms", parse_ms, connect_ms)                   //
    X("operation-timeout", "250ms", parse_ms, operation_ms)               //
    X("call-timeout", "1s", parse_ms, call_ms)                            //
    X("lease", "15s", parse_ms, lease_ms)                                 //
    X("near", "5s", parse_ms, near_ms)                                    //
    X("replicas", "0", parse_replicas, replicas)                          //
    X("max-value", "8MiB", parse_value_size, max_value)                   //
    X("unreachable", "local", parse_local_or_fail, fails)                 //
    X("read-only", NULL, parse_flag, read_only)                           //
    X("insecure", NULL, parse_flag, insecure)                             //
    X("ca", NULL, parse_file, ca)                                         //
    X("cert", NULL, parse_file, cert)                                     //
    X("key", NULL, parse_file, key)                                       //
    X("password-file", NULL, parse_file, password_file)                   //
    X("sentinel-password-file", NULL, parse_file, sentinel_password_file) //
#undef X
};
enum { ATTRIBUTES = sizeof(attributes) / sizeof(*attributes) };

static int set_attribute(struct idem_fleet *fleet, const struct attribute *attribute,
                         const struct idem_value *value)
{
  return attribute->parse(value, (char *)fleet + attribute->offset);
}

/* Read as if they were written in the URL, by the same parsers, and before what is written there. */
static int set_fallbacks(struct idem_fleet *fleet, const struct idem_value *url)
{
  int rc = 0;
  for (size_t i = 0; i < ATTRIBUTES && rc == 0; i++) {
    struct idem_value value = *url;
    value.data = attributes[i].fallback;
    value.len = value.data ? strlen(value.data) : 0;
    rc = value.data ? set_attribute(fleet, &attributes[i], &value) : 0;
  }
  return rc;
}

/* What stands behind the ?, parted by &. An attribute that stands there twice has its last value. */
static int parse_attributes(struct idem_fleet *fleet, const struct idem_value *query)
{
  const char *names[ATTRIBUTES + 1] = {NULL};
  for (size_t i = 0; i < ATTRIBUTES; i++)
    names[i] = attributes[i].name;
  for (size_t at = 0, end; at < query->len; at = end + 1) {
    end = find(query, at, "&");
    struct idem_value pair = idem_value_part(query, at, end);
    size_t equals = find(&pair, 0, "="), i = 0;
    struct idem_value name = idem_value_part(&pair, 0, equals);
    struct idem_value value = idem_value_part(&pair, equals < pair.len ? equals + 1 : equals, pair.len);
    while (i < ATTRIBUTES && !idem_value_is(&name, attributes[i].name))
      i++;
    if (i == ATTRIBUTES)
      return idem_place_fail(&name.place, "unknown attribute %s%s", IDEM_QUOTE(name.data, name.len),
                             IDEM_SUGGEST(names, name.data, name.len));
    int rc = set_attribute(fleet, &attributes[i], &value);
    if (rc < 0)
      return rc;
  }
  return 0;
}

/* Where it is. */

/* "host", "host:6379", "[::1]:6379" */
static int parse_node(struct idem_fleet *fleet, const struct idem_value *node)
{
  bool bracket = node->len && node->data[0] == '[';
  size_t end = find(node, 0, bracket ? "]" : ":"), colon = bracket ? end + 1 : end;
  struct idem_value host = idem_value_part(node, bracket, end);
  unsigned port = fleet->kind == IDEM_FLEET_SENTINEL ? PORT_SENTINEL : PORT_REDIS;
  bool good = host.len > 0 && host.len < 254 && (!bracket || end < node->len);
  for (size_t i = 0; i < host.len && good; i++)
    good = idem_is_alnum(host.data[i]) || strchr(bracket ? ":.%" : "-_.", host.data[i]);
  if (!good || (colon < node->len && node->data[colon] != ':'))
    return idem_value_refuse(node, "HOST or HOST:PORT, an IPv6 address in brackets", "");
  if (fleet->node_count == IDEM_FLEET_NODES)
    return idem_place_fail(&node->place, "expected at most %d hosts", IDEM_FLEET_NODES);
  if (colon < node->len) {
    struct idem_value text = idem_value_part(node, colon + 1, node->len);
    int rc = parse_number(&text, UINT16_MAX, "a port from 1 to 65535", &port);
    if (rc < 0 || !port)
      return rc < 0 ? rc : idem_value_refuse(&text, "a port from 1 to 65535", "");
  }
  const char *copy = idem_arena_copy(host.arena, host.data, host.len);
  if (!copy)
    return idem_value_no_memory(node);
  fleet->node[fleet->node_count++] = (struct idem_fleet_node){copy, (uint16_t)port};
  return 0;
}

/* USER:PASSWORD, USER, or :PASSWORD, before the last @: a password may have one that is not escaped. */
static int parse_login(struct idem_fleet *fleet, const struct idem_value *login)
{
  size_t colon = find(login, 0, ":");
  struct idem_value user = idem_value_part(login, 0, colon);
  int rc = user.len ? decode(&user, &fleet->user) : 0;
  if (rc < 0 || colon == login->len)
    return rc;
  struct idem_value password = idem_value_part(login, colon + 1, login->len);
  return decode(&password, &fleet->password);
}

/* "/DB", or "/MASTER/DB"; a cluster has one database. */
static int parse_path(struct idem_fleet *fleet, const struct idem_value *path)
{
  size_t at = path->len ? 1 : 0;
  if (fleet->kind == IDEM_FLEET_SENTINEL) {
    size_t end = find(path, at, "/");
    struct idem_value master = idem_value_part(path, at, end);
    if (!master.len)
      return idem_place_fail(&path->place,
                             "expected /MASTER after the sentinels, the name by which they know it");
    int rc = decode(&master, &fleet->master);
    if (rc < 0)
      return rc;
    at = end < path->len ? end + 1 : end;
  }
  struct idem_value db = idem_value_part(path, at, path->len);
  if (db.len && fleet->kind == IDEM_FLEET_CLUSTER)
    return idem_value_refuse(&db, "no database after the hosts of a cluster", "");
  return db.len ? parse_number(&db, DB_MOST, "the number of a database", &fleet->db) : 0;
}

/* The path becomes the host of the only node. The kernel's struct has room for it and a NUL. */
static int parse_unix(struct idem_fleet *fleet, const struct idem_value *path)
{
  static const size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path);
  int rc = decode(path, &fleet->node[0].host);
  if (rc < 0)
    return rc;
  fleet->node_count = 1;
  if (fleet->node[0].host[0] != '/' || strlen(fleet->node[0].host) >= most)
    return idem_value_refuse(path, "the absolute path of a socket, up to 107 bytes", "");
  return 0;
}

/* Sentinels and nodes of a cluster are several ways to one thing, so only there a list makes sense. */
static int parse_hosts(struct idem_fleet *fleet, const struct idem_value *hosts)
{
  struct idem_value node;
  int rc = 0;
  for (size_t at = 0; rc == 0 && idem_value_item(hosts, &at, &node);)
    rc = parse_node(fleet, &node);
  if (rc == 0 && fleet->kind == IDEM_FLEET_SINGLE && fleet->node_count > 1)
    return idem_value_refuse(hosts, "one host", "; redis+sentinel:// and redis+cluster:// take several");
  return rc;
}

/* Behind the "://". The login ends at the last @ before the path; `at` is behind it, or 0 where there is
 * none. */
static int parse_rest(struct idem_fleet *fleet, const struct idem_value *rest)
{
  size_t query = find(rest, 0, "?"), slash = find(rest, 0, "/?"), at = slash;
  struct idem_value attribute = idem_value_part(rest, query < rest->len ? query + 1 : query, rest->len);
  struct idem_value path = idem_value_part(rest, slash, query);
  int rc;
  while (at && rest->data[at - 1] != '@')
    at--;
  bool is_socket = fleet->kind == IDEM_FLEET_UNIX && slash == find(rest, at, "/");
  /* Nothing of it is quoted: it may be the password. */
  if (!is_socket && find(rest, slash, "@") < rest->len)
    return idem_place_fail(&rest->place,
                           "expected %%2F, %%3F and %%40 for /, ? and @ in a password or a value");
  if (fleet->kind == IDEM_FLEET_UNIX) {
    struct idem_value whole = idem_value_part(rest, at, query);
    rc = parse_unix(fleet, &whole);
  } else {
    struct idem_value hosts = idem_value_part(rest, at, slash);
    rc = parse_hosts(fleet, &hosts);
    if (rc == 0)
      rc = parse_path(fleet, &path);
  }
  if (rc == 0 && at) {
    struct idem_value login = idem_value_part(rest, 0, at - 1);
    rc = parse_login(fleet, &login);
  }
  return rc < 0 ? rc : parse_attributes(fleet, &attribute);
}

/* What stands between the scheme and the @ is left out but for the user. */
static int show(struct idem_fleet *fleet, const struct idem_value *url, size_t rest)
{
  size_t slash = find(url, rest, "/?"), at = slash;
  while (at > rest && url->data[at - 1] != '@')
    at--;
  size_t user = at > rest ? find(url, rest, ":@") : rest;
  static const char hidden[] = ":***@";
  size_t room = url->len + sizeof(hidden);
  char *shown = idem_arena_alloc(url->arena, room);
  struct idem_text text = {.out = shown, .size = room};
  if (!shown)
    return idem_value_no_memory(url);
  idem_text_add(&text, url->data, user);
  if (at > rest)
    idem_text_add_string(&text, url->data[user] == ':' ? hidden : "@");
  idem_text_add(&text, url->data + at, url->len - at);
  fleet->shown = shown;
  return 0;
}

/* Defaults come first, so that what is written replaces them; what only TLS can use is looked at when all
 * of it is known. The text for people is made last, of a URL that was understood. */
static int parse_url(const struct idem_value *url, struct idem_fleet *fleet)
{
  static const char mark[] = "://";
  size_t end = find(url, 0, ":"), i = 0;
  struct idem_value scheme = idem_value_part(url, 0, end);
  while (i < sizeof(schemes) / sizeof(*schemes) && !idem_value_is(&scheme, schemes[i].name))
    i++;
  if (i == sizeof(schemes) / sizeof(*schemes) || url->len < end + sizeof(mark) - 1 ||
      memcmp(url->data + end, mark, sizeof(mark) - 1) != 0)
    return idem_place_fail(&url->place, "expected a URL that begins with " SCHEMES);
  size_t rest = end + sizeof(mark) - 1;
  struct idem_value behind = idem_value_part(url, rest, url->len);
  *fleet = (struct idem_fleet){.kind = schemes[i].kind, .tls = schemes[i].tls};
  int rc = set_fallbacks(fleet, url);
  if (rc == 0)
    rc = parse_rest(fleet, &behind);
  if (rc == 0 && !fleet->tls && (fleet->ca || fleet->cert || fleet->key || fleet->insecure))
    rc = idem_place_fail(&url->place, "ca=, cert=, key= and insecure need rediss://");
  return rc < 0 ? rc : show(fleet, url, rest);
}

/* Of a file the first line counts, and messages have its line and column beside the variable. `*out` is the
 * arena's, and after a mistake of no use. */
int idem_fleet_parse(const struct idem_value *value, struct idem_fleet **out)
{
  struct idem_value url = *value;
  char *data;
  *out = idem_arena_alloc(value->arena, sizeof(**out));
  if (!*out)
    return idem_value_no_memory(value);
  url.place.column = 1;
  if (url.len && url.data[0] == '@') {
    int rc = idem_file_read_secret(value->arena, value->place.where, url.data + 1, &data, &url.len,
                                   value->place.error);
    if (rc < 0)
      return rc;
    url.data = data;
    url.place.line = 1;
    url.len = find(&url, 0, "\r\n");
  }
  return parse_url(&url, *out);
}
