/* SPDX-License-Identifier: MIT */
/*
 * The life of a transport: the options that lead libcurl to our socket, the callbacks that stand before the
 * app's, and the end, where everything is as the app left it.
 *
 * libcurl is given another header than the app (transport_header.h). So our header callback counts the lines
 * of the wire, and passes on the record's lines with the same numbers; what the app answers is translated
 * back.
 */
#include "shim/transport/transport.h"

#include "shim/base/http_header.h"
#include "shim/form/form.h"
#include "shim/handle/callbacks.h"
#include "shim/handle/overrides.h"
#include "shim/replay/debug.h"
#include "shim/replay/progress.h"
#include "shim/replay/stream_follow.h"
#include "shim/request/cookies.h"
#include "shim/transport/feeder.h"
#include "shim/transport/transport_header.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A path that is longer than a datagram may be. */
#define PATH_MOST 32768u
/* So many bytes of a count fit into a name, behind its first byte, which is 0, and the time. */
#define NAME_COUNT 5u

/* Whether it can be done. */

const char *transport_refuses(const struct request *request)
{
  const struct shadow *shadow = request->shadow;
  const struct idem_answer *answer = &request->op.answer;
  if (!shadow->lib->unix_sockets)
    return "a libcurl without Unix sockets";
  if (shadow->parts.path_len > PATH_MOST)
    return "a long path";
  /* The method is overridden, and cannot be restored without the name of the form. */
  if (shadow->request == HTTP_MIME && !form_real(shadow->form))
    return "a form in a copied handle";
  const char *reason = info_refuses(shadow, answer);
  return reason ? reason : cookies_refuse(shadow, answer->headers, info_was_redirected(answer));
}

/* The callbacks: libcurl gives us, and we give the app. */

/* The record's lines for those that libcurl has taken from the wire; moves on over both. The wire has a line
 * for each of the record's, and libcurl may give several at once, or a part of one. */
static struct idem_span lines_of_record(const struct transport *t, struct place *at, size_t wire_len)
{
  const char *from = t->info->headers.data + at->record;
  struct idem_span rest = {from, t->info->headers.len - at->record};
  if (wire_len > t->wire.len - at->wire)
    wire_len = t->wire.len - at->wire;
  for (size_t i = 0; i < wire_len; i++)
    if (t->wire.data[at->wire + i] == '\n')
      span_cut_line(&rest);
  at->wire += wire_len;
  at->record += (size_t)(rest.data - from);
  return span_between(from, rest.data);
}

/* Returns what libcurl is told for a line of `given` bytes, when the app took `taken` of the record's
 * `wanted` bytes in its place. A refusal is noted: libcurl's own words would be about the other line. */
static size_t verdict(struct transport *t, bool header, size_t taken, size_t wanted, size_t given)
{
  if (taken == wanted)
    return given;
  if (taken == CURL_WRITEFUNC_PAUSE)
    return taken;
  t->refused = (struct refusal){true, header, wanted, taken};
  return given ? 0 : 1;
}

/* The app is given these lines now: getinfo knows them. */
static void note_lines(struct transport *t, struct idem_span lines)
{
  int status = header_status(lines.data, lines.len);
  t->info->status = status ? status : t->info->status;
  t->info->begun = true;
  t->info->passed = (size_t)(lines.data + lines.len - t->info->headers.data);
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
  struct transport *t = user;
  size_t len = size * count;
  /* A poke is an interim response before there is an answer; its blank line is where it has come through. */
  if (!t->answered) {
    if (len <= 2)
      t->on_poke(t->owner);
    return len;
  }
  struct place before = t->header;
  struct idem_span lines = lines_of_record(t, &t->header, len);
  note_lines(t, lines);
  debug_before_header(t->shadow, lines.data, lines.len);
  size_t taken = t->identical ? callback_header(t->shadow, line, len)
                              : callback_header_copy(t->shadow, lines.data, lines.len);
  if (taken == CURL_WRITEFUNC_PAUSE)
    t->header = before;
  if (taken == lines.len) {
    debug_after_header(t->shadow, t->info->status, lines.data, lines.len);
    t->info->taken = t->info->passed;
  }
  feeder_feed(t);
  return verdict(t, true, taken, lines.len, len);
}

/* With CURLOPT_HEADER every line comes this way first; the app may have set it after the first of them. */
static size_t write_header(struct transport *t, char *line, size_t len)
{
  if (t->write.wire < t->header.wire)
    t->write = t->header;
  struct place before = t->write;
  struct idem_span lines = lines_of_record(t, &t->write, len);
  note_lines(t, lines);
  size_t taken = t->identical ? callback_write(t->shadow, line, len)
                              : callback_write_copy(t->shadow, lines.data, lines.len);
  if (taken == CURL_WRITEFUNC_PAUSE)
    t->write = before;
  if (taken == lines.len)
    t->info->delivered += (int64_t)taken;
  return verdict(t, false, taken, lines.len, len);
}

/* Nothing is translated in the body: libcurl is given the very bytes of the answer. */
static size_t on_write(char *data, size_t size, size_t count, void *user)
{
  struct transport *t = user;
  size_t len = size * count;
  if (!t->answered)
    return len;
  if (t->shadow->slot[SLOT_HEADER] && t->header.wire < t->wire.len)
    return write_header(t, data, len);
  debug_show(t->shadow, CURLINFO_DATA_IN, data, len);
  t->info->uncounted = t->counts_late && !t->put_off ? (int64_t)len : 0;
  size_t taken = callback_write(t->shadow, data, len);
  t->put_off = taken == CURL_WRITEFUNC_PAUSE;
  if (taken == len || t->put_off)
    t->info->uncounted = 0;
  if (taken == len)
    t->info->delivered += (int64_t)len;
  feeder_feed(t);
  return taken;
}

/* Tells the app the bytes of the live transfer: what it sent, and what came before it was decoded. */
static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
  struct transport *t = user;
  t->info->begun = true;
  struct progress p = {.down_total = down_total, .down = down, .up_total = up_total, .up = up};
  if (t->header.wire)
    progress_take_sent(&p, t->info);
  if (t->scaled) {
    int64_t total = info_number(t->info, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, -1);
    int64_t whole = info_number(t->info, CURLINFO_SIZE_DOWNLOAD_T, 0);
    p.down = down * whole / (curl_off_t)t->request->op.answer.body.len;
    p.down_total = down && total > 0 ? total : 0;
  }
  return progress_ask(t->shadow, &p);
}

/* The app is told of the live call's connection, which getinfo knows from now on, as it would have. */
static int on_prereq(void *user, char *to, char *from, int to_port, int from_port)
{
  const struct transport *t = user;
  struct idem_span facts = span_of_buffer(&t->info->facts);
  curl_prereq_callback function = (curl_prereq_callback)shadow_value(t->shadow, CURLOPT_PREREQFUNCTION);
  if (!function)
    return CURL_PREREQFUNC_OK;
  const char *remote = info_record_text(facts, CURLINFO_PRIMARY_IP);
  const char *local = info_record_text(facts, CURLINFO_LOCAL_IP);
  t->info->connected = true;
  return function((void *)shadow_value(t->shadow, CURLOPT_PREREQDATA), remote ? (char *)remote : to,
                  local ? (char *)local : from, (int)info_number(t->info, CURLINFO_PRIMARY_PORT, to_port),
                  (int)info_number(t->info, CURLINFO_LOCAL_PORT, from_port));
}

/* The connection. */

/* An abstract name, which libcurl is given to dial and has room for: no other socket here has it, so that it
 * also tells our descriptors from others that the app may have by the same numbers. */
static void make_name(struct transport *t)
{
  static _Atomic uint64_t made;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, count = ++made;
  t->address = (struct sockaddr){.sa_family = AF_UNIX};
  memcpy(t->address.sa_data + 1, &seed, sizeof(seed));
  memcpy(t->address.sa_data + 1 + sizeof(seed), &count, NAME_COUNT);
  t->address_len = sizeof(t->address);
}

/* Another process may have just that name. */
static bool give_name(struct transport *t)
{
  for (int tries = 3; tries; tries--) {
    make_name(t);
    if (bind(t->our_end, &t->address, t->address_len) == 0)
      return true;
    if (errno != EADDRINUSE)
      break;
  }
  return false;
}

static bool make_pair(struct transport *t)
{
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
    return false;
  t->app_end = ends[0];
  t->our_end = ends[1];
  if (give_name(t))
    return true;
  close(ends[0]);
  close(ends[1]);
  t->app_end = t->our_end = -1;
  return false;
}

static bool has_name(const struct transport *t, int fd, bool of_peer)
{
  struct sockaddr name;
  socklen_t len = sizeof(name);
  return fd >= 0 && (of_peer ? getpeername(fd, &name, &len) : getsockname(fd, &name, &len)) == 0 &&
         len == t->address_len && memcmp(&name, &t->address, len) == 0;
}

bool transport_has_our_end(const struct transport *t)
{
  return has_name(t, t->our_end, false);
}

static bool has_app_end(const struct transport *t)
{
  return has_name(t, t->app_end, true);
}

/* They are the app's to close if they are not ours any more. */
static void close_pair(struct transport *t)
{
  if (has_app_end(t))
    close(t->app_end);
  if (transport_has_our_end(t))
    close(t->our_end);
  t->app_end = t->our_end = -1;
}

/* Before libcurl has its end, the app may have closed what it does not know: nothing has been read then, and
 * all of it is sent anew. */
static bool renew_pair(struct transport *t)
{
  int cancel;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  feeder_lock();
  close_pair(t);
  bool made = make_pair(t);
  t->wire_fed = t->chunk = t->chunk_fed = t->body_fed = 0;
  t->ended = false;
  feeder_unlock();
  pthread_setcancelstate(cancel, NULL);
  if (made)
    feeder_feed(t);
  return made;
}

/* Gives libcurl the end that is connected already, and the name of its own peer to connect to. There is
 * no second connection. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
  struct transport *t = user;
  (void)purpose;
  t->info->begun = true;
  if (t->app_end < 0)
    return CURL_SOCKET_BAD;
  bool fed = t->answered && transport_feeds_itself(t);
  if (fed)
    transport_feed(t);
  /* Our end is there if a whole answer has just gone into it. */
  bool is_there = (fed && t->ended) || transport_has_our_end(t);
  if ((!has_app_end(t) || !is_there) && !renew_pair(t))
    return CURL_SOCKET_BAD;
  int fd = t->app_end;
  t->app_end = -1;
  address->family = AF_UNIX;
  address->socktype = SOCK_DGRAM;
  address->protocol = 0;
  address->addrlen = t->address_len;
  address->addr = t->address;
  return fd;
}

/* Closes without any data of ours: libcurl may close the connection when we are gone. */
static int close_socket(void *user, curl_socket_t fd)
{
  (void)user;
  return close(fd);
}

/* The URL has the app's host and path, for cookies. Where the host may be known to be https only, it is left
 * out: no cookie is set then. */
static bool make_url(struct transport *t)
{
  const struct shadow *shadow = t->shadow;
  const struct url_parts *parts = &shadow->parts;
  const char *url = shadow->url.data;
  bool literal = memchr(url + parts->host, ':', parts->host_len) != NULL;
  bool hsts = shadow_has_hsts(shadow);
  struct idem_span host =
      hsts ? (struct idem_span){"127.0.0.1", 9} : (struct idem_span){url + parts->host, parts->host_len};
  struct buffer *to = &t->url;
  return buffer_append(to, "http://[", literal && !hsts ? 8 : 7) && buffer_append(to, host.data, host.len) &&
         (!literal || hsts || buffer_append(to, "]", 1)) && (parts->path_len || buffer_append(to, "/", 1)) &&
         buffer_append(to, url + parts->path, parts->path_len) && buffer_append(to, "", 1);
}

/* The options. */

/* The pipe needs no name, no proxy, no second connection and no request that anybody reads. CURLU comes
 * first: since 8.14 it takes the URL away. */
void transport_hold(struct transport *t)
{
  struct shadow *shadow = t->shadow;
  const uintptr_t *slot = shadow->slot;
  bool prereq = shadow_value(shadow, CURLOPT_PREREQFUNCTION);
  /* Also if it is only turned on in the middle. */
  bool progress = !slot[SLOT_NOPROGRESS] || slot[SLOT_XFERINFOFUNCTION] || slot[SLOT_PROGRESSFUNCTION];
  /* The app's protocols may leave http out. */
  bool limited = slot[SLOT_PROTOCOLS_STR] || slot[SLOT_PROTOCOLS] != (uintptr_t)-1;
  /* With a body, RESUME_FROM is about what is sent; else libcurl asks for a part of the answer by it. */
  bool sends = shadow->request != HTTP_GET && shadow->request != HTTP_HEAD;
  uintptr_t resume_from = sends ? 0 : shadow_value(shadow, CURLOPT_RESUME_FROM_LARGE);
  override_set(shadow, CURLOPT_CURLU, NULL);
  override_set(shadow, CURLOPT_URL, t->url.data);
  override_set(shadow, CURLOPT_PORT, 0);
  override_set(shadow, CURLOPT_PROTOCOLS, limited ? CURLPROTO_HTTP : slot[SLOT_PROTOCOLS]);
  override_set(shadow, CURLOPT_PRE_PROXY, NULL);
  override_set(shadow, CURLOPT_PROXY, "");
  override_set(shadow, CURLOPT_UNIX_SOCKET_PATH, "idemshim");
  override_set(shadow, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  override_set(shadow, CURLOPT_OPENSOCKETDATA, t);
  override_set(shadow, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  override_set(shadow, CURLOPT_CLOSESOCKETDATA, NULL);
  override_set(shadow, CURLOPT_SOCKOPTFUNCTION, NULL);
  override_set(shadow, CURLOPT_FRESH_CONNECT, 1);
  override_set(shadow, CURLOPT_FORBID_REUSE, 1);
  override_set(shadow, CURLOPT_TCP_FASTOPEN, 0);
  override_set(shadow, CURLOPT_IPRESOLVE, CURL_IPRESOLVE_WHATEVER);
  override_set(shadow, CURLOPT_HTTPGET, 1);
  /* The host's name decides whose the cookies of the answer are. */
  t->host = (struct curl_slist){.data = (char *)(uintptr_t)t->request->host};
  override_set(shadow, CURLOPT_HTTPHEADER, t->request->host ? &t->host : NULL);
  override_set(shadow, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
  override_set(shadow, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  override_set(shadow, CURLOPT_RESUME_FROM_LARGE, resume_from);
  override_set(shadow, CURLOPT_FOLLOWLOCATION, 0);
  override_set(shadow, CURLOPT_VERBOSE, 0);
  override_set(shadow, CURLOPT_MAX_RECV_SPEED_LARGE, 0);
  override_set(shadow, CURLOPT_WRITEFUNCTION, on_write);
  override_set(shadow, CURLOPT_WRITEDATA, t);
  override_set(shadow, CURLOPT_HEADERFUNCTION, on_header);
  override_set(shadow, CURLOPT_HEADERDATA, t);
  override_set(shadow, CURLOPT_PREREQFUNCTION, prereq ? on_prereq : NULL);
  override_set(shadow, CURLOPT_PREREQDATA, prereq ? t : NULL);
  override_set(shadow, CURLOPT_XFERINFOFUNCTION, progress ? on_progress : NULL);
  override_set(shadow, CURLOPT_XFERINFODATA, progress ? t : NULL);
  /* A tape says itself when it is over. */
  if (t->request->tape.played)
    override_until_set(shadow, CURLOPT_TIMEOUT_MS, 0);
}

bool transport_arm(struct transport *t, struct request *request)
{
  struct shadow *shadow = request->shadow;
  struct info *replay = info_begin(shadow);
  int saved = errno;
  /* A datagram is what libcurl reads at once, so it is no longer than libcurl's buffer. */
  long size = (long)shadow_value(shadow, CURLOPT_BUFFERSIZE);
  *t = (struct transport){.request = request, .shadow = shadow, .info = replay, .app_end = -1, .our_end = -1};
  t->piece = size <= 0 || size > CURL_MAX_WRITE_SIZE ? CURL_MAX_WRITE_SIZE
             : size < 1024                           ? 1024
                                                     : (size_t)size;
  if (!replay || !make_pair(t) || !make_url(t)) {
    close_pair(t);
    buffer_release(&t->url);
    errno = saved;
    return false;
  }
  replay->passing = true;
  shadow->replayed = REPLAYED_TRANSPORT;
  shadow->transport = t;
  shadow->state = PERFORM_TRANSPORT;
  transport_hold(t);
  errno = saved;
  return true;
}

bool transport_answer(struct transport *t, const char *marks)
{
  struct shadow *shadow = t->shadow;
  const struct idem_answer *answer = &t->request->op.answer;
  bool open = stream_follow_is_open(t->request);
  struct transport_header_facts facts = {
      .body_len = open ? UINT64_MAX : answer->body.len,
      .bodyless = shadow->no_body || answer->status == 204 || answer->status == 304,
      .secure_cookies = shadow->parts.https && (shadow->cookie_engine || shadow->shared)};
  bool begun = t->info->begun;
  /* It is the shadow's, and stays where there is no memory to fill it: the call goes live from here. */
  if (!info_begin_answer(shadow, answer, marks))
    return false;
  t->info->begun = begun;
  t->info->passing = true;
  struct idem_span record = span_of_buffer(&t->info->headers);
  t->wire.len = 0;
  if (!transport_header_compose(&t->wire, record, &facts))
    return false;
  t->identical =
      t->wire.len == record.len && (!record.len || memcmp(t->wire.data, record.data, record.len) == 0);
  t->scaled =
      !open && answer->body.len &&
      info_number(t->info, CURLINFO_SIZE_DOWNLOAD_T, (int64_t)answer->body.len) != (int64_t)answer->body.len;
  t->counts_late = shadow->lib->version < 0x080500 && header_is_chunked(answer->headers);
  t->answered = true;
  debug_announce(t->request);
  /* An answer that waits for nobody is fed when libcurl asks for its end of the pair. */
  if (t->app_end < 0 || !transport_feeds_itself(t))
    feeder_feed(t);
  return true;
}

CURLcode transport_settle(struct transport *t)
{
  const struct request *request = t->request;
  feeder_forget(t);
  if (stream_follow_is_open(request))
    return CURLE_OK;
  CURLcode code = stream_follow_settle(t->request);
  if (code != CURLE_OK || t->body_fed == request->op.answer.body.len)
    return code;
  callback_error(t->shadow, "What came of the answer that this call followed cannot be read to its end");
  return CURLE_RECV_ERROR;
}

void transport_disarm(struct transport *t, CURLcode code)
{
  int saved = errno;
  feeder_forget(t);
  close_pair(t);
  override_restore_all(t->shadow);
  if (code == CURLE_WRITE_ERROR && t->refused.happened)
    callback_refused(t->shadow, t->refused.header, t->refused.len, t->refused.taken);
  if (t->answered)
    cookies_mend(t->shadow, t->request->host, span_of_buffer(&t->info->headers));
  t->info->passing = code != CURLE_OK && !t->request->tape.played;
  if (!t->info->passing)
    t->info->passed = t->info->headers.len;
  t->info->ended_us = monotonic_us();
  t->shadow->transport = NULL;
  t->shadow->state = PERFORM_PENDING;
  buffer_release(&t->url);
  buffer_release(&t->wire);
  errno = saved;
}
