/* SPDX-License-Identifier: MIT */
#include "cli/view/nearest.h"

#include "cli/output/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The spans that name the request. */
static const size_t kept_spans[] = {
    offsetof(struct idem_answer, method),       offsetof(struct idem_answer, origin),
    offsetof(struct idem_answer, path),         offsetof(struct idem_answer, query),
    offsetof(struct idem_answer, scope),        offsetof(struct idem_answer, request_headers),
    offsetof(struct idem_answer, request_body),
};

#define SPAN_COUNT (sizeof(kept_spans) / sizeof(kept_spans[0]))

static struct idem_span *span_at(struct idem_answer *answer, size_t i)
{
  return (struct idem_span *)((char *)answer + kept_spans[i]);
}

static char *copy_spans(struct idem_answer *answer)
{
  size_t total = 1, at = 0;
  for (size_t i = 0; i < SPAN_COUNT; i++)
    total += span_at(answer, i)->len;
  char *bytes = malloc(total);
  for (size_t i = 0; bytes && i < SPAN_COUNT; i++) {
    struct idem_span *span = span_at(answer, i);
    if (span->len)
      memcpy(bytes + at, span->data, span->len);
    span->data = bytes + at;
    at += span->len;
  }
  return bytes;
}

int cli_keep(struct cli_kept *kept, const struct idem_answer *answer)
{
  struct idem_span nothing = {"", 0};
  struct idem_answer copy = *answer;
  char *bytes = copy_spans(&copy);
  if (!bytes)
    return -ENOMEM;
  copy.headers = copy.body = copy.facts = nothing;
  copy.chunks = NULL;
  copy.chunk_count = 0;
  cli_kept_release(kept);
  *kept = (struct cli_kept){copy, bytes};
  return 0;
}

void cli_kept_release(struct cli_kept *kept)
{
  free(kept->bytes);
  *kept = (struct cli_kept){0};
}

struct search {
  const struct idem_answer *target;
  struct cli_nearest *nearest;
  uint64_t done, total;
};

static bool same(struct idem_span a, struct idem_span b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool comparable(const struct idem_answer *a, const struct idem_answer *b)
{
  return memcmp(a->key, b->key, IDEM_KEY_SIZE) != 0 && same(a->method, b->method) &&
         same(a->origin, b->origin) && same(a->path, b->path);
}

static int visit(void *arg, const struct idem_answer *answer)
{
  struct search *search = arg;
  struct cli_nearest *nearest = search->nearest;
  char what[] = "explain", difference[sizeof(nearest->difference)] = "";
  cli_progress(what, ++search->done, search->total);
  if (!comparable(search->target, answer))
    return 0;
  int alike = idem_store_compare(search->target, answer, difference, sizeof(difference));
  if (alike < nearest->alike)
    return 0;
  nearest->alike = alike;
  memcpy(nearest->difference, difference, sizeof(difference));
  return cli_keep(&nearest->kept, answer);
}

int cli_nearest_find(struct idem_store *store, const struct idem_answer *target, struct cli_nearest *nearest,
                     struct idem_error *error)
{
  struct idem_stats stats = {0};
  *nearest = (struct cli_nearest){.alike = -1};
  int result = idem_store_stats(store, &stats, error);
  if (result < 0)
    return result;
  struct search search = {.target = target, .nearest = nearest, .total = stats.answers};
  result = idem_store_each(store, visit, &search, error);
  cli_progress_end();
  return result;
}
