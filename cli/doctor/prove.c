/* SPDX-License-Identifier: MIT */
/*
 * The experiment: a directory, an empty store, a server on the loopback; the command is run twice, and both the
 * library's events and the server's count are kept. Nothing of the user's is touched: variables that would lead the
 * request elsewhere are unset, the store and the log are in the directory, which goes at the end. The command itself
 * is the user's, and does what it does.
 */
#include "cli/doctor/prove.h"

#include "cli/command/command.h"
#include "cli/doctor/prove_judge.h"
#include "cli/doctor/prove_server.h"
#include "cli/launch/launch.h"
#include "cli/output/output.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A program that asks a question at its start, or serves for ever, must not keep the doctor. */
enum { DEADLINE_MS = 60000, STEP_MS = 1000 };

/* The place of the experiment. */
struct bench {
  char dir[PATH_MAX];
  char **argv; /* with the address filled in */
  bool has_url;
  struct doctor_server *server;
};

/* A name in our directory, for the caller to free; NULL without memory. */
static char *path_in(const struct bench *bench, const char *name)
{
  char *path = NULL;
  return asprintf(&path, "%s/%s", bench->dir, name) < 0 ? NULL : path;
}

/* The whole of a file in our directory, "" if there is none; the caller frees it. */
static char *read_file(const struct bench *bench, const char *name)
{
  char *path = path_in(bench, name), *text = NULL;
  size_t size;
  FILE *file = path ? fopen(path, "re") : NULL;
  if (file && getdelim(&text, &size, '\0', file) < 0) {
    free(text);
    text = NULL;
  }
  if (file)
    fclose(file);
  free(path);
  return text ? text : strdup("");
}

/* ---- preparing ---- */

/* What would lead the request elsewhere, or have it treated in another way than by default. */
static const char *const unwanted[] = {
    "IDEMSHIM_MODE", "IDEMSHIM_RULES", "IDEMSHIM_SCOPE", "IDEMSHIM_TAPE", "IDEMSHIM_STORE_SIZE",
    "http_proxy",    "HTTP_PROXY",     "all_proxy",      "ALL_PROXY",
};

/* Variables that name files of the experiment. */
static void set_variable(const struct bench *bench, const char *variable, const char *name)
{
  char *path = path_in(bench, name);
  if (path)
    setenv(variable, path, 1);
  free(path);
}

/* Our own environment is changed, since the commands inherit it and this process ends after the
 * proof. */
static int prepare_environment(const struct bench *bench)
{
  char host[32];
  for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
    unsetenv(unwanted[i]);
  snprintf(host, sizeof(host), "127.0.0.1:%d", bench->server->port);
  setenv("IDEMSHIM_HOSTS", host, 1);
  setenv("IDEMSHIM_SYNC", "off", 1);
  set_variable(bench, "IDEMSHIM_STORE", "store");
  set_variable(bench, "IDEMSHIM_LOG", "log");
  return cli_preload_library();
}

/* The caller frees it. */
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

/* False without memory; what was made is freed by release(). */
static bool prepare_arguments(struct bench *bench, int argc, char **argv)
{
  bench->argv = calloc((size_t)argc + 1, sizeof(*bench->argv));
  for (int i = 0; bench->argv && i < argc; i++)
    if (!(bench->argv[i] = fill_in(argv[i], bench->server->port, &bench->has_url)))
      return false;
  return bench->argv;
}

/* ---- one run ---- */

/* Output goes to a file, since a pipe that nobody reads would stop the command. */
static void redirect(const struct bench *bench, const char *name, int to)
{
  char *path = path_in(bench, name);
  int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
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

/* A clock that nobody sets. */
static long now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Serves until the command has ended or its time is over. */
static bool serve(const struct bench *bench, pid_t pid)
{
  long deadline = now_ms() + DEADLINE_MS;
  int end = pidfd_open(pid, 0);
  bool ended = false;
  while (end >= 0 && !ended && now_ms() < deadline)
    ended = doctor_server_step(bench->server, end, STEP_MS);
  if (end >= 0)
    close(end);
  return ended;
}

/* A command that was killed has no exit status, and one that exited no signal. */
static void note_end(struct doctor_run *run, pid_t pid)
{
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    continue;
  run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  run->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* The last line of its standard error is what a person would read first. */
static void note_complaint(const struct bench *bench, struct doctor_run *run)
{
  char *text = read_file(bench, "err"), *last = text;
  if (text && run->status != 0) {
    for (size_t len = strlen(text); len && text[len - 1] == '\n';)
      text[--len] = '\0';
    last = strrchr(text, '\n');
    snprintf(run->complaint, sizeof(run->complaint), "%s", last ? last + 1 : text);
  }
  free(text);
}

/* One run: start, serve, wait, note. CLI_STORE if the command cannot be started at all. */
static int run_once(const struct bench *bench, struct doctor_run *run)
{
  long before = bench->server->requests;
  pid_t pid = fork();
  if (pid == 0)
    become(bench);
  if (pid < 0)
    return cli_fail(CLI_STORE, "%s cannot be started: %s", bench->argv[0], strerror(errno));
  run->timed_out = !serve(bench, pid);
  if (run->timed_out && kill(-pid, SIGKILL) < 0)
    kill(pid, SIGKILL);
  note_end(run, pid);
  note_complaint(bench, run);
  run->requests = bench->server->requests - before;
  return CLI_OK;
}

/* ---- the experiment ---- */

/* The log goes on from the first run to the second, so it is taken away between them. */
static void take_log(const struct bench *bench, struct doctor_run *run, char *reason, size_t size)
{
  char *log = read_file(bench, "log"), *path = path_in(bench, "log");
  if (log)
    doctor_count_events(log, &run->events, reason, size);
  if (path)
    unlink(path);
  free(path);
  free(log);
}

/* Two runs, one verdict. The second run is the proof: it must not reach the server. */
static int experiment(const struct bench *bench, struct doctor_proof *proof)
{
  char reason[256] = "";
  for (size_t i = 0; i < 2; i++) {
    int code = run_once(bench, &proof->runs[i]);
    if (code != CLI_OK)
      return code;
    take_log(bench, &proof->runs[i], reason, sizeof(reason));
  }
  struct doctor_evidence evidence = {
      .method = bench->server->method, .reason = reason, .has_url = bench->has_url};
  doctor_judge(proof, &evidence);
  return CLI_OK;
}

/* For nftw(); what cannot be removed stays in the temporary directory. */
static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
  (void)info, (void)type, (void)at;
  remove(path);
  return 0;
}

/* On every path out, also half prepared. */
static void release(struct bench *bench)
{
  doctor_server_free(bench->server);
  for (size_t i = 0; bench->argv && bench->argv[i]; i++)
    free(bench->argv[i]);
  free(bench->argv);
  if (*bench->dir)
    nftw(bench->dir, remove_one, 16, FTW_PHYS | FTW_DEPTH);
}

/* Everything that it made is gone when it returns, whatever happened. */
int doctor_prove(struct doctor_proof *proof, int argc, char **argv)
{
  struct bench bench = {.server = doctor_server_new()};
  int code = CLI_OK;
  *proof = (struct doctor_proof){.proven = false};
  const char *tmp = getenv("TMPDIR");
  snprintf(bench.dir, sizeof(bench.dir), "%s/idemshim-doctor.XXXXXX", tmp && *tmp ? tmp : P_tmpdir);
  if (!mkdtemp(bench.dir)) {
    code = cli_fail(CLI_STORE, "%s: %s", bench.dir, strerror(errno));
    bench.dir[0] = '\0';
  } else if (!bench.server || !prepare_arguments(&bench, argc, argv)) {
    code = cli_fail(CLI_STORE, "no server for the proof: %s", strerror(errno));
  } else {
    code = prepare_environment(&bench);
  }
  if (code == CLI_OK)
    code = experiment(&bench, proof);
  release(&bench);
  return code;
}
