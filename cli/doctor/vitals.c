/* SPDX-License-Identifier: MIT */
/*
 * What the library in a process shows of itself (config/vitals.h): counted calls, the settings that it has
 * read, the store that it has opened and as whom. It is read from the process's memory, which takes the right
 * to trace it, and nothing of it is trusted: a text has an end because it is given one, and a number is only
 * printed.
 */
#include "cli/doctor/doctor.h"

#include "cli/view/rules.h"
#include "config/vitals.h"
#include "config/words.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The memory of a process that goes on meanwhile. */
struct memory {
  int fd;
};

/* /proc/PID/mem has the addresses as offsets, and fails where nothing is mapped (proc(5)). */
static bool read_memory(const struct memory *memory, const volatile void *at, void *into, size_t size)
{
  return at && pread(memory->fd, into, size, (off_t)(uintptr_t)at) == (ssize_t)size;
}

/* Cut to its room, or where its pages end; "" for NULL. */
static const char *read_text(const struct memory *memory, const char *at, char *into, size_t size)
{
  ssize_t len = at ? pread(memory->fd, into, size - 1, (off_t)(uintptr_t)at) : 0;
  into[len < 0 ? 0 : len] = '\0';
  return into;
}

/* Looks through the writable pages of the library, for its data are there. */
static bool find_vitals(const struct memory *memory, const char *maps, struct idem_vitals *out)
{
  for (const char *line = maps; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    unsigned long first, last;
    char rights[5];
    size_t len = strcspn(line, "\n");
    if (!memmem(line, len, "/libidemshim.so", 15) ||
        sscanf(line, "%lx-%lx %4s", &first, &last, rights) != 3 || rights[1] != 'w' ||
        last - first > 16 << 20)
      continue;
    char *pages = malloc(last - first);
    ssize_t size = pages ? pread(memory->fd, pages, last - first, (off_t)first) : -1;
    const char *at =
        size < 0 ? NULL : memmem(pages, (size_t)size, IDEM_VITALS_MAGIC, sizeof(IDEM_VITALS_MAGIC));
    bool whole = at && pages + size - at >= (ptrdiff_t)sizeof(*out);
    if (whole)
      memcpy((void *)out, at, sizeof(*out));
    free(pages);
    if (whole)
      return true;
  }
  return false;
}

/* ---- what is made of it ---- */

/* The settings are where the library has them: each pointer in them is one more read of that process's
 * memory. */
static void tell_settings(struct doctor *doctor, const struct memory *memory,
                          const struct idem_config *config)
{
  char text[PATH_MAX], value[2];
  for (size_t i = 0; i < sizeof(config->ignored) / sizeof(config->ignored[0]); i++)
    if (*read_text(memory, config->ignored[i], text, sizeof(text)))
      doctor_find(doctor, DOCTOR_CONFIG_IGNORED, "%s", text);
  for (size_t i = 0; idem_variable_docs[i].name; i++) {
    struct idem_given given;
    if (read_memory(memory, config->given + i, &given, sizeof(given)))
      doctor_find_setting(doctor, i,
                          !given.found && *read_text(memory, given.value, value, sizeof(value)) != '\0',
                          *read_text(memory, given.file, text, sizeof(text)) ? text : NULL, given.line);
  }
}

/* By NSS, which a command may ask. Of an unknown user the number alone: "%.0s" takes the argument of the
 * name. */
static const char *user_name(uint32_t uid, char room[64])
{
  const struct passwd *user = getpwuid(uid);
  snprintf(room, 64, user ? "%.40s (%u)" : "%.0s%u", user ? user->pw_name : "", uid);
  return room;
}

/* A store that was opened, or could not be, is in the record; one that nobody has asked for yet only in the
 * settings. */
static void tell_store(struct doctor *doctor, const struct memory *memory, const struct idem_vitals *vitals,
                       const struct idem_config *config)
{
  char dir[PATH_MAX], user[64];
  if (vitals->store == IDEM_VITALS_NO_STORE)
    read_text(memory, config->store_dir, dir, sizeof(dir));
  user_name(vitals->store_uid, user);
  if (vitals->store == IDEM_VITALS_STORE_OPEN)
    doctor_find(doctor, DOCTOR_STORE_OPEN, "%s as user %s", vitals->store_dir, user);
  else if (vitals->store == IDEM_VITALS_STORE_FAILED)
    doctor_find(doctor, DOCTOR_STORE_FAILED, "%s as user %s: %s", vitals->store_dir, user, vitals->problem);
  else
    doctor_find(doctor, DOCTOR_STORE_CLOSED, "%s", dir);
}

/* The library keeps eight servers; calls to further ones are in the number alone. */
static void tell_unmatched(struct doctor *doctor, const struct idem_vitals *vitals)
{
  char hosts[IDEM_VITALS_HOSTS * (sizeof(vitals->host[0].host) + 8)] = "";
  size_t len = 0;
  for (size_t i = 0; i < IDEM_VITALS_HOSTS; i++)
    if (vitals->host[i].state == IDEM_VITALS_HOST_THERE)
      len += (size_t)snprintf(hosts + len, sizeof(hosts) - len, "%s%.63s:%u", len ? ", " : "",
                              vitals->host[i].host, vitals->host[i].port);
  if (vitals->unmatched)
    doctor_find(doctor, DOCTOR_UNMATCHED, "%llu %s met no rule, and went out untouched: %s",
                (unsigned long long)vitals->unmatched, idem_word(vitals->unmatched, "call", "calls"), hosts);
}

/* A call that was neither sent nor passed was answered from the store or the tape, or waits for that. */
static void tell_calls(struct doctor *doctor, const struct idem_vitals *vitals,
                       const struct idem_config *config)
{
  uint64_t matched = 0, sent = vitals->sent, passed = vitals->passed;
  for (size_t i = 0; i < IDEM_VITALS_SHARDS; i++)
    matched += vitals->shard[i].matched;
  uint64_t rest = matched > sent + passed ? matched - sent - passed : 0;
  doctor->counted = matched > 0;
  if (!matched)
    doctor_find(doctor, DOCTOR_NO_CALL, "%zu %s", config->rule_count,
                idem_word(config->rule_count, "rule", "rules"));
  else if (passed < matched || config->mode == IDEM_MODE_RECORD)
    doctor_find(doctor, DOCTOR_COUNTED, "%llu met a rule, of which %llu went out and %llu did not",
                (unsigned long long)matched, (unsigned long long)(matched - rest), (unsigned long long)rest);
  /* Under record a call that goes out is what was asked for, and no shortcoming. */
  if (passed && config->mode != IDEM_MODE_RECORD)
    doctor_find(doctor, passed < matched ? DOCTOR_PASSED : DOCTOR_PASSED_ALL,
                "%llu of its %llu %s went out as if idemshim were not there%s%s", (unsigned long long)passed,
                (unsigned long long)matched, idem_word(matched, "call", "calls"),
                *vitals->why_passed ? "; the first: " : "", vitals->why_passed);
}

/* Without settings no handle of libcurl was made by a function of ours. An empty configuration is one with a
 * mistake, or of a process in which the library is off. */
static void judge(struct doctor *doctor, const struct memory *memory, const struct idem_vitals *vitals)
{
  struct idem_config config;
  if (!read_memory(memory, vitals->config, &config, sizeof(config))) {
    doctor_find(doctor, DOCTOR_NO_HANDLE, "%s", "");
    return;
  }
  if (!config.given) {
    if (*vitals->problem)
      doctor_find(doctor, DOCTOR_CONFIG, "%s", vitals->problem);
    else if (!doctor->secure)
      doctor_find(doctor, DOCTOR_OFF, "%s", "");
    return;
  }
  doctor_find_mode(doctor, config.mode);
  /* The library has the hooks, and its settings may have switched them off. */
  doctor->hooks.dlsym &= config.hook_dl;
  doctor->hooks.dlopen &= config.hook_dl;
  tell_settings(doctor, memory, &config);
  tell_calls(doctor, vitals, &config);
  tell_unmatched(doctor, vitals);
  tell_store(doctor, memory, vitals, &config);
  if (*vitals->problem && vitals->store != IDEM_VITALS_STORE_FAILED)
    doctor_find(doctor, DOCTOR_PROBLEM, "%s", vitals->problem);
}

/* Where its memory may not be read, or the library in it is of another version, `unseen` stays true, and
 * nothing is concluded from what is not known. */
void doctor_look_at_vitals(struct doctor *doctor, const char *maps)
{
  char path[64];
  struct idem_vitals vitals;
  snprintf(path, sizeof(path), "/proc/%d/mem", (int)doctor->pid);
  struct memory memory = {open(path, O_RDONLY | O_CLOEXEC)};
  doctor->unseen = true;
  if (memory.fd < 0) {
    doctor_find(doctor, DOCTOR_UNREADABLE, "%s", strerror(errno));
    return;
  }
  bool found = find_vitals(&memory, maps, &vitals);
  vitals.version[sizeof(vitals.version) - 1] = '\0';
  vitals.store_dir[sizeof(vitals.store_dir) - 1] = '\0';
  vitals.problem[sizeof(vitals.problem) - 1] = '\0';
  vitals.why_passed[sizeof(vitals.why_passed) - 1] = '\0';
  /* The sizes, too: a build from between two versions may have the number of one and the layout of
   * another. */
  doctor->unseen = !found || strcmp(vitals.version, IDEM_VERSION) != 0 || vitals.size != sizeof(vitals) ||
                   vitals.config_size != sizeof(struct idem_config);
  if (doctor->unseen)
    doctor_find(doctor, DOCTOR_OTHER_VERSION, "%s", "");
  else
    judge(doctor, &memory, &vitals);
  close(memory.fd);
}
