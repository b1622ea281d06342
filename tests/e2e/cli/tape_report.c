/* SPDX-License-Identifier: MIT */
/* idemshim tape report: the page, as text and in a browser. */
#include "tests/e2e/cli/tape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *report_of(const char *kind)
{
  const char *out = world_path(&w, "report.html");
  struct run r = run_plain(&w, "idemshim", "tape", "report", "--output", out, tape(kind), NULL);
  size_t len;
  expect_success(&r);
  run_release(&r);
  return file_read(out, &len);
}

Test(cli_tape, a_report_has_every_call_in_its_picture_and_in_its_list)
{
  char *html = report_of("day");
  cr_expect_eq(count_of(html, "<details id=e"), 16);
  cr_expect_eq(count_of(html, "<rect class=wait"), 16);
  cr_expect_eq(count_of(html, "<path class=retry"), 3);
  cr_expect_eq(count_of(html, "<details id=e6 class='failed' "), 1);
  cr_expect(strstr(html, "RECV_ERROR (56) Recv failure: Connection reset by peer"));
  cr_expect(strstr(html, "name=viewport"));
  cr_expect_null(strstr(html, "test-credential"));
  free(html);
}

/* Two events that say "joined by " and "the report", in gzip, under each header that
 * says no more than that. */
Test(cli_tape, a_report_reads_an_answer_in_a_coding_as_the_judge_does)
{
  static const char body[] =
      "\037\213\010\000\000\000\000\000\002\003\245\315\061\016\002\041\020\106\341\236\123\220"
      "\277\246\260\246\326\126\017\260\331\030\204\061\213\141\147\066\060\046\032\302\335\335"
      "\322\302\316\372\275\344\113\101\203\267\035\253\044\052\360\130\341\020\027\311\221\032"
      "\374\324\221\071\321\013\376\340\260\167\015\360\035\121\130\211\165\237\037\222\231\222"
      "\275\275\055\206\303\075\163\156\313\265\122\150\302\360\374\054\145\314\303\230\364\017"
      "\241\013\331\112\233\124\375\101\240\251\154\370\102\246\343\345\174\232\215\371\000\133"
      "\264\361\330\326\000\000\000";
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
  static const char *const codings[] = {"gzip", "identity, gzip", "gzip \t, none"};
  for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
    char response[512];
    int head = snprintf(response, sizeof response,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: %s\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        codings[i], sizeof body - 1);
    memcpy(response + head, body, sizeof body - 1);
    mock_lay(&w, world_text(&w, "coded%zu?exact=1", i), response, (size_t)head + sizeof body - 1);
    const char *dir = world_path(&w, world_text(&w, "tape%zu", i));
    struct run r =
        run_plain(&w, "idemshim", "record", "-o", dir, "--", "curl", "-sS", "-o", "/dev/null", "-d", "{}",
                  "-H", "Accept-Encoding: gzip", world_url(&w, world_text(&w, "/wire/coded%zu", i)), NULL);
    expect_success(&r);
    run_release(&r);
    r = run_plain(&w, "idemshim", "tape", "report", dir, NULL);
    cr_expect(strstr(r.out, "joined by the report"), "%s: %s", codings[i], r.err);
    run_release(&r);
  }
}

Test(cli_tape, in_a_report_processes_that_came_one_after_the_other_share_a_lane)
{
  char *html = report_of("crowd");
  cr_expect_eq(count_of(html, "<rect class=lane"), 1);
  cr_expect(strstr(html, ">40 threads</text>"));
  cr_expect(strstr(html, "process 40 (pid 4750), thread 1"));
  free(html);
}

Test(cli_tape, a_report_fetches_nothing)
{
  static const char *const fetching[] = {" src=", "url(", "@import", "<link", "<iframe", "fetch(", "XMLHttp"};
  char *html = report_of("day");
  for (size_t i = 0; i < sizeof fetching / sizeof *fetching; i++)
    cr_expect_null(strstr(html, fetching[i]), "%s", fetching[i]);
  cr_expect(strstr(html, "default-src 'none'"));
  free(html);
}

Test(cli_tape, a_report_takes_nothing_on_the_tape_for_markup)
{
  static const char *const markup[] = {"<img", "<svg/",        "<h1>owned",    "<script>document",
                                       "\033", "\xe2\x80\xa8", "\xe2\x80\xae", "\xff",
                                       "\xc0"};
  char *html = report_of("hostile");
  for (size_t i = 0; i < sizeof markup / sizeof *markup; i++)
    cr_expect_null(strstr(html, markup[i]), "%s", markup[i]);
  cr_expect_eq(count_of(html, "<script>"), 1);
  cr_expect_eq(count_of(html, "</details>"), 9);
  cr_expect(strstr(html, "&lt;/script&gt;&lt;script&gt;document.title='owned'"));
  free(html);
}

/* The page as a browser has it after its script has run. */
static struct run browse(const char *url)
{
  return run_plain(&w, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-crash-reporter",
                   world_text(&w, "--user-data-dir=%s", world_path(&w, "profile")),
                   "--virtual-time-budget=3000", "--dump-dom", url, NULL);
}

/* The page with a script of the test's own behind it, which the page's policy would not let run. */
static char *played(const char *script)
{
  static char *made;
  made = made ? made : report_of("day");
  char *html = strdup(made), *policy = strstr(html, "<meta http-equiv=Content-Security-Policy"), *page = NULL;
  memset(policy, ' ', strcspn(policy, "\n"));
  cr_assert_gt(asprintf(&page, "%s<script>%s</script>", html, script), 0);
  world_write(&w, "played.html", page, strlen(page));
  free(html);
  free(page);
  struct run r = browse(world_text(&w, "file://%s", world_path(&w, "played.html")));
  char *told = strstr(r.out, "<title>told "),
       *out = told ? strndup(told + 12, strcspn(told + 12, "<")) : strdup("");
  run_release(&r);
  return out;
}

#define TELL        "document.title = 'told ' + "
#define COUNT(what) "document.querySelectorAll('" what "').length"

Test(cli_tape, a_report_is_searched_sorted_and_zoomed, .timeout = 180)
{
  struct run there = run_shell_plain(&w, "command -v chromium");
  if (there.status != 0)
    cr_skip_test("there is no chromium");
  run_release(&there);
  char *found = played("var f = document.querySelector('[type=search]'); f.value = 'tell me a STORY';"
                       "f.dispatchEvent(new Event('input')); setTimeout(function () {" TELL COUNT(
                           "details:not([hidden])") " + ' ' + " COUNT(".run a:not(.off)") "; }, 400);");
  cr_expect_str_eq(found, "2 2");
  char *failed = played("var f = document.querySelector('[type=checkbox]'); f.checked = true;"
                        "f.dispatchEvent(new Event('change'));" TELL COUNT(
                            "details:not([hidden])") " + ' ' + " COUNT(".run a:not(.off)") ";");
  cr_expect_str_eq(failed, "6 6");
  char *sorted = played(
      "var f = document.querySelector('select'); f.value = 'took'; f.dispatchEvent(new Event('change'));" TELL
      "document.querySelector('.list > details').id;");
  cr_expect_str_eq(sorted, "e14");
  char *zoomed =
      played("var s = document.querySelector('.overview svg'), b = s.getBoundingClientRect();"
             "['pointerdown', 'pointermove', 'pointerup'].forEach(function (t, i) { s.dispatchEvent(new "
             "PointerEvent(t, {clientX: b.left + b.width * (i ? .6 : .5)})); });" TELL
             "(document.querySelector('.scroll').clientWidth * 10 - "
             "document.querySelector('.run').getBoundingClientRect().width < 2);");
  cr_expect_str_eq(zoomed, "true");
  char *copied = played("document.execCommand = function () { " TELL
                        "JSON.stringify(document.activeElement.value); return true; };"
                        "var c = document.getElementById('e2'); c.open = true; setTimeout(function () { "
                        "c.querySelector('.copy button').click(); }, 200);");
  cr_expect(strstr(copied, "curl 'https://api.example.com/v1/chat/completions'"), "%s", copied);
  cr_expect(strstr(copied, "--data-binary"), "%s", copied);
  free(found);
  free(failed);
  free(sorted);
  free(zoomed);
  free(copied);
}

Test(cli_tape, a_number_stays_in_its_tile, .timeout = 120)
{
  struct run there = run_shell_plain(&w, "command -v chromium");
  if (there.status != 0)
    cr_skip_test("there is no chromium");
  run_release(&there);
  char *out =
      played("var n = 0; document.querySelectorAll('.sums span').forEach(function (s) {"
             "s.firstChild.data = '888,888,888,888 ';"
             "var tile = s.closest('.sums div').getBoundingClientRect(), b = s.getBoundingClientRect();"
             "n += b.right > tile.right - 14 || b.left < tile.left + 14; }); " TELL
             "n + ' of ' + " COUNT(".sums span") ";");
  cr_expect(strncmp(out, "0 of ", 5) == 0 && atoi(out + 5) > 3, "%s", out);
  free(out);
}

Test(cli_tape, a_report_tells_what_one_would_work_out)
{
  char *html = report_of("day"), *retried = strstr(html, "<details id=e8 "),
       *timeout = strstr(html, "<details id=e3 ");
  cr_assert(retried && timeout);
  cr_expect(strstr(retried, "<dt>difference to that</dt><dd>none: the same request</dd>"));
  cr_expect(strstr(retried, "Once upon a time there was a tape.</pre>"), "the pieces of a stream, joined");
  cr_expect(strstr(timeout, "<dt>not stored</dt><dd>"));
  cr_expect_eq(count_of(html, "<dt>not stored</dt>"), 5);
  free(html);
}

Test(cli_tape, a_report_with_prices_tells_what_was_paid)
{
  const char *dir = tape("day"), *prices = world_write(&w, "prices", "gpt-4o-mini 1000 1000\n", 22);
  struct run r = run_plain(&w, "idemshim", "tape", "report", "--prices", prices, dir, NULL);
  expect_success(&r);
  cr_expect(strstr(r.out, "<dt>Paid, and saved</dt>"));
  cr_expect(strstr(r.out, "<tr><td>gpt-4o-mini<td>"), "%.3000s", r.out);
  cr_expect(strstr(r.out, "<dt>cost</dt><dd>$0.0610</dd>"), "19 tokens in, 42 out");
  cr_expect(strstr(r.out, "<dt>saved</dt><dd>$0.0610</dd>"), "a hit");
  run_release(&r);
}

Test(cli_tape, a_report_works_in_a_browser, .timeout = 120)
{
  struct run there = run_shell_plain(&w, "command -v chromium");
  if (there.status != 0)
    cr_skip_test("there is no chromium");
  run_release(&there);
  free(report_of("hostile"));
  struct run r = browse(world_text(&w, "file://%s#e3", world_path(&w, "report.html")));
  cr_expect(strstr(r.out, "<title>Tape "), "%.300s %.300s", r.out, r.err);
  cr_expect_null(strstr(r.out, "<title>owned"));
  /* Text in place of JSON may be what somebody's own API answers. */
  cr_expect_null(strstr(r.out, "it is no JSON"));
  const char *call = strstr(r.out, "<details id=\"e3\" class=\"live\""),
             *opened = call ? strstr(call, " open=\"\">") : NULL;
  cr_expect(opened && opened < strchr(call, '>'), "the fragment opens its call");
  cr_expect(strstr(r.out, "style=\"display: flex;\""), "the filter is shown by the script");
  run_release(&r);
}
