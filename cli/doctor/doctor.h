/* SPDX-License-Identifier: MIT */
/*
 * doctor: is a program covered, and why?
 *
 * Each look adds findings to the patient; the weights of the findings make the verdict:
 *
 *     doctor_find(doctor, DOCTOR_LINKED, "libcurl %s", version);
 *     ...
 *     enum doctor_verdict verdict = doctor_verdict(doctor);
 */
#ifndef IDEMSHIM_CLI_DOCTOR_H
#define IDEMSHIM_CLI_DOCTOR_H

#include "cli/elf/elf_load.h"
#include "cli/launch/program.h"
#include "config/config.h"

#include <sys/types.h>

/* What can be found: DOCTOR_LINKED and so on, a row of findings.def each. */
enum doctor_kind {
#define X(kind, code, weight, text, next) DOCTOR_##kind,
#include "cli/doctor/findings.def"
#undef X
};

/* How a finding counts. NOTE changes nothing; COVERS says that calls are reached, MAYBE that some are if they
 * are made; UNKNOWN that there may be calls that nothing tells of; LIMITS that some pass by; BLOCKS that none
 * can be reached. */
enum doctor_weight { DOCTOR_NOTE, DOCTOR_COVERS, DOCTOR_MAYBE, DOCTOR_UNKNOWN, DOCTOR_LIMITS, DOCTOR_BLOCKS };
/* The doctor's answer. COVERED: its calls are reached, and nothing that was found passes by. PARTLY: some
 * are, or may be, and some pass by. NOT_COVERED: none can be, or none was found that is. CANNOT_TELL: what is
 * there may be reached, and nothing says whether it is used. */
enum doctor_verdict { DOCTOR_COVERED, DOCTOR_PARTLY, DOCTOR_NOT_COVERED, DOCTOR_CANNOT_TELL };

/* What is said of a kind; "{}" in either text stands for what the finding is about. */
struct doctor_row {
  const char *code; /* for programs */
  enum doctor_weight weight;
  const char *text;
  const char *next; /* what to do, or NULL */
};

/* A row, with what it is about filled in. Both texts are the doctor's to free. */
struct doctor_finding {
  const struct doctor_row *row;
  char *text, *next; /* with "{}" filled in; `next` may be NULL */
};

/* A libcurl, as its file tells. */
struct doctor_libcurl {
  const char *path;
  char version[24]; /* "7.88.1", or "?" */
  const char *tls;  /* "OpenSSL", "GnuTLS", ..., or "TLS unknown" */
};

/* Enough for any program; a patient with more is told the first of them. */
enum { DOCTOR_MOST_FINDINGS = 48, DOCTOR_MOST_LIBCURLS = 4 };

/* The patient, and all that has been found. Filled by the looks, released once. */
struct doctor {
  const char *subject; /* the command or the PID as it was typed */
  pid_t pid;           /* 0: a command */
  struct cli_program program;
  struct cli_objects objects; /* the program is the first */
  char *library;              /* libidemshim.so; NULL if it is nowhere */
  bool counted;               /* calls of the process have come to that library */
  bool secure;                /* a process with more rights than who started it */
  bool unseen;                /* a process of which the library's own record cannot be read */
  struct {
    bool multi, dlsym, dlopen;
  } hooks; /* what that library can do, as its exports say */
  struct doctor_libcurl libcurls[DOCTOR_MOST_LIBCURLS];
  size_t libcurl_count;
  struct doctor_finding findings[DOCTOR_MOST_FINDINGS];
  size_t finding_count;
};

/* Adds a finding about something (printf style). One that is there already is not added again. */
void doctor_find(struct doctor *doctor, enum doctor_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* With a proof, what that shows, whatever files say; `proof` may be NULL. */
struct doctor_proof;
enum doctor_verdict doctor_verdict(const struct doctor *doctor, const struct doctor_proof *proof);
void doctor_release(struct doctor *doctor);

/* The looks. Those that return something return an enum cli_exit, and have said why nothing can be read. */
int doctor_look_at_command(struct doctor *doctor, const char *name);
int doctor_look_at_process(struct doctor *doctor);
void doctor_look_at_library(struct doctor *doctor);
void doctor_look_at_calls(
    struct doctor *doctor); /* all ways in which it may make them; the next is one of these */
void doctor_look_at_libcurl(struct doctor *doctor);
void doctor_look_at_plugins(struct doctor *doctor);
void doctor_look_at_versions(struct doctor *doctor);

/* Files that a program may load: what `pattern` finds, in which "{}" is the directory above the program's,
 * and "~" the user's home. */
struct doctor_module {
  const char *name; /* what people call it; NULL: as its file, and it may be anything */
  const char *pattern;
  bool ffi;  /* it opens libcurl by name, and its being there is enough */
  bool deep; /* it is opened past every preload */
  bool only; /* the program makes no call in another way */
};
void doctor_look_at_module(struct doctor *doctor, const struct doctor_module *module);
/* A library that runs code of others, or that needs one. */
void doctor_look_at_language(struct doctor *doctor, const struct cli_object *object);

/* What LD_PRELOAD holds (NULL: unset) and /etc/ld.so.preload: objects that take the same calls. */
void doctor_look_at_preloads(struct doctor *doctor, const char *preload);

/* What IDEMSHIM_* variables and files would make of a command, and what they have made of a process. */
void doctor_look_at_config(struct doctor *doctor);
void doctor_look_at_vitals(struct doctor *doctor, const char *maps);

/* Of both: a mode that is not the usual one, and a setting, by its place in
 * idem_variable_docs, that is given. */
void doctor_find_mode(struct doctor *doctor, enum idem_mode mode);
void doctor_find_setting(struct doctor *doctor, size_t number, bool has_value, const char *file,
                         unsigned line);

/* How a set of objects uses libcurl. */
struct doctor_use {
  const struct cli_object *libcurl; /* NULL: none */
  const struct cli_object *caller;  /* of curl_easy_perform or, if there is none, of the multi interface */
  bool easy, multi;
};
/* Looks at imports and exports alone, so it tells what could be called and not what will be. */
struct doctor_use doctor_use_of(const struct cli_objects *objects);
/* What a libcurl's file tells of itself; nothing of it is run. */
struct doctor_libcurl doctor_read_libcurl(const struct cli_object *libcurl);

/* "libcurl/7." or "libcurl/8." and so on: the version of a libcurl that is somewhere in the file; NULL for
 * none. */
const char *doctor_find_version(const struct cli_elf *elf);

/* Both print, and return an enum cli_exit. `proof` is NULL without one. */
int doctor_print(const struct doctor *doctor, const struct doctor_proof *proof);
int doctor_print_json(const struct doctor *doctor, const struct doctor_proof *proof);

#endif
