/* SPDX-License-Identifier: MIT */
/* Values, taken apart: words, items of lists, choices. Everything that can be refused is refused
 * here with its column, so that the parsers of fields are short. */
#include "config/value.h"

#include "config/ascii.h"
#include "config/text.h"

#include <errno.h>
#include <string.h>

/* Case counts: values are words of ours. */
bool idem_value_is(const struct idem_value *value, const char *word)
{
  return value->len == strlen(word) && !memcmp(value->data, word, value->len);
}

/* The column moves along, so a message points at the item and not at the list. */
struct idem_value idem_value_part(const struct idem_value *value, size_t first, size_t end)
{
  struct idem_value part = *value;

  part.data += first;
  part.len = end - first;
  part.place.column += first;
  return part;
}

/* A comma at the end makes an empty item, which the list's parser refuses. */
bool idem_value_item(const struct idem_value *list, size_t *at, struct idem_value *item)
{
  if (*at > list->len)
    return false;
  const char *comma = memchr(list->data + *at, ',', list->len - *at);
  size_t end = comma ? (size_t)(comma - list->data) : list->len;
  *item = idem_value_part(list, *at, end);
  *at = end + 1;
  return true;
}

/* What was expected comes before what was found: the user knows what they wrote. */
int idem_value_refuse(const struct idem_value *value, const char *what, const char *hint)
{
  return idem_place_fail(&value->place, "expected %s, not %s%s", what, IDEM_QUOTE(value->data, value->len),
                         hint);
}

/* One sentence for all. */
int idem_value_no_memory(const struct idem_value *value)
{
  return idem_error_set(value->place.error, -ENOMEM, "%s: out of memory", value->place.where);
}

/* Longer than the words of any choice together. */
#define CHOICE_MAX ((size_t)64)

int idem_value_choice(const struct idem_value *value, const char *words, unsigned *index)
{
  char copy[CHOICE_MAX] = "", known[2 * CHOICE_MAX] = "", *rest = NULL;
  const char *word[CHOICE_MAX / 2] = {NULL};
  struct idem_text text = {.out = known, .size = sizeof known};
  unsigned count = 0;

  memcpy(copy, words, strnlen(words, sizeof copy - 1));
  for (char *next = strtok_r(copy, "|", &rest); next; next = strtok_r(NULL, "|", &rest))
    word[count++] = next;
  /* The message is put together on the way, since the list is short. */
  for (unsigned i = 0; i < count; i++) {
    if (idem_value_is(value, word[i])) {
      *index = i;
      return 0;
    }
    /* "a, b or c" */
    if (i > 0)
      idem_text_add_string(&text, i + 1 < count ? ", " : " or ");
    idem_text_add_string(&text, word[i]);
  }
  return idem_value_refuse(value, known, IDEM_SUGGEST(word, value->data, value->len));
}

/* The index of `word`, or words->count. Lists are short; a linear search is what they are worth. */
static size_t find_word(const struct idem_words *words, const char *word, bool fold)
{
  size_t i = 0, len = strlen(word);

  for (; i < words->count; i++) {
    const char *other = words->word[i];
    if (fold ? idem_same_fold(other, strlen(other), word, len) : !strcmp(other, word))
      break;
  }
  return i;
}

/* Lists are short and few: room for the longest one is cheaper than growing. */
static int add_word(const struct idem_value *item, idem_check_item *check, bool fold,
                    struct idem_words *words)
{
  if (item->len == 0)
    return idem_place_fail(&item->place, "an empty item: expected words with one comma between them");
  if (!words->word)
    words->word = idem_arena_alloc(item->arena, IDEM_WORDS_MAX * sizeof *words->word);
  char *word = idem_arena_copy(item->arena, item->data, item->len);
  if (!words->word || !word)
    return idem_value_no_memory(item);
  int result = check(item, word);
  if (result < 0 || find_word(words, word, fold) < words->count)
    return result;
  if (words->count == IDEM_WORDS_MAX)
    return idem_place_fail(&item->place, "expected at most %zu items", IDEM_WORDS_MAX);
  words->word[words->count++] = word;
  return 0;
}

/* Doubles are left out, so the order of a key's headers is that of their first mention. */
int idem_value_words(const struct idem_value *value, idem_check_item *check, bool fold,
                     struct idem_words *words)
{
  struct idem_value item;
  int result = 0;

  for (size_t at = 0; result == 0 && idem_value_item(value, &at, &item);)
    result = add_word(&item, check, fold, words);
  return result;
}
