/* SPDX-License-Identifier: MIT */
#include "shim/replay/debug.h"

#include "shim/handle/callbacks.h"
#include "shim/info/info.h"

#include <stdio.h>

bool debug_wanted(const struct shadow *shadow)
{
  return shadow->rare_count && shadow_value(shadow, CURLOPT_VERBOSE);
}

void debug_show(struct shadow *shadow, curl_infotype type, const char *data, size_t len)
{
  static const char *const prefix[] = {[CURLINFO_TEXT] = "* ", [CURLINFO_HEADER_IN] = "< "};
  if (!debug_wanted(shadow))
    return;
  curl_debug_callback function = (curl_debug_callback)shadow_value(shadow, CURLOPT_DEBUGFUNCTION);
  FILE *to = (FILE *)shadow->slot[SLOT_STDERR];
  if (function) {
    char room[CALLBACK_COPY_ROOM];
    function(shadow->handle, type, callback_copy(shadow, room, data, len), len,
             (void *)shadow_value(shadow, CURLOPT_DEBUGDATA));
  } else if (to && type <= CURLINFO_HEADER_IN) {
    /* Data is not shown where there is no callback [sendf.c, Curl_debug]. */
    fwrite(prefix[type], 2, 1, to);
    fwrite(data, len, 1, to);
  }
}

/* True for the blank line, where libcurl shows it afterwards. */
static bool is_late(const struct shadow *shadow, const char *line)
{
  return shadow->lib->version < 0x080700 && (*line == '\r' || *line == '\n');
}

void debug_before_header(struct shadow *shadow, const char *line, size_t len)
{
  if (!is_late(shadow, line))
    debug_show(shadow, CURLINFO_HEADER_IN, line, len);
}

void debug_after_header(struct shadow *shadow, int status, const char *line, size_t len)
{
  if (is_late(shadow, line) && status / 100 != 1)
    debug_show(shadow, CURLINFO_HEADER_IN, line, len);
}

void debug_announce(const struct request *request)
{
  char text[160];
  if (!debug_wanted(request->shadow))
    return;
  const char *date = info_record_date(request->op.answer.facts);
  int len = snprintf(text, sizeof(text), "Replayed by idemshim: nothing was sent. Answer %s of %.29s\n",
                     request->op.id, date ? date : "now");
  debug_show(request->shadow, CURLINFO_TEXT, text, (size_t)len);
}
