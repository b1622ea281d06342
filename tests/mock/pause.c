/* SPDX-License-Identifier: MIT */
#include "tests/mock/pause.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

static int stopping = -1, releases = -1;

/* Whoever waits at a gate, on its own stack. */
struct waiter {
  struct waiter *next;
  const char *name;
  bool open;
};

struct opened {
  struct opened *next;
  char beginning[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static struct waiter *waiters;
static struct opened *opened;
static bool ended;

bool pause_init(void)
{
  stopping = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  releases = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
  return stopping >= 0 && releases >= 0;
}

bool pause_ms(uint64_t ms)
{
  struct pollfd until = {.fd = stopping, .events = POLLIN};

  return poll(&until, 1, ms > INT_MAX ? INT_MAX : (int)ms) == 0;
}

bool pause_hold(void)
{
  struct pollfd until[] = {
      {.fd = stopping, .events = POLLIN},
      {.fd = releases, .events = POLLIN},
  };
  eventfd_t one;

  while (poll(until, 2, -1) < 0 || !(until[0].revents & POLLIN))
    if (eventfd_read(releases, &one) == 0)
      return true;
  return false;
}

void pause_release(uint64_t count)
{
  eventfd_write(releases, count);
}

static bool begins_with(const char *name, const char *beginning)
{
  return strncmp(name, beginning, strlen(beginning)) == 0;
}

bool pause_gate(const char *name)
{
  struct waiter self = {.name = name}, **at;

  pthread_mutex_lock(&lock);
  for (struct opened *one = opened; one && !self.open; one = one->next)
    self.open = begins_with(name, one->beginning);
  self.next = waiters;
  waiters = &self;
  while (!self.open && !ended)
    pthread_cond_wait(&moved, &lock);
  for (at = &waiters; *at != &self; at = &(*at)->next)
    ;
  *at = self.next;
  pthread_mutex_unlock(&lock);
  return self.open;
}

void pause_open(const char *beginning)
{
  struct opened *one = malloc(sizeof *one + strlen(beginning) + 1);

  if (!one)
    abort();
  strcpy(one->beginning, beginning);
  pthread_mutex_lock(&lock);
  one->next = opened;
  opened = one;
  for (struct waiter *waiter = waiters; waiter; waiter = waiter->next)
    waiter->open |= begins_with(waiter->name, beginning);
  pthread_cond_broadcast(&moved);
  pthread_mutex_unlock(&lock);
}

void pause_reset(void)
{
  eventfd_t one;

  while (eventfd_read(releases, &one) == 0)
    ;
  pthread_mutex_lock(&lock);
  while (opened) {
    struct opened *next = opened->next;
    free(opened);
    opened = next;
  }
  pthread_mutex_unlock(&lock);
}

void pause_end(void)
{
  eventfd_write(stopping, 1);
  pthread_mutex_lock(&lock);
  ended = true;
  pthread_cond_broadcast(&moved);
  pthread_mutex_unlock(&lock);
}
