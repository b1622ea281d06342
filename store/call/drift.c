/* SPDX-License-Identifier: MIT */
#include "store/call/drift.h"

#include "store/base/kept.h"
#include "store/call/call.h"
#include "store/judge/event_stream.h"
#include "store/records/answer_index.h"
#include "store/records/claim_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Header lines as a record has them; what is beyond is not compared. */
struct lines {
  size_t len;
  char text[4096];
};

/* The name of a header in one list of lines, sorted by name, that stands in the other in another way or not
 * at all. */
static void add_difference(char *out, size_t size, struct idem_span lines, struct idem_span other)
{
  struct idem_span line;
  while (event_stream_line(&lines, &line)) {
    const char *colon = memchr(line.data, ':', line.len);
    size_t len = strlen(out), name = colon ? (size_t)(colon - line.data) : 0;
    if (!name || memmem(other.data, other.len, line.data, line.len))
      continue;
    /* Both lists are asked, and a header that both have is named once. */
    char text[96];
    snprintf(text, sizeof(text), "%.*s", (int)name, line.data);
    if (!strcasestr(out, text))
      snprintf(out + len, size - len, "%s%s", len ? "," : "", text);
  }
}

static void add_line(void *arg, struct idem_span name, struct idem_span value)
{
  struct lines *lines = arg;
  size_t room = sizeof(lines->text) - lines->len;
  int len = snprintf(lines->text + lines->len, room, "%.*s: %.*s\r\n", (int)name.len, name.data,
                     (int)value.len, value.data);
  if (len > 0 && (size_t)len < room)
    lines->len += (size_t)len;
}

void drift_note(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                const struct name *name)
{
  struct reader *reader = call->priv.reader;
  struct claim_print print;
  struct idem_answer answer;
  void *heap;
  struct lines lines = {.len = 0};
  if (name->kind != IDEM_KEY_CONTENT || store->sealed ||
      claim_record_read_print(&reader->snapshot, name->print, &print) < 0 ||
      memcmp(print.key, call->key, IDEM_KEY_SIZE) == 0 ||
      answer_index_find(store, reader, print.key, request->rule->ttl_ms, &answer) != ANSWER_FRESH ||
      answer_index_take(store, reader, &heap, &answer) < 0)
    return;
  key_headers(request, HEADER_VARY, false, add_line, &lines);
  struct idem_span now = {lines.text, lines.len};
  add_difference(call->drift, sizeof(call->drift), now, answer.request_headers);
  add_difference(call->drift, sizeof(call->drift), answer.request_headers, now);
  kept_give(heap);
  if (call->drift[0])
    call_count(store, call, COUNTED_DRIFT, IDEM_COUNTER_header_drift);
}
