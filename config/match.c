/* SPDX-License-Identifier: MIT */
/*
 * The match that every transfer pays for. A host group holds the last eight literal bytes of its glob and the
 * least length; most hosts of most programs are refused by one xor. Only what passes is compared as a glob,
 * and only then are methods and paths looked at, in the order in which the rules were written.
 */
#include "config/match.h"

#include "config/ascii.h"

#include <errno.h>
#include <string.h>

/* Makes a letter lower case and leaves what else stands in a host alone, but for '_'. Both sides of a compare
 * are folded in this way, and the glob has the last word. */
#define FOLD UINT64_C(0x2020202020202020)

/* Up to eight bytes before `end`, folded; the last one is the highest. */
static uint64_t tail_of(const char *end, size_t len)
{
  uint64_t tail = 0;

  for (size_t i = 1; i <= len && i <= sizeof tail; i++)
    tail |= (uint64_t)(unsigned char)end[-(ptrdiff_t)i] << (64 - 8 * i);
  return tail | FOLD;
}

/* How many bytes at the end of the glob have no wildcard in them; eight at most. */
static size_t literal_tail(const char *glob, size_t len)
{
  size_t tail = 0;

  while (tail < len && !strchr("*?", glob[len - 1 - tail]))
    tail++;
  return tail < sizeof(uint64_t) ? tail : sizeof(uint64_t);
}

/* Rules that were made from one host share its text, so the pointers are compared first. */
static bool same_host(const struct idem_rule *a, const struct idem_rule *b)
{
  return a->port == b->port && (a->host == b->host || !strcmp(a->host, b->host));
}

/* What is fixed about the group's host. */
static void fill_group(struct idem_host_group *group, const struct idem_rule *rule, uint32_t first)
{
  size_t len = strlen(rule->host), tail = literal_tail(rule->host, len), least = 0;

  for (const char *c = rule->host; *c; c++)
    least += *c != '*';
  group->first = first;
  group->port = rule->port;
  group->tail = tail_of(rule->host + len, tail);
  group->mask = tail ? UINT64_MAX << (64 - 8 * tail) : 0;
  group->least_len = (uint16_t)least;
  /* How much longer than the least a host may be: as long as it likes where the glob has a *. */
  group->spare = least < len ? UINT16_MAX : 0;
}

/* False for nearly everything. An unsigned subtraction checks both bounds of the length at once. */
static bool admits(const struct idem_host_group *group, uint64_t tail, size_t host_len, uint16_t port)
{
  return !((tail ^ group->tail) & group->mask) && host_len - group->least_len <= group->spare &&
         (!group->port || group->port == port);
}

/* At most one group for each rule. */
int idem_match_build(struct idem_config *config, struct idem_arena *arena)
{
  struct idem_host_group *groups = idem_arena_alloc(arena, config->rule_count * sizeof *groups);
  size_t count = 0;

  if (!groups)
    return -ENOMEM;
  for (uint32_t i = 0; i < config->rule_count; i++) {
    if (i == 0 || !same_host(&config->rules[i - 1], &config->rules[i]))
      fill_group(&groups[count++], &config->rules[i], i);
    groups[count - 1].end = i + 1;
  }
  config->groups = groups;
  config->group_count = count;
  return 0;
}

/* RFC 9110 section 9.1: methods are case-sensitive, so "post" is another method than POST. */
static bool wants_method(const struct idem_words *methods, const struct idem_target *target)
{
  for (size_t i = 0; i < methods->count; i++) {
    const char *method = methods->word[i];
    if ((method[0] == '*' && !method[1]) ||
        (strlen(method) == target->method_len && !memcmp(method, target->method, target->method_len)))
      return true;
  }
  return false;
}

/* The first rule of the group that wants method and path. */
static const struct idem_rule *match_rules(const struct idem_config *config,
                                           const struct idem_host_group *group,
                                           const struct idem_target *target)
{
  for (uint32_t i = group->first; i < group->end; i++) {
    const struct idem_rule *rule = &config->rules[i];
    if (wants_method(&rule->methods, target) &&
        (!rule->path || idem_glob(rule->path, target->path, target->path_len, false)))
      return rule;
  }
  return NULL;
}

/* The groups are in the order of the rules, so the first match of the first group wins. */
const struct idem_rule *idem_config_match(const struct idem_config *config, const struct idem_target *target)
{
  const char *host = target->host;
  /* "api.openai.com." is the same host, fully qualified. */
  size_t host_len = target->host_len - (target->host_len > 1 && host[target->host_len - 1] == '.');
  uint64_t tail = tail_of(host + host_len, host_len);

  for (size_t i = 0; i < config->group_count; i++) {
    const struct idem_host_group *group = &config->groups[i];
    if (!admits(group, tail, host_len, target->port) ||
        !idem_glob(config->rules[group->first].host, host, host_len, true))
      continue;
    const struct idem_rule *rule = match_rules(config, group, target);
    if (rule)
      return rule;
  }
  return NULL;
}

/* There are sixteen at most. Both sides have a port, also the usual one, so ports are compared as numbers. */
const struct idem_origin *idem_config_origin(const struct idem_config *config,
                                             const struct idem_target *target, bool https)
{
  for (size_t i = 0; i < config->map_count; i++) {
    const struct idem_origin *now = &config->map[i].now;
    if (now->https == https && now->port == target->port &&
        idem_same_fold(now->host, now->host_len, target->host, target->host_len))
      return &config->map[i].recorded;
  }
  return NULL;
}

/* Segments of paths, and verbs behind a colon in them, of which each call makes or moves something of its
 * own: to answer a second one from the first would leave that undone. By their first letter, for each call
 * that meets a rule asks. Whatever ends with "jobs" is meant as well. */
static const char stateful['z' - 'a' + 1][112] = {
    ['a' - 'a'] = "assistants async-invoke api_keys",
    ['b' - 'a'] = "batch batches batchcreate batchgeneratecontent batchdelete blobs",
    ['c' - 'a'] =
        "cachedcontents cancel client_secrets collections connectors containers conversations corpora create",
    ['d' - 'a'] = "datasets delete dubbing",
    ['e' - 'a'] = "emails evals event events",
    ['f' - 'a'] =
        "feedback filesearchstores files fine-tunes fine-tuning fine_tunes fine_tuning finetune finetuning",
    ['i' - 'a'] = "import ingest ingestion insert invites invoices issues",
    ['j' - 'a'] = "job jobs",
    ['l' - 'a'] = "libraries login logout",
    ['m' - 'a'] = "memories",
    ['n' - 'a'] = "notifications notify",
    ['o' - 'a'] = "oauth oauth2 operations orders",
    ['p' - 'a'] = "payments permissions points predictlongrunning publish pull push",
    ['r' - 'a'] = "realtime refunds register runs",
    ['s' - 'a'] = "send session sessions signin skills spans subscribe subscriptions",
    ['t' - 'a'] = "threads tickets token tokens traces trainings tunedmodels",
    ['u' - 'a'] = "unsubscribe update upload uploads upsert",
    ['v' - 'a'] = "vector_stores videos voices",
    ['w' - 'a'] = "webhook webhooks",
};

static bool is_stateful(const char *segment, size_t len)
{
  unsigned letter = len ? ((unsigned char)*segment | 0x20U) - 'a' : 'z';
  const char *word = letter < sizeof stateful / sizeof *stateful ? stateful[letter] : "";

  if (len >= 4 && idem_same_fold("jobs", 4, segment + len - 4, 4))
    return true;
  while (*word) {
    size_t of = strcspn(word, " ");
    if (idem_same_fold(word, of, segment, len))
      return true;
    word += of + (word[of] != 0);
  }
  return false;
}

/* True if the glob has this segment as it is. */
static bool names_segment(const char *glob, const char *segment, size_t len)
{
  while (glob && *glob) {
    size_t word = strcspn(glob, "/:");
    if (word == len && !memcmp(glob, segment, len))
      return true;
    glob += word + (glob[word] != 0);
  }
  return false;
}

bool idem_rule_leaves(const struct idem_rule *rule, const struct idem_target *target)
{
  const char *at = target->path, *end = at + target->path_len;

  while (!rule->name && at < end) {
    size_t len = 0;
    while (at + len < end && at[len] != '/' && at[len] != ':')
      len++;
    if (is_stateful(at, len) && !names_segment(rule->path, at, len))
      return true;
    at += len + 1;
  }
  return false;
}
