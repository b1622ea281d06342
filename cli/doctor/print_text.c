/* SPDX-License-Identifier: MIT */
/* `doctor` for people, on one screen: the verdict first, then what it was made of, then what to
 * do. Signs and colours say the same, so that it can be read without either. */
#include "cli/doctor/doctor.h"
#include "cli/doctor/prove.h"
#include "cli/output/output.h"
#include "cli/output/text.h"
#include "config/words.h"

#include <stdio.h>
#include <string.h>

/* The sign and the colour of each weight; a note has neither. */
static const struct {
  const char *mark;
  enum cli_style style;
} signs[] = {
    [DOCTOR_NOTE] = {"  ", CLI_PLAIN},  [DOCTOR_COVERS] = {"+ ", CLI_GREEN},
    [DOCTOR_MAYBE] = {"? ", CLI_PLAIN}, [DOCTOR_UNKNOWN] = {"~ ", CLI_PLAIN},
    [DOCTOR_LIMITS] = {"- ", CLI_RED},  [DOCTOR_BLOCKS] = {"! ", CLI_RED},
};

/* A finding is indented, behind a sign of its weight. */
static void print_line(const char *mark, enum cli_style style, const char *text)
{
  printf("  %s%s%s", style == CLI_PLAIN ? "" : cli_style(style), mark,
         style == CLI_PLAIN ? "" : cli_style(CLI_PLAIN));
  cli_put_line(stdout, text, strlen(text), CLI_UNCUT);
  putchar('\n');
}

/* A heading with an empty line before it. */
static void print_title(const char *title)
{
  printf("\n%s%s%s\n", cli_style(CLI_BOLD), title, cli_style(CLI_PLAIN));
}

/* The verdict stands beside the name that the user typed. */
static void print_head(const struct doctor *doctor, const struct doctor_proof *proof)
{
  static const char *const names[] = {[DOCTOR_COVERED] = "covered",
                                      [DOCTOR_PARTLY] = "partly covered",
                                      [DOCTOR_NOT_COVERED] = "not covered",
                                      [DOCTOR_CANNOT_TELL] = "cannot tell"};
  static const char *const shown[] = {[DOCTOR_SHOWS_NOTHING] = ", the proof shows nothing",
                                      [DOCTOR_REFUTED] = ", the proof has failed",
                                      [DOCTOR_PROVEN_PARTLY] = ", proven in part",
                                      [DOCTOR_PROVEN] = ", proven"};
  enum doctor_verdict verdict = doctor_verdict(doctor, proof);
  printf("%s", cli_style(CLI_BOLD));
  /* What was typed may hold anything, as files' names and texts do: it is escaped. */
  cli_put_line(stdout, doctor->subject, strlen(doctor->subject), CLI_UNCUT);
  printf(": %s%s%s%s\n\n", cli_style(verdict == DOCTOR_COVERED ? CLI_GREEN : CLI_RED), names[verdict],
         cli_style(CLI_PLAIN), proof ? shown[proof->outcome] : "");
  if (doctor->program.script[0])
    cli_fact("script", "%s", doctor->program.script);
  cli_fact("program", "%s", doctor->program.path);
  for (size_t i = 0; i < doctor->libcurl_count; i++)
    cli_fact("libcurl", "%s, %s, %s", doctor->libcurls[i].version, doctor->libcurls[i].tls,
             doctor->libcurls[i].path);
  cli_fact("preload", "%s", doctor->library ? doctor->library : "none");
}

/* With a proof there is nothing left to advise. Several findings may advise the same, which is said once. */
static void print_next(const struct doctor *doctor)
{
  bool titled = false;
  for (size_t i = 0; i < doctor->finding_count; i++) {
    const char *next = doctor->findings[i].next;
    /* A handful of findings: each is compared with all before it. */
    for (size_t k = 0; next && k < i; k++)
      if (doctor->findings[k].next && strcmp(doctor->findings[k].next, next) == 0)
        next = NULL;
    if (!next)
      continue;
    if (!titled)
      print_title("what to do");
    titled = true;
    print_line("", CLI_PLAIN, next);
  }
}

/* What arrived, what the library says it did, and how the command ended. */
static void print_run(const char *label, const struct doctor_run *run, bool live)
{
  char end[64];
  /* First, for a run that was killed for its time has ended by a signal, too. */
  if (run->timed_out)
    snprintf(end, sizeof(end), "did not end, and was killed");
  else if (run->signal)
    snprintf(end, sizeof(end), "killed by signal %d", run->signal);
  else
    snprintf(end, sizeof(end), "exit %d", run->status);
  cli_fact(label, "%ld %s %s; live %ld, stored %ld, hit %ld, bypass %ld; %s", run->requests,
           idem_word((uint64_t)run->requests, "request", "requests"), live ? "sent" : "arrived",
           run->events.live, run->events.stored, run->events.hit, run->events.bypass, end);
  if (*run->complaint)
    cli_fact("", "%s", run->complaint);
}

/* Fits a screen: findings are short, the heaviest first, and advice is said once. Of a proof both runs are
 * shown with the verdict, so that a person can check the judge. */
int doctor_print(const struct doctor *doctor, const struct doctor_proof *proof)
{
  print_head(doctor, proof);
  print_title("why");
  /* The weights are in the order in which they matter. */
  for (int weight = DOCTOR_BLOCKS; weight >= 0; weight--)
    for (size_t i = 0; i < doctor->finding_count; i++)
      if ((int)doctor->findings[i].row->weight == weight)
        print_line(signs[weight].mark, signs[weight].style, doctor->findings[i].text);
  if (!proof) {
    print_next(doctor);
    return CLI_OK;
  }
  bool proven = proof->outcome == DOCTOR_PROVEN;
  print_title(proof->live ? "proof, of what goes through libcurl, with its real servers and an empty store"
                          : "proof, with a server of its own and an empty store");
  print_run("first run", &proof->runs[0], proof->live);
  print_run("second run", &proof->runs[1], proof->live);
  if (*proof->untaken)
    cli_fact("no rule for", "%s", proof->untaken);
  if (proof->live)
    cli_fact("sent to", "%s", *proof->servers ? proof->servers : "nobody, as far as libidemshim.so saw");
  print_line(proven ? "+ " : "- ", proven ? CLI_GREEN : CLI_RED, proof->verdict);
  return CLI_OK;
}
