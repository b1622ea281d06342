/* SPDX-License-Identifier: MIT */
/* Who defines a function, who wants it, and whether a file's own calls of it can be taken: what
 * decides if a preload reaches a libcurl that is linked into something else. A program may have
 * been stripped of its sections, but never of what the dynamic linker needs. */
#include "cli/elf/elf.h"

#include <string.h>

/* A table at an address; NULL if the file has none there, or a crooked one. */
static const void *table_at(const struct cli_elf *elf, uint64_t address, uint64_t size)
{
  const void *at = cli_elf_at_address(elf, address, size);
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
  const Elf64_Ehdr *header = cli_elf_at(elf, 0, sizeof(*header));
  if (!header || index >= header->e_shnum || header->e_shoff % _Alignof(Elf64_Shdr) ||
      header->e_shentsize != sizeof(Elf64_Shdr))
    return NULL;
  return cli_elf_at(elf, header->e_shoff + (uint64_t)index * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr));
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
  const Elf64_Ehdr *header = cli_elf_at(elf, 0, sizeof(*header));
  const Elf64_Shdr *strings = header ? section_at(elf, header->e_shstrndx) : NULL, *at;
  const char *names = strings ? cli_elf_at(elf, strings->sh_offset, strings->sh_size) : NULL;
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
  *out = (struct symbols){.table = cli_elf_at(elf, at->sh_offset, at->sh_size),
                          .count = at->sh_size / sizeof(Elf64_Sym),
                          .names = cli_elf_at(elf, strings->sh_offset, strings->sh_size),
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
                          .names = cli_elf_at_address(elf, names, size),
                          .names_size = size};
  return out->table && out->names;
}

/* The index of the first symbol of this name that is defined here, or is not; 0, which is nobody's, for none.
 */
static size_t find(const struct symbols *symbols, const char *name, bool defined)
{
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

/* Defined here, and seen by the dynamic linker. */
bool cli_elf_exports(const struct cli_elf *elf, const char *name)
{
  return find_dynamic(elf, name, true) != 0;
}

/* Wanted from whoever has it. */
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

/* True if one of the relocations is for the symbol. */
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
