/* SPDX-License-Identifier: MIT */
/*
 * A server for one program: loopback only, a port of the kernel's choice, and one JSON answer that differs each
 * time, so that two equal answers are one. It has no thread: it serves while doctor_server_step() is called.
 *
 *     struct doctor_server *server = doctor_server_new();
 *     while (!doctor_server_step(server, pidfd, 1000)) ...
 *     printf("%ld requests\n", server->requests);
 *     doctor_server_free(server);
 */
#ifndef IDEMSHIM_CLI_DOCTOR_SERVER_H
#define IDEMSHIM_CLI_DOCTOR_SERVER_H

#include "cli/doctor/prove_request.h"

enum { DOCTOR_MOST_CONNECTIONS = 32 };

struct doctor_connection {
  int fd; /* -1: free */
  struct doctor_request request;
};

struct doctor_server {
  int port;
  long requests;   /* that have arrived whole */
  char method[16]; /* of the last one; "" before the first */

  int listener; /* the rest is private */
  struct doctor_connection connections[DOCTOR_MOST_CONNECTIONS];
};

/* NULL with errno set if there is no socket to be had. Free it with doctor_server_free(); NULL is fine. */
struct doctor_server *doctor_server_new(void);
void doctor_server_free(struct doctor_server *server);

/* Waits for whatever comes first, up to `timeout_ms`, and serves it. True if `fd` became readable. */
bool doctor_server_step(struct doctor_server *server, int fd, int timeout_ms);

#endif
