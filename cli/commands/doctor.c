/* SPDX-License-Identifier: MIT */
/* `doctor`: looks at a command or a process, proves it if that is asked for, and prints. The looks
 * are in the files beside this one; each adds findings, and the findings make the verdict, the text
 * and the exit code. */
#include "cli/doctor/doctor.h"

#include "cli/command/command.h"
#include "cli/doctor/prove.h"
#include "cli/launch/launch.h"
#include "cli/output/output.h"
#include "config/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A PID is a number that stands alone; a command of that name can be asked for as ./NAME. */
static pid_t pid_of(int argc, char **argv)
{
  char *end;
  errno = 0;
  long number = strtol(argv[0], &end, 10);
  return argc == 1 && !errno && *argv[0] && !*end && number > 0 && number <= INT_MAX ? (pid_t)number : 0;
}

/* Something has to be said of a program of which nothing else can be. */
static void look_for_nothing(struct doctor *doctor)
{
  /* A note weighs nothing in the verdict; anything else has said something already. */
  for (size_t i = 0; i < doctor->finding_count; i++)
    if (doctor->findings[i].row->weight != DOCTOR_NOTE)
      return;
  size_t others = doctor->objects.count - 1;
  doctor_find(doctor, DOCTOR_NONE, "%zu %s", others, idem_word(others, "library", "libraries"));
}

/* Looks, proves if that was asked for, prints. What is printed and what is exited with come from
 * the same findings. */
static int examine(struct doctor *doctor, const struct cli_options *options, int argc, char **argv)
{
  struct doctor_proof proof;
  int code = doctor->pid ? doctor_look_at_process(doctor) : doctor_look_at_command(doctor, argv[0]);
  if (code != CLI_OK)
    return code;
  look_for_nothing(doctor);
  /* After the looks and before anything is printed: the verdict needs both. */
  if (options->prove)
    code = doctor_prove(&proof, argc, argv, options->live);
  if (code == CLI_OK)
    code = (options->json ? doctor_print_json : doctor_print)(doctor, options->prove ? &proof : NULL);
  if (code != CLI_OK)
    return code;
  return doctor_verdict(doctor, options->prove ? &proof : NULL) == DOCTOR_COVERED ? CLI_OK : CLI_NO;
}

/* The library is looked for first, since what is covered depends on what its hooks can do. */
static int run(const struct cli_options *options, int argc, char **argv)
{
  struct doctor doctor = {.subject = argv[0], .pid = pid_of(argc, argv), .library = cli_find_library()};
  int code =
      options->prove && doctor.pid
          ? cli_fail(CLI_USAGE, "--prove runs a command; a process that runs already cannot be run again")
      : options->live && !options->prove
          ? cli_fail(CLI_USAGE, "--live is a way to --prove, which runs the command twice")
          : examine(&doctor, options, argc, argv);
  doctor_release(&doctor);
  return code;
}

const struct cli_command cli_command_doctor = {
    .name = "doctor",
    .operands = "[--] COMMAND [ARGUMENT...] | PID",
    .summary = "is a program covered, and why",
    .details =
        "Reads the program's files, or what a process has in memory; nothing is run but with --prove.\n"
        "With it, {URL} in an argument becomes the address of the server. Exits 0 if the program is\n"
        "covered (with --prove: if a replay was seen), 1 if it is in part or not at all, or if nothing\n"
        "tells, 3 if it cannot be read.",
    .options = CLI_OPTIONS(
        CLI_OPTION_JSON,
        CLI_OPTION("prove", NULL, CLI_FLAG, prove, "run it twice, against a server of the doctor's own"),
        CLI_OPTION("live", NULL, CLI_FLAG, live,
                   "with --prove: let it call its real servers; what it costs is paid for")),
    .min_operands = 1,
    .max_operands = CLI_ANY_NUMBER,
    .stops = true,
    .run = run,
};
