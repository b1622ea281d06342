/* SPDX-License-Identifier: MIT */
/* Three passes, each over what has no partner yet: by key, then by content (keys may be new in
 * each run), then by URL (the content may be what was changed). In each, both sides are sorted by
 * name and walked together, so a run of any length costs n log n. */
#include "cli/tape/pair.h"

#include "cli/output/output.h"
#include "cli/tape/tape.h"
#include "store/base/hash.h"

#include <stdlib.h>

/* The text of the recorded server where one stands for it, in `map`. */
static struct idem_span mapped(const struct cli_pair_side *side, struct idem_span origin,
                               struct idem_origin_map *map)
{
  for (size_t i = 0; i < CLI_LIST_MAX && side->origins[i]; i++)
    if (idem_origin_map_parse(side->origins[i], strlen(side->origins[i]), map) &&
        strlen(map->now.text) == origin.len && memcmp(map->now.text, origin.data, origin.len) == 0)
      return (struct idem_span){map->recorded.text, strlen(map->recorded.text)};
  return origin;
}

int cli_check_origins(const char *const *origins)
{
  struct idem_origin_map map;
  for (size_t i = 0; i < CLI_LIST_MAX && origins[i]; i++)
    if (!idem_origin_map_parse(origins[i], strlen(origins[i]), &map))
      return cli_fail(CLI_USAGE, "--map-origin %s: expected RECORDED=NOW, both as https://HOST[:PORT]",
                      origins[i]);
  return CLI_OK;
}

/* A URL is compared by a digest, as the other two names are digests already. */
static int visit(void *arg, const struct tape_record *record)
{
  struct cli_pair_side *side = arg;
  struct cli_pair_item *item = &side->item[record->number - 1];
  struct idem_origin_map map;
  struct hash hash;
  memcpy(item->key, record->call.key, IDEM_KEY_SIZE);
  memcpy(item->fingerprint, record->call.fingerprint, IDEM_KEY_SIZE);
  hash_begin(&hash);
  hash_field(&hash, record->method);
  hash_field(&hash, mapped(side, record->origin, &map));
  hash_field(&hash, record->path);
  hash_end(&hash, item->url);
  return CLI_OK;
}

/* Summaries are enough: names are in them. */
int cli_pair_read(const struct tape *tape, const char *const *origins, struct cli_pair_side *side)
{
  side->origins = origins;
  side->count = tape_totals(tape).exchanges;
  side->item = calloc(side->count + 1, sizeof(*side->item));
  if (!side->item)
    return cli_fail(CLI_STORE, "out of memory");
  return cli_tape_each(tape, "tape diff", false, visit, side);
}

/* A name of those that have no partner yet, and whose it is. */
struct named {
  const uint8_t *name;
  size_t index;
};

/* Equal names in the order of the run: the n-th of one side meets the n-th of the other. */
static int by_name(const void *a, const void *b)
{
  const struct named *x = a, *y = b;
  int order = memcmp(x->name, y->name, IDEM_KEY_SIZE);
  return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Lists those without a partner, sorted. */
static size_t list_names(const struct cli_pair_side *side, size_t offset, struct named *out)
{
  size_t count = 0;
  for (size_t i = 0; i < side->count; i++)
    if (!side->item[i].partner)
      out[count++] = (struct named){(const uint8_t *)&side->item[i] + offset, i};
  qsort(out, count, sizeof(*out), by_name);
  return count;
}

/* Walks both lists as a merge does. Each of a pair knows the other's number, which counts from 1. */
static void pair_by(struct cli_pair_side *a, struct cli_pair_side *b, size_t offset, struct named *names)
{
  struct named *x = names, *y = names + a->count;
  struct named *x_end = x + list_names(a, offset, x), *y_end = y + list_names(b, offset, y);
  while (x < x_end && y < y_end) {
    int order = memcmp(x->name, y->name, IDEM_KEY_SIZE);
    if (order == 0) {
      a->item[x->index].partner = y->index + 1;
      b->item[y->index].partner = x->index + 1;
    }
    x += order <= 0;
    y += order >= 0;
  }
}

/* What one pass has paired, the next does not see. The passes must go from strict to loose: a URL is shared
 * by most calls of a run, and would pair them by their order alone. */
bool cli_pair(struct cli_pair_side *a, struct cli_pair_side *b)
{
  struct named *names = calloc(a->count + b->count + 1, sizeof(*names));
  if (!names)
    return false;
  pair_by(a, b, offsetof(struct cli_pair_item, key), names);
  pair_by(a, b, offsetof(struct cli_pair_item, fingerprint), names);
  pair_by(a, b, offsetof(struct cli_pair_item, url), names);
  free(names);
  return true;
}
