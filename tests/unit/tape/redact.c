/* SPDX-License-Identifier: MIT */
/* What never reaches a tape, and that an encrypted one shows nothing at all. */
#include "tests/unit/tape/fixture.h"

#include "tape/redact.h"
#include "tape/segment.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(tape_redact, .init = open_fixture, .fini = close_fixture);

static struct tape_record record;

/* The exchange as it is on the tape, the only one. */
static const struct tape_record *kept(struct exchange *exchange)
{
  exchange_record(exchange);
  cr_assert_eq(tape_read(fixture_tape(&fixture), 1, &record, &fixture.error), 0, "%s", fixture.error.text);
  return &record;
}

static void is(struct idem_span span, const char *text)
{
  cr_expect(span.len == strlen(text) && memcmp(span.data, text, span.len) == 0, "\"%.*s\" is not \"%s\"",
            (int)span.len, span.data, text);
}

static bool on_tape(const char *text)
{
  size_t len;
  char *bytes = fixture_read(fixture_segment(&fixture, 1), &len);
  bool found = memmem(bytes, len, text, strlen(text)) != NULL;
  free(bytes);
  return found;
}

Test(tape_redact, credentials_in_headers)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_header(&exchange, "x-api-key: test-credential-beta");
  exchange_header(&exchange, "API-KEY:test-credential-gamma");
  exchange_header(&exchange, "Cookie: session=test-credential-delta; theme=dark");
  exchange_header(&exchange, "X-Auth-Token: test-credential-epsilon");
  exchange_header(&exchange, "Proxy-Authorization: Basic dGVzdC1jcmVkZW50aWFs");
  exchange_header(&exchange, "X-Plain: kept");
  is(kept(&exchange)->request_headers, "Content-Type: application/json\r\n"
                                       "Authorization: Bearer [redacted]\r\n"
                                       "x-api-key: [redacted]\r\n"
                                       "API-KEY: [redacted]\r\n"
                                       "Cookie: [redacted]\r\n"
                                       "X-Auth-Token: [redacted]\r\n"
                                       "Proxy-Authorization: Basic [redacted]\r\n"
                                       "X-Plain: kept\r\n");
  cr_expect_not(on_tape("test-credential"));
  cr_expect_not(on_tape("dGVzdC1jcmVkZW50aWFs"));
}

Test(tape_redact, credentials_in_the_query)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.request.query = SPAN("alt=sse&key=test-credential-alpha&access_token=t&monkey=1&flag&=");
  is(kept(&exchange)->query, "alt=sse&key=[redacted]&access_token=[redacted]&monkey=1&flag&=");
}

Test(tape_redact, cookies_of_the_answer_with_their_length)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.outcome.headers = SPAN("HTTP/1.1 200 OK\r\nset-cookie: session=0123456789abcdef; Path=/\r\n"
                                  "Set-Cookie: a=b; Secure\r\nX-Cookie: kept\r\n\r\n");
  is(kept(&exchange)->outcome.headers, "HTTP/1.1 200 OK\r\nset-cookie: session=[redacted]******; Path=/\r\n"
                                       "Set-Cookie: a=*; Secure\r\nX-Cookie: kept\r\n\r\n");
}

Test(tape_redact, headers_of_the_answer_that_hand_out_a_credential)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.outcome.headers = SPAN("HTTP/1.1 200 OK\r\nX-Auth-Token: 0123456789abcdef\r\nX-Keyboard: us\r\n"
                                  "authentication-info: 0123456789\r\nx-limit-tokens: 9\r\n\r\n");
  is(kept(&exchange)->outcome.headers,
     "HTTP/1.1 200 OK\r\nX-Auth-Token:[redacted]*******\r\nX-Keyboard: us\r\n"
     "authentication-info:[redacted]*\r\nx-limit-tokens: 9\r\n\r\n");
}

Test(tape_redact, a_credential_is_found_wherever_it_is_repeated)
{
  struct idem_span credential = SPAN("someuser:test-credential-beta");
  struct exchange exchange = exchange_of(&fixture, "{\"echo\":\"test-credential-alpha\"}");
  exchange.request.query = SPAN("key=test-credential-gamma");
  exchange.request.credentials = &credential;
  exchange.request.credential_count = 1;
  exchange.outcome.headers = SPAN("HTTP/1.1 302 Found\r\nLocation: /?key=test-credential-gamma\r\n\r\n");
  exchange.outcome.body = SPAN("you are test-credential-alpha or test-credential-beta");
  exchange.outcome.chunk_count = 0;
  exchange.outcome.error_text = SPAN("no such key: test-credential-gamma");
  const struct tape_record *r = kept(&exchange);
  is(r->outcome.body, "you are ********************* or ********************");
  is(r->outcome.error_text, "no such key: *********************");
  is(r->request_body, "{\"echo\":\"*********************\"}");
  cr_expect_not(on_tape("test-credential"));
}

Test(tape_redact, what_was_set_as_an_option_is_found_as_it_goes_out)
{
  struct idem_span credentials[] = {SPAN("someuser:test-credential-beta"),
                                    SPAN("a=no\nsession=test-credential-alpha\nb=no\n")};
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.request.credentials = credentials;
  exchange.request.credential_count = 2;
  exchange.outcome.body =
      SPAN("Basic c29tZXVzZXI6dGVzdC1jcmVkZW50aWFsLWJldGE=, a=no; session=test-credential-alpha");
  exchange.outcome.chunk_count = 0;
  is(kept(&exchange)->outcome.body,
     "Basic ****************************************, a=no; session=*********************");
}

/* Of as many and as long ones as an app may set: there is room for some. */
Test(tape_redact, what_basic_makes_of_options_stays_in_its_room)
{
  enum { OPTIONS = 40, LONGEST = 600 };
  static char texts[OPTIONS][LONGEST + 1];
  struct idem_span credentials[OPTIONS];
  struct {
    struct tape_secrets secrets;
    char behind[64];
  } room;
  for (size_t len = 8; len <= LONGEST; len++) {
    struct idem_request request = {.credentials = credentials, .credential_count = OPTIONS};
    for (int i = 0; i < OPTIONS; i++) {
      memset(texts[i], 'a' + i % 26, len);
      texts[i][4] = ':';
      credentials[i] = (struct idem_span){texts[i], len};
    }
    memset(&room, 0x5a, sizeof(room));
    tape_secrets_collect(&request, &room.secrets);
    cr_assert_leq(room.secrets.coded_len, sizeof(room.secrets.coded), "%zu", len);
    cr_assert_leq(room.secrets.count, SECRETS_MOST, "%zu", len);
    for (size_t i = 0; i < sizeof(room.behind); i++)
      cr_assert_eq(room.behind[i], 0x5a, "%zu", len);
  }
}

Test(tape_redact, what_only_stands_beside_a_credential_is_left_alone)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.request.header_count = 0;
  exchange_header(&exchange, "Authorization: Negotiate test-credential-alpha");
  exchange_header(&exchange, "Cookie: language=english-us; session=0123456789abcdef; theme=");
  exchange.outcome.body = SPAN("Negotiate in english-us: 0123456789abcdef test-credential-alpha");
  exchange.outcome.chunk_count = 0;
  is(kept(&exchange)->outcome.body, "Negotiate in english-us: **************** *********************");
}

Test(tape_redact, what_the_rule_points_to_and_every_other_byte_stays)
{
  fixture_rule(&fixture, "redact=/user/email,/messages/1/content,/a~1b,/nowhere");
  struct exchange exchange = exchange_of(
      &fixture,
      "{ \"user\" : {\"email\":\"a@example.com\", \"n\":1.50},\n"
      "\"messages\":[{\"content\":\"x\"}, {\"content\":[{\"text\":\"}]\\\"secret\"}]}], \"a\\/b\":-7 }");
  is(kept(&exchange)->request_body,
     "{ \"user\" : {\"email\":\"[redacted]\", \"n\":1.50},\n"
     "\"messages\":[{\"content\":\"x\"}, {\"content\":\"[redacted]\"}], \"a\\/b\":\"[redacted]\" }");
  cr_expect_eq(record.call.request_body_len, exchange.request.body.len);
}

Test(tape_redact, a_place_inside_another_goes_with_it)
{
  fixture_rule(&fixture, "redact=/a/b,/a");
  struct exchange exchange = exchange_of(&fixture, "{\"a\":{\"b\":1},\"c\":2}");
  is(kept(&exchange)->request_body, "{\"a\":\"[redacted]\",\"c\":2}");
}

Test(tape_redact, a_body_that_cannot_be_looked_into_is_left_out)
{
  fixture_rule(&fixture, "redact=/a");
  struct exchange exchange = exchange_of(&fixture, "{\"a\":\"cut off");
  is(kept(&exchange)->request_body, "");
  cr_expect_not(on_tape("cut off"));
}

Test(tape_redact, it_comes_after_the_name)
{
  fixture_rule(&fixture, "redact=/a");
  struct exchange one = exchange_of(&fixture, "{\"a\":1}"), two = exchange_of(&fixture, "{\"a\":2}");
  exchange_record(&one);
  exchange_record(&two);
  cr_expect_neq(memcmp(one.call.key, two.call.key, IDEM_KEY_SIZE), 0);
}

/* Encryption. */

Test(tape_seal, an_encrypted_tape_shows_nothing_and_reads_the_same, .init = open_sealed_fixture,
     .fini = close_fixture)
{
  struct exchange exchange = exchange_of(&fixture, "{\"prompt\":\"a plain prompt\"}");
  const struct tape_record *r = kept(&exchange);
  is(r->request_body, "{\"prompt\":\"a plain prompt\"}");
  is(r->outcome.body, "{\"answer\":1}");
  cr_expect_eq(r->outcome.chunk_count, 2);
  cr_expect(tape_totals(fixture.tape).encrypted);
  static const char *const texts[] = {"plain prompt", "answer", "api.example.com", "/v1/chat",
                                      "Content-Type"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
    cr_expect_not(on_tape(texts[i]), "%s", texts[i]);
}

Test(tape_seal, identical_exchanges_do_not_look_alike, .init = open_sealed_fixture, .fini = close_fixture)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_record(&exchange);
  exchange_record(&exchange);
  size_t len;
  char *bytes = fixture_read(fixture_segment(&fixture, 1), &len);
  size_t half = (len - 128) / 2;
  cr_expect_neq(memcmp(bytes + 128 + 56, bytes + 128 + half + 56, half - 56), 0);
  free(bytes);
}

Test(tape_seal, a_second_process_writes_with_the_same_key, .init = open_sealed_fixture, .fini = close_fixture)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_record(&exchange);
  cr_assert_eq(fixture_reopen(&fixture), 0, "%s", fixture.error.text);
  exchange_record(&exchange);
  cr_expect_eq(tape_totals(fixture_tape(&fixture)).exchanges, 2);
}

static void key_of(const char *path, const char *text)
{
  fixture_write(path, text, strlen(text));
}

static void refused(int code, const char *text)
{
  cr_expect_eq(fixture_try(&fixture), code);
  cr_expect(strstr(fixture.error.text, text), "expected \"%s\" in: %s", text, fixture.error.text);
}

Test(tape_seal, a_missing_wrong_or_malformed_key_is_one_clear_error, .init = open_sealed_fixture,
     .fini = close_fixture)
{
  const char *other = fixture_beside(&fixture, "other");
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_record(&exchange);
  fixture.source.key_file = NULL;
  refused(-EKEYREJECTED, "the tape is encrypted; --tape-key-file or IDEMSHIM_TAPE_KEY_FILE names its key");
  fixture.source.key_file = other;
  refused(-ENOENT, "the key cannot be read: No such file or directory");
  key_of(other, "another test key, thirty-two long");
  refused(-EINVAL, "expected a key of 32 bytes, or 64 hexadecimal digits");
  key_of(other, "another test key of 32 bytes !!!");
  refused(-EKEYREJECTED, "was encrypted with another key than the one given");
  fixture.options.key_file = other;
  cr_expect_eq(fixture_reopen(&fixture), -EKEYREJECTED);
  fixture.options.key_file = NULL;
  cr_expect_eq(fixture_reopen(&fixture), -EKEYREJECTED);
}

Test(tape_seal, hexadecimal_digits_are_the_same_key, .init = open_sealed_fixture, .fini = close_fixture)
{
  const char *hex = fixture_beside(&fixture, "hex");
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_record(&exchange);
  key_of(hex, "612074657374206b6579206f66207468697274792D74776F2062797465732121\n");
  fixture.source.key_file = hex;
  cr_expect_eq(tape_totals(fixture_tape(&fixture)).exchanges, 1);
}

Test(tape_seal, a_plain_tape_is_not_gone_on_with_under_a_key, .init = open_fixture, .fini = close_fixture)
{
  const char *key = fixture_beside(&fixture, "key");
  key_of(key, "a test key of thirty-two bytes!!");
  fixture.options.key_file = key;
  cr_expect_eq(fixture_reopen(&fixture), -EKEYREJECTED);
  cr_expect(strstr(fixture.error.text, "is not encrypted"), "%s", fixture.error.text);
}

Test(tape_seal, any_flipped_byte_is_found, .init = open_sealed_fixture, .fini = close_fixture)
{
  struct tape_totals totals;
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_record(&exchange);
  size_t len;
  char *bytes = fixture_read(fixture_segment(&fixture, 1), &len);
  for (size_t i = 128; i < len; i += 3) {
    bytes[i] ^= 1;
    fixture_write(fixture_segment(&fixture, 1), bytes, len);
    bytes[i] ^= 1;
    cr_assert_eq(tape_verify(&fixture.source, &totals, NULL, &fixture.error), 0);
    cr_expect_eq(totals.exchanges, 0, "byte %zu", i);
  }
  free(bytes);
}

/* Sums are there for accidents; who can write to a tape can make them anew. */
static void make_sums_anew(char *bytes)
{
  struct tape_head head;
  struct tape_frame frame;
  memcpy(&head, bytes, sizeof(head));
  memcpy(&frame, bytes + sizeof(head), sizeof(frame));
  const char *summary = bytes + sizeof(head) + sizeof(frame), *content = summary + frame.summary_len;
  frame.summary_sum = tape_sum(&head, summary, frame.summary_len);
  frame.content_sum = tape_sum(&head, content, frame.content_len);
  frame.sum = tape_sum(&head, &frame, offsetof(struct tape_frame, sum));
  memcpy(bytes + sizeof(head), &frame, sizeof(frame));
}

Test(tape_seal, what_was_changed_with_care_is_found, .init = open_sealed_fixture, .fini = close_fixture)
{
  struct tape_totals totals;
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_record(&exchange);
  size_t len;
  char *bytes = fixture_read(fixture_segment(&fixture, 1), &len);
  make_sums_anew(bytes);
  fixture_write(fixture_segment(&fixture, 1), bytes, len);
  cr_assert_eq(tape_verify(&fixture.source, &totals, NULL, &fixture.error), 0);
  cr_assert_eq(totals.exchanges, 1);
  for (size_t i = sizeof(struct tape_head) + sizeof(struct tape_frame); i < len; i += 7) {
    bytes[i] ^= 1;
    make_sums_anew(bytes);
    fixture_write(fixture_segment(&fixture, 1), bytes, len);
    bytes[i] ^= 1;
    cr_assert_eq(tape_verify(&fixture.source, &totals, NULL, &fixture.error), 0);
    cr_expect_eq(totals.exchanges, 0, "byte %zu", i);
  }
  free(bytes);
}
