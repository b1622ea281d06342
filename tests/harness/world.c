/* SPDX-License-Identifier: MIT */
#include "tests/harness/own.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Environment. */

/* What would send a test's traffic elsewhere, or let the shim of an outer run in. */
static const char *const unwanted[] = {
    "IDEMSHIM_",   "LD_PRELOAD=",     "http_proxy=", "https_proxy=", "all_proxy=",
    "HTTP_PROXY=", "HTTPS_PROXY=",    "ALL_PROXY=",  "no_proxy=",    "NO_PROXY=",
    "CURL_",       "XDG_CACHE_HOME=", "CURLRC=",
};

static bool is_unwanted(const char *variable)
{
  for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
    if (!strncmp(variable, unwanted[i], strlen(unwanted[i])))
      return true;
  return false;
}

static void env_append(struct world *w, char *variable)
{
  w->env = realloc(w->env, (w->env_count + 1) * sizeof *w->env);
  if (!w->env || !variable)
    give_up("out of memory");
  w->env[w->env_count++] = variable;
}

void world_unset(struct world *w, const char *name)
{
  size_t len = strlen(name), kept = 0;

  for (size_t i = 0; i < w->env_count; i++) {
    if (!strncmp(w->env[i], name, len) && w->env[i][len] == '=')
      free(w->env[i]);
    else
      w->env[kept++] = w->env[i];
  }
  w->env_count = kept;
}

void world_env(struct world *w, const char *name, const char *format, ...)
{
  char *value, *variable;
  va_list args;

  va_start(args, format);
  if (vasprintf(&value, format, args) < 0 || asprintf(&variable, "%s=%s", name, value) < 0)
    give_up("out of memory");
  va_end(args);
  free(value);
  world_unset(w, name);
  env_append(w, variable);
}

void world_store_anew(struct world *w)
{
  static unsigned stores;

  snprintf(w->store, sizeof w->store, "%s/store-%u", w->dir, ++stores);
  world_env(w, "IDEMSHIM_STORE", "%s", w->store);
}

char **world_environment(const struct world *w, const char *extra)
{
  char **env = calloc(w->env_count + 2, sizeof *env);

  if (!env)
    give_up("out of memory");
  memcpy(env, w->env, w->env_count * sizeof *env);
  env[w->env_count] = (char *)(uintptr_t)extra;
  return env;
}

static void fill_environment(struct world *w)
{
  const char *path = getenv("PATH");

  for (char **variable = environ; *variable; variable++)
    if (!is_unwanted(*variable))
      env_append(w, strdup(*variable));
  world_env(w, "PATH", "%s/tests:%s:%s", w->build, w->build, path ? path : "/usr/bin:/bin");
  world_env(w, "HOME", "%s", w->dir);
  world_env(w, "IDEMSHIM_STORE", "%s", w->store);
  world_env(w, "IDEMSHIM_LOG", "%s", w->log);
  world_env(w, "IDEMSHIM_SYNC", "off");
  world_env(w, "IDEMSHIM_CONFIG", "none");
}

/* Texts. */

const char *world_text(struct world *w, const char *format, ...)
{
  char *text = w->texts[w->next_text++ % (sizeof w->texts / sizeof *w->texts)];
  va_list args;
  int len;

  va_start(args, format);
  len = vsnprintf(text, sizeof *w->texts, format, args);
  va_end(args);
  if (len < 0 || (size_t)len >= sizeof *w->texts)
    give_up("longer than a text of the harness can be: %s", text);
  return text;
}

const char *world_url(struct world *w, const char *target)
{
  return world_text(w, "http://127.0.0.1:%d%s", w->port, target);
}

const char *world_tls_url(struct world *w, const char *target)
{
  return world_text(w, "https://127.0.0.1:%d%s", w->tls_port, target);
}

const char *world_path(struct world *w, const char *name)
{
  return world_text(w, "%s/%s", w->dir, name);
}

const char *world_write(struct world *w, const char *name, const void *bytes, size_t len)
{
  const char *path = world_path(w, name);
  FILE *file = fopen(path, "we");

  /* Some of them are refused if others may write them. */
  if (!file || fchmod(fileno(file), 0644) < 0 || fwrite(bytes, 1, len, file) != len || fclose(file))
    give_up("cannot write %s: %m", path);
  return path;
}

bool world_has(const struct world *w, const char *program)
{
  char path[PATH_MAX + 256];

  snprintf(path, sizeof path, "%s/tests/%s", w->build, program);
  if (!access(path, X_OK))
    return true;
  snprintf(path, sizeof path, "%s/%s", w->build, program);
  return !access(path, X_OK);
}

/* Opening and closing. */

static void make_directory(struct world *w)
{
  const char *build = getenv("IDEM_BUILD"), *tmp = getenv("TMPDIR");

  if (!realpath(build && *build ? build : "build", w->build))
    give_up("no build directory '%s': %m", build ? build : "build");
  if ((size_t)snprintf(w->dir, sizeof w->dir, "%s/idemshim-test.XXXXXX", tmp ? tmp : P_tmpdir) >=
          sizeof w->dir ||
      !mkdtemp(w->dir))
    give_up("cannot make %s: %m", w->dir);
  snprintf(w->store, sizeof w->store, "%s/store", w->dir);
  snprintf(w->log, sizeof w->log, "%s/log", w->dir);
}

void world_open(struct world *w, int flags)
{
  char certs[PATH_MAX];

  memset(w, 0, sizeof *w);
  w->mock_input = -1;
  orphans_adopt();
  make_directory(w);
  fill_environment(w);
  if (flags & WORLD_TLS) {
    certs_make(w, certs, sizeof certs);
    if ((size_t)snprintf(w->ca, sizeof w->ca, "%s/ca.pem", certs) >= sizeof w->ca)
      give_up("the build directory's name is too long");
    world_env(w, "CURL_CA_BUNDLE", "%s", w->ca);
  }
  mock_start(w, flags & WORLD_TLS ? certs : NULL);
  if (w->tls_port)
    world_env(w, "IDEMSHIM_HOSTS", "127.0.0.1:%d,127.0.0.1:%d", w->port, w->tls_port);
  else
    world_env(w, "IDEMSHIM_HOSTS", "127.0.0.1:%d", w->port);
}

/* A test may have taken its own permissions away. */
static int make_searchable(const char *path, const struct stat *info, int type, struct FTW *at)
{
  (void)info;
  (void)at;
  if (type == FTW_D || type == FTW_DNR)
    chmod(path, 0700);
  return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
  (void)info;
  (void)type;
  (void)at;
  remove(path);
  return 0;
}

void world_close(struct world *w)
{
  if (!*w->dir)
    return;
  orphans_kill(w);
  mock_stop(w);
  nftw(w->dir, make_searchable, 16, FTW_PHYS);
  nftw(w->dir, remove_one, 16, FTW_PHYS | FTW_DEPTH);
  for (size_t i = 0; i < w->env_count; i++)
    free(w->env[i]);
  free(w->env);
  memset(w, 0, sizeof *w);
}

/* Certificates. */

static void run_test_certs(const char *dir)
{
  pid_t pid = fork();
  int status;

  if (!pid) {
    execl("scripts/test-certs", "test-certs", dir, (char *)NULL);
    _exit(127);
  }
  if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
    give_up("scripts/test-certs failed");
}

/* Tests run side by side and share one set; a lock keeps a reader from a half renewed one. */
void certs_make(const struct world *w, char *dir, size_t size)
{
  char lock_path[PATH_MAX + 32];
  int lock;

  if ((size_t)snprintf(dir, size, "%s/tests/certs", w->build) >= size)
    give_up("the build directory's name is too long");
  snprintf(lock_path, sizeof lock_path, "%s.lock", dir);
  lock = open(lock_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX))
    give_up("cannot lock %s: %m", lock_path);
  run_test_certs(dir);
  close(lock);
}
