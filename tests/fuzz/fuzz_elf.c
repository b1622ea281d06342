/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a program or library. The input is a list of changes to a sound little one: place, width,
 * number; or, if its first byte is odd, the file itself. Whatever it says of itself, reading it ends, and
 * texts end within it.
 */
#include "cli/elf/elf.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MOST = 1 << 16 };

static char sound[FILE_MOST], changed[FILE_MOST];
static size_t sound_size;
static int file = -1;

static void require(bool holds)
{
  if (!holds)
    abort();
}

/* The smallest library that each machine has. */
static void read_sound(void)
{
  struct link_map *map = NULL;
  void *library = dlopen("libdl.so.2", RTLD_NOW);
  require(library && dlinfo(library, RTLD_DI_LINKMAP, (void *)&map) == 0);
  int fd = open(map->l_name, O_RDONLY | O_CLOEXEC);
  ssize_t got = read(fd, sound, sizeof(sound));
  close(fd);
  require(got > 0 && got < FILE_MOST);
  sound_size = (size_t)got;
  file = memfd_create("elf", MFD_CLOEXEC);
  require(file >= 0);
}

static void require_text(const struct cli_elf *elf, const char *text)
{
  require(!text || (text >= elf->bytes && memchr(text, '\0', elf->size - (size_t)(text - elf->bytes))));
}

static void look(void)
{
  static const int64_t tags[] = {DT_NEEDED, DT_SONAME, DT_RUNPATH, DT_RPATH};
  struct cli_elf elf;
  if (cli_elf_open_fd(&elf, file) < 0)
    return;
  uint64_t value;
  require_text(&elf, cli_elf_interpreter(&elf));
  for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
    for (size_t n = 0; n < 4; n++)
      require_text(&elf, cli_elf_dynamic_text(&elf, tags[i], n));
  for (size_t n = 0; n < 8; n++)
    require_text(&elf, cli_elf_needed_version(&elf, n));
  (void)cli_elf_dynamic(&elf, DT_FLAGS_1, 0, &value);
  static const char *const names[] = {"dlopen", "dlsym", "curl_easy_perform", "__cxa_finalize", ""};
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
    if (cli_elf_exports(&elf, names[i]) + cli_elf_imports(&elf, names[i]) +
        cli_elf_binds_late(&elf, names[i]) + cli_elf_hides(&elf, names[i]))
      require(!elf.foreign);
  (void)cli_elf_has_section(&elf, ".note.gnu.build-id");
  (void)cli_elf_find(&elf, "libcurl");
  cli_elf_close(&elf);
}

static void put(const char *bytes, size_t size)
{
  require(ftruncate(file, (off_t)size) == 0 && pwrite(file, bytes, size, 0) == (ssize_t)size);
  look();
}

/* Two bytes of place, one of width, then as many as it says. */
static void change(const uint8_t *data, size_t size)
{
  memcpy(changed, sound, sound_size);
  while (size >= 4) {
    size_t place = (size_t)(data[0] | data[1] << 8) % sound_size, width = (size_t)1 << (data[2] & 3);
    data += 3, size -= 3;
    if (width > size || width > sound_size - place)
      break;
    memcpy(changed + place, data, width);
    data += width, size -= width;
  }
  put(changed, sound_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (file < 0)
    read_sound();
  if (!size || size > FILE_MOST)
    return 0;
  if (data[0] & 1)
    put((const char *)data + 1, size - 1);
  else
    change(data + 1, size - 1);
  return 0;
}
