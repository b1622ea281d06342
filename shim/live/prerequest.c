/* SPDX-License-Identifier: MIT */
#include "shim/live/prerequest.h"

#include "shim/handle/overrides.h"
#include "shim/runtime/report.h"

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
  report_problem(PROBLEM_STORE_FAILED, "%s", why.text);
  request_event(request, "store_error", why.text, 0, -1);
  return request->rule->indoubt != IDEM_INDOUBT_FAIL;
}

static int on_prereq(void *user, char *to, char *from, int to_port, int from_port)
{
  const struct tee *tee = user;
  struct request *request = tee->request;
  const struct shadow *shadow = request->shadow;
  curl_prereq_callback app = (curl_prereq_callback)shadow_value(shadow, CURLOPT_PREREQFUNCTION);
  if (!may_go_out(request))
    return CURL_PREREQFUNC_ABORT;
  request->announced = true;
  tee_about_to_send(tee);
  void *data = (void *)shadow_value(shadow, CURLOPT_PREREQDATA);
  return app ? app(data, to, from, to_port, from_port) : CURL_PREREQFUNC_OK;
}

void prerequest_attach(struct tee *tee)
{
  struct request *request = tee->request;
  request->announced = !request->op.defers;
  if (!request->op.defers)
    return;
  override_set(request->shadow, CURLOPT_PREREQFUNCTION, on_prereq);
  override_set(request->shadow, CURLOPT_PREREQDATA, tee);
}

bool prerequest_is_past(const struct request *request)
{
  long size = 0;
  const struct shadow *shadow = request->shadow;
  shadow->lib->easy_getinfo(shadow->handle, CURLINFO_REQUEST_SIZE, &size);
  return request->announced && size > 0;
}

bool prerequest_outcome_unknown(const struct request *request, CURLcode code)
{
  return code != CURLE_OK && code != CURLE_HTTP_RETURNED_ERROR && prerequest_is_past(request);
}
