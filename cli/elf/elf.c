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
static const void *at_offset(const struct cli_elf *elf, uint64_t offset, uint64_t size)
{
  return offset <= elf->size && size <= elf->size - offset ? elf->bytes + offset : NULL;
}

/* A string that ends within the file. */
static const char *text_at(const struct cli_elf *elf, const char *start)
{
  size_t left = start ? elf->size - (size_t)(start - elf->bytes) : 0;
  return left && memchr(start, '\0', left) ? start : NULL;
}

/* All segments, of which there are `count`; none in a file that is foreign. */
static const Elf64_Phdr *segments(const struct cli_elf *elf, size_t *count)
{
  const Elf64_Ehdr *header = elf->foreign ? NULL : at_offset(elf, 0, sizeof(*header));
  *count = header ? header->e_phnum : 0;
  return header ? at_offset(elf, header->e_phoff, *count * sizeof(Elf64_Phdr)) : NULL;
}

/* The first segment of a type. */
static const Elf64_Phdr *segment(const struct cli_elf *elf, uint32_t type)
{
  size_t count;
  const Elf64_Phdr *at = segments(elf, &count);
  for (size_t i = 0; at && i < count; i++)
    if (at[i].p_type == type)
      return at + i;
  return NULL;
}

/* An address of the program's memory, as a place in its file: the segment that holds it says
 * where. */
static const void *at_address(const struct cli_elf *elf, uint64_t address, uint64_t size)
{
  size_t count;
  const Elf64_Phdr *load = segments(elf, &count);
  /* As far as the file goes: what a segment has beyond that is zeros in memory. */
  for (const Elf64_Phdr *end = load ? load + count : NULL; load < end; load++)
    if (load->p_type == PT_LOAD && address >= load->p_vaddr && address - load->p_vaddr < load->p_filesz)
      return at_offset(elf, load->p_offset + (address - load->p_vaddr), size);
  return NULL;
}

/* ---- opening ---- */

/* Made for another kind of machine: its program headers are not even looked at. */
static bool is_foreign(const struct cli_elf *elf)
{
  const Elf64_Ehdr *header = at_offset(elf, 0, sizeof(*header));
  /* Also what is not laid out as linkers do it: headers and tables are read where they are. */
  return !header || header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
         header->e_machine != OWN_MACHINE || header->e_phoff % _Alignof(Elf64_Phdr) ||
         header->e_phentsize != sizeof(Elf64_Phdr);
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
  /* The dynamic section by its segment, which no strip takes away. */
  const Elf64_Phdr *at = segment(elf, PT_DYNAMIC);
  /* Entries are read where they are, so they must be aligned there. */
  if (at && at->p_offset % _Alignof(Elf64_Dyn) == 0)
    elf->dynamic = at_offset(elf, at->p_offset, at->p_filesz);
  elf->dynamic_count = elf->dynamic ? at->p_filesz / sizeof(Elf64_Dyn) : 0;
  return 0;
}

/* The file is opened, mapped and closed again. */
int cli_elf_open(struct cli_elf *elf, const char *path)
{
  /* A path that was typed may be a FIFO's, which is not waited for, or a terminal's, which must not become
   * ours. */
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
  const Elf64_Phdr *at = segment(elf, PT_INTERP);
  return at ? text_at(elf, at_offset(elf, at->p_offset, at->p_filesz)) : NULL;
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
  return text_at(elf, at_address(elf, strings + offset, 1));
}

/* Both kinds of entries are of 32-bit numbers, and are read where they are. */
static const void *entry_at(const struct cli_elf *elf, uint64_t address, uint64_t size)
{
  const void *at = at_address(elf, address, size);
  return (uintptr_t)at % _Alignof(Elf64_Verneed) ? NULL : at;
}

/* A list of files, each with a list of versions; what one points to lies behind it, so a damaged one ends.
 * There are no more of them than have room in the file. */
const char *cli_elf_needed_version(const struct cli_elf *elf, size_t n)
{
  uint64_t address, strings;
  size_t most = elf->size / sizeof(Elf64_Vernaux);
  if (!cli_elf_dynamic(elf, DT_VERNEED, 0, &address) || !cli_elf_dynamic(elf, DT_STRTAB, 0, &strings))
    return NULL;
  /* vn_aux, vn_next and vna_next count from the entry that they are in. */
  for (const Elf64_Verneed *file; (file = entry_at(elf, address, sizeof(*file))); address += file->vn_next) {
    uint64_t place = address + file->vn_aux;
    for (const Elf64_Vernaux *version; most && (version = entry_at(elf, place, sizeof(*version)));
         place += version->vna_next, most--) {
      if (n-- == 0)
        return text_at(elf, at_address(elf, strings + version->vna_name, 1));
      if (!version->vna_next)
        break;
    }
    if (!file->vn_next)
      break;
  }
  return NULL;
}

/* Looks anywhere in the file: code, strings, debugging information. */
const char *cli_elf_find(const struct cli_elf *elf, const char *text)
{
  return elf->bytes ? memmem(elf->bytes, elf->size, text, strlen(text)) : NULL;
}

/* ---- who defines a function, who wants it, and whether the file's own calls of it can be taken ---- */

/* A table at an address; NULL if the file has none there, or a crooked one. */
static const void *table_at(const struct cli_elf *elf, uint64_t address, uint64_t size)
{
  const void *at = at_address(elf, address, size);
  return (uintptr_t)at % _Alignof(Elf64_Sym) ? NULL : at;
}

/* A table and its strings, both inside of the file. */
struct symbols {
  const Elf64_Sym *table;
  size_t count;
  const char *names;
  uint64_t names_size;
};

/* ---- sections, which a program may have been stripped of ---- */

/* NULL for an index that there is none of. */
static const Elf64_Shdr *section_at(const struct cli_elf *elf, unsigned index)
{
  const Elf64_Ehdr *header = elf->foreign ? NULL : at_offset(elf, 0, sizeof(*header));
  if (!header || index >= header->e_shnum || header->e_shoff % _Alignof(Elf64_Shdr) ||
      header->e_shentsize != sizeof(Elf64_Shdr))
    return NULL;
  return at_offset(elf, header->e_shoff + (uint64_t)index * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr));
}

/* The string at that offset is exactly this name. */
static bool is_name(const char *names, uint64_t names_size, uint64_t offset, const char *name)
{
  size_t len = strlen(name) + 1;
  return offset < names_size && len <= names_size - offset && memcmp(names + offset, name, len) == 0;
}

/* False also for a file that was stripped of its sections. */
bool cli_elf_has_section(const struct cli_elf *elf, const char *name)
{
  const Elf64_Ehdr *header = at_offset(elf, 0, sizeof(*header));
  const Elf64_Shdr *strings = header ? section_at(elf, header->e_shstrndx) : NULL, *at;
  const char *names = strings ? at_offset(elf, strings->sh_offset, strings->sh_size) : NULL;
  for (unsigned i = 0; names && (at = section_at(elf, i)); i++)
    if (is_name(names, strings->sh_size, at->sh_name, name))
      return true;
  return false;
}

/* ---- tables of symbols ---- */

/* The whole table, with the strings that it names. */
static bool symbols_of_section(const struct cli_elf *elf, uint32_t type, struct symbols *out)
{
  const Elf64_Shdr *at = NULL, *strings;
  for (unsigned i = 0; (at = section_at(elf, i)) && at->sh_type != type;)
    i++;
  strings = at ? section_at(elf, at->sh_link) : NULL;
  if (!strings || at->sh_offset % _Alignof(Elf64_Sym))
    return false;
  *out = (struct symbols){.table = at_offset(elf, at->sh_offset, at->sh_size),
                          .count = at->sh_size / sizeof(Elf64_Sym),
                          .names = at_offset(elf, strings->sh_offset, strings->sh_size),
                          .names_size = strings->sh_size};
  return out->table && out->names;
}

/* Without sections nothing says how many there are, but linkers write the strings behind the symbols. */
static bool symbols_of_dynamic(const struct cli_elf *elf, struct symbols *out)
{
  uint64_t table, names, size;
  if (!cli_elf_dynamic(elf, DT_SYMTAB, 0, &table) || !cli_elf_dynamic(elf, DT_STRTAB, 0, &names) ||
      !cli_elf_dynamic(elf, DT_STRSZ, 0, &size) || names < table)
    return false;
  *out = (struct symbols){.table = table_at(elf, table, names - table),
                          .count = (names - table) / sizeof(Elf64_Sym),
                          .names = at_address(elf, names, size),
                          .names_size = size};
  return out->table && out->names;
}

/* The index of the first symbol of this name that is defined here, or is not; 0, which is nobody's, for none.
 */
static size_t find(const struct symbols *symbols, const char *name, bool defined)
{
  /* Entry 0 is reserved (ELF, "Symbol Table"), so that 0 can say that there is none. */
  for (size_t i = 1; i < symbols->count; i++)
    if ((symbols->table[i].st_shndx != SHN_UNDEF) == defined &&
        is_name(symbols->names, symbols->names_size, symbols->table[i].st_name, name))
      return i;
  return 0;
}

/* Sections say how long the table is; where they are gone, the layout that linkers use does. */
static size_t find_dynamic(const struct cli_elf *elf, const char *name, bool defined)
{
  struct symbols symbols;
  if (!symbols_of_section(elf, SHT_DYNSYM, &symbols) && !symbols_of_dynamic(elf, &symbols))
    return 0;
  return find(&symbols, name, defined);
}

/* True for a function that is defined here and that the dynamic linker sees. */
bool cli_elf_exports(const struct cli_elf *elf, const char *name)
{
  return find_dynamic(elf, name, true) != 0;
}

/* True for a function that is wanted from whoever has it. */
bool cli_elf_imports(const struct cli_elf *elf, const char *name)
{
  return find_dynamic(elf, name, false) != 0;
}

/* Found by the debugger's table and not by the dynamic one: linked in statically, out of reach. */
bool cli_elf_hides(const struct cli_elf *elf, const char *name)
{
  struct symbols symbols;
  return symbols_of_section(elf, SHT_SYMTAB, &symbols) && find(&symbols, name, true) &&
         !cli_elf_exports(elf, name);
}

/* ---- calls ---- */

/* True if one of the relocations is for the symbol. DT_JMPREL has those of calls, which go by the PLT,
 * DT_RELA those of addresses that are taken; both machines have relocations with addends alone. */
static bool relocates(const struct cli_elf *elf, int64_t table_tag, int64_t size_tag, size_t symbol)
{
  uint64_t table, size;
  if (!cli_elf_dynamic(elf, table_tag, 0, &table) || !cli_elf_dynamic(elf, size_tag, 0, &size))
    return false;
  const Elf64_Rela *at = table_at(elf, table, size);
  for (size_t i = 0; at && i < size / sizeof(*at); i++)
    if (ELF64_R_SYM(at[i].r_info) == symbol)
      return true;
  return false;
}

/* A definition that the file itself refers to through a relocation is looked up by the dynamic
 * linker, so a preload comes first. One that was linked with -Bsymbolic, or is hidden, has none. */
bool cli_elf_binds_late(const struct cli_elf *elf, const char *name)
{
  size_t symbol = find_dynamic(elf, name, true);
  return symbol &&
         (relocates(elf, DT_JMPREL, DT_PLTRELSZ, symbol) || relocates(elf, DT_RELA, DT_RELASZ, symbol));
}
