/* SPDX-License-Identifier: MIT */
#include "shim/request/request.h"

#include "shim/base/span.h"
#include "shim/handle/multi.h"
#include "shim/handle/resolve.h"
#include "shim/handle/url.h"
#include "shim/request/credentials.h"
#include "shim/request/headers.h"
#include "shim/request/origin.h"
#include "shim/request/shape.h"
#include "shim/request/trust.h"
#include "shim/runtime/settings.h"

#include <string.h>
#include <strings.h>

static bool list_has(const char *list, const char *word)
{
  size_t len = strlen(word);
  for (; *list; list += strspn(list, ",")) {
    size_t item = strcspn(list, ",");
    if ((item == len && strncasecmp(list, word, len) == 0) || (item == 3 && strncasecmp(list, "all", 3) == 0))
      return true;
    list += item;
  }
  return false;
}

/* An app that forbids its own URL's scheme is owed libcurl's refusal. */
static bool protocol_allowed(const struct shadow *shadow)
{
  const char *list = shadow_text(shadow, SLOT_PROTOCOLS_STR);
  bool https = shadow->parts.https;
  if (list)
    return list_has(list, https ? "https" : "http");
  return shadow->slot[SLOT_PROTOCOLS] & (https ? CURLPROTO_HTTPS : CURLPROTO_HTTP);
}

const char *request_open(struct request *request, struct shadow *shadow, const struct idem_rule *rule,
                         char room[24])
{
  const struct url_parts *parts = &shadow->parts;
  struct idem_request *bytes = &request->bytes;
  request->shadow = shadow;
  request->rule = rule;
  /* The rooms for texts behind it need not be zero: they are most of it, and a hit is to be quick. */
  buffer_zero(&request->op, offsetof(struct request, started_us) - offsetof(struct request, op));
  idem_call_init(&request->op);
  request->body.shadow = shadow;
  request->speed = rule->pace == IDEM_PACE_ORIGINAL;
  request->host = NULL;
  request->tape.writer = NULL;
  request->tape.played = request->tape.fault = request->tape.streamed = false;
  bytes->rule = rule;
  bytes->method = span_of(shadow_method(shadow));
  bytes->path = shadow_path(shadow);
  bytes->query = (struct idem_span){shadow->url.data + parts->query, parts->query_len};
  bytes->scope = span_of(settings()->scope);
  /* Before the first reason to stop: of a call that cannot be named, tape and log have what there is. */
  credentials_build(request);
  if (rule->action == IDEM_ACTION_BYPASS)
    return "action=bypass";
  const char *reason = shadow_needs(shadow, NEEDS_LIVE, room);
  if (reason && strcmp(reason, "NETRC") == 0 && credentials_add_netrc(request))
    reason = shadow_needs_besides(shadow, NEEDS_LIVE, option_number(CURLOPT_NETRC), room);
  if (reason)
    return reason;
  /* Some versions send a PUT then, and others a POST. */
  if (shadow->upload && shadow->request != HTTP_PUT)
    return "UPLOAD and another method";
  if (!protocol_allowed(shadow))
    return "PROTOCOLS";
  if (shadow->slot[SLOT_SSLCERT] && !credentials_add_certificate(request))
    return "SSLCERT";
  if (shadow->slot[SLOT_CURLU] &&
      !url_says_all(shadow->lib, (CURLU *)shadow->slot[SLOT_CURLU], shadow->url.data, parts))
    return "CURLU";
  const struct multi *multi = multi_of(shadow);
  if (resolve_may_linger(shadow, &shadow->resolved) ||
      (multi && resolve_may_linger(shadow, &multi->resolved)))
    return "RESOLVE of an earlier call";
  if ((reason = headers_build(request)) || (reason = origin_build(request)) ||
      (reason = trust_of(shadow, rule->trust, request->trust, sizeof(request->trust), &bytes->trust)) ||
      (reason = shape_build(request)) || (reason = credentials_add_cookies(request)))
    return reason;
  /* The app's reader is not touched before it is certain that the body matters. */
  const struct body *body = &request->body;
  body_open(&request->body, rule->max_body);
  bytes->body = body->span;
  if (body->form.reason)
    return body->form.reason;
  if (body->late)
    return "READFUNCTION goes on for too long";
  if (!body->whole)
    return body->read.bytes.len > rule->max_body ? "max_body" : "READFUNCTION paused or gave up";
  if (body->span.len > rule->max_body)
    return "max_body";
  if (headers_tell_another_length(request))
    return "a Content-Length that is not the body's";
  return credentials_log_in_as_process(request) ? "HTTPAUTH and no user" : NULL;
}
