/* SPDX-License-Identifier: MIT */
/* Who asks for an answer that is just coming gets what has come, and the rest as it comes. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(streams, .init = open_world, .fini = close_world, .timeout = 120);

static const char body[] = "{\"model\":\"m\",\"stream\":true,\"messages\":[]}";

enum { EVENTS = 12, ALL = 1000 };

/* The world's own texts are few, and the harness uses them too. */
static const char *held(const char *also)
{
  static char url[512];
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/chat/completions?mock=hold%%3D1,events%%3D%d%s", w.port,
           EVENTS, also);
  return url;
}

static size_t has_come(struct run *run)
{
  run_look(run);
  return run->out_len;
}

/* The first piece and no more: the others are held. */
static struct run start_owner(const char *url)
{
  struct run owner = start_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
  wait_until(has_come(&owner) > 0);
  return owner;
}

/* Lets one piece go, and waits until both have it. */
static void next_piece(struct run *owner, struct run *follower)
{
  size_t before = owner->out_len;
  mock_release(&w, 1);
  wait_until(has_come(owner) > before);
  wait_until(has_come(follower) >= owner->out_len);
}

static void expect_the_same(struct run *owner, struct run *follower)
{
  run_wait(owner);
  run_wait(follower);
  expect_success(owner);
  expect_success(follower);
  expect_same_bytes("the follower's stream", owner->out, owner->out_len, follower->out, follower->out_len);
  cr_expect(strstr(follower->out, "[DONE]"));
  cr_expect_eq(mock_count(&w).requests, 1);
}

static void release_both(struct run *owner, struct run *follower)
{
  run_release(owner);
  run_release(follower);
}

/* Nothing is left of what was spooled. */
static bool has_spools(void)
{
  struct run run = run_plain(&w, "find", w.store, "-path", "*/spool/*", NULL);
  bool any = run.out_len > 0;
  run_release(&run);
  return any;
}

/* The ways. */

struct way {
  char name[16], delivery[16], option[4];
};

ParameterizedTestParameters(streams, a_follower_gets_each_piece_as_it_comes)
{
  static struct way ways[] = {
      {"direct", "auto", "-N"},
      {"transport", "transport", "-N"},
      {"multi", "auto", "-Z"},
  };
  return cr_make_param_array(struct way, ways, sizeof(ways) / sizeof(*ways));
}

ParameterizedTest(struct way *way, streams, a_follower_gets_each_piece_as_it_comes)
{
  const char *url = held("");
  struct run owner = start_owner(url);
  world_env(&w, "IDEMSHIM_DELIVERY", "%s", way->delivery);
  struct run follower = start_shim(&w, "curl", "-sSN", way->option, "-d", body, url, NULL);
  wait_until(has_come(&follower) == owner.out_len);
  for (int i = 0; i < 5; i++)
    next_piece(&owner, &follower);
  cr_expect_eq(owner.out_len, follower.out_len, "%s", way->name);
  mock_release(&w, ALL);
  expect_the_same(&owner, &follower);
  cr_expect_eq(log_events(&w, "join"), 1);
  cr_expect_not(has_spools());
  release_both(&owner, &follower);
}

Test(streams, nothing_is_spooled_that_nobody_follows)
{
  struct run owner = start_owner(held(""));
  mock_release(&w, ALL);
  run_wait(&owner);
  expect_success(&owner);
  struct run run = run_plain(&w, "test", "-e", world_text(&w, "%s/spool", w.store), NULL);
  cr_expect_eq(run.status, 1);
  run_release(&run);
  run_release(&owner);
}

Test(streams, what_is_no_stream_is_given_whole)
{
  const char *json = "{\"model\":\"m\",\"messages\":[]}";
  const char *url = world_url(&w, "/v1/chat/completions?mock=hold%3D1,chunk%3D50");
  struct run owner = start_shim(&w, "curl", "-sSN", "-d", json, url, NULL);
  wait_until(has_come(&owner) > 0);
  struct run follower = start_shim(&w, "curl", "-sSN", "-d", json, url, NULL);
  size_t before = owner.out_len;
  mock_release(&w, 1);
  wait_until(has_come(&owner) > before);
  cr_expect_eq(has_come(&follower), 0);
  mock_release(&w, ALL);
  run_wait(&owner);
  run_wait(&follower);
  expect_same_output(&owner, &follower);
  cr_expect_eq(mock_count(&w).requests, 1);
  release_both(&owner, &follower);
}

enum { CROWD = 20 };

Test(streams, twenty_followers_get_the_same)
{
  const char *url = held("");
  struct run owner = start_owner(url), crowd[CROWD];
  for (int i = 0; i < CROWD; i++) {
    crowd[i] = start_shim(&w, "curl", "-sSN", i % 2 ? "-Z" : "-N", "-d", body, url, NULL);
    if (i < EVENTS / 2)
      next_piece(&owner, &crowd[i / 2]);
  }
  mock_release(&w, ALL);
  for (int i = 0; i < CROWD; i++) {
    expect_the_same(&owner, &crowd[i]);
    run_release(&crowd[i]);
  }
  run_release(&owner);
}

/* With CURLOPT_HEADER an owner has its header among its pieces. */
Test(streams, the_header_of_an_owner_is_no_piece_of_a_follower_s)
{
  static const char ask[] =
      "import pycurl, sys; c = pycurl.Curl(); c.setopt(c.URL, sys.argv[1]); c.setopt(c.POSTFIELDS, "
      "sys.argv[2]); "
      "c.setopt(c.HEADER, 1); c.setopt(c.WRITEFUNCTION, sys.stdout.buffer.write); c.perform()";
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D1500,events%3D12");
  struct run owner = start_shim(&w, "/usr/bin/python3", "-c", ask, url, body, NULL);
  wait_until(mock_count(&w).requests == 1);
  struct run follower = start_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
  run_wait(&owner);
  run_wait(&follower);
  expect_success(&owner);
  expect_success(&follower);
  const char *blank = strstr(owner.out, "\r\n\r\n");
  cr_assert_not_null(blank, "%s", owner.out);
  cr_expect_str_eq(blank + 4, follower.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  release_both(&owner, &follower);
}

/* curl shows them behind the body, and they come also of a stream that is not stored. */
static void expect_trailers(const char *name, const char *response, size_t len)
{
  static const char *const ways[] = {"auto", "transport", "auto"};
  struct run owner, others[3];
  mock_lay(&w, name, response, len);
  const char *url = world_url(&w, world_text(&w, "/wire/%s", name));
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mark=off");
  owner = start_shim(&w, "curl", "-sSNi", "-d", body, url, NULL);
  wait_until(has_come(&owner) > 0);
  for (int i = 0; i < 3; i++) {
    world_env(&w, "IDEMSHIM_DELIVERY", "%s", ways[i]);
    others[i] = start_shim(&w, "curl", "-sSNi", i == 2 ? "-Z" : "-N", "-d", body, url, NULL);
  }
  run_wait(&owner);
  expect_success(&owner);
  cr_expect(strstr(owner.out, "[DONE]\n\nX-Sum: abc\r\nX-Sum: d\r\n"), "%s", owner.out);
  for (int i = 0; i < 3; i++) {
    run_wait(&others[i]);
    expect_same_output(&owner, &others[i]);
    run_release(&others[i]);
  }
  run_release(&owner);
}

#define GAPS                                                                                                 \
  "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
#define RESPONSE(size, event)                                                                                \
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" size            \
  "\r\ndata: " event "\n\n\r\n" GAPS "E\r\ndata: [DONE]\n\n\r\n0\r\nX-Sum: abc\r\nX-Sum: d\r\n\r\n"

Test(streams, a_follower_gets_the_trailers)
{
  static const char stored[] = RESPONSE("F", "{\"n\":1}"), unstored[] = RESPONSE("15", "{\"error\":\"x\"}");
  expect_trailers("stored", stored, sizeof(stored) - 1);
  cr_expect_eq(log_events(&w, "stored"), 1);
  expect_trailers("unstored", unstored, sizeof(unstored) - 1);
  cr_expect_eq(log_events(&w, "not_stored"), 1);
  cr_expect_eq(log_events(&w, "join"), 6);
}

/* How it ends. */

/* The exit status of curl 7.74 -Z is 0 whatever has happened. */
static bool ended_with(const struct run *run, int code)
{
  return run->status == code || (run->status == 0 && strstr(run->err, world_text(&w, "curl: (%d)", code)));
}

Test(streams, a_killed_owner_is_a_broken_connection_for_its_followers)
{
  const char *url = held("");
  static const char *const options[] = {"-N", "-Z"};
  struct run owner = start_owner(url), follower[2];
  for (int i = 0; i < 2; i++) {
    follower[i] = start_shim(&w, "curl", "-sSN", options[i], "-d", body, url, NULL);
    wait_until(has_come(&follower[i]) == owner.out_len);
  }
  run_signal(&owner, SIGKILL);
  for (int i = 0; i < 2; i++) {
    run_wait(&follower[i]);
    cr_expect(ended_with(&follower[i], 56), "%s ended with %d: %s", options[i], follower[i].status,
              follower[i].err);
    expect_same_bytes("what had come", owner.out, owner.out_len, follower[i].out, follower[i].out_len);
    run_release(&follower[i]);
  }
  cr_expect_eq(mock_count(&w).requests, 1);
  mock_release(&w, ALL);
  struct run again = run_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
  expect_success(&again);
  cr_expect(strstr(again.out, "[DONE]"));
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "in_doubt"), 1);
  run_wait(&owner);
  release_both(&owner, &again);
}

Test(streams, a_stream_that_is_no_answer_is_followed_to_its_end)
{
  static const char *const options[] = {"-N", "-Z"};
  const char *url = held(",error_event%3D2");
  struct run owner = start_owner(url), follower[2];
  for (int i = 0; i < 2; i++) {
    follower[i] = start_shim(&w, "curl", "-sSN", options[i], "-d", body, url, NULL);
    wait_until(has_come(&follower[i]) == owner.out_len);
  }
  mock_release(&w, ALL);
  for (int i = 0; i < 2; i++) {
    expect_the_same(&owner, &follower[i]);
    run_release(&follower[i]);
  }
  cr_expect_eq(log_events(&w, "not_stored"), 1);
  run_release(&owner);
}

Test(streams, a_stream_that_breaks_off_breaks_off_for_all)
{
  static const char *const options[] = {"-N", "-Z"};
  const char *url = held(",truncate%3D2");
  struct run owner = start_owner(url), follower[2];
  for (int i = 0; i < 2; i++) {
    follower[i] = start_shim(&w, "curl", "-sSN", options[i], "-d", body, url, NULL);
    wait_until(has_come(&follower[i]) == owner.out_len);
  }
  mock_release(&w, ALL);
  run_wait(&owner);
  for (int i = 0; i < 2; i++) {
    run_wait(&follower[i]);
    cr_expect(ended_with(&follower[i], owner.status), "%s", options[i]);
    expect_same_bytes("what came", owner.out, owner.out_len, follower[i].out, follower[i].out_len);
    run_release(&follower[i]);
  }
  cr_expect_eq(owner.status, 18);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&owner);
}

static void expect_limit(const char *option, const char *value, const char *words)
{
  const char *url = held("");
  struct run owner = start_owner(url);
  struct run follower = start_shim(&w, "curl", "-sSN", option, value, "-d", body, url, NULL);
  run_wait(&follower);
  cr_expect_eq(follower.status, 28, "%d", follower.status);
  cr_expect(strstr(follower.err, words), "%s", follower.err);
  expect_same_bytes("what had come", owner.out, owner.out_len, follower.out, follower.out_len);
  mock_release(&w, ALL);
  run_wait(&owner);
  expect_success(&owner);
  cr_expect_eq(mock_count(&w).requests, 1);
  release_both(&owner, &follower);
}

Test(streams, a_follower_keeps_its_own_timeout)
{
  expect_limit("--max-time", "1", "Operation timed out after");
}

Test(streams, a_follower_by_transport_keeps_its_own_timeout)
{
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  expect_limit("--max-time", "1", "Operation timed out after");
}

Test(streams, a_follower_keeps_its_own_limit_of_speed)
{
  expect_limit("-Y1000000", "-y1", "Operation too slow. Less than 1000000 bytes/sec");
}

/* How long a stream gets nobody knows, so libcurl watches; since 8.4 it ends one that grows too long. */
Test(streams, a_follower_keeps_its_own_limit_of_size)
{
  const bool ends = libcurl_version() >= 0x080400;
  const char *url = held("");
  struct run owner = start_owner(url);
  struct run follower = start_shim(&w, "curl", "-sSN", "--max-filesize", world_text(&w, "%zu", owner.out_len),
                                   "-d", body, url, NULL);
  wait_until(has_come(&follower) == owner.out_len);
  mock_release(&w, ALL);
  run_wait(&owner);
  run_wait(&follower);
  expect_success(&owner);
  cr_expect_eq(follower.status, ends ? 63 : 0, "%d", follower.status);
  if (!ends)
    expect_same_output(&owner, &follower);
  cr_expect(log_contains(&w, "\"via\":\"transport\""));
  cr_expect_eq(mock_count(&w).requests, 1);
  release_both(&owner, &follower);
}

Test(streams, an_owner_that_gives_up_leaves_a_copy_that_is_followed_on)
{
  static const char *const options[] = {"-N", "-Z"};
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=10m");
  for (int i = 0; i < 2; i++) {
    const char *url = held(i ? ",size%3D2000" : "");
    mock_reset(&w);
    struct run owner = start_shim(&w, "curl", "-sSN", "--max-time", "2", "-d", body, url, NULL);
    wait_until(has_come(&owner) > 0);
    struct run early = start_shim(&w, "curl", "-sSN", options[i], "-d", body, url, NULL);
    wait_until(has_come(&early) == owner.out_len);
    run_wait(&owner);
    cr_expect_eq(owner.status, 28);
    struct run late = start_shim(&w, "curl", "-sSN", options[i], "-d", body, url, NULL);
    wait_until(has_come(&late) == owner.out_len);
    next_piece(&early, &late);
    mock_release(&w, ALL);
    expect_the_same(&early, &late);
    wait_until(world_orphans(&w) == 0);
    cr_expect_not(has_spools());
    release_both(&early, &late);
    run_release(&owner);
  }
}

Test(streams, an_encrypted_store_has_no_word_of_it)
{
  const char *url = held("");
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32));
  struct run owner = start_owner(url);
  struct run follower = start_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
  wait_until(has_come(&follower) == owner.out_len);
  for (int i = 0; i < 3; i++)
    next_piece(&owner, &follower);
  cr_expect(has_spools());
  struct run words = run_plain(&w, "grep", "-r", "-l", "-a", "-e", "chat.completion", "-e", "127.0.0.1", "-e",
                               "data:", w.store, NULL);
  cr_expect_eq(words.status, 1, "%s", words.out);
  mock_release(&w, ALL);
  expect_the_same(&owner, &follower);
  run_release(&words);
  release_both(&owner, &follower);
}

/* What libcurl tells of it afterwards is what it tells of any replay. */
Test(streams, getinfo_tells_of_the_whole)
{
  static const char *const ways[] = {"auto", "transport"};
  const char *told = "\n%{http_code} %{size_download} %{size_header} %{num_headers} %{content_type} "
                     "%{remote_ip} %{http_version} %{num_connects} %{size_upload} %{exitcode}\n";
  for (int i = 0; i < 2; i++) {
    const char *url = held(i ? ",size%3D2000" : "");
    struct run owner = start_owner(url);
    world_env(&w, "IDEMSHIM_DELIVERY", "%s", ways[i]);
    struct run follower = start_shim(&w, "curl", "-sSN", "-w", told, "-d", body, url, NULL);
    wait_until(has_come(&follower) == owner.out_len);
    mock_release(&w, ALL);
    run_wait(&owner);
    run_wait(&follower);
    struct run hit = run_shim(&w, "curl", "-sSN", "-w", told, "-d", body, url, NULL);
    expect_same_output(&hit, &follower);
    run_release(&hit);
    release_both(&owner, &follower);
    mock_reset(&w);
  }
}

/* What a program is given, piece by piece, is what it would be given by the server. */
struct moment {
  char interface[8], what[8];
};

ParameterizedTestParameters(streams, a_follower_is_told_what_the_server_would_tell)
{
  static struct moment moments[] = {
      {"easy", "nothing"},  {"easy", "include"},  {"easy", "pause"},  {"easy", "abort"},  {"easy", "cookies"},
      {"multi", "nothing"}, {"multi", "include"}, {"multi", "pause"}, {"multi", "abort"},
  };
  return cr_make_param_array(struct moment, moments, sizeof(moments) / sizeof(*moments));
}

static int lines_of(struct run *run)
{
  int lines = 0;
  run_look(run);
  for (const char *at = run->out; at && (at = strchr(at, '\n')); at++)
    lines++;
  return lines;
}

static bool has_ended(struct run *run)
{
  run_look(run);
  return strstr(run->out, "end: ") != NULL;
}

/* One piece after the other, each when the one before has been given. */
static void step_through(struct run *run)
{
  for (int i = 0, before; i < EVENTS + 8 && !has_ended(run); i++) {
    before = lines_of(run);
    mock_release(&w, 1);
    wait_until(lines_of(run) > before || has_ended(run));
  }
  wait_until(has_ended(run));
  mock_release(&w, ALL);
  run_wait(run);
}

ParameterizedTest(struct moment *moment, streams, a_follower_is_told_what_the_server_would_tell)
{
  const char *url = held("");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mark=off inject=off rescue=off");
  struct run plain = start_plain(&w, "stream_edge_cases", moment->interface, moment->what, url, body, NULL);
  wait_until(lines_of(&plain) > 0 && strstr(plain.out, "write"));
  step_through(&plain);
  mock_start_anew(&w);
  url = held("");
  struct run owner = start_shim(&w, "stream_edge_cases", "easy", "nothing", url, body, NULL);
  wait_until(lines_of(&owner) > 0 && strstr(owner.out, "write"));
  struct run follower = start_shim(&w, "stream_edge_cases", moment->interface, moment->what, url, body, NULL);
  wait_until(lines_of(&follower) > 0 && strstr(follower.out, "write"));
  step_through(&follower);
  run_wait(&owner);
  cr_expect_str_eq(follower.out, plain.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&plain);
  release_both(&owner, &follower);
}

/* Both exchanges, each with its times, and then the same bytes without a server. */
Test(streams, a_tape_has_what_each_was_given)
{
  const char *url = held("");
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  struct run owner = start_owner(url);
  struct run follower = start_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
  wait_until(has_come(&follower) == owner.out_len);
  next_piece(&owner, &follower);
  mock_release(&w, ALL);
  expect_the_same(&owner, &follower);
  mock_stop(&w);
  world_env(&w, "IDEMSHIM_MODE", "replay");
  struct run again = run_shim(&w, "curl", "-sSN", "-d", body, url, "--next", "-sSN", "-d", body, url, NULL);
  expect_success(&again);
  cr_assert_eq(again.out_len, 2 * owner.out_len);
  expect_same_bytes("what the owner got", owner.out, owner.out_len, again.out, owner.out_len);
  expect_same_bytes("what the follower got", owner.out, owner.out_len, again.out + owner.out_len,
                    again.out_len - owner.out_len);
  run_release(&again);
  release_both(&owner, &follower);
}

ParameterizedTestParameters(streams, two_calls_of_one_multi_share_a_stream)
{
  static char loops[][16] = {"poll", "wait", "fdset", "sleep", "epoll", "all"};
  return cr_make_param_array(char[16], loops, sizeof(loops) / sizeof(*loops));
}

ParameterizedTest(char (*loop)[16], streams, two_calls_of_one_multi_share_a_stream)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=events%3D40,chunk_delay_ms%3D10");
  struct run run = run_shim(&w, "multi_calls", *loop, "1", url, body, body, body, body, NULL);
  expect_success(&run);
  cr_expect_eq(mock_count(&w).requests, 1);
  const char *first = strstr(run.out, "bytes=");
  char same[64];
  cr_assert(first);
  snprintf(same, sizeof(same), "%.*s", (int)strcspn(first, "\n"), first);
  cr_expect_eq(count_of(run.out, same), 4, "%s", run.out);
  cr_expect_eq(log_events(&w, "join"), 3);
  run_release(&run);
}
