/* SPDX-License-Identifier: MIT */
/*
 * reply: what a server answers, as a tree that is bounded whatever the server says.
 *
 *     struct reply_reader reader = {0};
 *     reply_begin(&reader, most);                            // bytes that one reply may have
 *     reply_feed(&reader, bytes, len);
 *     while (reply_next(&reader, &reply) == 1) {             // 0: not yet whole; -EPROTO, -EMSGSIZE, -ENOMEM: give it up
 *       if (reply->kind == REPLY_LIST && reply->count == 3) ...
 *       reply_free(reply);
 *     }
 *     reply_end(&reader);
 *
 * hiredis reads the protocol; the objects are ours. Its own ones allocate what an array's head announces, which seven
 * bytes from a server that is not what we think can make a gigabyte. Texts end with a NUL that their length does not count.
 * A reader belongs to one thread.
 */
#ifndef IDEMSHIM_FLEET_REPLY_H
#define IDEMSHIM_FLEET_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reply_kind { REPLY_NIL, REPLY_STATUS, REPLY_ERROR, REPLY_NUMBER, REPLY_TEXT, REPLY_LIST };

struct reply {
  enum reply_kind kind;
  int64_t number;
  char *text;
  size_t len;
  struct reply *item;
  size_t count;
};

struct redisReader;
struct reply_reader {
  struct redisReader *redis;
  size_t most, fed; /* bytes: of one reply, and since the last one that was whole */
  size_t items;     /* of the reply that is being read */
};

int reply_begin(struct reply_reader *reader, size_t most);
int reply_feed(struct reply_reader *reader, const char *bytes, size_t len);
int reply_next(struct reply_reader *reader, struct reply **out);
void reply_end(struct reply_reader *reader);

void reply_free(struct reply *reply);

/* The item of a list, or one that is nil: so that what a reply lacks need not be asked for first. */
const struct reply *reply_item(const struct reply *reply, size_t i);
/* A NUMBER, or a TEXT of digits alone; -1 for anything else. */
int64_t reply_number(const struct reply *reply);
/* A STATUS, ERROR or TEXT that begins so. */
bool reply_begins(const struct reply *reply, const char *beginning);

#endif
