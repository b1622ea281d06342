/* SPDX-License-Identifier: MIT */
#include "shim/request/request.h"

#include "config/kernel.h"
#include "config/names.h"
#include "shim/base/span.h"
#include "shim/form/form_file.h"
#include "shim/handle/multi.h"
#include "shim/handle/overrides.h"
#include "shim/handle/resolve.h"
#include "shim/handle/url.h"
#include "shim/request/cookies.h"
#include "shim/request/netrc.h"
#include "shim/request/trust.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Building. Texts grow in the request's own rooms, so that a hit allocates nothing; once one does not fit,
 * its `len` is more than the room. */
struct text {
  char *at;
  size_t len, room;
};

static void add(struct text *text, const char *data, size_t len)
{
  if (text->len <= text->room && len <= text->room - text->len)
    memcpy(text->at + text->len, data, len);
  text->len += len;
}

static void add_text(struct text *text, const char *data)
{
  add(text, data, strlen(data));
}

/* Adds "NAME VALUE", unless there is no value. */
static void add_pair(struct text *text, const char *name, const char *value)
{
  if (!value)
    return;
  add_text(text, name);
  add_text(text, value);
}

static void add_number(struct text *text, const char *name, long long value)
{
  char digits[24];
  snprintf(digits, sizeof(digits), "%lld", value);
  add_pair(text, name, value ? digits : NULL);
}

static bool fits(const struct text *text)
{
  return text->len <= text->room;
}

/* Puts a text that is complete where the store looks for it. What did not fit is nothing, for the log would
 * read past its end; `reason` is then returned. */
static const char *take_text(struct idem_span *span, const struct text *text, const char *reason)
{
  *span = (struct idem_span){text->at, fits(text) ? text->len : 0};
  return fits(text) ? NULL : reason;
}

static void add_lower(struct text *text, const char *data, size_t len)
{
  add(text, data, len);
  if (!fits(text))
    return;
  char *at = text->at + text->len - len;
  for (size_t i = 0; i < len; i++)
    at[i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] | 0x20) : at[i];
}

static void add_port(struct text *text, unsigned port)
{
  char digits[6];
  size_t at = sizeof(digits);
  do
    digits[--at] = (char)('0' + port % 10);
  while (port /= 10);
  add(text, digits + at, sizeof(digits) - at);
}

/* The value of a line, without the blanks round it. */
static struct idem_span value_of(const char *colon)
{
  const char *start = colon + 1;
  while (*start == ' ' || *start == '\t')
    start++;
  struct idem_span value = {start, strcspn(start, "\r\n")};
  while (value.len && strchr(" \t", value.data[value.len - 1]))
    value.len--;
  return value;
}

/* A Host: line is part of the origin, for a server with several names is as many servers. One that says what
 * the URL says is not. */
static void add_host(struct text *text, const struct request *request)
{
  const struct shadow *shadow = request->shadow;
  const struct url_parts *parts = &shadow->parts;
  if (!request->host)
    return;
  struct idem_span host = value_of(strchr(request->host, ':'));
  const char *url_host = shadow->url.data + parts->host;
  if (host.len > parts->host_len && strncasecmp(host.data, url_host, parts->host_len) == 0) {
    char port[8];
    size_t len = (size_t)snprintf(port, sizeof(port), ":%u", parts->port);
    if (host.len == parts->host_len + len && memcmp(host.data + parts->host_len, port, len) == 0)
      return;
  }
  bool usual = parts->port == (parts->https ? 443 : 80);
  if (usual && host.len == parts->host_len && strncasecmp(host.data, url_host, host.len) == 0)
    return;
  add_text(text, " host:");
  add_lower(text, host.data, host.len);
}

/* A Unix socket, which is another one in another directory if its path is relative. False
 * if that is not known. */
static bool add_socket(struct text *text, const char *path)
{
  char directory[512];
  if (!path)
    return true;
  add_text(text, " ");
  if (*path && *path != '/') {
    int saved = errno;
    const bool known = getcwd(directory, sizeof(directory)) && *directory == '/';
    errno = saved;
    if (!known)
      return false;
    add_text(text, directory[1] ? directory : "");
    add_text(text, "/");
  }
  add_text(text, path);
  return true;
}

/* "https://api.openai.com:443", and what else says which server that is: a socket's path, CONNECT_TO,
 * RESOLVE. */
static const char *build_origin(struct request *request)
{
  const struct shadow *shadow = request->shadow;
  const struct url_parts *parts = &shadow->parts;
  struct text text = {request->origin, 0, sizeof(request->origin)};
  /* An IPv6 address has colons, and is written in brackets. */
  bool literal = memchr(shadow->url.data + parts->host, ':', parts->host_len) != NULL;
  struct idem_target target = {
      .host = shadow->url.data + parts->host, .host_len = parts->host_len, .port = parts->port};
  const struct idem_origin *recorded = idem_config_origin(settings(), &target, parts->https);
  if (recorded) {
    add_text(&text, recorded->text);
  } else {
    add_text(&text, parts->https ? "https://" : "http://");
    add_text(&text, literal ? "[" : "");
    add_lower(&text, shadow->url.data + parts->host, parts->host_len);
    add_text(&text, literal ? "]:" : ":");
    add_port(&text, parts->port);
  }
  /* @ keeps an abstract name from passing for a path. */
  add_pair(&text, " @", shadow_text(shadow, SLOT_ABSTRACT_UNIX_SOCKET));
  if (!add_socket(&text, shadow_text(shadow, SLOT_UNIX_SOCKET_PATH)))
    return "UNIX_SOCKET_PATH and an unknown directory";
  /* Entries that lead the URL's host somewhere else: another server is another origin. */
  static const uint8_t detours[] = {SLOT_CONNECT_TO, SLOT_RESOLVE};
  for (size_t i = 0; i < sizeof(detours); i++)
    for (const struct curl_slist *entry = (const struct curl_slist *)shadow->slot[detours[i]]; entry;
         entry = entry->next) {
      add_text(&text, " via ");
      add_text(&text, entry->data);
    }
  add_host(&text, request);
  return take_text(&request->bytes.origin, &text, "origin too long");
}

/* A key cannot know whether the answer came by a redirect, so what decides that counts wherever one is
 * followed. */
static void add_redirects(struct text *text, const struct shadow *shadow)
{
  static const struct {
    CURLoption option;
    const char *name;
    bool none; /* 0 is none at all, and not the default */
  } numbers[] = {{CURLOPT_MAXREDIRS, ";redirects:", true},
                 {CURLOPT_POSTREDIR, ";post-redirects:", false},
                 {CURLOPT_REDIR_PROTOCOLS, ";redirect-protocols:", true},
                 {CURLOPT_UNRESTRICTED_AUTH, ";unrestricted-auth:", false},
                 {CURLOPT_AUTOREFERER, ";auto-referer:", false}};
  const long follow = (long)shadow->slot[SLOT_FOLLOWLOCATION];
  if (!follow)
    return;
  /* Since 8.16 it also says whether the method of CUSTOMREQUEST stays. */
  if (follow != 1)
    add_number(text, ";follow:", follow);
  /* On its way libcurl may change the method that it has of its own, and CUSTOMREQUEST covers it or not. A
   * GET and a HEAD stay what they are. */
  const char *custom = shadow_text(shadow, SLOT_CUSTOMREQUEST), *own = shadow_own_method(shadow);
  if (custom && (strcmp(custom, own) != 0 || (strcmp(own, "GET") != 0 && strcmp(own, "HEAD") != 0)))
    add_pair(text, ";custom-of:", own);
  for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
    const long value = (long)shadow_value(shadow, numbers[i].option);
    if (!value && numbers[i].none && shadow_has_set(shadow, numbers[i].option))
      add_pair(text, numbers[i].name, "0");
    add_number(text, numbers[i].name, value);
  }
  add_pair(text, ";redirect-protocols:", (const char *)shadow_value(shadow, CURLOPT_REDIR_PROTOCOLS_STR));
}

/* The shape is what decides the bytes of an answer besides the request: which codings the client undoes,
 * which part it asks for, which redirects it follows. */
static const char *build_shape(struct request *request)
{
  const struct shadow *shadow = request->shadow;
  struct text text = {request->shape, 0, sizeof(request->shape)};
  add_pair(&text, "decodes:", shadow_text(shadow, SLOT_ACCEPT_ENCODING));
  if (!shadow->slot[SLOT_HTTP_CONTENT_DECODING])
    add_text(&text, ";raw-content");
  if (!shadow->slot[SLOT_HTTP_TRANSFER_DECODING])
    add_text(&text, ";raw-transfer");
  if (shadow->no_body)
    add_text(&text, ";no-body");
  /* libcurl takes dot segments out of the URL otherwise. */
  if (shadow->rare_count && shadow_value(shadow, CURLOPT_PATH_AS_IS))
    add_text(&text, ";path-as-is");
  if (shadow->needy) {
    /* The part of the answer that is asked for. */
    add_pair(&text, ";range:", (const char *)shadow_value(shadow, CURLOPT_RANGE));
    add_number(&text, ";from:", (long long)shadow_value(shadow, CURLOPT_RESUME_FROM_LARGE));
  }
  add_redirects(&text, shadow);
  for (size_t i = 0; i < request->bytes.header_count; i++) {
    /* An app may ask for a coding by a header of its own, and undo it itself. */
    const struct idem_span *line = &request->headers[i];
    if (line->len > 16 && line->data[15] == ':' && strncasecmp(line->data, "accept-encoding", 15) == 0) {
      const struct idem_span value = value_of(line->data + 15);
      add_text(&text, ";asks: ");
      add(&text, value.data, value.len);
    }
  }
  return take_text(&request->bytes.shape, &text, "ACCEPT_ENCODING too long");
}

/* The first letter, of a `name` in lower case, settles nearly all. */
static inline bool is_named(const char *line, const char *name)
{
  size_t len = strlen(name);
  return (line[0] | 0x20) == name[0] && strncasecmp(line, name, len) == 0 &&
         (line[len] == ':' || line[len] == ';');
}

static const char too_many[] = "too many headers, or too long ones", odd_form[] = "a header in an odd form";

/* False if there is no room for one more; the line stays where it is. */
static bool add_header(struct request *request, struct idem_span line)
{
  if (request->bytes.header_count == REQUEST_HEADERS_MAX)
    return false;
  request->headers[request->bytes.header_count++] = line;
  return true;
}

/* "NAME: VALUE", which has to be put together. */
static bool add_made_header(struct request *request, struct text *text, struct idem_span name,
                            const char *value)
{
  size_t start = text->len;
  add(text, name.data, name.len);
  add_text(text, value);
  return fits(text) && add_header(request, (struct idem_span){text->at + start, text->len - start});
}

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

/* Nothing but blanks and line ends, and most have a letter at once. */
static bool is_empty(const char *text)
{
  return (unsigned char)text[text[0] == ' '] <= ' ' && !text[strspn(text, " \t\r\n")];
}

/* The length of a text without the blanks at its end. */
static size_t trimmed_len(const char *text)
{
  size_t len = strlen(text);
  while (len && is_blank(text[len - 1]))
    len--;
  return len;
}

/* True for "NAME:..." with a name that no server can take for another one: "Host :" is read in two ways, and
 * a line that begins with a blank goes on with the one before. */
static bool has_plain_name(const char *line, size_t len)
{
  size_t name = 0;
  while (name < len && line[name] != ':' && (unsigned char)line[name] > ' ')
    name++;
  return name && name < len && line[name] == ':';
}

/* Where the header that begins here ends, in a string that may hold several, with the lines that are folded
 * into it; before its line end. Sets *next to where another one begins. */
static size_t header_len(const char *line, size_t len, size_t *next)
{
  const char *end = memchr(line, '\n', len);
  while (end && end + 1 < line + len && is_blank(end[1]))
    end = memchr(end + 1, '\n', (size_t)(line + len - end - 1));
  if (!end) {
    *next = len;
    return len;
  }
  *next = (size_t)(end - line) + 1;
  return (size_t)(end - line) - (end > line && end[-1] == '\r');
}

/* Adds the headers that an entry of the app's list comes to on the wire: libcurl sends it as it is, also
 * where lines in it make several headers of it. NULL, or why the call cannot be named. */
static const char *add_headers(struct request *request, const char *line, size_t len)
{
  for (size_t at = 0, next; at < len; at += next) {
    size_t here = header_len(line + at, len - at, &next);
    const char *stray = memchr(line + at, '\r', here);
    /* A lone CR ends a line for some servers. A fold has its CR before the LF. */
    while (stray && stray[1] == '\n' && stray + 1 < line + at + here)
      stray = memchr(stray + 1, '\r', (size_t)(line + at + here - stray - 1));
    /* libcurl has a Host: of its own beside one that does not stand first. */
    if (stray || !has_plain_name(line + at, here) || (at && is_named(line + at, "host")))
      return odd_form;
    if (!add_header(request, (struct idem_span){line + at, here}))
      return too_many;
  }
  return NULL;
}

/* One entry of the app's list, as libcurl sends it [http.c, Curl_add_custom_headers]: "Name:" is not sent at
 * all, and "Name;" is sent without a value. A line end at the end of one ends all headers, for libcurl adds
 * its own. */
static const char *add_entry(struct request *request, struct text *text, const char *line)
{
  const char *colon = strchr(line, ':'), *semicolon = colon ? NULL : strchr(line, ';');
  const size_t len = trimmed_len(line);
  const bool ends_all = len && (line[len - 1] == '\r' || line[len - 1] == '\n');
  if (semicolon) {
    const size_t name = (size_t)(semicolon - line), start = text->len;
    if (!is_empty(semicolon + 1))
      return NULL;
    if (!add_made_header(request, text, (struct idem_span){line, name}, ":"))
      return too_many;
    /* An empty Host: is no server's name, and counts nowhere. */
    return has_plain_name(text->at + start, name + 1) && !is_named(line, "host") && !ends_all ? NULL
                                                                                              : odd_form;
  }
  if (!colon)
    return NULL;
  /* Of several, libcurl takes the first; but behind a bare "Host:" it sends them all. */
  if (is_named(line, "host") && request->host && strcmp(request->host, "Host:") == 0)
    return odd_form;
  if (is_named(line, "host") && !request->host)
    request->host = line;
  if (is_empty(colon + 1))
    return NULL;
  return ends_all ? odd_form : add_headers(request, line, len);
}

/* Adds what libcurl adds where the app says nothing of it, and what it makes of options. */
static bool add_own_headers(struct request *request, struct text *text)
{
  const struct shadow *shadow = request->shadow;
  const struct curl_slist *line = (const struct curl_slist *)shadow->slot[SLOT_HTTPHEADER];
  const char *agent = shadow_text(shadow, SLOT_USERAGENT), *referer = shadow_text(shadow, SLOT_REFERER);
  /* libcurl's own for POSTFIELDS; a form's type has its boundary, and stands in the text of the body. */
  bool accept = true, type = shadow->request == HTTP_POST && !shadow->no_body, told_agent = false,
       told_referer = false;
  for (; line; line = line->next) {
    accept &= !is_named(line->data, "accept");
    type &= !is_named(line->data, "content-type");
    told_agent |= is_named(line->data, "user-agent");
    told_referer |= is_named(line->data, "referer");
  }
  static const struct idem_span agent_name = {"User-Agent: ", 12}, referer_name = {"Referer: ", 9};
  return (!accept || add_header(request, span_of("Accept: */*"))) &&
         (!type || add_header(request, span_of("Content-Type: application/x-www-form-urlencoded"))) &&
         (!agent || told_agent || add_made_header(request, text, agent_name, agent)) &&
         (!referer || told_referer || add_made_header(request, text, referer_name, referer));
}

static const char *build_headers(struct request *request)
{
  const struct curl_slist *line = (const struct curl_slist *)request->shadow->slot[SLOT_HTTPHEADER];
  struct text text = {request->option_headers, 0, sizeof(request->option_headers)};
  const char *reason = NULL;
  request->bytes.headers = request->headers;
  for (; line && !reason; line = line->next)
    reason = add_entry(request, &text, line->data);
  return reason ? reason : add_own_headers(request, &text) ? NULL : too_many;
}

static void add_credential(struct request *request, enum idem_credential kind, struct idem_span text)
{
  struct idem_request *bytes = &request->bytes;
  bytes->credential_kinds |= (uint64_t)kind << 4 * bytes->credential_count;
  request->credentials[bytes->credential_count++] = text;
}

/* HTTPAUTH says which login goes out: a token that it does not name stays here, and with CURLAUTH_NONE each
 * one. Kerberos needs none. The store takes 0 for the usual, so CURLAUTH_NONE is told by a bit that stands
 * for no kind. */
static void build_auth(struct request *request)
{
  if (!request->shadow->rare_count)
    return;
  const unsigned long auth = (unsigned long)shadow_value(request->shadow, CURLOPT_HTTPAUTH);
  if (auth != CURLAUTH_BASIC &&
      (request->bytes.credential_count || (auth & ~CURLAUTH_ONLY) == CURLAUTH_NEGOTIATE))
    request->bytes.auth = auth == CURLAUTH_NONE ? 1ull << 63 : auth;
}

/* Credentials say who is asking, as far as it was not said in a header. */
static void build_credentials(struct request *request)
{
  static const struct {
    uint8_t slot, kind;
  } options[] = {{SLOT_USERPWD, IDEM_CREDENTIAL_LOGIN},     {SLOT_USERNAME, IDEM_CREDENTIAL_USER},
                 {SLOT_PASSWORD, IDEM_CREDENTIAL_PASSWORD}, {SLOT_XOAUTH2_BEARER, IDEM_CREDENTIAL_BEARER},
                 {SLOT_AWS_SIGV4, IDEM_CREDENTIAL_SIGNER},  {SLOT_SSLCERT, IDEM_CREDENTIAL_CERTIFICATE}};
  enum { OPTIONS = sizeof(options) / sizeof(*options) };
  _Static_assert(OPTIONS + 4 <= REQUEST_CREDENTIALS_MAX,
                 "a place for each, for the URL's, for cookies, for a .netrc and for a certificate");
  const struct shadow *shadow = request->shadow;
  request->bytes.credentials = request->credentials;
  for (size_t i = 0; i < OPTIONS; i++)
    if (shadow->slot[options[i].slot])
      add_credential(request, options[i].kind, span_of(shadow_text(shadow, options[i].slot)));
  const struct url_parts *parts = &shadow->parts;
  if (parts->user_len)
    add_credential(request, IDEM_CREDENTIAL_LOGIN,
                   (struct idem_span){shadow->url.data + parts->user, parts->user_len});
  build_auth(request);
}

static bool is_user(const char *login)
{
  return login && *login && *login != ':';
}

/* True if libcurl may log in as whoever runs the program, by a Kerberos ticket or through winbind, and
 * nothing says who that is. The way to ask for it is a login without a name, ":". With NEGOTIATE alone the
 * name is not used at all [curl(1), --negotiate], and none is needed. Where several kinds are allowed and
 * there is no login, libcurl never picks one [Curl_http_auth_act() in http.c]: R's curl package allows any
 * kind in each call. */
static bool logs_in_as_process(const struct request *request)
{
  const struct shadow *shadow = request->shadow;
  if (!shadow->rare_count || request->rule->keying.tenant != IDEM_TENANT_CREDENTIALS)
    return false;
  const unsigned long kinds = (unsigned long)shadow_value(shadow, CURLOPT_HTTPAUTH) & ~CURLAUTH_ONLY;
  if (!(kinds & (CURLAUTH_NEGOTIATE | CURLAUTH_NTLM | CURLAUTH_NTLM_WB)))
    return false;
  if (kinds == CURLAUTH_NEGOTIATE)
    return true;
  const char *pair = shadow_text(shadow, SLOT_USERPWD), *name = shadow_text(shadow, SLOT_USERNAME),
             *in_url = shadow->parts.user_len ? shadow->url.data + shadow->parts.user : NULL;
  if (request->netrc.len || is_user(pair) || is_user(name) || is_user(in_url))
    return false;
  return pair || name || in_url || shadow_text(shadow, SLOT_PASSWORD);
}

static bool list_has(const char *list, const char *word)
{
  size_t len = strlen(word);
  for (; *list; list += strspn(list, ",")) {
    size_t item = strcspn(list, ",");
    if ((item == len && strncasecmp(list, word, len) == 0) || (item == 3 && strncasecmp(list, "all", 3) == 0))
      return true;
    list += item;
  }
  return false;
}

/* An app that forbids its own URL's scheme is owed libcurl's refusal. */
static bool protocol_allowed(const struct shadow *shadow)
{
  const char *list = shadow_text(shadow, SLOT_PROTOCOLS_STR);
  bool https = shadow->parts.https;
  if (list)
    return list_has(list, https ? "https" : "http");
  return shadow->slot[SLOT_PROTOCOLS] & (https ? CURLPROTO_HTTPS : CURLPROTO_HTTP);
}

/* Cookies of the option and of libcurl's engine are credentials: they say who asks, as a Cookie header
 * does. */
static const char *build_cookies(struct request *request)
{
  const struct shadow *shadow = request->shadow;
  const char *option = shadow_text(shadow, SLOT_COOKIE);
  if (!option && !shadow->cookie_engine && !shadow->shared)
    return NULL;
  const char *reason = cookies_sent(shadow, request->host, option, &request->cookies);
  if (!reason && request->cookies.len)
    add_credential(request, IDEM_CREDENTIAL_LOGIN, span_of_buffer(&request->cookies));
  return reason;
}

/* What a .netrc says of the host. False if the call has to be live. */
static bool build_netrc(struct request *request)
{
  if (!netrc_read(request->shadow, &request->netrc, &request->body.form.files))
    return false;
  if (request->netrc.len)
    add_credential(request, IDEM_CREDENTIAL_LOGIN, span_of_buffer(&request->netrc));
  build_auth(request);
  return true;
}

/* A client certificate is what its file holds, beside the name of the file: it may be replaced, and each
 * machine has its own at one place. What is no file has a name alone, as a key in a token. False if the call
 * has to be live: it is a pipe, which gives its text once, or cannot be read. */
static bool build_certificate(struct request *request)
{
  enum { CERTIFICATE_MAX = 1 << 20 };
  const char *path = shadow_text(request->shadow, SLOT_SSLCERT);
  struct stat info;
  int saved = errno;
  bool known = true;
  if (request->rule->keying.tenant == IDEM_TENANT_CREDENTIALS &&
      idem_fstatat(AT_FDCWD, path, &info, 0) == 0) {
    known =
        !form_file_read(&request->certificate, &request->body.form.files, path, INT64_MAX, CERTIFICATE_MAX);
    if (known)
      add_credential(request, IDEM_CREDENTIAL_CERTIFICATE, span_of_buffer(&request->certificate));
  }
  errno = saved;
  return known;
}

/* True if a Content-Length: of the app's own says another length than that of the body: the server takes a
 * part of it. How long a form of libcurl's is, depends on its boundary. */
static bool tells_another_length(const struct request *request)
{
  static const char name[] = "content-length:";
  const struct idem_request *bytes = &request->bytes;
  char length[24];
  if (request->shadow->request == HTTP_FORM || request->shadow->request == HTTP_MIME)
    return false;
  for (size_t i = 0; i < bytes->header_count; i++) {
    const struct idem_span *line = &request->headers[i];
    if (line->len < sizeof(name) || strncasecmp(line->data, name, sizeof(name) - 1) != 0)
      continue;
    struct idem_span value = value_of(line->data + sizeof(name) - 2);
    size_t len = (size_t)snprintf(length, sizeof(length), "%zu", bytes->body.len);
    if (value.len != len || memcmp(value.data, length, len) != 0)
      return true;
  }
  return false;
}

const char *request_open(struct request *request, struct shadow *shadow, const struct idem_rule *rule,
                         char room[24])
{
  const struct url_parts *parts = &shadow->parts;
  struct idem_request *bytes = &request->bytes;
  request->shadow = shadow;
  request->rule = rule;
  /* The rooms for texts behind it need not be zero: they are most of it, and a hit is to be quick. */
  buffer_zero(&request->op, offsetof(struct request, started_us) - offsetof(struct request, op));
  idem_call_init(&request->op);
  request->body.shadow = shadow;
  request->speed = rule->pace == IDEM_PACE_ORIGINAL;
  request->host = NULL;
  request->tape.writer = NULL;
  request->tape.played = request->tape.fault = request->tape.streamed = false;
  bytes->rule = rule;
  bytes->method = span_of(shadow_method(shadow));
  bytes->path = shadow_path(shadow);
  bytes->query = (struct idem_span){shadow->url.data + parts->query, parts->query_len};
  bytes->scope = span_of(settings()->scope);
  /* Before the first reason to stop: of a call that cannot be named, tape and log have what there is. */
  build_credentials(request);
  if (rule->action == IDEM_ACTION_BYPASS)
    return "action=bypass";
  const char *reason = shadow_needs(shadow, NEEDS_LIVE, room);
  if (reason && strcmp(reason, "NETRC") == 0 && build_netrc(request))
    reason = shadow_needs_besides(shadow, NEEDS_LIVE, option_number(CURLOPT_NETRC), room);
  if (reason)
    return reason;
  /* Some versions send a PUT then, and others a POST. */
  if (shadow->upload && shadow->request != HTTP_PUT)
    return "UPLOAD and another method";
  if (!protocol_allowed(shadow))
    return "PROTOCOLS";
  if (shadow->slot[SLOT_SSLCERT] && !build_certificate(request))
    return "SSLCERT";
  if (shadow->slot[SLOT_CURLU] &&
      !url_says_all(shadow->lib, (CURLU *)shadow->slot[SLOT_CURLU], shadow->url.data, parts))
    return "CURLU";
  const struct multi *multi = multi_of(shadow);
  if (resolve_may_linger(shadow, &shadow->resolved) ||
      (multi && resolve_may_linger(shadow, &multi->resolved)))
    return "RESOLVE of an earlier call";
  if ((reason = build_headers(request)) || (reason = build_origin(request)) ||
      (reason = trust_of(shadow, rule->trust, request->trust, sizeof(request->trust), &bytes->trust)) ||
      (reason = build_shape(request)) || (reason = build_cookies(request)))
    return reason;
  /* The app's reader is not touched before it is certain that the body matters. */
  const struct body *body = &request->body;
  body_open(&request->body, rule->max_body);
  bytes->body = body->span;
  if (body->form.reason)
    return body->form.reason;
  if (body->late)
    return "READFUNCTION goes on for too long";
  if (!body->whole)
    return body->read.bytes.len > rule->max_body ? "max_body" : "READFUNCTION paused or gave up";
  if (body->span.len > rule->max_body)
    return "max_body";
  if (tells_another_length(request))
    return "a Content-Length that is not the body's";
  return logs_in_as_process(request) ? "HTTPAUTH and no user" : NULL;
}

void request_release(struct request *request)
{
  body_release(&request->body);
  free(request->zeroed);
  buffer_release(&request->cookies);
  buffer_release(&request->netrc);
  buffer_release(&request->certificate);
}

/* Moves a span of the request's own text with it; one of the app's stays where it is. */
static void move_span(struct idem_span *span, const struct request *to, const struct request *from)
{
  uintptr_t at = (uintptr_t)span->data - (uintptr_t)from;
  if (at < sizeof(*from))
    span->data = (const char *)to + at;
}

void request_move(struct request *to, const struct request *from)
{
  *to = *from;
  struct idem_request *bytes = &to->bytes;
  bytes->headers = to->headers;
  bytes->credentials = to->credentials;
  for (size_t i = 0; i < bytes->header_count; i++)
    move_span(&to->headers[i], to, from);
  move_span(&bytes->origin, to, from);
  move_span(&bytes->trust, to, from);
  move_span(&bytes->shape, to, from);
  if (to->tape.played && to->tape.ending.text)
    to->tape.ending.text = to->tape.note;
}

void request_leave(struct request *request, bool delivered)
{
  if (request->api)
    request->api->leave(request->store, &request->op, delivered);
}

void request_unpin(struct request *request)
{
  if (request->api)
    request->api->unpin(request->store, &request->op);
}

void request_limit_time(const struct request *request)
{
  long limit = (long)request->shadow->slot[SLOT_TIMEOUT_MS],
       spent = (long)((monotonic_us() - request->started_us) / 1000);
  if ((request->op.waited || request->body.late) && limit > 0)
    override_until_set(request->shadow, CURLOPT_TIMEOUT_MS, spent < limit ? limit - spent : 1);
}

int64_t request_due_us(const struct request *request, int64_t at_us)
{
  return request->speed > 0 ? request->started_us + (int64_t)((double)at_us / request->speed) : 0;
}

int64_t request_chunk_us(const struct request *request, size_t i)
{
  const struct tape_outcome *recorded = &request->tape.record.outcome;
  if (request->tape.played)
    return i < recorded->chunk_count ? (int64_t)recorded->chunks[i].at_us : 0;
  return (int64_t)request->op.answer.chunks[i].at_ms * 1000;
}

/* The request is left out of an event once the app may have freed what it was named by. */
static void write_event(const struct request *request, struct event event)
{
  event.id = request->op.id[0] ? request->op.id : NULL;
  event.request = request->shadow->disturbed ? NULL : &request->bytes;
  report_event(&event);
}

static void copy(char *to, size_t size, struct idem_span from)
{
  size_t len = from.len < size - 1 ? from.len : size - 1;
  if (len)
    memcpy(to, from.data, len);
  to[len] = '\0';
}

/* For `explain`: a hit does not come here, and what is sent and stored has nothing to explain. */
static void note_decision(const struct request *request, const char *name, const char *reason, int status)
{
  if (!reason && (strcmp(name, "live") == 0 || strcmp(name, "stored") == 0))
    return;
  struct idem_decision decision = {.at_us = wall_clock_us(), .status = (uint16_t)status};
  memcpy(decision.id, request->op.id, sizeof(decision.id));
  copy(decision.event, sizeof(decision.event), span_of(name));
  copy(decision.reason, sizeof(decision.reason), span_of(reason ? reason : ""));
  if (!request->shadow->disturbed) {
    copy(decision.method, sizeof(decision.method), request->bytes.method);
    copy(decision.origin, sizeof(decision.origin), request->bytes.origin);
    copy(decision.path, sizeof(decision.path), request->bytes.path);
  }
  request->api->note(request->store, &decision);
}

void request_event(const struct request *request, const char *name, const char *reason, int status,
                   int64_t ms)
{
  if (request->api)
    note_decision(request, name, reason, status);
  write_event(request, (struct event){.name = name, .reason = reason, .status = status, .ms = ms});
}

void request_delivered(const struct request *request, const char *via)
{
  if (!settings()->log || request->tape.fault)
    return;
  write_event(request, (struct event){
                           .name = request->tape.played ? "replayed"
                                   : request->op.waited ? "join"
                                                        : "hit",
                           .via = via,
                           .reason = request->zeroed ? "usage_zeroed" : NULL,
                           .status = request->op.answer.status,
                           .ms = (monotonic_us() - request->started_us) / 1000,
                       });
}

void request_tell_sample(const struct request *request)
{
  if (!request->op.new_sample)
    return;
  request_event(request, "new_sample", "an earlier answer to the same call was delivered", 0, -1);
  report_sample();
}

void request_bypass(const struct request *request, const char *reason)
{
  report_count(IDEM_COUNTER_bypass);
  report_want(reason);
  request_event(request, "bypass", reason, 0, -1);
}
