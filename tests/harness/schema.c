/* SPDX-License-Identifier: MIT */
/* A table of keywords: a rule holds if each of its keywords does. */
#include "tests/harness/schema.h"

#include <criterion/criterion.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `root` is the document whose parts a $ref names; `fault` has the last thing that was wrong. */
struct look {
  json_t *root;
  char *fault;
};

static bool holds(struct look *look, json_t *rule, json_t *value);

/* What was wrong. */

static bool fail(struct look *look, const char *keyword, json_t *word, json_t *value)
{
  char *says = json_dumps(word, JSON_ENCODE_ANY), *is = json_dumps(value, JSON_ENCODE_ANY);
  snprintf(look->fault, SCHEMA_FAULT, ": %s %.300s is not true of %.500s", keyword, says, is);
  free(says);
  free(is);
  return false;
}

/* What is wrong inside of a value has its place before it. */
static bool holds_at(struct look *look, const char *place, json_t *rule, json_t *value)
{
  char inside[SCHEMA_FAULT];
  if (holds(look, rule, value))
    return true;
  memcpy(inside, look->fault, sizeof inside);
  snprintf(look->fault, SCHEMA_FAULT, "/%.100s%.900s", place, inside);
  return false;
}

/* The part that a $ref names; `*document` is what it stands in, the caller's to json_decref(). NULL if it is
 * not there. */
static json_t *part(json_t *root, const char *ref, json_t **document)
{
  const char *at = ref + strcspn(ref, "#");
  char file[64], name[64];
  snprintf(file, sizeof file, "%.*s", (int)(at - ref), ref);
  *document = *file ? schema_read(file) : json_incref(root);
  json_t *found = *document;
  for (at += *at == '#'; found && *at == '/';) {
    size_t len = strcspn(++at, "/");
    snprintf(name, sizeof name, "%.*s", (int)len, at);
    found = json_object_get(found, name);
    at += len;
  }
  return *at ? NULL : found;
}

/* Keywords: what they say of a value of another type is true. */

static const char *const types[] = {
    [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",  [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
    [JSON_REAL] = "number",   [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null"};

static bool is_of_type(json_t *type, json_t *value)
{
  const char *name = json_string_value(type);
  return strcmp(name, types[json_typeof(value)]) == 0 ||
         (json_is_integer(value) && strcmp(name, "number") == 0);
}

static bool type_holds(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  size_t i;
  json_t *type;
  (void)rule;
  json_array_foreach(word, i, type) if (is_of_type(type, value)) return true;
  return (json_is_string(word) && is_of_type(word, value)) || fail(look, "type", word, value);
}

static bool enum_holds(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  size_t i;
  json_t *one;
  (void)rule;
  json_array_foreach(word, i, one) if (json_equal(one, value)) return true;
  return fail(look, "enum", word, value);
}

static bool pattern_holds(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  regex_t regex;
  (void)rule;
  if (!json_is_string(value))
    return true;
  cr_assert_eq(regcomp(&regex, json_string_value(word), REG_EXTENDED | REG_NOSUB), 0, "%s",
               json_string_value(word));
  bool matches = regexec(&regex, json_string_value(value), 0, NULL, 0) == 0;
  regfree(&regex);
  return matches || fail(look, "pattern", word, value);
}

static bool minimum_holds(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  (void)rule;
  return !json_is_number(value) || json_number_value(value) >= json_number_value(word) ||
         fail(look, "minimum", word, value);
}

static bool required_holds(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  size_t i;
  json_t *name;
  (void)rule;
  json_array_foreach(word, i,
                     name) if (json_is_object(value) &&
                               !json_object_get(value, json_string_value(name))) return fail(look, "required",
                                                                                             name, value);
  return true;
}

static bool properties_hold(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  const char *name;
  json_t *of, *member;
  (void)rule;
  json_object_foreach(word, name, of) if ((member = json_object_get(value, name)) &&
                                          !holds_at(look, name, of, member)) return false;
  return true;
}

static bool additional_hold(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  const char *name;
  json_t *member, *properties = json_object_get(rule, "properties");
  json_object_foreach(value, name, member) if (!json_object_get(properties, name) &&
                                               !holds_at(look, name, word, member)) return false;
  return true;
}

static bool items_hold(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  size_t i;
  json_t *item;
  char place[24];
  (void)rule;
  json_array_foreach(value, i, item)
  {
    snprintf(place, sizeof place, "%zu", i);
    if (!holds_at(look, place, word, item))
      return false;
  }
  return true;
}

static bool ref_holds(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  struct look there = {.fault = look->fault};
  (void)rule;
  json_t *to = part(look->root, json_string_value(word), &there.root);
  cr_assert(to, "there is no %s", json_string_value(word));
  bool fits = holds(&there, to, value);
  json_decref(there.root);
  return fits;
}

static bool all_hold(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  size_t i;
  json_t *one;
  (void)rule;
  json_array_foreach(word, i, one) if (!holds(look, one, value)) return false;
  return true;
}

static size_t count_that_hold(struct look *look, json_t *word, json_t *value)
{
  size_t i, count = 0;
  json_t *one;
  json_array_foreach(word, i, one) count += holds(look, one, value);
  return count;
}

static bool any_holds(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  (void)rule;
  return count_that_hold(look, word, value) > 0 || fail(look, "anyOf", word, value);
}

static bool one_holds(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  (void)rule;
  return count_that_hold(look, word, value) == 1 || fail(look, "oneOf", word, value);
}

static bool if_holds(struct look *look, json_t *word, json_t *rule, json_t *value)
{
  json_t *then = json_object_get(rule, "then");
  return !then || !holds(look, word, value) || holds(look, then, value);
}

/* Where rules stand in a keyword: nowhere, it is one, they are its items or its members. */
enum inside { NOTHING, RULE, ITEMS, MEMBERS };

/* One that says nothing by itself has no function. */
static const struct keyword {
  const char *name;
  enum inside inside;
  bool (*holds)(struct look *look, json_t *word, json_t *rule, json_t *value);
} keywords[] = {
    {"$schema", NOTHING, NULL},
    {"title", NOTHING, NULL},
    {"description", NOTHING, NULL},
    {"$defs", MEMBERS, NULL},
    {"$ref", NOTHING, ref_holds},
    {"type", NOTHING, type_holds},
    {"enum", NOTHING, enum_holds},
    {"pattern", NOTHING, pattern_holds},
    {"minimum", NOTHING, minimum_holds},
    {"required", NOTHING, required_holds},
    {"properties", MEMBERS, properties_hold},
    {"additionalProperties", RULE, additional_hold},
    {"items", RULE, items_hold},
    {"allOf", ITEMS, all_hold},
    {"anyOf", ITEMS, any_holds},
    {"oneOf", ITEMS, one_holds},
    {"if", RULE, if_holds},
    {"then", RULE, NULL},
};

static const struct keyword *keyword_of(const char *name)
{
  for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
    if (strcmp(keywords[i].name, name) == 0)
      return &keywords[i];
  return NULL;
}

/* true and false are rules, too: whatever it is, and nothing. */
static bool holds(struct look *look, json_t *rule, json_t *value)
{
  const char *name;
  json_t *word;
  if (!json_is_object(rule))
    return json_is_true(rule) || fail(look, "the rule", rule, value);
  json_object_foreach(rule, name, word)
  {
    const struct keyword *keyword = keyword_of(name);
    cr_assert(keyword, "no keyword %s is known", name);
    if (keyword->holds && !keyword->holds(look, word, rule, value))
      return false;
  }
  return true;
}

bool schema_fits(json_t *schema, const char *ref, json_t *value, char fault[SCHEMA_FAULT])
{
  json_t *word = json_string(ref);
  bool fits = ref_holds(&(struct look){schema, fault}, word, NULL, value);
  json_decref(word);
  return fits;
}

/* Reading. */

static bool is_type(json_t *word)
{
  for (size_t i = 0; json_is_string(word) && i < sizeof types / sizeof *types; i++)
    if (strcmp(types[i], json_string_value(word)) == 0)
      return true;
  return false;
}

/* What a keyword cannot be used for without going wrong in silence. */
static bool is_sound(json_t *root, const char *name, json_t *word)
{
  json_t *document = NULL, *one;
  size_t i;
  bool sound = true;
  if (strcmp(name, "$ref") == 0) {
    sound = json_is_string(word) && part(root, json_string_value(word), &document);
    json_decref(document);
  } else if (strcmp(name, "type") == 0) {
    sound = is_type(word) || json_array_size(word) > 0;
    json_array_foreach(word, i, one) sound &= is_type(one);
  }
  return sound;
}

static bool is_known(json_t *root, json_t *rule, char *fault)
{
  const char *name, *member;
  json_t *word, *of;
  size_t i;
  bool known = json_is_object(rule) || json_is_boolean(rule);
  if (!known)
    snprintf(fault, SCHEMA_FAULT, "a rule is neither an object nor true or false");
  json_object_foreach(rule, name, word)
  {
    const struct keyword *keyword = keyword_of(name);
    if (!keyword || !is_sound(root, name, word)) {
      snprintf(fault, SCHEMA_FAULT, keyword ? "what %s says is not known" : "no keyword %s is known", name);
      return false;
    }
    if (keyword->inside == RULE)
      known &= is_known(root, word, fault);
    else if (keyword->inside == ITEMS)
      json_array_foreach(word, i, of) known &= is_known(root, of, fault);
    else if (keyword->inside == MEMBERS)
      json_object_foreach(word, member, of) known &= is_known(root, of, fault);
  }
  return known;
}

bool schema_is_known(json_t *schema, char fault[SCHEMA_FAULT])
{
  return is_known(schema, schema, fault);
}

json_t *schema_read(const char *name)
{
  char path[128], fault[SCHEMA_FAULT];
  json_error_t error;
  snprintf(path, sizeof path, "docs/%s", name);
  json_t *schema = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
  cr_assert(schema, "%s: %s", path, error.text);
  cr_assert(schema_is_known(schema, fault), "%s: %s", path, fault);
  return schema;
}
