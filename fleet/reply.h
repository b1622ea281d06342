/* SPDX-License-Identifier: MIT */
/*
 * reply: what a server answers, as a tree that is bounded whatever the server says.
 *
 *     struct reply_reader reader = {0};
 *     reply_begin(&reader, most);                 // bytes that one reply may have
 *     reply_feed(&reader, bytes, len);
 *     while (reply_next(&reader, &reply) == 1) {  // 0: not yet whole; -EPROTO, -EMSGSIZE, -ENOMEM: give it up
 *       if (reply->kind == REPLY_LIST && reply->count == 3) ...
 *       reply_free(reply);
 *     }
 *     reply_end(&reader);
 *
 * hiredis reads the protocol; the objects are ours. Its own ones allocate what an array's head announces,
 * which seven bytes from a server that is not what we think can make a gigabyte. Texts end with a NUL that
 * their length does not count. A reader belongs to one thread.
 */
#ifndef IDEMSHIM_FLEET_REPLY_H
#define IDEMSHIM_FLEET_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reply_kind { REPLY_NIL, REPLY_STATUS, REPLY_ERROR, REPLY_NUMBER, REPLY_TEXT, REPLY_LIST };

/* `number` is of NUMBER; `text` and `len` are of STATUS, ERROR and TEXT, where `text` is never NULL; `item`
 * and `count` of LIST. What is not of its kind is zero, so that reading it is harmless. */
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

/* 0 or -ENOMEM. The reader has a pointer to itself: it stays where it is until reply_end(), which is fine
 * after a failure, too. */
int reply_begin(struct reply_reader *reader, size_t most);
/* Copies the bytes. 0; -EMSGSIZE: more than `most` without a whole reply among them; -ENOMEM. */
int reply_feed(struct reply_reader *reader, const char *bytes, size_t len);
int reply_next(struct reply_reader *reader, struct reply **out);
/* Bytes are there of one that was not taken yet, or all of it. */
bool reply_has_begun(const struct reply_reader *reader);
void reply_end(struct reply_reader *reader);

/* For the root of a reply, with all that is in it; not for an item. NULL is fine. */
void reply_free(struct reply *reply);

/* A list of these roots, which are in it from then on. NULL: no memory, and they are freed. */
struct reply *reply_list_of(struct reply *const *replies, size_t count);

/* The item of a list, or one that is nil: so that what a reply lacks need not be asked for first. */
const struct reply *reply_item(const struct reply *reply, size_t i);
/* A NUMBER, or a TEXT of digits alone; -1 for anything else. */
int64_t reply_number(const struct reply *reply);
/* A STATUS, ERROR or TEXT that begins so. */
bool reply_begins(const struct reply *reply, const char *beginning);

#endif
