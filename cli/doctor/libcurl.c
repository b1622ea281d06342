/* SPDX-License-Identifier: MIT */
/*
 * How a set of objects uses libcurl: a shared one that somebody in the set calls, one inside of a program or
 * a library, or one that is opened later. Symbols decide, never names of packages: who wants
 * curl_easy_perform from the dynamic linker is a caller, who defines it and has a version text is a libcurl,
 * and who defines it without one is a preload such as ours.
 */
#include "cli/doctor/doctor.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A libcurl's TLS library, by the beginning of what it needs. */
static const struct {
  const char *needs, *tls;
} flavours[] = {
    {"libssl.so", "OpenSSL"},     {"libgnutls.so", "GnuTLS"}, {"libmbedtls.so", "mbedTLS"},
    {"libwolfssl.so", "wolfSSL"}, {"libnss3.so", "NSS"},      {"librustls", "rustls"},
    {"libbearssl", "BearSSL"},
};

/* The name alone would take libcurlpp for one, the symbol alone a preload. */
static bool is_libcurl(const struct cli_object *object)
{
  return (strncmp(object->name, "libcurl.", 8) == 0 || strncmp(object->name, "libcurl-", 8) == 0) &&
         cli_elf_exports(&object->elf, "curl_easy_perform");
}

/* libcurl keeps its version as text for curl_version(), and no strip takes that away. A digit and
 * a point behind the slash tell it from a user agent's format string. */
const char *doctor_find_version(const struct cli_elf *elf)
{
  static const char prefix[] = "libcurl/";
  const char *end = elf->bytes + elf->size;
  for (const char *at = elf->bytes; at && (at = memmem(at, (size_t)(end - at), prefix, strlen(prefix)));) {
    at += strlen(prefix);
    if (end - at > 3 && isdigit((unsigned char)at[0]) && at[1] == '.' && isdigit((unsigned char)at[2]))
      return at;
  }
  return NULL;
}

/* Found by DT_NEEDED, not by the soname, since a distribution may name its flavours as it likes. */
static const char *tls_of(const struct cli_elf *elf)
{
  const char *needed;
  for (size_t n = 0; (needed = cli_elf_dynamic_text(elf, DT_NEEDED, n)); n++)
    for (size_t i = 0; i < sizeof(flavours) / sizeof(flavours[0]); i++)
      if (strncmp(needed, flavours[i].needs, strlen(flavours[i].needs)) == 0)
        return flavours[i].tls;
  return "TLS unknown";
}

/* The version as its text has it, up to where the text goes on with something else. */
struct doctor_libcurl doctor_read_libcurl(const struct cli_object *libcurl)
{
  struct doctor_libcurl out = {.path = libcurl->path, .version = "?", .tls = tls_of(&libcurl->elf)};
  const char *version = doctor_find_version(&libcurl->elf);
  size_t len = 0;
  while (version && len < sizeof(out.version) - 1 &&
         (isalnum((unsigned char)version[len]) || version[len] == '.' || version[len] == '-')) {
    out.version[len] = version[len];
    len++;
  }
  return out;
}

/* The first caller of the easy interface is the one that is told; one of the multi interface alone only where
 * there is no other. libcurl calls itself, and so may what has been preloaded: neither is a caller. Driving
 * is what counts for the multi interface, for a program may make a multi and never turn it. */
struct doctor_use doctor_use_of(const struct cli_objects *objects)
{
  struct doctor_use use = {0};
  for (size_t i = 0; i < objects->count; i++) {
    const struct cli_object *object = &objects->list[i];
    if (!use.libcurl && is_libcurl(object))
      use.libcurl = object;
    /* A libcurl, or something that stands in front of one. */
    if (cli_elf_exports(&object->elf, "curl_easy_perform"))
      continue;
    bool easy = cli_elf_imports(&object->elf, "curl_easy_perform");
    bool multi = cli_elf_imports(&object->elf, "curl_multi_perform") ||
                 cli_elf_imports(&object->elf, "curl_multi_socket_action");
    if ((easy && !use.easy) || (multi && !use.caller))
      use.caller = object;
    use.easy |= easy;
    use.multi |= multi;
  }
  return use;
}

/* ---- a libcurl inside of something else ---- */

/* What exports these names without a version of its own is a preload such as ours. A libcurl that was linked
 * into something else can be reached if its own functions call each other through the dynamic linker, which
 * the relocations tell; a preload comes first then. If they call each other directly, nothing can. Only the
 * program itself is searched for a version without such names: a library of the system may well talk of
 * one. */
static void look_for_static(struct doctor *doctor, const struct doctor_use *use)
{
  for (size_t i = 0; i < doctor->objects.count; i++) {
    const struct cli_object *object = &doctor->objects.list[i];
    if (is_libcurl(object) || strcmp(object->name, "libidemshim.so") == 0)
      continue;
    bool exports = cli_elf_exports(&object->elf, "curl_easy_perform");
    if (exports && doctor_find_version(&object->elf))
      doctor_find(doctor,
                  cli_elf_binds_late(&object->elf, "curl_easy_perform") ? DOCTOR_EXPORTED : DOCTOR_HIDDEN,
                  "%s", object->name);
    else if (!exports && cli_elf_hides(&object->elf, "curl_easy_perform"))
      doctor_find(doctor, DOCTOR_HIDDEN, "%s", object->name);
  }
  const struct cli_object *program = doctor->objects.list;
  if (!use->libcurl && !cli_elf_exports(&program->elf, "curl_easy_perform") &&
      doctor_find_version(&program->elf))
    doctor_find(doctor, DOCTOR_HIDDEN, "%s", program->name);
}

/* ---- a libcurl beside it ---- */

/* All of them go into the output; a program with two flavours has two lines. Rescue looks at the clock when
 * libcurl's own loop comes by. */
static void note_libcurls(struct doctor *doctor)
{
  for (size_t i = 0; i < doctor->objects.count && doctor->libcurl_count < DOCTOR_MOST_LIBCURLS; i++) {
    const struct cli_object *object = &doctor->objects.list[i];
    if (!is_libcurl(object))
      continue;
    doctor->libcurls[doctor->libcurl_count++] = doctor_read_libcurl(object);
    /* curl_easy_perform() turns a multi of its own by that function. */
    if (!cli_elf_binds_late(&object->elf, "curl_multi_perform"))
      doctor_find(doctor, DOCTOR_NO_TURNS, "%s", object->name);
  }
}

/* A libcurl is there and is shared: who calls it, and by which interface? */
static void judge_use(struct doctor *doctor, const struct doctor_use *use)
{
  struct doctor_libcurl libcurl = doctor_read_libcurl(use->libcurl);
  /* A file says that it is called, memory that it is there. Where the process's own record cannot be read,
   * that is a note. */
  enum doctor_kind reached = !doctor->pid     ? DOCTOR_LINKED
                             : doctor->unseen ? DOCTOR_LOADED_TOO
                                              : DOCTOR_LOADED;
  bool follows = use->caller && use->caller != doctor->objects.list;
  if (!use->caller) {
    if (!doctor->counted)
      doctor_find(doctor, DOCTOR_UNUSED, "libcurl %s (%s)", libcurl.version, libcurl.tls);
    return;
  }
  if (use->easy || doctor->hooks.multi)
    doctor_find(doctor, reached, "libcurl %s (%s)%s%s", libcurl.version, libcurl.tls,
                follows ? " by way of " : "", follows ? use->caller->name : "");
  if (use->multi && !doctor->hooks.multi)
    doctor_find(doctor, use->easy ? DOCTOR_MULTI_TOO : DOCTOR_MULTI_ONLY, "%s", use->caller->name);
}

/* ---- a libcurl that is opened by name ---- */

/* Of any flavour. What needs it gets it from the dynamic linker, and is looked at as a caller. */
static bool needs_libcurl(const struct cli_elf *elf)
{
  const char *needed;
  for (size_t n = 0; (needed = cli_elf_dynamic_text(elf, DT_NEEDED, n)); n++)
    if (strncmp(needed, "libcurl", strlen("libcurl")) == 0)
      return true;
  return false;
}

/* Who has the names of libcurl's functions as data, and not as symbols, asks the dynamic linker for them. Who
 * knows only the name of its file may open it, and so may a library for a program that never needs that. */
static void look_for_opener(struct doctor *doctor, const struct cli_object *object)
{
  static const char *const files[] = {"libcurl.so", "libcurl-gnutls.so"};
  const struct cli_elf *elf = &object->elf;
  bool is_program = object == doctor->objects.list;
  /* Whoever needs one or has one inside has the name of its file for other reasons. */
  if (needs_libcurl(elf) || cli_elf_hides(elf, "curl_easy_perform") || doctor_find_version(elf))
    return;
  bool imports = cli_elf_imports(elf, "curl_easy_perform") || cli_elf_exports(elf, "curl_easy_perform");
  /* Imported, the name stands in the file's own table of strings. */
  bool names = !imports && cli_elf_find(elf, "curl_easy_perform");
  for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
    if (!cli_elf_find(elf, files[i]))
      continue;
    if (!doctor->hooks.dlsym)
      doctor_find(doctor, DOCTOR_OPENS_MISSED, "%s%sopens %s", is_program ? "" : object->name,
                  is_program ? "" : " ", files[i]);
    else if (is_program && names)
      doctor_find(doctor, DOCTOR_BY_NAME, "%s", object->name);
    else
      doctor_find(doctor, DOCTOR_OPENS, "%s%sopens %s", is_program ? "" : object->name, is_program ? "" : " ",
                  files[i]);
    return;
  }
}

/* In the order in which they would matter to a person: what is there, what is hidden inside, then
 * who calls it. A program that knows libcurl's file by name opens it while it runs. */
void doctor_look_at_libcurl(struct doctor *doctor)
{
  struct doctor_use use = doctor_use_of(&doctor->objects);
  note_libcurls(doctor);
  look_for_static(doctor, &use);
  if (use.libcurl)
    judge_use(doctor, &use);
  for (size_t i = 0; !use.libcurl && i < doctor->objects.count; i++)
    look_for_opener(doctor, &doctor->objects.list[i]);
}
