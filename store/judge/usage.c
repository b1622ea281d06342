/* SPDX-License-Identifier: MIT */
/*
 * usage: takes what an answer says of tokens and costs out of it, for apps that add up what they pay: a
 * replay costs nothing.
 *
 *     {"usage":{"prompt_tokens":12,"cost":0.25}}        {"usage":{"prompt_tokens":0 ,"cost":0   }}
 *
 * A number becomes 0 and blanks, which JSON lets stand behind it, so that lengths, pieces and framing stay.
 * Documents and events are gone over alike: no string of JSON goes over the end of a line.
 */
#include "store/store.h"

#include "config/ascii.h"

#include <stdbool.h>
#include <string.h>

/* Objects of counts, and the counts that Ollama has beside its answer; counts.c knows where
 * each provider has them. */
static const char *const objects[] = {"usage", "usageMetadata", "billed_units", "tokens"};
static const char *const numbers[] = {"prompt_eval_count", "eval_count"};
#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static bool is_one_of(const char *name, size_t len, const char *const *names, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (strlen(names[i]) == len && memcmp(name, names[i], len) == 0)
      return true;
  return false;
}

static size_t skip_blanks(const char *body, size_t len, size_t at)
{
  while (at < len && idem_is_blank(body[at]))
    at++;
  return at;
}

/* Behind the closing quote of the string whose text begins at `at`; at the end of its line
 * if it has none there. */
static size_t skip_string(const char *body, size_t len, size_t at)
{
  while (at < len && body[at] != '"' && body[at] != '\n')
    at += body[at] == '\\' && at + 1 < len ? 2 : 1;
  return at < len && body[at] == '"' ? at + 1 : at;
}

static bool begins_number(char c)
{
  return (c >= '0' && c <= '9') || c == '-';
}

static size_t zero_number(char *body, size_t len, size_t at)
{
  body[at++] = '0';
  while (at < len && (begins_number(body[at]) || strchr("+.eE", body[at])))
    body[at++] = ' ';
  return at;
}

/* `depth` is how deep one is in an object of counts; 0: in none. */
size_t idem_usage_zero(char *body, size_t len)
{
  size_t zeroed = 0, depth = 0, at = 0;
  while (at < len) {
    char c = body[at];
    if (c == '"') {
      size_t name = at + 1, end = skip_string(body, len, name), value = skip_blanks(body, len, end);
      at = end;
      if (value >= len || body[value] != ':')
        continue;
      at = skip_blanks(body, len, value + 1);
      size_t name_len = end - 1 - name;
      if (at < len && body[at] == '{' && (depth || is_one_of(body + name, name_len, objects, COUNT(objects))))
        depth++, at++;
      else if (at < len && begins_number(body[at]) &&
               (depth || is_one_of(body + name, name_len, numbers, COUNT(numbers))))
        at = zero_number(body, len, at), zeroed++;
    } else {
      /* An object in a list of counts (Gemini's details by modality). */
      depth += depth && c == '{';
      depth -= depth && c == '}';
      at++;
    }
  }
  return zeroed;
}
