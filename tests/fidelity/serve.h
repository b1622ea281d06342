/* SPDX-License-Identifier: MIT */
/* Where the mock is. */
#ifndef FIDELITY_SERVE_H
#define FIDELITY_SERVE_H

/* "http://127.0.0.1:PORT", and "https://127.0.0.1:PORT" or NULL; both stay. */
void serve_from(const char *http_url, const char *https_url);

#endif
