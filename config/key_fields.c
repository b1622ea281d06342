/* SPDX-License-Identifier: MIT */
/* Fields that say what names an operation: key, header, vary, ignore. And those of the same kinds: inject is
 * a header's name too, redact a list of pointers. */
#include "config/ascii.h"
#include "config/field.h"

#include <string.h>

/* In the order of enum idem_key_kind. */
static const char *const key_words[] = {"auto", "header", "json", "content", NULL};

static const char json_prefix[] = "json:";
enum { JSON_PREFIX = sizeof json_prefix - 1 };

/* Looked for first, whatever a rule says. */
static const char *const usual_headers[] = {"Idempotency-Key", "X-Idempotency-Key"};
enum { USUAL_HEADERS = sizeof usual_headers / sizeof usual_headers[0] };

static struct idem_words *words_of(const struct idem_field *field, struct idem_rule *rule)
{
  return (struct idem_words *)((char *)rule + field->offset);
}

static void add_words(struct idem_text *text, const struct idem_words *words, size_t first)
{
  if (first >= words->count)
    idem_text_add_string(text, "none");
  for (size_t i = first; i < words->count; i++) {
    idem_text_add_string(text, i > first ? "," : "");
    idem_text_add_string(text, words->word[i]);
  }
}

static bool all_tokens(const char *word, const char *others)
{
  for (; *word; word++)
    if (!idem_is_token(*word) && !strchr(others, *word))
      return false;
  return true;
}

static int check_header(const struct idem_value *item, char *word)
{
  if (strchr(word, '*') || !all_tokens(word, ""))
    return idem_value_refuse(item, "a header's name such as X-Request-Id", "");
  return 0;
}

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

int idem_parse_field_pointers(const struct idem_field *field, const struct idem_value *value,
                              struct idem_rule *rule)
{
  struct idem_words *words = words_of(field, rule);

  *words = (struct idem_words){0};
  return idem_value_is(value, "none") ? 0 : idem_value_words(value, check_pointer, false, words);
}

void idem_format_field_pointers(const struct idem_field *field, const struct idem_rule *rule,
                                struct idem_text *text)
{
  add_words(text, (const struct idem_words *)((const char *)rule + field->offset), 0);
}

int idem_parse_field_header_globs(const struct idem_field *field, const struct idem_value *value,
                                  struct idem_rule *rule)
{
  struct idem_words *words = words_of(field, rule);

  *words = (struct idem_words){0};
  return idem_value_is(value, "none") ? 0 : idem_value_words(value, check_header_glob, true, words);
}

void idem_format_field_header_globs(const struct idem_field *field, const struct idem_rule *rule,
                                    struct idem_text *text)
{
  (void)field;
  add_words(text, &rule->keying.vary, 0);
}

int idem_parse_field_key_headers(const struct idem_field *field, const struct idem_value *value,
                                 struct idem_rule *rule)
{
  struct idem_words *words = words_of(field, rule);
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

void idem_format_field_key_headers(const struct idem_field *field, const struct idem_rule *rule,
                                   struct idem_text *text)
{
  (void)field;
  add_words(text, &rule->keying.headers, USUAL_HEADERS);
}

int idem_parse_field_key(const struct idem_field *field, const struct idem_value *value,
                         struct idem_rule *rule)
{
  struct idem_keying *keying = &rule->keying;
  unsigned kind = IDEM_KEY_JSON;

  (void)field;
  keying->pointers = (struct idem_words){0};
  if (value->len >= JSON_PREFIX && !memcmp(value->data, json_prefix, JSON_PREFIX)) {
    struct idem_value list = idem_value_part(value, JSON_PREFIX, value->len);
    keying->kind = IDEM_KEY_JSON;
    return idem_value_words(&list, check_pointer, false, &keying->pointers);
  }
  int result = idem_value_choice(value, key_words, &kind);
  if (result == 0 && kind == IDEM_KEY_JSON)
    return idem_value_refuse(value, "json: with pointers after it, such as json:/event_id", "");
  keying->kind = kind;
  return result;
}

void idem_format_field_key(const struct idem_field *field, const struct idem_rule *rule,
                           struct idem_text *text)
{
  (void)field;
  idem_text_add_string(text, key_words[rule->keying.kind]);
  if (rule->keying.kind == IDEM_KEY_JSON) {
    idem_text_add_string(text, ":");
    add_words(text, &rule->keying.pointers, 0);
  }
}

int idem_parse_field_header_or_off(const struct idem_field *field, const struct idem_value *value,
                                   struct idem_rule *rule)
{
  struct idem_words one = {0};

  (void)field;
  rule->inject = NULL;
  if (idem_value_is(value, "off"))
    return 0;
  if (memchr(value->data, ',', value->len) || idem_value_is(value, "on") || idem_value_is(value, "none"))
    return idem_value_refuse(value, "one header's name, or off", "");
  int result = idem_value_words(value, check_header, true, &one);
  if (result == 0)
    rule->inject = one.word[0];
  return result;
}

void idem_format_field_header_or_off(const struct idem_field *field, const struct idem_rule *rule,
                                     struct idem_text *text)
{
  (void)field;
  idem_text_add_string(text, rule->inject ? rule->inject : "off");
}
