/* SPDX-License-Identifier: MIT */
/* The rules for hosts that need no configuration. They are parsed from builtin.def with the
 * parsers of the grammar, so a mistake in it is found by the first test that loads a config. */
#include "config/field.h"
#include "config/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Hosts and paths are words in one string: pointers would cost every exec a relocation each. */
static const struct provider {
  const char *name, *hosts, *paths;
} providers[] = {
#define X(name, hosts, paths) {name, hosts, paths},
#include "config/builtin.def"
#undef X
};

/* The next word of a list with spaces, or one of no length. */
static struct idem_value next_word(const char **list, const struct idem_draft *draft)
{
  const char *first = *list + strspn(*list, " ");
  size_t len = strcspn(first, " ");

  *list = first + len;
  return (struct idem_value){.data = first,
                             .len = len,
                             .place = {.where = "built-in", .error = draft->error},
                             .arena = draft->arena};
}

/* Every path of a provider on one of its hosts; the host's text is shared by all of them. */
static int add_paths(struct idem_draft *draft, const struct provider *provider, const struct idem_value *host,
                     const char *origin)
{
  const char *paths = provider->paths;
  struct idem_rule shared = {0};
  int result = idem_host_parse(host, &shared.host, &shared.port);

  for (struct idem_value path = next_word(&paths, draft); result == 0 && path.len;
       path = next_word(&paths, draft)) {
    struct idem_rule *rule =
        idem_draft_add(draft, origin, host->place.number ? host->place.number : (int)draft->count + 1);
    if (!rule)
      return -ENOMEM;
    rule->name = provider->name;
    rule->host = shared.host;
    rule->port = shared.port;
    result = idem_fields[IDEM_FIELD_path].parse(&idem_fields[IDEM_FIELD_path], &path, rule);
  }
  return result;
}

/* The number of rules is known before the first is made, so that the list does not grow. */
static size_t count_words(const char *list)
{
  size_t count = 0;

  for (list += strspn(list, " "); *list; list += strspn(list, " ")) {
    list += strcspn(list, " ");
    count++;
  }
  return count;
}

/* Hosts times paths of each provider. */
static size_t count_rules(void)
{
  size_t count = 0;

  for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
    count += count_words(providers[i].hosts) * count_words(providers[i].paths);
  return count;
}

/* Providers, then hosts, then paths: rules of one host follow each other and become one host
 * group. */
int idem_builtin_add(struct idem_draft *draft)
{
  int result = idem_draft_reserve(draft, count_rules());

  for (size_t i = 0; result == 0 && i < sizeof providers / sizeof providers[0]; i++) {
    const char *hosts = providers[i].hosts;
    for (struct idem_value host = next_word(&hosts, draft); result == 0 && host.len;
         host = next_word(&hosts, draft))
      result = add_paths(draft, &providers[i], &host, "built-in");
  }
  return result;
}

/* True if one of these hosts is this one, or a glob that it fits. A host with a port is another one than all
 * ports of it, so port 0 fits only those without. */
static bool has_host(const char *hosts, const char *host, size_t host_len, uint16_t port)
{
  char glob[64];

  for (; *hosts; hosts += strspn(hosts, " ")) {
    /* An address that has a port stands in brackets: 1 to be skipped before it, and 1 behind it. */
    size_t word = strcspn(hosts, " "), skip = *hosts == '[';
    size_t len = skip ? strcspn(hosts + 1, "]") : strcspn(hosts, " :");
    unsigned long known = skip + len + skip < word ? strtoul(hosts + len + 2 * skip + 1, NULL, 10) : 0;
    if (len < sizeof glob && (known == 0 || known == port)) {
      memcpy(glob, hosts + skip, len);
      glob[len] = '\0';
      if (idem_glob(glob, host, host_len, true))
        return true;
    }
    hosts += word;
  }
  return false;
}

int idem_builtin_add_host(struct idem_draft *draft, const struct idem_value *host, const char *origin)
{
  struct idem_rule asked = {0};
  int result = idem_host_parse(host, &asked.host, &asked.port);
  size_t before = draft->count;

  for (size_t i = 0; result == 0 && i < sizeof providers / sizeof providers[0]; i++)
    if (has_host(providers[i].hosts, asked.host, strlen(asked.host), asked.port))
      result = add_paths(draft, &providers[i], host, origin);
  return result < 0 ? result : draft->count > before;
}

/* Names and no pointers, for the same reason as above. */
static const struct {
  char name[20];
  unsigned char key;
} provider_keys[] = {
#define ANSWER(provider, shape, media, sign, words, failures, key, ...) {provider, IDEM_UPSTREAM_KEY_##key},
#include "config/answers.def"
#undef ANSWER
};

/* Where two providers share a host, the first one's word is taken. */
enum idem_upstream_key idem_provider_key(const struct idem_rule *rule, const struct idem_target *target)
{
  const char *name = rule->name;

  for (size_t i = 0; !name && i < sizeof providers / sizeof providers[0]; i++)
    if (has_host(providers[i].hosts, target->host, target->host_len, target->port))
      name = providers[i].name;
  for (size_t i = 0; name && i < sizeof provider_keys / sizeof provider_keys[0]; i++)
    if (!strcmp(provider_keys[i].name, name))
      return (enum idem_upstream_key)provider_keys[i].key;
  return IDEM_UPSTREAM_KEY_UNKNOWN;
}
