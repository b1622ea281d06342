/* SPDX-License-Identifier: MIT */
/* Requests whose body, method or sender comes about in an unusual way: what goes out is what goes out without
 * us, and two that differ never share an answer. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(odd_requests, .init = open_world, .fini = close_world);

static const char target[] = "/v1/chat/completions";

static struct run odd(bool shim, const char *name, const char *url, const char *text)
{
  return run_argv(&w, shim, (const char *const[]){"unusual_requests", name, url, text, NULL});
}

/* Method and body of the last request that came in; a form's boundary is random. */
static void expect_same_last_request(const char *name)
{
  json_t *requests = mock_requests(&w);
  size_t count = json_array_size(requests);
  cr_assert_geq(count, 2);
  const json_t *a = json_array_get(requests, count - 2), *b = json_array_get(requests, count - 1);
  cr_expect(json_equal(json_object_get(a, "method"), json_object_get(b, "method")), "%s", name);
  cr_expect(json_equal(json_object_get(a, "body_size"), json_object_get(b, "body_size")), "%s", name);
  cr_expect(strcmp(name, "form") == 0 || json_equal(json_object_get(a, "body"), json_object_get(b, "body")),
            "%s", name);
  json_decref(requests);
}

struct unusual_request {
  char name[32];
  char event[16]; /* what becomes of the call */
};

ParameterizedTestParameters(odd_requests, what_goes_out_is_what_goes_out_without_us)
{
  static struct unusual_request cases[] = {
      {"size-after-copy", "stored"},
      {"smaller-size-after-copy", "stored"},
      {"upload-then-fields", "bypass"},
      {"form-taken-away", "bypass"},
      {"form", "stored"},
      {"empty-post", "stored"},
      {"chunked-and-sized", "stored"},
      {"paused-reader", "bypass"},
      {"greedy-reader", "stored"},
      {"refused-first", "stored"},
      {"refused-then-rewound", "stored"},
      {"refused-then-another", "stored"},
      {"engine-cookie", "stored"},
      {"tls-user", "bypass"},
  };
  return cr_make_param_array(struct unusual_request, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct unusual_request *request, odd_requests, what_goes_out_is_what_goes_out_without_us)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1"); /* on any port */
  struct run plain = odd(false, request->name, world_url(&w, target), "1234");
  struct run live = odd(true, request->name, world_url(&w, target), "1234");
  expect_success(&plain);
  expect_success(&live);
  cr_expect(strstr(plain.out, "rc=0 status=200"), "%s", plain.out);
  cr_expect(strstr(live.out, "rc=0 status=200"), "%s", live.out);
  cr_expect_eq(log_events(&w, request->event), 1, "%s: not %s", request->name, request->event);
  expect_same_last_request(request->name);
  run_release(&plain);
  run_release(&live);
  close_world();
}

/* A reader that speaks for ten seconds is not read ahead to its end: the app's timeout and its progress
 * callback count meanwhile. */
Test(odd_requests, a_reader_that_goes_on_is_fed_on)
{
  static const struct {
    const char *name, *says;
  } cases[] = {{"dripping-reader", "rc=28 "},
               {"dripping-and-stopped", "rc=42 "},
               {"dripping-part", "rc=28 "},
               {"dripping-part-and-stopped", "rc=42 "}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    for (int shim = 0; shim < 2; shim++) {
      struct run r = odd(shim, cases[i].name, world_url(&w, target), "");
      cr_expect(strstr(r.out, cases[i].says), "%d: %s", shim, r.out);
      cr_expect(strstr(r.out, "\nread in part\n"), "%d: %s", shim, r.out);
      run_release(&r);
    }
  cr_expect_eq(log_events(&w, "bypass"), 4);
  cr_expect(log_contains(&w, "READFUNCTION goes on for too long"));
  cr_expect(log_contains(&w, "a form's reader goes on for too long"));
}

static unsigned long room_of(bool shim, const char *name, const char *size)
{
  struct run r = odd(shim, name, world_url(&w, target), size);
  const char *room = strstr(r.out, "\nroom ");
  cr_assert_not_null(room, "%s", r.out);
  cr_expect(strstr(r.out, "rc=0 status=200"), "%s", r.out);
  unsigned long most = strtoul(room + 6, NULL, 10);
  run_release(&r);
  return most;
}

/* A program that asks for a smaller buffer may write no more than that at once, and one for a larger has its
 * pieces. Since 8.7 libcurl has its request's header in the buffer before, and what is left of it differs. */
Test(odd_requests, a_reader_is_offered_the_room_of_libcurl_s_buffer)
{
  static const char *const names[] = {"room-sized", "room-chunked", "room-part"}, *const sizes[] = {
                                                                                      "", "1", "20000",
                                                                                      "2000000", "3000000"};
  const bool exact = libcurl_version() < 0x080700;
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
    for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
      unsigned long plain = room_of(false, names[i], sizes[j]), shim = room_of(true, names[i], sizes[j]);
      /* A form of 300 KB does not fill the larger ones, which begin with the part's header. */
      bool same = exact && (i < 2 || j < 3);
      cr_expect(same ? shim == plain : shim < plain + 1024, "%s %s: %lu and %lu", names[i], sizes[j], plain,
                shim);
      cr_expect(exact || shim + 1024 > plain, "%s %s: %lu and %lu", names[i], sizes[j], plain, shim);
    }
}

/* The app resumes it when it will, and is not asked before; a pause that it has ended is none for libcurl. */
Test(odd_requests, a_reader_s_pause_is_told_once)
{
  static const struct {
    const char *name, *loop;
  } paused[] = {{"paused-reader", NULL}, {"paused-reader", "multi"}, {"reader-paused-twice", "multi"},
                {"paused-part", NULL},   {"paused-part", "multi"},   {"part-paused-twice", "multi"}};
  enum { COUNT = sizeof(paused) / sizeof(paused[0]) };
  const char *url = world_url(&w, target);
  for (int i = 0; i < COUNT; i++)
    for (int shim = 0; shim < 2; shim++) {
      struct run r = run_argv(
          &w, shim,
          (const char *const[]){"unusual_requests", paused[i].name, url, "123456", paused[i].loop, NULL});
      cr_expect(strstr(r.out, "rc=0 status=200"), "%d: %s", i, r.out);
      cr_expect(strstr(r.out, "error \"\" rewinds 0 early 0\n"), "%d %d: %s", i, shim, r.out);
      run_release(&r);
    }
  cr_expect_eq(log_events(&w, "bypass"), COUNT);
  json_t *requests = mock_requests(&w);
  for (size_t i = 0; i < json_array_size(requests); i++)
    cr_expect(strstr(json_string_value(json_object_get(json_array_get(requests, i), "body")), "123456"),
              "%zu", i);
  cr_expect_eq(json_array_size(requests), 2 * COUNT);
  json_decref(requests);
}

/* A server sees where a chunk ends: the framing is as long as without us. */
static void expect_same_chunks(const char *name, const char *event)
{
  struct run plain = odd(false, name, world_url(&w, target), "123456");
  struct run live = odd(true, name, world_url(&w, target), "123456");
  const char *sent = strstr(plain.out, "\nsent "), *end = sent ? strchr(sent + 1, '\n') : NULL;
  cr_assert_not_null(end, "%s", plain.out);
  cr_expect_gt(strtoul(sent + 6, NULL, 10), 6);
  char line[64];
  snprintf(line, sizeof(line), "%.*s", (int)(end - sent) + 1, sent);
  cr_expect(strstr(live.out, line), "%s%s", line, live.out);
  cr_expect_eq(log_events(&w, event), 1);
  run_release(&plain);
  run_release(&live);
}

Test(odd_requests, the_pieces_of_a_part_s_reader_are_chunks)
{
  expect_same_chunks("chunked-part", "stored");
}

/* One that goes on is read by us, and then by libcurl. */
Test(odd_requests, a_part_s_reader_that_goes_on_is_sent_whole)
{
  expect_same_chunks("dripping-part-to-its-end", "bypass");
  json_t *requests = mock_requests(&w);
  cr_expect_eq(json_array_size(requests), 2);
  for (size_t i = 0; i < json_array_size(requests); i++) {
    const char *body = json_string_value(json_object_get(json_array_get(requests, i), "body"));
    const char *at = body ? strstr(body, "\r\n\r\n1") : NULL;
    cr_assert_not_null(at, "%s", body);
    cr_expect_eq(strspn(at + 4, "1"), 300, "%s", body);
  }
  json_decref(requests);
}

/* A reader that replaces a copy, a size that cuts one, a cookie in libcurl's engine: each makes another
 * request. */
static void expect_two_operations(const char *name)
{
  struct run first = odd(true, name, world_url(&w, target), "1234");
  struct run other = odd(true, name, world_url(&w, target), "987");
  expect_success(&first);
  expect_success(&other);
  cr_expect_eq(mock_count(&w).requests, 2, "%s: %ld requests", name, mock_count(&w).requests);
  run_release(&first);
  run_release(&other);
  mock_reset(&w);
}

Test(odd_requests, a_difference_that_is_set_late_makes_another_operation)
{
  expect_two_operations("size-after-copy");
  expect_two_operations("smaller-size-after-copy");
  expect_two_operations("engine-cookie");
  expect_two_operations("tls-user");
}

/* libcurl refuses a call without a URL before it forgets the last one, and one with an
 * empty URL after that. */
Test(odd_requests, a_call_without_a_url_keeps_the_facts_of_the_last_one)
{
  static const char *const names[] = {"then-no-url", "then-empty-url"}, *const ways[] = {"transport", "auto"};
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mark=off inject=off");
  struct run first = odd(true, names[0], world_url(&w, target), "");
  for (size_t i = 0; i < 2; i++)
    for (size_t j = 0; j < 2; j++) {
      world_env(&w, "IDEMSHIM_DELIVERY", "%s", ways[j]);
      struct run live = odd(false, names[i], world_url(&w, target), "");
      struct run hit = odd(true, names[i], world_url(&w, target), "");
      const char *facts = strstr(live.out, "\nfacts "), *own = strstr(hit.out, "\nfacts ");
      cr_assert(facts && own, "%s%s", live.out, hit.out);
      cr_expect_eq(i == 0, strstr(facts, " application/json ") != NULL, "%s", facts);
      cr_expect_str_eq(own, facts, "%s %s", names[i], ways[j]);
      run_release(&live);
      run_release(&hit);
    }
  cr_expect_eq(log_events(&w, "hit"), 4);
  run_release(&first);
}

/* Of an option that is newer than we are nothing is known but that 0 is its default. */
Test(odd_requests, a_newer_option_is_live_while_it_is_set)
{
  static const struct {
    const char *set;
    int bypasses, requests;
  } steps[] = {{"", 0, 1}, {"0", 0, 1}, {"1", 1, 2}, {"1", 2, 3}, {"10", 2, 3}};
  const char *preload =
      world_text(&w, "LD_PRELOAD=\"$LD_PRELOAD %s/tests/failing_add.so\" exec \"$@\"", w.build);
  world_env(&w, "IDEMSHIM_HOOK_DL", "off");
  for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
    bool said = strcmp(steps[i].set, "1") == 0;
    struct run r =
        run_shim(&w, "sh", "-c", preload, "sh", world_text(&w, "%s/tests/unusual_requests", w.build),
                 "newer-option", world_url(&w, target), steps[i].set, NULL);
    cr_expect(strstr(r.out, "rc=0 status=200"), "%s%s", r.out, r.err);
    cr_expect_eq(strstr(r.err, "is not stored: option 345 is newer than this idemshim") != NULL, said, "%s",
                 r.err);
    cr_expect_eq(log_events(&w, "bypass"), steps[i].bypasses, "%s", steps[i].set);
    cr_expect_eq(mock_count(&w).requests, steps[i].requests, "%s", steps[i].set);
    run_release(&r);
  }
}

Test(odd_requests, a_cookie_file_may_say_who_asks)
{
  struct run other;
  const char *jar = world_write(&w, "jar", "127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\talpha\n", 43);
  struct run first = run_shim(&w, "curl", "-sS", "-b", jar, "-d", "{}", world_url(&w, target), NULL);
  struct run again = run_shim(&w, "curl", "-sS", "-b", jar, "-d", "{}", world_url(&w, target), NULL);
  expect_same_output(&first, &again);
  run_release(&again);
  world_write(&w, "jar", "127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tbravo\n", 43);
  other = run_shim(&w, "curl", "-sS", "-b", jar, "-d", "{}", world_url(&w, target), NULL);
  expect_success(&first);
  expect_success(&other);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "hit"), 1);
  run_release(&first);
  run_release(&other);
}

/* libcurl sends a cookie where its path is the URL's, or leads to it. */
Test(odd_requests, a_cookie_of_another_path_does_not_say_who_asks)
{
  static const struct {
    const char *path;
    int requests; /* of two jars that have another value each */
  } paths[] = {{"/x", 1},  {"/v", 1},   {"/v1/chat/completions/x", 1}, {"/", 2},
               {"/v1", 2}, {"/v1/", 2}, {"/v1/chat/completions", 2}};
  for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
    mock_reset(&w);
    world_store_anew(&w);
    for (int k = 0; k < 2; k++) {
      char line[128];
      int len = snprintf(line, sizeof(line), "127.0.0.1\tFALSE\t%s\tFALSE\t0\tsession\t%s\n", paths[i].path,
                         k ? "bravo" : "alpha");
      const char *jar = world_write(&w, "jar", line, (size_t)len);
      struct run r = run_shim(&w, "curl", "-sS", "-b", jar, "-d", "{}", world_url(&w, target), NULL);
      expect_success(&r);
      run_release(&r);
    }
    cr_expect_eq(mock_count(&w).requests, paths[i].requests, "%s: %ld", paths[i].path,
                 mock_count(&w).requests);
  }
}

/* libcurl knows that it is deleted for one loading of the files, which must not be one of ours. */
static void expect_deleted(const char *how, const char *jar, const char *other, int stored)
{
  world_store_anew(&w);
  struct run plain = run_plain(&w, "deleted_cookie", how, jar, other, NULL);
  struct run shim = run_shim(&w, "deleted_cookie", how, jar, other, NULL);
  expect_same_output(&plain, &shim);
  cr_expect(strstr(plain.out, "session=alpha"), "%s", plain.out);
  cr_expect_eq(log_events(&w, "stored"), stored, "%d", log_events(&w, "stored"));
  run_release(&plain);
  run_release(&shim);
}

Test(odd_requests, a_deleted_cookie_does_not_come_back_when_the_call_is_named)
{
  static const char jar_of[] = "127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\talpha\n"
                               "127.0.0.1\tFALSE\t/\tFALSE\t0\tuser\tbravo\n",
                    other_of[] = "127.0.0.1\tFALSE\t/\tFALSE\t0\tother\tstays\n";
  char jar[256], other[256];
  world_env(&w, "IDEMSHIM_HOSTS", "127.0.0.1");
  snprintf(jar, sizeof(jar), "%s", world_write(&w, "jar", jar_of, sizeof(jar_of) - 1));
  snprintf(other, sizeof(other), "%s", world_write(&w, "other", other_of, sizeof(other_of) - 1));
  expect_deleted("one", jar, NULL, 3);
  expect_deleted("one", jar, other, 6);
  expect_deleted("two", jar, NULL, 9);
  cr_expect_eq(log_events(&w, "bypass"), 0);
  /* Two cannot be deleted again. Since 8.16 libcurl's list does not tell of them. */
  if (libcurl_version() < 0x081000) {
    expect_deleted("late", jar, NULL, 11);
    expect_deleted("late", jar, other, 13);
    cr_expect_eq(log_events(&w, "bypass"), 2);
  }
}

/* Each answer brings another, so that the jar of one call is never that of the next. */
Test(odd_requests, a_load_balancer_s_cookie_does_not_say_who_asks)
{
  const char *jar = world_write(&w, "jar", "127.0.0.1\tFALSE\t/\tFALSE\t0\t__cf_bm\talpha\n", 43);
  struct run first = run_shim(&w, "curl", "-sS", "-b", jar, "-d", "{}", world_url(&w, target), NULL);
  world_write(&w, "jar", "127.0.0.1\tFALSE\t/\tFALSE\t0\t__cf_bm\tbravo\n", 43);
  struct run again = run_shim(&w, "curl", "-sS", "-b", jar, "-d", "{}", world_url(&w, target), NULL);
  expect_success(&first);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&again);
}

/* It is ours to send again, so that the reader is asked once and need not know a way back. */
Test(odd_requests, a_reader_that_was_read_ahead_is_sent_whole_after_a_redirect)
{
  static const char *const names[] = {"ioctl-reader", "no-rewind"};
  const char *url = world_url(&w, "/v1/chat/completions?mock=redirect%3D%2Fv1%2Fmessages");
  for (size_t i = 0; i < 2; i++) {
    struct run live = odd(true, names[i], url, i ? "123456" : "1234");
    cr_expect(strstr(live.out, "rc=0 status=200"), "%s", live.out);
    cr_expect(strstr(live.out, "error \"\" rewinds 0"), "%s", live.out);
    json_t *requests = mock_requests(&w);
    cr_assert_eq(json_array_size(requests), 2 * (i + 1));
    for (size_t j = 2 * i; j < 2 * i + 2; j++) {
      const json_t *body = json_object_get(json_array_get(requests, j), "body");
      cr_expect_str_eq(json_string_value(body), i ? "123456" : "1234", "%s: %zu", names[i], j);
    }
    json_decref(requests);
    run_release(&live);
  }
}

/* Above max_body the reader is the app's own again, and so is its way back. */
static void expect_same_rewind(const char *name, const char *rewinds)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=redirect%3D%2Fv1%2Fmessages");
  struct run plain = odd(false, name, url, "1234"), live = odd(true, name, url, "1234");
  const char *error = strstr(plain.out, "error \""), *own = strstr(live.out, "error \"");
  cr_assert(error && own, "%s%s", plain.out, live.out);
  expect_same_bytes("the line of the error", error, strcspn(error, "\n"), own, strcspn(own, "\n"));
  cr_expect(strstr(plain.out, rewinds), "%s", plain.out);
  run_release(&plain);
  run_release(&live);
}

Test(odd_requests, a_reader_that_is_too_long_is_rewound_as_without_us)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=2");
  expect_same_rewind("ioctl-reader", "error \"\" rewinds 1");
  expect_same_rewind("no-rewind", "possible\" rewinds 0");
}

/* An app that forbids its own URL's scheme is told so by libcurl, also where the answer is stored. */
Test(odd_requests, a_forbidden_scheme_is_no_hit)
{
  static const char *const forbidding[] = {"protocols-without-http", "protocols-listed"};
  const char *url = world_url(&w, target);
  const bool named = libcurl_version() >= 0x075500; /* CURLOPT_PROTOCOLS_STR */
  struct run stored = odd(true, "protocols-all", url, "");
  for (int i = 0; i < 1 + named; i++) {
    struct run plain = odd(false, forbidding[i], url, ""), shim = odd(true, forbidding[i], url, "");
    cr_expect(strstr(plain.out, "error \"Protocol "), "%s", plain.out);
    expect_same_output(&plain, &shim);
    run_release(&plain);
    run_release(&shim);
  }
  cr_expect_eq(log_events(&w, "hit"), 0);
  struct run again = odd(true, named ? "protocols-allowed-again" : "protocols-all", url, "");
  cr_expect_eq(log_events(&w, "hit"), 1);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&stored);
  run_release(&again);
}

/* libcurl logs in as whoever runs the program where there is a login and no user in it. */
Test(odd_requests, a_login_without_a_user_is_the_one_of_the_process)
{
  static const struct {
    const char *text, *in_url;
    bool of_process;
  } logins[] = {
      {"pair=:", "", true},    {"pair=", "", true},     {"name=", "", true},
      {"word=word", "", true}, {"", ":word@", true},    {"pair=me:word", "", false},
      {"name=me", "", false},  {"", "me:word@", false}, {"word=word", "me@", false},
      {"", "", false},
  };
  const char *of_process = "HTTPAUTH and no user";
  struct run curl = run_plain(&w, "curl", "--version", NULL);
  if (!strstr(curl.out, " NTLM"))
    cr_skip_test("this libcurl has no NTLM");
  run_release(&curl);
  for (size_t i = 0; i < sizeof(logins) / sizeof(*logins); i++) {
    const char *url = world_text(&w, "http://%s127.0.0.1:%d%s", logins[i].in_url, w.port, target);
    world_env(&w, "IDEMSHIM_LOG", "%s", world_path(&w, world_text(&w, "log-%zu", i)));
    struct run first = odd(true, "ntlm-login", url, logins[i].text);
    char *log = file_read(world_path(&w, world_text(&w, "log-%zu", i)), NULL);
    cr_assert_not_null(log);
    cr_expect_eq(strstr(log, of_process) != NULL, logins[i].of_process, "%s %s: %s", logins[i].text,
                 logins[i].in_url, log);
    free(log);
    run_release(&first);
  }
}
