/* SPDX-License-Identifier: MIT */
/*
 * shape: what decides the bytes of an answer besides the request itself, as a text that is part of the call's
 * name: which codings the client undoes, which part it asks for, which redirects it follows.
 *
 *     reason = headers_build(request);                 // an app may ask for a coding by a header of its own
 *     reason = reason ? reason : shape_build(request); // NULL, or why the call cannot be named
 *
 * Reads the shadow and `request->headers`, and fills `request->bytes.shape` from `request->shape`.
 */
#ifndef IDEMSHIM_SHIM_REQUEST_SHAPE_H
#define IDEMSHIM_SHIM_REQUEST_SHAPE_H

#include "shim/request/request.h"

const char *shape_build(struct request *request);

#endif
