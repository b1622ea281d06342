/* SPDX-License-Identifier: MIT */
#include "shim/live/prerequest.h"

#include "shim/handle/callbacks.h"
#include "shim/handle/multi.h"
#include "shim/handle/overrides.h"
#include "shim/live/keepalive.h"
#include "shim/request/request_event.h"
#include "shim/runtime/report.h"

#include <stdio.h>

/* 7.80.0 */
#define HAS_PREREQ 0x075000

bool prerequest_is_supported(const struct shadow *shadow)
{
  return shadow->lib->version >= HAS_PREREQ;
}

/* At most once means: not without a record of it. */
static bool may_go_out(struct request *request)
{
  struct idem_error why = {""};
  if (request->api->sent(request->store, &request->op, &why) == 0)
    return true;
  /* Another machine's by now: whatever the rule says, it would be paid for twice. The call begins anew. */
  if (request->op.fenced) {
    request_event(request, "fenced", why.text, 0, -1);
    return false;
  }
  report_problem(PROBLEM_STORE_FAILED, "%s", why.text);
  request_event(request, "store_error", why.text, 0, -1);
  return request->rule->indoubt != IDEM_INDOUBT_FAIL;
}

/* A request of which nothing was sent, on a connection that was dead already, is sent for the first time. */
static bool may_go_again(struct prerequest *prerequest)
{
  struct request *request = prerequest->tee->request;
  if (!prerequest->unanswered ||
      shadow_info_long(request->shadow, CURLINFO_REQUEST_SIZE) <= prerequest->bytes)
    return true;
  /* libcurl repeats what went out on a new connection only if HTTP/2 says that nothing has been done. In a
   * multi it is new to this call alone: libcurl takes it for reused once another transfer has joined it. */
  bool unprocessed = !prerequest->reused && !multi_of(request->shadow);
  prerequest->refused = !unprocessed && request->rule->indoubt == IDEM_INDOUBT_FAIL;
  if (prerequest->refused) {
    report_count(IDEM_COUNTER_in_doubt);
    request_event(request, "in_doubt", "its connection was reset; libcurl would send it again, and may not",
                  0, -1);
    return false;
  }
  report_count(IDEM_COUNTER_resent_by_libcurl);
  request_event(request, "resent_by_libcurl",
                unprocessed ? "upstream has not processed it, says HTTP/2"
                            : "its connection ended without an answer; sent again with the same upstream key",
                0, -1);
  return true;
}

static void note_that_it_goes(struct prerequest *prerequest)
{
  const struct shadow *shadow = prerequest->tee->shadow;
  long connections = shadow_info_long(shadow, CURLINFO_NUM_CONNECTS);
  prerequest->reused = connections == prerequest->connections;
  prerequest->connections = connections;
  prerequest->bytes = shadow_info_long(shadow, CURLINFO_REQUEST_SIZE);
  prerequest->unanswered = true;
}

static int on_prereq(void *user, char *to, char *from, int to_port, int from_port)
{
  struct prerequest *prerequest = user;
  const struct tee *tee = prerequest->tee;
  struct request *request = tee->request;
  const struct shadow *shadow = request->shadow;
  curl_prereq_callback app = (curl_prereq_callback)shadow_value(shadow, CURLOPT_PREREQFUNCTION);
  if (!may_go_again(prerequest) || !may_go_out(request))
    return CURL_PREREQFUNC_ABORT;
  note_that_it_goes(prerequest);
  if (prerequest->reused)
    keepalive_tell_connection(request);
  request->announced = true;
  tee_about_to_send(tee);
  void *data = (void *)shadow_value(shadow, CURLOPT_PREREQDATA);
  if (!app || tee->app_gone)
    return CURL_PREREQFUNC_OK;
  tee_sign(tee, IDEM_SIGN_CALLBACK);
  int verdict = app(data, to, from, to_port, from_port);
  tee_sign(tee, IDEM_SIGN_CALLBACK_END);
  return verdict;
}

/* The answer of a proxy to CONNECT does not count: it comes on a connection that libcurl has not told of
 * yet. */
static void on_status(void *self, int status)
{
  struct prerequest *prerequest = self;
  (void)status;
  if (shadow_info_long(prerequest->tee->shadow, CURLINFO_NUM_CONNECTS) == prerequest->connections)
    prerequest->unanswered = false;
}

void prerequest_attach(struct prerequest *prerequest, struct tee *tee)
{
  struct request *request = tee->request;
  request->announced = !request->op.defers;
  *prerequest = (struct prerequest){.tee = tee, .listener = {.self = prerequest, .status = on_status}};
  if (request->rule->indoubt == IDEM_INDOUBT_FAIL)
    override_set(request->shadow, CURLOPT_FRESH_CONNECT, 1);
  if (!request->op.defers) {
    /* Nor has a redirect's request a connection on which it is repeated. */
    if (request->rule->indoubt == IDEM_INDOUBT_FAIL)
      override_set(request->shadow, CURLOPT_FORBID_REUSE, 1);
    return;
  }
  tee_listen(tee, &prerequest->listener);
  override_set(request->shadow, CURLOPT_PREREQFUNCTION, on_prereq);
  override_set(request->shadow, CURLOPT_PREREQDATA, prerequest);
}

CURLcode prerequest_code(const struct prerequest *prerequest, CURLcode code, char words[CURL_ERROR_SIZE])
{
  if (!prerequest->refused || code != CURLE_ABORTED_BY_CALLBACK)
    return code;
  snprintf(words, CURL_ERROR_SIZE, "Recv failure: Connection reset by peer");
  callback_error(prerequest->tee->shadow, "%s", words);
  return CURLE_RECV_ERROR;
}

bool prerequest_is_past(const struct request *request)
{
  return request->announced && shadow_info_long(request->shadow, CURLINFO_REQUEST_SIZE) > 0;
}

bool prerequest_outcome_unknown(const struct request *request, CURLcode code)
{
  return code != CURLE_OK && code != CURLE_HTTP_RETURNED_ERROR && prerequest_is_past(request);
}
