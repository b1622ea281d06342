/* SPDX-License-Identifier: MIT */
/* The options that transport lends to libcurl for one transfer, and what they are without it: one table. */
#ifndef IDEMSHIM_SHIM_LEND_H
#define IDEMSHIM_SHIM_LEND_H

#include "shim/handle/shadow.h"

struct transport;

/* What differs from one transport to the next. */
struct lend {
  struct transport *transport;
  const char *url;
  curl_write_callback write, header;
  curl_xferinfo_callback progress;
  int (*prereq)(void *user, char *to, char *from, int to_port, int from_port);
  curl_opensocket_callback open_socket;
  curl_closesocket_callback close_socket;
  bool untimed; /* a tape says itself when it is over */
};

void lend_all(struct shadow *shadow, const struct lend *lend);

/* Puts what the app has set, or libcurl's default, on a handle. */
void lend_return_all(struct shadow *shadow, CURL *handle);

/* The app has set an option that chooses the method, and libcurl has it: ours goes over it again. */
void lend_method(struct shadow *shadow);

#endif
