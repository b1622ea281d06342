/* SPDX-License-Identifier: MIT */
/*
 * match=loose: a second fingerprint of each exchange, under the rule of the call that is looked for. And one
 * for exchanges that 0.1 has recorded, whose names nobody makes any more: by what they ask for, without their
 * headers, for 0.1 did not write down all that go on the wire.
 */
#include "store/json/json_canon.h"
#include "store/key/content.h"
#include "store/key/key.h"
#include "tape/mask.h"
#include "tape/match.h"

/* A fingerprint and the exchange that has it. */
struct loose_name {
  uint8_t print[IDEM_KEY_SIZE];
  uint32_t index;
};

/* The fingerprints of the whole tape under one rule. Made once, and never changed while others
 * read it. */
struct loose_index {
  struct loose_index *next;
  const struct idem_rule *rule;
  bool old;                 /* of exchanges that 0.1 has recorded, and nothing is masked */
  struct loose_name *names; /* sorted */
  uint32_t *index;          /* the same order, without the names */
  size_t count;
};

/* The fingerprint. */

/* Masks the strings of a JSON body one by one, for the digest of the whole; numbers and structure
 * are what they are. */
static struct idem_span mask_string(void *arg, struct idem_span text)
{
  struct buffer *masked = arg;
  masked->len = 0;
  tape_mask(masked, text);
  if (masked->failed)
    return (struct idem_span){NULL, 0};
  return (struct idem_span){masked->data ? masked->data : "", masked->len};
}

/* Adds one more piece of the request, masked, and says how long it is: all lie in one buffer, which may move
 * meanwhile. */
static size_t add_masked(struct buffer *masked, struct idem_span text)
{
  size_t before = masked->len;
  tape_mask(masked, text);
  return masked->len - before;
}

/* Takes the next piece off the front. */
static struct idem_span next_masked(struct idem_span *rest, size_t len)
{
  struct idem_span piece = {rest->data, len};
  *rest = (struct idem_span){rest->data + len, rest->len - len};
  return piece;
}

/* `string` is room to mask strings in; NULL: they count as they are. */
static void finish_print(const struct idem_request *request, struct buffer *string,
                         uint8_t print[IDEM_KEY_SIZE])
{
  struct content content;
  struct hash hash;
  content_of_replaced(request, false, string ? mask_string : NULL, string, &content);
  hash_begin(&hash);
  hash_field(&hash, request->method);
  hash_field(&hash, request->origin);
  hash_field(&hash, request->path);
  hash_digest(&hash, content.fingerprint);
  hash_end(&hash, print);
}

/* False for a body that cannot be masked, which then matches exactly or not at all. */
static bool loose_print(const struct idem_request *request, bool old, uint8_t print[IDEM_KEY_SIZE])
{
  struct buffer masked = {0}, string = {0};
  struct idem_span headers[HEADERS_MOST];
  struct idem_request copy = *request;
  uint8_t digest[IDEM_KEY_SIZE];
  copy.header_count = old ? 0 : request->header_count < HEADERS_MOST ? request->header_count : HEADERS_MOST;
  if (old) {
    finish_print(&copy, NULL, print);
    return true;
  }
  bool json = !content_is_plain_text(request) &&
              json_canon(request->body, &(struct json_canon_options){0}, digest) == 0;
  size_t path = add_masked(&masked, request->path), query = add_masked(&masked, request->query);
  size_t body = json ? 0 : add_masked(&masked, request->body);
  for (size_t i = 0; i < copy.header_count; i++)
    headers[i].len = add_masked(&masked, request->headers[i]);
  struct idem_span rest = {masked.data ? masked.data : "", masked.len};
  copy.path = next_masked(&rest, path);
  copy.query = next_masked(&rest, query);
  copy.body = json ? request->body : next_masked(&rest, body);
  for (size_t i = 0; i < copy.header_count; i++)
    headers[i] = next_masked(&rest, headers[i].len);
  copy.headers = headers;
  bool done = !masked.failed;
  if (done)
    finish_print(&copy, &string, print);
  free(masked.data);
  free(string.data);
  return done && !string.failed;
}

/* The index. */

/* By fingerprint, then by the order of the run. */
static int by_print(const void *a, const void *b)
{
  const struct loose_name *x = a, *y = b;
  int order = memcmp(x->print, y->print, IDEM_KEY_SIZE);
  return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Every exchange is read with its body, which is what makes the first loose match slow. */
static void fill(struct loose_index *index, const struct tape *tape)
{
  struct tape_record record = {0};
  struct idem_span headers[HEADERS_MOST];
  for (size_t i = 0; i < tape->count; i++) {
    const struct tape_entry *entry = &tape->entries[i];
    if (index->old && tape->files[entry->segment].head.version != TAPE_VERSION_0_1)
      continue;
    if (entry->what == TAPE_RESCUE || tape_read(tape, i + 1, &record, NULL) < 0)
      continue;
    struct idem_request request = tape_request(&record, index->rule, headers, HEADERS_MOST);
    struct loose_name *name = &index->names[index->count];
    name->index = (uint32_t)i;
    index->count += loose_print(&request, index->old, name->print);
  }
  tape_record_release(&record);
  qsort(index->names, index->count, sizeof(*index->names), by_print);
  for (size_t i = 0; i < index->count; i++)
    index->index[i] = index->names[i].index;
}

/* One index; tape_loose_free() walks the list of them. */
static void free_index(struct loose_index *index)
{
  if (!index)
    return;
  free(index->names);
  free(index->index);
  free(index);
}

/* NULL without memory, and then nothing matches loosely. */
static struct loose_index *make_index(const struct tape *tape, const struct idem_rule *rule, bool old)
{
  struct loose_index *index = calloc(1, sizeof(*index));
  if (!index)
    return NULL;
  index->rule = rule;
  index->old = old;
  index->names = calloc(tape->count + 1, sizeof(*index->names));
  index->index = calloc(tape->count + 1, sizeof(*index->index));
  if (index->names && index->index) {
    fill(index, tape);
    return index;
  }
  free_index(index);
  return NULL;
}

/* There is one index for each rule that has missed so far. The list only grows, at its front, while the
 * matcher is open, so it is walked without a lock. */
static struct loose_index *find_index(struct tape_matcher *matcher, const struct idem_rule *rule, bool old)
{
  struct loose_index *first = atomic_load(&matcher->loosely), *at = first;
  while (at && (at->rule != rule || at->old != old))
    at = at->next;
  if (at)
    return at;
  struct loose_index *made = make_index(matcher->tape, rule, old);
  /* Another thread may have made the same one meanwhile: it does no harm to have both. */
  do
    if (made)
      made->next = first;
  while (made && !atomic_compare_exchange_weak(&matcher->loosely, &first, made));
  return made;
}

/* The matcher is being closed, so nobody walks the list any more. */
void tape_loose_free(struct tape_matcher *matcher)
{
  for (struct loose_index *at = atomic_load(&matcher->loosely), *next; at; at = next) {
    next = at->next;
    free_index(at);
  }
}

/* Reading the whole tape for it is dear, so it is done when the first exact match fails. */
struct tape_group tape_loose_find(struct tape_matcher *matcher, const struct idem_request *request, bool old)
{
  uint8_t print[IDEM_KEY_SIZE];
  struct buffer buffer = {0};
  struct idem_request redacted = tape_request_redacted(request, &buffer);
  struct loose_index *index =
      loose_print(&redacted, old, print) ? find_index(matcher, request->rule, old) : NULL;
  size_t from = 0, to = 0;
  free(buffer.data);
  if (!index)
    return (struct tape_group){0};
  while (from < index->count && memcmp(index->names[from].print, print, IDEM_KEY_SIZE) < 0)
    from++;
  for (to = from; to < index->count && memcmp(index->names[to].print, print, IDEM_KEY_SIZE) == 0;)
    to++;
  return (struct tape_group){index->index + from, to - from};
}
