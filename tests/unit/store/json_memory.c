/* SPDX-License-Identifier: MIT */
/* The memory of a JSON digest: all of it is given back, and where there is none that is said. */
#include "store/json/json_canon.h"
#include "tests/unit/in_use.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(store_json_memory);

static const char text[] = "{\"a\":[[[{\"b\\u0062\":\"c\\n\"},1.5e3,true]]],"
                           "\"a name of more than thirty bytes, too\":[1,2,3],\"d\":\"a string\"}";

/* What the first rounds have freed is kept for the next ones, up to a few pieces of each size. */
static void leaves_nothing(struct idem_span of, const struct json_canon_options *options, int wanted)
{
  uint8_t digest[IDEM_KEY_SIZE];
  size_t before = 0;
  for (int i = 0; i < 100; i++) {
    cr_assert_eq(json_canon(of, options, digest), wanted);
    if (i == 50)
      before = heap_in_use();
  }
  cr_expect_eq(heap_in_use(), before, "%.*s: %zu and %zu", (int)of.len, of.data, before, heap_in_use());
}

Test(store_json_memory, of_a_digest_is_given_back)
{
  leaves_nothing(SPAN(text), &(struct json_canon_options){.ignore = NULL}, 0);
}

/* More places than the state of which lies in place. */
Test(store_json_memory, of_many_places_too)
{
  enum { PLACES = 40 };
  static char *places[PLACES];
  for (int i = 0; i < PLACES; i++)
    places[i] = (char *)(uintptr_t)(i % 2 ? "/a/0/0/1" : "/d");
  struct idem_words words = {places, PLACES};
  leaves_nothing(SPAN(text), &(struct json_canon_options){.ignore = &words}, 0);
}

/* Wherever it ends. */
Test(store_json_memory, of_what_is_no_json_as_well)
{
  for (size_t len = 0; len < sizeof(text) - 1; len++)
    leaves_nothing((struct idem_span){text, len}, &(struct json_canon_options){.ignore = NULL}, -EINVAL);
}

static struct idem_span in_place(void *arg, struct idem_span string)
{
  int *left = arg;
  return (*left)-- > 0 ? string : (struct idem_span){NULL, 0};
}

/* Of whoever replaces a string: nobody knows then what the text comes to. */
Test(store_json_memory, that_is_not_there_for_a_string_is_said)
{
  uint8_t digest[IDEM_KEY_SIZE];
  for (int strings = 0; strings < 3; strings++) {
    int left = strings;
    struct json_canon_options options = {.replace = in_place, .arg = &left};
    cr_expect_eq(json_canon(SPAN(text), &options, digest), strings < 2 ? -ENOMEM : 0, "%d", strings);
  }
  int none = 0;
  leaves_nothing(SPAN(text), &(struct json_canon_options){.replace = in_place, .arg = &none}, -ENOMEM);
}
