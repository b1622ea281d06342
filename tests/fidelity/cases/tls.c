/* SPDX-License-Identifier: MIT */
/* Calls over TLS: the handshake is not made again, and yet it is told. */
#include "tests/fidelity/fidelity.h"

static void go_secure(struct watch *w)
{
  set(w, URL, wire_tls_url("secure"));
}

void tls_plain(void)
{
  serve("secure", OK "X-One: 1\r\n" HELLO);
  perform_and_ask("secure", go_secure);
}

static void without_verifying(struct watch *w)
{
  go_secure(w);
  set(w, SSL_VERIFYPEER, 0L);
  set(w, SSL_VERIFYHOST, 0L);
}

void tls_not_verified(void)
{
  serve("secure", OK HELLO);
  perform_and_ask("secure", without_verifying);
}

static void say_certificates(struct watch *w)
{
  struct curl_certinfo *info = NULL;
  CURLcode code = curl_easy_getinfo(w->easy, CURLINFO_CERTINFO, &info);

  say(w->out, "certificates: %d, %d", (int)code, code || !info ? -1 : info->num_of_certs);
  for (int i = 0; !code && info && i < info->num_of_certs; i++)
    say_list(w->out, "certificate", info->certinfo[i]);
}

void tls_certificates(void)
{
  struct watch w;

  serve("secure", OK HELLO);
  watch_open(&w, "secure");
  go_secure(&w);
  set(&w, CERTINFO, 1L);
  say_certificates(&w);
  watch_perform(&w);
  say_certificates(&w);
  say_infos(&w);
  watch_close(&w);
}

void tls_certificates_not_asked_for(void)
{
  struct watch w;

  serve("secure", OK HELLO);
  watch_open(&w, "secure");
  go_secure(&w);
  watch_perform(&w);
  say_certificates(&w);
  watch_close(&w);
}

/* The answer is there, but not what is asked for now. */
void tls_certificates_asked_for_later(void)
{
  struct watch w;

  serve("secure", OK HELLO);
  watch_open(&w, "secure");
  go_secure(&w);
  watch_perform(&w);
  set(&w, CERTINFO, 1L);
  watch_perform(&w);
  say_certificates(&w);
  watch_close(&w);
}

static void trust_nobody(struct watch *w)
{
  go_secure(w);
  set(w, CAINFO, "/dev/null");
}

void tls_not_trusted(void)
{
  serve("secure", OK HELLO);
  perform_with("secure", trust_nobody);
}

static void https_alone(struct watch *w)
{
  go_secure(w);
  set(w, PROTOCOLS, (long)CURLPROTO_HTTPS);
}

void tls_by_protocols(void)
{
  serve("secure", OK HELLO);
  perform_and_ask("secure", https_alone);
}

static void https_alone_by_name(struct watch *w)
{
  go_secure(w);
  set(w, PROTOCOLS_STR, "https");
  set(w, REDIR_PROTOCOLS_STR, "https");
}

void tls_by_protocols_by_name(void)
{
  serve("secure", OK HELLO);
  perform_and_ask("secure", https_alone_by_name);
}

static void http_forbidden(struct watch *w)
{
  set(w, PROTOCOLS, (long)CURLPROTO_HTTPS);
}

void http_by_protocols(void)
{
  serve("secure", OK HELLO);
  perform_and_ask("secure", http_forbidden);
}

static void remember_hosts(struct watch *w)
{
  go_secure(w);
  set(w, HSTS_CTRL, (long)CURLHSTS_ENABLE);
  set(w, HSTS, own_file("hsts"));
}

void tls_with_hsts(void)
{
  serve("secure", OK "Strict-Transport-Security: max-age=31536000\r\n" HELLO);
  perform_and_ask("secure", remember_hosts);
  remove(own_file("hsts"));
}

static void ask_tls(struct watch *w, int call)
{
  struct curl_tlssessioninfo *session = NULL;

  if (call != 1)
    return;
  if (!curl_easy_getinfo(w->easy, CURLINFO_TLS_SSL_PTR, &session) && session)
    say(w->out, "backend %d", (int)session->backend);
  say(w->out, "~ session %s", session && session->internals ? "some" : "none");
}

static void ask_tls_in_write(struct watch *w)
{
  go_secure(w);
  w->in_write = ask_tls;
}

void tls_session_in_write(void)
{
  serve("secure", OK HELLO);
  perform_with("secure", ask_tls_in_write);
}

static void choose_http(struct watch *w)
{
  if (scenario->number >= CURL_HTTP_VERSION_2_0)
    go_secure(w);
  set(w, HTTP_VERSION, scenario->number);
  /* One that speaks HTTP/3 leaves there what it said to that, and takes another. */
  if (scenario->number == 30)
    set(w, ERRORBUFFER, NULL);
}

void http_version(void)
{
  serve("secure", OK HELLO);
  perform_and_ask("secure", choose_http);
}
