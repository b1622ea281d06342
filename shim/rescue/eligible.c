/* SPDX-License-Identifier: MIT */
#include "shim/rescue/eligible.h"

#include "shim/handle/multi.h"
#include "shim/live/prerequest.h"
#include "shim/live/tee.h"

/* True if the other transfer may be going on over the same connection: one that is known to be HTTP/1 is
 * over, or it has its connection for itself. */
static bool is_shared(const struct shadow *shadow, const struct shadow *other)
{
  long version = shadow_info_long(other, CURLINFO_HTTP_VERSION);
  return shadow_info_long(shadow, CURLINFO_LOCAL_PORT) == shadow_info_long(other, CURLINFO_LOCAL_PORT) &&
         (version == CURL_HTTP_VERSION_NONE || version >= CURL_HTTP_VERSION_2_0);
}

bool eligible_is_sent_whole(const struct request *request)
{
  const struct shadow *shadow = request->shadow;
  curl_off_t sent = shadow_info_size(shadow, CURLINFO_SIZE_UPLOAD_T);
  return prerequest_is_past(request) && sent >= (curl_off_t)request->bytes.body.len &&
         sent >= shadow_info_size(shadow, CURLINFO_CONTENT_LENGTH_UPLOAD_T);
}

/* Returns what in the other calls of its multi speaks against a rescue, or NULL. */
static const char *company_against(const struct shadow *shadow, const struct multi *multi)
{
  for (unsigned i = 0; multi && i < multi->added; i++) {
    const struct shadow *other = multi->in[i];
    if (shadow_value(other, CURLOPT_CLOSESOCKETFUNCTION))
      return "not rescued: CLOSESOCKETFUNCTION";
    if (other != shadow && is_shared(shadow, other))
      return "not rescued: its connection carries other calls";
  }
  return NULL;
}

const char *eligible_reason(const struct request *request, const struct tee *tee,
                            const struct transfer_sockets *sockets)
{
  const struct shadow *shadow = request->shadow;
  const char *company = company_against(shadow, multi_of(shadow));
  if (company)
    return company;
  if (shadow->shared && atomic_load_explicit(&shadow_share_locks, memory_order_relaxed))
    return "not rescued: SHARE with locks";
  if (shadow_value(shadow, CURLOPT_CLOSESOCKETFUNCTION))
    return "not rescued: CLOSESOCKETFUNCTION";
  /* libcurl reads a form's files, or the app's callbacks, as it sends. */
  if ((shadow->request == HTTP_FORM || shadow->request == HTTP_MIME) && !eligible_is_sent_whole(request))
    return "not rescued: the form is not sent yet";
  if (tee->unfit || shadow->disturbed || form_body_changed(&request->body.form))
    return "not rescued: it could not be stored";
  long status = shadow_info_long(shadow, CURLINFO_RESPONSE_CODE);
  if (status >= 400 && !idem_rule_accepts(request->rule, (int)status))
    return "not rescued: upstream has refused it";
  return sockets->count ? NULL : "not rescued: its connection cannot be told";
}
