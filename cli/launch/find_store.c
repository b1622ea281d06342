/* SPDX-License-Identifier: MIT */
/* The store is found as the shim would find it, by the same code. */
#include "cli/launch/find_store.h"

#include "cli/launch/launch.h"
#include "cli/output/output.h"
#include "config/kernel.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The file need not be there; links are not followed, since the user named this path and no
 * other. */
char *cli_absolute(const char *path)
{
  char *out = NULL;
  if (path[0] == '/')
    return strdup(path);
  char *here = getcwd(NULL, 0);
  if (here && asprintf(&out, "%s/%s", here, path) < 0)
    out = NULL;
  free(here);
  return out;
}

static int open_store(const struct idem_config *config, bool must_exist, struct idem_store **out,
                      struct idem_error *error)
{
  struct idem_store_options options = {.dir = config->store_dir,
                                       .size = config->store_size,
                                       .sync = config->sync,
                                       /* A person waits longer for another's write than an app may. */
                                       .patience_ms = 10000,
                                       .must_exist = must_exist,
                                       .key_file = config->key_file,
                                       .fleet = config->fleet};
  return idem_store_open(out, &options, error);
}

/* Never makes a store: a typing mistake in --store would leave an empty one behind and say that
 * nothing is stored. */
int cli_open_store(const struct idem_config *config, struct idem_store **out, struct idem_error *error)
{
  return open_store(config, true, out, error);
}

int cli_open_or_make_store(const struct idem_config *config, struct idem_store **out,
                           struct idem_error *error)
{
  return open_store(config, false, out, error);
}

void cli_tell_ignored(const struct idem_config *config)
{
  for (size_t i = 0; i < sizeof(config->ignored) / sizeof(config->ignored[0]) && config->ignored[i]; i++)
    cli_warn("%s; nothing of it holds", config->ignored[i]);
}

#define NOBODY_ELSE ((uid_t)-1)

/* NOBODY_ELSE if it is one's own, or not there. */
static uid_t other_owner(const char *directory, gid_t *group)
{
  struct stat stat;
  if (idem_fstatat(AT_FDCWD, directory, &stat, 0) < 0 || stat.st_uid == geteuid())
    return NOBODY_ELSE;
  *group = stat.st_gid;
  return stat.st_uid;
}

int cli_load_store_config(const struct cli_options *options, struct idem_config *config)
{
  struct idem_error error = {""};
  int code = cli_set_variables(options);
  if (code != CLI_OK)
    return code;
  if (idem_config_load_store(config, getenv, &error) < 0)
    return cli_fail(CLI_USAGE, "%s", error.text);
  cli_tell_ignored(config);
  return CLI_OK;
}

/* A store that is not there is no usage error: it is what a first run finds. */
int cli_find_store(const struct cli_options *options, bool only_reads, struct idem_store **out)
{
  /* A store of a fleet refers to it for as long as it is open. */
  static struct idem_config config;
  struct idem_error error = {""};
  gid_t group;
  int code = cli_load_store_config(options, &config);
  if (code != CLI_OK)
    return code;
  uid_t owner = other_owner(config.store_dir, &group);
  /* Without the right to, it stays whom it is, and the store is refused as another's. Root becomes the owner
   * before anything is opened there, groups first: afterwards it could not. */
  if (only_reads && owner != NOBODY_ELSE && geteuid() == 0 && setgroups(0, NULL) == 0 &&
      setresgid(group, group, group) == 0)
    (void)!setresuid(owner, owner, owner);
  int result = cli_open_store(&config, out, &error);
  /* A container's store may have an owner without a name here. */
  const struct passwd *user = owner != NOBODY_ELSE ? getpwuid(owner) : NULL;
  if (result == -ENOENT)
    code = cli_fail(
        CLI_STORE,
        "there is no store at %s; the first call that a rule matches makes it, and --store names another",
        config.store_dir);
  else if (result == -EPERM && user)
    code = cli_fail(CLI_STORE, "%s; look as its user: sudo -u %s idemshim", error.text, user->pw_name);
  else if (result == -EPERM && owner != NOBODY_ELSE)
    code = cli_fail(CLI_STORE, "%s; look as its user: sudo -u '#%u' idemshim", error.text, (unsigned)owner);
  else if (result < 0)
    code =
        cli_fail(CLI_STORE, "%s%s", error.text,
                 result == -EPERM || result == -EACCES ? "; look as the user of the store, by sudo -u" : "");
  if (code != CLI_OK)
    idem_config_release(&config);
  return code;
}

/* An id that fits several answers is a usage error, one that fits none is a "no". */
int cli_not_found(int result, const struct idem_error *error)
{
  switch (result) {
  case -ENOENT:
    return cli_fail(CLI_NO, "%s; idemshim ls --all lists what there is", error->text);
  case -ENOTUNIQ:
  case -EINVAL:
    return cli_fail(CLI_USAGE, "%s", error->text);
  default:
    return cli_fail(CLI_STORE, "%s", error->text);
  }
}
