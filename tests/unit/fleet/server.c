/* SPDX-License-Identifier: MIT */
#include "tests/unit/fleet/server.h"

#include "config/config.h"
#include "fleet/client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct server server;
static struct link admin;
static uint32_t life = 1;

/* What tests make, which is given back at their end. */
enum { MADE_MOST = 256 };
static struct {
  struct idem_fleet_client *client[MADE_MOST];
  struct idem_config *config[MADE_MOST];
  struct idem_fleet_shared *shared[MADE_MOST];
  unsigned clients;
  char *record[MADE_MOST];
  unsigned records;
} made;
static const char *given_url;

static uint32_t life_now(void)
{
  return life;
}

static char *get(const char *name)
{
  return !strcmp(name, "IDEMSHIM_FLEET")    ? (char *)(uintptr_t)given_url
         : !strcmp(name, "IDEMSHIM_CONFIG") ? (char *)(uintptr_t) "none"
         : !strcmp(name, "HOME")            ? (char *)(uintptr_t) "/nonexistent"
                                            : NULL;
}

static void start(void)
{
  pid_t test = getpid();
  server.pid = fork();
  if (server.pid != 0)
    return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != test)
    _exit(1);
  execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server.socket, "--dir", server.dir,
         "--save", "", "--appendonly", "no", "--loglevel", "warning", "--logfile", "log", (char *)NULL);
  _exit(127);
}

static bool connect_admin(void)
{
  link_close(&admin);
  struct link_place place = {.host = server.socket, .most = 64 << 20};
  if (link_open(&admin, &place, 100, link_clock_us() + 100000) == 0)
    return true;
  link_close(&admin);
  return false;
}

void restart_server(void)
{
  start();
  for (int i = 0; i < 6000 && !connect_admin(); i++) {
    int status;
    if (waitpid(server.pid, &status, WNOHANG) == server.pid) {
      server.pid = 0;
      cr_skip_test("redis-server is not installed");
    }
    usleep(5000);
  }
  cr_assert_geq(admin.fd, 0, "the server has not begun");
}

void open_server(void)
{
  const char *tmp = getenv("TMPDIR");
  snprintf(server.dir, sizeof(server.dir), "%.30s/idemshim-fleet.XXXXXX", tmp ? tmp : "/tmp");
  cr_assert_not_null(mkdtemp(server.dir));
  snprintf(server.socket, sizeof(server.socket), "%s/socket", server.dir);
  restart_server();
}

void next_life(void)
{
  life++;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
  (void)stat;
  (void)flag;
  (void)walk;
  return remove(path);
}

void close_server(void)
{
  for (unsigned i = 0; i < made.clients; i++) {
    idem_fleet_api.close(made.client[i]);
    idem_config_release(made.config[i]);
    free(made.config[i]);
    free(made.shared[i]);
  }
  for (unsigned i = 0; i < made.records; i++)
    free(made.record[i]);
  link_close(&admin);
  if (server.pid > 0) {
    kill(server.pid, SIGKILL);
    waitpid(server.pid, NULL, 0);
  }
  nftw(server.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct idem_fleet_client *make_client(const char *url, struct idem_fleet_shared *shared)
{
  struct idem_config *config = calloc(1, sizeof(*config));
  struct idem_error error;
  struct idem_fleet_client *client = NULL;
  char why[200] = "";
  given_url = url;
  cr_assert_eq(idem_config_load(config, get, &error), 0, "%s", error.text);
  struct idem_fleet_options options = {.where = config->fleet, .shared = shared, .life = life_now};
  cr_assert_eq(idem_fleet_api.open(&client, &options, why, sizeof(why)), 0, "%s", why);
  cr_assert_lt(made.clients, MADE_MOST);
  made.client[made.clients] = client;
  made.config[made.clients++] = config;
  return client;
}

struct idem_fleet_client *client_at(const char *url)
{
  struct idem_fleet_shared *shared = calloc(1, sizeof(*shared));
  struct idem_fleet_client *client = make_client(url, shared);
  made.shared[made.clients - 1] = shared;
  return client;
}

struct idem_fleet_client *client_beside(const struct idem_fleet_client *client, const char *url)
{
  return make_client(url, shared_of(client));
}

struct idem_fleet_client *client_of(const char *attributes)
{
  char url[256];
  /* The machine is busy: the limits are ten times what they are. */
  snprintf(url, sizeof(url), "unix://%s?connect-timeout=5s&operation-timeout=5s&call-timeout=30s%s%s",
           server.socket, *attributes ? "&" : "", attributes);
  return client_at(url);
}

struct idem_fleet_shared *shared_of(const struct idem_fleet_client *client)
{
  return client->shared;
}

idem_fleet_limit *patience(void)
{
  static idem_fleet_limit limit;
  limit = 30000000;
  return &limit;
}

struct idem_fleet_claim claim_for(char key)
{
  static const uint8_t print[IDEM_FLEET_KEY] = {1};
  static unsigned number;
  struct idem_fleet_claim claim = {
      .fingerprint = print, .most_age_ms = -1, .keep_ms = 3600000, .any_content = true};
  memset(claim.fence.key, key, sizeof(claim.fence.key));
  snprintf(claim.fence.owner, sizeof(claim.fence.owner), "owner-%d-%u", (int)getpid(), ++number);
  return claim;
}

void keep_record(const struct idem_fleet_claim *claim)
{
  if (claim->record && made.records < MADE_MOST)
    made.record[made.records++] = claim->record;
}

struct idem_fleet_claim ask_for(struct idem_fleet_client *client, char key)
{
  struct idem_fleet_claim claim = claim_for(key);
  int rc = idem_fleet_api.claim(client, patience(), &claim);
  cr_assert_eq(rc, 0, "%d: %s", rc, idem_fleet_api.problem(client));
  keep_record(&claim);
  return claim;
}

__attribute__((format(printf, 1, 0))) static struct reply *tell_list(const char *format, va_list args)
{
  char text[1024], *rest = NULL;
  struct link_word words[32];
  struct reply *reply;
  size_t count = 0;
  vsnprintf(text, sizeof(text), format, args);
  for (char *word = strtok_r(text, " ", &rest); word && count < 32; word = strtok_r(NULL, " ", &rest))
    words[count++] = (struct link_word){word, strlen(word)};
  link_allow(&admin, 30000, INT64_MAX);
  cr_assert_eq(link_send(&admin, words, count), 0, "%s", admin.error);
  cr_assert_eq(link_read(&admin, &reply), 0, "%s", admin.error);
  return reply;
}

struct reply *tell(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  struct reply *reply = tell_list(format, args);
  va_end(args);
  return reply;
}

const char *told(const char *format, ...)
{
  static char text[4096];
  va_list args;
  va_start(args, format);
  struct reply *reply = tell_list(format, args);
  va_end(args);
  snprintf(text, sizeof(text), "%s", reply->text ? reply->text : "");
  if (reply->kind == REPLY_NUMBER)
    snprintf(text, sizeof(text), "%lld", (long long)reply->number);
  reply_free(reply);
  return text;
}

const char *name_of(char key, char what)
{
  static char names[8][128];
  static unsigned next;
  char *name = names[next++ % 8], *at = name + sprintf(name, "idemshim:default:{");
  for (int i = 0; i < IDEM_FLEET_KEY; i++)
    at += sprintf(at, "%02x", (unsigned char)key);
  sprintf(at, "}:%c", what);
  return name;
}
