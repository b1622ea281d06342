/* SPDX-License-Identifier: MIT */
#include "shim/rescue/guard.h"

#include "config/kernel.h"
#include "shim/request/request_event.h"
#include "shim/rescue/process_copy.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As in netinet/tcp.h, whose tcp_info is too old. */
enum { STATE_CLOSE_WAIT = 8, STATE_LAST_ACK };

/* How much has been read from a connection and written to it by all who have it: what the kernel has had from
 * the peer less what waits here, and what the peer has confirmed and what waits for that. The peer's FIN
 * counts as a byte. */
static bool count_connection(int fd, uint64_t *read, uint64_t *written)
{
  struct tcp_info info = {0};
  socklen_t size = sizeof(info);
  int waiting = 0, unconfirmed = 0;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
      size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received) ||
      ioctl(fd, SIOCINQ, &waiting) < 0 || ioctl(fd, SIOCOUTQ, &unconfirmed) < 0)
    return false;
  bool has_fin = info.tcpi_state == STATE_CLOSE_WAIT || info.tcpi_state == STATE_LAST_ACK;
  *read = info.tcpi_bytes_received - (uint64_t)waiting - has_fin;
  *written = info.tcpi_bytes_acked + (uint64_t)unconfirmed;
  return true;
}

static bool is_untouched(const struct guard *guard, const struct transfer_sockets *sockets)
{
  uint64_t read, written;
  return count_connection(sockets->fd[0], &read, &written) && read == guard->read &&
         written == guard->written;
}

static void bar(struct guard *guard, const struct request *request, const char *reason)
{
  guard->barred = true;
  request_bypass(request, reason);
}

/* Nothing but this happens in the copy while the owner lives. An end of the pair without a word is the
 * owner's death, or its app has closed what it does not know: then its death alone counts, and what it has
 * read. */
static enum guard_side watch(const struct guard *guard, const struct transfer_sockets *sockets,
                             const int watched[2], pid_t pid)
{
  struct pollfd wake[] = {{.fd = watched[0], .events = POLLIN}, {.fd = watched[1], .events = POLLIN}};
  char word;
  while (!wake[1].revents) {
    poll(wake, 2, -1);
    if (wake[0].revents && recv(watched[0], &word, 1, MSG_DONTWAIT) == 0)
      wake[0].fd = -1;
    else if (wake[0].revents)
      process_copy_leave(0);
  }
  /* Dismissed at last, or the owner has gone on with the connection. */
  if (recv(watched[0], &word, 1, MSG_DONTWAIT) > 0 || !is_untouched(guard, sockets))
    process_copy_leave(0);
  process_copy_name("idemshim-rescue", pid);
  return GUARD_COPY;
}

static enum guard_side make(struct guard *guard, struct request *request,
                            const struct transfer_sockets *sockets, unsigned seconds)
{
  struct handoff handoff;
  pid_t pid = getpid();
  int pair[2] = {-1, -1}, watched[2];
  enum handoff_side side = HANDOFF_FAILED;
  handoff.reason = "not guarded: no descriptor";
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    pair[0] = pair[1] = -1;
  watched[0] = pair[1];
  watched[1] = idem_pidfd_open(pid);
  if (pair[0] > STDERR_FILENO && pair[1] > STDERR_FILENO && watched[1] > STDERR_FILENO)
    side = handoff_make(&handoff, request, sockets, seconds, watched);
  if (side == HANDOFF_COPY)
    return watch(guard, sockets, watched, pid);
  own_fd_take(&guard->tell, side == HANDOFF_OWNER ? pair[0] : -1);
  if (side == HANDOFF_FAILED && pair[0] >= 0)
    close(pair[0]);
  for (int i = 0; i < 2; i++)
    if (watched[i] >= 0)
      close(watched[i]);
  if (side == HANDOFF_FAILED)
    bar(guard, request, handoff.reason);
  return GUARD_OWNER;
}

bool guard_holds(const struct guard *guard, const struct transfer_sockets *sockets)
{
  return guard->tell.fd >= 0 && is_untouched(guard, sockets);
}

enum guard_side guard_keep(struct guard *guard, struct request *request,
                           const struct transfer_sockets *sockets, unsigned seconds, uint64_t size_most)
{
  if (guard->barred || guard_holds(guard, sockets))
    return GUARD_OWNER;
  guard_dismiss(guard);
  if (sockets->count != 1 || !count_connection(sockets->fd[0], &guard->read, &guard->written))
    bar(guard, request, "not guarded: its connection cannot be told");
  else if (process_copy_resident() > size_most)
    bar(guard, request, "not guarded: the program is larger than IDEMSHIM_GUARD_SIZE");
  if (guard->barred)
    return GUARD_OWNER;
  return make(guard, request, sockets, seconds);
}

void guard_dismiss(struct guard *guard)
{
  int saved = errno;
  if (own_fd_is_ours(&guard->tell))
    send(guard->tell.fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  own_fd_close(&guard->tell);
  errno = saved;
}
