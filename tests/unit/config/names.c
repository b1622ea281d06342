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

static void headers_are(const char *const *names, enum idem_name what)
{
  for (; *names; names++)
    cr_expect_eq(idem_name_of_header(*names, strlen(*names)), what, "%s", *names);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Whatever else may be in a table: these are what everybody sends. */
Test(config_names, a_header_is_a_row_or_a_family_or_has_a_word)
{
  headers_are(NAMES("Content-Type", "accept", "X-Keyboard", "X-Tokenizer", "X-Page", "", "x"),
              IDEM_NAME_PLAIN);
  headers_are(NAMES("User-Agent", "X-Request-Id", "x-b3-traceid", "X-Stainless-Retry-Count", "sdk-attempt",
                    "TraceParent", "X-Trace-Id"),
              IDEM_NAME_TRANSIENT);
  headers_are(
      NAMES("Authorization", "AUTHORIZATION", "api-key", "Cookie", "X-API-Key", "X-APIKey", "Set-Cookie"),
      IDEM_NAME_KNOWN);
  headers_are(NAMES("X-Acme-Token", "X-ApiKey-2", "apiKey", "X-My-APIKey", "myAPIKey", "X_Secret",
                    "signature", "x-amzn-oidc-data", "X-Datadog-Api-Key", "X-Forwarded-Preferred-Username"),
              IDEM_NAME_CREDENTIAL);
  headers_are(NAMES("Sec-WebSocket-Key", "X-CSRF-Token", "Proxy-Authorization", "sec-"), IDEM_NAME_SECRET);
  headers_are(NAMES("X-Amz-Date", "x-amz-security-token"), IDEM_NAME_SIGNED);
}

static void parameter_is(const char *name, enum idem_name what)
{
  cr_expect_eq(idem_name_of_parameter(name, strlen(name)), what, "%s", name);
}

Test(config_names, a_parameter_is_read_without_its_escapes)
{
  parameter_is("key", IDEM_NAME_KNOWN);
  parameter_is("access_token", IDEM_NAME_KNOWN);
  parameter_is("X-Amz-Signature", IDEM_NAME_KNOWN);
  parameter_is("code", IDEM_NAME_CREDENTIAL);
  parameter_is("CODE", IDEM_NAME_CREDENTIAL);
  parameter_is("acme_token", IDEM_NAME_CREDENTIAL);
  parameter_is("%6Bey", IDEM_NAME_KNOWN);
  parameter_is("k%65%79", IDEM_NAME_KNOWN);
  parameter_is("acme%5Ftoken", IDEM_NAME_CREDENTIAL);
  parameter_is("acme%5ftoken", IDEM_NAME_CREDENTIAL);
  parameter_is("%63ode", IDEM_NAME_CREDENTIAL);
  parameter_is("%70wd", IDEM_NAME_KNOWN);
  parameter_is("acme%0Atoken", IDEM_NAME_CREDENTIAL);
  parameter_is("cod%65", IDEM_NAME_CREDENTIAL);
  parameter_is("", IDEM_NAME_PLAIN);
  parameter_is("q", IDEM_NAME_PLAIN);
  parameter_is("codes", IDEM_NAME_PLAIN);
  parameter_is("monkey", IDEM_NAME_PLAIN);
  parameter_is("page%5Ftoken", IDEM_NAME_PLAIN);
}

/* They are two characters of a name, and nothing behind its end is read. */
Test(config_names, what_is_no_escape_stands_for_itself)
{
  parameter_is("key%", IDEM_NAME_CREDENTIAL);
  parameter_is("key%5", IDEM_NAME_CREDENTIAL);
  parameter_is("key%zz", IDEM_NAME_CREDENTIAL);
  parameter_is("ke%7", IDEM_NAME_PLAIN);
  parameter_is("ke%7g", IDEM_NAME_PLAIN);
  parameter_is("ke%g9", IDEM_NAME_PLAIN);
  parameter_is("x%g9key", IDEM_NAME_PLAIN);
  parameter_is("x%9gkey", IDEM_NAME_PLAIN);
  parameter_is("k652", IDEM_NAME_PLAIN);
  cr_expect_eq(idem_name_of_parameter("ke%79", 4), IDEM_NAME_PLAIN);
  cr_expect_eq(idem_name_of_parameter("keys", 3), IDEM_NAME_KNOWN);
}

/* Of what a load balancer gives no tenant is made: it is another one for the next try. */
Test(config_names, a_cookie_is_a_credential_unless_machines_give_it)
{
  static const char *const transient[] = {
      "__cf_bm",     "__CF_BM",  "AWSALB",       "awsalbapp-0", "_ga",
      "_ga_ABC123",  "_gid",     "BIGipServerx", "ak_bmsc",     "_abck",
      "incap_ses_1", "SERVERID", "cf_chl_rc_i",  "__cfseq-1",   "ApplicationGatewayAffinityCORS"};
  static const char *const known[] = {"session", "",     "_g",        "ga", "awsalb2",
                                      "_gax",    "x_ga", "serverids", "a",  "_"};
  for (size_t i = 0; i < sizeof(transient) / sizeof(*transient); i++)
    cr_expect_eq(idem_name_of_cookie(transient[i], strlen(transient[i])), IDEM_NAME_TRANSIENT, "%s",
                 transient[i]);
  for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
    cr_expect_eq(idem_name_of_cookie(known[i], strlen(known[i])), IDEM_NAME_KNOWN, "%s", known[i]);
}
