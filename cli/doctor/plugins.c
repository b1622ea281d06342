/* SPDX-License-Identifier: MIT */
/* Programs whose calls are made by something else: a helper that they start, or plugins that they load as
 * they are configured. Those that are known are looked at; of others it is said that they have plugins, which
 * nothing tells of. */
#include "cli/doctor/doctor.h"

#include <stdlib.h>
#include <string.h>

/* A directory of plugins, or the file of a helper. */
static const struct {
  const char *program, *pattern;
  bool helper;
} places[] = {
    /* Some stand here twice: for Debian's places, and for those of systems with libexec or lib64. */
    {"git", "{}/lib/git-core/git-remote-https", true},
    {"git", "{}/libexec/git-core/git-remote-https", true},
    {"postgres", "{}/lib/*.so", false},
    {"kamailio", "{}/lib/*/kamailio/modules/*.so", false},
    {"kamailio", "{}/lib*/kamailio/modules/*.so", false},
    {"opensips", "{}/lib/*/opensips/modules/*.so", false},
    {"freeradius", "{}/lib/freeradius/*.so", false},
    {"radiusd", "{}/lib*/freeradius/*.so", false},
    {"apache2", "{}/lib/apache2/modules/*.so", false},
    {"httpd", "{}/lib*/httpd/modules/*.so", false},
    {"nginx", "{}/lib/nginx/modules/*.so", false},
    {"uwsgi", "{}/lib/uwsgi/plugins/*.so", false},
    {"uwsgi-core", "{}/lib/uwsgi/plugins/*.so", false},
    {"collectd", "{}/lib/collectd/*.so", false},
    {"rsyslogd", "{}/lib/*/rsyslog/*.so", false},
    {"rsyslogd", "{}/lib*/rsyslog/*.so", false},
    {"syslog-ng", "{}/lib/syslog-ng/*/*.so", false},
    {"asterisk", "{}/lib/*/asterisk/modules/*.so", false},
    {"mariadbd", "{}/lib/mysql/plugin/*.so", false},
    {"mysqld", "{}/lib/mysql/plugin/*.so", false},
};

/* What opens a file that the program's own does not name. */
static const char *const openers[] = {"dlopen",          "dlmopen",      "lt_dlopen",    "lt_dlopenext",
                                      "lt_dlopenadvise", "apr_dso_load", "g_module_open"};

/* By the name that it was asked for by, or that of the file behind a link. */
static bool is_called(const struct doctor *doctor, const char *real, const char *name)
{
  const char *const paths[] = {doctor->program.path, real ? real : ""};
  for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
    const char *slash = strrchr(paths[i], '/');
    if (strcmp(slash ? slash + 1 : paths[i], name) == 0)
      return true;
  }
  return false;
}

/* A helper is where all of its program's calls are made; a plugin is one of many, which the configuration
 * chooses. */
static void look_at_places(struct doctor *doctor)
{
  char *real = realpath(doctor->program.path, NULL);
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
    if (is_called(doctor, real, places[i].program))
      doctor_look_at_module(doctor,
                            &(struct doctor_module){.pattern = places[i].pattern, .only = places[i].helper});
  free(real);
}

/* Of a program whose way to make calls is known, it does not matter that it has plugins, too:
 * most large ones have. */
void doctor_look_at_plugins(struct doctor *doctor)
{
  const struct cli_object *program = doctor->objects.list;
  bool known = false;
  for (size_t i = 0; i < doctor->finding_count; i++)
    /* What covers or limits is a way that was found; a note or a "maybe" leaves the question open. */
    known |=
        doctor->findings[i].row->weight == DOCTOR_COVERS || doctor->findings[i].row->weight == DOCTOR_LIMITS;
  if (known)
    return;
  look_at_places(doctor);
  for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++)
    if (cli_elf_imports(&program->elf, openers[i])) {
      doctor_find(doctor, DOCTOR_PLUGINS, "%s", openers[i]);
      return;
    }
}
