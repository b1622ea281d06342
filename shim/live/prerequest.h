/* SPDX-License-Identifier: MIT */
/*
 * prerequest: the moment before the first byte of an OWNED call leaves. The claim is recorded then, by
 * libcurl's prerequest callback, so that a call that gets no connection leaves nothing behind, and one that
 * has been sent is in doubt whatever happens to the process.
 *
 *     tee_attach(&tee, request);
 *     prerequest_attach(&prerequest, &tee);
 *     code = prerequest_code(&prerequest, real->easy_perform(handle), words);
 *     override_restore_all(shadow);
 *     unknown = prerequest_outcome_unknown(request, code);
 *
 * libcurl sends a request again by itself when the connection that it has reused ends without a byte of the
 * answer, though upstream may have acted on it. The callback is then asked a second time, with no answer's
 * header in between. That is an event and a counter, resent_by_libcurl; under indoubt=fail it is refused.
 * There the call goes out on a connection of its own, on which libcurl repeats only what HTTP/2 has shown to
 * be unprocessed; this holds too for a libcurl before 7.80, which has no prerequest callback. In a multi
 * other transfers may join that connection, which makes it a reused one: nothing is known to be unprocessed
 * there.
 *
 * A claim that cannot be recorded stops the request where the rule says indoubt=fail, and is reported in any
 * case. The callback runs in the thread that drives the transfer, in a copy of the process as well.
 */
#ifndef IDEMSHIM_SHIM_PREREQUEST_H
#define IDEMSHIM_SHIM_PREREQUEST_H

#include "shim/live/tee.h"

struct prerequest {
  struct tee *tee;
  struct tee_listener listener;
  long connections, bytes; /* that libcurl had made, and sent, when the request went out */
  bool unanswered;         /* it has gone out, and no header of an answer has come since */
  bool reused;             /* on a connection that was there before */
  bool refused;            /* it was not sent again */
};

/* False with a libcurl before 7.80, which has no such callback: the record is then written when the call is
 * claimed. */
bool prerequest_is_supported(const struct shadow *shadow);

/* Puts our callback in front of the app's for one transfer, which the tee listens to. */
void prerequest_attach(struct prerequest *prerequest, struct tee *tee);

/* Returns what the app is told of a transfer that has ended with `code`: where we have refused to send it
 * again, CURLE_RECV_ERROR and the words of a libcurl that does not send again. A tape has the words from
 * `words`. */
CURLcode prerequest_code(const struct prerequest *prerequest, CURLcode code, char words[CURL_ERROR_SIZE]);

/* True if a byte of the request has been sent; what was said to a proxy before does not count. */
bool prerequest_is_past(const struct request *request);

/* True if bytes of the request were sent and `code`, the end of the call, does not say whether upstream
 * acted on them. The claim then stays in doubt. */
bool prerequest_outcome_unknown(const struct request *request, CURLcode code);

#endif
