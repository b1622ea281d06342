/* SPDX-License-Identifier: MIT */
#include "tests/fidelity/fidelity.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool libcurl_is(unsigned version)
{
  return curl_version_info(CURLVERSION_NOW)->version_num >= version;
}

static size_t verdict_of(const struct verdict *verdict, int call, size_t len)
{
  return verdict->at == call ? verdict->value : len;
}

/* How much of the body has come, and FNV-1a over all of it: the last such line in a row says what the ones
 * before it did. What the callback does not take will come again. */
static void say_body(struct watch *w, const char *data, size_t len)
{
  for (size_t i = 0; i < len; i++)
    w->body_sum = (w->body_sum ^ (unsigned char)data[i]) * 1099511628211u;
  w->body_len += len;
  say(w->out, "body %zu %016" PRIx64, w->body_len, w->body_sum);
}

size_t watch_write(char *data, size_t size, size_t count, void *watch)
{
  struct watch *w = watch;
  int call = ++w->writes;
  size_t verdict = verdict_of(&w->write, call, size * count);

  say_bytes(w->out, size == 1 ? "| write" : "| write in parts", data, size * count);
  if (verdict == size * count)
    say_body(w, data, verdict);
  w->inside = true;
  if (w->in_write)
    w->in_write(w, call);
  w->inside = false;
  return verdict;
}

size_t watch_header(char *line, size_t size, size_t count, void *watch)
{
  struct watch *w = watch;
  int call = ++w->headers;

  say_bytes(w->out, size == 1 ? "header" : "header in parts", line, size * count);
  w->header_bytes += size * count;
  w->inside = true;
  if (w->in_header)
    w->in_header(w, call);
  w->inside = false;
  return verdict_of(&w->header, call, size * count);
}

int watch_xferinfo(void *watch, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
  struct watch *w = watch;

  if (w->progress.calls++ == 0) {
    w->progress.starts_at_zero = !down_total && !down && !up;
    w->progress.grows = true;
  }
  w->progress.grows &= down >= w->progress.last[1] && up >= w->progress.last[3];
  w->progress.last[0] = down_total;
  w->progress.last[1] = down;
  w->progress.last[2] = up_total;
  w->progress.last[3] = up;
  return w->in_progress ? w->in_progress(w, down_total, down) : 0;
}

void watch_progress(struct watch *w)
{
  set(w, XFERINFOFUNCTION, watch_xferinfo);
  set(w, XFERINFODATA, w);
  set(w, NOPROGRESS, 0L);
}

void watch_set(struct watch *w, const char *option, CURLcode code)
{
  if (code)
    say(w->out, "setopt %s: %d", option, (int)code);
}

void watch_bare(struct watch *w)
{
  *w = (struct watch){.easy = curl_easy_init(), .out = stdout};
  if (!w->easy)
    abort();
  set(w, NOSIGNAL, 1L);
  if (getenv("CURL_CA_BUNDLE"))
    set(w, CAINFO, getenv("CURL_CA_BUNDLE"));
}

void watch_attach(struct watch *w)
{
  set(w, WRITEFUNCTION, watch_write);
  set(w, WRITEDATA, w);
  set(w, HEADERFUNCTION, watch_header);
  set(w, HEADERDATA, w);
  set(w, ERRORBUFFER, w->error);
}

/* With its size: without it libcurl 7.88 makes no copy of a handle. */
void watch_post(struct watch *w, const char *name)
{
  char body[128];

  snprintf(body, sizeof body, "{\"q\":\"%s\"}", name);
  set(w, URL, wire_url(name));
  set(w, POSTFIELDSIZE, (long)strlen(body));
  set(w, COPYPOSTFIELDS, body);
}

void watch_open(struct watch *w, const char *name)
{
  watch_bare(w);
  watch_attach(w);
  watch_post(w, name);
}

void watch_apart(struct watch *w)
{
  w->out = open_memstream(&w->kept, &w->kept_len);
  if (!w->out)
    abort();
}

void watch_begin(struct watch *w)
{
  snprintf(w->error, sizeof w->error, "as it was before");
  w->writes = w->headers = w->reads = 0;
  w->header_bytes = w->body_len = 0;
  w->body_sum = 14695981039346656037u;
  memset(&w->progress, 0, sizeof w->progress);
  say(w->out, "perform");
}

/* Texts that tell how long something took. */
static void hide_times(char *text)
{
  char *to = text;

  if (!strstr(text, " milliseconds") && !strstr(text, " ms"))
    return;
  for (const char *from = text; *from; from++)
    if (!isdigit((unsigned char)*from))
      *to++ = *from;
    else if (to == text || to[-1] != '#')
      *to++ = '#';
  *to = 0;
}

void watch_end(struct watch *w, CURLcode code)
{
  hide_times(w->error);
  say(w->out, "result %d, error \"%s\"", (int)code, w->error);
  if (w->progress.calls)
    say(w->out, "progress from zero: %d, grows: %d, ends %ld/%ld down %ld/%ld up", w->progress.starts_at_zero,
        w->progress.grows, (long)w->progress.last[1], (long)w->progress.last[0], (long)w->progress.last[3],
        (long)w->progress.last[2]);
}

CURLcode watch_perform(struct watch *w)
{
  CURLcode code;

  watch_begin(w);
  code = curl_easy_perform(w->easy);
  watch_end(w, code);
  return code;
}

void watch_close(struct watch *w)
{
  curl_easy_cleanup(w->easy);
  if (!w->kept && w->out == stdout)
    return;
  fclose(w->out);
  fwrite(w->kept, 1, w->kept_len, stdout);
  free(w->kept);
}

static size_t take_all(char *data, size_t size, size_t count, void *user)
{
  (void)data;
  (void)user;
  return size * count;
}

static void settle(const char *name)
{
  struct watch w;

  watch_bare(&w);
  set(&w, WRITEFUNCTION, take_all);
  watch_post(&w, name);
  say(w.out, "settled: %d", (int)curl_easy_perform(w.easy));
  watch_close(&w);
}

static void perform_once(const char *name, void (*setup)(struct watch *w), bool ask)
{
  struct watch w;

  if (scenario->settled)
    settle(name);
  watch_open(&w, name);
  if (setup)
    setup(&w);
  watch_perform(&w);
  if (ask)
    say_infos(&w);
  watch_close(&w);
}

void perform_with(const char *name, void (*setup)(struct watch *w))
{
  perform_once(name, setup, false);
}

void perform_and_ask(const char *name, void (*setup)(struct watch *w))
{
  perform_once(name, setup, true);
}
