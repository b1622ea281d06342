/* SPDX-License-Identifier: MIT */
/*
 * What a replay meets: the rules that the tape carries, and its servers. The text of the rules is handed on
 * as it is, for who asks has the parser, and takes no more of a stranger's rules than which calls are met and
 * how they are compared; the servers are written here, out of names in which nothing can stand that a rule
 * would read otherwise.
 */
#include "store/base/fd.h"
#include "store/base/process.h"
#include "tape/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The text of one record of rules; it has no other body. -EILSEQ, -errno. */
static int read_text(const struct tape *tape, const struct tape_rules_place *place, struct buffer *room,
                     struct idem_span *text)
{
  const struct tape_file *file = &tape->files[place->segment];
  struct tape_record record = {0};
  char path[PATH_MAX];
  size_t len = place->frame.content_len, chunks_at = (len + sizeof(struct tape_chunk)) & ~(size_t)15;
  if (len > TAPE_RULES_MOST + 4096 || !tape_segment_path(path, tape->dir, file->number))
    return -EILSEQ;
  /* It should have no chunks; room for as many as could be in it comes behind. */
  room->len = 0;
  char *bytes = buffer_extend(room, 2 * chunks_at + 64);
  if (!bytes)
    return -ENOMEM;
  int fd = fd_open(path, O_RDONLY, 0);
  int rc = fd < 0 ? fd : tape_part_read(fd, file, place->offset, &place->frame, true, bytes, &len);
  if (fd >= 0)
    close(fd);
  if (rc == 0)
    rc = tape_content_parse((struct idem_span){bytes, len}, &record, (void *)(bytes + chunks_at));
  *text = record.outcome.body;
  return rc;
}

/* Adds the lines that are not there yet, without comments. */
static void add_lines(struct buffer *out, struct idem_span text)
{
  for (const char *at = text.data, *end = at + text.len, *stop; at < end; at = stop + 1) {
    stop = memchr(at, '\n', (size_t)(end - at));
    stop = stop ? stop : end;
    size_t len = (size_t)(stop - at), from = out->len;
    if (!len || *at == '#' || memchr(at, '\0', len))
      continue;
    buffer_add(out, "\n", from == 0);
    from = out->len;
    buffer_add(out, at, len);
    buffer_add(out, "\n", 1);
    /* With the line ends on both of its sides. */
    if (!out->failed && memmem(out->data, from, out->data + from - 1, len + 2))
      out->len = from;
  }
}

/* "https://api.example:443 ..." as a rule for every call to it. A name with other characters is none
 * that libcurl would call. */
static void add_origin(struct buffer *out, const char *origin)
{
  static const char usual[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]";
  const char *host = strstr(origin, "://");
  size_t len = host ? strcspn(host + 3, " ") : 0;
  if (!len || strspn(host + 3, usual) < len)
    return;
  buffer_add(out, "host=", 5);
  buffer_add(out, host + 3, len);
  buffer_add(out, " method=*\n", 10);
}

int tape_meets(const struct tape *tape, struct tape_met *met, struct idem_error *error)
{
  struct quiet quiet = quiet_begin();
  struct buffer room = {0}, rules = {0}, origins = {0};
  struct idem_span text;
  int rc = 0;
  for (size_t i = 0; i < tape->rules_count; i++)
    if ((rc = read_text(tape, &tape->rules[i], &room, &text)) == 0)
      add_lines(&rules, text);
  for (size_t i = 0; i < tape->origin_count; i++)
    add_origin(&origins, tape->origins[i]);
  buffer_add(&rules, "", 1);
  buffer_add(&origins, "", 1);
  free(room.data);
  *met = (struct tape_met){rules.data, origins.data};
  if (rc == 0 && (rules.failed || origins.failed))
    rc = -ENOMEM;
  if (rc < 0) {
    tape_met_release(met);
    idem_error_set(error, rc, "%s: the rules on the tape cannot be read", tape->dir);
  }
  quiet_end(&quiet);
  return rc;
}

void tape_met_release(struct tape_met *met)
{
  free(met->rules);
  free(met->origins);
  *met = (struct tape_met){0};
}
