/* SPDX-License-Identifier: MIT */
/* Forms of programs that everybody has: curl and PHP. */
#include "tests/e2e/replay/form.h"

#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(form_clients, .init = open_world, .fini = close_world);

/* A text field that looks like the end of itself and another field. */
Test(form_clients, no_content_passes_for_a_boundary)
{
  const char *url = world_url(&w, FORM_TARGET);
  struct run two = run_shim(&w, "curl", "-sS", "-F", "a=1", "-F", "b=2", url, NULL);
  const char *forged = world_text(&w,
                                  "a=1\r\n--idemshim-form %d bytes\r\n"
                                  "Content-Disposition: form-data; name=\"b\"\r\n\r\n2",
                                  (int)strlen("Content-Disposition: form-data; name=\"a\"\r\n\r\n1"));
  struct run one = run_shim(&w, "curl", "-sS", "--form-string", forged, url, NULL);
  expect_success(&two);
  expect_success(&one);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&two);
  run_release(&one);
}

/* A record has the text that named the call, so that people see what was sent. */
Test(form_clients, the_store_shows_what_was_sent)
{
  struct run live = run_shim(&w, "curl", "-sS", "-F", "model=whisper-1", world_url(&w, FORM_TARGET), NULL);
  struct run shown =
      run_shell_plain(&w, "idemshim show \"$(idemshim ls --json | grep -o '[0-9a-f]\\{16\\}' | head -n 1)\"");
  expect_success(&live);
  expect_success(&shown);
  cr_expect(strstr(shown.out, "--idemshim-form"), "%s", shown.out);
  cr_expect(strstr(shown.out, "name=\"model\"") && strstr(shown.out, "whisper-1"), "%s", shown.out);
  run_release(&live);
  run_release(&shown);
}

Test(form_clients, a_file_with_other_content_is_another_operation)
{
  const char *file = world_text(&w, "file=@%s", world_write(&w, "audio.mp3", "first", 5));
  const char *url = world_url(&w, FORM_TARGET);
  struct run first = run_shim(&w, "curl", "-sS", "-F", "model=m", "-F", file, url, NULL);
  struct run again = run_shim(&w, "curl", "-sS", "-F", "model=m", "-F", file, url, NULL);
  expect_same_output(&first, &again);
  world_write(&w, "audio.mp3", "other", 5);
  struct run other = run_shim(&w, "curl", "-sS", "-F", "model=m", "-F", file, url, NULL);
  expect_success(&other);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&first);
  run_release(&again);
  run_release(&other);
}

Test(form_clients, a_file_that_is_not_there_fails_in_libcurls_words)
{
  const char *file = world_text(&w, "file=@%s/none", w.dir);
  struct run plain = run_plain(&w, "curl", "-sS", "-F", file, world_url(&w, FORM_TARGET), NULL);
  struct run live = run_shim(&w, "curl", "-sS", "-F", file, world_url(&w, FORM_TARGET), NULL);
  cr_expect_neq(plain.status, 0);
  expect_same_output(&plain, &live);
  cr_expect_eq(mock_count(&w).requests, 0);
  run_release(&plain);
  run_release(&live);
}

/* A pipe can be read once only, and libcurl is the one to do it. */
Test(form_clients, a_named_pipe_goes_live)
{
  struct run live = run_shell(&w, world_text(&w,
                                             "mkfifo \"$HOME/pipe\" && { printf piped >\"$HOME/pipe\" & } && "
                                             "curl -sS -F \"file=@$HOME/pipe;filename=f\" %s",
                                             world_url(&w, FORM_TARGET)));
  json_t *requests = mock_requests(&w);
  expect_success(&live);
  cr_assert_eq(json_array_size(requests), 1);
  const json_t *request = json_array_get(requests, 0);
  cr_expect(strstr(json_string_value(json_object_get(request, "body")), "piped"));
  cr_expect_eq(log_events(&w, "bypass"), 1);
  json_decref(requests);
  run_release(&live);
}

Test(form_clients, megabytes_are_one_operation)
{
  enum { SIZE = 5000000 };
  char *bytes = malloc(SIZE);
  for (size_t i = 0; i < SIZE; i++)
    bytes[i] = (char)(i * 2654435761u >> 24);
  const char *path = world_write(&w, "large.bin", bytes, SIZE);
  const char *file = world_text(&w, "file=@%s", path), *url = world_url(&w, FORM_TARGET);
  struct run live = run_shim(&w, "curl", "-sS", "-F", file, url, NULL);
  struct run again = run_shim(&w, "curl", "-sS", "-F", file, url, NULL);
  expect_success(&live);
  expect_same_output(&live, &again);
  bytes[SIZE - 1] ^= 1;
  world_write(&w, "large.bin", bytes, SIZE);
  struct run other = run_shim(&w, "curl", "-sS", "-F", file, url, NULL);
  expect_success(&other);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&live);
  run_release(&again);
  run_release(&other);
  free(bytes);
}

static bool no_php(void)
{
  struct run r = run_plain(&w, "sh", "-c", "php -m | grep -qx curl", NULL);
  bool missing = r.status != 0;
  run_release(&r);
  return missing;
}

/* CURLFile goes through a read callback of PHP's. */
Test(form_clients, php_uploads)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime refuses RTLD_DEEPBIND before it comes to us");
  if (no_php())
    cr_skip_test("php-cli with php-curl is not installed");
  const char *script = world_text(&w,
                                  "$h = curl_init('%s');"
                                  "curl_setopt($h, CURLOPT_RETURNTRANSFER, true);"
                                  "curl_setopt($h, CURLOPT_POSTFIELDS, ['model' => 'whisper-1', 'file' => "
                                  "new CURLFile('%s', 'audio/mpeg')]);"
                                  "echo curl_exec($h);",
                                  world_url(&w, FORM_TARGET), world_write(&w, "audio.mp3", "sound", 5));
  struct run live = run_shim(&w, "php", "-r", script, NULL), again = run_shim(&w, "php", "-r", script, NULL);
  expect_success(&live);
  expect_same_output(&live, &again);
  world_write(&w, "audio.mp3", "other", 5);
  struct run other = run_shim(&w, "php", "-r", script, NULL);
  expect_success(&other);
  json_t *requests = mock_requests(&w);
  cr_assert_eq(json_array_size(requests), 2);
  const json_t *request = json_array_get(requests, 0);
  cr_expect(strstr(json_string_value(json_object_get(request, "body")), "sound"));
  json_decref(requests);
  run_release(&live);
  run_release(&again);
  run_release(&other);
}

/* In the multi interface, too. */
Test(form_clients, uploads_run_in_parallel)
{
  const char *file = world_text(&w, "file=@%s", world_write(&w, "audio.mp3", "sound", 5));
  const char *url = world_url(&w, FORM_TARGET);
  struct run live = run_shim(&w, "curl", "-sS", "-Z", "-F", file, url, NULL);
  struct run again = run_shim(&w, "curl", "-sS", "-Z", "-F", file, url, NULL);
  expect_success(&live);
  expect_same_output(&live, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&live);
  run_release(&again);
}
