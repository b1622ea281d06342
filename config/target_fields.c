/* SPDX-License-Identifier: MIT */
/* Fields that say which calls a rule is for: host, method, path. */
#include "config/ascii.h"
#include "config/field.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* RFC 1035 section 2.3.4. */
#define HOST_MAX ((size_t)253)

/* One sentence for all hosts that are none, and a hint for the mistake at hand. */
static int refuse(const struct idem_value *value, const char *hint)
{
  return idem_value_refuse(
      value, "a host such as api.openai.com, *.openai.azure.com, 127.0.0.1:8080 or [::1]:8080", hint);
}

/* What people paste here, and what they should have written. */
static int check_paste(const struct idem_value *value)
{
  /* Not shown again: what stands before an @ may be a password. */
  if (memchr(value->data, '@', value->len))
    return idem_place_fail(&value->place, "expected a host without user name and password");
  if (memchr(value->data, '/', value->len))
    return refuse(value, "; a URL's path goes into path=");
  for (size_t i = 0; i < value->len; i++)
    if ((unsigned char)value->data[i] >= 0x80)
      return refuse(value, "; write an international name in its xn-- form");
  return 0;
}

/* * or ?. */
static bool has_wildcard(const char *text)
{
  return strpbrk(text, "*?");
}

/* Letters, digits, and a few others. */
static bool all_in(const char *text, const char *others)
{
  for (; *text; text++)
    if (!idem_is_alnum(*text) && !strchr(others, *text))
      return false;
  return true;
}

/* 1 to 65535, and nothing behind it. */
static int parse_port(const struct idem_value *value, uint16_t *port)
{
  unsigned number = 0;

  for (size_t i = 0; i < value->len; i++) {
    number = idem_is_digit(value->data[i]) ? number * 10 + (unsigned)(value->data[i] - '0') : UINT16_MAX + 1;
    if (number > UINT16_MAX)
      break;
  }
  if (number == 0 || number > UINT16_MAX)
    return idem_value_refuse(value, "a port from 1 to 65535", "; without a port, every port matches");
  *port = (uint16_t)number;
  return 0;
}

/* An address has one name and many spellings; calls come with the normal one. */
static int normal_address(const struct idem_value *value, char **host)
{
  char normal[INET6_ADDRSTRLEN];
  struct in6_addr address;

  if (has_wildcard(*host))
    return all_in(*host, ":.*?") && (*host)[strlen(*host) - 1] != '.' ? 0 : refuse(value, "");
  if (inet_pton(AF_INET6, *host, &address) != 1 || !inet_ntop(AF_INET6, &address, normal, sizeof normal))
    return refuse(value, "; between brackets goes an IPv6 address");
  *host = idem_arena_copy(value->arena, normal, strlen(normal));
  return *host ? 0 : idem_value_no_memory(value);
}

/* What RFC 1035 allows, wildcards, and one trailing point. */
static int normal_name(const struct idem_value *value, char *host)
{
  size_t len = strlen(host);

  if (host[0] == '.')
    return refuse(value, "; every host of a domain is written as *.example.com");
  if (len == 0 || len > HOST_MAX || strstr(host, "..") || !all_in(host, "-._*?"))
    return refuse(value, "");
  /* "api.openai.com." is the same host, fully qualified. */
  if (host[len - 1] == '.')
    host[len - 1] = '\0';
  return 0;
}

/* Where the host ends; a colon and a port may follow. Several colons without brackets are an address. */
static size_t host_end(const struct idem_value *value)
{
  const char *data = value->data;
  const char *close = value->len && data[0] == '[' ? memchr(data, ']', value->len) : NULL;
  const char *colon = memchr(data, ':', value->len), *last = memrchr(data, ':', value->len);

  if (close)
    return (size_t)(close - data) + 1;
  return colon && colon == last ? (size_t)(colon - data) : value->len;
}

/* Takes the port off, then normalises what is left as an address or as a name. */
int idem_host_parse(const struct idem_value *value, char **host, uint16_t *port)
{
  size_t end = host_end(value);
  bool bracketed = value->len && value->data[0] == '[';
  struct idem_value number = idem_value_part(value, end < value->len ? end + 1 : end, value->len);
  int result = check_paste(value);

  *port = 0;
  if (result == 0 && bracketed && value->data[end - 1] != ']')
    result = refuse(value, "; the ] is missing");
  if (result == 0 && end < value->len)
    result = value->data[end] == ':' ? parse_port(&number, port) : refuse(value, "");
  if (result < 0)
    return result;
  *host = idem_arena_copy(value->arena, value->data + bracketed, end - 2 * bracketed);
  if (!*host)
    return idem_value_no_memory(value);
  for (char *c = *host; *c; c++)
    *c = idem_lower(*c);
  return bracketed || strchr(*host, ':') ? normal_address(value, host) : normal_name(value, *host);
}

int idem_parse_field_host(const struct idem_field *field, const struct idem_value *value, void *object)
{
  struct idem_rule *rule = object;

  (void)field;
  return idem_host_parse(value, &rule->host, &rule->port);
}

/* An address needs its brackets where a port may follow. */
void idem_format_field_host(const struct idem_field *field, const void *object, struct idem_text *text)
{
  const struct idem_rule *rule = object;

  (void)field;
  bool brackets = strchr(rule->host, ':');

  idem_text_add_string(text, brackets ? "[" : "");
  idem_text_add_string(text, rule->host);
  idem_text_add_string(text, brackets ? "]" : "");
  if (rule->port) {
    idem_text_add_string(text, ":");
    idem_text_add_number(text, rule->port);
  }
}

/* Upper case, as the app's own method will be. */
static int check_method(const struct idem_value *item, char *word)
{
  if (idem_value_is(item, "*"))
    return 0;
  for (; *word; word++) {
    if (!idem_is_alnum(*word) && *word != '-' && *word != '_')
      return idem_value_refuse(item, "a method such as POST, or * for every one", "");
    *word = idem_upper(*word);
  }
  return 0;
}

/* "*" stands for every method and is kept as a word. */
int idem_parse_field_methods(const struct idem_field *field, const struct idem_value *value, void *object)
{
  struct idem_rule *rule = object;

  (void)field;
  rule->methods = (struct idem_words){0};
  return idem_value_words(value, check_method, false, &rule->methods);
}

void idem_format_field_methods(const struct idem_field *field, const void *object, struct idem_text *text)
{
  const struct idem_rule *rule = object;

  (void)field;
  for (size_t i = 0; i < rule->methods.count; i++) {
    idem_text_add_string(text, i ? "," : "");
    idem_text_add_string(text, rule->methods.word[i]);
  }
}

/* Does a query stand at the end of what should be a path? A lone '?' is a wildcard. */
static bool has_query(const struct idem_value *value)
{
  const char *mark = memchr(value->data, '?', value->len);

  return mark && memchr(mark, '=', (size_t)(value->data + value->len - mark));
}

/* Each refusal names what people write there instead: a query, a full URL, spaces. */
int idem_parse_field_path(const struct idem_field *field, const struct idem_value *value, void *object)
{
  struct idem_rule *rule = object;

  (void)field;
  if (value->len == 0 || !strchr("/*?", value->data[0]))
    return idem_value_refuse(value, "a path such as /v1/chat/completions or /v1/*", "");
  if (has_query(value))
    return idem_value_refuse(value, "a path without query", "; every query matches");
  for (size_t i = 0; i < value->len; i++)
    if (value->data[i] <= ' ' || value->data[i] > '~')
      return idem_value_refuse(value, "a path of ASCII characters",
                               "; write the others as %XX, as a URL does");
  if (idem_value_is(value, "*")) {
    rule->path = NULL;
    return 0;
  }
  rule->path = idem_arena_copy(value->arena, value->data, value->len);
  return rule->path ? 0 : idem_value_no_memory(value);
}

/* NULL is every path. */
void idem_format_field_path(const struct idem_field *field, const void *object, struct idem_text *text)
{
  const struct idem_rule *rule = object;

  (void)field;
  idem_text_add_string(text, rule->path ? rule->path : "*");
}
