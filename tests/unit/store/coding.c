/* SPDX-License-Identifier: MIT */
/* What a Content-Encoding says: one coding, several, or none. */
#include "store/judge/decode.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(store_coding);

/* The list is part of a larger text, as a header's value is. */
static enum coding coding_of(const char *list, struct idem_span *left)
{
  static char text[128];
  size_t len = strlen(list);
  memset(text, 'x', sizeof(text));
  memcpy(text + 16, list, len);
  *left = (struct idem_span){text + 16, len};
  return decode_coding(left);
}

Test(store_coding, one_is_known_or_strange_whatever_stands_beside_it)
{
  static const struct {
    const char *list, *left;
    enum coding coding;
  } lists[] = {
      {"gzip", "gzip", CODING_KNOWN},
      {"x-gzip", "x-gzip", CODING_KNOWN},
      {"GZIP", "GZIP", CODING_KNOWN},
      {"deflate", "deflate", CODING_KNOWN},
      {"br", "br", CODING_KNOWN},
      {"zstd", "zstd", CODING_KNOWN},
      {" \tgzip", "gzip", CODING_KNOWN},
      {"gzip \t", "gzip", CODING_KNOWN},
      {"gzip ", "gzip", CODING_KNOWN},
      {"gzip ,none", "gzip", CODING_KNOWN},
      {"none,gzip", "gzip", CODING_KNOWN},
      {"identity,\t  gzip", "gzip", CODING_KNOWN},
      {"gzip,  identity", "gzip", CODING_KNOWN},
      {"gzip,", "gzip", CODING_KNOWN},
      {",gzip", "gzip", CODING_KNOWN},
      {"gzi", "gzi", CODING_STRANGE},
      {"gzipp", "gzipp", CODING_STRANGE},
      {"g zip", "g zip", CODING_STRANGE},
      {"none, x-own", "x-own", CODING_STRANGE},
  };
  for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
    struct idem_span left;
    cr_expect_eq(coding_of(lists[i].list, &left), lists[i].coding, "\"%s\"", lists[i].list);
    cr_expect(left.len == strlen(lists[i].left) && memcmp(left.data, lists[i].left, left.len) == 0,
              "\"%s\" leaves \"%.*s\"", lists[i].list, (int)left.len, left.data);
  }
}

Test(store_coding, words_that_change_no_byte_are_none)
{
  static const char *const lists[] = {"",      " ",    ",",    " , ",   "identity",         "none",
                                      "utf-8", "UTF8", "text", "none ", "identity, binary", "none,none"};
  struct idem_span left;
  for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
    cr_expect_eq(coding_of(lists[i], &left), CODING_NONE, "\"%s\"", lists[i]);
}

Test(store_coding, two_are_several)
{
  static const char *const lists[] = {"gzip,br", "gzip, gzip", "x-own,gzip", "gzip,none,br", "a , b"};
  struct idem_span left;
  for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
    cr_expect_eq(coding_of(lists[i], &left), CODING_SEVERAL, "\"%s\"", lists[i]);
}
