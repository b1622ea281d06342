/* SPDX-License-Identifier: MIT */
/* The steps of a seed, to text and back. */
#include "tests/clients/schedules/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X(name, ...) #name,
static const char *const kinds[] = {KINDS(X)};
static const char *const acts[] = {ACTS(X)};
static const char *const points[] = {POINTS(X)};
static const char *const operations[] = {OPERATIONS(X)};
#undef X

static uint64_t state;

/* xorshift64* */
static unsigned pick(unsigned below)
{
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (unsigned)((state * 2685821657736338717u) >> 33) % below;
}

static bool chance(unsigned one_in)
{
  return pick(one_in) == 0;
}

#define ONE_OF(...)                                                                                          \
  ({                                                                                                         \
    static const int all[] = {__VA_ARGS__};                                                                  \
    all[pick(sizeof all / sizeof *all)];                                                                     \
  })

/* Numbers below SHARED are calls that more than one lane makes, each of one kind. Nobody stops a stream of
 * them: who follows it ends as its owner does, once a part has been given out (docs/design.md). */
enum { SHARED = 4 };
static const enum kind shared_kinds[SHARED] = {KIND_whole, KIND_stream, KIND_close, KIND_fail};

static struct {
  unsigned numbers, lanes;
  unsigned made, known;       /* of them, before this step */
  unsigned again[STEPS_MOST]; /* numbers that the lane has made, for a retry */
  enum kind again_kind[STEPS_MOST];
} draft;

static unsigned new_number(void)
{
  return draft.numbers++;
}

static enum act act_that_returns(bool multi)
{
  enum act act =
      (enum act)ONE_OF(ACT_none, ACT_none, ACT_stop, ACT_inner, ACT_same, ACT_copy, ACT_setopt, ACT_itself,
                       ACT_child, ACT_childcall, ACT_childexit, ACT_thread, ACT_signal, ACT_recursion);
  return !multi && chance(30) ? ACT_pause : multi && chance(5) ? ACT_pause : act;
}

static enum act act_that_leaves(void)
{
  return (enum act)ONE_OF(ACT_jump, ACT_jump, ACT_sigjump, ACT_throw, ACT_throw, ACT_cancel, ACT_threadexit,
                          ACT_later);
}

/* At which callback: of those that are sure to come with this kind of answer. */
static enum point point_of(const struct call_spec *call)
{
  if (call->act == ACT_none)
    return AT_none;
  if (call->act == ACT_pause || call->act == ACT_same || call->act == ACT_later)
    return AT_write;
  if (call->kind == KIND_refused)
    return AT_read;
  if (call->kind == KIND_stream && call->number >= SHARED && chance(4))
    return AT_progress;
  return (enum point)ONE_OF(AT_read, AT_header, AT_header, AT_write, AT_write, AT_write);
}

/* A callback that never returns makes of its handle what nobody can use; a big answer comes
 * in pieces of any size. */
static struct call_spec any_call(bool multi, bool may_leave, unsigned handle)
{
  struct call_spec call = {.handle = handle};
  if (chance(4)) {
    call.number = pick(SHARED);
    call.kind = shared_kinds[call.number];
    call.act = chance(2) ? ACT_none : act_that_returns(multi);
    bool ends_followers = call.act == ACT_stop && call.kind != KIND_whole && call.kind != KIND_fail;
    if (call.act == ACT_same || ends_followers)
      call.act = ACT_none;
  } else if (draft.known && chance(4)) {
    unsigned n = pick(draft.known);
    call.number = draft.again[n];
    call.kind = draft.again_kind[n];
  } else {
    call.number = new_number();
    call.kind = (enum kind)ONE_OF(KIND_whole, KIND_whole, KIND_stream, KIND_stream, KIND_stream, KIND_close,
                                  KIND_big, KIND_fail, KIND_busy, KIND_cut, KIND_broken, KIND_refused,
                                  KIND_hinted, KIND_moved, KIND_late);
    if (call.kind == KIND_big || call.kind == KIND_late)
      call.act = ACT_none;
    else if (may_leave && chance(2))
      call.act = act_that_leaves();
    else
      call.act = act_that_returns(multi);
    if (call.act == ACT_later)
      call.kind = KIND_held;
    call.at = point_of(&call);
    if (call.at == AT_progress) /* what has come by then is sure for what is held alone */
      call.kind = KIND_held;
    draft.again[draft.made] = call.number;
    draft.again_kind[draft.made++] = call.kind == KIND_late ? KIND_ontime : call.kind;
  }
  if (call.at == AT_none)
    call.at = point_of(&call);
  return call;
}

static struct step *add(struct schedule *schedule, unsigned lane, enum operation operation,
                        const char *argument)
{
  struct step *step = &schedule->steps[schedule->count++];
  *step = (struct step){.lane = lane, .operation = operation};
  snprintf(step->argument, sizeof step->argument, "%s", argument);
  return step;
}

static const char *any_loop(void)
{
  static const char *const loops[] = {"poll", "poll", "wait", "fdset", "epoll", "epoll", "epoll", "all"};
  return loops[pick(sizeof loops / sizeof *loops)];
}

static void add_multi(struct schedule *schedule, unsigned lane)
{
  static const char *const ends[] = {"run", "run", "run", "go", "drop", "again", "wipe", "clean"};
  const char *end = ends[pick(sizeof ends / sizeof *ends)];
  char argument[24];
  snprintf(argument, sizeof argument, "%s.%s", any_loop(), end);
  struct step *step = add(schedule, lane, OP_multi, argument);
  bool cut_short = strcmp(end, "run") != 0;
  step->count = 1 + pick(CALLS_MOST);
  unsigned first = pick(HANDLES);
  for (unsigned i = 0; i < step->count; i++) {
    struct call_spec *call = &step->calls[i];
    unsigned handle = (first + i) % HANDLES;
    if (cut_short)
      *call = (struct call_spec){
          .handle = handle, .number = new_number(), .kind = chance(4) ? KIND_whole : KIND_held};
    else
      *call = any_call(true, step->count == 1, handle);
  }
}

static void add_fork(struct schedule *schedule, unsigned lane)
{
  static const char *const ways[] = {"exit", "_exit", "quick", "kill", "close"};
  struct step *step = add(schedule, lane, OP_fork, ways[pick(sizeof ways / sizeof *ways)]);
  step->count = 1 + pick(2);
  for (unsigned i = 0; i < step->count; i++)
    step->calls[i] =
        (struct call_spec){.handle = i, .number = chance(3) ? SHARED : new_number(), .kind = KIND_whole};
}

static void add_any(struct schedule *schedule, unsigned lane)
{
  char handle[8];
  snprintf(handle, sizeof handle, "%u", pick(HANDLES));
  draft.known = draft.made;
  switch (pick(13)) {
  default: {
    struct step *step = add(schedule, lane, OP_easy, "-");
    step->calls[step->count++] = any_call(false, true, pick(HANDLES));
    return;
  }
  case 0:
  case 1:
  case 2:
  case 3:
    add_multi(schedule, lane);
    return;
  case 4:
    add(schedule, lane, (enum operation)ONE_OF(OP_reset, OP_cleanup, OP_copy), handle);
    return;
  case 5:
    add_fork(schedule, lane);
    return;
  case 6:
    add(schedule, lane, draft.lanes == 1 && chance(2) ? OP_close : (enum operation)ONE_OF(OP_spawn, OP_tick),
        "-");
    return;
  }
}

/* The last call of the first lane ends the process, or a step does. */
static void add_end(struct schedule *schedule)
{
  static const char *const ways[] = {"return", "return", "exit", "exit", "_exit",
                                     "quick",  "term",   "kill", "abort"};
  if (chance(3)) {
    struct step *step = add(schedule, 0, OP_easy, "-");
    step->calls[step->count++] = (struct call_spec){
        .handle = pick(HANDLES),
        .number = new_number(),
        .kind = KIND_held,
        .act = (enum act)ONE_OF(ACT_exit, ACT_exit, ACT_quick, ACT__exit, ACT_term, ACT_kill, ACT_abort),
        .at = (enum point)ONE_OF(AT_header, AT_write, AT_progress)};
  }
  add(schedule, 0, OP_end, ways[pick(sizeof ways / sizeof *ways)]);
}

void schedule_generate(struct schedule *schedule, uint64_t seed)
{
  state = (seed + 1) * 0x9E3779B97F4A7C15u;
  for (int i = 0; i < 8; i++)
    pick(2);
  *schedule = (struct schedule){0};
  draft.numbers = SHARED + 1;
  draft.lanes = 1 + pick(LANES);
  for (unsigned lane = 0; lane < draft.lanes; lane++) {
    draft.made = 0;
    for (unsigned left = 2 + pick(4); left; left--)
      add_any(schedule, lane);
    if (lane && chance(2)) {
      struct step *step = add(schedule, lane, OP_park, chance(2) ? "-" : any_loop());
      step->calls[step->count++] =
          (struct call_spec){.handle = pick(HANDLES), .number = new_number(), .kind = KIND_held};
    }
  }
  add_end(schedule);
}

void schedule_print(const struct schedule *schedule)
{
  for (unsigned i = 0; i < schedule->count; i++) {
    const struct step *step = &schedule->steps[i];
    printf("%u %s %s", step->lane, operations[step->operation], step->argument);
    for (unsigned n = 0; n < step->count; n++) {
      const struct call_spec *call = &step->calls[n];
      printf(" %u:%s:%u:%s:%s", call->handle, kinds[call->kind], call->number, acts[call->act],
             points[call->at]);
    }
    putchar('\n');
  }
}

static unsigned place(const char *const *names, unsigned count, const char *name)
{
  unsigned i = 0;
  while (i < count && strcmp(names[i], name) != 0)
    i++;
  return i;
}

static bool read_call(struct call_spec *call, const char *text)
{
  char kind[16], act[16], at[16];
  if (sscanf(text, "%u:%15[^:]:%u:%15[^:]:%15s", &call->handle, kind, &call->number, act, at) != 5)
    return false;
  call->kind = (enum kind)place(kinds, KINDS_END, kind);
  call->act = (enum act)place(acts, ACTS_END, act);
  call->at = (enum point)place(points, POINTS_END, at);
  return call->handle < HANDLES && call->kind < KINDS_END && call->act < ACTS_END && call->at < POINTS_END;
}

static bool read_step(struct step *step, char *line)
{
  char *place_in_line, *word = strtok_r(line, " \n", &place_in_line);
  char *operation = strtok_r(NULL, " \n", &place_in_line), *argument = strtok_r(NULL, " \n", &place_in_line);
  if (!word || !argument)
    return false;
  *step = (struct step){.lane = (unsigned)atoi(word),
                        .operation = (enum operation)place(operations, OPERATIONS_END, operation)};
  snprintf(step->argument, sizeof step->argument, "%s", argument);
  while ((word = strtok_r(NULL, " \n", &place_in_line)))
    if (step->count == CALLS_MOST || !read_call(&step->calls[step->count++], word))
      return false;
  return step->lane < LANES && step->operation < OPERATIONS_END;
}

bool schedule_read(struct schedule *schedule)
{
  char line[512];
  *schedule = (struct schedule){0};
  while (schedule->count < STEPS_MOST && fgets(line, sizeof line, stdin))
    if (!read_step(&schedule->steps[schedule->count++], line))
      return false;
  return true;
}
