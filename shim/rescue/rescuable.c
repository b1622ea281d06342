/* SPDX-License-Identifier: MIT */
#include "shim/rescue/rescuable.h"

#include "shim/handle/multi.h"
#include "shim/handle/share.h"
#include "shim/live/prerequest.h"
#include "shim/live/tee.h"
#include "shim/rescue/connection.h"

static long info_number(const struct shadow *shadow, CURLINFO info)
{
  long value = 0;
  shadow->lib->easy_getinfo(shadow->handle, info, &value);
  return value;
}

static curl_off_t info_size(const struct shadow *shadow, CURLINFO info)
{
  curl_off_t value = 0;
  shadow->lib->easy_getinfo(shadow->handle, info, &value);
  return value;
}

bool rescuable_is_sent_whole(const struct request *request)
{
  const struct shadow *shadow = request->shadow;
  curl_off_t sent = info_size(shadow, CURLINFO_SIZE_UPLOAD_T);
  return request_has_begun(request) && sent >= (curl_off_t)request->bytes.body.len &&
         sent >= info_size(shadow, CURLINFO_CONTENT_LENGTH_UPLOAD_T);
}

static bool is_refused(const struct rescue *rescue)
{
  long status = info_number(rescue->request->shadow, CURLINFO_RESPONSE_CODE);
  return status >= 400 && !idem_rule_accepts(rescue->request->rule, (int)status);
}

/* Of the other calls in its multi. */
static const char *company_against(const struct shadow *shadow, const struct multi *multi)
{
  for (unsigned i = 0; multi && i < multi->added; i++) {
    const struct shadow *other = multi->in[i];
    if (shadow_value(other, CURLOPT_CLOSESOCKETFUNCTION))
      return "not rescued: CLOSESOCKETFUNCTION";
    if (other != shadow && connection_is_shared(shadow, other))
      return "not rescued: its connection carries other calls";
  }
  return NULL;
}

/* libcurl reads its files, or the app's callbacks, as it sends. */
static bool is_form(const struct shadow *shadow)
{
  return shadow->request == HTTP_FORM || shadow->request == HTTP_MIME;
}

const char *rescuable_reason(const struct rescue *rescue)
{
  const struct shadow *shadow = rescue->request->shadow;
  const char *company = company_against(shadow, multi_of(shadow));
  if (company)
    return company;
  if (shadow->shared && share_has_locks())
    return "not rescued: SHARE with locks";
  if (shadow_value(shadow, CURLOPT_CLOSESOCKETFUNCTION))
    return "not rescued: CLOSESOCKETFUNCTION";
  if (is_form(shadow) && !rescuable_is_sent_whole(rescue->request))
    return "not rescued: the form is not sent yet";
  if (rescue->tee->unfit || shadow->disturbed)
    return "not rescued: it could not be stored";
  if (is_refused(rescue))
    return "not rescued: upstream has refused it";
  return rescue->sockets.count ? NULL : "not rescued: its connection cannot be told";
}
