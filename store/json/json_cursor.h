/* SPDX-License-Identifier: MIT */
/*
 * json_cursor: walks a JSON text once, from its first byte to its last, and builds nothing.
 *
 * It exists because clients send more than a strict parser takes, and because a body's nesting must not
 * decide how much stack we use in somebody else's thread. Naming, judging, tape and explain all read JSON
 * with it.
 *
 *     struct json_cursor cursor;
 *     json_cursor_init(&cursor, text);
 *     for (enum cursor_event event; (event = json_cursor_next(&cursor)) > CURSOR_END;)
 *       use(event, cursor.name, cursor.text, cursor.depth);
 *     bool whole = json_cursor_release(&cursor);       // false: it is not JSON, or there was no memory
 *
 * The grammar is RFC 8259's, and a byte order mark before it, half a surrogate pair, bytes that are not
 * UTF-8, control characters in strings, NaN, Infinity and -Infinity, members of one name, numbers of any
 * length, any depth. What came before an error has been told by then: a caller that must not act on half a
 * text waits for the end. Beyond 512 levels the cursor keeps one bit a level on the heap.
 *
 * A text that is still coming is walked as far as it goes; each of its bytes is looked at once:
 *
 *     json_cursor_init(&cursor, (struct idem_span){so_far, len});
 *     cursor.more = true;
 *     while ((event = json_cursor_next(&cursor)) > CURSOR_END) ...
 *     if (event == CURSOR_HUNGRY)                  // and once more has come, which may have moved the text:
 *       json_cursor_feed(&cursor, (struct idem_span){unread, unread_len}, is_last);
 */
#ifndef IDEMSHIM_STORE_JSON_CURSOR_H
#define IDEMSHIM_STORE_JSON_CURSOR_H

#include "store/store.h"

enum cursor_event {
  CURSOR_HUNGRY, /* the text ends within a value, and more is to come. `at` is where that begins */
  CURSOR_BAD,    /* not JSON from here on; also for want of memory. Stays */
  CURSOR_END,    /* the text is over, and was JSON. Stays */
  CURSOR_WORD,   /* true, false, null, NaN, Infinity, -Infinity */
  CURSOR_NUMBER,
  CURSOR_STRING,
  CURSOR_ARRAY, /* begins: its values follow, then CURSOR_CLOSE */
  CURSOR_OBJECT,
  CURSOR_CLOSE, /* the container that was begun last */
};

struct json_cursor {
  struct idem_span name; /* of a member, without its quotes and with its escapes; data NULL: not a member */
  struct idem_span text; /* the value as it is written, strings without quotes. A container: its bracket */
  bool escaped;          /* STRING: there are backslashes in the text */
  size_t depth;          /* how many containers are round the value; CLOSE: round the one that ends */

  bool starved; /* BAD for want of memory, and perhaps JSON */

  bool more; /* the text is not all there yet: its end is no mistake */

  const char *at, *end; /* private from here */
  size_t string, escapes,
      quoteless;     /* HUNGRY within a string: where it begins behind `at`, and behind that up to
                                        where it is without unread escapes, and without a quote */
  uint64_t *objects; /* one bit for each open container */
  size_t open, room;
  bool begun, first;
  uint64_t near[8];
};

/* Without a byte order mark and blanks before it: `{` and `[` then begin JSON. */
struct idem_span json_trimmed(struct idem_span text);

void json_cursor_init(struct json_cursor *cursor, struct idem_span text);
enum cursor_event json_cursor_next(struct json_cursor *cursor);

/* Goes on with a text that was HUNGRY: `text` begins where `at` was. `last`: no more will come. */
void json_cursor_feed(struct json_cursor *cursor, struct idem_span text, bool last);

/* Where an object or an array begins behind a text that has ended (JSON lines): goes on with that one. False:
 * none does, as far as the text has come. */
bool json_cursor_next_text(struct json_cursor *cursor);

/* After ARRAY or OBJECT, in a text that is all there: goes past its CLOSE, which is returned, or CURSOR_BAD.
 * `text` is then all of it. */
enum cursor_event json_cursor_skip(struct json_cursor *cursor);

/* True if the text has come to its end, and was JSON. */
bool json_cursor_release(struct json_cursor *cursor);

/*
 * What a string says: copies it to `out`, which has room for 2 * text.len bytes, and returns its length. Half
 * a surrogate pair becomes 0xff and its two bytes, and beside one a byte 0xff of the text two of them; `*odd`
 * says that there was one, so that no two strings give the same bytes and the same `odd`.
 */
size_t json_string_decode(struct idem_span text, char *out, bool *odd);

/* True if a string says `word`. */
bool json_string_is(struct idem_span text, const char *word, size_t len);

#endif
