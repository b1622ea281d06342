/* SPDX-License-Identifier: MIT */
/* Rules, modes and URLs as text: what `check` and `doctor` say of a configuration. */
#include "cli/view/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* As the variable has them. */
static const char *const modes[] = {
    [IDEM_MODE_IDEMPOTENT] = "idempotent", [IDEM_MODE_OBSERVE] = "observe", [IDEM_MODE_RECORD] = "record",
    [IDEM_MODE_REPLAY] = "replay",         [IDEM_MODE_OFF] = "off",
};

/* The word that IDEMSHIM_MODE would have for it. */
const char *cli_mode_name(enum idem_mode mode)
{
  return modes[mode];
}

/* Measures first, since a rule may be as long as its author likes. */
char *cli_rule_text(const struct idem_rule *rule)
{
  size_t size = idem_rule_format(rule, NULL, 0) + 1;
  char *text = malloc(size);
  if (text)
    idem_rule_format(rule, text, size);
  return text;
}

/* The length of the value at `text`, which ends at a blank outside of quotes. */
static size_t value_length(const char *text)
{
  char quote = '\0';
  size_t len = 0;
  for (; text[len] && (quote || text[len] != ' '); len++) {
    if (quote ? text[len] == quote : text[len] == '"' || text[len] == '\'')
      quote = quote ? '\0' : text[len];
  }
  return len;
}

/* Taken from the rule's text rather than from the struct, so that every field has it, a new one too. Values
 * may be quoted and hold blanks, so a field's name is looked for where fields begin. */
bool cli_rule_value(const struct idem_rule *rule, const char *field, char value[CLI_VALUE_SIZE])
{
  size_t name_len = strlen(field), len;
  char *text = cli_rule_text(rule);
  bool found = false;
  for (const char *at = text; at && *at && !found; at += len, at += strspn(at, " ")) {
    len = value_length(at);
    found = strncmp(at, field, name_len) == 0 && at[name_len] == '=';
    if (found)
      snprintf(value, CLI_VALUE_SIZE, "%.*s", (int)(len - name_len - 1), at + name_len + 1);
  }
  free(text);
  return found;
}

/* URLs. */

/* Schemes that rules know, the usual one first. */
static const struct {
  const char *prefix;
  uint16_t port;
} schemes[] = {
    {"https://", 443},
    {"http://", 80},
};

/* Skips the scheme. What has another scheme is refused, what has none is https. */
static const char *skip_scheme(const char *url, uint16_t *port)
{
  for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
    *port = schemes[i].port;
    if (strncasecmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
      return url + strlen(schemes[i].prefix);
  }
  *port = schemes[0].port;
  return strstr(url, "://") ? NULL : url;
}

/* None is fine: the scheme has one. */
static int parse_port(const char *text, size_t len, uint16_t *port)
{
  unsigned value = 0;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9' || value > 65535)
      return -EINVAL;
    value = 10 * value + (unsigned)(text[i] - '0');
  }
  if (len == 0)
    return 0;
  *port = (uint16_t)value;
  return value >= 1 && value <= 65535 ? 0 : -EINVAL;
}

/* "user@host:port" or "[::1]:port". */
static int parse_authority(const char *text, size_t len, struct idem_target *target)
{
  /* What stands before it is no part of the host, and may be a password: it is not shown. */
  const char *at = memrchr(text, '@', len), *end = text + len;
  const char *host = at ? at + 1 : text;
  bool bracketed = host < end && *host == '[';
  const char *close = bracketed ? memchr(host, ']', (size_t)(end - host)) : NULL;
  if (bracketed && !close)
    return -EINVAL;
  const char *after = bracketed ? close + 1 : host;
  const char *colon = memchr(after, ':', (size_t)(end - after));
  target->host = bracketed ? host + 1 : host;
  target->host_len = (size_t)((bracketed ? close : colon ? colon : end) - target->host);
  if (target->host_len == 0 || (bracketed && after < end && after != colon))
    return -EINVAL;
  return colon ? parse_port(colon + 1, (size_t)(end - colon - 1), &target->port) : 0;
}

/* An environment that says nothing: no file of settings is read, and the store, for which nobody asks, has
 * some place. */
static char *get_nothing(const char *name)
{
  return strcmp(name, "IDEMSHIM_CONFIG") == 0 ? (char *)(uintptr_t) "none"
         : strcmp(name, "HOME") == 0          ? (char *)(uintptr_t) "/"
                                              : NULL;
}

int cli_built_in_rules(struct idem_config *config, struct idem_error *error)
{
  return idem_config_load(config, get_nothing, error);
}

/* As libcurl would take it apart, for the parts that a rule looks at. */
int cli_url_parse(const char *url, struct idem_target *target, struct idem_error *error)
{
  const char *authority = skip_scheme(url, &target->port);
  if (!authority)
    return idem_error_set(error, -EINVAL, "%s: expected an http or https URL", url);
  size_t len = strcspn(authority, "/?#");
  if (parse_authority(authority, len, target) < 0)
    return idem_error_set(error, -EINVAL, "%s: expected a URL such as https://HOST[:PORT]/PATH", url);
  /* "https://host?q" has a query and no path, which is sent as "/". */
  bool none = authority[len] != '/';
  target->path = none ? "/" : authority + len;
  target->path_len = none ? 1 : strcspn(target->path, "?#"); /* what is behind ? or # is no part of it */
  return 0;
}
