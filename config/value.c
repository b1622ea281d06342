/* SPDX-License-Identifier: MIT */
#include "config/value.h"

#include "config/ascii.h"
#include "config/text.h"

#include <errno.h>
#include <string.h>

bool idem_value_is(const struct idem_value *value, const char *word)
{
  return value->len == strlen(word) && !memcmp(value->data, word, value->len);
}

struct idem_value idem_value_part(const struct idem_value *value, size_t first, size_t end)
{
  struct idem_value part = *value;

  part.data += first;
  part.len = end - first;
  part.place.column += first;
  return part;
}

int idem_value_refuse(const struct idem_value *value, const char *what, const char *hint)
{
  return idem_place_fail(&value->place, "expected %s, not %s%s", what, IDEM_QUOTE(value->data, value->len),
                         hint);
}

int idem_value_no_memory(const struct idem_value *value)
{
  return idem_error_set(value->place.error, -ENOMEM, "%s: out of memory", value->place.where);
}

/* "a, b or c" */
static void list_words(struct idem_text *text, const char *const *words)
{
  for (size_t i = 0; words[i]; i++) {
    if (i > 0)
      idem_text_add_string(text, words[i + 1] ? ", " : " or ");
    idem_text_add_string(text, words[i]);
  }
}

int idem_value_choice(const struct idem_value *value, const char *const *words, unsigned *index)
{
  char known[128] = "";
  struct idem_text text = {.out = known, .size = sizeof known};

  for (unsigned i = 0; words[i]; i++) {
    if (idem_value_is(value, words[i])) {
      *index = i;
      return 0;
    }
  }
  list_words(&text, words);
  return idem_value_refuse(value, known, IDEM_SUGGEST(words, value->data, value->len));
}

size_t idem_words_find(const struct idem_words *words, const char *word, bool fold)
{
  size_t i = 0, len = strlen(word);

  for (; i < words->count; i++) {
    const char *other = words->word[i];
    if (fold ? idem_same_fold(other, strlen(other), word, len) : !strcmp(other, word))
      break;
  }
  return i;
}

static int make_room(const struct idem_value *value, struct idem_words *words)
{
  /* Lists are short and few: room for the longest one is cheaper than growing. */
  if (!words->word)
    words->word = idem_arena_alloc(value->arena, IDEM_WORDS_MAX * sizeof *words->word);
  return words->word ? 0 : idem_value_no_memory(value);
}

static int add_item(const struct idem_value *item, idem_check_item *check, bool fold,
                    struct idem_words *words)
{
  if (item->len == 0)
    return idem_place_fail(&item->place, "an empty item: expected words with one comma between them");
  char *word = idem_arena_copy(item->arena, item->data, item->len);
  if (!word)
    return idem_value_no_memory(item);
  int result = check(item, word);
  if (result < 0 || idem_words_find(words, word, fold) < words->count)
    return result;
  if (words->count == IDEM_WORDS_MAX)
    return idem_place_fail(&item->place, "expected at most %zu items", IDEM_WORDS_MAX);
  words->word[words->count++] = word;
  return 0;
}

int idem_value_words(const struct idem_value *value, idem_check_item *check, bool fold,
                     struct idem_words *words)
{
  int result = make_room(value, words);

  for (size_t first = 0; result == 0 && first <= value->len;) {
    const char *comma = memchr(value->data + first, ',', value->len - first);
    size_t end = comma ? (size_t)(comma - value->data) : value->len;
    struct idem_value item = idem_value_part(value, first, end);
    result = add_item(&item, check, fold, words);
    first = end + 1;
  }
  return result;
}
