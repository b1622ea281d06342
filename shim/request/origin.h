/* SPDX-License-Identifier: MIT */
/*
 * origin: which server a call goes to, as a text that is part of its name: "https://api.openai.com:443", and
 * what else decides it, that is a Unix socket, CONNECT_TO, RESOLVE and a Host: line of the app's own.
 *
 *     reason = headers_build(request);                  // finds the Host: line
 *     reason = reason ? reason : origin_build(request); // NULL, or why the call cannot be named
 *
 * Reads the shadow, and fills `request->bytes.origin` from `request->origin`. Of two calls that may reach
 * different servers the texts differ.
 */
#ifndef IDEMSHIM_SHIM_REQUEST_ORIGIN_H
#define IDEMSHIM_SHIM_REQUEST_ORIGIN_H

#include "shim/request/request.h"

const char *origin_build(struct request *request);

#endif
