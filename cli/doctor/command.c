/* SPDX-License-Identifier: MIT */
/* A command that has not been started: what its files say. */
#include "cli/doctor/doctor.h"

#include "cli/command/command.h"
#include "cli/output/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Says of which file something is wrong: the program's, or that of a script's interpreter. */
static int cannot_read(const char *name, const struct cli_program *program, int result)
{
  if (result == -ENOEXEC)
    return cli_fail(CLI_STORE, "%s is neither an ELF program nor a script with an interpreter",
                    program->path);
  if (program->script[0])
    return cli_fail(CLI_STORE, "%s: its interpreter %s: %s", name, program->path, strerror(-result));
  return cli_fail(CLI_STORE, "%s: %s", name, strerror(-result));
}

/* What its files say, and what the kernel will do when it is started; only the file's own rights are asked,
 * not those of its directories. The configuration is the environment of the doctor, which is what the program
 * would inherit. */
int doctor_look_at_command(struct doctor *doctor, const char *name)
{
  int result = cli_program_find(name, &doctor->program);
  char *real = result < 0 ? NULL : realpath(doctor->program.path, NULL);
  if (result == 0)
    /* By its real path, for $ORIGIN is where the file itself is. */
    result = real ? cli_objects_add(&doctor->objects, real) : -errno;
  free(real);
  if (result < 0)
    return cannot_read(name, &doctor->program, result);
  doctor_look_at_library(doctor);
  doctor_look_at_config(doctor);
  int fd = open(doctor->program.path, O_RDONLY | O_CLOEXEC);
  const char *privilege = fd < 0 ? NULL : cli_program_privilege(fd);
  const char *linkage = cli_program_linkage(&doctor->objects.list->elf);
  if (fd >= 0)
    close(fd);
  if (privilege)
    doctor_find(doctor, DOCTOR_PRIVILEGE, "it %s", privilege);
  if (doctor->program.clears)
    doctor_find(doctor, DOCTOR_CLEARED, "its first line has env -i");
  if (linkage)
    doctor_find(doctor, DOCTOR_LINKAGE, "it %s", linkage);
  if (!doctor->objects.list->elf.foreign)
    cli_objects_follow(&doctor->objects);
  if (doctor->objects.missing)
    doctor_find(doctor, DOCTOR_MISSING, "%s", doctor->objects.missing);
  doctor_look_at_calls(doctor);
  doctor_look_at_preloads(doctor, getenv("LD_PRELOAD"));
  return CLI_OK;
}
