/* SPDX-License-Identifier: MIT */
/*
 * The experiment: a directory, an empty store, a server on the loopback; the command is run twice, and both
 * the library's events and the server's count are kept. Nothing of the user's is touched: variables that
 * would lead the request elsewhere are unset, the store and the log are in the directory, which goes at the
 * end. The command itself is the user's, and does what it does.
 */
#include "cli/doctor/prove.h"

#include "cli/command/command.h"
#include "cli/launch/launch.h"
#include "cli/launch/temporary.h"
#include "cli/output/output.h"
#include "config/kernel.h"
#include "config/words.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program that asks a question at its start, or serves for ever, must not keep the doctor. */
enum { DEADLINE_MS = 60000 };

/* The place of the experiment. */
struct bench {
  char path[PATH_MAX]; /* of a directory */
  int dir, port;
  char **argv; /* with the address filled in */
  bool has_url, live;
};

/* The whole of a file in our directory, "" if there is none; the caller frees it. */
static char *read_file(const struct bench *bench, const char *name)
{
  char *text = NULL;
  size_t size;
  int fd = openat(bench->dir, name, O_RDONLY | O_CLOEXEC);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
  /* Up to a NUL, which no log has, so that the whole of it is one piece; an empty file is none. */
  bool there = file && getdelim(&text, &size, '\0', file) >= 0;
  if (file)
    fclose(file);
  if (there)
    return text;
  free(text);
  return strdup("");
}

/* ---- preparing ---- */

/* What would lead the request elsewhere, or have it treated in another way than by default. */
static const char *const unwanted[] = {
    "IDEMSHIM_RULES", "IDEMSHIM_SCOPE", "IDEMSHIM_STORE_SIZE", "IDEMSHIM_KEY_FILE",
    "http_proxy",     "HTTP_PROXY",     "all_proxy",           "ALL_PROXY",
};

/* Our own environment is changed, since the commands inherit it and this process ends after the
 * proof. A live proof keeps the user's rules and proxies, which lead to the real server. */
static int prepare_environment(const struct bench *bench)
{
  char host[32], path[PATH_MAX + 16];
  for (size_t i = 0; !bench->live && i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
    unsetenv(unwanted[i]);
  snprintf(host, sizeof(host), "127.0.0.1:%d", bench->port);
  if (!bench->live) {
    setenv("IDEMSHIM_HOSTS", host, 1);
    setenv("IDEMSHIM_CONFIG", "none", 1);
  }
  /* Also in a live proof: what is to be seen is a call that is stored, and then replayed. */
  setenv("IDEMSHIM_MODE", "idempotent", 1);
  /* Calls that no rule takes are to be told of. */
  setenv("IDEMSHIM_SUMMARY", "on", 1);
  /* The user's tape is to have nothing of it, and the store is gone in the end: it need not last. */
  setenv("IDEMSHIM_TAPE", "", 1);
  setenv("IDEMSHIM_SYNC", "off", 1);
  snprintf(path, sizeof(path), "%s/store", bench->path);
  setenv("IDEMSHIM_STORE", path, 1);
  snprintf(path, sizeof(path), "%s/log", bench->path);
  setenv("IDEMSHIM_LOG", path, 1);
  return cli_preload_library();
}

/* Puts the address into each {URL} of an argument; the caller frees it. */
static char *fill_in(const char *argument, int port, bool *filled)
{
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  for (const char *hole; out && (hole = strstr(argument, "{URL}")); argument = hole + 5) {
    fprintf(out, "%.*shttp://127.0.0.1:%d/v1/chat/completions", (int)(hole - argument), argument, port);
    *filled = true;
  }
  if (out)
    fputs(argument, out);
  return out && fclose(out) == 0 ? text : NULL;
}

/* False without memory; what was made is freed at the end. */
static bool prepare_arguments(struct bench *bench, int argc, char **argv)
{
  bench->argv = calloc((size_t)argc + 1, sizeof(*bench->argv));
  for (int i = 0; bench->argv && i < argc; i++)
    if (!(bench->argv[i] = bench->live ? strdup(argv[i]) : fill_in(argv[i], bench->port, &bench->has_url)))
      return false;
  return bench->argv;
}

/* ---- one run ---- */

/* Output goes to a file, since a pipe that nobody reads would stop the command. */
static void redirect(const struct bench *bench, const char *name, int to)
{
  int fd = openat(bench->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd >= 0)
    dup2(fd, to);
}

/* In the child, which has a group of its own so that what it has started can be ended with it.
 * The command has no input: one that asks a question at its start ends instead of waiting. It
 * dies with the doctor (PDEATHSIG), so Ctrl-C leaves nothing behind that goes on calling. */
static _Noreturn void become(const struct bench *bench)
{
  int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(none, STDIN_FILENO);
  redirect(bench, "out", STDOUT_FILENO);
  redirect(bench, "err", STDERR_FILENO);
  execvp(bench->argv[0], bench->argv);
  dprintf(STDERR_FILENO, "%s: %s\n", bench->argv[0], strerror(errno));
  _exit(127);
}

/* The last line of its standard error is what a person would read first; ours are told elsewhere. */
static void note_complaint(const struct bench *bench, struct doctor_run *run)
{
  char *text = read_file(bench, "err"), *rest = text, *line;
  while (run->status != 0 && (line = strsep(&rest, "\n")))
    if (*line && strncmp(line, "idemshim: ", 10) != 0)
      snprintf(run->complaint, sizeof(run->complaint), "%s", line);
  free(text);
}

/* One run: start, wait until it has ended or its time is over, note. CLI_STORE if the command cannot be
 * started at all. A command that was killed has no exit status, and one that exited no signal. */
static int run_once(const struct bench *bench, struct doctor_run *run)
{
  char method[DOCTOR_METHOD_SIZE];
  long before = doctor_server_requests(method);
  int status = 0;
  pid_t pid = fork();
  if (pid == 0)
    become(bench);
  if (pid < 0)
    return cli_fail(CLI_STORE, "%s cannot be started: %s", bench->argv[0], strerror(errno));
  /* waitpid(2) has no timeout; a pidfd can be polled for the end of its process (pidfd_open(2)). */
  struct pollfd end = {.fd = idem_pidfd_open(pid), .events = POLLIN};
  run->timed_out = end.fd < 0 || poll(&end, 1, DEADLINE_MS) <= 0;
  if (end.fd >= 0)
    close(end.fd);
  /* With all that it has started; alone if it has not come to have its group. */
  if (run->timed_out && kill(-pid, SIGKILL) < 0)
    kill(pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    continue;
  run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  run->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  note_complaint(bench, run);
  run->requests = doctor_server_requests(method) - before;
  return CLI_OK;
}

/* ---- what happened ---- */

/* Events that the verdict goes by. A rescued answer is a stored one; who has joined a call has had its
 * answer, as from a hit. */
static const struct {
  const char *name;
  size_t offset;
} counted[] = {
    {"live", offsetof(struct doctor_events, live)},      {"stored", offsetof(struct doctor_events, stored)},
    {"rescued", offsetof(struct doctor_events, stored)}, {"hit", offsetof(struct doctor_events, hit)},
    {"join", offsetof(struct doctor_events, hit)},       {"bypass", offsetof(struct doctor_events, bypass)},
};

/* Whom a call went to, once. `servers`: a text of `size` bytes. */
static void note_server(char *servers, size_t size, const char *origin)
{
  size_t len = strlen(servers), origin_len = strlen(origin);
  const char *there = servers;
  while ((there = strstr(there, origin)) && there[origin_len] && there[origin_len] != ',')
    there++;
  if (!there && len + origin_len + 3 < size)
    snprintf(servers + len, size - len, "%s%s", len ? ", " : "", origin);
}

/* Adds up the events of a log; `reason` is the last that one of them gave. Events that are not counted by
 * name still show that the library saw something that a rule wanted, but for one that says that none did; a
 * line that is not JSON, or cut short by a kill, is passed over. */
static void count_events(struct doctor_proof *proof, const char *log, struct doctor_events *out, char *reason,
                         size_t size)
{
  for (const char *line = log; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    const char *name = NULL, *why = NULL, *origin = NULL;
    long *count = &out->other;
    /* A line of IDEMSHIM_LOG, as idemshim(7) has it. */
    json_t *event = json_loadb(line, strcspn(line, "\n"), 0, NULL);
    json_unpack(event, "{s:s, s?s, s?s}", "event", &name, "reason", &why, "origin", &origin);
    for (size_t i = 0; name && i < sizeof(counted) / sizeof(counted[0]); i++)
      if (strcmp(counted[i].name, name) == 0)
        count = (long *)((char *)out + counted[i].offset);
    bool untaken = name && strcmp(name, "unmatched") == 0;
    *count += name && !untaken;
    if (why)
      snprintf(reason, size, "%s", why);
    if (origin && (count == &out->live || count == &out->bypass || untaken))
      note_server(proof->servers, sizeof(proof->servers), origin);
    if (origin && untaken)
      note_server(proof->untaken, sizeof(proof->untaken), origin);
    json_decref(event);
  }
}

/* ---- the verdict ---- */

/* Not one event: the library was not in the program, or no rule wanted its calls. */
static bool saw_nothing(const struct doctor_events *events)
{
  return events->live + events->stored + events->hit + events->bypass + events->other == 0;
}

/* An outcome never stands without the sentence that says why. */
static __attribute__((format(printf, 3, 4))) void conclude(struct doctor_proof *proof,
                                                           enum doctor_outcome outcome, const char *format,
                                                           ...)
{
  va_list arguments;
  va_start(arguments, format);
  proof->outcome = outcome;
  vsnprintf(proof->verdict, sizeof(proof->verdict), format, arguments);
  va_end(arguments);
}

/* No call was seen, or none that can be repeated. */
static bool shows_nothing(struct doctor_proof *proof, bool has_url)
{
  const struct doctor_run *first = &proof->runs[0], *second = &proof->runs[1];
  char method[DOCTOR_METHOD_SIZE];
  bool unseen = saw_nothing(&first->events) && saw_nothing(&second->events);
  doctor_server_requests(method);
  if (proof->live && unseen && *proof->untaken)
    conclude(proof, DOCTOR_SHOWS_NOTHING,
             "no rule takes any of its calls, which went out as if idemshim were not there, to %s",
             proof->untaken);
  else if (proof->live && unseen)
    conclude(
        proof, DOCTOR_SHOWS_NOTHING,
        "libidemshim.so saw no call that a rule takes: there was none, or it went to its server past it");
  else if (proof->live)
    return false;
  else if (first->requests + second->requests == 0)
    conclude(
        proof, DOCTOR_SHOWS_NOTHING, "no request arrived: %s",
        has_url
            ? "the program did not call the URL"
            : "write {URL} where the command has the address to call, or add --live if it is in its code");
  else if (unseen && strcmp(method, "POST") != 0)
    conclude(
        proof, DOCTOR_SHOWS_NOTHING,
        "nothing to prove: the request was a %s, and a rule takes POST alone unless it says method=", method);
  else
    return false;
  return true;
}

/* What two runs prove. Both witnesses must agree: the library's events say what it did, and the server's
 * count says whether that is true. From "nothing happened" to "all went as it should"; the first that holds
 * is the verdict. */
static void judge(struct doctor_proof *proof, bool has_url, const char *reason)
{
  const struct doctor_run *first = &proof->runs[0], *second = &proof->runs[1];
  const char *because = *reason ? reason : "its events give no reason"; /* better than any guess */
  if (shows_nothing(proof, has_url))
    return;
  if (saw_nothing(&first->events) && saw_nothing(&second->events))
    conclude(proof, DOCTOR_REFUTED, "not reached: requests arrived, and libidemshim.so saw none of them");
  else if (first->events.stored == 0 && first->events.bypass > 0)
    conclude(proof, DOCTOR_REFUTED, "reached, and sent live untouched: %s", because);
  else if (first->events.stored == 0 || first->events.live == 0)
    conclude(proof, DOCTOR_REFUTED, "reached, and the answer was not stored: %s", because);
  else if (second->requests == 0 && second->events.hit == 0)
    conclude(proof, DOCTOR_SHOWS_NOTHING, "not proven: the second run made no call");
  /* A program may make several calls a run, of which some are equal and some are not. */
  else if (second->requests > 0 && second->events.hit > 0)
    conclude(proof, DOCTOR_PROVEN_PARTLY, "partly: of the second run's calls, %ld %s replayed and %ld sent",
             second->events.hit, idem_word((uint64_t)second->events.hit, "was", "were"), second->requests);
  else if (second->requests > 0)
    conclude(proof, DOCTOR_REFUTED,
             "reached, and not replayed: the second run's request was not the same as the first's");
  else if (proof->live && *proof->untaken)
    conclude(proof, DOCTOR_PROVEN_PARTLY,
             "partly: what a rule takes was replayed; what none takes went out untouched, to %s",
             proof->untaken);
  else
    conclude(proof, DOCTOR_PROVEN,
             "proven: the first run went live and was stored, the second was replayed without a request");
}

/* ---- the experiment ---- */

/* Two runs, one verdict. The second run is the proof: it must not reach the server. The log goes on from the
 * first run to the second, so it is taken away between them. */
static int experiment(const struct bench *bench, struct doctor_proof *proof)
{
  char reason[256] = "";
  for (size_t i = 0; i < 2; i++) {
    int code = run_once(bench, &proof->runs[i]);
    if (code != CLI_OK)
      return code;
    char *log = read_file(bench, "log");
    if (log)
      count_events(proof, log, &proof->runs[i].events, reason, sizeof(reason));
    free(log);
    if (bench->live)
      /* There is no server of ours to count: what the library has let out stands for it. */
      proof->runs[i].requests = proof->runs[i].events.live + proof->runs[i].events.bypass;
    unlinkat(bench->dir, "log", 0);
  }
  judge(proof, bench->has_url, reason);
  return CLI_OK;
}

/* For nftw(); what cannot be removed stays in the temporary directory. */
static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
  (void)info, (void)type, (void)at;
  remove(path);
  return 0;
}

/* Everything that it made is gone when it returns, whatever happened. */
int doctor_prove(struct doctor_proof *proof, int argc, char **argv, bool live)
{
  struct bench bench = {.port = live ? 0 : doctor_server_start(), .live = live};
  int code = CLI_OK;
  *proof = (struct doctor_proof){.live = live};
  if (bench.port < 0)
    return cli_fail(CLI_STORE, "no server for the proof: %s", strerror(errno));
  if (!cli_make_temporary(bench.path, "doctor", CLI_LARGE_DIRECTORY))
    return cli_fail(CLI_STORE, "%s: %s", bench.path, strerror(errno));
  bench.dir = open(bench.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (bench.dir < 0)
    code = cli_fail(CLI_STORE, "%s: %s", bench.path, strerror(errno));
  else if (!prepare_arguments(&bench, argc, argv))
    code = cli_fail(CLI_STORE, "out of memory");
  else
    code = prepare_environment(&bench);
  if (code == CLI_OK)
    code = experiment(&bench, proof);
  for (size_t i = 0; bench.argv && bench.argv[i]; i++)
    free(bench.argv[i]);
  free(bench.argv);
  if (bench.dir >= 0)
    close(bench.dir);
  nftw(bench.path, remove_one, 16, FTW_PHYS | FTW_DEPTH);
  return code;
}
