/* SPDX-License-Identifier: MIT */
#include "fleet/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

/* More than any reply that we ask for: a page of SCAN, or the pieces of one XREAD. All lists of a reply count
 * together, for a list of lists announces as much with as few bytes. Who frees a reply goes as deep as its
 * lists lie in lists. */
enum { ITEMS_MOST = 1 << 16, DEPTH_MOST = 8 };

/* Where the reader wants an object: the root is allocated, the others lie in the list that they belong to. */
static struct reply *place(const redisReadTask *task, enum reply_kind kind)
{
  struct reply *parent = task->parent ? task->parent->obj : NULL;
  struct reply *reply = parent ? &parent->item[task->idx] : calloc(1, sizeof(*reply));
  if (reply)
    reply->kind = kind;
  return reply;
}

/* Of an object that could not be made whole: what lies in a list goes with it. */
static void *give_up(const redisReadTask *task, struct reply *reply)
{
  if (!task->parent)
    free(reply);
  return NULL;
}

static void *make_text(const redisReadTask *task, char *text, size_t len)
{
  struct reply *reply = place(task, task->type == REDIS_REPLY_ERROR    ? REPLY_ERROR
                                    : task->type == REDIS_REPLY_STATUS ? REPLY_STATUS
                                                                       : REPLY_TEXT);
  char *copy = reply ? malloc(len + 1) : NULL;
  if (!copy)
    return give_up(task, reply);
  memcpy(copy, text, len);
  copy[len] = '\0';
  reply->text = copy;
  reply->len = len;
  return reply;
}

/* The reader takes NULL for a lack of memory, and gives the reply up: reply_next() says -ENOMEM of too many
 * items, too. */
static void *make_list_of(const redisReadTask *task, size_t count)
{
  struct reply_reader *reader = task->privdata;
  unsigned depth = 0;
  for (const redisReadTask *outer = task->parent; outer && depth < DEPTH_MOST; outer = outer->parent)
    depth++;
  if (count > ITEMS_MOST - reader->items || depth == DEPTH_MOST)
    return NULL;
  reader->items += count;
  struct reply *reply = place(task, REPLY_LIST);
  struct reply *item = reply && count ? calloc(count, sizeof(*item)) : NULL;
  if (!reply || (count && !item))
    return give_up(task, reply);
  reply->item = item;
  reply->count = count;
  return reply;
}

#if HIREDIS_MAJOR >= 1
static void *make_list(const redisReadTask *task, size_t count)
#else
static void *make_list(const redisReadTask *task, int count)
#endif
{
  return make_list_of(task, (size_t)count);
}

static void *make_number(const redisReadTask *task, long long number)
{
  struct reply *reply = place(task, REPLY_NUMBER);
  if (reply)
    reply->number = number;
  return reply;
}

static void *make_nil(const redisReadTask *task)
{
  return place(task, REPLY_NIL);
}

/* It goes down as deep as lists lie in one another. hiredis 0.14 reads seven of them; later ones read more,
 * and ITEMS_MOST is what bounds it. */
static void free_items(struct reply *reply)
{
  for (size_t i = 0; i < reply->count; i++)
    free_items(&reply->item[i]);
  free(reply->item);
  free(reply->text);
}

void reply_free(struct reply *reply)
{
  if (!reply)
    return;
  free_items(reply);
  free(reply);
}

struct reply *reply_list_of(struct reply *const *replies, size_t count)
{
  struct reply *list = calloc(1, sizeof(*list));
  struct reply *item = list ? calloc(count, sizeof(*item)) : NULL;
  for (size_t i = 0; i < count; i++) {
    if (item)
      item[i] = *replies[i];
    else
      free_items(replies[i]);
    free(replies[i]);
  }
  if (!item) {
    free(list);
    return NULL;
  }
  *list = (struct reply){.kind = REPLY_LIST, .item = item, .count = count};
  return list;
}

static void free_root(void *reply)
{
  reply_free(reply);
}

/* RESP2 has no others. */
static redisReplyObjectFunctions functions = {.createString = make_text,
                                              .createArray = make_list,
                                              .createInteger = make_number,
                                              .createNil = make_nil,
                                              .freeObject = free_root};

int reply_begin(struct reply_reader *reader, size_t most)
{
  *reader = (struct reply_reader){.redis = redisReaderCreateWithFunctions(&functions), .most = most};
  if (!reader->redis)
    return -ENOMEM;
  reader->redis->privdata = reader;
  return 0;
}

int reply_feed(struct reply_reader *reader, const char *bytes, size_t len)
{
  reader->fed += len;
  if (reader->fed > reader->most)
    return -EMSGSIZE;
  return redisReaderFeed(reader->redis, bytes, len) == REDIS_OK ? 0 : -ENOMEM;
}

/* A type of RESP3 does not come, since nobody says HELLO. If it does it is refused before it is read: without
 * a function for it, the reader makes a number of it that is no pointer. */
int reply_next(struct reply_reader *reader, struct reply **out)
{
  const redisReader *redis = reader->redis;
  void *reply = NULL;
  *out = NULL;
  if (redis->ridx == -1 && redis->pos >= redis->len)
    return 0;
  if (redis->ridx == -1 && !strchr("+-:$*", redis->buf[redis->pos]))
    return -EPROTO;
  if (redisReaderGetReply(reader->redis, &reply) != REDIS_OK)
    return reader->redis->err == REDIS_ERR_OOM ? -ENOMEM : -EPROTO;
  if (!reply)
    return 0;
  reader->fed = reader->redis->len - reader->redis->pos;
  reader->items = 0;
  *out = reply;
  return 1;
}

bool reply_has_begun(const struct reply_reader *reader)
{
  return reader->redis->ridx != -1 || reader->redis->pos < reader->redis->len;
}

void reply_end(struct reply_reader *reader)
{
  if (reader->redis)
    redisReaderFree(reader->redis);
  reader->redis = NULL;
}

const struct reply *reply_item(const struct reply *reply, size_t i)
{
  static const struct reply nil;
  return reply && reply->kind == REPLY_LIST && i < reply->count ? &reply->item[i] : &nil;
}

/* Eighteen digits fit, whatever they are: generations, which are µs since 1970, have sixteen. */
int64_t reply_number(const struct reply *reply)
{
  int64_t number = 0;
  if (reply->kind == REPLY_NUMBER)
    return reply->number;
  if (reply->kind != REPLY_TEXT || reply->len == 0 || reply->len > 18)
    return -1;
  for (size_t i = 0; i < reply->len; i++) {
    if (reply->text[i] < '0' || reply->text[i] > '9')
      return -1;
    number = number * 10 + (reply->text[i] - '0');
  }
  return number;
}

bool reply_begins(const struct reply *reply, const char *beginning)
{
  return reply && reply->text && strncmp(reply->text, beginning, strlen(beginning)) == 0;
}
