/* SPDX-License-Identifier: MIT */
#include "shim/runtime/unmatched.h"

#include "config/kernel.h"
#include "shim/runtime/app_stderr.h"
#include "shim/runtime/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_usual(uint16_t port)
{
  return port == 443 || port == 80;
}

static bool is_same(const struct idem_vitals_host *host, const struct idem_target *target)
{
  return host->port == target->port && strncmp(host->host, target->host, target->host_len) == 0 &&
         !host->host[target->host_len];
}

/* Puts it in the first place that is free. False if it is there already; one that has no room is new each
 * time, since a replay sends nothing in silence. */
static bool add(const struct idem_target *target)
{
  if (target->host_len >= sizeof(vitals.host[0].host))
    return true;
  for (size_t i = 0; i < IDEM_VITALS_HOSTS; i++) {
    struct idem_vitals_host *host = &vitals.host[i];
    uint32_t state = IDEM_VITALS_HOST_FREE;
    if (atomic_load_explicit(&host->state, memory_order_acquire) == IDEM_VITALS_HOST_THERE &&
        is_same(host, target))
      return false;
    if (!atomic_compare_exchange_strong(&host->state, &state, IDEM_VITALS_HOST_BEGUN))
      continue;
    host->port = target->port;
    snprintf(host->host, sizeof(host->host), "%.*s", (int)target->host_len, target->host);
    snprintf(host->method, sizeof(host->method), "%.*s", (int)target->method_len, target->method);
    atomic_store_explicit(&host->state, IDEM_VITALS_HOST_THERE, memory_order_release);
    return true;
  }
  return true;
}

/* ---- the line at the exit ---- */

/* Says what would have such calls treated. Where rules name the host they leave this call alone on
 * purpose. */
static void say_way_out(const struct idem_vitals_host *first, const char *hosts, char *out, size_t size)
{
  const struct idem_config *config = settings();
  for (size_t i = 0; i < config->rule_count; i++)
    if ((!config->rules[i].port || config->rules[i].port == first->port) &&
        idem_glob(config->rules[i].host, first->host, strlen(first->host), true)) {
      snprintf(out, size, "why not: idemshim check %s https://%s/PATH", first->method, first->host);
      return;
    }
  if (strcmp(first->method, "POST") == 0)
    snprintf(out, size, "to have them treated: --hosts %s", hosts);
  else
    snprintf(out, size, "to have them treated: --rules 'host=%s method=%s'", first->host, first->method);
}

/* The user's own in the first place that can be written to, with the number of the last run that has spoken
 * in each slot. It is never larger than its slots, and needs nobody to remove it. */
static int open_marks(void)
{
  static const char *const places[] = {"XDG_RUNTIME_DIR", "TMPDIR", NULL};
  struct stat status;
  char path[PATH_MAX];
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
    const char *dir = places[i] ? getenv(places[i]) : "/tmp";
    if (!dir || dir[0] != '/' ||
        snprintf(path, sizeof(path), "%s/idemshim-runs.%u", dir, (unsigned)geteuid()) >= (int)sizeof(path))
      continue;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    /* Anybody may have laid something in /tmp, also another name of a file of the user's. */
    if (fd >= 0 && idem_fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
        status.st_nlink == 1)
      return fd;
    if (fd >= 0)
      close(fd);
  }
  return -1;
}

/* One process of a run speaks for all: a shell's loop would say it a hundred times. Two that end at once may
 * both; none is silent for want of a place, or because its number falls on that of another run. */
static bool may_speak(void)
{
  enum { SLOTS = 4096 };
  uint64_t run = settings()->run, spoken = 0;
  off_t slot = (off_t)(run / 2 % SLOTS * sizeof(run)); /* they are odd */
  int fd = run ? open_marks() : -1;
  if (fd < 0)
    return true;
  bool first = pread(fd, &spoken, sizeof(spoken), slot) != sizeof(spoken) || spoken != run;
  /* Where it cannot be written down, each of them speaks. */
  if (first && lseek(fd, slot, SEEK_SET) == slot)
    app_stderr_write_without_signal(fd, (const char *)&run, sizeof(run));
  close(fd);
  return first;
}

static void tell(void)
{
  char hosts[IDEM_VITALS_HOSTS * (sizeof(vitals.host[0].host) + 8)] = "", way_out[sizeof(hosts) + 64];
  char program[16] = "this program"; /* as ps shows it; others of the same run may have met one */
  unsigned long long count = atomic_load(&vitals.unmatched);
  size_t len = 0;
  if (!count || vitals_matched() || !may_speak())
    return;
  (void)prctl(PR_GET_NAME, program);
  /* The count is of this process. */
  const char *others = settings()->run ? "; other processes of this run do not say it again" : "";
  for (size_t i = 0; i < IDEM_VITALS_HOSTS; i++) {
    const struct idem_vitals_host *host = &vitals.host[i];
    if (atomic_load_explicit(&host->state, memory_order_acquire) != IDEM_VITALS_HOST_THERE)
      continue;
    len += (size_t)snprintf(hosts + len, sizeof(hosts) - len, "%s%s", len ? "," : "", host->host);
    if (!is_usual(host->port))
      len += (size_t)snprintf(hosts + len, sizeof(hosts) - len, ":%u", host->port);
  }
  if (!len) { /* their names are longer than what is kept of one */
    report_line_to_stderr("no call of %s met a rule: %llu went out as if idemshim were not there; why not: "
                          "idemshim check URL%s",
                          program, count, others);
    return;
  }
  say_way_out(&vitals.host[0], hosts, way_out, sizeof(way_out));
  report_line_to_stderr("no call of %s met a rule: %llu went out as if idemshim were not there, to %s; %s%s",
                        program, count, hosts, way_out, others);
}

void unmatched_note(const struct idem_target *target, bool https)
{
  static atomic_flag registered = ATOMIC_FLAG_INIT;
  char origin[300]; /* a name of DNS has at most 253 bytes, and one that is cut is only told of */
  int saved = errno;
  /* A call that is none of our business makes no system call of ours, where nobody has asked to be told. */
  if (add(target) && (settings()->summary || settings()->mode == IDEM_MODE_REPLAY)) {
    int len = snprintf(origin, sizeof(origin), "%s://%.*s:%u", https ? "https" : "http",
                       (int)target->host_len, target->host, target->port);
    len = len < (int)sizeof(origin) ? len : (int)sizeof(origin) - 1;
    struct idem_request request = {.method = {target->method, target->method_len},
                                   .origin = {origin, (size_t)len},
                                   .path = {target->path, target->path_len}};
    report_event(&(struct event){.name = "unmatched", .ms = -1, .request = &request});
    if (settings()->mode == IDEM_MODE_REPLAY)
      report_line(
          "%.*s %s%.*s goes out: neither its server nor a rule for it is on the tape; --offline refuses it",
          (int)target->method_len, target->method, origin, (int)target->path_len, target->path);
    if (settings()->summary && !atomic_flag_test_and_set(&registered))
      atexit(tell);
  }
  errno = saved;
}
