/* SPDX-License-Identifier: MIT */
/* Two ways to the same JSON: jansson's documents for what fits into memory, and a writer for what
 * does not. Both must take any bytes, since prompts and answers may hold anything. */
#include "cli/output/json.h"

#include "cli/output/output.h"
#include "cli/output/utf8.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* Documents. */

/* Puts U+FFFD for each byte that begins no character, as browsers decode. */
static void put_repaired(FILE *out, struct idem_span text)
{
  for (size_t i = 0; i < text.len;) {
    size_t n = cli_utf8_len(text.data + i, text.len - i);
    if (n)
      fwrite(text.data + i, 1, n, out);
    else
      fputs("\xef\xbf\xbd", out);
    i += n ? n : 1;
  }
}

/* Encodes in pieces, for a body may be larger than an int can say. */
static void put_base64(FILE *out, struct idem_span bytes)
{
  enum { PIECE = 3 << 10 };
  unsigned char text[PIECE / 3 * 4 + 1];
  for (size_t i = 0; i < bytes.len; i += PIECE) {
    size_t n = bytes.len - i < PIECE ? bytes.len - i : PIECE;
    /* A multiple of three at a time, so that only the last piece can end in =. */
    int written = EVP_EncodeBlock(text, (const unsigned char *)bytes.data + i, (int)n);
    fwrite(text, 1, (size_t)written, out);
  }
}

/* What `put` makes of the bytes, as a string. */
static json_t *put_string(void (*put)(FILE *out, struct idem_span bytes), struct idem_span bytes)
{
  char *buffer = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&buffer, &size);
  if (!out)
    return NULL;
  put(out, bytes);
  json_t *string = fclose(out) == 0 ? json_stringn(buffer, size) : NULL;
  free(buffer);
  return string;
}

/* The bytes as they are; NULL if they are not UTF-8. An empty span may have no bytes to point to, which
 * jansson takes for a missing string. */
static json_t *exact(struct idem_span text)
{
  return text.len ? json_stringn(text.data, text.len) : json_string("");
}

/* jansson refuses what is not UTF-8, and only then are the bytes gone over. */
json_t *cli_json_text(struct idem_span text)
{
  json_t *string = exact(text);
  return string ? string : put_string(put_repaired, text);
}

/* A text that may be missing is null where it is. */
json_t *cli_json_string(const char *text)
{
  return text ? cli_json_text((struct idem_span){text, strlen(text)}) : json_null();
}

/* The text was allocated to be put here, so it is freed. */
json_t *cli_json_take(char *text)
{
  json_t *string = text ? cli_json_string(text) : NULL;
  free(text);
  return string;
}

/* A program that reads the document finds either member, and never text that is not what was
 * stored. */
void cli_json_set_bytes(json_t *object, const char *name, struct idem_span bytes)
{
  char encoded_name[64];
  json_t *string = exact(bytes);
  snprintf(encoded_name, sizeof(encoded_name), string ? "%s" : "%s_base64", name);
  json_object_set_new(object, encoded_name, string ? string : put_string(put_base64, bytes));
}

/* On a terminal even UTF-8 is escaped, for marks that turn the direction of text are characters
 * like any other. */
size_t cli_json_flags(void)
{
  /* 15 digits are what a double has of its own: 2.433 is not 2.4329999999999998 then. */
  return JSON_ENCODE_ANY | JSON_REAL_PRECISION(15) | (cli_on_terminal() ? JSON_ENSURE_ASCII : 0);
}

/* Written at once and not dumped to a string first, since a body may be large. */
static int print_json(json_t *document, size_t form)
{
  if (!document)
    return cli_fail(CLI_STORE, "out of memory");
  json_dumpf(document, stdout, form | cli_json_flags());
  putchar('\n');
  json_decref(document);
  return CLI_OK;
}

int cli_print_json(json_t *document)
{
  return print_json(document, JSON_INDENT(2));
}

int cli_print_json_line(json_t *document)
{
  return print_json(document, JSON_COMPACT);
}

/* Writing as it is made. */

/* What must not stand as it is: < > & because the text may stand in a page, U+2028 and U+2029 because they
 * end a line of JavaScript. */
static bool is_special(uint32_t code)
{
  return code < 0x20 || code == '"' || code == '\\' || code == '<' || code == '>' || code == '&' ||
         code == 0x7f || code == 0x2028 || code == 0x2029;
}

/* Runs of plain bytes are written in one go; what begins no character becomes U+FFFD. */
void cli_write_json_string(FILE *out, struct idem_span text)
{
  static const char letters[] = "btn.fr"; /* 8 to 13 */
  size_t plain = 0;
  putc('"', out);
  for (size_t i = 0, len; i < text.len; i += len) {
    uint32_t code;
    len = cli_utf8_decode(text.data + i, text.len - i, &code);
    if (len && !is_special(code))
      continue;
    code = len ? code : 0xfffd;
    fwrite(text.data + plain, 1, i - plain, out);
    if (code == '"' || code == '\\')
      fprintf(out, "\\%c", (int)code);
    else if (code >= 8 && code <= 13 && code != 11)
      fprintf(out, "\\%c", letters[code - 8]);
    else
      fprintf(out, "\\u%04x", code);
    len = len ? len : 1;
    plain = i + len;
  }
  if (text.len > plain)
    fwrite(text.data + plain, 1, text.len - plain, out);
  putc('"', out);
}

/* The quotes make it a value. */
void cli_write_json_base64(FILE *out, struct idem_span bytes)
{
  putc('"', out);
  put_base64(out, bytes);
  putc('"', out);
}

/* A NUL, or any control character that no text has, makes it bytes. */
bool cli_is_text(struct idem_span bytes)
{
  for (size_t i = 0; i < bytes.len;) {
    unsigned char c = (unsigned char)bytes.data[i];
    size_t len = c < 0x80 ? 1 : cli_utf8_len(bytes.data + i, bytes.len - i);
    if (!len || (c < 0x20 && !strchr("\t\n\r\f\b", c)) || c == 0)
      return false;
    i += len;
  }
  return true;
}
