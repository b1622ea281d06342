/* SPDX-License-Identifier: MIT */
#include "shim/replay/marks.h"

#include "shim/base/http_header.h"
#include "shim/info/info.h"

#include <string.h>

void marks_build(const struct request *request, char marks[MARKS_SIZE])
{
  static const char head[] =
      "X-Idempotency-Replayed: true\r\nX-From-Cache: true\r\nX-Original-Request-Time: ";
  static const char id[] = "\r\nX-Idemshim-Id: ";
  const char *date =
      request->rule->mark && !request->tape.played ? info_record_date(request->op.answer.facts) : NULL;
  char *at = marks;
  *at = '\0';
  if (!date)
    return;
  memcpy(at, head, sizeof(head) - 1);
  at += sizeof(head) - 1;
  memcpy(at, date, HEADER_DATE_SIZE - 1);
  at += HEADER_DATE_SIZE - 1;
  memcpy(at, id, sizeof(id) - 1);
  at += sizeof(id) - 1;
  memcpy(at, request->op.answer.id, IDEM_ID_SIZE - 1);
  memcpy(at + IDEM_ID_SIZE - 1, "\r\n", 3);
}
