/* SPDX-License-Identifier: MIT */
#include "tests/e2e/reach/real.h"

const struct client clients[] = {
#define X(name, packages, program, option, script, calls)                                                    \
  {#name, packages, program, option, "tests/clients/real/" script, calls},
    CLIENTS(X)
#undef X
};

bool client_installed(struct world *w, const struct client *client)
{
  struct run asked = run_shell_plain(w, world_text(w, "dpkg -s %s", client->packages));
  bool installed = asked.status == 0;

  run_release(&asked);
  return installed;
}

void client_argv(const struct client *client, const char *url, const char *argv[CLIENT_ARGUMENTS])
{
  int n = 0;

  argv[n++] = client->program;
  if (client->option)
    argv[n++] = client->option;
  argv[n++] = client->script;
  argv[n++] = url;
  argv[n] = NULL;
}
