/* SPDX-License-Identifier: MIT */
#include "store/state/fleet_store.h"

#include "config/hex.h"
#include "config/kernel.h"
#include "config/old_glibc.h"
#include "config/thread.h"
#include "store/base/fd.h"
#include "store/base/hash.h"
#include "store/base/path.h"
#include "store/base/process.h"
#include "store/base/quiet.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* The object. */

/* DEEPBIND, as for the store's own object: a host that exports its own OpenSSL would capture the one that the
 * fleet's object uses. The sanitizers do not allow it. */
#ifdef IDEM_SANITIZED
#define OBJECT_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)
#else
#define OBJECT_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND)
#endif

static const struct idem_fleet_api *api; /* under process_lock_stores */

/* Beside the object that this is in, or where that is installed from where the command is. */
static void *open_object(char path[PATH_MAX])
{
  static const char *const places[] = {"", "../" IDEM_LIB "/idemshim/"};
  char own[PATH_MAX];
  Dl_info info;
  void *object = NULL;
  const char *name = dladdr((void *)fleet_store_find, &info) ? info.dli_fname : NULL;
  /* A program's name is as it was called. */
  ssize_t len = name && name[0] == '/' ? 0 : readlink("/proc/self/exe", own, sizeof(own) - 1);
  if (len > 0) {
    own[len] = '\0';
    name = own;
  }
  const char *slash = name ? strrchr(name, '/') : NULL;
  for (size_t i = 0; i < sizeof(places) / sizeof(*places) && slash && !object; i++)
    if (snprintf(path, PATH_MAX, "%.*s%slibidemshim-fleet.so", (int)(slash + 1 - name), name, places[i]) <
        PATH_MAX)
      object = dlopen(path, OBJECT_FLAGS);
  return object;
}

/* Once for a process; the object stays. Its version is compared before any of it is called. */
static int load(struct idem_error *error)
{
  char path[PATH_MAX] = "libidemshim-fleet.so";
  if (api)
    return 0;
  void *object = open_object(path);
  const struct idem_fleet_api *found = object ? dlsym(object, "idem_fleet_api") : NULL;
  if (!found) {
    const char *why = dlerror();
    return idem_error_set(error, -ELIBACC, "cannot load %s: %s", path, why ? why : "it is no object of ours");
  }
  if (found->version != IDEM_FLEET_API_VERSION || found->size != sizeof(*found))
    return idem_error_set(error, -ELIBACC, "%s belongs to another version", path);
  api = found;
  return 0;
}

/* The identity. */

static bool get_hex(const char *text, uint8_t *out, size_t len)
{
  unsigned byte;
  if (strspn(text, "0123456789abcdef") < 2 * len)
    return false;
  for (size_t i = 0; i < len; i++) {
    sscanf(text + 2 * i, "%2x", &byte);
    out[i] = (uint8_t)byte;
  }
  return true;
}

/* "idemshim 1 plain SECRET", "idemshim 1 sealed SALT CHECK". */
static const char plain[] = "idemshim 1 plain ", sealed[] = "idemshim 1 sealed ";

/* A new identity, which is only a candidate: the fleet may have got another one in the meantime. */
static int make_text(const uint8_t *master, char text[IDEM_FLEET_IDENTITY])
{
  uint8_t random[FLEET_SECRET], key[SEAL_KEY_SIZE], check[SEAL_CHECK_SIZE];
  char first[2 * FLEET_SECRET + 1], second[2 * SEAL_CHECK_SIZE + 1];
  if (getrandom(random, sizeof(random), 0) != sizeof(random))
    return -EIO;
  idem_hex(random, master ? FLEET_SALT : FLEET_SECRET, first);
  if (master) {
    int rc = seal_derive(master, (struct idem_span){(const char *)random, FLEET_SALT}, key, check);
    if (rc < 0)
      return rc;
    idem_hex(check, sizeof(check), second);
  }
  snprintf(text, IDEM_FLEET_IDENTITY, master ? "%s%s %s" : "%s%s", master ? sealed : plain, first, second);
  explicit_bzero(key, sizeof(key));
  return 0;
}

/* Learns the secret from the identity. -EKEYREJECTED is the user's to mend, and so never passed over in
 * silence; -EPROTO is of a newer version. */
static int read_text(struct fleet_store *out, const uint8_t *master, struct idem_error *error)
{
  uint8_t key[SEAL_KEY_SIZE], check[SEAL_CHECK_SIZE], given[SEAL_CHECK_SIZE];
  struct idem_span salt = {(const char *)out->salt, FLEET_SALT};
  const char *at = out->text + sizeof(sealed) - 1;
  bool is_plain = strncmp(out->text, plain, sizeof(plain) - 1) == 0;
  if (is_plain && master)
    return idem_error_set(error, -EKEYREJECTED,
                          "the fleet is not encrypted, and a key file is given; name another "
                          "fleet, or take IDEMSHIM_KEY_FILE away");
  if (is_plain && get_hex(out->text + sizeof(plain) - 1, out->secret, FLEET_SECRET))
    return 0;
  if (is_plain || strncmp(out->text, sealed, sizeof(sealed) - 1) != 0 ||
      !get_hex(at, out->salt, FLEET_SALT) || at[2 * FLEET_SALT] != ' ' ||
      !get_hex(at + 2 * FLEET_SALT + 1, given, sizeof(given)))
    return idem_error_set(error, -EPROTO, "the fleet has an identity that this idemshim does not understand");
  if (!master)
    return idem_error_set(error, -EKEYREJECTED, "the fleet is encrypted, and IDEMSHIM_KEY_FILE gives no key");
  int rc = seal_derive(master, salt, key, check);
  if (rc == 0)
    rc = seal_derive_secret(master, salt, out->secret);
  explicit_bzero(key, sizeof(key));
  if (rc == 0 && memcmp(check, given, sizeof(check)) != 0)
    rc = idem_error_set(error, -EKEYREJECTED,
                        "the fleet is encrypted with another key than that of IDEMSHIM_KEY_FILE");
  return rc;
}

/* Files. */

static void digest_of(const char *text, char hex[17])
{
  struct hash hash;
  uint8_t digest[IDEM_KEY_SIZE];
  hash_begin(&hash);
  hash_text(&hash, text);
  hash_end(&hash, digest);
  idem_hex(digest, 8, hex);
}

/* Where it is and its name, without what may change: a password, a limit. */
static void place_of(const struct idem_fleet *where, char hex[17])
{
  char text[1024];
  int len = snprintf(text, sizeof(text), "%d %u %s %s", (int)where->kind, where->db, where->name,
                     where->master ? where->master : "");
  for (size_t i = 0; i < where->node_count && len > 0 && (size_t)len < sizeof(text); i++)
    len +=
        snprintf(text + len, sizeof(text) - (size_t)len, " %s %u", where->node[i].host, where->node[i].port);
  digest_of(text, hex);
}

static bool read_file(const char *path, char text[IDEM_FLEET_IDENTITY])
{
  int fd = fd_open(path, O_RDONLY | O_NONBLOCK, 0);
  ssize_t len = fd >= 0 ? read(fd, text, IDEM_FLEET_IDENTITY - 1) : -1;
  if (fd >= 0)
    close(fd);
  text[len > 0 ? len : 0] = '\0';
  return len > 0;
}

/* Whole or not at all: another process may be at it. */
static void write_file(const char *path, const char *text)
{
  char fresh[PATH_MAX];
  if (snprintf(fresh, sizeof(fresh), "%s.%d", path, (int)getpid()) >= (int)sizeof(fresh))
    return;
  int fd = fd_open(fresh, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (fd < 0)
    return;
  bool whole = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  close(fd);
  if (!whole || rename(fresh, path) < 0)
    unlink(fresh);
}

/* Nobody has the shared page yet, in which a fleet that is away is known by all: the file's time says it. */
static bool was_away(const char *path)
{
  enum { AWAY_SECONDS = 10 };
  struct stat stat;
  int64_t age =
      idem_fstatat(AT_FDCWD, path, &stat, AT_SYMLINK_NOFOLLOW) == 0 ? time(NULL) - stat.st_mtime : -1;
  return age >= 0 && age < AWAY_SECONDS;
}

/* A connection of its own, before anything is known of the fleet. */
static int open_alone(struct idem_fleet_client **out, const struct idem_fleet *where,
                      struct idem_fleet_shared *alone, struct idem_error *error)
{
  struct idem_fleet_options options = {.where = where, .shared = alone, .life = process_generation};
  char why[200] = "";
  int rc = load(error);
  if (rc == 0 && (rc = api->open(out, &options, why, sizeof(why))) < 0)
    idem_error_set(error, rc, "%s: %s", where->shown, why);
  return rc;
}

/* Asks the fleet itself, and tells it a new one if it has none. `is_away`: nobody else
 * need ask for a while. */
static int ask(const struct idem_fleet *where, const uint8_t *master, char text[IDEM_FLEET_IDENTITY],
               bool *is_away, struct idem_error *error)
{
  struct idem_fleet_shared alone = {.changes = 0};
  idem_fleet_limit limit = (int64_t)where->call_ms * 1000;
  struct idem_fleet_client *client;
  char candidate[IDEM_FLEET_IDENTITY];
  int rc = make_text(master, candidate);
  if (rc == 0)
    rc = open_alone(&client, where, &alone, error);
  if (rc < 0)
    return rc;
  rc = api->identity(client, &limit, candidate, text);
  if (rc < 0)
    idem_error_set(error, rc, "%s: %s", where->shown, api->problem(client));
  *is_away = rc < 0 && idem_fleet_has_failed(&alone);
  api->close(client);
  explicit_bzero(candidate, sizeof(candidate));
  return rc;
}

int fleet_store_check(const struct idem_fleet *where, idem_fleet_tell *tell, void *arg,
                      struct idem_error *error)
{
  struct idem_fleet_shared alone = {.changes = 0};
  struct idem_fleet_client *client;
  QUIET();
  idem_thread_prepare(dlsym);
  PROCESS_LOCKED(stores);
  int rc = open_alone(&client, where, &alone, error);
  if (rc < 0)
    return rc;
  rc = api->check(client, tell, arg);
  api->close(client);
  return rc;
}

/* From the machine's own file, which asks nobody; without it from the fleet. A command that makes no store
 * makes no identity either. */
static int find(struct fleet_store *out, const struct idem_store_options *options, const uint8_t *master,
                struct idem_error *error)
{
  char place[17], id[17], path[PATH_MAX], away[PATH_MAX], dir[PATH_MAX];
  struct idem_error why = {""};
  bool is_away = true;
  place_of(options->fleet, place);
  if (snprintf(dir, sizeof(dir), "%s/fleet", options->dir) >= (int)sizeof(dir) ||
      snprintf(path, sizeof(path), "%s/%s.identity", dir, place) >= (int)sizeof(path))
    return path_fail(error, -ENAMETOOLONG, options->dir);
  int rc = options->must_exist ? 0 : path_make_dir(dir, error);
  if (rc < 0)
    return rc;
  if (!read_file(path, out->text)) {
    snprintf(away, sizeof(away), "%.*s.away", (int)(sizeof(away) - sizeof(".away")), path);
    rc = options->must_exist || was_away(away) ? -ENOENT
                                               : ask(options->fleet, master, out->text, &is_away, &why);
    /* Another process may have been answered meanwhile. */
    if (rc < 0 && why.text[0] && read_file(path, out->text))
      rc = 0;
    if (rc < 0 && why.text[0] && is_away)
      write_file(away, "");
    /* The store of this machine alone will do. */
    if (rc < 0)
      return idem_error_set(error, 0, "%s%s", why.text, why.text[0] ? "; this machine works alone" : "");
    write_file(path, out->text);
  }
  rc = read_text(out, master, error);
  digest_of(out->text, id);
  out->known = rc == 0;
  if (rc == 0 && snprintf(out->dir, sizeof(out->dir), "%s/%s", dir, id) >= (int)sizeof(out->dir))
    rc = path_fail(error, -ENAMETOOLONG, dir);
  return rc;
}

int fleet_store_find(struct fleet_store *out, const struct idem_store_options *options,
                     struct idem_error *error)
{
  uint8_t master[SEAL_KEY_SIZE];
  *out = (struct fleet_store){.known = false};
  if (!options->key_file)
    return find(out, options, NULL, error);
  int rc =
      seal_read_key(options->key_file, master, error) < 0 ? -EKEYREJECTED : find(out, options, master, error);
  explicit_bzero(master, sizeof(master));
  return rc;
}

/* With the epoch in it, longer than upstreams remember a key. */
uint64_t fleet_store_keep_ms(uint64_t ttl_ms)
{
  enum { KEEP_DAYS = 8, DAY_MS = 86400000 };
  const uint64_t keep_ms = (uint64_t)KEEP_DAYS * DAY_MS;
  return ttl_ms < UINT64_MAX - keep_ms ? ttl_ms + keep_ms : UINT64_MAX;
}

int fleet_store_nonce(char owner[IDEM_FLEET_OWNER + 1])
{
  uint8_t random[IDEM_FLEET_OWNER / 2];
  if (owner[0])
    return 0;
  if (getrandom(random, sizeof(random), 0) != sizeof(random))
    return -EIO;
  idem_hex(random, sizeof(random), owner);
  return 0;
}

const struct idem_fleet_api *fleet_store_connect(const struct fleet_store *found,
                                                 const struct idem_fleet *where,
                                                 struct idem_fleet_shared *shared,
                                                 struct idem_fleet_client **client)
{
  struct idem_fleet_options options = {
      .where = where, .shared = shared, .life = process_generation, .identity = found->text};
  char why[200];
  return load(NULL) == 0 && api->open(client, &options, why, sizeof(why)) == 0 ? api : NULL;
}
