/* SPDX-License-Identifier: MIT */
/*
 * holds WHAT URL BODY [FILE]
 *
 * Makes a call while it has something that a copy of it must not have, says so when the call is over, and
 * waits to be killed. WHAT is shm (a segment of System V, which is gone with the last who is attached),
 * sealed (the same, and it cannot be unmapped), io_uring, file (FILE is open and mapped), or memory (64 MB of
 * it).
 */
#include "tests/clients/post.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

enum { PAGE = 4096, MUCH = 64 << 20 };

/* Its id, or -1. */
static int hold_segment(int sealed)
{
  int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
  void *at = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

  if (id >= 0)
    shmctl(id, IPC_RMID, NULL);
  return at == (void *)-1 || (sealed && syscall(SYS_mseal, at, (size_t)PAGE, 0ul)) ? -1 : id;
}

static int hold_ring(void)
{
  struct io_uring_params params = {0};
  int fd = (int)syscall(SYS_io_uring_setup, 4, &params);

  return fd < 0 ||
                 mmap(NULL, params.sq_off.array + params.sq_entries * sizeof(unsigned),
                      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING) == MAP_FAILED
             ? -1
             : fd;
}

static int hold_file(const char *path)
{
  int fd = open(path, O_RDWR | O_CREAT, 0600);

  return fd < 0 || ftruncate(fd, PAGE) ||
                 mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED
             ? -1
             : fd;
}

static int hold(const char *what, const char *file)
{
  char *memory;

  if (strcmp(what, "io_uring") == 0)
    return hold_ring();
  if (strcmp(what, "file") == 0)
    return hold_file(file);
  if (strcmp(what, "memory") != 0)
    return hold_segment(strcmp(what, "sealed") == 0);
  memory = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return -1;
  memset(memory, 1, MUCH);
  return 0;
}

int main(int argc, char **argv)
{
  int held;

  if (argc < 4)
    return 2;
  held = hold(argv[1], argc > 4 ? argv[4] : NULL);
  if (held < 0) {
    printf("refused: %s\n", strerror(errno));
    return 77;
  }
  post_once("call", argv[2], argv[3]);
  printf("held=%d\n", held);
  fflush(stdout);
  for (;;)
    pause();
}
