/* SPDX-License-Identifier: MIT */
/*
 * Fields that say what names an operation: key, header, vary, ignore. And those of the same kinds: inject is
 * a header's name too, redact a list of pointers. At the end stands what they say together as one text, since
 * rules that are written differently can share their keys.
 */
#include "config/ascii.h"
#include "config/field.h"

#include <string.h>

static const char json_prefix[] = "json:";
enum { JSON_PREFIX = sizeof json_prefix - 1 };

/* Looked for first, whatever a rule says. */
static const char *const usual_headers[] = {"Idempotency-Key", "X-Idempotency-Key"};
enum { USUAL_HEADERS = sizeof usual_headers / sizeof usual_headers[0] };

/* a,b,c from the first item that the user may have written; "none" for an empty list. */
static void add_words(struct idem_text *text, const struct idem_words *words, size_t first)
{
  if (first >= words->count)
    idem_text_add_string(text, "none");
  for (size_t i = first; i < words->count; i++) {
    idem_text_add_string(text, i > first ? "," : "");
    idem_text_add_string(text, words->word[i]);
  }
}

/* RFC 9110: a header's name is a token; `others` are wildcards where they are allowed. */
static bool all_tokens(const char *word, const char *others)
{
  for (; *word; word++)
    if (!idem_is_token(*word) && !strchr(others, *word))
      return false;
  return true;
}

/* One header's name, as it is. */
static int check_header(const struct idem_value *item, char *word)
{
  if (strchr(word, '*') || !all_tokens(word, ""))
    return idem_value_refuse(item, "a header's name such as X-Request-Id", "");
  return 0;
}

/* A glob over names. */
static int check_header_glob(const struct idem_value *item, char *word)
{
  if (!all_tokens(word, "?"))
    return idem_value_refuse(item, "a header's name or a glob over names, such as OpenAI-*", "");
  return 0;
}

/* RFC 6901 section 3. A member's name may be any UTF-8; whether it is, the JSON parser of the body decides.
 */
static int check_pointer(const struct idem_value *item, char *word)
{
  if (word[0] != '/')
    return idem_value_refuse(item, "a JSON pointer that begins with /, such as /metadata/id", "");
  for (size_t i = 0; word[i]; i++) {
    if (word[i] == '~' && word[i + 1] != '0' && word[i + 1] != '1') {
      struct idem_value rest = idem_value_part(item, i, item->len);
      return idem_value_refuse(&rest, "~0 (for ~) or ~1 (for /)", "");
    }
  }
  return 0;
}

/* A list whose items `check` accepts, or "none". */
static int parse_words(const struct idem_value *value, idem_check_item *check, bool fold,
                       struct idem_words *words)
{
  *words = (struct idem_words){0};
  return idem_value_is(value, "none") ? 0 : idem_value_words(value, check, fold, words);
}

/* The list replaces what was there, as every field does. */
int idem_parse_field_pointers(const struct idem_field *field, const struct idem_value *value, void *object)
{
  return parse_words(value, check_pointer, false, IDEM_MEMBER(struct idem_words));
}

void idem_format_field_pointers(const struct idem_field *field, const void *object, struct idem_text *text)
{
  add_words(text, IDEM_CONST_MEMBER(struct idem_words), 0);
}

/* Each word stands where it was last said; none takes back what was before it. */
int idem_parse_field_vary(const struct idem_field *field, const struct idem_value *value, void *object)
{
  struct idem_words *vary = IDEM_MEMBER(struct idem_words);
  struct idem_value item;

  *vary = (struct idem_words){0};
  for (size_t at = 0; idem_value_item(value, &at, &item);) {
    size_t before = vary->count;
    if (idem_value_is(&item, "none") || idem_value_is(&item, "-*")) {
      vary->count = 0;
      continue;
    }
    int result = idem_value_words(&item, check_header_glob, true, vary);
    if (result < 0)
      return result;
    if (vary->count > before)
      continue;
    /* It was said before, and idem_value_words() has left it there. */
    size_t old = 0;
    while (!idem_same_fold(vary->word[old], strlen(vary->word[old]), item.data, item.len))
      old++;
    char *word = vary->word[old];
    memmove(&vary->word[old], &vary->word[old + 1], (vary->count - old - 1) * sizeof *vary->word);
    vary->word[vary->count - 1] = word;
  }
  return 0;
}

void idem_format_field_vary(const struct idem_field *field, const void *object, struct idem_text *text)
{
  add_words(text, IDEM_CONST_MEMBER(struct idem_words), 0);
}

/* With something behind header: or json:, or one of two words. tenant_of is emptied first, for a value
 * replaces another. */
int idem_parse_field_tenant(const struct idem_field *field, const struct idem_value *value, void *object)
{
  static const char header_prefix[] = "header:";
  enum { HEADER_PREFIX = sizeof header_prefix - 1 };
  struct idem_keying *keying = IDEM_MEMBER(struct idem_keying);
  unsigned kind = IDEM_TENANT_CREDENTIALS;
  int result;

  keying->tenant_of = (struct idem_words){0};
  if (value->len > HEADER_PREFIX && !memcmp(value->data, header_prefix, HEADER_PREFIX)) {
    struct idem_value name = idem_value_part(value, HEADER_PREFIX, value->len);
    kind = IDEM_TENANT_HEADER;
    result = idem_value_words(&name, check_header, true, &keying->tenant_of);
  } else if (value->len > JSON_PREFIX && !memcmp(value->data, json_prefix, JSON_PREFIX)) {
    struct idem_value pointer = idem_value_part(value, JSON_PREFIX, value->len);
    kind = IDEM_TENANT_JSON;
    result = idem_value_words(&pointer, check_pointer, false, &keying->tenant_of);
  } else if (idem_value_is(value, "header:") || idem_value_is(value, "json:")) {
    result = idem_value_refuse(value, "credentials, none, header:NAME or json:/POINTER", "");
  } else {
    result = idem_value_choice(value, "credentials|none", &kind);
  }
  if (result == 0 && keying->tenant_of.count > 1)
    result = idem_value_refuse(value, "one header or one pointer", "");
  keying->tenant = kind;
  return result;
}

void idem_format_field_tenant(const struct idem_field *field, const void *object, struct idem_text *text)
{
  static const char *const words[] = {"credentials", "none", "header:", "json:"};
  const struct idem_keying *keying = IDEM_CONST_MEMBER(struct idem_keying);

  idem_text_add_string(text, words[keying->tenant]);
  if (keying->tenant_of.count)
    idem_text_add_string(text, keying->tenant_of.word[0]);
}

/* The two usual headers come first whatever the rule says, so a rule can only add. */
int idem_parse_field_key_headers(const struct idem_field *field, const struct idem_value *value, void *object)
{
  struct idem_words *words = IDEM_MEMBER(struct idem_words);
  int result = 0;

  *words = (struct idem_words){0};
  for (size_t i = 0; result == 0 && i < USUAL_HEADERS; i++) {
    struct idem_value usual = *value;
    usual.data = usual_headers[i];
    usual.len = strlen(usual_headers[i]);
    result = idem_value_words(&usual, check_header, true, words);
  }
  if (result < 0 || idem_value_is(value, "none"))
    return result;
  return idem_value_words(value, check_header, true, words);
}

void idem_format_field_key_headers(const struct idem_field *field, const void *object, struct idem_text *text)
{
  add_words(text, IDEM_CONST_MEMBER(struct idem_words), USUAL_HEADERS);
}

/* "json:" with pointers behind it, or one of the other words. */
int idem_parse_field_key(const struct idem_field *field, const struct idem_value *value, void *object)
{
  struct idem_keying *keying = IDEM_MEMBER(struct idem_keying);
  unsigned kind = IDEM_KEY_JSON;

  keying->pointers = (struct idem_words){0};
  if (value->len >= JSON_PREFIX && !memcmp(value->data, json_prefix, JSON_PREFIX)) {
    struct idem_value list = idem_value_part(value, JSON_PREFIX, value->len);
    keying->kind = IDEM_KEY_JSON;
    return idem_value_words(&list, check_pointer, false, &keying->pointers);
  }
  int result = idem_value_choice(value, "auto|header|json|content", &kind);
  if (result == 0 && kind == IDEM_KEY_JSON)
    return idem_value_refuse(value, "json: with pointers after it, such as json:/event_id", "");
  keying->kind = kind;
  return result;
}

/* As parse would read it again. */
void idem_format_field_key(const struct idem_field *field, const void *object, struct idem_text *text)
{
  static const char *const words[] = {"auto", "header", "json:", "content"};
  const struct idem_keying *keying = IDEM_CONST_MEMBER(struct idem_keying);

  idem_text_add_string(text, words[keying->kind]);
  if (keying->kind == IDEM_KEY_JSON)
    add_words(text, &keying->pointers, 0);
}

/* "on" and "none" are refused, for they would be sent as a header's name. */
int idem_parse_field_inject(const struct idem_field *field, const struct idem_value *value, void *object)
{
  static const char usual[] = "Idempotency-Key";
  struct idem_rule *rule = object;
  struct idem_words one = {0};
  int result = 0;

  (void)field;
  if (memchr(value->data, ',', value->len) || idem_value_is(value, "on") || idem_value_is(value, "none"))
    return idem_value_refuse(value, "one header's name, auto or off", "");
  rule->inject_auto = idem_value_is(value, "auto");
  rule->inject = NULL;
  if (rule->inject_auto) {
    rule->inject = idem_arena_copy(value->arena, usual, sizeof usual - 1);
    return rule->inject ? 0 : idem_value_no_memory(value);
  }
  if (!idem_value_is(value, "off"))
    result = idem_value_words(value, check_header, true, &one);
  rule->inject = one.count ? one.word[0] : NULL;
  return result;
}

void idem_format_field_inject(const struct idem_field *field, const void *object, struct idem_text *text)
{
  const struct idem_rule *rule = object;

  (void)field;
  idem_text_add_string(text, rule->inject_auto ? "auto" : rule->inject ? rule->inject : "off");
}

/* Newlines part the lists: no word can hold one. */
static void add_list(struct idem_text *text, const char *name, const char *const *word, size_t count,
                     bool fold)
{
  idem_text_add_string(text, name);
  for (size_t i = 0; i < count; i++) {
    idem_text_add_string(text, i ? "," : "");
    for (const char *c = word[i]; *c; c++) {
      char folded = fold ? idem_lower(*c) : *c;
      idem_text_add(text, &folded, 1);
    }
  }
}

/* A list that is a set: the order in which it is written says nothing. */
static void add_set(struct idem_text *text, const char *name, const struct idem_words *words)
{
  const char *sorted[IDEM_WORDS_MAX];

  for (size_t i = 0; i < words->count; i++) {
    size_t at = i;
    for (; at > 0 && strcmp(sorted[at - 1], words->word[i]) > 0; at--)
      sorted[at] = sorted[at - 1];
    sorted[at] = words->word[i];
  }
  add_list(text, name, sorted, words->count, false);
}

/* What the kind of key does not look at is left out: header= means nothing to key=content. key.c hashes it
 * into the digest of a request's bytes. All that changes a key must be in it; where it is written in another
 * way than before, an answer is found by the long way once. */
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
  add_list(text, "\nvary=", (const char *const *)keying->vary.word, keying->vary.count, true);
  add_set(text, "\nignore=", &keying->ignore);
  idem_text_add_string(text, "\ntenant=");
  idem_fields[IDEM_FIELD_tenant].format(&idem_fields[IDEM_FIELD_tenant], rule, text);
}

/* Measures, allocates, writes: the text lives in the config's arena. */
int idem_rule_name_keying(struct idem_rule *rule, struct idem_arena *arena, struct idem_error *error)
{
  static _Atomic uint64_t last_serial;
  struct idem_value nowhere = {.arena = arena, .place = {.where = "rules", .error = error}};
  struct idem_text measure = {0};

  add_keying(&measure, rule);
  struct idem_text text = {.out = idem_arena_alloc(arena, measure.len + 1), .size = measure.len + 1};
  if (!text.out)
    return idem_value_no_memory(&nowhere);
  add_keying(&text, rule);
  rule->keying.canonical = text.out;
  rule->keying.serial = ++last_serial;
  return 0;
}
