/* SPDX-License-Identifier: MIT */
#include "tests/harness/network.h"

#include <criterion/criterion.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void network_leave(void)
{
  struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  if (geteuid() != 0)
    cr_skip_test("only root can make networks");
  if (unshare(CLONE_NEWNET) < 0)
    cr_skip_test("no network namespaces here");
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool up = ioctl(fd, SIOCSIFFLAGS, &loopback) == 0;
  close(fd);
  if (!up)
    cr_skip_test("no network namespaces here");
}

static bool is_elsewhere(const struct run *run)
{
  char path[64], theirs[64] = "", own[64] = "";
  snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)run->pid);
  return readlink(path, theirs, sizeof(theirs) - 1) > 0 &&
         readlink("/proc/self/ns/net", own, sizeof(own) - 1) > 0 && strcmp(theirs, own) != 0;
}

struct run network_begin(struct world *w)
{
  struct run run = start_plain(w, "unshare", "--net", "sleep", "1000", NULL);
  wait_until(is_elsewhere(&run));
  return run;
}

void network_connect(struct world *w, const char *script)
{
  struct run tools = run_shell_plain(w, "PATH=$PATH:/usr/sbin:/sbin; command -v ip && command -v nft");
  if (tools.status != 0)
    cr_skip_test("not installed: iproute2 nftables");
  run_release(&tools);
  char whole[4096];
  snprintf(whole, sizeof(whole), "set -e; PATH=$PATH:/usr/sbin:/sbin\n%s", script);
  struct run made = run_shell_plain(w, whole);
  if (made.status != 0) {
    cr_log_info("%s", made.err);
    cr_skip_test("no veth, masquerade or conntrack in this kernel");
  }
  run_release(&made);
}
