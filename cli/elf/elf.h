/* SPDX-License-Identifier: MIT */
/*
 * An ELF file, read without running it: what it needs, what it defines and wants, what is in it. 64-bit files
 * of this machine; one of another is `foreign` and answers nothing.
 *
 *     struct cli_elf elf;
 *     if (cli_elf_open(&elf, "/usr/bin/curl") == 0 && cli_elf_imports(&elf, "curl_easy_perform")) ...
 *     cli_elf_close(&elf);
 *
 * The file is mapped and trusted in nothing: each offset is checked against its size, so a damaged or hostile
 * one gives less, and never a crash. Texts that are returned live as long as the map.
 */
#ifndef IDEMSHIM_CLI_ELF_H
#define IDEMSHIM_CLI_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A mapped file. Zero is a closed one. */
struct cli_elf {
  const char *bytes;
  size_t size;
  bool foreign; /* not made for the machine that this command was made for */

  const Elf64_Dyn *dynamic; /* the rest is private; NULL in a static program */
  size_t dynamic_count;
};

/* Opens a file, or one that is open already (which may be closed then). Returns 0, a -errno, or -ENOEXEC if
 * it is no ELF file. Close what was opened with cli_elf_close(); a closed one may be closed again. */
int cli_elf_open(struct cli_elf *elf, const char *path);
int cli_elf_open_fd(struct cli_elf *elf, int fd);
void cli_elf_close(struct cli_elf *elf);

/* The dynamic linker that it asks for; NULL if it is linked statically, or a library. */
const char *cli_elf_interpreter(const struct cli_elf *elf);

/* The value of the n-th entry with this tag (DT_NEEDED, DT_RUNPATH, ...), as a number or as a string. */
bool cli_elf_dynamic(const struct cli_elf *elf, int64_t tag, size_t n, uint64_t *value);
const char *cli_elf_dynamic_text(const struct cli_elf *elf, int64_t tag, size_t n);

/* The n-th version of symbols that it wants from others, as "GLIBC_2.17"; NULL for no more. */
const char *cli_elf_needed_version(const struct cli_elf *elf, size_t n);

/* What the dynamic linker sees of a function: defined here for others, or wanted from others. */
bool cli_elf_exports(const struct cli_elf *elf, const char *name);
bool cli_elf_imports(const struct cli_elf *elf, const char *name);

/* True if the file's own calls of a function go where the dynamic linker says, so that a preload gets them.
 */
bool cli_elf_binds_late(const struct cli_elf *elf, const char *name);

/* A function that only the debugger's table of symbols tells of, a section, bytes anywhere. */
bool cli_elf_hides(const struct cli_elf *elf, const char *name);
bool cli_elf_has_section(const struct cli_elf *elf, const char *name);
const char *cli_elf_find(const struct cli_elf *elf, const char *text);

#endif
