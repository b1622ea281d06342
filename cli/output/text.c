/* SPDX-License-Identifier: MIT */
/*
 * A text is taken apart into pieces: a printable character, an escape for one that is not, or a run of white
 * space. Both functions print pieces; they differ in what a newline is to them. The C library knows what is
 * printable and how wide it is (wcwidth), so that a table's columns stand below each other with Chinese in
 * it, too.
 */
#include "cli/output/text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>

/* C.UTF-8 rather than nothing: a cron job has no locale, and prompts are UTF-8 all the same. */
void cli_text_init(void)
{
  if (setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
    return;
  setlocale(LC_CTYPE, "C.UTF-8");
}

/* Marks that reorder what stands around them, so that a line could show something that it does not say. */
static bool turns_direction(wchar_t c)
{
  return c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

/* What is printed for the character at `text`: either its own bytes or an escape. */
struct piece {
  char escape[12]; /* "" if the bytes are printed as they are */
  size_t bytes, columns;
};

/* Escapes are those of C: \n, \t, \x1b. Bytes that are no character are escaped one by one, so nothing behind
 * them is lost. */
static struct piece piece_at(const char *text, size_t len)
{
  static const char letters[] = "abtnvfr"; /* 7 to 13 */
  struct piece piece = {.bytes = 1};
  unsigned char byte = (unsigned char)*text;
  wchar_t c;
  /* With a state of its own: what is wrong in one character is nothing to the next. */
  size_t n = mbrtowc(&c, text, len, &(mbstate_t){0});
  bool decoded = n != (size_t)-1 && n != (size_t)-2;
  int columns = !decoded || c == 0 || turns_direction(c) ? -1 : wcwidth(c);
  if (decoded && n)
    piece.bytes = n;
  if (columns >= 0)
    piece.columns = (size_t)columns;
  else if (piece.bytes > 1)
    snprintf(piece.escape, sizeof(piece.escape), "\\u%04x", (unsigned)c);
  else if (byte >= 7 && byte <= 13)
    snprintf(piece.escape, sizeof(piece.escape), "\\%c", letters[byte - 7]);
  else
    snprintf(piece.escape, sizeof(piece.escape), "\\x%02x", byte);
  if (piece.escape[0])
    piece.columns = strlen(piece.escape);
  return piece;
}

/* Prints either the character's own bytes or its escape. */
static void put_piece(FILE *out, const struct piece *piece, const char *text)
{
  if (piece->escape[0])
    fputs(piece->escape, out);
  else
    fwrite(text, 1, piece->bytes, out);
}

/* The white space of C's locale, whatever the locale is. */
static bool is_blank(char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* White space of any length and kind is one blank: a prompt of many lines stays one line of a
 * list. */
static struct piece next_on_line(const char *text, size_t len)
{
  if (!is_blank(*text))
    return piece_at(text, len);
  struct piece blank = {.escape = " ", .columns = 1};
  while (blank.bytes < len && is_blank(text[blank.bytes]))
    blank.bytes++;
  return blank;
}

/* Where a line of at most `columns` has to end: the whole length if all of it fits, else one
 * column before the edge. Whether a mark of the cut is needed is known only at the end, so the
 * place one column before the edge is remembered on the way. */
static size_t cut(const char *text, size_t len, size_t columns)
{
  size_t used = 0, room = 0;
  for (size_t i = 0; i < len;) {
    struct piece piece = next_on_line(text + i, len - i);
    used += piece.columns;
    if (used > columns)
      return room;
    i += piece.bytes;
    if (used < columns)
      room = i;
  }
  return len;
}

/* What does not fit ends in one character, so a column is never wider than it should be. */
size_t cli_put_line(FILE *out, const char *text, size_t len, size_t columns)
{
  size_t end = cut(text, len, columns), used = 0;
  for (size_t i = 0; i < end;) {
    struct piece piece = next_on_line(text + i, end - i);
    put_piece(out, &piece, text + i);
    used += piece.columns;
    i += piece.bytes;
  }
  if (end == len || columns == 0)
    return used;
  fputs("…", out);
  return used + 1;
}

/* A body keeps its lines. */
void cli_put_block(FILE *out, const char *text, size_t len)
{
  for (size_t i = 0; i < len;) {
    if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
      i++;
    struct piece piece = piece_at(text + i, len - i);
    if (text[i] == '\n' || text[i] == '\t')
      piece.escape[0] = '\0';
    put_piece(out, &piece, text + i);
    i += piece.bytes;
  }
}
