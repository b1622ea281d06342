/* SPDX-License-Identifier: MIT */
/*
 * Every scenario of tests/fidelity, run four times: without us, live, and again by each of the two ways of
 * delivery. All four print the same.
 *
 * FIDELITY=GLOB runs the scenarios whose names it matches. LIBCURL=FILE runs them with that libcurl, and not
 * with the one that the linker finds.
 */
#include "tests/fidelity/scenarios.h"
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct scenario scenarios[] = {
#define X(title, function, ...) {.name = #title, __VA_ARGS__},
    SCENARIOS(X)
#undef X
};

enum { COUNT = sizeof scenarios / sizeof *scenarios };

/* Another libcurl is found first. */
static void use_libcurl(void)
{
  const char *libcurl = getenv("LIBCURL");
  char path[PATH_MAX];

  if (!libcurl || !*libcurl)
    return;
  cr_assert(realpath(libcurl, path), "LIBCURL=%s: %m", libcurl);
  mkdir(world_path(&w, "lib"), 0700);
  cr_assert_eq(symlink(path, world_path(&w, "lib/libcurl.so.4")), 0, "%m");
  world_env(&w, "LD_LIBRARY_PATH", "%s", world_path(&w, "lib"));
}

static void set_up(void)
{
  open_tls_world();
  use_libcurl();
}

static const char *rules_of(const struct scenario *s)
{
  return world_text(&w, "host=* rescue=off %s %s %s", s->marked ? "" : "mark=off",
                    s->keyed ? "" : "inject=off", s->rule ? s->rule : "");
}

struct turn {
  const char *name;
  bool shim;
  struct run run;
  long requests;
  int direct, transport; /* how its calls were answered */
  int reasons;           /* for calls that were not, or were no answers */
};

static int hits_via(const char *way)
{
  char *log = file_read(w.log, NULL), *place = NULL;
  int count = 0;

  for (char *line = log ? strtok_r(log, "\n", &place) : NULL; line; line = strtok_r(NULL, "\n", &place)) {
    json_t *event = json_loads(line, 0, NULL);
    const char *via = json_string_value(json_object_get(event, "via"));
    count += via && !strcmp(via, way);
    json_decref(event);
  }
  free(log);
  return count;
}

static struct turn take_turn(const char *name, const struct scenario *s, bool shim, const char *delivery)
{
  struct turn turn = {.name = name, .shim = shim};
  long before = mock_count(&w).requests;
  const char *argv[] = {"fidelity", s->name, world_url(&w, ""), world_tls_url(&w, ""), NULL};

  unlink(w.log);
  world_env(&w, "IDEMSHIM_DELIVERY", "%s", delivery);
  turn.run = run_argv(&w, shim, argv);
  turn.requests = mock_count(&w).requests - before;
  turn.direct = hits_via("direct");
  turn.transport = hits_via("transport");
  turn.reasons = log_events(&w, "bypass") + log_events(&w, "not_stored");
  cr_expect(turn.run.status == 0, "%s, %s: exit status %d, signal %d%s: %s", s->name, name, turn.run.status,
            turn.run.signal, turn.run.timed_out ? ", out of time" : "", turn.run.err);
  return turn;
}

/* Comparing. */

/* What is not compared: how the network cuts a body, and what only a connection can tell. */
static const char *left_out(const struct turn *a, const struct turn *b)
{
  bool replayed = a->direct + a->transport + b->direct + b->transport > 0;
  return replayed && a->shim && b->shim ? "~" : replayed ? "~|" : "|";
}

static bool is_mark(const char *line)
{
  char copy[300] = "";
  const char *quote = strchr(line, '"');

  if (!quote)
    return false;
  snprintf(copy, sizeof copy, "%s\n", quote + 1);
  return strip_marks(copy) > 0;
}

/* The lines that are compared, the caller's to free(). Pieces of a body that were cut otherwise are joined:
 * its last line says all that came. */
static char *compared_lines(const struct turn *turn, const char *skip, bool marks)
{
  char *text = strdup(turn->run.out), *place = text, *kept = text, *body = NULL;
  const bool joined = strchr(skip, '|');

  for (char *line; (line = strsep(&place, "\n")) && place;) {
    bool is_body = !strncmp(line, "body ", 5);
    if (strchr(skip, *line) || (marks && is_mark(line)))
      continue;
    if (joined && is_body && body)
      kept = body;
    body = is_body ? kept : NULL;
    memmove(kept, line, (size_t)(place - line));
    kept += place - line;
    kept[-1] = '\n';
  }
  *kept = 0;
  return text;
}

static void expect_same_lines(const struct scenario *s, const struct turn *a, const struct turn *b)
{
  char *a_text = compared_lines(a, left_out(a, b), false), *a_place = a_text;
  char *b_text = compared_lines(b, left_out(a, b), s->marked), *b_place = b_text;
  char *x, *y;
  int line = 0;

  do {
    x = strsep(&a_place, "\n");
    y = strsep(&b_place, "\n");
    line++;
  } while (x && y && !strcmp(x, y));
  cr_expect(!x && !y, "%s: line %d\n  %-9s %s\n  %-9s %s", s->name, line, a->name, x ? x : "(the end)",
            b->name, y ? y : "(the end)");
  free(a_text);
  free(b_text);
}

/* The way that the table says. */

static enum way way_of(const struct scenario *s)
{
  return s->since && libcurl_version() < s->since ? s->before : s->way;
}

static void expect_way(const struct scenario *s, const struct turn *turn, enum way way, bool automatic)
{
  static const struct {
    bool live, direct, transport; /* what there must be with IDEMSHIM_DELIVERY=auto; nothing else may be */
  } ways[] = {
      [WAY_USUAL] = {false, true, false},    [WAY_TRANSPORT] = {false, false, true},
      [WAY_MIXED] = {false, true, true},     [WAY_LIVE] = {true, false, false},
      [WAY_SOME_LIVE] = {true, true, false}, [WAY_SOME_TRANSPORT] = {true, false, true},
      [WAY_NONE] = {false, false, false},
  };
  bool direct = ways[way].direct && automatic;
  bool transport = ways[way].transport || (ways[way].direct && !automatic);

  bool counts = way == WAY_NONE || (turn->requests > 0) == ways[way].live;

  cr_expect(counts && (turn->direct > 0) == direct && (turn->transport > 0) == transport,
            "%s, %s: %d direct, %d by transport, %ld live, which is not the way that the table says", s->name,
            turn->name, turn->direct, turn->transport, turn->requests);
  cr_expect(!ways[way].live || turn->reasons, "%s, %s: nothing says why it went live", s->name, turn->name);
}

Test(fidelity, what_takes_another_way_says_why)
{
  for (size_t i = 0; i < COUNT; i++)
    cr_expect(scenarios[i].way == WAY_USUAL || scenarios[i].why, "%s", scenarios[i].name);
}

/* A new curl.h may have one that a replay would tell from an old transfer. */
Test(fidelity, each_info_of_curl_h_is_compared, .init = open_world, .fini = close_world)
{
  struct run run = run_plain(&w, "fidelity", "--infos", NULL);

  expect_success(&run);
  cr_expect_str_empty(run.out, "tests/fidelity/infos.c and shim/info/ lack:\n%s", run.out);
  run_release(&run);
}

/* criterion hands a copy of the parameter to another process: a number survives that. */
static size_t chosen[COUNT];

static size_t choose(void)
{
  const char *glob = getenv("FIDELITY");
  size_t count = 0;

  for (size_t i = 0; i < COUNT; i++)
    if (!glob || !fnmatch(glob, scenarios[i].name, 0))
      chosen[count++] = i;
  return count;
}

Test(fidelity, there_are_scenarios_to_run)
{
  cr_expect(choose() > 0, "no scenario is called FIDELITY=%s", getenv("FIDELITY"));
}

/* What a tape can play: cookies are masked on it. */
static size_t taped[COUNT];

ParameterizedTestParameters(fidelity, a_tape_plays_what_was_recorded)
{
  static const char *const groups[] = {"headers_*",   "infos_*",          "error_*",
                                       "redirect_*",  "range_*",          "resume_*",
                                       "condition_*", "connection_told*", "request_fed_*"};
  size_t count = 0, all = choose();

  for (size_t i = 0; i < all; i++)
    for (size_t j = 0; j < sizeof groups / sizeof *groups; j++)
      if (!fnmatch(groups[j], scenarios[chosen[i]].name, 0))
        taped[count++] = chosen[i];
  return cr_make_param_array(size_t, taped, count);
}

ParameterizedTest(size_t *number, fidelity, a_tape_plays_what_was_recorded, .init = set_up,
                  .fini = close_world)
{
  const struct scenario *s = &scenarios[*number];

  world_env(&w, "IDEMSHIM_RULES", "%s", rules_of(s));
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  world_env(&w, "IDEMSHIM_MODE", "record");
  struct turn live = take_turn("recorded", s, true, "auto");
  world_env(&w, "IDEMSHIM_MODE", "replay");
  world_env(&w, "IDEMSHIM_REPLAY_STATE", "%s/state", w.dir);
  struct turn played = take_turn("played", s, true, "auto");

  played.direct = 1; /* as a replay is compared */
  expect_same_lines(s, &live, &played);
  run_release(&live.run);
  run_release(&played.run);
}

ParameterizedTestParameters(fidelity, a_replay_is_what_the_live_call_was)
{
  size_t count = choose();

  return cr_make_param_array(size_t, chosen, count);
}

ParameterizedTest(size_t *number, fidelity, a_replay_is_what_the_live_call_was, .init = set_up,
                  .fini = close_world)
{
  const struct scenario *s = &scenarios[*number];

  world_env(&w, "IDEMSHIM_RULES", "%s", rules_of(s));
  struct turn plain = take_turn("plain", s, false, "auto");
  struct turn live = take_turn("live", s, true, "auto");
  struct turn direct = take_turn("direct", s, true, "auto");
  struct turn transport = take_turn("transport", s, true, "transport");

  expect_same_lines(s, &plain, &live);
  expect_same_lines(s, &live, &direct);
  expect_same_lines(s, &live, &transport);
  expect_way(s, &direct, way_of(s), true);
  expect_way(s, &transport, way_of(s), false);
  run_release(&plain.run);
  run_release(&live.run);
  run_release(&direct.run);
  run_release(&transport.run);
}
