/* SPDX-License-Identifier: MIT */
/* Several servers: a cluster whose slots move, a master that sentinels replace, replicas that must
 * have a write, and TLS. */
#include "fleet/client.h"
#include "tests/harness/free_port.h"
#include "tests/unit/fleet/server.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERVERS = 3 };

static struct {
  pid_t pid;
  uint16_t port;
} node[SERVERS];

/* What `sh -c` says, without the line's end. */
__attribute__((format(printf, 1, 2))) static const char *sh(const char *format, ...)
{
  static char said[4096];
  char command[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(command, sizeof(command), format, args);
  va_end(args);
  FILE *pipe = popen(command, "r");
  size_t len = fread(said, 1, sizeof(said) - 1, pipe);
  said[len] = '\0';
  said[strcspn(said, "\n")] = '\0';
  pclose(pipe);
  return said;
}
#define CLI(i, words) sh("redis-cli -p %u " words " 2>&1", node[i].port)

static void start_node(int i, const char *options)
{
  char command[1024];
  pid_t test = getpid();
  node[i].port = free_port();
  snprintf(
      command, sizeof(command),
      "exec redis-server --port %u --bind 127.0.0.1 --dir %s --save '' --appendonly no --loglevel warning "
      "--logfile log-%d --dbfilename dump-%d --cluster-config-file nodes-%d %s >/dev/null",
      node[i].port, server.dir, i, i, i, options);
  node[i].pid = fork();
  if (node[i].pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != test)
      _exit(1);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
}

static void wait_for(int i, const char *words, const char *answer)
{
  for (int tries = 0; tries < 3000; tries++) {
    if (strstr(sh("redis-cli -p %u %s 2>&1 | tr '\\n' ' '", node[i].port, words), answer))
      return;
    usleep(10000);
  }
  cr_assert_fail("%s never said %s", words, answer);
}

static void close_several(void)
{
  for (int i = 0; i < SERVERS; i++)
    if (node[i].pid > 0) {
      kill(node[i].pid, SIGKILL);
      waitpid(node[i].pid, NULL, 0);
    }
  close_server();
}

TestSuite(fleet_several, .init = open_server, .fini = close_several, .timeout = 180);

#define LIMITS "connect-timeout=5s&operation-timeout=5s&call-timeout=30s"

static void open_cluster(void)
{
  for (int i = 0; i < SERVERS; i++)
    start_node(i, "--cluster-enabled yes --cluster-node-timeout 2000 --cluster-require-full-coverage no");
  for (int i = 0; i < SERVERS; i++)
    wait_for(i, "PING", "PONG");
  /* Redis before 7 knows no ADDSLOTSRANGE. */
  sh("redis-cli -p %u CLUSTER ADDSLOTS $(seq 0 5460)", node[0].port);
  sh("redis-cli -p %u CLUSTER ADDSLOTS $(seq 5461 10922)", node[1].port);
  sh("redis-cli -p %u CLUSTER ADDSLOTS $(seq 10923 16383)", node[2].port);
  for (int i = 1; i < SERVERS; i++)
    sh("redis-cli -p %u CLUSTER MEET 127.0.0.1 %u", node[0].port, node[i].port);
  for (int i = 0; i < SERVERS; i++)
    wait_for(i, "CLUSTER INFO", "cluster_known_nodes:3"), wait_for(i, "CLUSTER INFO", "cluster_state:ok");
}

static int server_of(int slot)
{
  return slot <= 5460 ? 0 : slot <= 10922 ? 1 : 2;
}

/* Claims and commits that key; the answer is its letter. */
static int whole_operation(struct idem_fleet_client *client, char key)
{
  struct idem_fleet_claim claim = claim_for(key);
  int rc = idem_fleet_api.claim(client, patience(), &claim);
  if (rc == 0 && claim.verdict == IDEM_FLEET_ANSWER) {
    rc = claim.record_len == 1 && claim.record[0] == key ? 2 : -EILSEQ;
    idem_fleet_api.answer_free(&claim);
    return rc;
  }
  if (rc == 0 && idem_fleet_api.sent(client, patience(), &claim.fence, 0) != 1)
    return -ECANCELED;
  return rc < 0 ? rc : idem_fleet_api.commit(client, patience(), &claim.fence, &key, 1, 600000, 600000);
}

/* 1: it sees that answer. */
static int look(struct idem_fleet_client *client, char key)
{
  struct idem_fleet_claim claim = claim_for(key);
  int rc = idem_fleet_api.look(client, patience(), &claim);
  if (rc == 0 && claim.verdict == IDEM_FLEET_ANSWER)
    rc = claim.record_len == 1 && claim.record[0] == key ? 1 : -EILSEQ;
  idem_fleet_api.answer_free(&claim);
  return rc;
}

Test(fleet_several, a_cluster_is_asked_where_the_key_is_while_slots_move_and_after_a_server_is_lost)
{
  char url[256], identity[IDEM_FLEET_IDENTITY];
  open_cluster();
  snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u?" LIMITS, node[0].port);
  struct idem_fleet_client *client = client_at(url);
  cr_assert_eq(idem_fleet_api.identity(client, patience(), "me", identity), 0, "%s",
               idem_fleet_api.problem(client));
  for (char key = 'a'; key <= 'z'; key++)
    cr_expect_eq(whole_operation(client, key), 1, "%c: %s", key, idem_fleet_api.problem(client));
  for (char key = 'a'; key <= 'z'; key++)
    cr_expect_eq(whole_operation(client, key), 2, "%c: %s", key, idem_fleet_api.problem(client));
  struct idem_fleet_client *reader = client_at(url);
  for (char key = 'a'; key <= 'z'; key++)
    cr_expect_eq(look(reader, key), 1, "%c: %s", key, idem_fleet_api.problem(reader));
  cr_expect_eq(atomic_load(&shared_of(client)->changes), 0, "a move is no failure");

  /* One slot on its way: what is not there any more is asked for where it goes (ASK), and
   * then is there (MOVED). */
  const char *name = name_of('a', 'c');
  char slot[16], owner[64], target[64];
  snprintf(slot, sizeof(slot), "%s", sh("redis-cli -p %u CLUSTER KEYSLOT '%s'", node[0].port, name));
  int from = server_of(atoi(slot)), to = (from + 1) % SERVERS;
  snprintf(owner, sizeof(owner), "%s", CLI(from, "CLUSTER MYID"));
  snprintf(target, sizeof(target), "%s", CLI(to, "CLUSTER MYID"));
  sh("redis-cli -p %u CLUSTER SETSLOT %s IMPORTING %s", node[to].port, slot, owner);
  sh("redis-cli -p %u CLUSTER SETSLOT %s MIGRATING %s", node[from].port, slot, target);
  sh("redis-cli -p %u MIGRATE 127.0.0.1 %u '' 0 5000 KEYS '%s' '%s' '%s'", node[from].port, node[to].port,
     name, name_of('a', 'a'), name_of('a', 's'));
  cr_expect_eq(look(reader, 'a'), -EREMOTEIO, "a look does not go after it");
  cr_expect_eq(whole_operation(client, 'a'), 2, "%s", idem_fleet_api.problem(client));
  for (int i = 0; i < SERVERS; i++)
    sh("redis-cli -p %u CLUSTER SETSLOT %s NODE %s", node[i].port, slot, target);
  /* They may tell each other of it for a while. */
  int rc = whole_operation(client, 'a');
  for (int i = 0; i < 500 && rc < 0; i++, rc = whole_operation(client, 'a'))
    usleep(10000);
  cr_expect_eq(rc, 2, "%s", idem_fleet_api.problem(client));
  cr_expect_eq(look(reader, 'a'), 1, "%s", idem_fleet_api.problem(reader));

  /* Some keys of an operation have moved, and the others do a moment later: until then
   * neither server can tell. */
  name = name_of('b', 'c');
  snprintf(slot, sizeof(slot), "%s", sh("redis-cli -p %u CLUSTER KEYSLOT '%s'", node[0].port, name));
  from = server_of(atoi(slot)), to = (from + 1) % SERVERS;
  snprintf(owner, sizeof(owner), "%s", CLI(from, "CLUSTER MYID"));
  snprintf(target, sizeof(target), "%s", CLI(to, "CLUSTER MYID"));
  sh("redis-cli -p %u CLUSTER SETSLOT %s IMPORTING %s", node[to].port, slot, owner);
  sh("redis-cli -p %u CLUSTER SETSLOT %s MIGRATING %s", node[from].port, slot, target);
  sh("redis-cli -p %u MIGRATE 127.0.0.1 %u '%s' 0 5000", node[from].port, node[to].port, name);
  /* Redis before 7 sends to the other, which says TRYAGAIN. */
  const char *half = sh("redis-cli -p %u EXISTS '%s' '%s'", node[from].port, name, name_of('b', 'a'));
  cr_assert(strstr(half, "TRYAGAIN") || strstr(half, "ASK "), "%s", half);
  cr_expect_eq(look(reader, 'b'), -EREMOTEIO, "of a half nothing is said");
  cr_expect_eq(atomic_load(&shared_of(reader)->changes), 0);
  pid_t mover = fork();
  if (mover == 0) {
    usleep(300000);
    sh("redis-cli -p %u MIGRATE 127.0.0.1 %u '' 0 5000 KEYS '%s' '%s'", node[from].port, node[to].port,
       name_of('b', 'a'), name_of('b', 's'));
    for (int i = 0; i < SERVERS; i++)
      sh("redis-cli -p %u CLUSTER SETSLOT %s NODE %s", node[(to + i) % SERVERS].port, slot, target);
    _exit(0);
  }
  cr_expect_eq(whole_operation(client, 'b'), 2, "%s", idem_fleet_api.problem(client));
  waitpid(mover, NULL, 0);
  cr_expect_eq(atomic_load(&shared_of(client)->changes), 0);

  /* One server is down for good. */
  kill(node[2].pid, SIGKILL);
  waitpid(node[2].pid, NULL, 0);
  node[2].pid = 0;
  int good = 0, bad = 0;
  for (char key = 'A'; key <= 'Z'; key++) {
    rc = whole_operation(client, key);
    good += rc == 1;
    bad += rc < 0;
  }
  cr_expect_gt(good, 0, "the others go on");
  cr_expect_eq(good + bad, 26);
}

/* Processes come to know the servers in orders of their own, and one may begin with the
 * very one that is away. */
Test(fleet_several, a_server_of_a_cluster_that_is_away_is_so_for_all_processes_and_the_others_are_not)
{
  enum { FIRST = 'a', LAST = 'p' };
  char url[3][256];
  bool is_lost[LAST + 1];
  open_cluster();
  for (int i = 0; i < SERVERS; i++)
    snprintf(url[i], sizeof(url[i]), "redis+cluster://127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u?" LIMITS,
             node[i].port, node[(i + 1) % SERVERS].port, node[(i + 2) % SERVERS].port);
  struct idem_fleet_client *client = client_at(url[0]), *other = client_beside(client, url[1]);
  for (char key = FIRST; key <= LAST; key++) {
    cr_expect_eq(whole_operation(client, key), 1, "%c: %s", key, idem_fleet_api.problem(client));
    is_lost[(int)key] =
        server_of(atoi(sh("redis-cli -p %u CLUSTER KEYSLOT '%s'", node[0].port, name_of(key, 'c')))) == 2;
  }
  kill(node[2].pid, SIGKILL);
  waitpid(node[2].pid, NULL, 0);
  node[2].pid = 0;
  struct idem_fleet_client *clients[] = {client, other, client_beside(client, url[2])};
  for (size_t i = 0; i < sizeof(clients) / sizeof(*clients); i++)
    for (char key = FIRST; key <= LAST; key++) {
      int rc = whole_operation(clients[i], key);
      cr_expect(is_lost[(int)key] ? rc < 0 : rc == 2, "client %zu, key %c: %d", i, key, rc);
    }
}

Test(fleet_several, a_claim_is_on_as_many_replicas_as_the_url_says_or_is_a_failure)
{
  char url[256];
  start_node(0, "");
  wait_for(0, "PING", "PONG");
  start_node(1, "");
  wait_for(1, "PING", "PONG");
  snprintf(url, sizeof(url), "redis://127.0.0.1:%u?" LIMITS "&operation-timeout=300ms", node[0].port);
  struct idem_fleet_client *client = client_at(url);
  struct idem_fleet_claim claim = ask_for(client, 'k');
  cr_expect_eq(idem_fleet_api.sent(client, patience(), &claim.fence, 1), -EREMOTEIO, "there is no replica");
  sh("redis-cli -p %u REPLICAOF 127.0.0.1 %u", node[1].port, node[0].port);
  wait_for(1, "INFO replication", "master_link_status:up");
  for (int i = 0; i < SERVERS; i++)
    atomic_store(&shared_of(client)->away[i].until_us, 0);
  int rc = -1;
  for (int i = 0; i < 20 && rc < 1; i++) {
    atomic_store(&shared_of(client)->away[0].until_us, 0);
    rc = idem_fleet_api.sent(client, patience(), &claim.fence, 1);
  }
  cr_expect_eq(rc, 1, "%s", idem_fleet_api.problem(client));
}

Test(fleet_several, sentinels_tell_the_master_and_then_the_next_one)
{
  char url[256], path[128];
  for (int i = 0; i < 2; i++) {
    start_node(i, "--repl-diskless-sync-delay 0");
    wait_for(i, "PING", "PONG");
  }
  sh("redis-cli -p %u REPLICAOF 127.0.0.1 %u", node[1].port, node[0].port);
  wait_for(1, "INFO replication", "master_link_status:up");
  snprintf(path, sizeof(path), "%s/sentinel.conf", server.dir);
  FILE *file = fopen(path, "w");
  fprintf(file,
          "sentinel monitor mine 127.0.0.1 %u 1\nsentinel down-after-milliseconds mine 1000\n"
          "sentinel failover-timeout mine 3000\n",
          node[0].port);
  fclose(file);
  /* The configuration comes before the options that all servers get. */
  node[2].port = free_port();
  pid_t test = getpid();
  if ((node[2].pid = fork()) == 0) {
    char port[16];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(port, sizeof(port), "%u", node[2].port);
    if (getppid() == test && freopen("/dev/null", "w", stdout))
      execlp("redis-server", "redis-server", path, "--sentinel", "--port", port, "--bind", "127.0.0.1",
             (char *)NULL);
    _exit(127);
  }
  wait_for(2, "PING", "PONG");
  wait_for(2, "SENTINEL REPLICAS mine", "name");
  /* The first of the two is not there. */
  snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:1,127.0.0.1:%u/mine?" LIMITS, node[2].port);
  struct idem_fleet_client *client = client_at(url);
  int rc = whole_operation(client, 'k');
  cr_expect_eq(rc, 1, "%d: %s", rc, idem_fleet_api.problem(client));
  /* Replication is asynchronous: what the other does not have yet would be asked for again. */
  snprintf(path, sizeof(path), "EXISTS '%s'", name_of('k', 'a'));
  wait_for(1, path, "1");
  kill(node[0].pid, SIGKILL);
  waitpid(node[0].pid, NULL, 0);
  node[0].pid = 0;
  wait_for(1, "ROLE", "master");
  rc = -1;
  for (int i = 0; i < 600 && rc < 0; i++) {
    rc = whole_operation(client, 'k');
    usleep(rc < 0 ? 50000 : 0);
  }
  cr_expect_eq(rc, 2, "%s", idem_fleet_api.problem(client));
  /* Another process, which knows no master yet, comes when the time is over that the
   * fleet is left alone for. */
  atomic_store(&shared_of(client)->away[0].until_us, 1);
  cr_expect_eq(whole_operation(client_beside(client, url), 'k'), 2, "%s", idem_fleet_api.problem(client));
  /* A long call, whose process has lost the master that it knew. */
  struct idem_fleet_claim unknown = claim_for('k');
  cr_expect_eq(idem_fleet_api.renew(client_beside(client, url), &unknown.fence), 0, "a master was asked");
  snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%u/another?" LIMITS, node[2].port);
  client = client_at(url);
  cr_expect_eq(whole_operation(client, 'k'), -EREMOTEIO);
}

Test(fleet_several, by_tls_its_certificate_is_verified_and_its_name)
{
  char url[512], options[512];
  if (strcmp(sh("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -addext "
                "subjectAltName=DNS:localhost -keyout %s/key.pem -out %s/cert.pem 2>/dev/null && echo made",
                server.dir, server.dir),
             "made") != 0)
    cr_skip_test("openssl made no certificate");
  node[0].port = 0;
  uint16_t port = free_port();
  snprintf(
      options, sizeof(options),
      "--tls-port %u --tls-cert-file %s/cert.pem --tls-key-file %s/key.pem --tls-ca-cert-file %s/cert.pem "
      "--tls-auth-clients no",
      port, server.dir, server.dir, server.dir);
  start_node(0, options);
  wait_for(0, "PING", "PONG");
  snprintf(url, sizeof(url), "rediss://localhost:%u?" LIMITS "&ca=%s/cert.pem", port, server.dir);
  struct idem_fleet_client *client = client_at(url);
  for (char key = 'a'; key <= 'e'; key++)
    cr_expect_eq(whole_operation(client, key), 1, "%s", idem_fleet_api.problem(client));
  /* Longer than a TLS record, both ways. */
  char *much = malloc(900000);
  memset(much, 'x', 900000);
  struct idem_fleet_claim claim = ask_for(client, 'm');
  cr_expect_eq(idem_fleet_api.commit(client, patience(), &claim.fence, much, 900000, 60000, 60000), 1);
  claim = ask_for(client, 'm');
  cr_expect_eq(claim.record_len, 900000);
  free(much);
  /* It is not the name in it. */
  snprintf(url, sizeof(url), "rediss://127.0.0.1:%u?" LIMITS "&ca=%s/cert.pem", port, server.dir);
  client = client_at(url);
  cr_expect_eq(whole_operation(client, 'f'), -EACCES);
  cr_expect_not_null(strstr(idem_fleet_api.problem(client), "certificate"), "%s",
                     idem_fleet_api.problem(client));
  /* Nobody has signed it. */
  snprintf(url, sizeof(url), "rediss://localhost:%u?" LIMITS, port);
  client = client_at(url);
  cr_expect_eq(whole_operation(client, 'f'), -EACCES);
  snprintf(url, sizeof(url), "rediss://127.0.0.1:%u?" LIMITS "&insecure", port);
  client = client_at(url);
  cr_expect_eq(whole_operation(client, 'f'), 1, "%s", idem_fleet_api.problem(client));
  /* The parent goes on with its connection after a child has closed its copy of it. */
  int status;
  if (fork() == 0) {
    next_life();
    _exit(whole_operation(client, 'g') == 1 ? 0 : 1);
  }
  wait(&status);
  cr_expect_eq(whole_operation(client, 'h'), 1, "%s", idem_fleet_api.problem(client));
}
