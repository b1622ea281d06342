/* SPDX-License-Identifier: MIT */
/*
 * json_pointer: which of a list of places (RFC 6901) a cursor stands at. The places are those of the text as
 * it was sent: an element keeps its number whatever else is left out. Where a member is given twice, each is
 * at its place. `*` as a whole token is any element of an array or any member, where the caller allows it.
 *
 *     struct json_pointers places;
 *     if (json_pointers_init(&places, words, count))
 *       while ((event = json_cursor_next(&cursor)) > CURSOR_END)
 *         if (json_pointers_at(&places, &cursor, event))
 *           ...places.place[i].here says by which, for each i < count...
 *     json_pointers_release(&places);
 *
 * The state of up to 16 pointers lies in the struct, that of more on the heap. The words are read where they
 * are and must stay.
 */
#ifndef IDEMSHIM_STORE_JSON_POINTER_H
#define IDEMSHIM_STORE_JSON_POINTER_H

#include "store/base/buffer.h"
#include "store/json/json_cursor.h"

struct json_pointers {
  size_t count;
  bool globs;  /* `*` is a wildcard */
  size_t base; /* pointers begin at the values of this depth */
  struct json_place {
    const char *next; /* the slash of the token that comes */
    const char *text;
    size_t matched; /* how many containers of the cursor's path are on it */
    size_t index;   /* of the array that matched last: which element comes */
    bool here;      /* the value that was told last is what it names */
  } * place, near[16];
  size_t deepest; /* of all: at most this many tokens match */
};

/* False without memory. */
bool json_pointers_init(struct json_pointers *pointers, char *const *words, size_t count);
void json_pointers_release(struct json_pointers *pointers);

/* To be called with each event but the last. True if the value that begins here is named by at least one;
 * place[i].here then says by which. */
bool json_pointers_at(struct json_pointers *pointers, const struct json_cursor *cursor,
                      enum cursor_event event);

/*
 * Calls `visit` with each value that a pointer names, in the order of the text and, of one inside another,
 * the outer one alone for each pointer. Strings come with their quotes. `which` is the pointer's index.
 * Returns whether the text is JSON; what is told of one that is not must not be used.
 */
bool json_find(struct idem_span text, const struct idem_words *pointers,
               void (*visit)(void *arg, size_t which, struct idem_span value), void *arg);

/* What stands in the place of a value that is not to be kept. */
#define REDACTED "[redacted]"

/* Adds the text with "[redacted]" in the place of each value that a pointer names; nothing at all, and false,
 * if it is not JSON. What lies in a value that is covered is covered with it. */
bool json_redact(struct buffer *out, struct idem_span text, const struct idem_words *pointers);

#endif
