/* SPDX-License-Identifier: MIT */
#include "shim/handle/shadow.h"

#include "shim/form/form.h"
#include "shim/handle/resolve.h"
#include "shim/handle/url.h"
#include "shim/runtime/report.h"
#include "shim/runtime/unmatched.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Atomic bool shadow_any_hsts;

/* The bit that stands for every option newer than the table. */
#define NEWER OPTION_LIMIT

/* `needy` is on until the next reset: it saves most handles the search. */
static void set_need(struct shadow *shadow, unsigned bit, bool on)
{
  uint64_t mask = 1ull << (bit % 64);
  shadow->needy |= on;
  shadow->needs[bit / 64] = on ? shadow->needs[bit / 64] | mask : shadow->needs[bit / 64] & ~mask;
}

/* False without memory. */
static bool set_text(struct shadow *shadow, unsigned slot, const char *text)
{
  free((char *)shadow->slot[slot]);
  shadow->slot[slot] = text ? (uintptr_t)strdup(text) : 0;
  return !text || shadow->slot[slot];
}

/* Most handles have none of these, and few have more than a handful: a list is smaller than a slot for
 * each. */
struct rare {
  uintptr_t value;
  uint16_t number;
  bool is_text;
};

static struct rare *find_rare(const struct shadow *shadow, unsigned number)
{
  for (unsigned i = 0; i < shadow->rare_count; i++)
    if (shadow->rare[i].number == number)
      return &shadow->rare[i];
  return NULL;
}

bool shadow_has_set(const struct shadow *shadow, CURLoption option)
{
  return find_rare(shadow, option_number(option)) != NULL;
}

uintptr_t shadow_value(const struct shadow *shadow, CURLoption option)
{
  const struct option_row *row = option_row(option);
  if (row->kind == OPTION_KEPT || row->kind == OPTION_TEXT)
    return shadow->slot[row->slot];
  switch ((int)option) {
  case CURLOPT_URL:
    return shadow->text_url.len ? (uintptr_t)shadow->text_url.data
           : shadow->url.len    ? (uintptr_t)shadow->url.data
                                : 0;
  case CURLOPT_CURLU:
    return shadow->slot[SLOT_CURLU];
  case CURLOPT_PORT:
    return shadow->slot[SLOT_PORT];
  case CURLOPT_PROTOCOLS:
    return shadow->slot[SLOT_PROTOCOLS];
  case CURLOPT_RESOLVE:
    return shadow->slot[SLOT_RESOLVE];
  }
  const struct rare *rare = find_rare(shadow, option_number(option));
  if (rare)
    return rare->value;
  /* libcurl's defaults that are not 0 [Curl_init_userdefined]. */
  switch ((int)option) {
  case CURLOPT_HTTPAUTH:
    return CURLAUTH_BASIC;
  case CURLOPT_SSL_VERIFYPEER:
  case CURLOPT_PROXY_SSL_VERIFYPEER:
    return 1;
  case CURLOPT_SSL_VERIFYHOST:
  case CURLOPT_PROXY_SSL_VERIFYHOST:
    return 2;
  case CURLOPT_TCP_KEEPIDLE:
  case CURLOPT_TCP_KEEPINTVL:
    return 60;
  case CURLOPT_UPLOAD_BUFFERSIZE:
    return 65536;
  }
  return 0;
}

static struct rare *add_rare(struct shadow *shadow, unsigned number)
{
  if (shadow->rare_count == shadow->rare_room) {
    unsigned room = shadow->rare_room + 16u;
    struct rare *grown = realloc(shadow->rare, room * sizeof(*grown));
    if (!grown)
      return NULL;
    shadow->rare = grown;
    shadow->rare_room = (uint8_t)room;
  }
  shadow->rare[shadow->rare_count] = (struct rare){.number = (uint16_t)number};
  return &shadow->rare[shadow->rare_count++];
}

static bool set_rare(struct shadow *shadow, unsigned number, uintptr_t value, bool is_text)
{
  struct rare *rare = find_rare(shadow, number);
  if (!rare && !(rare = add_rare(shadow, number)))
    return false;
  if (rare->is_text)
    free((char *)rare->value);
  rare->is_text = is_text;
  rare->value = is_text && value ? (uintptr_t)strdup((const char *)value) : value;
  return !value || rare->value;
}

/* As if it had not been set. */
static void forget_rare(struct shadow *shadow, unsigned number)
{
  struct rare *rare = find_rare(shadow, number);
  if (!rare)
    return;
  if (rare->is_text)
    free((char *)rare->value);
  *rare = shadow->rare[--shadow->rare_count];
}

/* The bytes may be the app's, and gone after this call. */
static bool set_blob(struct shadow *shadow, unsigned number, const struct curl_blob *blob)
{
  char digest[33];
  if (!blob)
    return set_rare(shadow, number, 0, true);
  XXH128_hash_t hash = XXH3_128bits(blob->data, blob->len);
  snprintf(digest, sizeof(digest), "%016llx%016llx", (unsigned long long)hash.high64,
           (unsigned long long)hash.low64);
  return set_rare(shadow, number, (uintptr_t)digest, true);
}

/* Notes an option of which we know only that libcurl has it. */
static void set_unknown(struct shadow *shadow, unsigned number)
{
  set_need(shadow, NEWER, true);
  shadow->newer_option = (uint16_t)number;
}

/* There was no memory to remember its value, and a call by what is remembered would be another one. */
static void set_forgotten(struct shadow *shadow, unsigned number)
{
  set_unknown(shadow, number);
  shadow->forgot_option = true;
}

void shadow_reset(struct shadow *shadow)
{
#define X(name) free((char *)shadow->slot[SLOT_##name]);
  OPTIONS_TEXT(X)
#undef X
  for (unsigned i = 0; i < shadow->rare_count; i++)
    if (shadow->rare[i].is_text)
      free((char *)shadow->rare[i].value);
  free(shadow->rare);
  shadow->rare = NULL;
  shadow->rare_count = shadow->rare_room = 0;
  memset(shadow->slot, 0, sizeof(shadow->slot));
  /* libcurl's defaults that are not 0 [Curl_init_userdefined]. */
  shadow->slot[SLOT_WRITEDATA] = (uintptr_t)stdout;
  shadow->slot[SLOT_READDATA] = (uintptr_t)stdin;
  shadow->slot[SLOT_STDERR] = (uintptr_t)stderr;
  shadow->slot[SLOT_NOPROGRESS] = 1;
  shadow->slot[SLOT_HTTP_CONTENT_DECODING] = shadow->slot[SLOT_HTTP_TRANSFER_DECODING] = 1;
  shadow->slot[SLOT_POSTFIELDSIZE_LARGE] = shadow->slot[SLOT_INFILESIZE_LARGE] = (uintptr_t)-1;
  shadow->slot[SLOT_PROTOCOLS] = (uintptr_t)-1;
  memset(shadow->needs, 0, sizeof(shadow->needs));
  shadow->needy = shadow->forgot_option = false;
  shadow_lose_form(shadow);
  if (shadow->unsent.bytes.data)
    pieces_release(&shadow->unsent);
  shadow->url.len = shadow->text_url.len = shadow->copied_post.len = 0;
  shadow->request = HTTP_GET;
  /* In the middle of a call: the texts that it was named by have just been freed. */
  shadow->disturbed = shadow->state != PERFORM_IDLE;
  shadow->upload = shadow->no_body = shadow->is_copied_post = shadow->copied_post_lost = false;
  /* Of all that a replay has left, getinfo tells only the method after a reset: libcurl's reset keeps no
   * more. */
  shadow->replayed = shadow->replayed ? REPLAYED_RESET : REPLAYED_NOT;
  shadow->matched = shadow->paused = false;
  shadow->overridden = shadow->held = shadow->altered = 0;
}

/* With its NUL. The origin has room behind it (request/origin.c): it is shorter than most URLs, but for the
 * port. */
static bool set_url(struct shadow *shadow, const char *url, size_t len)
{
  return buffer_set(&shadow->url, url, len, len ? len + strlen(":65535") : 0);
}

/* Copies what libcurl's copy of a handle has, which is no transfer, no place in a multi, and nothing that was
 * delivered. */
bool shadow_copy(struct shadow *to, const struct shadow *from)
{
  bool complete = true;
  memcpy(to->slot, from->slot, sizeof(to->slot));
#define X(name)                                                                                              \
  to->slot[SLOT_##name] = 0;                                                                                 \
  complete &= set_text(to, SLOT_##name, shadow_text(from, SLOT_##name));
  OPTIONS_TEXT(X)
#undef X
  memcpy(to->needs, from->needs, sizeof(to->needs));
  to->needy = from->needy;
  to->newer_option = from->newer_option;
  to->forgot_option = from->forgot_option;
  to->request = from->request;
  to->upload = from->upload;
  to->no_body = from->no_body;
  to->is_copied_post = from->is_copied_post;
  to->copied_post_lost = from->copied_post_lost;
  to->cookie_engine = from->cookie_engine;
  to->cookie_file = from->cookie_file;
  to->shared = from->shared;
  to->hsts = from->hsts;
  to->form = from->form ? form_copy(from->form) : NULL;
  for (unsigned i = 0; i < from->rare_count; i++)
    complete &= set_rare(to, from->rare[i].number, from->rare[i].value, from->rare[i].is_text);
  /* The copy has a cache of its own, and puts there what its option says. */
  if (to->slot[SLOT_RESOLVE])
    complete &= buffer_append(&to->resolved, from->resolved.data, from->resolved.len);
  complete &= set_url(to, from->url.data, from->url.len);
  complete &= buffer_set(&to->text_url, from->text_url.data, from->text_url.len, 0);
  complete &= buffer_append(&to->cookie_files, from->cookie_files.data, from->cookie_files.len);
  return complete & buffer_set(&to->copied_post, from->copied_post.data, from->copied_post.len, 0);
}

/* Programs set the same URL for each call: what it matched still holds then. */
static void note_url(struct shadow *shadow, const char *url)
{
  if (url && shadow->url.len && strcmp(url, shadow->url.data) == 0)
    return;
  shadow->matched = false;
  shadow->url.len = 0;
  if (url && !set_url(shadow, url, strlen(url) + 1))
    report_want("no memory for a URL");
}

static void note_text_url(struct shadow *shadow, const char *url)
{
  shadow->text_url.len = 0;
  if (!shadow->slot[SLOT_CURLU])
    note_url(shadow, url);
  else if (url && !buffer_set(&shadow->text_url, url, strlen(url) + 1, 0))
    set_forgotten(shadow, option_number(CURLOPT_URL));
}

/* A CURLU goes before a URL, which libcurl 8.12 and newer forget then. Where an older one goes once the CURLU
 * is taken away depends on what it has transferred before: it is not known until the app sets another. */
static void note_curlu(struct shadow *shadow, uintptr_t handle)
{
  const bool forgets = shadow->lib->version >= 0x080c00;
  struct buffer *url = &shadow->url, *text_url = &shadow->text_url;
  if (!handle && !shadow->slot[SLOT_CURLU] && !forgets)
    return;
  if (forgets)
    text_url->len = 0;
  else if (!shadow->slot[SLOT_CURLU] && url->len) {
    if (!buffer_set(text_url, url->data, url->len, 0))
      set_forgotten(shadow, option_number(CURLOPT_URL));
  }
  shadow->slot[SLOT_CURLU] = handle;
  url->len = 0;
  shadow->matched = false;
}

static void note_post_body(struct shadow *shadow, const char *body)
{
  shadow->slot[SLOT_POSTFIELDS] = (uintptr_t)body;
  shadow->is_copied_post = false;
  shadow->request = HTTP_POST;
}

/* libcurl copies with the size that was set before, or to the NUL [setopt.c, CURLOPT_COPYPOSTFIELDS]. */
static void note_copied_post(struct shadow *shadow, const char *body)
{
  int64_t size = (int64_t)shadow->slot[SLOT_POSTFIELDSIZE_LARGE];
  note_post_body(shadow, NULL);
  shadow->copied_post.len = 0;
  if (!body)
    return;
  shadow->copied_post_lost =
      !buffer_set(&shadow->copied_post, body, size < 0 ? strlen(body) : (size_t)size, 0);
  shadow->is_copied_post = true;
}

void shadow_lose_form(struct shadow *shadow)
{
  form_drop(shadow->form);
  shadow->form = NULL;
}

/* libcurl reads each of them before every transfer; the list cannot be taken back in most versions. */
static void note_cookie_file(struct shadow *shadow, const char *name)
{
  struct buffer *files = &shadow->cookie_files;
  if (!name || !*name)
    return;
  shadow->cookie_file = true;
  for (size_t at = 0; at < files->len; at += strlen(files->data + at) + 1)
    if (strcmp(files->data + at, name) == 0)
      return;
  if (!buffer_append(files, name, strlen(name) + 1))
    set_forgotten(shadow, option_number(CURLOPT_COOKIEFILE));
}

/* Handled one by one. The method follows the last of those that choose one, as in libcurl's setopt.c. */
static void note_special(struct shadow *shadow, CURLoption option, uintptr_t value)
{
  bool on = (long)value != 0;
  switch ((int)option) {
  case CURLOPT_URL:
    note_text_url(shadow, (const char *)value);
    break;
  case CURLOPT_CURLU:
    note_curlu(shadow, value);
    break;
  case CURLOPT_PORT:
    shadow->slot[SLOT_PORT] = value;
    shadow->matched = false;
    break;
  case CURLOPT_POSTFIELDS:
    note_post_body(shadow, (const char *)value);
    break;
  case CURLOPT_COPYPOSTFIELDS:
    note_copied_post(shadow, (const char *)value);
    break;
  case CURLOPT_POST:
    shadow->request = on ? HTTP_POST : HTTP_GET;
    shadow->no_body &= !on;
    /* Before that version, an upload that was asked for stays one, and is a PUT (CVE-2022-32221). */
    if (shadow->lib->version >= 0x075600)
      shadow->upload = false;
    break;
  case CURLOPT_UPLOAD:
  case CURLOPT_PUT:
    shadow->request = on ? HTTP_PUT : HTTP_GET;
    shadow->no_body &= !on;
    shadow->upload = on;
    break;
  case CURLOPT_HTTPGET:
    if (on) {
      shadow->request = HTTP_GET;
      shadow->upload = shadow->no_body = false;
    }
    break;
  case CURLOPT_NOBODY:
    shadow->no_body = on;
    if (on || shadow->request == HTTP_HEAD)
      shadow->request = on ? HTTP_HEAD : HTTP_GET;
    break;
  case CURLOPT_POSTFIELDSIZE:
  case CURLOPT_POSTFIELDSIZE_LARGE:
    /* A size that is larger than the one a copy was made with ends the copy. */
    if ((int64_t)shadow->slot[SLOT_POSTFIELDSIZE_LARGE] < (int64_t)value)
      shadow->is_copied_post = false;
    shadow->slot[SLOT_POSTFIELDSIZE_LARGE] = value;
    break;
  case CURLOPT_HTTPPOST:
    /* Also if it is taken away again: what goes out is then an empty form. */
    shadow->slot[SLOT_HTTPPOST] = value;
    shadow->request = HTTP_FORM;
    shadow->no_body = false;
    break;
  case CURLOPT_MIMEPOST:
    shadow_lose_form(shadow);
    shadow->form = form_take((const curl_mime *)value);
    shadow->request = HTTP_MIME;
    shadow->no_body = false;
    break;
  case CURLOPT_INFILESIZE:
    shadow->slot[SLOT_INFILESIZE_LARGE] = value;
    break;
  case CURLOPT_MAXFILESIZE:
    shadow->slot[SLOT_MAXFILESIZE_LARGE] = value;
    break;
  case CURLOPT_PROTOCOLS:
    shadow->slot[SLOT_PROTOCOLS] = value;
    set_text(shadow, SLOT_PROTOCOLS_STR, NULL);
    break;
  /* In seconds; libcurl has one place for both. */
  case CURLOPT_TIMEOUT:
    shadow->slot[SLOT_TIMEOUT_MS] = (long)value > LONG_MAX / 1000 ? (uintptr_t)LONG_MAX : value * 1000;
    break;
  case CURLOPT_RESOLVE:
    shadow->slot[SLOT_RESOLVE] = value;
    if (!resolve_note(shadow, (const struct curl_slist *)value))
      set_forgotten(shadow, option_number(option));
    break;
  case CURLOPT_SHARE:
    shadow->shared |= value != 0;
    break;
  case CURLOPT_COOKIEFILE:
    note_cookie_file(shadow, (const char *)value);
    /* fallthrough */
  case CURLOPT_COOKIEJAR:
  case CURLOPT_COOKIELIST:
    shadow->cookie_engine |= value != 0;
    break;
  }
}

/* Puts what USERPWD says where what is set now replaces a half of it. `slot` is that half. */
static bool part_login(struct shadow *shadow, unsigned slot)
{
  const char *pair = shadow_text(shadow, SLOT_USERPWD), *colon = pair ? strchr(pair, ':') : NULL;
  bool known = true;
  if (!pair)
    return true;
  if (slot == SLOT_USERNAME)
    known = !colon || set_text(shadow, SLOT_PASSWORD, colon + 1);
  else {
    const size_t len = colon ? (size_t)(colon - pair) : strlen(pair);
    char *name = strndup(pair, len);
    known = name && set_text(shadow, SLOT_USERNAME, name);
    free(name);
  }
  return set_text(shadow, SLOT_USERPWD, NULL) && known;
}

/* A text has its slot. Some of them say something about another option as well. */
static void note_text(struct shadow *shadow, CURLoption option, unsigned slot, const char *text)
{
  bool known = set_text(shadow, slot, text);
  switch ((int)option) {
  case CURLOPT_CUSTOMREQUEST:
    shadow->matched = false;
    break;
  case CURLOPT_USERPWD: /* libcurl has one place for a name, and one for a password: what is set last counts */
    set_text(shadow, SLOT_USERNAME, NULL);
    set_text(shadow, SLOT_PASSWORD, NULL);
    break;
  case CURLOPT_USERNAME:
  case CURLOPT_PASSWORD:
    known &= part_login(shadow, slot);
    break;
  case CURLOPT_UNIX_SOCKET_PATH: /* libcurl has one place for both */
    set_text(shadow, SLOT_ABSTRACT_UNIX_SOCKET, NULL);
    break;
  case CURLOPT_ABSTRACT_UNIX_SOCKET:
    set_text(shadow, SLOT_UNIX_SOCKET_PATH, NULL);
    break;
  case CURLOPT_PROTOCOLS_STR:
    shadow->slot[SLOT_PROTOCOLS] = (uintptr_t)-1;
    break;
  case CURLOPT_AWS_SIGV4: /* chooses the kind of authentication as well, over what was chosen before */
    known &= !text || set_rare(shadow, option_number(CURLOPT_HTTPAUTH), CURLAUTH_AWS_SIGV4, false);
    break;
  }
  if (!known)
    set_forgotten(shadow, option_number(option));
}

void shadow_begin(struct shadow *shadow)
{
  shadow->state = PERFORM_PENDING;
  shadow->disturbed = false;
  atomic_store_explicit(&shadow->quick, (CURL *)shadow, memory_order_relaxed);
}

void shadow_end(struct shadow *shadow)
{
  shadow->state = PERFORM_IDLE;
  atomic_store_explicit(&shadow->quick, shadow->handle, memory_order_relaxed);
}

void shadow_note(struct shadow *shadow, CURLoption option, uintptr_t value)
{
  unsigned number = option_number(option);
  const struct option_row *row = option_row(option);
  uint8_t request = shadow->request;
  bool no_body = shadow->no_body;
  shadow->disturbed |= shadow->state != PERFORM_IDLE && option_decides(option);
  switch ((enum option_kind)row->kind) {
  case OPTION_FORWARDED:
    break;
  case OPTION_KEPT:
    shadow->slot[row->slot] = value;
    break;
  case OPTION_TEXT:
    note_text(shadow, option, row->slot, (const char *)value);
    break;
  case OPTION_RARE:
  case OPTION_RARE_TEXT:
    if (!set_rare(shadow, number, value, row->kind == OPTION_RARE_TEXT))
      set_forgotten(shadow, number);
    /* The two are one place in libcurl: what is set last counts. */
    if (option == CURLOPT_REDIR_PROTOCOLS)
      forget_rare(shadow, option_number(CURLOPT_REDIR_PROTOCOLS_STR));
    else if ((int)option == CURLOPT_REDIR_PROTOCOLS_STR)
      forget_rare(shadow, option_number(CURLOPT_REDIR_PROTOCOLS));
    if (option == CURLOPT_PATH_AS_IS)
      shadow->matched = false;
    break;
  case OPTION_RARE_BLOB:
    if (!set_blob(shadow, number, (const struct curl_blob *)value))
      set_forgotten(shadow, number);
    break;
  case OPTION_NEEDS:
    set_need(shadow, number, value != 0);
    /* It chooses the kind of authentication as well, and takes that away again. */
    if ((int)option == CURLOPT_HTTPSIG_ALGORITHM &&
        !set_rare(shadow, option_number(CURLOPT_HTTPAUTH),
                  value ? CURLAUTH_HTTPSIG : shadow_value(shadow, CURLOPT_HTTPAUTH) & ~CURLAUTH_HTTPSIG,
                  false))
      set_forgotten(shadow, number);
    if (value && (option == CURLOPT_HSTS || option == CURLOPT_HSTS_CTRL)) {
      shadow->hsts = true;
      atomic_store_explicit(&shadow_any_hsts, true, memory_order_relaxed);
    }
    /* Its value is remembered where a replay in libcurl takes it away for a while, and where it is part of
     * the shape. The two options of RESUME_FROM are one place in libcurl. */
    if (option_way(number) == NEEDS_TRANSPORT &&
        !set_rare(shadow, option_number(option == CURLOPT_RESUME_FROM ? CURLOPT_RESUME_FROM_LARGE : option),
                  value, option == CURLOPT_RANGE))
      set_forgotten(shadow, number);
    break;
  case OPTION_SPECIAL:
    note_special(shadow, option, value);
    shadow->matched = shadow->matched && shadow->request == request && shadow->no_body == no_body;
    break;
  case OPTION_UNKNOWN: /* 0 and NULL are taken for its default */
    if (number < NEWER)
      set_need(shadow, number, value != 0);
    else if (value)
      set_unknown(shadow, number);
    break;
  }
}

const char *shadow_own_method(const struct shadow *shadow)
{
  static const char *const words[] = {[HTTP_GET] = "GET",   [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST",
                                      [HTTP_FORM] = "POST", [HTTP_MIME] = "POST", [HTTP_PUT] = "PUT"};
  return shadow->no_body ? "HEAD" : words[shadow->request];
}

const char *shadow_method(const struct shadow *shadow)
{
  const char *custom = shadow_text(shadow, SLOT_CUSTOMREQUEST);
  return custom ? custom : shadow_own_method(shadow);
}

/* libcurl takes "." and ".." out of the path of a URL that is a text, so that /v1/../v2 goes out as /v2. It
 * takes a handle of its URL API as it is. False without memory. */
static bool note_path(struct shadow *shadow)
{
  const struct url_parts *parts = &shadow->parts;
  const char *written = shadow->url.data + parts->path;
  shadow->path.len = 0;
  if (!url_has_dots(written, parts->path_len) || shadow->slot[SLOT_CURLU] ||
      shadow_value(shadow, CURLOPT_PATH_AS_IS))
    return true;
  char *path = url_sent_path(shadow->lib, shadow->url.data);
  const size_t len = path ? strlen(path) : 0;
  /* There is no path if libcurl refuses the URL; then nothing goes out. */
  bool known = !path || (len == parts->path_len && memcmp(path, written, len) == 0) ||
               buffer_append(&shadow->path, path, len);
  shadow->lib->free(path);
  return known;
}

const struct idem_rule *shadow_match(struct shadow *shadow, const struct idem_config *config)
{
  /* libcurl reads a URL handle when the transfer starts, and the app may have changed it since the last
   * one. */
  if (shadow->slot[SLOT_CURLU]) {
    char *text = NULL;
    if (shadow->lib->url_get((CURLU *)shadow->slot[SLOT_CURLU], CURLUPART_URL, &text, 0) != CURLUE_OK)
      text = NULL;
    note_url(shadow, text);
    shadow->lib->free(text);
  }
  if (shadow->matched)
    return shadow->rule;
  shadow->matched = true;
  shadow->unmatched = false;
  shadow->rule = NULL;
  const char *url = shadow->url.data;
  const size_t user_len =
      shadow->slot[SLOT_CURLU] ? url_odd_user_len(shadow->lib, (CURLU *)shadow->slot[SLOT_CURLU]) : 0;
  if (!shadow->url.len || !url_split(url, (long)shadow->slot[SLOT_PORT], user_len, &shadow->parts) ||
      !note_path(shadow))
    return NULL;
  const char *method = shadow_method(shadow);
  const struct url_parts *parts = &shadow->parts;
  const struct idem_span path = shadow_path(shadow);
  struct idem_target target = {
      .method = method,
      .method_len = strlen(method),
      .host = url + parts->host,
      .host_len = parts->host_len,
      .path = path.data,
      .path_len = path.len,
      .port = parts->port,
  };
  const struct idem_origin *recorded = idem_config_origin(config, &target, parts->https);
  if (recorded) {
    target.host = recorded->host;
    target.host_len = recorded->host_len;
    target.port = recorded->port;
  }
  shadow->rule = idem_config_match(config, &target);
  shadow->upstream_key = shadow->rule ? (unsigned char)idem_provider_key(shadow->rule, &target) : 0;
  shadow->stateful = shadow->rule && idem_rule_leaves(shadow->rule, &target);
  shadow->unmatched = !shadow->rule;
  if (shadow->unmatched)
    unmatched_note(&target, parts->https);
  return shadow->rule;
}

const char *shadow_needs_besides(const struct shadow *shadow, enum option_way route, unsigned beside,
                                 char room[24])
{
  for (unsigned word = 0; word < sizeof(shadow->needs) / sizeof(shadow->needs[0]); word++)
    for (uint64_t left = shadow->needs[word]; left; left &= left - 1) {
      unsigned number = word * 64 + (unsigned)__builtin_ctzll(left);
      if (option_way(number) == route && number != beside)
        return number != NEWER         ? option_name(number, room)
               : shadow->forgot_option ? "no memory for an option"
                                       : option_name(shadow->newer_option, room);
    }
  return NULL;
}
