/* SPDX-License-Identifier: MIT */
/* What is not a finished success is never stored: the app has it as it is, and the retry goes upstream. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

TestSuite(failures, .init = open_world, .fini = close_world);

struct fault {
  char script[48];
  char body[32];
  int exit_code; /* of curl */
};

ParameterizedTestParameters(failures, a_failure_is_not_stored_and_looks_as_it_does_without_us)
{
  static struct fault faults[] = {
      {"status=429", "{}", 0},
      {"status=500", "{}", 0},
      {"status=400", "{}", 0},
      {"reset=headers", "{}", 56},
      {"reset=body,size=60000", "{}", 56},
      {"truncate=1", "{}", 18},
      {"truncate=1", "{\"stream\":true}", 0},
      {"error_event=1", "{\"stream\":true}", 0},
      {"error_event=2", "{\"stream\":true}", 0},
      {"reset=body", "{\"stream\":true}", 56},
      {"length=close,truncate=1", "{\"stream\":true}", 0},
  };
  return cr_make_param_array(struct fault, faults, sizeof(faults) / sizeof(faults[0]));
}

/* The tool's own line. How many bytes are missing in it is up to the answer. */
static const char *error_of(struct run *run)
{
  char *line = strstr(run->err, "curl: (");
  for (char *at = line; at && *at && *at != '\n'; at++)
    *at = *at >= '0' && *at <= '9' ? '#' : *at;
  if (line)
    line[strcspn(line, "\n")] = '\0';
  return line ? line : "";
}

static struct run ask(bool shim, const struct fault *fault, const char *more)
{
  const char *argv[] = {"curl",
                        "-sS",
                        "-d",
                        fault->body,
                        "-H",
                        world_text(&w, "X-Mock: %s%s", fault->script, more),
                        "-w",
                        "\n%{http_code}",
                        world_url(&w, "/v1/chat/completions"),
                        NULL};
  return run_argv(&w, shim, argv);
}

ParameterizedTest(struct fault *fault, failures, a_failure_is_not_stored_and_looks_as_it_does_without_us)
{
  struct run plain = ask(false, fault, "");
  struct run first = ask(true, fault, "");
  struct run again = ask(true, fault, "");
  cr_expect_eq(first.status, plain.status, "%s: exit %d, without us %d", fault->script, first.status,
               plain.status);
  cr_expect_eq(plain.status, fault->exit_code, "%s: exit %d", fault->script, plain.status);
  cr_expect_str_eq(strrchr(first.out, '\n'), strrchr(plain.out, '\n'), "%s", fault->script);
  cr_expect_str_eq(error_of(&first), error_of(&plain), "%s", fault->script);
  cr_expect_eq(mock_count(&w).requests, 3, "%s: the retry goes upstream", fault->script);
  cr_expect_eq(log_events(&w, "stored"), 0, "%s", fault->script);
  cr_expect_eq(log_events(&w, "not_stored"), 2, "%s", fault->script);
  run_release(&plain);
  run_release(&first);
  run_release(&again);
}

/* gRPC says behind the body how it went, and HTTP's status is 200 in any case. */
#define GRPC(status)                                                                                         \
  "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web\r\nTransfer-Encoding: "                             \
  "chunked\r\n\r\n5\r\nhello\r\n0\r\n"                                                                       \
  "grpc-status: " status "\r\n\r\n"

Test(failures, a_trailer_that_tells_a_failure_counts)
{
  static const char well[] = GRPC("0"), failed[] = GRPC("14");
  mock_lay(&w, "well", well, sizeof(well) - 1);
  mock_lay(&w, "failed", failed, sizeof(failed) - 1);
  for (int i = 0; i < 4; i++) {
    const char *url = world_url(&w, i < 2 ? "/wire/well" : "/wire/failed");
    struct run run = run_shim(&w, "curl", "-sS", "-d", "a", url, NULL);
    expect_success(&run);
    cr_expect_str_eq(run.out, "hello");
    run_release(&run);
  }
  cr_expect_eq(log_events(&w, "stored"), 1);
  cr_expect_eq(log_events(&w, "hit"), 1);
  cr_expect_eq(log_events(&w, "not_stored"), 2);
  cr_expect_eq(mock_count(&w).requests, 3);
}

Test(failures, after_a_429_the_retry_is_answered_and_stored)
{
  struct fault fault = {"fail_first=1:429", "{}", 0};
  for (int i = 0; i < 3; i++) {
    struct run r = ask(true, &fault, "");
    cr_expect(strstr(r.out, i ? "\n200" : "\n429"), "%s", r.out);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "hit"), 1);
}

Test(failures, every_resend_of_an_operation_carries_the_same_upstream_key)
{
  struct fault fault = {"fail_first=2:500", "{}", 0};
  for (int i = 0; i < 3; i++) {
    struct run r = ask(true, &fault, "");
    run_release(&r);
  }
  json_t *requests = mock_requests(&w);
  cr_assert_eq(json_array_size(requests), 3);
  const char *first = mock_header(json_array_get(requests, 0), "Idempotency-Key");
  cr_assert_not_null(first);
  cr_expect_str_eq(first, mock_header(json_array_get(requests, 1), "Idempotency-Key"));
  cr_expect_str_eq(first, mock_header(json_array_get(requests, 2), "Idempotency-Key"));
  json_decref(requests);
}

Test(failures, curl_s_own_retry_gets_through)
{
  struct run r = run_shim(&w, "curl", "-sS", "--retry", "3", "--retry-delay", "1", "-d", "{}",
                          world_url(&w, "/v1/chat/completions?mock=fail_first%3D1:429"), NULL);
  expect_success(&r);
  cr_expect(strstr(r.out, "chat.completion"), "%s", r.out);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&r);
}

Test(failures, a_timeout_is_the_app_s_own)
{
  struct fault fault = {"latency_ms=1500", "{}", 0};
  struct run r = run_shim(&w, "curl", "-sS", "-m", "0.3", "-d", fault.body, "-H", "X-Mock: latency_ms=1500",
                          world_url(&w, "/v1/chat/completions"), NULL);
  cr_expect_eq(r.status, 28);
  cr_expect(strstr(r.err, "curl: (28) Operation timed out after"), "%s", r.err);
  cr_expect_eq(log_events(&w, "stored"), 0);
  run_release(&r);
}
