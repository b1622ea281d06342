/* SPDX-License-Identifier: MIT */
/*
 * A token is what a value comes to: a byte with its kind and length, and the value itself if that is at most
 * 30 bytes long, else 31 bytes of its SHA-256. An open array has its tokens on the stack, 64 at most, for
 * they are folded into one then. An open object has its members there: the token of the name, their number,
 * the token of the value; they are sorted when it closes.
 */
#include "store/json/json_canon.h"

#include "store/json/json_pointer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN = 32, INLINE_MOST = 30, HASHED = 31, FOLD_AT = 64 };

/* Three bits of a token's first byte, all of them in use. They are in names on the disk: none may move, or
 * come to mean something else. */
enum kind {
  KIND_STRING,
  KIND_ODD_STRING,
  KIND_INTEGER,
  KIND_FRACTION,
  KIND_WORD,
  KIND_ARRAY,
  KIND_OBJECT,
  KIND_FOLD
};

/* As it lies on the stack and is hashed when its object closes. `order` is big-endian, so that one memcmp()
 * sorts by name and then by place in the text, and no stable sort is needed. */
struct member {
  uint8_t name[TOKEN], order[4], value[TOKEN];
};

/* One for each open container. */
struct level {
  size_t base;    /* where its tokens begin on the stack */
  uint32_t count; /* members of an object so far */
  bool object;
};

struct canon {
  struct json_cursor cursor;
  struct json_pointers ignored;
  const struct json_canon_options *options;
  uint8_t *stack;
  size_t used, room;
  struct level *level;
  size_t level_count, level_room;
  char *text; /* a string without its escapes */
  size_t text_room;
  uint8_t last[TOKEN]; /* the root, in the end */
  bool failed;
};

/* The length is in it, for a short value has noughts behind it: "a" and "a\0" are two. */
static void make_token(uint8_t token[TOKEN], enum kind kind, const void *data, size_t len)
{
  token[0] = (uint8_t)(kind << 5 | (len <= INLINE_MOST ? len : HASHED));
  if (len <= INLINE_MOST) {
    memset(token + 1, 0, TOKEN - 1);
    memcpy(token + 1, data, len);
    return;
  }
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256_CTX sha;
  SHA256_Init(&sha);
  SHA256_Update(&sha, data, len);
  SHA256_Final(digest, &sha);
  memcpy(token + 1, digest, HASHED);
}

static void *grow(struct canon *canon, void *old, size_t needed, size_t *room, size_t item)
{
  if (needed <= *room)
    return old;
  size_t more = 2 * needed + 16;
  void *grown = reallocarray(old, more, item);
  if (!grown) {
    canon->failed = true;
    return old;
  }
  *room = more;
  return grown;
}

/* Room for `len` bytes more on the stack; NULL without memory. */
static uint8_t *push(struct canon *canon, size_t len)
{
  canon->stack = grow(canon, canon->stack, canon->used + len, &canon->room, 1);
  if (canon->failed)
    return NULL;
  canon->used += len;
  return canon->stack + canon->used - len;
}

/* A name, or with `value` a string that the caller may want to count otherwise. */
static void string_token(struct canon *canon, struct idem_span text, bool escaped, bool value,
                         uint8_t token[TOKEN])
{
  bool odd = false;
  if (escaped) {
    canon->text = grow(canon, canon->text, 2 * text.len, &canon->text_room, 1);
    if (canon->failed)
      return;
    text = (struct idem_span){canon->text, json_string_decode(text, canon->text, &odd)};
  }
  if (value && canon->options->replace)
    text = canon->options->replace(canon->options->arg, text);
  canon->failed |= !text.data;
  if (!canon->failed)
    make_token(token, odd ? KIND_ODD_STRING : KIND_STRING, text.data, text.len);
}

/* A fraction by its digits: those between the noughts round them, the sign, e, the exponent. */
static void number_token(struct idem_span text, uint8_t token[TOKEN])
{
  /* Fractions beyond these count as they are written, as words, which no fraction's digits are. So nothing
   * here overflows. */
  enum { DIGITS_MOST = 512, EXPONENT_MOST = 15 };
  char digits[DIGITS_MOST + 32];
  const char *at = text.data, *end = at + text.len, *e = at;
  bool minus = *at == '-', point = false;
  size_t len = 0;
  long long exponent = 0;
  while (e < end && (*e | 0x20) != 'e')
    e++;
  if (e == end && !memchr(at, '.', text.len)) {
    make_token(token, KIND_INTEGER, text.data, text.len);
    return;
  }
  if (e < end) {
    const char *from = e + 1;
    bool below = *from == '-';
    from += below || *from == '+';
    if (end - from > EXPONENT_MOST) {
      make_token(token, KIND_WORD, text.data, text.len);
      return;
    }
    for (; from < end; from++)
      exponent = exponent * 10 + (*from - '0');
    exponent = below ? -exponent : exponent;
  }
  for (at += minus; at < e; at++) {
    if (*at == '.') {
      point = true;
      continue;
    }
    exponent -= point;
    if (len == DIGITS_MOST) {
      make_token(token, KIND_WORD, text.data, text.len);
      return;
    }
    if (len || *at != '0')
      digits[len++] = *at;
  }
  for (; len && digits[len - 1] == '0'; len--)
    exponent++;
  /* Nought has no digits left, and its exponent says nothing: 0.0 and 0e5 are "e0". Its sign stays. */
  len += (size_t)snprintf(digits + len, 32, "%se%lld", minus ? "-" : "", len ? exponent : 0);
  make_token(token, KIND_FRACTION, digits, len);
}

/* Containers. */

static int by_name(const void *a, const void *b)
{
  return memcmp(a, b, offsetof(struct member, value));
}

/* Few members, which is most objects, are sorted in place. */
static void sort_members(struct member *member, size_t count)
{
  if (count > 16) {
    qsort(member, count, sizeof(*member), by_name);
    return;
  }
  for (size_t i = 1; i < count; i++) {
    struct member moved = member[i];
    size_t at = i;
    for (; at > 0 && by_name(&member[at - 1], &moved) > 0; at--)
      member[at] = member[at - 1];
    member[at] = moved;
  }
}

/* A value is complete: it goes to the container that is open. */
static void add_value(struct canon *canon, const uint8_t token[TOKEN])
{
  if (!canon->level_count) {
    memcpy(canon->last, token, TOKEN);
    return;
  }
  struct level *level = &canon->level[canon->level_count - 1];
  if (level->object) {
    /* add_name() has pushed the member, whose value is its last part; what that consisted of has left the
     * stack. */
    memcpy(canon->stack + canon->used - TOKEN, token, TOKEN);
    return;
  }
  uint8_t *place = push(canon, TOKEN);
  if (!place)
    return;
  memcpy(place, token, TOKEN);
  /* So an array of any length has 2 KiB here at most; an embedding of 3,072 numbers would have 96. */
  if (canon->used - level->base == FOLD_AT * TOKEN) {
    uint8_t fold[TOKEN];
    make_token(fold, KIND_FOLD, canon->stack + level->base, FOLD_AT * TOKEN);
    memcpy(canon->stack + level->base, fold, TOKEN);
    canon->used = level->base + TOKEN;
  }
}

static void add_name(struct canon *canon, struct idem_span name)
{
  struct level *level = &canon->level[canon->level_count - 1];
  struct member *member = (struct member *)push(canon, sizeof(*member));
  if (!member)
    return;
  uint32_t order = level->count++;
  uint8_t token[TOKEN];
  string_token(canon, name, memchr(name.data, '\\', name.len) != NULL, false, token);
  if (canon->failed)
    return;
  memcpy(member->name, token, TOKEN);
  for (int i = 0; i < 4; i++)
    member->order[i] = (uint8_t)(order >> (24 - 8 * i));
}

static void open_level(struct canon *canon, bool object)
{
  canon->level = grow(canon, canon->level, canon->level_count + 1, &canon->level_room, sizeof(*canon->level));
  if (!canon->failed)
    canon->level[canon->level_count++] = (struct level){.base = canon->used, .object = object};
}

/* The order of members of one name counts, how many others were between them does not. */
static void forget_order(struct member *member, size_t count)
{
  for (size_t i = 0; i < count; i++)
    memset(member[i].order, 0, sizeof(member[i].order));
}

static void close_level(struct canon *canon)
{
  struct level level = canon->level[--canon->level_count];
  /* In `[]` nothing is ever pushed, and of NULL nothing may be taken, not even 0 bytes. */
  uint8_t token[TOKEN], *from = canon->stack ? canon->stack + level.base : token;
  if (level.object && level.count) {
    sort_members((struct member *)from, level.count);
    forget_order((struct member *)from, level.count);
  }
  make_token(token, level.object ? KIND_OBJECT : KIND_ARRAY, from, canon->used - level.base);
  canon->used = level.base;
  add_value(canon, token);
}

static void take_value(struct canon *canon, enum cursor_event event)
{
  struct json_cursor *cursor = &canon->cursor;
  uint8_t token[TOKEN];
  if (event == CURSOR_CLOSE) {
    close_level(canon);
    return;
  }
  if (cursor->name.data)
    add_name(canon, cursor->name);
  if (canon->failed)
    return;
  switch (event) {
  case CURSOR_ARRAY:
  case CURSOR_OBJECT:
    open_level(canon, event == CURSOR_OBJECT);
    return;
  case CURSOR_STRING:
    string_token(canon, cursor->text, cursor->escaped, true, token);
    break;
  case CURSOR_NUMBER:
    number_token(cursor->text, token);
    break;
  default:
    make_token(token, KIND_WORD, cursor->text.data, cursor->text.len);
  }
  if (!canon->failed)
    add_value(canon, token);
}

static int walk(struct canon *canon)
{
  struct json_cursor *cursor = &canon->cursor;
  bool ignores = canon->ignored.count > 0;
  enum cursor_event event;
  while (!canon->failed && (event = json_cursor_next(cursor)) > CURSOR_END) {
    /* What is ignored leaves nothing behind, not even its name: a body that never had it gives the same
     * digest. */
    if (!ignores || !json_pointers_at(&canon->ignored, cursor, event))
      take_value(canon, event);
    else if (event == CURSOR_ARRAY || event == CURSOR_OBJECT)
      /* Its end is told, since places in it may be ignored as well, and have gone into it. */
      json_pointers_at(&canon->ignored, cursor, json_cursor_skip(cursor));
  }
  bool whole = json_cursor_release(cursor);
  return canon->failed || cursor->starved ? -ENOMEM : whole ? 0 : -EINVAL;
}

int json_canon(struct idem_span text, const struct json_canon_options *options, uint8_t digest[IDEM_KEY_SIZE])
{
  struct canon canon;
  const struct idem_words none = {0}, *ignore = options->ignore ? options->ignore : &none;
  /* `ignored` sets itself up, and is the larger part. */
  memset(&canon, 0, offsetof(struct canon, ignored));
  memset(&canon.options, 0, sizeof(canon) - offsetof(struct canon, options));
  canon.options = options;
  if (!text.len)
    return -EINVAL;
  if (!json_pointers_init(&canon.ignored, ignore->word, ignore->count))
    return -ENOMEM;
  json_cursor_init(&canon.cursor, text);
  int rc = walk(&canon);
  memcpy(digest, canon.last, TOKEN);
  json_pointers_release(&canon.ignored);
  free(canon.stack);
  free(canon.level);
  free(canon.text);
  return rc;
}
