/* SPDX-License-Identifier: MIT */
/* Whatever happens to the files, a reader says what and where, and goes on with what is whole. */
#include "tests/unit/tape/fixture.h"

#include "tape/format.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(tape_damage, .init = open_fixture, .fini = close_fixture);

/* The segment's bytes, and where each record begins. */
static char *bytes;
static size_t size, begins[8];

static void record_some(int count)
{
  char body[32];
  for (int i = 0; i < count; i++) {
    snprintf(body, sizeof(body), "{\"n\":%d}", i + 1);
    struct exchange exchange = exchange_of(&fixture, body);
    struct stat stat_out;
    cr_assert_eq(stat(fixture_segment(&fixture, 1), &stat_out), 0);
    begins[i] = (size_t)stat_out.st_size;
    exchange_record(&exchange);
  }
  bytes = fixture_read(fixture_segment(&fixture, 1), &size);
  begins[count] = size;
}

static void put_back(size_t len)
{
  fixture_write(fixture_segment(&fixture, 1), bytes, len);
  free(bytes);
}

static void has(uint64_t exchanges, uint64_t torn, uint64_t damaged)
{
  struct tape_totals totals = tape_totals(fixture_tape(&fixture));
  cr_expect_eq(totals.exchanges, exchanges, "%zu exchanges", (size_t)totals.exchanges);
  cr_expect_eq(totals.torn, torn, "%s", fixture.findings);
  cr_expect_eq(totals.damaged, damaged, "%s", fixture.findings);
}

static const char *body_of(uint64_t number)
{
  static char text[64];
  struct tape_record record = {0};
  cr_assert_eq(tape_read(fixture.tape, number, &record, &fixture.error), 0, "%s", fixture.error.text);
  snprintf(text, sizeof(text), "%.*s", (int)record.request_body.len, record.request_body.data);
  tape_record_release(&record);
  return text;
}

static void finds(const char *text)
{
  cr_expect(strstr(fixture.findings, text), "expected \"%s\" in: %s", text, fixture.findings);
}

Test(tape_damage, a_torn_end_is_left_out_at_every_length)
{
  record_some(3);
  for (size_t len = begins[2] + 1; len < size; len += 7) {
    fixture_write(fixture_segment(&fixture, 1), bytes, len);
    has(2, 1, 0);
    finds("are the beginning of a record that was never completed");
  }
  put_back(begins[2]);
  has(2, 0, 0);
}

Test(tape_damage, a_record_torn_in_the_middle_hides_none_behind_it)
{
  size_t cut;
  record_some(3);
  for (cut = 20; cut < begins[2] - begins[1]; cut += 13) {
    char *with = malloc(size);
    memcpy(with, bytes, begins[1] + cut);
    memcpy(with + begins[1] + cut, bytes + begins[2], size - begins[2]);
    fixture_write(fixture_segment(&fixture, 1), with, begins[1] + cut + size - begins[2]);
    free(with);
    struct tape_totals totals = tape_totals(fixture_tape(&fixture));
    cr_expect_eq(totals.exchanges, 2, "cut at %zu: %s", cut, fixture.findings);
    cr_expect_eq(totals.torn + totals.damaged, 1, "cut at %zu: %s", cut, fixture.findings);
    cr_expect_str_eq(body_of(2), "{\"n\":3}");
  }
  free(bytes);
}

Test(tape_damage, a_flipped_frame_costs_one_record)
{
  record_some(3);
  bytes[begins[1] + 9] ^= 1;
  put_back(size);
  has(2, 0, 1);
  finds(fixture_segment(&fixture, 1));
  finds("is damaged (its frame does not match)");
  cr_expect_str_eq(body_of(2), "{\"n\":3}");
}

Test(tape_damage, a_flipped_summary_costs_one_record)
{
  record_some(3);
  bytes[begins[1] + sizeof(struct tape_frame) + 3] ^= 1;
  put_back(size);
  has(2, 0, 1);
  finds("is damaged (its checksum does not match)");
}

Test(tape_damage, a_flipped_content_is_found_when_it_is_read)
{
  char offset[64];
  struct tape_record record = {0};
  struct tape_totals totals;
  record_some(3);
  snprintf(offset, sizeof(offset), "exchange 2, at offset %zu, is damaged", begins[1]);
  bytes[begins[2] - 1] ^= 1;
  put_back(size);
  has(3, 0, 0);
  cr_expect_eq(tape_read(fixture.tape, 2, &record, &fixture.error), -EILSEQ);
  cr_expect(strstr(fixture.error.text, offset), "%s", fixture.error.text);
  cr_assert_eq(tape_read(fixture.tape, 3, &record, &fixture.error), 0);
  tape_record_release(&record);

  cr_assert_eq(tape_verify(&fixture.source, &totals, NULL, &fixture.error), 0);
  cr_expect_eq(totals.exchanges, 2);
  cr_expect_eq(totals.damaged, 1);
}

Test(tape_damage, any_flipped_byte_is_found_by_verify)
{
  struct tape_totals totals;
  record_some(2);
  for (size_t i = begins[0]; i < size; i++) {
    bytes[i] ^= 0x55;
    fixture_write(fixture_segment(&fixture, 1), bytes, size);
    bytes[i] ^= 0x55;
    cr_assert_eq(tape_verify(&fixture.source, &totals, NULL, &fixture.error), 0);
    cr_expect_eq(totals.exchanges, 1, "byte %zu", i);
    cr_expect_eq(totals.damaged + totals.torn, 1, "byte %zu", i);
  }
  free(bytes);
}

static void refused(int code, const char *text)
{
  cr_expect_eq(fixture_try(&fixture), code);
  cr_expect(strstr(fixture.error.text, text), "expected \"%s\" in: %s", text, fixture.error.text);
}

Test(tape_damage, a_newer_version_is_refused)
{
  record_some(1);
  bytes[offsetof(struct tape_head, version)] = 4;
  put_back(size);
  refused(-EPROTO, "the tape has version 4, this idemshim knows version 3");
}

Test(tape_damage, what_is_no_tape_is_refused)
{
  fixture.source.dir = fixture_beside(&fixture, "nowhere");
  refused(-ENOENT, "there is no tape at ");
  fixture_write(fixture_beside(&fixture, "file"), "x", 1);
  fixture.source.dir = fixture_beside(&fixture, "file");
  refused(-ENOTDIR, "is not a directory");
  fixture.source.dir = fixture.top;
  refused(-ENODATA, "is not a tape: there is no file like 00000001.tape in it");
  fixture.source.dir = fixture.dir;
  fixture_write(fixture_segment(&fixture, 1), "something else altogether", 25);
  refused(-ENODATA, "is not a tape: it does not begin with");
  fixture_write(fixture_segment(&fixture, 1), "", 0);
  refused(-ENODATA, "is not a tape");
}

Test(tape_damage, a_damaged_head_costs_its_segment)
{
  record_some(2);
  bytes[20] ^= 1;
  put_back(size);
  refused(-EILSEQ, "the head of the file (its first 128 bytes) is damaged");
}

Test(tape_damage, a_damaged_segment_is_a_finding_where_another_is_whole)
{
  record_some(2);
  free(bytes);
  fixture_write(fixture_segment(&fixture, 2), "no segment", 10);
  has(2, 0, 1);
  finds("00000002.tape: is not a tape");
}

/* Wherever the whole one stands. */
Test(tape_damage, several_damaged_segments_are_as_many_findings)
{
  record_some(2);
  fixture_write(fixture_segment(&fixture, 3), bytes, size);
  free(bytes);
  fixture_write(fixture_segment(&fixture, 1), "no segment", 10);
  fixture_write(fixture_segment(&fixture, 2), "no segment", 10);
  has(2, 0, 2);
  finds("00000001.tape: is not a tape");
  finds("00000002.tape: is not a tape");
  cr_expect_str_eq(body_of(2), "{\"n\":2}");
}

Test(tape_damage, where_none_is_whole_it_is_refused_for_what_the_first_one_is)
{
  fixture_write(fixture_segment(&fixture, 1), "no segment", 10);
  fixture_write(fixture_segment(&fixture, 2), "", 0);
  fixture_write(fixture_segment(&fixture, 3), "no segment", 10);
  refused(-ENODATA, "00000001.tape: is not a tape: it does not begin with");
}

Test(tape_damage, an_empty_tape_has_no_exchanges)
{
  has(0, 0, 0);
}

Test(tape_damage, a_body_that_holds_a_piece_of_another_tape_is_not_read_as_one)
{
  record_some(2);
  char *other = bytes;
  size_t other_size = size;
  fixture.options.dir = fixture.source.dir = fixture_beside(&fixture, "second");
  snprintf(fixture.dir, sizeof(fixture.dir), "%s/second", fixture.top);
  cr_assert_eq(fixture_reopen(&fixture), 0, "%s", fixture.error.text);
  record_some(0);
  free(bytes);
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.request.body = (struct idem_span){other, other_size};
  exchange_record(&exchange);
  bytes = fixture_read(fixture_segment(&fixture, 1), &size);
  bytes[sizeof(struct tape_head) + 9] ^= 1; /* what is behind this frame is searched for another one */
  put_back(size);
  refused(-EILSEQ, "its frame does not match");
  free(other);
}
