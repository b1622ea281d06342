/* SPDX-License-Identifier: MIT */
/*
 * Others' bytes as HTML. A page that is opened in a browser is a place in which a recorded answer would like
 * to be markup or script, so everything goes through here: five entities, escapes for control characters and
 * for marks that cannot be seen or that turn the direction, U+FFFD for nothing, since \xNN says more.
 */
#include "cli/output/utf8.h"
#include "cli/report/report.h"
#include "config/ascii.h"
#include "config/words.h"

#include <string.h>

/* Characters. */

/* NULL for what may stand as it is. Quotes may, but for in an attribute: JSON is full of them. */
static const char *entity(unsigned char c)
{
  static const char signs[] = "&<>";
  static const char *const entities[] = {"&amp;", "&lt;", "&gt;"};
  const char *at = c ? strchr(signs, c) : NULL;
  return at ? entities[at - signs] : NULL;
}

/* The fast path: these are written in runs. */
static bool is_plain(unsigned char c)
{
  return (c >= 0x20 && c < 0x7f && !entity(c)) || c == '\n' || c == '\t';
}

/* What would not be seen, or would move what is round it. C1 controls; marks of direction, joiners and
 * separators; the byte order mark; annotations; tags (Unicode, general categories Cc and Cf, and Zl, Zp). */
static bool is_invisible(uint32_t code)
{
  return (code >= 0x80 && code < 0xa0) || code == 0x61c || (code >= 0x200b && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) || code == 0xfeff ||
         (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe007f);
}

/* Writes what must not stand as it is; returns how many bytes it took. */
static size_t put_special(FILE *out, const char *text, size_t left)
{
  unsigned char c = (unsigned char)*text;
  uint32_t code = 0;
  size_t len = cli_utf8_decode(text, left, &code);
  if (!len)
    fprintf(out, "<i>\\x%02x</i>", c);
  else if (len == 1 && entity(c))
    fputs(entity(c), out);
  /* A CR is left out: lines of headers end with one. */
  else if (len == 1 && c != '\r')
    fprintf(out, "<i>\\x%02x</i>", c);
  else if (len > 1 && is_invisible(code))
    fprintf(out, "<i>\\u%04x</i>", code);
  else if (len > 1)
    fwrite(text, 1, len, out);
  return len ? len : 1;
}

/* Plain bytes are written in runs, the others one by one. */
void report_text(FILE *out, struct idem_span text)
{
  for (size_t i = 0, plain = 0; i < text.len; plain = i) {
    while (i < text.len && is_plain((unsigned char)text.data[i]))
      i++;
    if (i > plain)
      fwrite(text.data + plain, 1, i - plain, out);
    if (i < text.len)
      i += put_special(out, text.data + i, text.len - i);
  }
}

/* Byte by byte, so a character beyond ASCII is no longer one, and becomes its bytes' escapes. */
void report_attribute(FILE *out, struct idem_span text)
{
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] == '\'')
      fputs("&#39;", out);
    else
      report_text(out, (struct idem_span){text.data + i, 1});
}

/* JSON, laid out without being parsed: what is shown may be the beginning of a longer one. */

/* Deeper nesting is shown at this indentation. */
enum { DEPTH_MOST = 40 };

/* The state of laying out: nesting is counted, not remembered, so hostile depth costs nothing. */
struct layout {
  FILE *out;
  unsigned depth;
};

/* Indents no deeper than a screen is wide. */
static void new_line(const struct layout *layout)
{
  unsigned depth = layout->depth < DEPTH_MOST ? layout->depth : DEPTH_MOST;
  fprintf(layout->out, "\n%*s", (int)(2 * depth), "");
}

/* The string has its quotes, and goes up to the end where the closing one was cut off. */
static size_t string_len(const char *text, size_t left)
{
  size_t len = 1;
  /* A backslash takes what follows with it, a quote too. */
  while (len < left && text[len] != '"')
    len += text[len] == '\\' ? 2 : 1;
  return len < left ? len + 1 : left;
}

/* True for {} and [], which stay on their line. */
static bool is_empty(struct idem_span rest)
{
  size_t i = 1;
  while (i < rest.len && idem_is_json_blank(rest.data[i]))
    i++;
  return i < rest.len && (rest.data[i] == '}' || rest.data[i] == ']');
}

/* One of {}[],: and the line breaks that belong to it. */
static void put_sign(struct layout *layout, struct idem_span rest, bool *empty)
{
  char c = *rest.data;
  bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
  if (closes && !*empty) {
    layout->depth -= layout->depth > 0;
    new_line(layout);
  }
  report_text(layout->out, (struct idem_span){rest.data, 1});
  *empty = opens && is_empty(rest);
  if (opens && !*empty) {
    layout->depth++;
    new_line(layout);
  }
  if (c == ',')
    new_line(layout);
  if (c == ':')
    putc(' ', layout->out);
}

/* Never parses: whatever is not a string, a sign or a blank is copied. */
static void put_json(FILE *out, struct idem_span text)
{
  struct layout layout = {.out = out};
  bool empty = false;
  for (size_t i = 0; i < text.len;) {
    struct idem_span rest = {text.data + i, text.len - i};
    size_t len = *rest.data == '"' ? string_len(rest.data, rest.len) : 1;
    /* More than one byte only of a string, which has its quotes. */
    if (len > 1)
      report_text(out, (struct idem_span){rest.data, len});
    else if (memchr("{}[],:", *rest.data, 6))
      put_sign(&layout, rest, &empty);
    else if (!idem_is_json_blank(*rest.data)) {
      while (len < rest.len && !memchr("{}[],:\" \n\r\t", rest.data[len], 11))
        len++;
      report_text(out, (struct idem_span){rest.data, len});
    }
    i += len;
  }
}

/* Bodies. */

/* Enough to recognise a format by its first bytes. */
enum { HEX_MOST = 256 };

/* By its beginning: a NUL, or more control characters than a text has. */
static bool looks_binary(struct idem_span body)
{
  size_t odd = 0, looked = body.len < 512 ? body.len : 512;
  for (size_t i = 0; i < looked; i++)
    odd += (unsigned char)body.data[i] < 0x20 && !idem_is_json_blank(body.data[i]);
  return memchr(body.data, 0, looked) || odd * 10 > looked;
}

/* A character of UTF-8 has at most three bytes behind its first. */
size_t report_whole(struct idem_span text, size_t most)
{
  size_t len = text.len < most ? text.len : most;
  for (int i = 0; len < text.len && i < 3 && len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80; i++)
    len--;
  return len;
}

/* Binary bodies are shown as a few lines of hex; nobody reads more of them. */
void report_body(FILE *out, struct idem_span body, size_t most, bool encoded)
{
  bool binary = encoded || looks_binary(body);
  size_t shown = report_whole(body, binary && most > HEX_MOST ? HEX_MOST : most);
  struct idem_span part = {body.data, shown};
  fputs("<pre>", out);
  if (binary) {
    for (size_t i = 0; i < shown; i++) /* sixteen bytes a line, in two groups */
      fprintf(out, "%02x%s", (unsigned char)body.data[i], i % 16 == 15 ? "\n" : i % 8 == 7 ? "  " : " ");
  } else if (*body.data == '{' || *body.data == '[') {
    put_json(out, part);
  } else {
    report_text(out, part);
  }
  fputs("</pre>", out);
  if (shown < body.len)
    fprintf(out, "<p class=note>the first %zu of %zu %s%s</p>", shown, body.len,
            idem_word(body.len, "byte", "bytes"), binary ? ", as they are" : "");
}
