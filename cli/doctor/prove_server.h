/* SPDX-License-Identifier: MIT */
/*
 * A server for one program: loopback only, a port of the kernel's choice, and one JSON answer that differs
 * each time, so that two equal answers are one.
 *
 *     struct doctor_server *server = doctor_server_new();
 *     while (!doctor_server_step(server, pidfd, 1000)) ...
 *     doctor_server_free(server);
 */
#ifndef IDEMSHIM_CLI_DOCTOR_SERVER_H
#define IDEMSHIM_CLI_DOCTOR_SERVER_H

#include <stdbool.h>

struct doctor_server;

/* NULL with errno set if there is no socket to be had. Free it with doctor_server_free(); NULL is fine. */
struct doctor_server *doctor_server_new(void);
void doctor_server_free(struct doctor_server *server);

int doctor_server_port(const struct doctor_server *server);

/* Requests that have arrived whole, and the method of the last ("" before the first). */
long doctor_server_requests(const struct doctor_server *server);
const char *doctor_server_method(const struct doctor_server *server);

/* Waits for whatever comes first, up to `timeout_ms`, and serves it. True if `fd` became readable. */
bool doctor_server_step(struct doctor_server *server, int fd, int timeout_ms);

#endif
