/* SPDX-License-Identifier: MIT */
#include "cli/output/json.h"

#include "cli/output/message.h"
#include "cli/output/output.h"
#include "cli/output/text.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *repaired(struct idem_span text)
{
  char *buffer = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&buffer, &size);
  if (!out)
    return NULL;
  for (size_t i = 0; i < text.len;) {
    size_t n = cli_utf8_at(text.data + i, text.len - i);
    if (n)
      fwrite(text.data + i, 1, n, out);
    else
      fputs("\xef\xbf\xbd", out);
    i += n ? n : 1;
  }
  json_t *string = fclose(out) == 0 ? json_stringn(buffer, size) : NULL;
  free(buffer);
  return string;
}

/* An empty span may have no bytes to point to, which jansson takes for a missing string. */
static json_t *exact(struct idem_span text)
{
  return text.len ? json_stringn(text.data, text.len) : json_string("");
}

json_t *cli_json_text(struct idem_span text)
{
  json_t *string = exact(text);
  return string ? string : repaired(text);
}

static json_t *base64(struct idem_span bytes)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *in = (const unsigned char *)bytes.data;
  char *out = malloc((bytes.len + 2) / 3 * 4 + 1), *at = out;
  if (!out)
    return NULL;
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t left = bytes.len - i;
    unsigned group = (unsigned)in[i] << 16 | (left > 1 ? in[i + 1] : 0u) << 8 | (left > 2 ? in[i + 2] : 0u);
    *at++ = digits[group >> 18];
    *at++ = digits[group >> 12 & 63];
    *at++ = left > 1 ? digits[group >> 6 & 63] : '=';
    *at++ = left > 2 ? digits[group & 63] : '=';
  }
  json_t *string = json_stringn(out, (size_t)(at - out));
  free(out);
  return string;
}

void cli_json_set_bytes(json_t *object, const char *name, struct idem_span bytes)
{
  char encoded_name[64];
  json_t *string = exact(bytes);
  if (string) {
    json_object_set_new(object, name, string);
    return;
  }
  snprintf(encoded_name, sizeof(encoded_name), "%s_base64", name);
  json_object_set_new(object, encoded_name, base64(bytes));
}

size_t cli_json_flags(void)
{
  return JSON_ENCODE_ANY | (cli_on_terminal() ? JSON_ENSURE_ASCII : 0);
}

int cli_print_json(json_t *document)
{
  if (!document)
    return cli_fail(CLI_STORE, "out of memory");
  json_dumpf(document, stdout, JSON_INDENT(2) | cli_json_flags());
  putchar('\n');
  json_decref(document);
  return CLI_OK;
}
