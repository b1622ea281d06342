/* SPDX-License-Identifier: MIT */
#include "config/ascii.h"
#include "config/config.h"
#include "config/file.h"
#include "config/match.h"
#include "config/rules.h"
#include "config/units.h"
#include "config/value.h"

#include <errno.h>
#include <string.h>

#define STORE_SIZE_MIN ((uint64_t)1 << 20)
#define SCOPE_MAX      ((size_t)256)
#define RESCUES_MAX    1024u

struct loader {
  struct idem_config *config;
  struct idem_arena arena;
  struct idem_draft draft;
  char *(*get)(const char *name);
  struct idem_error *error;
};

/* A variable's text as a value; the fallback's where it is not set. */
static struct idem_value value_of(struct loader *l, const struct idem_variable_doc *variable,
                                  const char *text)
{
  const char *data = text ? text : variable->fallback;

  return (struct idem_value){
      .data = data,
      .len = strlen(data),
      .place = {.where = variable->name, .error = l->error},
      .arena = &l->arena,
  };
}

/* Each reads one variable; `text` is NULL if it is unset or empty. */
typedef int load_variable(struct loader *l, const struct idem_variable_doc *variable, const char *text);

static int load_MODE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  /* In the order of enum idem_mode. */
  static const char *const words[] = {"idempotent", "observe", "record", "replay", "off", NULL};
  struct idem_value value = value_of(l, variable, text);
  unsigned index = 0;
  int result = idem_value_choice(&value, words, &index);

  l->config->mode = index;
  return result;
}

/* One of two words; true for the second. */
static int load_word(struct loader *l, const struct idem_variable_doc *variable, const char *text,
                     const char *const *words, bool *second)
{
  struct idem_value value = value_of(l, variable, text);
  unsigned index = 0;
  int result = idem_value_choice(&value, words, &index);

  *second = index;
  return result;
}

static int load_switch(struct loader *l, const struct idem_variable_doc *variable, const char *text,
                       bool *out)
{
  static const char *const words[] = {"off", "on", NULL};
  return load_word(l, variable, text, words, out);
}

static int load_SYNC(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  return load_switch(l, variable, text, &l->config->sync);
}

static int load_DELIVERY(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  /* In the order of enum idem_delivery. */
  static const char *const words[] = {"auto", "transport", NULL};
  struct idem_value value = value_of(l, variable, text);
  unsigned index = 0;
  int result = idem_value_choice(&value, words, &index);

  l->config->delivery = index;
  return result;
}

static int load_HOOK_DL(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  return load_switch(l, variable, text, &l->config->hook_dl);
}

static int load_STORE_SIZE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  struct idem_value value = value_of(l, variable, text);

  if (idem_parse_size(value.data, value.len, &l->config->store_size) < 0)
    return idem_value_refuse(&value, IDEM_SIZE_EXPECTED, "");
  if (l->config->store_size < STORE_SIZE_MIN)
    return idem_value_refuse(&value, "1M or more", "");
  return 0;
}

/* base/rest as an absolute path. */
static int set_path(struct loader *l, const char *name, const char *base, const char *rest, char **out)
{
  int result = idem_path_absolute(&l->arena, name, base, out, l->error);
  size_t len = result < 0 ? 0 : strlen(*out), rest_len = strlen(rest);

  if (result < 0 || rest_len == 0)
    return result;
  char *whole = idem_arena_alloc(&l->arena, len + rest_len + 1);
  if (!whole)
    return idem_error_set(l->error, -ENOMEM, "%s: out of memory", name);
  memcpy(whole, *out, len);
  memcpy(whole + len, rest, rest_len);
  *out = whole;
  return 0;
}

static int load_STORE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  char **out = &l->config->store_dir;
  const char *cache = l->get("XDG_CACHE_HOME"), *home = l->get("HOME");

  if (text)
    return set_path(l, variable->name, text, "", out);
  /* The XDG base directory specification has relative paths ignored. */
  if (cache && cache[0] == '/')
    return set_path(l, "XDG_CACHE_HOME", cache, "/idemshim", out);
  if (home && home[0])
    return set_path(l, "HOME", home, "/.cache/idemshim", out);
  return idem_error_set(l->error, -EINVAL,
                        "%s: expected a directory, as neither XDG_CACHE_HOME nor HOME is set",
                        variable->name);
}

static int load_SCOPE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  struct idem_value value = value_of(l, variable, text ? text : "");

  if (value.len > SCOPE_MAX)
    return idem_place_fail(&value.place, "expected at most %zu bytes, not %zu", SCOPE_MAX, value.len);
  l->config->scope = idem_arena_copy(&l->arena, value.data, value.len);
  return l->config->scope ? 0 : idem_value_no_memory(&value);
}

static int load_TAPE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  return text ? set_path(l, variable->name, text, "", &l->config->tape_dir) : 0;
}

static int load_KEY_FILE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  return text ? set_path(l, variable->name, text, "", &l->config->key_file) : 0;
}

static int load_TAPE_SIZE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  struct idem_value value = value_of(l, variable, text);

  if (idem_parse_size(value.data, value.len, &l->config->tape_size) < 0)
    return idem_value_refuse(&value, IDEM_SIZE_EXPECTED, "");
  if (l->config->tape_size && l->config->tape_size < STORE_SIZE_MIN)
    return idem_value_refuse(&value, "1M or more, or 0", "");
  return 0;
}

static int load_TAPE_AGE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  struct idem_value value = value_of(l, variable, text);

  if (text && idem_parse_duration(value.data, value.len, &l->config->tape_age_ms) < 0)
    return idem_value_refuse(&value, IDEM_DURATION_EXPECTED, "");
  return 0;
}

/* Digits with a point; strtod() would go by the app's locale. False unless it is all of the text. */
static bool parse_factor(const char *text, size_t len, double *factor)
{
  double unit = 1;
  bool digits = false, point = false;

  *factor = 0;
  for (size_t i = 0; i < len; i++) {
    bool is_digit = text[i] >= '0' && text[i] <= '9';
    if (!is_digit && (text[i] != '.' || point))
      return false;
    point |= !is_digit;
    digits |= is_digit;
    if (is_digit && point)
      *factor += (text[i] - '0') * (unit /= 10);
    else if (is_digit)
      *factor = *factor * 10 + (text[i] - '0');
  }
  return digits;
}

static int load_PACE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  struct idem_value value = value_of(l, variable, text);
  double *speed = &l->config->speed;

  *speed = idem_value_is(&value, "original");
  if (*speed || idem_value_is(&value, "instant"))
    return 0;
  if (!parse_factor(value.data, value.len, speed) || *speed < 0.001 || *speed > 1e6)
    return idem_value_refuse(&value, "instant, original or a factor such as 0.5 or 10", "");
  return 0;
}

static int load_MATCH(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  static const char *const words[] = {"exact", "loose", NULL};
  return load_word(l, variable, text, words, &l->config->match_loose);
}

static int load_EXHAUSTED(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  static const char *const words[] = {"error", "last", NULL};
  return load_word(l, variable, text, words, &l->config->exhausted_last);
}

static int load_REPLAY_STATE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  return text ? set_path(l, variable->name, text, "", &l->config->replay_state) : 0;
}

/* The files are looked at when their exchange is replayed. */
static int load_REPLAY_EDIT(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  struct idem_value value = value_of(l, variable, text);
  const char *at = text;

  while (at && *at) {
    size_t len = strcspn(at, ";"), digits = strspn(at, "0123456789");
    if (digits == 0 || at[digits] != '=' || len <= digits + 1)
      return idem_value_refuse(&value, "N=FILE, the number of an exchange and a file, and ; between several",
                               "");
    at += len + (at[len] == ';');
  }
  l->config->replay_edit = text ? idem_arena_copy(&l->arena, text, strlen(text)) : NULL;
  return text && !l->config->replay_edit ? idem_value_no_memory(&value) : 0;
}

static int load_RESCUES(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  struct idem_value value = value_of(l, variable, text);
  unsigned number = 0;

  for (size_t i = 0; i < value.len; i++) {
    if (value.data[i] < '0' || value.data[i] > '9' || number > RESCUES_MAX)
      number = RESCUES_MAX + 1;
    else
      number = number * 10 + (unsigned)(value.data[i] - '0');
  }
  if (number > RESCUES_MAX)
    return idem_value_refuse(&value, "a number up to 1024", "");
  l->config->rescues = number;
  return 0;
}

static int load_GUARD_SIZE(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  struct idem_value value = value_of(l, variable, text);

  if (idem_parse_size(value.data, value.len, &l->config->guard_size) < 0)
    return idem_value_refuse(&value, IDEM_SIZE_EXPECTED, "");
  return 0;
}

static int load_LOG(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  struct idem_value value = value_of(l, variable, text);

  if (!text)
    return 0;
  if (!idem_value_is(&value, "stderr"))
    return set_path(l, variable->name, text, "", &l->config->log);
  l->config->log = idem_arena_copy(&l->arena, value.data, value.len);
  return l->config->log ? 0 : idem_value_no_memory(&value);
}

static int load_rule_file(struct loader *l, const char *variable, const char *path)
{
  static const char mark[] = "\xef\xbb\xbf"; /* a UTF-8 byte order mark, as Windows editors write it */
  struct idem_rules_text rules = {.in_lines = true};
  char *data;

  if (!*path)
    return idem_error_set(l->error, -EINVAL, "%s: expected a file's name after @", variable);
  int result = idem_file_read(&l->arena, variable, path, &data, &rules.len, l->error);
  if (result < 0)
    return result;
  size_t skip = rules.len >= sizeof mark - 1 && !memcmp(data, mark, sizeof mark - 1) ? sizeof mark - 1 : 0;
  rules.data = data + skip;
  rules.len -= skip;
  rules.origin = idem_arena_copy(&l->arena, path, strlen(path));
  if (!rules.origin)
    return idem_error_set(l->error, -ENOMEM, "%s: out of memory", variable);
  return idem_rules_parse(&l->draft, &rules);
}

static int load_RULES(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  if (!text)
    return 0;
  const char *at = text + strspn(text, " \t\r\n");
  if (*at == '@')
    return load_rule_file(l, variable->name, at + 1);
  return idem_rules_parse(&l->draft, &(struct idem_rules_text){.origin = variable->name,
                                                               .data = text,
                                                               .len = strlen(text),
                                                               .in_lines = strchr(text, '\n')});
}

static int load_HOSTS(struct loader *l, const struct idem_variable_doc *variable, const char *text)
{
  return text ? idem_hosts_parse(&l->draft, variable->name, text) : 0;
}

#define X(name, values, fallback, help) {"IDEMSHIM_" #name, values, fallback, help},
const struct idem_variable_doc idem_variable_docs[] = {
#include "config/variables.def"
    {NULL, NULL, NULL, NULL},
};
#undef X

#define X(name, values, fallback, help) load_##name,
static load_variable *const loaders[] = {
#include "config/variables.def"
};
#undef X

static int load_variables(struct loader *l)
{
  int result = idem_draft_init(&l->draft, &l->arena, l->error);

  for (size_t i = 0; result == 0 && i < sizeof loaders / sizeof loaders[0]; i++) {
    const char *text = l->get(idem_variable_docs[i].name);
    result = loaders[i](l, &idem_variable_docs[i], text && *text ? text : NULL);
  }
  return result;
}

static int load(struct loader *l)
{
  int result = load_variables(l);

  if (result == 0 && l->draft.count == 0)
    result = idem_builtin_add(&l->draft);
  if (result < 0)
    return result;
  l->config->rules = l->draft.rules;
  l->config->rule_count = l->draft.count;
  if (idem_gates_build(l->config, &l->arena) < 0)
    return idem_error_set(l->error, -ENOMEM, "rules: out of memory");
  l->config->blocks = l->arena.blocks;
  return 0;
}

int idem_config_load(struct idem_config *config, char *(*get)(const char *name), struct idem_error *error)
{
  int saved = errno;
  struct loader loader = {.config = config, .get = get, .error = error};

  *config = (struct idem_config){.mode = IDEM_MODE_OFF};
  int result = load(&loader);
  if (result < 0) {
    idem_arena_release(&loader.arena);
    *config = (struct idem_config){.mode = IDEM_MODE_OFF};
  }
  errno = saved;
  return result;
}

void idem_config_release(struct idem_config *config)
{
  int saved = errno;
  struct idem_arena arena = {config->blocks};

  idem_arena_release(&arena);
  *config = (struct idem_config){.mode = IDEM_MODE_OFF};
  errno = saved;
}
