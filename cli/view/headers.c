/* SPDX-License-Identifier: MIT */
/* Header lines for people, for pipes, and for JSON. What hands a secret to the app (cookies) is
 * cut behind the colon unless --raw asks for it; credentials of requests never reached the store. */
#include "cli/view/headers.h"

#include "cli/output/json.h"
#include "cli/output/text.h"
#include "config/names.h"

#include <stdlib.h>
#include <string.h>

/* How much of a line may be shown: all of it, or up to the colon. */
static size_t shown(const char *line, size_t len, bool raw)
{
  const char *colon = memchr(line, ':', len);
  size_t name = colon ? (size_t)(colon - line) : 0;
  bool secret = !raw && IDEM_NAME_IS_SECRET(idem_name_of_header(line, name));
  return secret ? name + 1 : len;
}

/* Line by line, whatever ends the lines: LF alone is seen in the wild. */
void cli_put_headers(FILE *out, struct idem_span headers, const char *indent, struct cli_header_style style)
{
  for (const char *line = headers.data, *end = line + headers.len; line < end;) {
    const char *newline = memchr(line, '\n', (size_t)(end - line)), *next = newline ? newline + 1 : end;
    size_t len = (size_t)(next - line), text = len;
    while (text && (line[text - 1] == '\n' || line[text - 1] == '\r'))
      text--;
    size_t part = shown(line, text, style.raw);
    const char *mark = part < text ? " [redacted]" : ""; /* the name stays when the value goes */
    if (style.exact) {
      fwrite(line, 1, part, out);
      fputs(mark, out);
      fwrite(line + text, 1, len - text, out);
    } else {
      fputs(text ? indent : "", out);
      cli_put_line(out, line, part, CLI_UNCUT);
      fprintf(out, "%s\n", mark);
    }
    line = next;
  }
}

/* Exact, for programs, but for what is redacted. */
json_t *cli_headers_json(struct idem_span headers, bool raw)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return NULL;
  cli_put_headers(out, headers, "", (struct cli_header_style){.raw = raw, .exact = true});
  json_t *string = fclose(out) == 0 ? cli_json_text((struct idem_span){text, size}) : NULL;
  free(text);
  return string;
}
