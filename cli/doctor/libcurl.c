/* SPDX-License-Identifier: MIT */
/*
 * How a set of objects uses libcurl: a shared one that somebody in the set calls, one inside of a program or a
 * library, or one that is opened later. Symbols decide, never names of packages: who wants curl_easy_perform from the
 * dynamic linker is a caller, who defines it and has a version text is a libcurl, and who defines it without one is a
 * preload such as ours.
 */
#include "cli/doctor/doctor.h"

#include <ctype.h>
#include <stdio.h>
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

/* Any of these means that transfers are driven through the multi interface. */
static const char *const multi_drivers[] = {"curl_multi_perform", "curl_multi_socket_action"};

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

/* Driving is what counts: a program may make a multi and never turn it. */
static bool uses_multi(const struct cli_elf *elf)
{
  for (size_t i = 0; i < sizeof(multi_drivers) / sizeof(multi_drivers[0]); i++)
    if (cli_elf_imports(elf, multi_drivers[i]))
      return true;
  return false;
}

/* libcurl calls itself, and so may what has been preloaded: neither is a caller. */
static bool may_call(const struct cli_object *object)
{
  return !is_libcurl(object) && !cli_elf_exports(&object->elf, "curl_easy_perform");
}

/* The first caller of the easy interface is the one that is told; one of the multi interface
 * alone only where there is no other. */
struct doctor_use doctor_use_of(const struct cli_objects *objects)
{
  struct doctor_use use = {0};
  for (size_t i = 0; i < objects->count; i++) {
    const struct cli_object *object = &objects->list[i];
    if (!use.libcurl && is_libcurl(object))
      use.libcurl = object;
    if (!may_call(object))
      continue;
    bool easy = cli_elf_imports(&object->elf, "curl_easy_perform"), multi = uses_multi(&object->elf);
    if ((easy && !use.easy) || (multi && !use.caller))
      use.caller = object;
    use.easy |= easy;
    use.multi |= multi;
  }
  return use;
}

/* ---- a libcurl inside of something else ---- */

/* What exports these names without a version of its own is a preload such as ours. A libcurl that
 * was linked into something else can be reached if its own functions call each other through the
 * dynamic linker, which the relocations tell; a preload comes first then. If they call each other
 * directly, nothing can. */
static void look_inside(struct doctor *doctor, const struct cli_object *object)
{
  if (cli_elf_exports(&object->elf, "curl_easy_perform") && doctor_find_version(&object->elf)) {
    bool late = cli_elf_binds_late(&object->elf, "curl_easy_perform");
    doctor_find(doctor, late ? DOCTOR_EXPORTED : DOCTOR_HIDDEN, "%s", object->name);
  } else if (cli_elf_hides(&object->elf, "curl_easy_perform")) {
    doctor_find(doctor, DOCTOR_HIDDEN, "%s", object->name);
  }
}

/* Only the program itself is searched for a version: a library of the system may well talk of one. */
static void look_for_static(struct doctor *doctor, const struct doctor_use *use)
{
  for (size_t i = 0; i < doctor->objects.count; i++) {
    const struct cli_object *object = &doctor->objects.list[i];
    if (!is_libcurl(object) && strcmp(object->name, "libidemshim.so") != 0)
      look_inside(doctor, object);
  }
  const struct cli_object *program = doctor->objects.list;
  if (!use->libcurl && !cli_elf_exports(&program->elf, "curl_easy_perform") &&
      doctor_find_version(&program->elf))
    doctor_find(doctor, DOCTOR_HIDDEN, "%s", program->name);
}

/* ---- a libcurl beside it ---- */

/* Rescue looks at the clock when libcurl's own loop comes by. */
static void look_at_turns(struct doctor *doctor, const struct cli_object *libcurl)
{
  if (!cli_elf_binds_late(&libcurl->elf, "curl_multi_perform"))
    doctor_find(doctor, DOCTOR_NO_TURNS, "%s", libcurl->name);
}

/* All of them go into the output; a program with two flavours has two lines. Those older than
 * 7.68 limit the verdict. */
static void note_libcurls(struct doctor *doctor)
{
  for (size_t i = 0; i < doctor->objects.count && doctor->libcurl_count < DOCTOR_MOST_LIBCURLS; i++)
    if (is_libcurl(&doctor->objects.list[i])) {
      doctor->libcurls[doctor->libcurl_count++] = doctor_read_libcurl(&doctor->objects.list[i]);
      look_at_turns(doctor, &doctor->objects.list[i]);
    }
  for (size_t i = 0; i < doctor->libcurl_count; i++) {
    int major, minor;
    if (sscanf(doctor->libcurls[i].version, "%d.%d", &major, &minor) == 2 && major * 1000 + minor < 7068)
      doctor_find(doctor, DOCTOR_OLD, "%s", doctor->libcurls[i].version);
  }
}

/* A libcurl is there and is shared: who calls it, and by which interface? */
static void judge_use(struct doctor *doctor, const struct doctor_use *use)
{
  struct doctor_libcurl libcurl = doctor_read_libcurl(use->libcurl);
  enum doctor_kind reached = doctor->pid ? DOCTOR_LOADED : DOCTOR_LINKED;
  bool follows = use->caller && use->caller != doctor->objects.list;
  if (!use->caller) {
    doctor_find(doctor, DOCTOR_UNUSED, "libcurl %s (%s)", libcurl.version, libcurl.tls);
    return;
  }
  if (use->easy || doctor->hooks.multi)
    doctor_find(doctor, reached, "libcurl %s (%s)%s%s", libcurl.version, libcurl.tls,
                follows ? " by way of " : "", follows ? use->caller->name : "");
  if (use->multi && !doctor->hooks.multi)
    doctor_find(doctor, use->easy ? DOCTOR_MULTI_TOO : DOCTOR_MULTI_ONLY, "%s", use->caller->name);
}

/* A program that knows libcurl's file by name opens it while it runs. */
static void look_for_opening(struct doctor *doctor)
{
  static const char *const names[] = {"libcurl.so", "libcurl-gnutls.so"};
  const struct cli_elf *program = &doctor->objects.list[0].elf;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (cli_elf_find(program, names[i])) {
      doctor_find(doctor, doctor->hooks.dlsym ? DOCTOR_OPENS : DOCTOR_OPENS_MISSED, "%s", names[i]);
      return;
    }
}

/* In the order in which they would matter to a person: what is there, what is hidden inside, then
 * who calls it. */
void doctor_look_at_libcurl(struct doctor *doctor)
{
  struct doctor_use use = doctor_use_of(&doctor->objects);
  note_libcurls(doctor);
  look_for_static(doctor, &use);
  if (use.libcurl)
    judge_use(doctor, &use);
  else
    look_for_opening(doctor);
}
