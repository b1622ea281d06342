/* SPDX-License-Identifier: MIT */
/* The lanes of a schedule, and the steps that are no calls. schedule.h says what it is. */
#include "config/kernel.h"
#include "tests/clients/schedules/call.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#ifdef __SANITIZE_ADDRESS__
void __asan_handle_no_return(void);
#endif

extern char **environ;
extern int catch_exception(void (*run)(void *), void *arg) __attribute__((weak));

static struct schedule schedule;
static struct lane lanes[LANES];
static unsigned lane_count = 1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t settled = PTHREAD_COND_INITIALIZER;
static unsigned settled_count;

#ifdef __SANITIZE_THREAD__
/* A thread that is cancelled is at its end for the sanitizer before the destructors of its keys have run: it
 * does not see the locks that they take. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
  return "race:on_end_of_thread\nrace:reader_end_thread\n";
}
#endif

/* Lanes. */

void lane_settled(struct lane *of)
{
  pthread_mutex_lock(&lock);
  settled_count += !of->settled;
  of->settled = true;
  pthread_cond_broadcast(&settled);
  pthread_mutex_unlock(&lock);
}

void settle(void)
{
  pthread_mutex_lock(&lock);
  while (settled_count < lane_count - 1)
    pthread_cond_wait(&settled, &lock);
  pthread_mutex_unlock(&lock);
}

static CURL *handle_of(struct lane *l, unsigned n)
{
  if (!l->handles[n])
    l->handles[n] = handle_new();
  return l->handles[n];
}

/* libcurl knows which of its functions it is in only for a handle that has not been in
 * curl_easy_perform() before. */
static void renew(struct lane *l, unsigned n)
{
  curl_easy_cleanup(l->handles[n]);
  l->handles[n] = NULL;
}

/* Multis. */

static void collect(struct lane *l)
{
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(l->loop.multi, &left))) {
    struct call *call = NULL;
    CURL *handle = message->easy_handle;
    CURLcode code = message->data.result;
    curl_easy_getinfo(handle, CURLINFO_PRIVATE, (char **)&call);
    if (call->done)
      say(l, call->spec.handle, "", "n%u a second message", call->spec.number);
    call_end(call, code);
    curl_multi_remove_handle(l->loop.multi, handle);
  }
}

static bool is_through(const struct call *call)
{
  return call->done || (call->hold && call->arrived);
}

static void turn(struct lane *l, struct call **calls, unsigned count)
{
  unsigned through = 0;
  while (through < count) {
    loop_step(&l->loop, 100);
    collect(l);
    through = 0;
    for (unsigned i = 0; i < count; i++) {
      if (calls[i]->paused)
        call_unpause(calls[i]);
      through += is_through(calls[i]);
    }
  }
}

static void close_multi(struct lane *l)
{
  if (l->loop.multi)
    loop_close(&l->loop);
  l->loop.multi = NULL;
}

/* Takes out of the multi what is held in it, in the way that `end` says; `again` puts it back. */
static void cut_short(struct lane *l, const char *end, struct call **calls, unsigned count)
{
  struct call *held[CALLS_MOST];
  unsigned held_count = 0;
  bool again = strcmp(end, "again") == 0, clean = strcmp(end, "clean") == 0, wipe = strcmp(end, "wipe") == 0;
  for (unsigned i = 0; i < count; i++) {
    struct call *call = calls[i];
    if (call->done)
      continue;
    call->hold = false;
    if (strcmp(end, "go") == 0) {
      held[held_count++] = call;
      call_open_gate(call);
      continue;
    }
    call_tell(call, end);
    if (strcmp(end, "drop") == 0 || again)
      say(l, call->spec.handle, "", "removed %d", (int)curl_multi_remove_handle(l->loop.multi, call->handle));
    if (wipe) {
      renew(l, call->spec.handle);
    }
    call_open_gate(call);
    if (again) {
      held[held_count] = call_prepare(l, &call->spec, call->handle);
      held[held_count]->in_multi = true;
      say(l, call->spec.handle, "", "added %d", (int)curl_multi_add_handle(l->loop.multi, call->handle));
      held_count++;
    }
  }
  if (clean ||
      wipe) /* libcurl keeps for others the connection of a handle that was wiped, with what comes on it */
    close_multi(l);
  if (clean) {
    for (unsigned i = 0; i < count; i++) {
      renew(l, calls[i]->spec.handle);
    }
  }
  if (held_count)
    turn(l, held, held_count);
}

static bool open_loop(struct lane *l, const char *name, size_t len)
{
  char loop[8];
  snprintf(loop, sizeof loop, "%.*s", (int)len, name);
  return l->loop.multi || loop_open(&l->loop, loop);
}

static void do_multi(struct lane *l, const struct step *step)
{
  struct call *calls[CALLS_MOST];
  size_t len = strcspn(step->argument, ".");
  const char *end = step->argument + len + (step->argument[len] == '.');
  unsigned count = 0;
  if (!open_loop(l, step->argument, len))
    return;
  for (unsigned i = 0; i < step->count; i++) {
    if (step->calls[i].act != ACT_none)
      renew(l, step->calls[i].handle);
    struct call *call = call_prepare(l, &step->calls[i], handle_of(l, step->calls[i].handle));
    CURLMcode code = curl_multi_add_handle(l->loop.multi, call->handle);
    call->in_multi = true;
    call->hold = strcmp(end, "run") != 0;
    if (code == CURLM_OK)
      calls[count++] = call;
    else
      say(l, call->spec.handle, "", "cannot be added %d", (int)code);
  }
  turn(l, calls, count);
  if (strcmp(end, "run") != 0)
    cut_short(l, end, calls, count);
}

/* Other steps. */

static void do_easy(struct lane *l, const struct step *step)
{
  for (unsigned i = 0; i < step->count; i++) {
    struct call *call = call_prepare(l, &step->calls[i], handle_of(l, step->calls[i].handle));
    call_end(call, curl_easy_perform(call->handle));
  }
}

/* The last of a lane: it stays in a call for ever. */
static void do_park(struct lane *l, const struct step *step)
{
  struct call *call = call_prepare(l, &step->calls[0], handle_new());
  l->parked = call->hold = true;
  if (*step->argument == '-') {
    curl_easy_perform(call->handle);
  } else if (open_loop(l, step->argument, strlen(step->argument))) {
    call->in_multi = true;
    curl_multi_add_handle(l->loop.multi, call->handle);
    for (;;)
      loop_step(&l->loop, 1000);
  }
  say(l, call->spec.handle, "", "n%u came back", call->spec.number);
}

static void do_reset(struct lane *l, const struct step *step)
{
  curl_easy_reset(handle_of(l, (unsigned)atoi(step->argument) % HANDLES));
}

static void do_cleanup(struct lane *l, const struct step *step)
{
  renew(l, (unsigned)atoi(step->argument) % HANDLES);
}

static void do_copy(struct lane *l, const struct step *step)
{
  unsigned n = (unsigned)atoi(step->argument) % HANDLES, to = (n + 1) % HANDLES;
  CURL *copy = curl_easy_duphandle(handle_of(l, n));
  curl_easy_cleanup(l->handles[to]);
  l->handles[to] = copy;
}

static _Noreturn void be_child(struct lane *l, const struct step *step)
{
  if (strcmp(step->argument, "close") == 0)
    idem_close_range(3, ~0u, 0);
  for (unsigned i = 0; i < step->count; i++) {
    CURL *handle = handle_new();
    struct call *call = call_prepare(l, &step->calls[i], handle);
    call->mark = "f";
    call_end(call, curl_easy_perform(handle));
    curl_easy_cleanup(handle);
  }
  end_process(strcmp(step->argument, "close") == 0 ? "_exit" : step->argument);
}

static void wait_for(struct lane *l, pid_t child)
{
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  say(l, 0, "", "child ended 0x%x", (unsigned)status);
}

static void do_fork(struct lane *l, const struct step *step)
{
  pid_t child = fork_between();
  if (child == 0)
    be_child(l, step);
  wait_for(l, child);
}

static void do_spawn(struct lane *l, const struct step *step)
{
  static char name[] = "true";
  char *const argv[] = {name, NULL};
  pid_t child;
  (void)step;
  if (posix_spawnp(&child, name, NULL, NULL, argv, environ) == 0)
    wait_for(l, child);
}

static void do_tick(struct lane *l, const struct step *step)
{
  static const struct itimerval often = {{0, 2000}, {0, 2000}};
  (void)l, (void)step;
  setitimer(ITIMER_REAL, &often, NULL);
}

/* Where no other lane has a descriptor, and libcurl none of ours either. */
static void do_close(struct lane *l, const struct step *step)
{
  (void)step;
  if (lane_count > 1)
    return;
  close_multi(l);
  for (unsigned n = 0; n < HANDLES; n++) {
    renew(l, n);
  }
  idem_close_range(3, ~0u, 0);
}

static void do_end(struct lane *l, const struct step *step)
{
  (void)l;
  settle();
  if (strcmp(step->argument, "return") != 0)
    end_process(step->argument);
}

static void (*const operations[])(struct lane *, const struct step *) = {
#define X(name) do_##name,
    OPERATIONS(X)
#undef X
};

/* After a callback that has not returned: what libcurl makes of it is its own. The multi is lost. */
static void pick_up(struct lane *l, const struct step *step)
{
  if (l->cancelled)
    call_open_gate(l->cancelled);
  l->cancelled = NULL;
  for (unsigned i = 0; i < step->count; i++) {
    unsigned n = step->calls[i].handle;
    CURL *handle = l->handles[n];
    if (!handle)
      continue;
    if (step->operation == OP_multi && l->loop.multi)
      say(l, n, "", "left, removed %d", (int)curl_multi_remove_handle(l->loop.multi, handle));
    if (step->operation == OP_multi || step->calls[i].number % 2) {
      renew(l, n);
    } else {
      say(l, n, "", "left, performs %d", (int)curl_easy_perform(handle));
    }
  }
  if (step->operation == OP_multi && l->loop.multi)
    say(l, 0, "", "left, cleaned up %d", (int)curl_multi_cleanup(l->loop.multi));
  if (step->operation == OP_multi)
    l->loop.multi = NULL;
}

struct doing {
  struct lane *lane;
  const struct step *step;
};

static void do_step(void *arg)
{
  const struct doing *doing = arg;
  doing->lane->landing = __builtin_frame_address(0);
  operations[doing->step->operation](doing->lane, doing->step);
}

static void run_step(struct lane *l, const struct step *step)
{
  struct doing doing = {l, step};
  if (sigsetjmp(l->caller, 1) != 0)
    pick_up(l, step);
  else if (!catch_exception)
    do_step(&doing);
  else if (catch_exception(do_step, &doing))
    pick_up(l, step);
}

/* A thread that ends in a callback leaves the marks of its frames on the stack, where the
 * destructors of its keys run. */
static __attribute__((noinline, no_sanitize_address)) void forget_frames(void *unused)
{
#ifdef __SANITIZE_ADDRESS__
  char room[256 << 10];
  __asm__ volatile("" : : "r"(room) : "memory");
  __asan_handle_no_return();
#endif
  (void)unused;
}

static void *run_lane(void *arg)
{
  struct lane *l = arg;
  lane = l;
  pthread_cleanup_push(forget_frames, NULL);
  if (l->next && schedule.steps[l->next - 1].lane == l->id)
    pick_up(l, &schedule.steps[l->next - 1]);
  while (l->next < schedule.count) {
    const struct step *step = &schedule.steps[l->next++];
    if (step->lane == l->id)
      run_step(l, step);
  }
  pthread_cleanup_pop(0);
  l->finished = true;
  return NULL;
}

/* Until the lane is at its end, thread after thread. */
static void *supervise(void *arg)
{
  struct lane *l = arg;
  pthread_t thread;
  while (!l->finished && pthread_create(&thread, NULL, run_lane, l) == 0)
    pthread_join(thread, NULL);
  lane_settled(l);
  return NULL;
}

static bool may_run_in_main(void)
{
  for (unsigned i = 0; i < schedule.count; i++)
    for (unsigned n = 0; n < schedule.steps[i].count && schedule.steps[i].lane == 0; n++) {
      enum act act = schedule.steps[i].calls[n].act;
      if (act == ACT_cancel || act == ACT_threadexit || act == ACT_later)
        return false;
    }
  return true;
}

static void on_signal(int number)
{
  if (number == SIGUSR2)
    siglongjmp(lane->caller, 1);
}

int main(int argc, char **argv)
{
  pthread_t threads[LANES];
  if (argc == 3 && strcmp(argv[1], "--steps") == 0) {
    schedule_generate(&schedule, strtoull(argv[2], NULL, 10));
    schedule_print(&schedule);
    return 0;
  }
  if (argc != 4 || !schedule_read(&schedule))
    return 2;
  fcntl(STDOUT_FILENO, F_SETFL, O_APPEND); /* so that no line of ours is written over */
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL);
  sigaction(SIGUSR2, &(struct sigaction){.sa_handler = on_signal}, NULL);
  sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_signal}, NULL);
  calls_begin(argv[1], argv[2], argv[3]);
  curl_global_init(CURL_GLOBAL_ALL);
  for (unsigned i = 0; i < schedule.count; i++)
    if (schedule.steps[i].lane >= lane_count)
      lane_count = schedule.steps[i].lane + 1;
  for (unsigned i = 0; i < lane_count; i++)
    lanes[i].id = i;
  for (unsigned i = 1; i < lane_count; i++)
    pthread_create(&threads[i], NULL, supervise, &lanes[i]);
  if (may_run_in_main())
    run_lane(&lanes[0]);
  else
    supervise(&lanes[0]);
  settle();
  return 0;
}
