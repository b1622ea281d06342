/* SPDX-License-Identifier: MIT */
#include "shim/live/keepalive.h"

#include "shim/handle/overrides.h"
#include "shim/live/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* The kernel takes no more. */
#define SECONDS_MOST 32767

/* 0: it is the app's own affair. */
static int seconds(const struct request *request)
{
  static const CURLoption own[] = {CURLOPT_TCP_KEEPALIVE, CURLOPT_TCP_KEEPIDLE, CURLOPT_TCP_KEEPINTVL,
                                   (CURLoption)CURLOPT_TCP_KEEPCNT};
  for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
    if (shadow_has_set(request->shadow, own[i]))
      return 0;
  uint64_t ms = request->rule->keepalive_ms;
  return ms > SECONDS_MOST * UINT64_C(1000) ? SECONDS_MOST : (int)((ms + 999) / 1000);
}

void keepalive_attach(const struct request *request)
{
  struct shadow *shadow = request->shadow;
  int idle = seconds(request);
  if (!idle)
    return;
  override_set(shadow, CURLOPT_TCP_KEEPALIVE, 1);
  override_set(shadow, CURLOPT_TCP_KEEPIDLE, idle);
  override_set(shadow, CURLOPT_TCP_KEEPINTVL, idle);
}

void keepalive_tell(const struct request *request, int fd)
{
  static const int yes = 1;
  int idle = seconds(request), on = 0;
  socklen_t size = sizeof(on);
  if (!idle || shadow_value(request->shadow, CURLOPT_SOCKOPTFUNCTION) ||
      getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &size) < 0 || on)
    return;
  if (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) == 0 &&
      setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof(idle)) == 0)
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
}

void keepalive_tell_connection(const struct request *request)
{
  if (seconds(request) && !shadow_value(request->shadow, CURLOPT_SOCKOPTFUNCTION))
    keepalive_tell(request, connection_socket(request->shadow));
}
