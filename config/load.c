/* SPDX-License-Identifier: MIT */
/*
 * From the environment and the configuration files to a config. Each variable is a field of struct
 * idem_config (variables.def) and is read by its type; here are the types that only variables have, and the
 * order of the sources.
 */
#include "config/ascii.h"
#include "config/conf_file.h"
#include "config/config.h"
#include "config/field.h"
#include "config/file.h"
#include "config/fleet.h"
#include "config/match.h"
#include "config/rules.h"
#include "config/store_place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Bytes; and places, of which who gives a call up tries one after the other (store/call/handoff.c), with a
 * system call for each. */
#define SCOPE_MAX   ((size_t)256)
#define RESCUES_MAX 1024u

/* The config comes first: a variable's parser is given it as `object`, and may ask for what stands beside
 * it. All that is allocated on the way is the arena's, so no step has anything to undo. */
struct loader {
  struct idem_config config;
  const char *tape_rules, *tape_origins; /* NULL: there is no tape */
  struct idem_arena arena;
  struct idem_draft draft;
  char *(*get)(const char *name);
  struct idem_error *error;
  struct idem_given given[IDEM_VARIABLE_COUNT];
  int mistake; /* in a configuration file; `error` has the message */
};

/* Which variables are looked at: all of them, those of a command that looks into a store, and, after a
 * mistake, what tells whether it was to be a replay, with its rules or, if these are the mistake,
 * without. */
enum part { ALL, FOR_STORE, FOR_REFUSAL, MODE_ALONE };

/* base/rest as an absolute path; `name` is the variable that gave the base. */
static int set_path(const struct idem_value *value, const char *name, const char *base, const char *rest,
                    char **out)
{
  int result = idem_path_absolute(value->arena, name, base, out, value->place.error);
  size_t len = result < 0 ? 0 : strlen(*out), rest_len = strlen(rest);

  if (result < 0 || rest_len == 0)
    return result;
  char *whole = idem_arena_alloc(value->arena, len + rest_len + 1);
  if (!whole)
    return idem_error_set(value->place.error, -ENOMEM, "%s: out of memory", name);
  memcpy(whole, *out, len);
  memcpy(whole + len, rest, rest_len);
  *out = whole;
  return 0;
}

/* For values that are kept as they are. */
static int copy_value(const struct idem_value *value, char **out)
{
  *out = idem_arena_copy(value->arena, value->data, value->len);
  return *out ? 0 : idem_value_no_memory(value);
}

/* The place of a variable that a file gives has more than its name. */
static bool is_from_file(const struct idem_field *field, const struct idem_value *value)
{
  return value->place.where != field->name;
}

/* The file or directory need not exist yet. A configuration file is read by programs in any directory. */
static int idem_parse_field_file_name(const struct idem_field *field, const struct idem_value *value,
                                      void *object)
{
  if (value->data[0] != '/' && is_from_file(field, value))
    return idem_value_refuse(value, "an absolute path", "");
  return set_path(value, field->name, value->data, "", IDEM_MEMBER(char *));
}

/* It has been read when the first variable is parsed. */
static int idem_parse_field_config(const struct idem_field *field, const struct idem_value *value,
                                   void *object)
{
  return idem_value_is(value, "none") ? copy_value(value, IDEM_MEMBER(char *))
                                      : idem_parse_field_file_name(field, value, object);
}

/* "stderr", or a file's name. */
static int idem_parse_field_log(const struct idem_field *field, const struct idem_value *value, void *object)
{
  return idem_value_is(value, "stderr") ? copy_value(value, IDEM_MEMBER(char *))
                                        : idem_parse_field_file_name(field, value, object);
}

/* Any bytes: it is hashed and shown, and nothing else. */
static int idem_parse_field_scope(const struct idem_field *field, const struct idem_value *value,
                                  void *object)
{
  if (value->len > SCOPE_MAX)
    return idem_place_fail(&value->place, "expected at most %zu bytes, not %zu", SCOPE_MAX, value->len);
  return copy_value(value, IDEM_MEMBER(char *));
}

/* Digits with a point; strtod() would go by the app's locale. False unless it is all of the text. */
static bool read_factor(const char *text, size_t len, double *factor)
{
  double unit = 1;
  bool digits = false, point = false;

  *factor = 0;
  for (size_t i = 0; i < len; i++) {
    bool is_digit = idem_is_digit(text[i]);
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

/* 0 for instant, 1 for original, else the factor. */
static int idem_parse_field_speed(const struct idem_field *field, const struct idem_value *value,
                                  void *object)
{
  double *speed = IDEM_MEMBER(double);

  *speed = idem_value_is(value, "original");
  if (*speed || idem_value_is(value, "instant"))
    return 0;
  if (!read_factor(value->data, value->len, speed) || *speed < 0.001 || *speed > 1e6)
    return idem_value_refuse(value, "instant, original or a factor such as 0.5 or 10", "");
  return 0;
}

/* N=FILE;N=FILE; the files are looked at when their exchange is replayed. */
static int idem_parse_field_edits(const struct idem_field *field, const struct idem_value *value,
                                  void *object)
{
  for (const char *at = value->data; *at;) {
    size_t len = strcspn(at, ";"), digits = strspn(at, "0123456789");
    if (digits == 0 || at[digits] != '=' || len <= digits + 1)
      return idem_value_refuse(value, "N=FILE, the number of an exchange and a file, and ; between several",
                               "");
    at += len + (at[len] == ';');
  }
  return copy_value(value, IDEM_MEMBER(char *));
}

/* An answer that is not known yet cannot be cut in the middle. */
static int idem_parse_field_faults(const struct idem_field *field, const struct idem_value *value,
                                   void *object)
{
  struct idem_config *config = object;
  struct idem_fault *faults = idem_arena_alloc(value->arena, IDEM_FAULTS_MOST * sizeof *faults);

  (void)field;
  if (!faults)
    return idem_value_no_memory(value);
  config->faults = faults;
  for (const char *at = value->data; *at;) {
    size_t len = strcspn(at, ",");
    if (config->fault_count == IDEM_FAULTS_MOST ||
        idem_fault_parse(at, len, &faults[config->fault_count]) < 0 ||
        faults[config->fault_count].kind == IDEM_FAULT_CUT)
      return idem_value_refuse(value,
                               "a status such as 429, stall:30s or reset, @N behind it for call N alone, and "
                               "a comma between several",
                               "");
    config->fault_count++;
    at += len + (at[len] == ',');
  }
  return 0;
}

/* RECORDED=NOW;RECORDED=NOW */
static int idem_parse_field_origins(const struct idem_field *field, const struct idem_value *value,
                                    void *object)
{
  struct idem_config *config = object;
  struct idem_origin_map *map = idem_arena_alloc(value->arena, IDEM_ORIGINS_MOST * sizeof *map);

  (void)field;
  if (!map)
    return idem_value_no_memory(value);
  config->map = map;
  for (const char *at = value->data; *at;) {
    size_t len = strcspn(at, ";");
    if (config->map_count == IDEM_ORIGINS_MOST || !idem_origin_map_parse(at, len, &map[config->map_count++]))
      return idem_value_refuse(
          value, "up to 16 of RECORDED=NOW, both as https://HOST[:PORT], and ; between them", "");
    at += len + (at[len] == ';');
  }
  return 0;
}

/* Digits alone. What is read stays far below what 64 bits hold. */
static int idem_parse_field_number(const struct idem_field *field, const struct idem_value *value,
                                   void *object)
{
  uint64_t number = 0;

  for (size_t i = 0; i < value->len; i++) {
    if (!idem_is_digit(value->data[i]) || number > UINT32_MAX)
      return idem_value_refuse(value, "a number", "");
    number = number * 10 + (uint64_t)(value->data[i] - '0');
  }
  *IDEM_MEMBER(uint64_t) = number;
  return 0;
}

/* Digits alone, for 0x40 or 1e3 would be a surprise in a limit. */
static int idem_parse_field_rescues(const struct idem_field *field, const struct idem_value *value,
                                    void *object)
{
  unsigned number = 0;

  for (size_t i = 0; i < value->len; i++) {
    if (!idem_is_digit(value->data[i]) || number > RESCUES_MAX)
      number = RESCUES_MAX + 1;
    else
      number = number * 10 + (unsigned)(value->data[i] - '0');
  }
  if (number > RESCUES_MAX)
    return idem_value_refuse(value, "a number up to 1024", "");
  *IDEM_MEMBER(unsigned) = number;
  return 0;
}

/* Messages about its rules name the file and the line, not the variable. */
static int load_rule_file(struct loader *l, const char *variable, const char *path)
{
  struct idem_rules_text rules = {.in_lines = true};
  char *data;

  if (!*path)
    return idem_error_set(l->error, -EINVAL, "%s: expected a file's name after @", variable);
  int result = idem_file_read(&l->arena, variable, path, &data, &rules.len, l->error);
  if (result < 0)
    return result;
  rules.data = data;
  rules.origin = idem_arena_copy(&l->arena, path, strlen(path));
  if (!rules.origin)
    return idem_error_set(l->error, -ENOMEM, "%s: out of memory", variable);
  return idem_rules_parse(&l->draft, &rules);
}

/* Several lines in the variable itself are counted, too, as in a file. */
static int idem_parse_field_rules(const struct idem_field *field, const struct idem_value *value,
                                  void *object)
{
  struct loader *l = object;
  const char *at = value->data + strspn(value->data, " \t\r\n");

  if (*at == '@' && at[1] != '/' && is_from_file(field, value))
    return idem_value_refuse(value, "an absolute path after @", "");
  if (*at == '@')
    return load_rule_file(l, value->place.where, at + 1);
  return idem_rules_parse(&l->draft, &(struct idem_rules_text){.origin = value->place.where,
                                                               .data = value->data,
                                                               .len = value->len,
                                                               .in_lines = strchr(value->data, '\n')});
}

/* Rules of their own, behind those of IDEMSHIM_RULES. */
static int idem_parse_field_hosts(const struct idem_field *field, const struct idem_value *value,
                                  void *object)
{
  struct loader *l = object;

  (void)field;
  return idem_hosts_parse(&l->draft, value->place.where, value->data);
}

/* What was given is shown to people, and must not have the password. */
static int idem_parse_field_fleet(const struct idem_field *field, const struct idem_value *value,
                                  void *object)
{
  struct loader *l = object;
  bool is_file = value->data[0] == '@';

  if (is_file && value->data[1] != '/' && is_from_file(field, value))
    return idem_value_refuse(value, "an absolute path after @", "");
  int result = idem_fleet_parse(value, IDEM_MEMBER(struct idem_fleet *));
  if (result == 0 && !is_file)
    l->given[IDEM_VARIABLE_FLEET].value = l->config.fleet->shown;
  return result;
}

#define X(name, values, fallback, type, member, help)                                                        \
  {"IDEMSHIM_" #name, values, fallback, idem_parse_field_##type, NULL, offsetof(struct idem_config, member)},
/* The documented fallbacks are parsed like values, so what the manual says is what holds. */
static const struct idem_field variables[] = {
#include "config/variables.def"
};
#undef X

/* What cannot be used is told, and does no harm. A mistake does: somebody meant what does not hold now. The
 * first mistake is kept, and load() decides whether it counts. 0, or -ENOMEM. At most two files are read,
 * so `ignored` has two places. */
static int read_conf(struct loader *l, const char *path, bool must_exist)
{
  struct idem_error error;
  int result = idem_conf_read(&l->arena, path, l->given, &error);

  if (result == 0 && must_exist)
    result = idem_error_set(&error, -ENOENT, "%s: it does not exist", path);
  if (result == -ENOMEM || (result == -EINVAL && !l->mistake))
    l->mistake = idem_error_set(l->error, result, "%s", error.text);
  else if (result < 0 && result != -EINVAL) {
    const char **ignored = &l->config.ignored[l->config.ignored[0] != NULL];
    *ignored = idem_arena_copy(&l->arena, error.text, strlen(error.text));
  }
  return result == -ENOMEM ? result : 0;
}

/* The system's first, so that the user's replaces it. Not under mode off, which must cost nothing, and not
 * with IDEMSHIM_CONFIG=none. */
static int read_files(struct loader *l)
{
  const char *mode = l->get("IDEMSHIM_MODE"), *named = l->get("IDEMSHIM_CONFIG");
  const char *config = l->get("XDG_CONFIG_HOME"), *home = l->get("HOME");
  bool xdg = config && config[0] == '/';
  struct idem_value value = {.place = {.error = l->error}, .arena = &l->arena};
  char *path;

  if ((mode && strcmp(mode, "off") == 0) || (named && strcmp(named, "none") == 0))
    return 0;
  if (named && *named) {
    int result = set_path(&value, "IDEMSHIM_CONFIG", named, "", &path);
    return result < 0 ? result : read_conf(l, path, true);
  }
  int result = read_conf(l, "/etc/idemshim.conf", false);
  if (result < 0 || (!xdg && (!home || home[0] != '/')))
    return result;
  result = set_path(&value, xdg ? "XDG_CONFIG_HOME" : "HOME", xdg ? config : home,
                    xdg ? "/idemshim/idemshim.conf" : "/.config/idemshim/idemshim.conf", &path);
  return result < 0 ? result : read_conf(l, path, false);
}

/* One that is not wanted has its default. An empty variable is an unset one: that is how a shell script takes
 * one away, also from a file. */
static int load_variable(struct loader *l, size_t number, bool wanted)
{
  const struct idem_field *variable = &variables[number];
  struct idem_given *given = &l->given[number];
  const char *text = wanted ? l->get(variable->name) : NULL, *where = variable->name;

  if (text) {
    *given = (struct idem_given){.value = idem_arena_copy(&l->arena, text, strlen(text))};
    if (!given->value)
      return idem_error_set(l->error, -ENOMEM, "%s: out of memory", where);
  }
  text = wanted ? given->value : NULL;
  if (!text || !*text) {
    text = variable->fallback;
    if (*text == '(' || *text == '$')
      return 0;
  } else if (given->file) {
    char place[512];
    snprintf(place, sizeof place, "%s line %u, %s", given->file, given->line, variable->name);
    where = idem_arena_copy(&l->arena, place, strlen(place));
    if (!where)
      return idem_error_set(l->error, -ENOMEM, "%s: out of memory", variable->name);
  }
  return variable->parse(variable,
                         &(struct idem_value){.data = text,
                                              .len = strlen(text),
                                              .place = {.where = where, .error = l->error},
                                              .arena = &l->arena},
                         &l->config);
}

/* Where the store is if IDEMSHIM_STORE does not say; told as what was given. Those of systemd are as good
 * as a name; of a user's cache the user is noted, for whoever opens the store may be another by then. */
static int find_store(struct loader *l)
{
  struct idem_given *given = &l->given[IDEM_VARIABLE_STORE];
  char path[PATH_MAX];

  *given = (struct idem_given){.found = idem_store_of_service(l->get, path)};
  if (!given->found) {
    given->found = idem_store_of_user(l->get, path);
    l->config.store_user = (int64_t)geteuid();
  }
  given->value = l->config.store_dir = idem_arena_copy(&l->arena, path, strlen(path));
  return given->value ? 0 : idem_error_set(l->error, -ENOMEM, "IDEMSHIM_STORE: out of memory");
}

/* A new variable about the store or its key needs a place here. */
static bool is_wanted(enum part part, size_t number)
{
  switch (number) {
  case IDEM_VARIABLE_MODE:
    return part != FOR_STORE;
  case IDEM_VARIABLE_RULES:
  case IDEM_VARIABLE_HOSTS:
    return part == ALL || part == FOR_REFUSAL;
  case IDEM_VARIABLE_STORE:
  case IDEM_VARIABLE_STORE_SIZE:
  case IDEM_VARIABLE_KEY_FILE:
  case IDEM_VARIABLE_TAPE_KEY_FILE:
  case IDEM_VARIABLE_PRICES:
  case IDEM_VARIABLE_FLEET:
    return part == ALL || part == FOR_STORE;
  default:
    return part == ALL;
  }
}

/* Rules that somebody else has written: what sends, writes, forks or passes is not taken from them. Each
 * becomes a rule of the defaults with no more than which calls it is for, how they are named and what an
 * identical one means. A mistake in them has no message, since nobody here can mend it, and all of them are
 * dropped. */
static int add_stranger(struct loader *l, const char *origin, const char *text)
{
  size_t before = l->draft.count;
  char *copy = idem_arena_copy(&l->arena, text ? text : "", text ? strlen(text) : 0);
  if (!copy)
    return idem_error_set(l->error, -ENOMEM, "%s: out of memory", origin);
  struct idem_error *error = l->draft.error;
  l->draft.error = NULL;
  int result = idem_rules_parse(
      &l->draft,
      &(struct idem_rules_text){.origin = origin, .data = copy, .len = strlen(copy), .in_lines = true});
  l->draft.error = error;
  if (result < 0)
    l->draft.count = before;
  for (size_t i = before; i < l->draft.count; i++) {
    struct idem_rule *rule = &l->draft.rules[i], theirs = *rule;
    *rule = l->draft.defaults;
    rule->origin = theirs.origin;
    rule->number = theirs.number;
    rule->host = theirs.host;
    rule->port = theirs.port;
    rule->methods = theirs.methods;
    rule->path = theirs.path;
    rule->keying = theirs.keying;
    rule->repeats = theirs.repeats;
  }
  return result == -ENOMEM ? idem_error_set(l->error, -ENOMEM, "%s: out of memory", origin) : 0;
}

static bool gives(const struct loader *l, const char *name)
{
  const char *text = l->get(name);
  return text && *text;
}

/* What is not named by a rule, but is on the tape, or is to be refused. */
static int add_rest(struct loader *l)
{
  int result = 0;
  if (l->draft.count == 0)
    result = idem_builtin_add(&l->draft);
  if (result == 0)
    result = add_stranger(l, "the tape's servers", l->tape_origins);
  if (result == 0 && l->config.offline && l->config.mode == IDEM_MODE_REPLAY)
    result = add_stranger(l, "IDEMSHIM_OFFLINE", "host=* method=*");
  return result;
}

/* What a rule says otherwise of repeats stays, and so does a time to live that is longer. With "replay" the
 * second of two equal calls would be answered within one start, and a program that draws twice would get one
 * answer. */
static void make_durable(struct loader *l)
{
  for (size_t i = 0; i < l->draft.count; i++) {
    struct idem_rule *rule = &l->draft.rules[i];
    if (rule->action != IDEM_ACTION_STORE)
      continue;
    if (rule->repeats == IDEM_REPEATS_REPLAY)
      rule->repeats = IDEM_REPEATS_SEQUENCE;
    rule->guard = true;
    if (rule->ttl_ms < l->config.durable_ms)
      rule->ttl_ms = l->config.durable_ms;
  }
}

/* Dollars are counted by a file, and a budget that counts nothing would look like one. */
static int expect_prices(const struct loader *l)
{
  for (size_t i = 0; i < l->draft.count; i++) {
    const struct idem_rule *rule = &l->draft.rules[i];
    if (rule->budget.nano_dollars != IDEM_NO_BUDGET && !l->config.prices)
      return idem_error_set(
          l->error, -EINVAL,
          "%s, rule %d: budget=usd: needs IDEMSHIM_PRICES=FILE, which says what tokens cost", rule->origin,
          rule->number);
  }
  return 0;
}

/* In the order of the table; rules before hosts, so that a rule wins over the default treatment. Each
 * variable asks the environment and then what the files have said, so the files are read before. What
 * depends on several variables is looked at behind the loop. On failure load_part() releases the arena. */
static int load(struct loader *l, enum part part)
{
  int result = idem_draft_init(&l->draft, &l->arena, l->error);

  if (result == 0)
    result = read_files(l);
  if (result == 0 && (part == ALL || part == FOR_STORE))
    result = l->mistake;
  bool theirs = l->tape_rules && *l->tape_rules && !gives(l, "IDEMSHIM_RULES") && !gives(l, "IDEMSHIM_HOSTS");
  for (size_t i = 0; result == 0 && i < IDEM_VARIABLE_COUNT; i++)
    result = load_variable(
        l, i, is_wanted(part, i) && !(theirs && (i == IDEM_VARIABLE_RULES || i == IDEM_VARIABLE_HOSTS)));
  if (result == 0 && theirs)
    result = add_stranger(l, "the tape", l->tape_rules);
  if (result == 0 && !l->config.store_dir && (part == ALL || part == FOR_STORE))
    result = find_store(l);
  if (result == 0)
    result = add_rest(l);
  if (result == 0 && l->config.durable_ms)
    make_durable(l);
  if (result == 0 && l->config.fault_count && l->config.tape_dir && l->config.mode != IDEM_MODE_REPLAY)
    result = idem_error_set(
        l->error, -EINVAL,
        "IDEMSHIM_FAULT: not while a tape is recorded (IDEMSHIM_TAPE), which would pass for what upstream "
        "has said; idemshim replay --fault makes faults of one that is there");
  if (result == 0 && part == ALL)
    result = expect_prices(l);
  if (result < 0)
    return result;
  if (l->config.mode != IDEM_MODE_REPLAY)
    l->config.map_count = 0;
  if (!l->config.tape_key_file)
    l->config.tape_key_file = l->config.key_file;
  l->config.rules = l->draft.rules;
  l->config.rule_count = l->draft.count;
  l->config.given = idem_arena_alloc(&l->arena, sizeof l->given);
  if (!l->config.given || idem_match_build(&l->config, &l->arena) < 0)
    return idem_error_set(l->error, -ENOMEM, "rules: out of memory");
  memcpy(l->config.given, l->given, sizeof l->given);
  l->config.blocks = l->arena.blocks;
  return 0;
}

/* errno is kept: this runs in the middle of an app's own calls. */
static int load_part(struct idem_config *config, char *(*get)(const char *name), struct idem_error *error,
                     enum part part, const char *rules, const char *origins)
{
  int saved = errno;
  struct loader loader = {.config = {.scope = "", .store_user = -1},
                          .tape_rules = rules,
                          .tape_origins = origins,
                          .get = get,
                          .error = error};
  int result = load(&loader, part);

  *config = result < 0 ? (struct idem_config){.mode = IDEM_MODE_OFF} : loader.config;
  if (result < 0)
    idem_arena_release(&loader.arena);
  errno = saved;
  return result;
}

int idem_config_load(struct idem_config *config, char *(*get)(const char *name), struct idem_error *error)
{
  return load_part(config, get, error, ALL, NULL, NULL);
}

int idem_config_load_replay(struct idem_config *config, char *(*get)(const char *name), const char *rules,
                            const char *origins, struct idem_error *error)
{
  return load_part(config, get, error, ALL, rules, origins);
}

int idem_config_load_store(struct idem_config *config, char *(*get)(const char *name),
                           struct idem_error *error)
{
  return load_part(config, get, error, FOR_STORE, NULL, NULL);
}

bool idem_config_load_refusal(struct idem_config *config, char *(*get)(const char *name))
{
  if (load_part(config, get, NULL, FOR_REFUSAL, NULL, NULL) < 0 &&
      load_part(config, get, NULL, MODE_ALONE, NULL, NULL) < 0)
    return false;
  if (config->mode == IDEM_MODE_REPLAY)
    return true;
  idem_config_release(config);
  return false;
}

/* A config that was not loaded, or was released, is released in vain. */
void idem_config_release(struct idem_config *config)
{
  int saved = errno;
  struct idem_arena arena = {config->blocks};

  idem_arena_release(&arena);
  *config = (struct idem_config){.mode = IDEM_MODE_OFF};
  errno = saved;
}
