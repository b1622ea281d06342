/* SPDX-License-Identifier: MIT */
/* A verdict is made of findings, and a finding is a row of one table: its weight decides, its
 * text says why, its `next` says what to do. So what the doctor knows can be read in this file
 * alone; the looks only say which rows hold. */
#include "cli/doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char prove[] = "see it happen: idemshim doctor --prove COMMAND with {URL} for the address";
static const char ask_about_it[] = "ask about the program that makes the calls: idemshim doctor PROGRAM";
static const char other_way[] = "have it make its calls through a libcurl that is linked dynamically";

/* By kind. The order of output is the order in which the looks find things; weights only decide
 * the verdict. */
static const struct doctor_row rows[] = {
    [DOCTOR_LINKED] = {"linked", DOCTOR_COVERS, "calls {} through the dynamic linker", prove},
    [DOCTOR_LOADED] = {"loaded", DOCTOR_COVERS, "has loaded {}", NULL},
    [DOCTOR_MAPPED] = {"mapped", DOCTOR_NOTE, "has libidemshim.so in memory", NULL},
    [DOCTOR_STORE_OPEN] = {"store-open", DOCTOR_NOTE, "has the store open: a call has met a rule", NULL},
    [DOCTOR_STORE_CLOSED] = {"store-closed", DOCTOR_NOTE,
                             "has not opened the store: no call has met a rule yet",
                             "see which rule a call meets: idemshim check URL"},

    [DOCTOR_MODULE] = {"module", DOCTOR_MAYBE, "covered where it uses {}", prove},
    [DOCTOR_OPENS] = {"opens", DOCTOR_MAYBE,
                      "opens {} by itself, and is reached through the dlopen/dlsym hooks", prove},
    [DOCTOR_EXPORTED] =
        {"static-exported", DOCTOR_MAYBE,
         "{} has a libcurl inside that it calls where the dynamic linker says: within reach of a preload",
         prove},
    [DOCTOR_STARTER] = {"starts-others", DOCTOR_MAYBE,
                        "{} makes no calls; the programs that it starts get the preload too", ask_about_it},
    [DOCTOR_FFI] = {"ffi", DOCTOR_NOTE, "{}: reached through the dlopen/dlsym hooks", NULL},

    [DOCTOR_MULTI_TOO] = {"multi-too", DOCTOR_NOTE,
                          "{} can use the multi interface too, whose calls go out live, untouched", NULL},
    [DOCTOR_MULTI_ONLY] = {"multi-only", DOCTOR_LIMITS,
                           "{} uses the multi interface alone, whose calls go out live, untouched", NULL},
    [DOCTOR_MODULE_MULTI] = {"module-multi", DOCTOR_LIMITS,
                             "{} uses the multi interface alone, whose calls go out live, untouched", NULL},
    [DOCTOR_MODULE_DEEP] = {"deepbind", DOCTOR_LIMITS,
                            "{} is opened past every preload (RTLD_DEEPBIND), and there is no dlopen hook",
                            "leave IDEMSHIM_HOOK_DL on, with a libidemshim.so that has the hook"},
    [DOCTOR_MODULE_OWN] = {"module-own", DOCTOR_NOTE, "{} has a libcurl of its own inside, out of reach",
                           NULL},
    [DOCTOR_FFI_MISSED] = {"ffi-missed", DOCTOR_NOTE, "{}: not reached without the dlsym hook",
                           "leave IDEMSHIM_HOOK_DL on, with a libidemshim.so that has the hook"},
    [DOCTOR_OPENS_MISSED] = {"opens-missed", DOCTOR_LIMITS, "opens {} by itself, and there is no dlsym hook",
                             "leave IDEMSHIM_HOOK_DL on, with a libidemshim.so that has the hook"},
    [DOCTOR_HIDDEN] = {"static-hidden", DOCTOR_LIMITS, "{} has a libcurl inside, out of reach of a preload",
                       other_way},
    [DOCTOR_GO] = {"go", DOCTOR_LIMITS, "{} is a Go program, and Go has an HTTP stack of its own", NULL},
    [DOCTOR_RUST] = {"rust", DOCTOR_LIMITS, "it is a Rust program with an HTTP stack of its own ({})", NULL},
    [DOCTOR_OWN_STACK] = {"own-stack", DOCTOR_LIMITS, "not covered: {}, which do not use libcurl", NULL},
    [DOCTOR_PHP_STREAMS] =
        {"php-streams", DOCTOR_LIMITS,
         "not covered: PHP streams (file_get_contents, Guzzle with stream=true)",
         "php -d allow_url_fopen=0 puts Guzzle's streams back on libcurl (with the body in one piece)"},
    [DOCTOR_OLD] = {"old", DOCTOR_LIMITS, "libcurl {} is older than 7.68, the oldest that is supported",
                    NULL},
    [DOCTOR_NO_TURNS] =
        {"no_turns", DOCTOR_LIMITS,
         "{} calls its own functions directly, so a call that times out in curl_easy_perform is not finished",
         NULL},
    [DOCTOR_UNUSED] = {"unused", DOCTOR_LIMITS,
                       "{} is linked, and nothing calls a transfer function of it by name", NULL},
    [DOCTOR_NONE] = {"none", DOCTOR_LIMITS, "no libcurl in it, nor in the {} it starts with",
                     "if it opens plugins, ask while it runs: idemshim doctor PID; or with --prove"},
    [DOCTOR_MISSING] = {"missing", DOCTOR_LIMITS, "it needs {}, which is not found: it will not start",
                        "install that library, or set LD_LIBRARY_PATH"},
    [DOCTOR_OTHER_FIRST] = {"other-first", DOCTOR_LIMITS,
                            "another preload comes first and takes the same calls: {}",
                            "put libidemshim.so before it in LD_PRELOAD"},
    [DOCTOR_OTHER_AFTER] = {"other-after", DOCTOR_NOTE,
                            "another preload takes the same calls, and comes after ours: {}", NULL},
    [DOCTOR_MODE] = {"mode", DOCTOR_BLOCKS, "IDEMSHIM_MODE is {}: every call goes out live",
                     "unset IDEMSHIM_MODE, or set it to idempotent"},
    [DOCTOR_CONFIG] = {"config", DOCTOR_BLOCKS,
                       "the configuration has a mistake, so every call goes out live: {}",
                       "idemshim check says what is in force"},

    [DOCTOR_PRIVILEGE] = {"privilege", DOCTOR_BLOCKS,
                          "{}, and the dynamic linker gives such programs no preload",
                          "run it as a user for whom it has no extra rights, or a copy without them"},
    [DOCTOR_LINKAGE] = {"linkage", DOCTOR_BLOCKS, "{}, and cannot be given a preload",
                        "use a build of it that is linked dynamically with this system's libraries"},
    [DOCTOR_SECURE] = {"secure", DOCTOR_BLOCKS,
                       "runs in secure mode (setuid, setgid or capabilities), which ignores LD_PRELOAD",
                       "start it as a user for whom it has no extra rights"},
    [DOCTOR_CLEARED] =
        {"cleared", DOCTOR_BLOCKS, "LD_PRELOAD did not come through to it: {}",
         "keep it (sudo --preserve-env, Environment= of systemd), or put idemshim run right before it"},
    [DOCTOR_NOT_STARTED] = {"not-started", DOCTOR_BLOCKS, "was started without libidemshim.so",
                            "start it again: idemshim run -- COMMAND"},
    [DOCTOR_NOT_LOADED] = {"not-loaded", DOCTOR_BLOCKS, "LD_PRELOAD names {}, and it is not in memory",
                           "see that the file is there and readable for that user"},
    [DOCTOR_NO_LIBRARY] = {"no-library", DOCTOR_BLOCKS,
                           "libidemshim.so is not beside this command, nor in {}",
                           "install all three files together"},
};

/* The caller frees it. */
static char *fill_in(const char *text, const char *about)
{
  const char *hole = text ? strstr(text, "{}") : NULL;
  char *out = NULL;
  if (!hole)
    return text ? strdup(text) : NULL;
  return asprintf(&out, "%.*s%s%s", (int)(hole - text), text, about, hole + 2) < 0 ? NULL : out;
}

/* Two modules that use one libcurl would say the same sentence twice. */
static bool is_known(const struct doctor *doctor, const struct doctor_row *row, const char *text)
{
  for (size_t i = 0; i < doctor->finding_count; i++)
    if (doctor->findings[i].row == row && strcmp(doctor->findings[i].text, text) == 0)
      return true;
  return false;
}

/* More findings than DOCTOR_MOST_FINDINGS are dropped: nobody reads the forty-ninth. */
void doctor_find(struct doctor *doctor, enum doctor_kind kind, const char *format, ...)
{
  char *about = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&about, format, arguments);
  va_end(arguments);
  if (length < 0)
    return;
  const struct doctor_row *row = &rows[kind];
  struct doctor_finding finding = {row, fill_in(row->text, about), fill_in(row->next, about)};
  free(about);
  if (!finding.text || doctor->finding_count == DOCTOR_MOST_FINDINGS || is_known(doctor, row, finding.text)) {
    free(finding.text);
    free(finding.next);
    return;
  }
  doctor->findings[doctor->finding_count++] = finding;
}

/* What blocks counts first; then whether anything is reached; then whether something passes by. */
enum doctor_verdict doctor_verdict(const struct doctor *doctor)
{
  size_t of_weight[DOCTOR_BLOCKS + 1] = {0};
  for (size_t i = 0; i < doctor->finding_count; i++)
    of_weight[doctor->findings[i].row->weight]++;
  if (of_weight[DOCTOR_BLOCKS] || !(of_weight[DOCTOR_COVERS] + of_weight[DOCTOR_MAYBE]))
    return DOCTOR_NOT_COVERED;
  return of_weight[DOCTOR_COVERS] && !of_weight[DOCTOR_LIMITS] ? DOCTOR_COVERED : DOCTOR_PARTLY;
}

/* As the first line of the page has it. */
const char *doctor_verdict_name(enum doctor_verdict verdict)
{
  static const char *const names[] = {
      [DOCTOR_COVERED] = "covered", [DOCTOR_PARTLY] = "partly covered", [DOCTOR_NOT_COVERED] = "not covered"};
  return names[verdict];
}

void doctor_release(struct doctor *doctor)
{
  for (size_t i = 0; i < doctor->finding_count; i++) {
    free(doctor->findings[i].text);
    free(doctor->findings[i].next);
  }
  cli_objects_release(&doctor->objects);
  free(doctor->library);
}
