/* SPDX-License-Identifier: MIT */
/* What a server may say, and what somebody says who is none. */
#include "fleet/reply.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct reply_reader reader;

/* The first reply of these bytes, which come one by one. */
static int read_slowly(const char *bytes, size_t len, struct reply **reply)
{
  int rc = 0;
  for (size_t i = 0; i < len && rc == 0; i++) {
    rc = reply_feed(&reader, &bytes[i], 1);
    if (rc == 0)
      rc = reply_next(&reader, reply);
  }
  return rc;
}

static int read_text(const char *text, struct reply **reply)
{
  reply_end(&reader);
  cr_assert_eq(reply_begin(&reader, 1 << 20), 0);
  return read_slowly(text, strlen(text), reply);
}

Test(fleet_reply, each_kind_is_told)
{
  struct reply *reply;
  cr_assert_eq(read_text("+OK\r\n", &reply), 1);
  cr_expect_eq(reply->kind, REPLY_STATUS);
  cr_expect_str_eq(reply->text, "OK");
  reply_free(reply);
  cr_assert_eq(read_text("-NOSCRIPT no\r\n", &reply), 1);
  cr_expect_eq(reply->kind, REPLY_ERROR);
  cr_expect(reply_begins(reply, "NOSCRIPT"));
  reply_free(reply);
  cr_assert_eq(read_text(":-7\r\n", &reply), 1);
  cr_expect_eq(reply_number(reply), -7);
  reply_free(reply);
  cr_assert_eq(read_text("$5\r\na\r\nbc\r\n", &reply), 1);
  cr_expect_eq(reply->len, 5);
  cr_expect_arr_eq(reply->text, "a\r\nbc", 6);
  reply_free(reply);
  cr_assert_eq(read_text("$-1\r\n", &reply), 1);
  cr_expect_eq(reply->kind, REPLY_NIL);
  reply_free(reply);
  cr_assert_eq(read_text("*-1\r\n", &reply), 1);
  cr_expect_eq(reply->kind, REPLY_NIL);
  reply_free(reply);
  cr_assert_eq(read_text("*0\r\n", &reply), 1);
  cr_expect_eq(reply->kind, REPLY_LIST);
  reply_free(reply);
  cr_assert_eq(read_text("*3\r\n:1\r\n*2\r\n$1\r\na\r\n+b\r\n$2\r\n42\r\n", &reply), 1);
  cr_expect_eq(reply->count, 3);
  cr_expect_str_eq(reply_item(reply_item(reply, 1), 1)->text, "b");
  cr_expect_eq(reply_number(reply_item(reply, 2)), 42);
  cr_expect_eq(reply_item(reply, 3)->kind, REPLY_NIL);
  cr_expect_eq(reply_item(reply_item(reply, 0), 0)->kind, REPLY_NIL);
  reply_free(reply);
}

Test(fleet_reply, several_come_one_after_the_other)
{
  struct reply *reply;
  static const char text[] = "+a\r\n+b\r\n+";
  cr_assert_eq(reply_begin(&reader, 64), 0);
  cr_assert_eq(reply_feed(&reader, text, sizeof(text) - 1), 0);
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(reply_next(&reader, &reply), 1);
    cr_expect_eq(reply->text[0], 'a' + i);
    reply_free(reply);
  }
  cr_expect_eq(reply_next(&reader, &reply), 0);
  /* The limit is of one reply, and not of all. */
  for (int i = 0; i < 100; i++) {
    cr_assert_eq(reply_feed(&reader, "x\r\n+", 4), 0);
    cr_assert_eq(reply_next(&reader, &reply), 1);
    reply_free(reply);
  }
  reply_end(&reader);
}

Test(fleet_reply, what_is_none_is_refused)
{
  static const char *const odd[] = {
      "HTTP/1.1 400 Bad Request\r\n",
      "$abc\r\n",
      "%1\r\n+a\r\n+b\r\n",
      ",1.5\r\n",
      "#t\r\n",
      "_\r\n",
      ">1\r\n+a\r\n",
      "*99999999999999999999\r\n",
      ":12x\r\n",
      "\x16\x03\x01",
  };
  struct reply *reply = NULL;
  for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
    int rc = read_text(odd[i], &reply);
    cr_expect(rc == -EPROTO || rc == -ENOMEM, "%s: %d", odd[i], rc);
  }
  /* Who frees it goes as deep. */
  char deep[4 * 5000 + 1] = "";
  for (size_t i = 0; i < sizeof(deep) / 4; i++)
    memcpy(deep + 4 * i, "*1\r\n", 4);
  cr_expect_lt(read_text(deep, &reply), 0);
  /* Where a type of RESP3 lies in a list it is nothing, and no crash. */
  if (read_text("*2\r\n#t\r\n+x\r\n", &reply) == 1)
    reply_free(reply);
}

/* Seven bytes must not make a gigabyte: with 64 MiB of address space more than there is, they need not. */
Test(fleet_reply, a_head_that_announces_much_allocates_nothing)
{
  struct reply *reply;
  char bomb[7 * 4096 + 1] = "";
  cr_expect_lt(read_text("*1000000000\r\n", &reply), 0);
  for (int i = 0; i < 4096; i++)
    strcat(bomb, "*9999\r\n");
  cr_expect_lt(read_text(bomb, &reply), 0);
  cr_expect_lt(read_text("*60000\r\n*60000\r\n", &reply), 0, "all lists of a reply together");
}

Test(fleet_reply, a_reply_that_is_too_long_is_given_up)
{
  cr_assert_eq(reply_begin(&reader, 16), 0);
  cr_expect_eq(reply_feed(&reader, "$100\r\n", 6), 0);
  cr_expect_eq(reply_feed(&reader, "xxxxxxxxxxx", 11), -EMSGSIZE);
  reply_end(&reader);
}
