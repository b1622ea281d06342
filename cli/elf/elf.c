/* SPDX-License-Identifier: MIT */
/* Reading a file that may be anything: every offset and length in it is checked against the
 * file's size before it is followed, so that a damaged or hostile one is an answer ("not ELF")
 * and never a crash. Little-endian 64-bit alone, which all machines that we run on are. */
#include "cli/elf/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { OWN_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { OWN_MACHINE = EM_AARCH64 };
#endif

/* The one place in which an offset of the file becomes a pointer: NULL if any of the bytes lies
 * outside. */
const void *cli_elf_at(const struct cli_elf *elf, uint64_t offset, uint64_t size)
{
  return offset <= elf->size && size <= elf->size - offset ? elf->bytes + offset : NULL;
}

/* A string that ends within the file. */
static const char *text_at(const struct cli_elf *elf, const char *start)
{
  size_t left = start ? elf->size - (size_t)(start - elf->bytes) : 0;
  return left && memchr(start, '\0', left) ? start : NULL;
}

/* The n-th segment of a type, from 0. */
static const Elf64_Phdr *segment(const struct cli_elf *elf, uint32_t type, size_t n)
{
  const Elf64_Ehdr *header = cli_elf_at(elf, 0, sizeof(*header));
  for (unsigned i = 0; header && i < header->e_phnum; i++) {
    const Elf64_Phdr *at =
        cli_elf_at(elf, header->e_phoff + (uint64_t)i * header->e_phentsize, sizeof(Elf64_Phdr));
    if (at && at->p_type == type && n-- == 0)
      return at;
  }
  return NULL;
}

/* An address of the program's memory, as a place in its file: the segment that holds it says
 * where. */
const void *cli_elf_at_address(const struct cli_elf *elf, uint64_t address, uint64_t size)
{
  const Elf64_Phdr *load;
  for (size_t i = 0; (load = segment(elf, PT_LOAD, i)); i++)
    if (address >= load->p_vaddr && address - load->p_vaddr < load->p_filesz)
      return cli_elf_at(elf, load->p_offset + (address - load->p_vaddr), size);
  return NULL;
}

/* ---- opening ---- */

/* Made for another kind of machine: its program headers are not even looked at. */
static bool is_foreign(const struct cli_elf *elf)
{
  const Elf64_Ehdr *header = cli_elf_at(elf, 0, sizeof(*header));
  return !header || header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
         header->e_machine != OWN_MACHINE || header->e_phoff % _Alignof(Elf64_Phdr) ||
         header->e_phentsize != sizeof(Elf64_Phdr);
}

static void find_dynamic(struct cli_elf *elf)
{
  const Elf64_Phdr *at = segment(elf, PT_DYNAMIC, 0);
  if (!at || at->p_offset % _Alignof(Elf64_Dyn))
    return;
  elf->dynamic = cli_elf_at(elf, at->p_offset, at->p_filesz);
  elf->dynamic_count = elf->dynamic ? at->p_filesz / sizeof(Elf64_Dyn) : 0;
}

/* -ENOEXEC for what is no ELF file. The descriptor stays the caller's. */
int cli_elf_open_fd(struct cli_elf *elf, int fd)
{
  struct stat file;
  *elf = (struct cli_elf){0};
  if (fstat(fd, &file) < 0)
    return -errno;
  if (!S_ISREG(file.st_mode) || file.st_size < SELFMAG)
    return -ENOEXEC;
  void *bytes = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED)
    return -errno;
  *elf = (struct cli_elf){.bytes = bytes, .size = (size_t)file.st_size};
  if (memcmp(bytes, ELFMAG, SELFMAG) != 0) {
    cli_elf_close(elf);
    return -ENOEXEC;
  }
  elf->foreign = is_foreign(elf);
  if (!elf->foreign)
    find_dynamic(elf);
  return 0;
}

/* The file is opened, mapped and closed again. */
int cli_elf_open(struct cli_elf *elf, const char *path)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) {
    *elf = (struct cli_elf){0};
    return -errno;
  }
  int result = cli_elf_open_fd(elf, fd);
  close(fd);
  return result;
}

/* Texts that were returned go with the map. */
void cli_elf_close(struct cli_elf *elf)
{
  if (elf->bytes)
    munmap((void *)(uintptr_t)elf->bytes, elf->size);
  *elf = (struct cli_elf){0};
}

/* ---- what the dynamic linker is told ---- */

/* The dynamic linker that the program asks for; NULL for one that is linked statically. */
const char *cli_elf_interpreter(const struct cli_elf *elf)
{
  const Elf64_Phdr *at = segment(elf, PT_INTERP, 0);
  return at ? text_at(elf, cli_elf_at(elf, at->p_offset, at->p_filesz)) : NULL;
}

/* Entries of one tag in their order; DT_NEEDED has one for each library. */
bool cli_elf_dynamic(const struct cli_elf *elf, int64_t tag, size_t n, uint64_t *value)
{
  for (size_t i = 0; i < elf->dynamic_count && elf->dynamic[i].d_tag != DT_NULL; i++)
    if (elf->dynamic[i].d_tag == tag && n-- == 0) {
      *value = elf->dynamic[i].d_un.d_val;
      return true;
    }
  return false;
}

/* The string that the entry's number is an offset of. */
const char *cli_elf_dynamic_text(const struct cli_elf *elf, int64_t tag, size_t n)
{
  uint64_t strings, offset;
  if (!cli_elf_dynamic(elf, DT_STRTAB, 0, &strings) || !cli_elf_dynamic(elf, tag, n, &offset))
    return NULL;
  return text_at(elf, cli_elf_at_address(elf, strings + offset, 1));
}

/* Anywhere in the file: code, strings, debugging information. */
const char *cli_elf_find(const struct cli_elf *elf, const char *text)
{
  return elf->bytes ? memmem(elf->bytes, elf->size, text, strlen(text)) : NULL;
}
