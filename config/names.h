/* SPDX-License-Identifier: MIT */
/*
 * names: what the name of a header, of a query's parameter or of a cookie says. It is the one table of what a
 * credential is, and of the headers that change while the answer does not: tenant, key, store, tape, log,
 * show, HAR and report ask here, so that none of them knows less than another.
 *
 *     enum idem_name what = idem_name_of_header("X-Acme-Token", 12);    IDEM_NAME_CREDENTIAL, by a word
 *     if (idem_name_of_cookie("AWSALB", 6) == IDEM_NAME_TRANSIENT) ...  of a load balancer: no tenant
 *
 * Names are compared without regard to case; the words in one are what lies between other characters than
 * letters and digits, and at a capital: X-Api-Key and apiKey have the word key, X-Keyboard has not. No
 * memory, no lock.
 */
#ifndef IDEMSHIM_CONFIG_NAMES_H
#define IDEMSHIM_CONFIG_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum idem_name {
  IDEM_NAME_PLAIN,      /* counts as content */
  IDEM_NAME_TRANSIENT,  /* known to change without changing the answer: counts for nothing */
  IDEM_NAME_KNOWN,      /* a credential that everybody knows: Authorization */
  IDEM_NAME_CREDENTIAL, /* a credential by a word in it: X-Acme-Token */
  IDEM_NAME_SECRET,     /* redacted like a credential, and never counted: Sec-WebSocket-Key, X-CSRF-Token */
  /* X-Amz-Date and its like. Beside a signature that it is made with SECRET, else what it looks like. */
  IDEM_NAME_SIGNED,
};

/* Is it a credential, whatever is done with it? */
#define IDEM_NAME_IS_SECRET(what) ((what) >= IDEM_NAME_KNOWN)

/* What a header of a request or of an answer is by its name. */
enum idem_name idem_name_of_header(const char *name, size_t len);

/* Of a name with %XX escapes: PLAIN, CREDENTIAL, or KNOWN for one that is nothing else wherever it
 * stands: access_token. */
enum idem_name idem_name_of_parameter(const char *name, size_t len);

/* KNOWN, or TRANSIENT: set by a load balancer or a bot shield, and renewed while a call is retried. */
enum idem_name idem_name_of_cookie(const char *name, size_t len);

/* True if there is a word in the name of a header that says that it is a credential. */
bool idem_name_tells(const char *name, size_t len);

#endif
