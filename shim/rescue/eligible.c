/* SPDX-License-Identifier: MIT */
#include "shim/rescue/eligible.h"

#include "shim/base/fd_table.h"
#include "shim/handle/multi.h"
#include "shim/live/prerequest.h"
#include "shim/live/tee.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct address {
  const char *ip;
  long port;
};

struct ends {
  struct address local, remote;
};

struct search {
  struct ends ends;
  struct transfer_sockets *found;
  bool reset; /* looks for one that its peer has reset, and that has none any more */
};

static struct ends ends_of(const struct shadow *shadow)
{
  struct ends ends = {{"", 0}, {"", 0}};
  const struct libcurl *real = shadow->lib;
  real->easy_getinfo(shadow->handle, CURLINFO_LOCAL_IP, &ends.local.ip);
  real->easy_getinfo(shadow->handle, CURLINFO_LOCAL_PORT, &ends.local.port);
  real->easy_getinfo(shadow->handle, CURLINFO_PRIMARY_IP, &ends.remote.ip);
  return ends;
}

static bool is_address(const struct sockaddr_storage *at, const struct address *address)
{
  char text[INET6_ADDRSTRLEN] = "";
  const struct sockaddr_in *four = (const struct sockaddr_in *)at;
  const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)at;
  bool is_six = at->ss_family == AF_INET6;
  if (!is_six && at->ss_family != AF_INET)
    return false;
  if (address->port && ntohs(is_six ? six->sin6_port : four->sin_port) != address->port)
    return false;
  inet_ntop(at->ss_family, is_six ? (const void *)&six->sin6_addr : (const void *)&four->sin_addr, text,
            sizeof(text));
  return strcmp(text, address->ip) == 0;
}

static void visit(void *arg, int fd)
{
  const struct search *search = arg;
  struct sockaddr_storage local = {0}, remote = {0};
  socklen_t size = sizeof(local), remote_size = sizeof(remote);
  if (search->found->count == HANDOFF_SOCKETS || getsockname(fd, (struct sockaddr *)&local, &size) < 0 ||
      !is_address(&local, &search->ends.local))
    return;
  bool has_peer = getpeername(fd, (struct sockaddr *)&remote, &remote_size) == 0;
  if (has_peer ? !search->reset && is_address(&remote, &search->ends.remote)
               : search->reset && errno == ENOTCONN)
    search->found->fd[search->found->count++] = fd;
}

/* The answer may have come whole before a reset. */
void eligible_find_sockets(const struct shadow *shadow, struct transfer_sockets *sockets)
{
  struct search search = {ends_of(shadow), sockets, false};
  unsigned before = sockets->count;
  if (search.ends.local.port <= 0 || !search.ends.local.ip || !search.ends.remote.ip)
    return;
  fd_each(visit, &search);
  search.reset = true;
  if (sockets->count == before)
    fd_each(visit, &search);
}

/* True if the other transfer may be going on over the same connection: one that is known to be HTTP/1 is
 * over, or it has its connection for itself. */
static bool is_shared(const struct shadow *shadow, const struct shadow *other)
{
  struct ends mine = ends_of(shadow), theirs = ends_of(other);
  long version = shadow_info_long(other, CURLINFO_HTTP_VERSION);
  return mine.local.port == theirs.local.port &&
         (version == CURL_HTTP_VERSION_NONE || version >= CURL_HTTP_VERSION_2_0);
}

bool eligible_is_sent_whole(const struct request *request)
{
  const struct shadow *shadow = request->shadow;
  curl_off_t sent = shadow_info_size(shadow, CURLINFO_SIZE_UPLOAD_T);
  return prerequest_is_past(request) && sent >= (curl_off_t)request->bytes.body.len &&
         sent >= shadow_info_size(shadow, CURLINFO_CONTENT_LENGTH_UPLOAD_T);
}

/* What speaks against it in the other calls of its multi. */
static const char *company_against(const struct shadow *shadow, const struct multi *multi)
{
  for (unsigned i = 0; multi && i < multi->added; i++) {
    const struct shadow *other = multi->in[i];
    if (shadow_value(other, CURLOPT_CLOSESOCKETFUNCTION))
      return "not rescued: CLOSESOCKETFUNCTION";
    if (other != shadow && is_shared(shadow, other))
      return "not rescued: its connection carries other calls";
  }
  return NULL;
}

const char *eligible_reason(const struct request *request, const struct tee *tee,
                            const struct transfer_sockets *sockets)
{
  const struct shadow *shadow = request->shadow;
  const char *company = company_against(shadow, multi_of(shadow));
  if (company)
    return company;
  if (shadow->shared && atomic_load_explicit(&shadow_share_locks, memory_order_relaxed))
    return "not rescued: SHARE with locks";
  if (shadow_value(shadow, CURLOPT_CLOSESOCKETFUNCTION))
    return "not rescued: CLOSESOCKETFUNCTION";
  /* libcurl reads a form's files, or the app's callbacks, as it sends. */
  if ((shadow->request == HTTP_FORM || shadow->request == HTTP_MIME) && !eligible_is_sent_whole(request))
    return "not rescued: the form is not sent yet";
  if (tee->unfit || shadow->disturbed || form_body_changed(&request->body.form))
    return "not rescued: it could not be stored";
  long status = shadow_info_long(shadow, CURLINFO_RESPONSE_CODE);
  if (status >= 400 && !idem_rule_accepts(request->rule, (int)status))
    return "not rescued: upstream has refused it";
  return sockets->count ? NULL : "not rescued: its connection cannot be told";
}
