/* SPDX-License-Identifier: MIT */
/* A verdict is made of findings, and a finding is a row of one table: its weight decides, its
 * text says why, its `next` says what to do. So what the doctor knows can be read in this file
 * alone; the looks only say which rows hold. */
#include "cli/doctor/doctor.h"
#include "cli/doctor/prove.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Advice that several findings give. Who prints it says each of them once. */
static const char prove[] = "see it happen: idemshim doctor --prove COMMAND with {URL} for the address";
static const char ask_while_it_runs[] =
    "ask while it runs: idemshim doctor PID; or see it happen, with --prove";
static const char ask_about_it[] = "ask about the program that makes the calls: idemshim doctor PROGRAM";
static const char leave_hook[] = "leave IDEMSHIM_HOOK_DL on, with a libidemshim.so that has the hook";
static const char other_way[] = "have it make its calls through a libcurl that is linked dynamically";

static const struct doctor_row rows[] = {
#define X(kind, code, weight, text, next) [DOCTOR_##kind] = {code, DOCTOR_##weight, text, next},
#include "cli/doctor/findings.def"
#undef X
};

/* Puts what the finding is about into the hole of a text; the caller frees it. */
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

/* What blocks counts first; then whether anything is reached for sure or may be; then
 * whether something passes by. */
static enum doctor_verdict judge_findings(const struct doctor *doctor)
{
  size_t of_weight[DOCTOR_BLOCKS + 1] = {0};
  for (size_t i = 0; i < doctor->finding_count; i++)
    of_weight[doctor->findings[i].row->weight]++;
  if (of_weight[DOCTOR_BLOCKS])
    return DOCTOR_NOT_COVERED;
  if (of_weight[DOCTOR_COVERS] && !of_weight[DOCTOR_LIMITS])
    return DOCTOR_COVERED;
  if (of_weight[DOCTOR_COVERS] || (of_weight[DOCTOR_MAYBE] && of_weight[DOCTOR_LIMITS]))
    return DOCTOR_PARTLY;
  /* What may be reached, and what nothing tells of, leave the answer open. Without either there is no call to
   * cover. */
  return of_weight[DOCTOR_MAYBE] || of_weight[DOCTOR_UNKNOWN] ? DOCTOR_CANNOT_TELL : DOCTOR_NOT_COVERED;
}

enum doctor_verdict doctor_verdict(const struct doctor *doctor, const struct doctor_proof *proof)
{
  static const enum doctor_verdict shown[] = {[DOCTOR_SHOWS_NOTHING] = DOCTOR_CANNOT_TELL,
                                              [DOCTOR_REFUTED] = DOCTOR_NOT_COVERED,
                                              [DOCTOR_PROVEN_PARTLY] = DOCTOR_PARTLY,
                                              [DOCTOR_PROVEN] = DOCTOR_COVERED};
  return proof ? shown[proof->outcome] : judge_findings(doctor);
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
