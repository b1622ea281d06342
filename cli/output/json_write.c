/* SPDX-License-Identifier: MIT */
#include "cli/output/json_write.h"

#include "cli/output/utf8.h"

#include <string.h>

/* What must not stand as it is. */
static bool is_special(unsigned char c)
{
  return c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0x7f;
}

static void put_special(FILE *out, unsigned char c)
{
  static const char letters[] = "btn.fr"; /* 8 to 13 */
  if (c == '"' || c == '\\')
    fprintf(out, "\\%c", c);
  else if (c >= 8 && c <= 13 && c != 11)
    fprintf(out, "\\%c", letters[c - 8]);
  else
    fprintf(out, "\\u%04x", c);
}

/* U+2028 and U+2029 end a line of JavaScript. */
static bool ends_line(const char *text, size_t len)
{
  return len == 3 && memcmp(text, "\xe2\x80", 2) == 0 && (text[2] == '\xa8' || text[2] == '\xa9');
}

static size_t put_wide(FILE *out, const char *text, size_t left)
{
  size_t len = cli_utf8_len(text, left);
  if (!len)
    fputs("\\ufffd", out);
  else if (ends_line(text, len))
    fputs(text[2] == '\xa8' ? "\\u2028" : "\\u2029", out);
  else
    fwrite(text, 1, len, out);
  return len ? len : 1;
}

void cli_write_json_string(FILE *out, struct idem_span text)
{
  size_t plain = 0;
  putc('"', out);
  for (size_t i = 0; i < text.len;) {
    unsigned char c = (unsigned char)text.data[i];
    if (c < 0x80 && !is_special(c)) {
      i++;
      continue;
    }
    fwrite(text.data + plain, 1, i - plain, out);
    if (c < 0x80)
      put_special(out, c);
    plain = i += c < 0x80 ? 1 : put_wide(out, text.data + i, text.len - i);
  }
  if (text.len > plain)
    fwrite(text.data + plain, 1, text.len - plain, out);
  putc('"', out);
}

void cli_write_json_base64(FILE *out, struct idem_span bytes)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *in = (const unsigned char *)bytes.data;
  putc('"', out);
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t left = bytes.len - i;
    unsigned group = (unsigned)in[i] << 16 | (left > 1 ? in[i + 1] : 0u) << 8 | (left > 2 ? in[i + 2] : 0u);
    char four[4] = {digits[group >> 18], digits[group >> 12 & 63], left > 1 ? digits[group >> 6 & 63] : '=',
                    left > 2 ? digits[group & 63] : '='};
    fwrite(four, 1, sizeof(four), out);
  }
  putc('"', out);
}

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
