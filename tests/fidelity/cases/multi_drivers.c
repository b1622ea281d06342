/* SPDX-License-Identifier: MIT */
/* Transfers in a multi handle, under each way to run one. The row's number is the driver. */
#include "tests/fidelity/drive.h"

static void run(CURLM *multi)
{
  drivers[scenario->number](multi);
}

static CURLM *open_multi(void)
{
  CURLM *multi = curl_multi_init();

  if (scenario->number >= DRIVE_ACTION)
    drive_events(multi);
  return multi;
}

static void close_multi(CURLM *multi)
{
  say(stdout, "multi: %d", (int)curl_multi_cleanup(multi));
  if (scenario->number >= DRIVE_ACTION)
    drive_end();
}

void multi_of_one(void)
{
  CURLM *multi = open_multi();
  struct watch w;

  serve("one", OK "X-One: 1\r\n"
                  "Content-Length: 10\r\n\r\nhello\1world");
  watch_open(&w, "one");
  join(multi, &w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  say_infos(&w);
  say_headers(&w, ANY_ORIGIN, -1);
  watch_close(&w);
  close_multi(multi);
}

void multi_of_several(void)
{
  static const char *const names[] = {"one", "two", "three", "four", "five"};
  enum { COUNT = sizeof names / sizeof *names };
  CURLM *multi = open_multi();
  struct watch w[COUNT];

  for (int i = 0; i < COUNT; i++) {
    serve(names[i], i % 2 ? OK HELLO : OK "Content-Length: 10\r\n\r\nhello\1world");
    watch_open(&w[i], names[i]);
    watch_apart(&w[i]);
    join(multi, &w[i]);
  }
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  for (int i = 0; i < COUNT; i++) {
    part(multi, &w[i]);
    say_infos(&w[i]);
    watch_close(&w[i]);
  }
  close_multi(multi);
}

/* A failure that is no answer, beside answers. */
void multi_of_hits_and_misses(void)
{
  CURLM *multi = open_multi();
  struct watch good, bad;

  serve("good", OK HELLO);
  serve("bad", "HTTP/1.1 500 No\r\n" CLOSE HELLO);
  watch_open(&good, "good");
  watch_open(&bad, "bad");
  watch_apart(&good);
  watch_apart(&bad);
  join(multi, &good);
  join(multi, &bad);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &good);
  part(multi, &bad);
  watch_close(&good);
  watch_close(&bad);
  close_multi(multi);
}

/* The same handle again and again, as pools do. */
void multi_of_one_again(void)
{
  CURLM *multi = open_multi();
  struct watch w;

  serve("one", OK HELLO);
  serve("two", OK "X-Two: 2\r\n" HELLO);
  watch_open(&w, "one");
  for (int i = 0; i < 3; i++) {
    watch_post(&w, i == 1 ? "two" : "one");
    join(multi, &w);
    run(multi);
    say(stdout, "messages %d", take_messages(multi));
    part(multi, &w);
    say_info(&w, CURLINFO_RESPONSE_CODE);
    say_info(&w, CURLINFO_EFFECTIVE_URL);
  }
  watch_close(&w);
  close_multi(multi);
}

static int resume_in_progress(struct watch *w, curl_off_t down_total, curl_off_t down)
{
  (void)down_total;
  (void)down;
  curl_easy_pause(w->easy, CURLPAUSE_CONT);
  return 0;
}

void multi_paused(void)
{
  CURLM *multi = open_multi();
  struct watch w;

  serve("pieces", OK "Content-Length: 15\r\n\r\nhello\1, worl\1d!!!");
  watch_open(&w, "pieces");
  watch_progress(&w);
  w.write = (struct verdict){2, CURL_WRITEFUNC_PAUSE};
  w.in_progress = resume_in_progress;
  join(multi, &w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  watch_close(&w);
  close_multi(multi);
}

void multi_ended_by_the_app(void)
{
  CURLM *multi = open_multi();
  struct watch w;

  serve("pieces", OK "Content-Length: 15\r\n\r\nhello\1, worl\1d!!!");
  watch_open(&w, "pieces");
  w.write = (struct verdict){2, 0};
  join(multi, &w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  say_infos(&w);
  watch_close(&w);
  close_multi(multi);
}
