/* SPDX-License-Identifier: MIT */
/* Parts of an answer, and answers by their age. */
#include "tests/fidelity/fidelity.h"

static const char part[] = "HTTP/1.1 206 Part\r\nContent-Type: text/plain\r\n" CLOSE
                           "Content-Range: bytes 2-4/5\r\nContent-Length: 3\r\n\r\nllo";

static void ask_range(struct watch *w)
{
  set(w, POSTFIELDS, NULL);
  set(w, HTTPGET, 1L);
  set(w, RANGE, "2-4");
}

void range_of_a_part(void)
{
  serve("part", part);
  perform_and_ask("part", ask_range);
}

void range_not_honoured(void)
{
  serve("whole", OK HELLO);
  perform_and_ask("whole", ask_range);
}

static void resume_at_two(struct watch *w)
{
  set(w, POSTFIELDS, NULL);
  set(w, HTTPGET, 1L);
  set(w, RESUME_FROM, 2L);
}

void resume_of_a_part(void)
{
  serve("part", part);
  perform_and_ask("part", resume_at_two);
}

void resume_not_honoured(void)
{
  serve("whole", OK HELLO);
  perform_and_ask("whole", resume_at_two);
}

static void resume_large(struct watch *w)
{
  set(w, POSTFIELDS, NULL);
  set(w, HTTPGET, 1L);
  set(w, RESUME_FROM_LARGE, (curl_off_t)2);
  set(w, FAILONERROR, 1L);
}

void resume_beyond_the_end(void)
{
  serve("beyond", "HTTP/1.1 416 Beyond\r\n" CLOSE "Content-Range: bytes */5\r\n" EMPTY);
  perform_and_ask("beyond", resume_large);
}

/* The file is there: libcurl takes that for success. */
static void resume_at_five(struct watch *w)
{
  resume_large(w);
  set(w, RESUME_FROM_LARGE, (curl_off_t)5);
}

void resume_at_the_end(void)
{
  serve("atend", "HTTP/1.1 416 Beyond\r\n" CLOSE "Content-Range: bytes */5\r\n" HELLO);
  perform_with("atend", resume_at_five);
}

static void ask_newer(struct watch *w)
{
  set(w, POSTFIELDS, NULL);
  set(w, HTTPGET, 1L);
  set(w, TIMECONDITION, (long)CURL_TIMECOND_IFMODSINCE);
  set(w, TIMEVALUE, 800000000L);
}

void condition_unmet(void)
{
  serve("old", "HTTP/1.1 304 Not Modified\r\n" CLOSE "\r\n");
  perform_and_ask("old", ask_newer);
}

void condition_met(void)
{
  serve("new", OK "Last-Modified: Sun, 06 Nov 2005 08:49:37 GMT\r\n" HELLO);
  perform_and_ask("new", ask_newer);
}

void condition_not_honoured(void)
{
  serve("older", OK "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n" HELLO);
  perform_and_ask("older", ask_newer);
}
