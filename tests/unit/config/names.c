/* SPDX-License-Identifier: MIT */
/* What a header and a parameter of a query are by their names. */
#include "config/names.h"

#include <criterion/criterion.h>
#include <string.h>

/* One that says a place to a query says who asks in a header. */
Test(config_names, a_place_is_said_by_a_parameter_and_not_by_a_header)
{
  static const struct {
    const char *name;
    enum idem_name header, parameter;
  } rows[] = {
      {"X-Back-End-Token", IDEM_NAME_CREDENTIAL, IDEM_NAME_PLAIN},
      {"X-Front-End-Key", IDEM_NAME_CREDENTIAL, IDEM_NAME_PLAIN},
      {"X-Sync-Key", IDEM_NAME_CREDENTIAL, IDEM_NAME_PLAIN},
      {"X-Cursor-Token", IDEM_NAME_CREDENTIAL, IDEM_NAME_PLAIN},
      {"page_token", IDEM_NAME_CREDENTIAL, IDEM_NAME_PLAIN},
      {"X-Acme-Token", IDEM_NAME_CREDENTIAL, IDEM_NAME_CREDENTIAL},
      {"X-Page-Size", IDEM_NAME_PLAIN, IDEM_NAME_PLAIN},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    size_t len = strlen(rows[i].name);
    cr_expect_eq(idem_name_of_header(rows[i].name, len), rows[i].header, "%s", rows[i].name);
    cr_expect_eq(idem_name_of_parameter(rows[i].name, len), rows[i].parameter, "%s", rows[i].name);
  }
}
