/* SPDX-License-Identifier: MIT */
/*
 * sandboxed URL BODY
 *
 * Makes a handle, then enters a sandbox that kills whoever loads code or makes a directory, and then makes
 * the call.
 */
#include "tests/clients/post.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define KILL        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define KILL_AT(n)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, n, 0, 1), KILL

static int enter_sandbox(void)
{
  struct sock_filter filter[] = {
      LOAD(nr),
      KILL_AT(SYS_mkdirat),
#ifdef SYS_mkdir
      KILL_AT(SYS_mkdir),
#endif
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
      LOAD(args[2]),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
      KILL,
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
  struct reply reply = {0};

  if (argc != 3)
    return 2;
  CURL *handle = post_new(argv[1], argv[2], &reply);
  if (enter_sandbox())
    return 3;
  CURLcode code = curl_easy_perform(handle);
  reply_print("sandboxed", handle, code, &reply);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return code != CURLE_OK;
}
