/* SPDX-License-Identifier: MIT */
/* The cookie engine: an answer's cookies are in it afterwards, wherever the answer came from. */
#include "tests/fidelity/fidelity.h"

#include <stdlib.h>

#define FOREVER "; expires=Fri, 01 Jan 2038 00:00:00 GMT"

static const char two_cookies[] = OK "Set-Cookie: session=one\r\nSet-Cookie: user=two" FOREVER "\r\n" HELLO;

static void turn_on(struct watch *w)
{
  set(w, COOKIEFILE, "");
}

static void perform_and_show(const char *name, void (*setup)(struct watch *w))
{
  struct watch w;

  watch_open(&w, name);
  if (setup)
    setup(&w);
  watch_perform(&w);
  say_cookies(&w);
  watch_close(&w);
}

void cookies_not_wanted(void)
{
  serve("two", two_cookies);
  perform_and_show("two", NULL);
}

void cookies_kept(void)
{
  serve("two", two_cookies);
  perform_and_show("two", turn_on);
}

void cookies_kept_of_nothing(void)
{
  serve("none", OK HELLO);
  perform_and_show("none", turn_on);
}

/* One for each attribute, and some that must be refused. */
void cookies_with_attributes(void)
{
  serve("attributes", OK "Set-Cookie: a=1; Path=/wire\r\n"
                         "Set-Cookie: b=2; Path=/elsewhere\r\n"
                         "Set-Cookie: c=3; HttpOnly" FOREVER "\r\n"
                         "Set-Cookie: d=4; Domain=127.0.0.1\r\n"
                         "Set-Cookie: e=5; Domain=example.com\r\n"
                         "Set-Cookie: f=6; expires=Thu, 01 Jan 1970 00:00:01 GMT\r\n"
                         "Set-Cookie: g=7; SameSite=Strict\r\n"
                         "Set-Cookie: nonsense\r\n"
                         "Set-Cookie: =8\r\n" HELLO);
  perform_and_show("attributes", turn_on);
}

/* On a plain connection they are refused. */
void cookies_secure_over_http(void)
{
  serve("secure", OK "Set-Cookie: a=1; Secure\r\nSet-Cookie: b=2\r\n" HELLO);
  perform_and_show("secure", turn_on);
}

static void go_secure(struct watch *w)
{
  turn_on(w);
  set(w, URL, wire_tls_url("secure"));
}

void cookies_secure_over_tls(void)
{
  serve("secure", OK "Set-Cookie: a=1; Secure" FOREVER "\r\nSet-Cookie: __Secure-b=2; Secure\r\n"
                     "Set-Cookie: __Host-c=3; Secure; Path=/\r\nSet-Cookie: d=4\r\n" HELLO);
  perform_and_show("secure", go_secure);
}

/* A cookie is replaced, and one is taken away. */
void cookies_change(void)
{
  struct watch w;

  serve("two", two_cookies);
  serve("other", OK "Set-Cookie: session=three\r\n"
                    "Set-Cookie: user=; expires=Thu, 01 Jan 1970 00:00:01 GMT\r\n" HELLO);
  watch_open(&w, "two");
  turn_on(&w);
  watch_perform(&w);
  say_cookies(&w);
  watch_post(&w, "other");
  watch_perform(&w);
  say_cookies(&w);
  watch_close(&w);
}

static void put_one(struct watch *w)
{
  set(w, COOKIELIST, "Set-Cookie: mine=1; domain=127.0.0.1" FOREVER);
}

void cookies_put_in(void)
{
  serve("two", two_cookies);
  perform_and_show("two", put_one);
}

static void put_netscape(struct watch *w)
{
  set(w, COOKIELIST, "127.0.0.1\tFALSE\t/\tFALSE\t2145916800\tmine\tone");
}

void cookies_put_in_as_a_line(void)
{
  serve("none", OK HELLO);
  perform_and_show("none", put_netscape);
}

void cookies_cleared(void)
{
  struct watch w;

  serve("two", two_cookies);
  watch_open(&w, "two");
  turn_on(&w);
  watch_perform(&w);
  set(&w, COOKIELIST, "SESS");
  say_cookies(&w);
  set(&w, COOKIELIST, "ALL");
  say_cookies(&w);
  watch_close(&w);
}

void cookies_in_a_jar(void)
{
  struct watch w;
  const char *jar = own_file("jar");

  serve("two", two_cookies);
  watch_open(&w, "two");
  set(&w, COOKIEJAR, jar);
  watch_perform(&w);
  print_file("before", jar);
  watch_close(&w);
  print_file("after", jar);
  remove(jar);
}

void cookies_flushed(void)
{
  struct watch w;
  const char *jar = own_file("jar");

  serve("two", two_cookies);
  watch_open(&w, "two");
  set(&w, COOKIEJAR, jar);
  watch_perform(&w);
  set(&w, COOKIELIST, "FLUSH");
  print_file("flushed", jar);
  watch_close(&w);
  remove(jar);
}

static void from_a_file(struct watch *w)
{
  const char *jar = own_file("jar");
  FILE *file = fopen(jar, "we");

  fputs("127.0.0.1\tFALSE\t/\tFALSE\t2145916800\told\tone\n", file);
  fclose(file);
  set(w, COOKIEFILE, jar);
}

void cookies_from_a_file(void)
{
  serve("two", two_cookies);
  perform_and_show("two", from_a_file);
  remove(own_file("jar"));
}

static void one_by_hand(struct watch *w)
{
  set(w, COOKIE, "by=hand; and=more");
}

/* A deleted cookie stays away from the file that has it, for one loading. What is put in after that removes
 * it from the list, where its place is not that of a live call. */
static void delete_over_tls(const char *header)
{
  struct watch w;
  const char *jar = own_file("jar");
  FILE *file = fopen(jar, "we");

  fputs("127.0.0.1\tFALSE\t/\tFALSE\t2145916800\told\tone\n", file);
  fputs("127.0.0.1\tFALSE\t/\tFALSE\t2145916800\tolder\tzero\n", file);
  fclose(file);
  serve("secure", header);
  watch_open(&w, "secure");
  set(&w, COOKIEFILE, jar);
  set(&w, URL, wire_tls_url("secure"));
  watch_perform(&w);
  for (int i = 0; i < 2; i++) {
    set(&w, COOKIELIST, "RELOAD");
    set(&w, COOKIELIST, "127.0.0.1\tFALSE\t/\tFALSE\t2145916800\tput\tin");
    say_cookies(&w);
  }
  watch_close(&w);
  remove(jar);
}

void cookies_deleted_beside_secure(void)
{
  delete_over_tls(OK "Set-Cookie: a=1; Secure" FOREVER "\r\nSet-Cookie: b=2; Secure" FOREVER "\r\n"
                     "Set-Cookie: old=; Path=/; Max-Age=0\r\n" HELLO);
}

void cookies_deleted_as_secure(void)
{
  delete_over_tls(OK "Set-Cookie: a=1; Secure" FOREVER "\r\nSet-Cookie: older=; Path=/; Max-Age=-1\r\n"
                     "Set-Cookie: old=; Path=/; Secure; expires=Thu, 01 Jan 1970 00:00:01 GMT\r\n" HELLO);
}

void cookies_by_hand(void)
{
  serve("none", OK HELLO);
  perform_and_show("none", one_by_hand);
}

static void follow(struct watch *w)
{
  turn_on(w);
  set(w, FOLLOWLOCATION, 1L);
}

void cookies_of_a_redirect(void)
{
  serve("from", "HTTP/1.1 307 There\r\nLocation: to\r\nSet-Cookie: on=way\r\n" CLOSE HELLO);
  serve("to", OK "Set-Cookie: at=end\r\n" HELLO);
  perform_and_show("from", follow);
}

void cookies_of_a_copy(void)
{
  struct watch w, copy;

  serve("two", two_cookies);
  watch_open(&w, "two");
  put_one(&w);
  watch_perform(&w);
  copy = w;
  copy.easy = curl_easy_duphandle(w.easy);
  say_cookies(&copy);
  watch_close(&copy);
  watch_close(&w);
}

void cookies_stay_over_reset(void)
{
  struct watch w;

  serve("two", two_cookies);
  watch_open(&w, "two");
  turn_on(&w);
  watch_perform(&w);
  curl_easy_reset(w.easy);
  say_cookies(&w);
  watch_close(&w);
}

/* The engine is in the share, under its locks. */

static int locks;

static void lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *user)
{
  (void)easy;
  (void)data;
  (void)access;
  (void)user;
  locks++;
}

static void unlock(CURL *easy, curl_lock_data data, void *user)
{
  (void)easy;
  (void)data;
  (void)user;
  locks--;
}

void cookies_shared(void)
{
  CURLSH *share = curl_share_init();
  struct watch one, two;

  serve("two", two_cookies);
  curl_share_setopt(share, CURLSHOPT_LOCKFUNC, lock);
  curl_share_setopt(share, CURLSHOPT_UNLOCKFUNC, unlock);
  curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
  watch_open(&one, "two");
  set(&one, SHARE, share);
  watch_open(&two, "two");
  set(&two, SHARE, share);
  watch_perform(&one);
  say_cookies(&two);
  set(&one, SHARE, NULL);
  set(&two, SHARE, NULL);
  watch_close(&one);
  watch_close(&two);
  say(stdout, "share %d, locks held %d", (int)curl_share_cleanup(share), locks);
}
