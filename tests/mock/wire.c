/* SPDX-License-Identifier: MIT */
#include "tests/mock/wire.h"

#include "tests/mock/pause.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GAP_MS = 30, PATIENCE_MS = 5000, LOOK_AGAIN_MS = 2, GAP_MARK = 1, NEXT_MARK = 2 };

struct wire {
  struct wire *next;
  char *name, *text;
  size_t len, played; /* what earlier requests have had */
  bool exact;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wire *wires;

static void *grown(void *old, size_t size)
{
  void *new = realloc(old, size ? size : 1);

  if (!new)
    abort();
  return new;
}

static struct wire *find(const char *name)
{
  struct wire *wire = wires;

  while (wire && strcmp(wire->name, name) != 0)
    wire = wire->next;
  return wire;
}

void wire_lay(const char *name, const char *text, size_t len, bool exact)
{
  struct wire *wire;

  pthread_mutex_lock(&lock);
  wire = find(name);
  if (!wire) {
    wire = grown(NULL, sizeof *wire);
    *wire = (struct wire){.next = wires, .name = strdup(name)};
    wires = wire;
  }
  wire->text = grown(wire->text, len + 1);
  if (len)
    memcpy(wire->text, text, len);
  wire->text[len] = 0;
  wire->len = len;
  wire->played = 0;
  wire->exact = exact;
  pthread_mutex_unlock(&lock);
}

const char *wire_name(const char *path)
{
  const char *at = strstr(path, "/wire/");

  return at ? at + strlen("/wire/") : NULL;
}

static char *next_response(struct wire *wire, size_t *len)
{
  const char *from = wire->text + wire->played;
  const char *end = wire->exact ? NULL : memchr(from, NEXT_MARK, wire->len - wire->played);
  char *copy;

  *len = end ? (size_t)(end - from) : wire->len - wire->played;
  wire->played += end ? *len + 1 : 0;
  copy = memcpy(grown(NULL, *len + 1), from, *len);
  copy[*len] = 0;
  return copy;
}

/* The response to this request, the caller's to free(); NULL if nothing was laid down. */
static char *copy_of(const char *name, size_t *len, bool *exact)
{
  struct wire *wire;
  char *copy;

  pthread_mutex_lock(&lock);
  wire = find(name);
  copy = wire ? next_response(wire, len) : NULL;
  *exact = wire && wire->exact;
  pthread_mutex_unlock(&lock);
  return copy;
}

static bool send_all(int socket, const char *bytes, size_t len)
{
  ssize_t sent = 0;

  for (size_t at = 0; at < len; at += (size_t)sent)
    if ((sent = send(socket, bytes + at, len - at, MSG_NOSIGNAL)) <= 0)
      return false;
  return true;
}

/* How many bytes lie in the socket at the other end, which is on this machine; 0 where
 * the kernel does not say. */
static unsigned unread(int socket_of_ours)
{
  struct sockaddr_in own = {0}, other = {0};
  socklen_t own_len = sizeof own, other_len = sizeof other;
  struct {
    struct nlmsghdr head;
    struct inet_diag_req_v2 ask;
  } request = {{.nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
               {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u}};
  struct {
    struct nlmsghdr head;
    struct inet_diag_msg told;
    char more[256];
  } reply = {0};
  int kernel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

  if (!getsockname(socket_of_ours, (struct sockaddr *)&own, &own_len) &&
      !getpeername(socket_of_ours, (struct sockaddr *)&other, &other_len) && other.sin_family == AF_INET) {
    request.ask.id = (struct inet_diag_sockid){.idiag_sport = other.sin_port,
                                               .idiag_dport = own.sin_port,
                                               .idiag_src = {other.sin_addr.s_addr},
                                               .idiag_dst = {own.sin_addr.s_addr},
                                               .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}};
    if (send(kernel, &request, sizeof request, 0) > 0)
      recv(kernel, &reply, sizeof reply, 0);
  }
  close(kernel);
  return reply.head.nlmsg_type == SOCK_DIAG_BY_FAMILY ? reply.told.idiag_rqueue : 0;
}

/* What comes next must not come with it, however late the client runs. */
static bool pause_until_taken(int socket)
{
  for (int ms = 0; ms < PATIENCE_MS && unread(socket) > 0; ms += LOOK_AGAIN_MS)
    if (!pause_ms(LOOK_AGAIN_MS))
      return false;
  return pause_ms(GAP_MS);
}

static void play_plain(int socket, const char *text, size_t len, bool exact)
{
  const char *end = text + len;

  while (text < end) {
    const char *gap = exact ? NULL : memchr(text, GAP_MARK, (size_t)(end - text));
    size_t piece = (size_t)((gap ? gap : end) - text);

    if (!send_all(socket, text, piece) || (gap && !pause_until_taken(socket)))
      return;
    text += piece + (gap ? 1 : 0);
  }
}

static bool is_framing(const char *name)
{
  return !strcasecmp(name, "Content-Length") || !strcasecmp(name, "Transfer-Encoding");
}

/* "Name: value" lines up to the blank one; cuts them in place. */
static void add_headers(struct MHD_Response *response, char *line)
{
  for (char *end; (end = strstr(line, "\r\n")) && end != line; line = end + 2) {
    char *colon = memchr(line, ':', (size_t)(end - line));

    *end = 0;
    if (!colon)
      continue;
    *colon = 0;
    if (!is_framing(line))
      MHD_add_response_header(response, line, colon + 1 + strspn(colon + 1, " "));
  }
}

static enum MHD_Result play_tls(struct MHD_Connection *connection, char *text, size_t len)
{
  char *body = strstr(text, "\r\n\r\n"), *first = strstr(text, "\r\n");
  unsigned status = (unsigned)strtoul(text + strcspn(text, " "), NULL, 10);
  struct MHD_Response *response;
  enum MHD_Result result;

  if (!body)
    return MHD_NO;
  body += 4;
  response = MHD_create_response_from_buffer(len - (size_t)(body - text), body, MHD_RESPMEM_MUST_COPY);
  add_headers(response, first + 2);
  result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection)
{
  static char nothing[] = "mock: nothing was laid down under this name\n";
  struct MHD_Response *response =
      MHD_create_response_from_buffer(sizeof nothing - 1, nothing, MHD_RESPMEM_PERSISTENT);
  enum MHD_Result result = MHD_queue_response(connection, 404, response);

  MHD_destroy_response(response);
  return result;
}

enum MHD_Result wire_play(struct MHD_Connection *connection, const char *name)
{
  size_t len;
  bool exact;
  char *text = copy_of(name, &len, &exact);
  enum MHD_Result result = MHD_NO;

  if (!text)
    return refuse(connection);
  if (MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION))
    result = play_tls(connection, text, len);
  else
    play_plain(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd, text, len,
               exact);
  free(text);
  return result;
}

void wire_reset(void)
{
  pthread_mutex_lock(&lock);
  while (wires) {
    struct wire *next = wires->next;
    free(wires->name);
    free(wires->text);
    free(wires);
    wires = next;
  }
  pthread_mutex_unlock(&lock);
}
