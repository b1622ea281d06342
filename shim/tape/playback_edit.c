/* SPDX-License-Identifier: MIT */
#include "shim/tape/playback_edit.h"

#include "shim/base/http_header.h"
#include "shim/info/info_record.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool find_file(uint64_t number, char *name, size_t size)
{
  const char *edit = settings()->replay_edit;
  while (edit && strtoull(edit, NULL, 10) != number) {
    edit = strchr(edit, ';');
    edit += edit != NULL;
  }
  if (!edit)
    return false;
  const char *path = strchr(edit, '=') + 1;
  snprintf(name, size, "%.*s", (int)strcspn(path, ";"), path);
  return true;
}

static bool read_file(struct edit *edit, const char *name, size_t *len)
{
  FILE *file = fopen(name, "re");
  char piece[4096];
  struct buffer body = {0};
  bool complete = file != NULL;
  for (size_t got; complete && (got = fread(piece, 1, sizeof(piece), file));)
    complete = buffer_append(&body, piece, got);
  complete = complete && !ferror(file);
  if (!complete)
    report_line("%s, which stands in for a recorded body, cannot be read: %s", name, strerror(errno));
  if (file)
    fclose(file);
  edit->body = body.data;
  *len = body.len;
  return complete;
}

/* The same blocks with another Content-Length in the last one, where it has any. */
static bool put_length(struct buffer *to, struct idem_span headers, size_t len)
{
  char number[24];
  struct idem_span value = header_find(header_last_block(headers), "content-length");
  if (!value.data)
    return buffer_append(to, headers.data, headers.len);
  const char *behind = value.data + value.len;
  int digits = snprintf(number, sizeof(number), "%zu", len);
  return buffer_append(to, headers.data, (size_t)(value.data - headers.data)) &&
         buffer_append(to, number, (size_t)digits) &&
         buffer_append(to, behind, (size_t)(headers.data + headers.len - behind));
}

/* The first fact of a number is the one that counts. */
static bool put_sizes(struct buffer *to, const struct idem_answer *answer, size_t headers_len, size_t len)
{
  const struct idem_span *facts = &answer->facts;
  int64_t length = info_record_number(facts->data, facts->len, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, -1);
  int64_t header = info_record_number(facts->data, facts->len, CURLINFO_HEADER_SIZE, 0);
  header += (int64_t)headers_len - (int64_t)answer->headers.len;
  return info_record_add_number(to, CURLINFO_SIZE_DOWNLOAD_T, (int64_t)len) &&
         info_record_add_number(to, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, length < 0 ? -1 : (int64_t)len) &&
         info_record_add_number(to, CURLINFO_HEADER_SIZE, header) &&
         buffer_append(to, facts->data, facts->len);
}

bool edit_apply(struct edit *edit, uint64_t number, struct idem_answer *answer)
{
  char name[4096];
  size_t len = 0;
  if (!find_file(number, name, sizeof(name)) || !read_file(edit, name, &len))
    return false;
  if (!put_length(&edit->headers, answer->headers, len) ||
      !put_sizes(&edit->facts, answer, edit->headers.len, len))
    return false;
  answer->body = (struct idem_span){len ? edit->body : "", len};
  answer->headers = (struct idem_span){edit->headers.data, edit->headers.len};
  answer->facts = (struct idem_span){edit->facts.data, edit->facts.len};
  return true;
}

void edit_release(struct edit *edit)
{
  free(edit->body);
  buffer_release(&edit->headers);
  buffer_release(&edit->facts);
}
