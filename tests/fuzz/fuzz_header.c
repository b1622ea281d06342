/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the header blocks of a response, and any second as a date. What is found lies within the
 * block; what a transport writes has a line for each line of the record, so that each callback is given its
 * own; and a date is what libc says.
 */
#include "shim/base/http_header.h"
#include "shim/base/span.h"
#include "shim/transport/transport_header.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
  if (!holds)
    abort();
}

static void require_within(struct idem_span inner, struct idem_span outer)
{
  require(!inner.data || (inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len));
}

static size_t count_lines(struct idem_span text)
{
  size_t count = 0;
  while (span_cut_line(&text).len)
    count++;
  return count;
}

static void look(struct idem_span blocks)
{
  static const char *const names[] = {"content-type", "set-cookie",  "content-length",
                                      "location",     "retry-after", "x"};
  struct idem_span last = header_last_block(blocks), rest = blocks, line;
  require_within(last, blocks);
  require_within(header_words(blocks), blocks);
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
    struct idem_span value = header_find(last, names[i]);
    require_within(value, last);
    require(!value.len || (!memchr(value.data, '\n', value.len) && value.data[0] != ' ' &&
                           value.data[value.len - 1] != ' '));
    const char *secure = value.data ? header_find_secure(value) : NULL;
    require(!secure || (secure > value.data && secure + 6 <= value.data + value.len));
  }
  while ((line = span_cut_line(&rest)).len) {
    int status = header_status(line.data, line.len);
    require(status >= 0 && status <= 999);
    (void)header_is_mark(line.data, line.len);
    (void)header_redirects(status, blocks);
  }
  (void)header_was_redirected(blocks);
  (void)header_is_encoded(blocks, false);
  (void)header_is_chunked(blocks);
}

static void compose(struct idem_span record, uint8_t flags)
{
  struct transport_header_facts facts = {
      .body_len = flags & 1 ? UINT64_MAX : 5, .bodyless = flags & 2, .secure_cookies = flags & 4};
  struct buffer wire = {0};
  require(transport_header_compose(&wire, record, &facts));
  struct idem_span written = span_of_buffer(&wire), line;
  require(count_lines(written) == count_lines(record) || record.data[record.len - 1] != '\n');
  /* One response with an end; the others are on the way. */
  for (struct idem_span last = header_last_block(written); (line = span_cut_line(&written)).len;)
    require(line.data >= last.data || !header_status(line.data, line.len) ||
            header_status(line.data, line.len) == 102);
  bool begins = header_status(header_last_block(record).data, header_last_block(record).len) != 0;
  if (facts.secure_cookies && begins)
    for (struct idem_span rest = header_last_block(span_of_buffer(&wire)); (line = span_cut_line(&rest)).len;)
      require(strncasecmp(line.data, "set-cookie:", line.len < 11 ? line.len : 11) != 0 || line.len < 12 ||
              !header_find_secure(line));
  buffer_release(&wire);
}

static void date(const uint8_t *data, size_t size)
{
  int64_t seconds = 0;
  char ours[HEADER_DATE_SIZE], theirs[64];
  memcpy(&seconds, data, size < sizeof(seconds) ? size : sizeof(seconds));
  header_date(seconds, ours);
  require(strlen(ours) == HEADER_DATE_SIZE - 1);
  if (seconds < 0 || seconds >= (int64_t)253402300800)
    return;
  time_t moment = (time_t)seconds;
  struct tm parts;
  strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&moment, &parts));
  require(strcmp(ours, theirs) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 2)
    return 0;
  if (data[0] & 0x80) {
    date(data + 1, size - 1);
    return 0;
  }
  char *copy = malloc(size - 1);
  require(copy != NULL);
  memcpy(copy, data + 1, size - 1);
  struct idem_span blocks = {copy, size - 1};
  look(blocks);
  compose(blocks, data[0]);
  free(copy);
  return 0;
}
