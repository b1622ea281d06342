/* SPDX-License-Identifier: MIT */
#include "shim/live/upstream_key.h"

#include "shim/handle/overrides.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool line_has_name(struct idem_span line, const char *name)
{
  size_t len = strlen(name);
  return line.len > len && (line.data[len] == ':' || line.data[len] == ';') &&
         strncasecmp(line.data, name, len) == 0;
}

static bool app_sends_a_key(const struct request *request)
{
  const struct idem_words *names = &request->rule->keying.headers;
  for (size_t i = 0; i < request->bytes.header_count; i++) {
    if (line_has_name(request->bytes.headers[i], request->rule->inject))
      return true;
    for (size_t j = 0; j < names->count; j++)
      if (line_has_name(request->bytes.headers[i], names->word[j]))
        return true;
  }
  return false;
}

/* One array of nodes: the app's strings in their order, then ours. NULL without memory. */
static struct curl_slist *copy_with(const struct curl_slist *first, char *line)
{
  size_t count = 1;
  for (const struct curl_slist *item = first; item; item = item->next)
    count++;
  struct curl_slist *nodes = calloc(count, sizeof(*nodes)), *node = nodes;
  if (!nodes)
    return NULL;
  for (const struct curl_slist *item = first; item; item = item->next, node++)
    *node = (struct curl_slist){.data = item->data, .next = node + 1};
  node->data = line;
  return nodes;
}

void upstream_key_attach(struct upstream_key *key, const struct request *request)
{
  struct shadow *shadow = request->shadow;
  key->list = NULL;
  if (!request->rule->inject || app_sends_a_key(request) ||
      (request->rule->inject_auto && shadow->upstream_key == IDEM_UPSTREAM_KEY_REFUSED))
    return;
  int len = snprintf(key->line, sizeof(key->line), "%s: %s", request->rule->inject, request->op.upstream_key);
  if (len > 0 && (size_t)len < sizeof(key->line))
    key->list = copy_with((const struct curl_slist *)shadow->slot[SLOT_HTTPHEADER], key->line);
  /* The strings are the app's: it may free them once it has set another list. */
  if (key->list)
    override_until_set(shadow, CURLOPT_HTTPHEADER, key->list);
}

void upstream_key_release(struct upstream_key *key)
{
  free(key->list);
}
