/* SPDX-License-Identifier: MIT */
/* What names an operation, as one text: rules that are written differently can share their keys. */
#include "config/ascii.h"
#include "config/field.h"

static void add_lower(struct idem_text *text, const char *word)
{
  for (; *word; word++) {
    char low = idem_lower(*word);
    idem_text_add(text, &low, 1);
  }
}

static int compare(const char *a, const char *b, bool fold)
{
  for (; *a && (fold ? idem_lower(*a) == idem_lower(*b) : *a == *b); a++)
    b++;
  unsigned char last_a = (unsigned char)(fold ? idem_lower(*a) : *a);
  unsigned char last_b = (unsigned char)(fold ? idem_lower(*b) : *b);
  return last_a - last_b;
}

/* Lists that are sets: the order in which they are written says nothing. */
static void sort_words(const struct idem_words *words, const char **sorted, bool fold)
{
  for (size_t i = 0; i < words->count; i++) {
    size_t at = i;
    for (; at > 0 && compare(sorted[at - 1], words->word[i], fold) > 0; at--)
      sorted[at] = sorted[at - 1];
    sorted[at] = words->word[i];
  }
}

/* Newlines part the lists: no word can hold one. */
static void add_list(struct idem_text *text, const char *name, const char *const *word, size_t count,
                     bool fold)
{
  idem_text_add_string(text, name);
  for (size_t i = 0; i < count; i++) {
    idem_text_add_string(text, i ? "," : "");
    if (fold)
      add_lower(text, word[i]);
    else
      idem_text_add_string(text, word[i]);
  }
}

static void add_set(struct idem_text *text, const char *name, const struct idem_words *words, bool fold)
{
  const char *sorted[IDEM_WORDS_MAX];

  sort_words(words, sorted, fold);
  add_list(text, name, sorted, words->count, fold);
}

/* What the kind of key does not look at is left out: header= means nothing to key=content. */
static void add_keying(struct idem_text *text, const struct idem_rule *rule)
{
  const struct idem_keying *keying = &rule->keying;
  const struct idem_words *headers = &keying->headers, *pointers = &keying->pointers;
  bool by_header = keying->kind == IDEM_KEY_AUTO || keying->kind == IDEM_KEY_HEADER;

  idem_text_add_string(
      text, (const char *const[]){"key=auto", "key=header", "key=json", "key=content"}[keying->kind]);
  if (by_header)
    add_list(text, "\nheader=", (const char *const *)headers->word, headers->count, true);
  if (keying->kind == IDEM_KEY_JSON)
    add_list(text, "\npointers=", (const char *const *)pointers->word, pointers->count, false);
  add_set(text, "\nvary=", &keying->vary, true);
  add_set(text, "\nignore=", &keying->ignore, false);
  idem_text_add_string(text, "\nrepeats=");
  idem_fields[IDEM_FIELD_repeats].format(&idem_fields[IDEM_FIELD_repeats], rule, text);
}

int idem_rule_name_keying(struct idem_rule *rule, struct idem_arena *arena, struct idem_error *error)
{
  struct idem_value nowhere = {.arena = arena, .place = {.where = "rules", .error = error}};
  struct idem_text measure = {0};

  add_keying(&measure, rule);
  struct idem_text text = {.out = idem_arena_alloc(arena, measure.len + 1), .size = measure.len + 1};
  if (!text.out)
    return idem_value_no_memory(&nowhere);
  add_keying(&text, rule);
  rule->keying.canonical = text.out;
  return 0;
}
