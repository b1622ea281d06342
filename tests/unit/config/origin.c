/* SPDX-License-Identifier: MIT */
/* A server as a URL begins with it. */
#include "config/origin.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(config_origin);

static bool parse(const char *text, struct idem_origin *origin)
{
  memset(origin, 0x5a, sizeof(*origin));
  return idem_origin_parse(text, strlen(text), origin);
}

static void is(const char *text, const char *whole, const char *host, unsigned port, bool https)
{
  struct idem_origin origin;
  cr_assert(parse(text, &origin), "%s", text);
  cr_expect_str_eq(origin.text, whole);
  cr_expect_str_eq(origin.host, host);
  cr_expect_eq(origin.host_len, strlen(host), "%s", text);
  cr_expect_eq(origin.port, port, "%s: %u", text, origin.port);
  cr_expect_eq(origin.https, https, "%s", text);
}

Test(config_origin, has_a_scheme_a_host_in_lower_case_and_a_port)
{
  is("https://Prod.example", "https://prod.example:443", "prod.example", 443, true);
  is("http://prod.example", "http://prod.example:80", "prod.example", 80, false);
  is("HTTPS://prod.example/", "https://prod.example:443", "prod.example", 443, true);
  is("https://prod.example:8443", "https://prod.example:8443", "prod.example", 8443, true);
  is("http://127.0.0.1:65535/", "http://127.0.0.1:65535", "127.0.0.1", 65535, false);
  is("http://a:1", "http://a:1", "a", 1, false);
  is("https://prod.example:", "https://prod.example:443", "prod.example", 443, true);
  is("http://[::1]:8080", "http://[::1]:8080", "::1", 8080, false);
  is("https://[FD00::7]/", "https://[fd00::7]:443", "fd00::7", 443, true);
}

Test(config_origin, what_is_none_is_refused)
{
  static const char *const texts[] = {
      "",
      "https",
      "https://",
      "https:///",
      "http://:80",
      "https://[]",
      "ftp://a",
      "a.example",
      "//a.example",
      "xhttps://a",
      "https://a/b",
      "https://a//",
      "https://user@a",
      "https://user:pw@a",
      "https://a:0",
      "https://a:65536",
      "https://a:4294967377",
      "https://a:99999999999999999999",
      "https://a:x",
      "https://a:80x",
      "https://a:-1",
      "https://a:80:80",
  };
  struct idem_origin origin;
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
    cr_expect(!parse(texts[i], &origin), "%s", texts[i]);
}

/* As long as a name of DNS may be, and no longer than there is room for. */
Test(config_origin, a_host_has_255_bytes_at_most)
{
  char text[600];
  struct idem_origin origin;
  for (int len = 250; len < 500; len++) {
    snprintf(text, sizeof(text), "https://[%0*d]:65535", len, 0);
    cr_expect_eq(parse(text, &origin), len <= 255, "%d", len);
    if (len <= 255)
      cr_expect_str_eq(origin.text, text);
  }
}

/* Behind it there may be more, of a list. */
Test(config_origin, ends_where_it_ends)
{
  struct idem_origin origin;
  cr_assert(idem_origin_parse("https://a.example:8443", 17, &origin));
  cr_expect_str_eq(origin.text, "https://a.example:443");
  cr_assert(idem_origin_parse("https://a:8443", 12, &origin));
  cr_expect_str_eq(origin.text, "https://a:84");
  cr_expect(!idem_origin_parse("https://a", 8, &origin));
  cr_expect(!idem_origin_parse("https://[::1]", 12, &origin), "\"https://[::1\" has a port of \":1\"");
}

Test(config_origin, a_map_is_what_was_recorded_and_what_stands_for_it_now)
{
  static const char *const wrong[] = {
      "",           "=",           "https://a",   "https://a=",
      "=https://b", "https://a=b", "a=https://b", "https://a=https://b=https://c"};
  struct idem_origin_map map;
  const char *text = "https://Prod.example=http://127.0.0.1:8080,https://c";
  cr_assert(idem_origin_map_parse(text, strlen(text) - 10, &map));
  cr_expect_str_eq(map.recorded.text, "https://prod.example:443");
  cr_expect_str_eq(map.now.text, "http://127.0.0.1:8080");
  for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
    cr_expect(!idem_origin_map_parse(wrong[i], strlen(wrong[i]), &map), "%s", wrong[i]);
}
