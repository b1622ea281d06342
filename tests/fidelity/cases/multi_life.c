/* SPDX-License-Identifier: MIT */
/* Handles that join and leave a multi handle at every moment, and what it says of itself. */
#include "tests/fidelity/drive.h"

static void serve_hello(void)
{
  serve("hello", OK HELLO);
}

static void run(CURLM *multi)
{
  drivers[DRIVE_POLL](multi);
}

static int running_now(CURLM *multi)
{
  int running = -1;

  curl_multi_perform(multi, &running);
  return running;
}

void multi_counts(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;
  CURLMsg *message;
  int left = -1;
  long timeout_ms = -2;

  serve_hello();
  watch_open(&w, "hello");
  say(stdout, "running %d", running_now(multi));
  curl_multi_timeout(multi, &timeout_ms);
  say(stdout, "timeout %ld", timeout_ms);
  join(multi, &w);
  curl_multi_timeout(multi, &timeout_ms);
  say(stdout, "timeout %ld", timeout_ms);
  message = curl_multi_info_read(multi, &left);
  say(stdout, "message %d, left %d", message != NULL, left);
  run(multi);
  message = curl_multi_info_read(multi, &left);
  say(stdout, "message %d, left %d", message != NULL, left);
  if (message)
    say(stdout, "type %d, handle %d, result %d", (int)message->msg, message->easy_handle == w.easy,
        (int)message->data.result);
  message = curl_multi_info_read(multi, &left);
  say(stdout, "message %d, left %d", message != NULL, left);
  say(stdout, "running %d", running_now(multi));
  part(multi, &w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

void multi_messages_in_queue(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w[3];
  int left = -1;

  serve_hello();
  for (int i = 0; i < 3; i++) {
    watch_open(&w[i], "hello");
    watch_apart(&w[i]);
    set(&w[i], USERAGENT, i == 0 ? "a" : i == 1 ? "b" : "c");
    join(multi, &w[i]);
  }
  run(multi);
  while (curl_multi_info_read(multi, &left))
    say(stdout, "left %d", left);
  say(stdout, "left %d", left);
  for (int i = 0; i < 3; i++) {
    part(multi, &w[i]);
    watch_close(&w[i]);
  }
  curl_multi_cleanup(multi);
}

void multi_joined_twice(void)
{
  CURLM *multi = curl_multi_init(), *other = curl_multi_init();
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  join(multi, &w);
  join(multi, &w);
  join(other, &w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  join(multi, &w);
  part(multi, &w);
  part(multi, &w);
  part(other, &w);
  watch_close(&w);
  curl_multi_cleanup(multi);
  curl_multi_cleanup(other);
}

/* Still in the multi handle: libcurl refuses. */
void multi_and_perform(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  join(multi, &w);
  watch_perform(&w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  watch_perform(&w);
  part(multi, &w);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

void multi_after_perform(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  watch_perform(&w);
  say_infos(&w);
  join(multi, &w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  say_infos(&w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

void multi_left_at_once(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  join(multi, &w);
  part(multi, &w);
  say(stdout, "messages %d, running %d", take_messages(multi), running_now(multi));
  say_infos(&w);
  watch_perform(&w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

void multi_left_with_a_message(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  join(multi, &w);
  run(multi);
  part(multi, &w);
  say(stdout, "messages %d", take_messages(multi));
  say_infos(&w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

/* The easy handle goes first. */
void multi_cleaned_up_while_joined(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w, other;

  serve_hello();
  watch_open(&w, "hello");
  watch_open(&other, "hello");
  join(multi, &w);
  watch_close(&w);
  say(stdout, "running %d", running_now(multi));
  join(multi, &other);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  watch_close(&other);
  say(stdout, "messages %d", take_messages(multi));
  say(stdout, "multi: %d", (int)curl_multi_cleanup(multi));
}

/* The multi handle goes first. */
void multi_closed_while_joined(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  join(multi, &w);
  say(stdout, "multi: %d", (int)curl_multi_cleanup(multi));
  watch_perform(&w);
  watch_close(&w);
}

void multi_reset_while_done(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  join(multi, &w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  curl_easy_reset(w.easy);
  watch_attach(&w);
  watch_post(&w, "hello");
  join(multi, &w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  say_infos(&w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

/* From inside callbacks. */

static CURLM *outer;

static void call_multi(struct watch *w, int call)
{
  int running = 0;

  if (call != 1)
    return;
  say(w->out, "perform: %d", (int)curl_multi_perform(outer, &running));
  say(w->out, "remove: %d", (int)curl_multi_remove_handle(outer, w->easy));
}

void multi_called_in_a_callback(void)
{
  struct watch w;

  serve_hello();
  outer = curl_multi_init();
  watch_open(&w, "hello");
  w.in_write = call_multi;
  join(outer, &w);
  run(outer);
  say(stdout, "messages %d", take_messages(outer));
  part(outer, &w);
  watch_close(&w);
  curl_multi_cleanup(outer);
}

static void perform_another(struct watch *w, int call)
{
  (void)w;
  if (call == 1)
    perform_with("inner", NULL);
}

void multi_with_a_nested_perform(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve_hello();
  serve("inner", OK "X-Inner: 1\r\n" HELLO);
  watch_open(&w, "hello");
  w.in_write = perform_another;
  join(multi, &w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

/* One ends, and the next one joins: a queue of work. */
void multi_of_a_queue(void)
{
  static const char *const names[] = {"one", "two", "three"};
  CURLM *multi = curl_multi_init();
  struct watch w[3];

  for (int i = 0; i < 3; i++) {
    serve(names[i], OK HELLO);
    watch_open(&w[i], names[i]);
    join(multi, &w[i]);
    run(multi);
    say(stdout, "messages %d", take_messages(multi));
  }
  for (int i = 0; i < 3; i++) {
    part(multi, &w[i]);
    watch_close(&w[i]);
  }
  curl_multi_cleanup(multi);
}

/* Paused, and resumed from the loop. */
void multi_resumed_from_the_loop(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;
  int running;

  serve("pieces", OK "Content-Length: 10\r\n\r\nhello\1world");
  watch_open(&w, "pieces");
  w.write = (struct verdict){1, CURL_WRITEFUNC_PAUSE};
  join(multi, &w);
  do {
    running = running_now(multi);
    curl_multi_wait(multi, NULL, 0, 10, NULL);
  } while (running && !w.writes);
  say(stdout, "running %d, messages %d", running, take_messages(multi));
  say(stdout, "resume: %d", (int)curl_easy_pause(w.easy, CURLPAUSE_CONT));
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

/* Taken out while it is paused. */
void multi_left_while_paused(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;
  int running;

  serve("pieces", OK "Content-Length: 10\r\n\r\nhello\1world");
  watch_open(&w, "pieces");
  w.write = (struct verdict){1, CURL_WRITEFUNC_PAUSE};
  join(multi, &w);
  do {
    running = running_now(multi);
    curl_multi_wait(multi, NULL, 0, 10, NULL);
  } while (running && !w.writes);
  part(multi, &w);
  say(stdout, "messages %d, running %d", take_messages(multi), running_now(multi));
  say_info(&w, CURLINFO_RESPONSE_CODE);
  w.write.at = 0;
  watch_perform(&w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

void multi_with_a_limit(void)
{
  static const char *const names[] = {"one", "two", "three"};
  CURLM *multi = curl_multi_init();
  struct watch w[3];

  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 1L);
  for (int i = 0; i < 3; i++) {
    serve(names[i], OK HELLO);
    watch_open(&w[i], names[i]);
    watch_apart(&w[i]);
    join(multi, &w[i]);
  }
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  for (int i = 0; i < 3; i++) {
    part(multi, &w[i]);
    watch_close(&w[i]);
  }
  curl_multi_cleanup(multi);
}

void multi_with_cookies_and_redirects(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve("from", "HTTP/1.1 307 There\r\nLocation: to\r\nSet-Cookie: on=way\r\n" CLOSE HELLO);
  serve("to", OK "Set-Cookie: at=end\r\n" HELLO);
  watch_open(&w, "from");
  set(&w, COOKIEFILE, "");
  set(&w, FOLLOWLOCATION, 1L);
  join(multi, &w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  say_infos(&w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

void multi_of_the_same_request(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w[3];

  serve("hello", OK "Content-Length: 10\r\n\r\nhello\1world");
  for (int i = 0; i < 3; i++) {
    watch_open(&w[i], "hello");
    watch_apart(&w[i]);
    join(multi, &w[i]);
  }
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  for (int i = 0; i < 3; i++) {
    part(multi, &w[i]);
    say_info(&w[i], CURLINFO_RESPONSE_CODE);
    watch_close(&w[i]);
  }
  curl_multi_cleanup(multi);
}

static void be_hasty(struct watch *w)
{
  set(w, TIMEOUT_MS, 600L);
}

void multi_out_of_time(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve("slow", OK "Content-Length: 10\r\n\r\nhello" STALL "world");
  watch_open(&w, "slow");
  be_hasty(&w);
  join(multi, &w);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

void multi_woken(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  join(multi, &w);
  say(stdout, "wakeup: %d", (int)curl_multi_wakeup(multi));
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}

/* What an event loop is told when a handle joins. */

static long first_timeout;
static int timer_calls;

static int note_timer(CURLM *multi, long timeout_ms, void *user)
{
  (void)multi;
  (void)user;
  if (!timer_calls++)
    first_timeout = timeout_ms;
  return 0;
}

void multi_sets_a_timer(void)
{
  CURLM *multi = curl_multi_init();
  struct watch w;

  serve_hello();
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, note_timer);
  watch_open(&w, "hello");
  say(stdout, "timer calls %d", timer_calls);
  join(multi, &w);
  say(stdout, "timer calls %d, first %ld", timer_calls, first_timeout);
  run(multi);
  say(stdout, "messages %d", take_messages(multi));
  part(multi, &w);
  watch_close(&w);
  curl_multi_cleanup(multi);
}
