/* SPDX-License-Identifier: MIT */
/* A server that is ill in ways of its own: asleep, still reading its file, with a full disk, behind a network
 * that drops what is sent. The app's result is as without us, and one line says why. */
#include "tests/e2e/fleet/fleet.h"
#include "tests/harness/free_port.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct run server;

static void close_sick(void)
{
  run_release(&server);
  close_fleet();
}

TestSuite(fleet_sick, .init = open_fleet, .fini = close_sick, .timeout = 180);

/* In the place of the suite's server: `words` of a shell that end with redis-server and its options. */
static void serve(const char *words)
{
  const char *command =
      world_text(&w,
                 "exec %s --port 0 --unixsocket %s/redis --dir %s --save '' --loglevel warning "
                 "--logfile redis.log",
                 words, w.dir, w.dir);
  run_release(&server);
  server = start_plain(&w, "sh", "-c", command, NULL);
}

/* False if it has ended at once, since it does not know these options. */
static bool begins(void)
{
  for (;;) {
    const char *said = redis("PING");
    if (strstr(said, "PONG") || strstr(said, "LOADING"))
      return true;
    siginfo_t ended = {0};
    if (waitid(P_PID, (id_t)server.pid, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid)
      return false;
    usleep(5000);
  }
}

static void serve_or_skip(const char *words)
{
  fleet_stop();
  serve(words);
  if (!begins())
    cr_skip_test("%s: it does not begin here", words);
}

/* Redis before 7 has no such option, and takes DEBUG. True: it has it. */
static bool serve_with_debug(void)
{
  fleet_stop();
  serve("redis-server --enable-debug-command yes");
  if (begins())
    return true;
  serve("redis-server");
  cr_assert(begins());
  return false;
}

Test(fleet_sick, one_that_sleeps)
{
  serve_with_debug();
  fleet_meet();
  struct run sleep =
      start_plain(&w, "redis-cli", "-s", world_path(&w, "redis"), "DEBUG", "SLEEP", "60", NULL);
  wait_until(!strstr(redis("PING & sleep 0.3; kill $! 2>/dev/null"), "PONG"));
  fleet_expect_one_line("no answer in time");
  run_release(&sleep);
}

Test(fleet_sick, one_that_reads_its_file_still)
{
  bool is_new = serve_with_debug();
  fleet_meet();
  redis("DEBUG POPULATE 3000");
  redis("SAVE");
  run_signal(&server, SIGKILL);
  run_wait(&server);
  serve("redis-server --key-load-delay 20000 --loading-process-events-interval-bytes 1024");
  bool has_begun = begins();
  cr_assert(has_begun || !is_new);
  if (!has_begun)
    cr_skip_test("this Redis cannot be made to answer while it reads so little");
  cr_assert_not_null(strstr(redis("PING"), "LOADING"));
  fleet_expect_one_line("LOADING");
}

static void skip_without_mounts(void)
{
  if (getuid() != 0 || run_shell_plain(&w, "unshare -m true").status != 0)
    cr_skip_test("no mount namespace can be made here");
}

Test(fleet_sick, one_whose_disk_is_full)
{
  skip_without_mounts();
  serve_or_skip(world_text(
      &w,
      "unshare -m sh -c 'mkdir %s/disk && mount -t tmpfs -o size=2m tmpfs %s/disk && exec redis-server "
      "\"$@\" --dir %s/disk --appendonly yes' sh",
      w.dir, w.dir, w.dir));
  fleet_meet();
  for (int i = 0;
       i < 200 &&
       !strstr(redis(world_text(&w, "SET fill%d $(head -c 65536 /dev/zero | tr '\\0' x)", i)), "MISCONF");
       i++)
    ;
  cr_assert_not_null(strstr(redis("SET one more"), "MISCONF"));
  fleet_expect_one_line("MISCONF");
}

static char table[64];

static void close_dropped(void)
{
  if (*table) {
    struct run run = run_shell_plain(&w, world_text(&w, "nft delete table inet %s", table));
    run_release(&run);
  }
  close_sick();
}

/* Nothing comes back, not even that nobody is there. */
Test(fleet_sick, one_behind_a_network_that_drops, .fini = close_dropped)
{
  if (getuid() != 0)
    cr_skip_test("only root can drop packets");
  int port = free_port();
  serve_or_skip(world_text(&w, "sh -c 'exec redis-server \"$@\" --port %d' sh", port));
  world_env(&w, "IDEMSHIM_FLEET",
            "redis://127.0.0.1:%d?connect-timeout=1s&operation-timeout=1s&call-timeout=4s", port);
  fleet_meet();
  snprintf(table, sizeof(table), "idemshim_test_%d", (int)getpid());
  struct run run = run_shell_plain(
      &w, world_text(&w,
                     "nft -f - <<END\ntable inet %s {\n chain sent {\n  type filter hook output priority 0;\n"
                     "  tcp dport %d drop\n  tcp sport %d drop\n }\n}\nEND",
                     table, port, port));
  if (run.status != 0) {
    *table = '\0';
    cr_skip_test("nft: %s", run.err);
  }
  run_release(&run);
  fleet_expect_one_line("127.0.0.1");
}

/* Nobody answers what its name is; the C library would ask for ten seconds, once for each call. */
Test(fleet_sick, one_whose_name_server_is_dead)
{
  skip_without_mounts();
  struct run silent =
      start_plain(&w, "python3", "-c",
                  "import socket,time\n"
                  "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind(('127.9.9.9',53))\n"
                  "print('there',flush=True);time.sleep(99)",
                  NULL);
  wait_until((run_look(&silent), silent.out_len + silent.err_len > 0));
  if (!strstr(silent.out, "there"))
    cr_skip_test("%s", silent.err);
  const char *names = world_write(&w, "resolv.conf", "nameserver 127.9.9.9\n", 21);
  world_env(&w, "IDEMSHIM_FLEET", "redis://fleet.example:6379?connect-timeout=1s");
  int lines = 0;
  for (int i = 0; i < 3; i++) {
    struct run run = run_shell(
        &w, world_text(&w,
                       "exec unshare -m sh -c 'mount --bind %s /etc/resolv.conf && exec curl -sS -i -d "
                       "\"{\\\"prompt\\\":%d}\" %s'",
                       names, i, world_url(&w, "/v1/chat/completions")));
    expect_success(&run);
    cr_expect_not_null(strstr(run.out, "200 OK"), "%s%s", run.out, run.err);
    cr_expect_lt(run.ms, 20000);
    lines += strstr(run.err, "works alone") != NULL && strstr(run.err, "fleet.example") != NULL;
    run_release(&run);
  }
  cr_expect_eq(lines, 1);
  cr_expect_eq(mock_count(&w).requests, 3);
  run_release(&silent);
}

/* Two pay for the silence, and of all that come after them one now and then, ever more rarely: who
 * looks whether it is back. */
Test(fleet_sick, two_hundred_processes_pay_together_for_a_few_silences)
{
  enum { FIRST = 2, PROCESSES = 200, LOOKS = 6 };
  static struct run all[PROCESSES];
  fleet_attributes("operation-timeout=500ms");
  fleet_meet();
  long before = redis_connections();
  fleet_signal(SIGSTOP);
  int lines = 0;
  for (int i = 0; i < PROCESSES; i++) {
    all[i] = fleet_post_begin(world_text(&w, "{\"prompt\":\"%d\"}", i), "");
    if (i < FIRST)
      run_wait(&all[i]);
  }
  for (int i = 0; i < PROCESSES; i++) {
    run_wait(&all[i]);
    expect_success(&all[i]);
    cr_expect_not_null(strstr(all[i].out, "200 OK"));
    lines += strstr(all[i].err, "is away") != NULL;
    run_release(&all[i]);
  }
  fleet_signal(SIGCONT);
  /* The two looks at the count have one each. */
  long asked = redis_connections() - before - 1;
  printf("counted: processes=%d asked=%ld\n", PROCESSES, asked);
  cr_expect_geq(asked, FIRST);
  cr_expect_leq(asked, FIRST + LOOKS);
  cr_expect_eq(lines, 1);
  cr_expect_eq(mock_count(&w).requests, PROCESSES);
}
