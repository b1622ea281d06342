/* SPDX-License-Identifier: MIT */
#include "tests/mock/server.h"

#include "tests/mock/exchange.h"
#include "tests/mock/ledger.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS = 4096, BACKLOG = 1024, STACK = 256 * 1024, HEADER_ROOM = 256 * 1024 };

struct server {
  struct MHD_Daemon *daemon;
};

static void *begin(void *cls, const char *target, struct MHD_Connection *connection)
{
  (void)cls;
  (void)connection;
  return exchange_new(target);
}

/* Each connection carries one bool: it has had no API request yet. */
static void mark_connection(void *cls, struct MHD_Connection *connection, void **mark,
                            enum MHD_ConnectionNotificationCode code)
{
  (void)cls;
  (void)connection;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    bool *fresh = malloc(sizeof *fresh);
    if (fresh)
      *fresh = true;
    *mark = fresh;
  } else {
    free(*mark);
    *mark = NULL;
  }
}

static bool *mark_of(struct MHD_Connection *connection)
{
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload, size_t *upload_len,
                              void **state)
{
  struct exchange *exchange = *state;

  (void)cls;
  (void)version;
  if (!exchange)
    return MHD_NO;
  if (!exchange->arrived) {
    exchange_arrived(exchange, connection, method, mark_of(connection));
    return MHD_YES;
  }
  if (*upload_len) {
    bool kept = exchange_body(exchange, upload, *upload_len);
    *upload_len = 0;
    return kept ? MHD_YES : MHD_NO;
  }
  return exchange->control ? control_answer(connection, exchange, method, path)
                           : exchange_answer(exchange, connection, path);
}

static void end(void *cls, struct MHD_Connection *connection, void **state,
                enum MHD_RequestTerminationCode code)
{
  struct exchange *exchange = *state;

  (void)cls;
  (void)connection;
  if (!exchange)
    return;
  if (exchange->play.answer && code == MHD_REQUEST_TERMINATED_COMPLETED_OK && play_is_whole(&exchange->play))
    ledger_served(exchange->serial);
  if (exchange->play.leaving)
    ledger_left();
  exchange_free(exchange);
  *state = NULL;
}

static struct MHD_Daemon *listen_on_loopback(const char *cert, const char *key)
{
  struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct MHD_OptionItem tls[] = {
      {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert},
      {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
      {MHD_OPTION_END, 0, NULL},
  };
  unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL;

  if (!cert)
    tls[0].option = MHD_OPTION_END;
  return MHD_start_daemon(
      flags | (cert ? MHD_USE_TLS : 0), 0, NULL, NULL, handle, NULL, MHD_OPTION_SOCK_ADDR, &loopback,
      MHD_OPTION_URI_LOG_CALLBACK, begin, NULL, MHD_OPTION_NOTIFY_COMPLETED, end, NULL,
      MHD_OPTION_NOTIFY_CONNECTION, mark_connection, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
      MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)BACKLOG, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_ROOM, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

struct server *server_start(const char *cert, const char *key)
{
  struct server *server = malloc(sizeof *server);

  if (!server)
    return NULL;
  server->daemon = listen_on_loopback(cert, key);
  if (server->daemon)
    return server;
  free(server);
  return NULL;
}

uint16_t server_port(const struct server *server)
{
  return MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void server_stop(struct server *server)
{
  if (!server)
    return;
  MHD_stop_daemon(server->daemon);
  free(server);
}
