/* SPDX-License-Identifier: MIT */
/* A connection in somebody else's process: no signal, a deadline that holds, a descriptor that
 * is nobody's but ours. */
#include "fleet/link.h"

#include "fleet/client.h"
#include "fleet/lookup.h"
#include "tests/unit/fleet/server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A server that does with a connection what `serve` does, in a process that ends with the test. */
static uint16_t fake(void (*serve)(int fd))
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
  cr_assert_eq(listen(fd, 8), 0);
  cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
  pid_t test = getpid();
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != test)
      _exit(1);
    for (;;)
      serve(accept(fd, NULL, NULL));
  }
  close(fd);
  return ntohs(address.sin_port);
}

static int open_to(struct link *link, uint16_t port)
{
  struct link_place place = {.host = "127.0.0.1", .port = port, .most = 1 << 20};
  int rc = link_open(link, &place, 5000, link_clock_us() + 5000000);
  link->deadline_us = link_clock_us() + 5000000;
  return rc;
}

static int ping(struct link *link, struct reply **reply)
{
  int rc = link_send(link, LINK_WORDS({"PING", 4}));
  return rc < 0 ? rc : link_read(link, reply);
}

static void reset(int fd)
{
  struct linger at_once = {1, 0};
  char byte;
  (void)!read(fd, &byte, 1);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(fd);
}

Test(fleet_link, a_peer_that_has_gone_is_an_error_and_no_signal)
{
  struct link link;
  struct reply *reply;
  signal(SIGPIPE, SIG_DFL);
  cr_assert_eq(open_to(&link, fake(reset)), 0, "%s", link.error);
  int rc = 0;
  for (int i = 0; i < 3 && rc == 0; i++)
    rc = ping(&link, &reply);
  cr_expect(rc == -ECONNRESET || rc == -EPIPE, "%d", rc);
  /* Again, on a socket that is known to be broken. */
  rc = ping(&link, &reply);
  cr_expect(rc == -ECONNRESET || rc == -EPIPE, "%d", rc);
  link_close(&link);
}

static void trickle(int fd)
{
  char byte;
  while (read(fd, &byte, 1) == 1 && byte != '\n')
    ;
  for (;;) {
    if (send(fd, "$", 1, MSG_NOSIGNAL) < 0 || send(fd, "1", 1, MSG_NOSIGNAL) < 0)
      break;
    usleep(20000);
  }
  close(fd);
}

/* One deadline for all of it: each byte would begin the limit of a single read anew. */
Test(fleet_link, a_server_that_trickles_holds_nobody_beyond_the_deadline, .timeout = 60)
{
  struct link link;
  struct reply *reply;
  cr_assert_eq(open_to(&link, fake(trickle)), 0, "%s", link.error);
  link.deadline_us = link_clock_us() + 150000;
  int64_t began = link_clock_us();
  int rc = ping(&link, &reply);
  cr_expect(rc == -ETIMEDOUT || rc == -EPROTO, "%d", rc);
  cr_expect_lt(link_clock_us() - began, 1500000);
  link_close(&link);
}

static void accept_and_wait(int fd)
{
  pause();
  close(fd);
}

Test(fleet_link, a_silent_server_is_a_timeout, .timeout = 60)
{
  struct link link;
  struct reply *reply;
  cr_assert_eq(open_to(&link, fake(accept_and_wait)), 0, "%s", link.error);
  link.deadline_us = link_clock_us() + 50000;
  cr_expect_eq(ping(&link, &reply), -ETIMEDOUT);
  cr_expect_str_eq(link.error, "read: no answer in time");
  link_close(&link);
}

/* More than a socket holds, and nobody reads it. */
Test(fleet_link, a_server_that_does_not_read_is_a_timeout, .timeout = 60)
{
  struct link link;
  size_t len = 64 << 20;
  char *much = calloc(1, len);
  cr_assert_eq(open_to(&link, fake(accept_and_wait)), 0, "%s", link.error);
  link.deadline_us = link_clock_us() + 100000;
  cr_expect_eq(link_send(&link, LINK_WORDS({"SET", 3}, {"k", 1}, {much, len})), -ETIMEDOUT);
  free(much);
  link_close(&link);
}

static void endless(int fd)
{
  static char zeros[4096];
  memset(zeros, 'x', sizeof(zeros));
  if (send(fd, "$1000000000\r\n", 13, MSG_NOSIGNAL) > 0)
    while (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0)
      ;
  close(fd);
}

Test(fleet_link, a_reply_without_end_is_given_up)
{
  struct link link;
  struct reply *reply;
  cr_assert_eq(open_to(&link, fake(endless)), 0, "%s", link.error);
  cr_expect_eq(ping(&link, &reply), -EMSGSIZE);
  link_close(&link);
}

Test(fleet_link, nobody_there_is_told_at_once)
{
  struct link link;
  struct link_place nobody = {.host = "127.0.0.1", .port = 1, .most = 1 << 20};
  cr_expect_eq(link_open(&link, &nobody, 5000, link_clock_us() + 5000000), -ECONNREFUSED);
  cr_expect_str_eq(link.error, "127.0.0.1:1: Connection refused");
  link_close(&link);
  struct link_place no_socket = {.host = "/nonexistent/socket", .most = 1 << 20};
  cr_expect_eq(link_open(&link, &no_socket, 5000, link_clock_us() + 5000000), -ENOENT);
  link_close(&link);
}

Test(fleet_link, its_descriptor_is_closed_on_exec_and_is_no_standard_one)
{
  struct link link;
  uint16_t port = fake(accept_and_wait);
  close(STDIN_FILENO);
  cr_assert_eq(open_to(&link, port), 0, "%s", link.error);
  cr_expect_gt(link.fd, STDERR_FILENO);
  cr_expect(fcntl(link.fd, F_GETFD) & FD_CLOEXEC);
  cr_expect_eq(open("/dev/null", O_RDONLY), STDIN_FILENO, "the app's own file has its number");
  link_close(&link);
}

/* A daemon closes all that it does not know, and its own files have the numbers then. */
Test(fleet_link, what_the_app_has_put_in_its_place_is_left_alone)
{
  struct link link;
  cr_assert_eq(open_to(&link, fake(accept_and_wait)), 0, "%s", link.error);
  int fd = link.fd;
  close(fd);
  cr_assert_eq(dup2(open("/dev/null", O_RDONLY), fd), fd);
  cr_expect(!link_is_whole(&link));
  link_close(&link);
  cr_expect_geq(fcntl(fd, F_GETFD), 0, "it was closed");
}

/* A name server that says nothing: a socket that is bound and never read. */
Test(fleet_link, a_dead_name_server_holds_nobody_beyond_the_deadline, .timeout = 60)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(address);
  struct lookup found;
  char servers[64];
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
  cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
  snprintf(servers, sizeof(servers), "127.0.0.1:%u", ntohs(address.sin_port));
  lookup_servers_for_tests = servers;
  int64_t began = link_clock_us();
  cr_expect_eq(lookup_host(&found, "no-such-host.invalid", began + 150000), -ETIMEDOUT);
  cr_expect_lt(link_clock_us() - began, 1500000);
  cr_expect_eq(found.count, 0);
}

Test(fleet_link, a_name_of_the_hosts_file_and_an_address_need_no_server)
{
  struct lookup found;
  cr_expect_eq(lookup_host(&found, "localhost", link_clock_us() + 5000000), 0);
  cr_expect_gt(found.count, 0);
  cr_expect_eq(lookup_host(&found, "fd00::7", link_clock_us()), 0, "no time is needed");
  cr_expect_eq(found.count, 1);
  cr_expect_eq(found.address[0].any.sa_family, AF_INET6);
}

/* With a real server. */

TestSuite(fleet_client, .init = open_server, .fini = close_server);

Test(fleet_client, four_connections_are_kept_and_no_more)
{
  struct idem_fleet_client *client = client_of("");
  for (int i = 0; i < 20; i++)
    ask_for(client, (char)('a' + i));
  cr_expect_str_eq(told("CLIENT LIST"), told("CLIENT LIST"));
  unsigned open = 0;
  for (unsigned i = 0; i < CLIENT_LINKS; i++)
    open += client->slot[i].life != 0;
  cr_expect_eq(open, 1, "one thread needs one");
}

static struct idem_fleet_client *of_threads;

static void *claim_often(void *number)
{
  long failed = 0;
  for (int i = 0; i < 40; i++) {
    struct idem_fleet_claim claim = claim_for('t');
    idem_fleet_limit limit = 30000000;
    memcpy(claim.fence.key, &number, sizeof(number));
    snprintf(claim.fence.owner, sizeof(claim.fence.owner), "%ld", (long)(intptr_t)number);
    failed += idem_fleet_api.claim(of_threads, &limit, &claim) != 0;
  }
  return (void *)(intptr_t)failed;
}

/* Those who wait at the server keep none of them. */
static void *watch(void *number)
{
  uint8_t key[IDEM_FLEET_KEY] = {0};
  uint64_t next = 0;
  memcpy(key, &number, sizeof(number));
  for (int i = 0; i < 5; i++)
    idem_fleet_api.follow(of_threads, key, 0, 100, &next, NULL, NULL);
  return NULL;
}

Test(fleet_client, sixteen_threads_share_four_connections_and_none_is_sent_away)
{
  enum { THREADS = 16 };
  pthread_t claiming[THREADS], watching[THREADS];
  of_threads = client_of("");
  for (long i = 0; i < THREADS; i++) {
    pthread_create(&watching[i], NULL, watch, (void *)(i + 1000));
    pthread_create(&claiming[i], NULL, claim_often, (void *)(i + 1));
  }
  for (int i = 0; i < THREADS; i++) {
    void *failed;
    pthread_join(claiming[i], &failed);
    pthread_join(watching[i], NULL);
    cr_expect_eq((intptr_t)failed, 0);
  }
  cr_expect_eq(atomic_load(&shared_of(of_threads)->away[0].failures), 0);
}

Test(fleet_client, a_child_makes_its_own_and_the_parent_goes_on)
{
  struct idem_fleet_client *client = client_of("");
  int status;
  ask_for(client, 'a');
  int fd = client->slot[0].link.fd;
  pid_t child = fork();
  if (child == 0) {
    next_life();
    struct idem_fleet_claim claim = ask_for(client, 'b');
    _exit(claim.verdict == IDEM_FLEET_OWNED ? 0 : 1);
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect_eq(status, 0);
  ask_for(client, 'c');
  cr_expect_eq(client->slot[0].link.fd, fd, "the same connection");
}

Test(fleet_client, a_connection_that_the_server_has_closed_is_no_failure)
{
  struct idem_fleet_client *client = client_of("");
  ask_for(client, 'a');
  told("CLIENT KILL TYPE normal SKIPME yes");
  ask_for(client, 'b');
  told("CLIENT KILL TYPE normal SKIPME yes");
  struct idem_fleet_claim claim = claim_for('b');
  cr_expect_eq(idem_fleet_api.look(client, patience(), &claim), 0, "%s", idem_fleet_api.problem(client));
  cr_expect_eq(atomic_load(&shared_of(client)->away[0].failures), 0);
}

Test(fleet_client, a_script_that_was_forgotten_is_sent_again)
{
  struct idem_fleet_client *client = client_of("");
  ask_for(client, 'a');
  told("SCRIPT FLUSH");
  struct idem_fleet_claim claim = ask_for(client, 'a');
  cr_expect_eq(claim.verdict, IDEM_FLEET_BUSY);
}

/* One that refuses is left alone at once; when it is back, one finds out. */
Test(fleet_client, a_server_that_refuses_is_asked_once)
{
  struct idem_fleet_client *client = client_of("");
  struct idem_fleet_shared *shared = shared_of(client);
  struct idem_fleet_claim claim = claim_for('k');
  kill(server.pid, SIGKILL);
  waitpid(server.pid, NULL, 0);
  server.pid = 0;
  int rc = idem_fleet_api.claim(client, patience(), &claim);
  cr_expect_eq(rc, -ECONNREFUSED, "%d", rc);
  cr_expect_eq(atomic_load(&shared->changes), 1);
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), -EAGAIN);
  restart_server();
  atomic_store(&shared->away[0].until_us, 1);
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), 0);
  cr_expect_eq(atomic_load(&shared->changes), 2);
  cr_expect_eq(atomic_load(&shared->away[0].until_us), 0);
}

/* Who asks does so twice. */
Test(fleet_client, a_silent_server_is_given_up_after_the_second_time, .timeout = 60)
{
  char url[160];
  snprintf(url, sizeof(url), "unix://%s?operation-timeout=20ms", server.socket);
  struct idem_fleet_client *client = client_at(url);
  struct idem_fleet_shared *shared = shared_of(client);
  struct idem_fleet_claim claim = claim_for('k');
  kill(server.pid, SIGSTOP);
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), -ETIMEDOUT);
  cr_expect_eq(atomic_load(&shared->away[0].failures), 2);
  cr_expect_neq(atomic_load(&shared->away[0].until_us), 0);
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), -EAGAIN);
  kill(server.pid, SIGCONT);
}

/* A master that takes connections and says nothing, and its sentinel, which knows no other. */
static uint16_t master_port;
static _Atomic int *connections;

static void say_nothing(int fd)
{
  (void)fd;
  atomic_fetch_add(connections, 1);
}

static void tell_the_master(int fd)
{
  char bytes[256];
  int len = snprintf(bytes, sizeof(bytes), "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n%05u\r\n", master_port);
  (void)!write(fd, bytes, (size_t)len);
  (void)!read(fd, bytes, sizeof(bytes));
  close(fd);
}

static struct idem_fleet_client *client_behind(void (*sentinel)(int fd), const char *attributes)
{
  char url[160];
  connections = mmap(NULL, sizeof(*connections), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  cr_assert_neq(connections, MAP_FAILED);
  master_port = fake(say_nothing);
  snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%u/mine?%s", fake(sentinel), attributes);
  return client_at(url);
}

/* It is the same server whose name the sentinels say again. */
Test(fleet_client, a_silent_master_is_given_up_after_the_second_time, .timeout = 60)
{
  struct idem_fleet_client *client =
      client_behind(tell_the_master, "connect-timeout=5s&operation-timeout=50ms");
  struct idem_fleet_claim claim = claim_for('k');
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), -ETIMEDOUT);
  cr_expect_neq(atomic_load(&shared_of(client)->away[0].until_us), 0);
  cr_expect_eq(atomic_load(connections), 2);
}

/* What is left of the limit when the sentinel has spoken is no time to wait in; the
 * silence before it was one. */
Test(fleet_client, a_silence_before_its_sentinels_were_asked_is_one, .timeout = 60)
{
  struct idem_fleet_client *client =
      client_behind(tell_the_master, "connect-timeout=5s&operation-timeout=400ms");
  struct idem_fleet_claim claim = claim_for('k');
  /* More than two where the test is not let run. */
  for (int i = 0; i < 20 && !atomic_load(&shared_of(client)->away[0].until_us); i++) {
    idem_fleet_limit limit = 450000;
    cr_expect_eq(idem_fleet_api.claim(client, &limit, &claim), -ETIMEDOUT);
  }
  cr_expect_neq(atomic_load(&shared_of(client)->away[0].until_us), 0);
}

Test(fleet_client, who_has_no_time_to_wait_for_a_sentinel_has_seen_no_silence, .timeout = 60)
{
  struct idem_fleet_client *client = client_behind(say_nothing, "connect-timeout=500ms&call-timeout=5s");
  struct idem_fleet_claim claim = claim_for('k');
  for (int i = 0; i < 3; i++) {
    idem_fleet_limit little = 1000;
    cr_expect_eq(idem_fleet_api.claim(client, &little, &claim), -ETIMEDOUT);
  }
  cr_expect_eq(atomic_load(&shared_of(client)->away[0].failures), 0);
  cr_expect_eq(atomic_load(&shared_of(client)->away[0].until_us), 0);
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), -ETIMEDOUT);
  cr_expect_eq(atomic_load(&shared_of(client)->away[0].failures), 2, "a sentinel is asked once more, too");
  cr_expect_neq(atomic_load(&shared_of(client)->away[0].until_us), 0);
}

/* There is less time for its second try than the server was told to wait. */
Test(fleet_client, who_listens_counts_no_silence_in_which_the_server_was_to_wait, .timeout = 60)
{
  char url[160];
  struct reply *reply;
  snprintf(url, sizeof(url),
           "redis://127.0.0.1:%u?connect-timeout=500ms&operation-timeout=100ms&call-timeout=5s",
           fake(accept_and_wait));
  struct idem_fleet_client *client = client_at(url);
  cr_expect_eq(client_wait(client, 1000, NULL, LINK_WORDS({"XREAD", 5}), &reply), -ETIMEDOUT);
  cr_expect_leq(atomic_load(&shared_of(client)->away[0].failures), 1);
  cr_expect_eq(atomic_load(&shared_of(client)->away[0].until_us), 0);
}

/* It would be away for all of the machine, and has not been asked for long enough. */
Test(fleet_client, who_has_no_time_to_wait_has_seen_no_silence, .timeout = 60)
{
  struct idem_fleet_client *client = client_of("");
  struct idem_fleet_claim claim = claim_for('k');
  kill(server.pid, SIGSTOP);
  for (int i = 0; i < 3; i++) {
    idem_fleet_limit little = 1000;
    cr_expect_eq(idem_fleet_api.claim(client, &little, &claim), -ETIMEDOUT);
  }
  kill(server.pid, SIGCONT);
  cr_expect_eq(atomic_load(&shared_of(client)->away[0].failures), 0);
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), 0);
}

/* The page is a file, and the clock begins anew with the machine. */
Test(fleet_client, a_time_of_before_a_restart_keeps_nobody_from_asking)
{
  struct idem_fleet_client *client = client_of("");
  struct idem_fleet_shared *shared = shared_of(client);
  struct idem_fleet_claim claim = claim_for('k');
  atomic_store(&shared->away[0].until_us, link_clock_us() + INT64_C(3600000000));
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), 0);
  cr_expect_eq(atomic_load(&shared->away[0].until_us), 0);
}

static uint32_t which_process = 1;

static uint32_t life_of_process(void)
{
  return which_process;
}

Test(fleet_client, a_server_is_added_in_a_child_of_a_process_that_was_adding_one)
{
  static struct nodes nodes;
  const struct idem_fleet where = {.kind = IDEM_FLEET_SENTINEL};
  nodes_begin(&nodes, &where, life_of_process);
  atomic_store(&nodes.adding, which_process);
  cr_expect_eq(nodes_set_master(&nodes, "one", 1), -1);
  which_process = 2;
  cr_expect_eq(nodes_set_master(&nodes, "one", 1), 0);
  cr_expect_eq(nodes_set_master(&nodes, "two", 1), 1);
}

/* Another thread is at it while we look first, and has added the same server when we look again. */
static struct nodes nodes_of_two;

static uint32_t life_beside_another(void)
{
  static int looks;
  if (looks++ == 0) {
    atomic_store(&nodes_of_two.adding, 1);
  } else if (atomic_load(&nodes_of_two.adding)) {
    nodes_of_two.node[0] = (struct nodes_node){"one", 1};
    atomic_store(&nodes_of_two.count, 1);
    atomic_store(&nodes_of_two.adding, 0);
  }
  return 1;
}

Test(fleet_client, a_server_that_another_thread_adds_is_known_a_moment_later)
{
  const struct idem_fleet where = {.kind = IDEM_FLEET_SENTINEL};
  nodes_begin(&nodes_of_two, &where, life_beside_another);
  cr_expect_eq(nodes_set_master(&nodes_of_two, "one", 1), 0);
  cr_expect_eq(atomic_load(&nodes_of_two.count), 1, "it is one server");
  cr_expect_eq(nodes_set_master(&nodes_of_two, "two", 1), 1);
}

static const char *says;

/* To each command, of which several may come at once. */
static void say(int fd)
{
  char bytes[4096] = "\n";
  for (ssize_t len = 0; len >= 0 && (len = read(fd, bytes + 1, sizeof(bytes) - 2)) > 0;) {
    bytes[1 + len] = '\0';
    for (const char *at = bytes; len >= 0 && (at = strstr(at, "\n*")); at++)
      len = write(fd, says, strlen(says)) > 0 ? len : -1;
  }
  close(fd);
}

/* Calls go out alone then, and people are told of that. One slot that nobody serves keeps
 * nobody from the others. */
Test(fleet_client, a_cluster_that_is_down_is_away_and_one_slot_is_not)
{
  static const struct {
    const char *says;
    bool is_away;
  } row[] = {{"-CLUSTERDOWN The cluster is down\r\n", true},
             {"-CLUSTERDOWN The cluster is down and only accepts read commands\r\n", true},
             {"-CLUSTERDOWN Hash slot not served\r\n", false}};
  for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
    char url[160];
    says = row[i].says;
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u?connect-timeout=5s&operation-timeout=5s",
             fake(say));
    struct idem_fleet_client *client = client_at(url);
    struct idem_fleet_claim claim = claim_for('k');
    cr_expect_lt(idem_fleet_api.claim(client, patience(), &claim), 0);
    cr_expect_eq(idem_fleet_is_away(shared_of(client)), row[i].is_away, "%s", row[i].says);
    cr_expect_not_null(strstr(idem_fleet_api.problem(client), "CLUSTERDOWN"));
  }
}

/* What the claim tells of is not there any more. */
static void lose_the_answer(int fd)
{
  static const char there[] = "*5\r\n$1\r\nA\r\n$1\r\n5\r\n$1\r\n3\r\n:1000\r\n:1\r\n$-1\r\n",
                    ours[] = "*4\r\n$1\r\nO\r\n$1\r\n7\r\n$1\r\n3\r\n$1\r\n0\r\n";
  char bytes[4096];
  ssize_t len;
  while ((len = read(fd, bytes, sizeof(bytes) - 1)) > 0) {
    bytes[len] = '\0';
    const char *says_now = strstr(bytes, "\r\n-2\r\n") ? ours : there;
    if (write(fd, says_now, strlen(says_now)) < 0 ||
        (says_now == ours && strstr(bytes, "GET") && write(fd, "$-1\r\n", 5) < 0))
      break;
  }
  close(fd);
}

Test(fleet_client, an_answer_that_goes_while_it_is_asked_for_is_none)
{
  char url[160];
  snprintf(url, sizeof(url), "redis://127.0.0.1:%u?connect-timeout=5s&operation-timeout=5s",
           fake(lose_the_answer));
  struct idem_fleet_client *client = client_at(url);
  struct idem_fleet_claim claim = claim_for('k');
  cr_assert_eq(idem_fleet_api.claim(client, patience(), &claim), 0, "%s", idem_fleet_api.problem(client));
  cr_expect_eq(claim.verdict, IDEM_FLEET_OWNED);
  cr_expect_eq(claim.fence.generation, 7);
  cr_expect_null(claim.record);
}

/* Each moment of a look is one of its own: a removal may come between them. */
static void lose_it_to_a_look(int fd)
{
  static const char before[] = "*2\r\n$1\r\nA\r\n$1\r\n1\r\n:1000\r\n*2\r\n$1\r\n5\r\n$1\r\n0\r\n$-1\r\n";
  char bytes[4096];
  while (read(fd, bytes, sizeof(bytes)) > 0 && write(fd, before, sizeof(before) - 1) > 0)
    ;
  close(fd);
}

Test(fleet_client, an_answer_that_goes_while_it_is_looked_at_is_none)
{
  char url[160];
  snprintf(url, sizeof(url), "redis://127.0.0.1:%u?connect-timeout=5s&operation-timeout=5s",
           fake(lose_it_to_a_look));
  struct idem_fleet_client *client = client_at(url);
  for (int i = 0; i < 2; i++) {
    struct idem_fleet_claim claim = claim_for('k');
    cr_assert_eq(idem_fleet_api.look(client, patience(), &claim), 0, "%s", idem_fleet_api.problem(client));
    cr_expect_eq(claim.verdict, IDEM_FLEET_NO_ANSWER);
    cr_expect_null(claim.record);
  }
}

/* Behind its first answer it says something that nobody has asked for. */
static void say_one_too_many(int fd)
{
  static const char none[] = "*2\r\n$-1\r\n$-1\r\n:-2\r\n*2\r\n$1\r\n5\r\n$1\r\n0\r\n$-1\r\n",
                    ours[] = "*4\r\n$1\r\nO\r\n$1\r\n7\r\n$1\r\n3\r\n$1\r\n0\r\n$-1\r\n";
  static bool has_said;
  char bytes[4096];
  for (ssize_t len; (len = read(fd, bytes, sizeof(bytes) - 1)) > 0;) {
    bytes[len] = '\0';
    const char *now = strstr(bytes, "EVALSHA") ? ours : none;
    if (write(fd, now, strlen(now)) < 0 || (!has_said && write(fd, ":1\r\n", 4) < 0))
      break;
    has_said = true;
  }
  close(fd);
}

Test(fleet_client, a_reply_that_nobody_has_asked_for_is_taken_for_no_other)
{
  char url[160];
  snprintf(url, sizeof(url), "redis://127.0.0.1:%u?connect-timeout=5s&operation-timeout=5s",
           fake(say_one_too_many));
  struct idem_fleet_client *client = client_at(url);
  struct idem_fleet_claim claim = claim_for('k');
  for (int i = 0; i < 2; i++) {
    cr_expect_eq(idem_fleet_api.look(client, patience(), &claim), 0, "%s", idem_fleet_api.problem(client));
    cr_expect_eq(claim.verdict, IDEM_FLEET_NO_ANSWER);
  }
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), 0, "%s", idem_fleet_api.problem(client));
  cr_expect_eq(claim.verdict, IDEM_FLEET_OWNED);
  cr_expect_eq(claim.fence.generation, 7);
}

Test(fleet_client, what_no_look_can_be_made_of_is_no_answer)
{
  static const char *const row[] = {"-ERR no\r\n", "-MOVED 1\r\n", "-ASK 1 x:1\r\n",
                                    "$1\r\nx\r\n", "*0\r\n",       ":-3\r\n"};
  for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
    char url[160];
    says = row[i];
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u?connect-timeout=5s&operation-timeout=5s",
             fake(say));
    struct idem_fleet_client *client = client_at(url);
    struct idem_fleet_claim claim = claim_for('k');
    int rc = idem_fleet_api.look(client, patience(), &claim);
    cr_expect(*says == '-' ? rc < 0 : rc == 0, "%s: %d", says, rc);
    cr_expect_eq(claim.verdict, IDEM_FLEET_NO_ANSWER);
    cr_expect_null(claim.record);
  }
}

/* It says of each page that there is another. */
static void tell_of_no_end(int fd)
{
  static const char page[] = "*2\r\n$1\r\n7\r\n*0\r\n";
  char bytes[256];
  while (read(fd, bytes, sizeof(bytes)) > 0 && write(fd, page, sizeof(page) - 1) > 0)
    ;
  close(fd);
}

Test(fleet_client, a_server_that_tells_of_no_end_of_its_keys_is_listed_no_longer, .timeout = 120)
{
  char url[160];
  snprintf(url, sizeof(url), "redis://127.0.0.1:%u?connect-timeout=5s&operation-timeout=5s&call-timeout=30s",
           fake(tell_of_no_end));
  struct idem_fleet_client *client = client_at(url);
  cr_expect_eq(idem_fleet_api.each(client, NULL, NULL), -EOVERFLOW);
  cr_expect_not_null(strstr(idem_fleet_api.problem(client), "no end"));
}

/* A claim that timed out may have been made all the same: the second try finds its own. */
Test(fleet_client, a_claim_whose_reply_was_lost_is_found_again, .timeout = 60)
{
  char url[160];
  snprintf(url, sizeof(url), "unix://%s?operation-timeout=20ms", server.socket);
  struct idem_fleet_client *client = client_at(url), *patient = client_of("");
  struct idem_fleet_claim claim = claim_for('k');
  ask_for(client, 'x');
  kill(server.pid, SIGSTOP);
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), -ETIMEDOUT);
  kill(server.pid, SIGCONT);
  while (strcmp(told("EXISTS %s", name_of('k', 'c')), "1") != 0)
    ;
  cr_expect_eq(idem_fleet_api.claim(patient, patience(), &claim), 0);
  cr_expect_eq(claim.verdict, IDEM_FLEET_OWNED);
}

Test(fleet_client, a_limit_that_is_used_up_asks_nothing)
{
  struct idem_fleet_client *client = client_of("");
  struct idem_fleet_claim claim = claim_for('k');
  idem_fleet_limit none = 0;
  cr_expect_eq(idem_fleet_api.claim(client, &none, &claim), -EAGAIN);
  cr_expect_eq(atomic_load(&shared_of(client)->away[0].failures), 0);
}

Test(fleet_client, a_server_that_takes_no_writes_is_a_failure)
{
  struct idem_fleet_client *client = client_of("");
  struct idem_fleet_claim claim = claim_for('k');
  told("REPLICAOF 127.0.0.1 1");
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), -EREMOTEIO);
  cr_expect_not_null(strstr(idem_fleet_api.problem(client), "READONLY"), "%s",
                     idem_fleet_api.problem(client));
  told("REPLICAOF NO ONE");
  told("CONFIG SET maxmemory 1");
  atomic_store(&shared_of(client)->away[0].until_us, 0);
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), -EREMOTEIO);
}

/* The documented line. */
Test(fleet_client, a_user_with_the_documented_rights_can_do_all_and_a_wrong_password_nothing)
{
  char url[256];
  told(
      "ACL SETUSER app on >sesame ~idemshim:* -@all +eval +evalsha +script|load +get +set +del +exists +hset "
      "+hget +hmget +pexpire +pttl +time +xadd +xread +scan +wait +ping +auth +select");
  snprintf(url, sizeof(url), "unix://app:sesame@%s?connect-timeout=5s&operation-timeout=5s", server.socket);
  struct idem_fleet_client *client = client_at(url);
  char identity[IDEM_FLEET_IDENTITY];
  cr_assert_eq(idem_fleet_api.identity(client, patience(), "me", identity), 0, "%s",
               idem_fleet_api.problem(client));
  struct idem_fleet_claim claim = ask_for(client, 'k');
  cr_expect_eq(idem_fleet_api.sent(client, patience(), &claim.fence, 0), 1);
  cr_expect_eq(idem_fleet_api.publish(client, &claim.fence, 0, "x", 1), 1);
  cr_expect_eq(idem_fleet_api.commit(client, patience(), &claim.fence, "x", 1, 100000, 100000), 1);
  cr_expect_eq(idem_fleet_api.look(client, patience(), &claim), 0);
  cr_expect_eq(claim.verdict, IDEM_FLEET_ANSWER);
  idem_fleet_api.answer_free(&claim);
  cr_expect_eq(idem_fleet_api.remove(client, patience(), claim.fence.key), 1);
  snprintf(url, sizeof(url), "unix://app:wrong@%s?connect-timeout=5s", server.socket);
  client = client_at(url);
  cr_expect_eq(idem_fleet_api.claim(client, patience(), &claim), -EREMOTEIO);
  cr_expect_not_null(strstr(idem_fleet_api.problem(client), "WRONGPASS"), "%s",
                     idem_fleet_api.problem(client));
  cr_expect_null(strstr(idem_fleet_api.problem(client), "wrong@"));
}
