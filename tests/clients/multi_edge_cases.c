/* SPDX-License-Identifier: MIT */
/*
 * multi_edge_cases CASE LOOP URL
 *
 * POSTs in a multi whose app does what CASE says at an odd moment; shows what it sees. LOOP: multi_loops.h.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <sys/wait.h>

static struct loop loop;
static const char *url;
static CURL *handle, *other;
static struct reply reply, second;
static bool paused;
static unsigned moments;

static const char body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
static const char other_body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"ho\"}]}";

static const char third_body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hu\"}]}";

static void say(const char *what, int code)
{
  printf("%s: %d\n", what, code);
}

static void add(CURL *easy)
{
  loop_note(&loop, curl_multi_add_handle(loop.multi, easy));
}

static void unpause(void)
{
  if (paused) {
    paused = false;
    curl_easy_pause(handle, CURLPAUSE_CONT);
  }
}

/* Until so many have ended, whichever is first. */
static void finish(unsigned count)
{
  CURLcode codes[2] = {CURLE_OK, CURLE_OK};
  bool ended[2] = {false, false};
  CURLMsg *message;
  int left;

  while (count) {
    loop_step(&loop, 5);
    unpause();
    while ((message = curl_multi_info_read(loop.multi, &left))) {
      bool first = message->easy_handle == handle;
      ended[!first] = true;
      codes[!first] = message->data.result;
      loop_note(&loop, curl_multi_remove_handle(loop.multi, message->easy_handle));
      count--;
    }
  }
  if (ended[0])
    reply_print("first", handle, codes[0], &reply);
  if (ended[1])
    reply_print("second", other, codes[1], &second);
  reply.len = second.len = 0;
}

static void perform_in_a_multi(void)
{
  add(handle);
  say("easy_perform", curl_easy_perform(handle));
  finish(1);
}

static void add_twice(void)
{
  CURLM *another = curl_multi_init();

  say("add", curl_multi_add_handle(loop.multi, handle));
  say("add again", curl_multi_add_handle(loop.multi, handle));
  say("add elsewhere", curl_multi_add_handle(another, handle));
  say("remove elsewhere", curl_multi_remove_handle(another, handle));
  finish(1);
  say("remove again", curl_multi_remove_handle(loop.multi, handle));
  curl_multi_cleanup(another);
}

/* A handle that is done is still in. */
static void add_after_the_end(void)
{
  add(handle);
  while (loop.running)
    loop_step(&loop, 5);
  say("add when done", curl_multi_add_handle(loop.multi, handle));
  finish(1);
  add(handle);
  finish(1);
}

static void clean_the_multi_up(void)
{
  add(handle);
  add(other);
  loop_step(&loop, 10);
  say("cleanup", curl_multi_cleanup(loop.multi));
  loop.multi = curl_multi_init();
}

static void clean_the_handle_up(void)
{
  add(handle);
  add(other);
  loop_step(&loop, 10);
  curl_easy_cleanup(other);
  other = NULL;
  finish(1);
}

static void take_a_message_away(void)
{
  int left = -1;

  add(handle);
  add(other);
  while (loop.running)
    loop_step(&loop, 5);
  say("remove", curl_multi_remove_handle(loop.multi, other));
  CURLMsg *message = curl_multi_info_read(loop.multi, &left);
  say("of the first", message && message->easy_handle == handle);
  say("left", left);
  say("none", curl_multi_info_read(loop.multi, &left) == NULL);
  say("remove", curl_multi_remove_handle(loop.multi, handle));
}

static void move_to_another(void)
{
  struct loop first = loop;

  add(handle);
  loop_step(&loop, 10);
  loop_note(&loop, curl_multi_remove_handle(loop.multi, handle));
  reply.len = 0;
  if (!loop_open(&loop, "poll"))
    return;
  add(handle);
  finish(1);
  loop_close(&loop);
  loop = first;
  reply_print("easy", handle, curl_easy_perform(handle), &reply);
  reply.len = 0;
  add(handle);
  finish(1);
}

/* In a callback. */

static size_t call_the_multi(char *data, size_t size, size_t count, void *to)
{
  int running = 0, left = 0;

  if (!moments++) {
    say("perform", curl_multi_perform(loop.multi, &running));
    say("socket_action", curl_multi_socket_action(loop.multi, CURL_SOCKET_TIMEOUT, 0, &running));
    say("add", curl_multi_add_handle(loop.multi, other));
    say("remove", curl_multi_remove_handle(loop.multi, handle));
    say("cleanup", curl_multi_cleanup(loop.multi));
    say("no message", curl_multi_info_read(loop.multi, &left) == NULL);
  }
  return reply_take(data, size, count, to);
}

static void call_from_inside(void)
{
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, call_the_multi);
  add(handle);
  finish(1);
  add(other);
  finish(1);
}

static size_t upper(char *data, size_t size, size_t count, void *to)
{
  for (size_t i = 0; i < size * count; i++)
    data[i] &= ~0x20;
  return reply_take(data, size, count, to);
}

/* CURLOPT_HEADER comes too late for this answer. */
static size_t change_callbacks(char *data, size_t size, size_t count, void *to)
{
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, upper);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &second);
  curl_easy_setopt(handle, CURLOPT_HEADER, 1L);
  return reply_take(data, size, count, to);
}

static void change_in_flight(void)
{
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, change_callbacks);
  add(handle);
  while (loop.running)
    loop_step(&loop, 5);
  printf("%zu bytes, from the change on %s\n", reply.len + second.len,
         second.len && memchr(second.bytes, 'h', second.len) ? "as they came" : "in upper case");
  loop_note(&loop, curl_multi_remove_handle(loop.multi, handle));
}

static size_t reset_at_the_first(char *data, size_t size, size_t count, void *to)
{
  if (!moments++) {
    curl_easy_reset(handle);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, reply_take);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &reply);
  }
  return reply_take(data, size, count, to);
}

static void reset_in_flight(void)
{
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, reset_at_the_first);
  add(handle);
  finish(1);
}

static void reset_in_an_easy_call(void)
{
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, reset_at_the_first);
  reply_print("easy", handle, curl_easy_perform(handle), &reply);
}

/* Since libcurl 8.22 such a reset does nothing, and what goes out then has the body. */
static void go_on_after_such_a_reset(void)
{
  char elsewhere[256];

  reset_in_an_easy_call();
  reply.len = 0;
  snprintf(elsewhere, sizeof elsewhere, "%s&elsewhere=1", url);
  curl_easy_setopt(handle, CURLOPT_URL, elsewhere);
  reply_print("again", handle, curl_easy_perform(handle), &reply);
}

/* Some hundred times in all: the loop is late after each of them. */
static size_t pause_once_in_ten(char *data, size_t size, size_t count, void *to)
{
  if (moments++ % 10 == 0) {
    paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  return reply_take(data, size, count, to);
}

static void pause_often(void)
{
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, pause_once_in_ten);
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 1024L);
  add(handle);
  finish(1);
}

static size_t copy_once(char *data, size_t size, size_t count, void *to)
{
  if (!moments++) {
    curl_easy_cleanup(other);
    other = curl_easy_duphandle(handle);
    curl_easy_setopt(other, CURLOPT_WRITEFUNCTION, reply_take);
    curl_easy_setopt(other, CURLOPT_WRITEDATA, &second);
  }
  return reply_take(data, size, count, to);
}

static void copy_in_flight(void)
{
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, copy_once);
  add(handle);
  finish(1);
  add(other);
  finish(1);
}

static size_t refuse(char *data, size_t size, size_t count, void *to)
{
  (void)data;
  (void)to;
  return size * count / 2;
}

static void refuse_the_body(void)
{
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, refuse);
  add(handle);
  finish(1);
}

/* The first is the owner of the call that both make; it is taken away while its request is answered. */
static void remove_the_owner(void)
{
  long sent = 0;

  curl_easy_setopt(other, CURLOPT_POSTFIELDS, body);
  add(handle);
  add(other);
  while (sent == 0) {
    loop_step(&loop, 10);
    curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &sent);
  }
  loop_note(&loop, curl_multi_remove_handle(loop.multi, handle));
  reply.len = 0;
  finish(1);
}

/* What libcurl tells of a handle that it has not begun with is about the handle's last call, whose connection
 * the next one takes. */
static void remove_before_the_first_turn(void)
{
  add(handle);
  finish(1);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, third_body);
  add(handle);
  loop_note(&loop, curl_multi_remove_handle(loop.multi, handle));
  add(other);
  finish(1);
}

/* Three times the same, one after the other. */
static void share_one_connection(void)
{
  struct reply third = {0};
  CURL *last = post_new(url, body, &third);

  curl_multi_setopt(loop.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 1L);
  curl_easy_setopt(other, CURLOPT_POSTFIELDS, body);
  add(handle);
  add(other);
  add(last);
  finish(3);
  curl_easy_cleanup(last);
  free(third.bytes);
}

/* libcurl reads the options in the first turn. */
static void change_before_the_first_turn(void)
{
  char elsewhere[256], there[64], port[16] = "";
  struct curl_slist *to;
  const char *colon = strrchr(url, ':');

  snprintf(elsewhere, sizeof elsewhere, "%s&elsewhere=1", url);
  snprintf(port, sizeof port, "%.*s", (int)strcspn(colon, "/"), colon);
  snprintf(there, sizeof there, "127.0.0.1%s:localhost%s", port, port);
  to = curl_slist_append(NULL, there);
  add(handle);
  finish(1);
  /* Now the store has that answer. */
  add(handle);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, other_body);
  finish(1);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, third_body);
  add(handle);
  curl_easy_setopt(handle, CURLOPT_URL, elsewhere);
  finish(1);
  curl_easy_setopt(handle, CURLOPT_URL, url);
  add(handle);
  curl_easy_setopt(handle, CURLOPT_CONNECT_TO, to);
  finish(1);
  curl_easy_setopt(handle, CURLOPT_CONNECT_TO, NULL);
  add(handle);
  finish(1);
  add(handle);
  curl_easy_reset(handle);
  finish(1);
  curl_slist_free_all(to);
}

/* libcurl takes NULL for the count from 8.9.1 on. */
static void never_ask_how_many(void)
{
  CURLMsg *message;
  int left;

  add(handle);
  while (!(message = curl_multi_info_read(loop.multi, &left))) {
    loop_wait_wait(&loop, 10);
    loop_note(&loop, loop.wait == loop_wait_all ? curl_multi_socket_all(loop.multi, NULL)
                                                : curl_multi_perform(loop.multi, NULL));
  }
  CURLcode code = message->data.result;
  loop_note(&loop, curl_multi_socket_action(loop.multi, CURL_SOCKET_TIMEOUT, 0, NULL));
  loop_note(&loop, curl_multi_remove_handle(loop.multi, handle));
  reply_print("first", handle, code, &reply);
}

/* The child lets its copies alone, and makes a call of its own. */
static void fork_in_flight(void)
{
  pid_t child;
  int status = 0;

  add(handle);
  add(other);
  loop_step(&loop, 10);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    CURL *own = post_new(url, other_body, &second);
    CURLcode code = own ? curl_easy_perform(own) : CURLE_FAILED_INIT;
    _exit((int)code);
  }
  finish(2);
  waitpid(child, &status, 0);
  say("child", status);
}

/* The child makes the same calls anew, some at once and then some more. */
static int repeat_in_the_child(void)
{
  struct reply replies[6] = {{0}};
  CURL *own[6];
  int failed = 0;

  if (!loop_open(&loop, "poll"))
    return 99;
  for (int i = 0; i < 6; i++) {
    own[i] = post_new(url, i % 2 ? body : other_body, &replies[i]);
    add(own[i]);
    for (int n = 0; i % 3 == 2 && (n == 0 || loop.running); n++)
      loop_step(&loop, 5);
  }
  for (int i = 0; i < 6; i++)
    failed += replies[i].len == 0;
  return failed;
}

static void fork_while_waiting(void)
{
  pid_t child;
  int status = 0;

  add(handle);
  add(other);
  for (int i = 0; i < 3; i++)
    loop_step(&loop, 5);
  fflush(stdout);
  child = fork();
  if (child == 0)
    _exit(repeat_in_the_child());
  finish(2);
  waitpid(child, &status, 0);
  say("child", status);
}

static const struct {
  const char *name;
  void (*run)(void);
} cases[] = {
    {"perform-in-a-multi", perform_in_a_multi},
    {"add-twice", add_twice},
    {"add-after-the-end", add_after_the_end},
    {"clean-the-multi-up", clean_the_multi_up},
    {"clean-the-handle-up", clean_the_handle_up},
    {"take-a-message-away", take_a_message_away},
    {"move-to-another", move_to_another},
    {"call-from-inside", call_from_inside},
    {"change-in-flight", change_in_flight},
    {"reset-in-flight", reset_in_flight},
    {"reset-in-an-easy-call", reset_in_an_easy_call},
    {"reset-in-an-easy-call-and-go-on", go_on_after_such_a_reset},
    {"pause-often", pause_often},
    {"copy-in-flight", copy_in_flight},
    {"refuse-the-body", refuse_the_body},
    {"remove-the-owner", remove_the_owner},
    {"remove-before-the-first-turn", remove_before_the_first_turn},
    {"share-one-connection", share_one_connection},
    {"change-before-the-first-turn", change_before_the_first_turn},
    {"never-ask-how-many", never_ask_how_many},
    {"fork-while-waiting", fork_while_waiting},
    {"fork-in-flight", fork_in_flight},
};

int main(int argc, char **argv)
{
  if (argc != 4 || !loop_open(&loop, argv[2])) {
    fprintf(stderr, "usage: multi_edge_cases CASE LOOP URL\n");
    return 2;
  }
  url = argv[3];
  handle = post_new(url, body, &reply);
  other = post_new(url, other_body, &second);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (strcmp(cases[i].name, argv[1]) == 0) {
      cases[i].run();
      moments = 1;
    }
  curl_easy_cleanup(handle);
  curl_easy_cleanup(other);
  loop_close(&loop);
  free(reply.bytes);
  free(second.bytes);
  return loop.errors || !moments;
}
