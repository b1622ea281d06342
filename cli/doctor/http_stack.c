/* SPDX-License-Identifier: MIT */
/* Compiled programs that bring an HTTP stack of their own. */
#include "cli/doctor/doctor.h"

/* Sections that Go's linker leaves even in a program that has been stripped. */
static const char *const go_sections[] = {".go.buildinfo", ".note.go.buildid"};

/* Rust's panics name the source files of its libraries. */
static const struct {
  const char *trace, *name;
} rust_crates[] = {
    {"/reqwest-", "reqwest"},
    {"/hyper-", "hyper"},
    {"/ureq-", "ureq"},
    {"/attohttpc-", "attohttpc"},
};

/* Only the program itself is looked at: a library in Go or Rust says nothing about how the
 * program makes its calls. */
void doctor_look_at_stack(struct doctor *doctor)
{
  const struct cli_object *program = &doctor->objects.list[0];
  for (size_t i = 0; i < sizeof(go_sections) / sizeof(go_sections[0]); i++)
    if (cli_elf_has_section(&program->elf, go_sections[i])) {
      doctor_find(doctor, DOCTOR_GO, "%s", program->name);
      return;
    }
  if (!cli_elf_find(&program->elf, "/rustc/"))
    return;
  for (size_t i = 0; i < sizeof(rust_crates) / sizeof(rust_crates[0]); i++)
    if (cli_elf_find(&program->elf, rust_crates[i].trace)) {
      doctor_find(doctor, DOCTOR_RUST, "%s", rust_crates[i].name);
      return;
    }
}
