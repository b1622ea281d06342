/* SPDX-License-Identifier: MIT */
#include "tests/fidelity/fidelity.h"

#include <string.h>

/* SAME must be equal in a replay, SOME must be there, OWN is the connection's. A SPEED must be there in the
 * end: when libcurl has measured one before hangs on time. What is TOLD may be nothing. */
enum kind { SAME, SOME, SPEED, OWN, TOLD };

/* The infos that are newer than the headers that this is compiled with stand by their numbers. */
#define LONG_INFO(n)  ((CURLINFO)(CURLINFO_LONG + (n)))
#define OFF_T_INFO(n) ((CURLINFO)(CURLINFO_OFF_T + (n)))

#define I(name, kind)                                                                                        \
  {                                                                                                          \
#name, CURLINFO_##name, kind                                                                             \
  }

static const struct info {
  const char *name;
  CURLINFO info;
  enum kind kind;
} infos[] = {
    I(EFFECTIVE_URL, SAME),
    I(EFFECTIVE_METHOD, SAME),
    I(RESPONSE_CODE, SAME),
    I(HTTP_CONNECTCODE, SAME),
    I(HTTP_VERSION, SAME),
    I(PROTOCOL, SAME),
    I(SCHEME, SAME),
    I(CONTENT_TYPE, SAME),
    I(REFERER, SAME),
    I(REDIRECT_COUNT, SAME),
    I(REDIRECT_URL, SAME),
    I(SIZE_UPLOAD, SAME),
    I(SIZE_UPLOAD_T, SAME),
    I(SIZE_DOWNLOAD, SAME),
    I(SIZE_DOWNLOAD_T, SAME),
    I(CONTENT_LENGTH_DOWNLOAD, SAME),
    I(CONTENT_LENGTH_DOWNLOAD_T, SAME),
    I(CONTENT_LENGTH_UPLOAD, SAME),
    I(CONTENT_LENGTH_UPLOAD_T, SAME),
    I(REQUEST_SIZE, SAME),
    I(FILETIME, SAME),
    I(FILETIME_T, SAME),
    I(RETRY_AFTER, SAME),
    I(CONDITION_UNMET, SAME),
    I(SSL_VERIFYRESULT, SAME),
    I(PROXY_SSL_VERIFYRESULT, SAME),
    I(HTTPAUTH_AVAIL, SAME),
    I(PROXYAUTH_AVAIL, SAME),
    I(OS_ERRNO, SAME),
    I(PROXY_ERROR, SAME),
    I(NUM_CONNECTS, SAME),
    I(PRIMARY_IP, SAME),
    I(PRIMARY_PORT, SAME),
    I(LOCAL_IP, SAME),
    I(LOCAL_PORT, SOME),
    I(PRIVATE, SAME),
    I(CAINFO, SAME),
    I(CAPATH, SAME),
    I(FTP_ENTRY_PATH, SAME),
    I(RTSP_SESSION_ID, SAME),
    I(RTSP_CLIENT_CSEQ, SAME),
    I(RTSP_SERVER_CSEQ, SAME),
    I(RTSP_CSEQ_RECV, SAME),
    {"USED_PROXY", LONG_INFO(66), SAME},
    {"EARLYDATA_SENT_T", OFF_T_INFO(68), SAME},
    {"HTTPAUTH_USED", LONG_INFO(69), SAME},
    {"PROXYAUTH_USED", LONG_INFO(70), SAME},
    {"SIZE_DELIVERED", OFF_T_INFO(71), SAME},
    I(TOTAL_TIME, SOME),
    I(TOTAL_TIME_T, SOME),
    I(STARTTRANSFER_TIME, SOME),
    I(STARTTRANSFER_TIME_T, SOME),
    I(SPEED_DOWNLOAD, SPEED),
    I(SPEED_DOWNLOAD_T, SPEED),
    I(SPEED_UPLOAD, SPEED),
    I(SPEED_UPLOAD_T, SPEED),
    I(NAMELOOKUP_TIME, OWN),
    I(NAMELOOKUP_TIME_T, OWN),
    I(CONNECT_TIME, OWN),
    I(CONNECT_TIME_T, OWN),
    I(APPCONNECT_TIME, OWN),
    I(APPCONNECT_TIME_T, OWN),
    I(PRETRANSFER_TIME, OWN),
    I(PRETRANSFER_TIME_T, OWN),
    I(REDIRECT_TIME, OWN),
    I(REDIRECT_TIME_T, OWN),
    {"QUEUE_TIME_T", OFF_T_INFO(65), TOLD},
    {"POSTTRANSFER_TIME_T", OFF_T_INFO(67), TOLD},
    {"XFER_ID", OFF_T_INFO(63), TOLD},
    {"CONN_ID", OFF_T_INFO(64), TOLD},
    I(LASTSOCKET, OWN),
    I(ACTIVESOCKET, OWN),
};

/* Wide enough for whatever an info writes. */
union value {
  long number;
  double real;
  curl_off_t offset;
  curl_socket_t socket;
  char *text;
  struct curl_slist *list;
};

static void format_value(char *to, size_t size, CURLINFO info, const union value *value)
{
  switch (info & CURLINFO_TYPEMASK) {
  case CURLINFO_STRING:
    snprintf(to, size, value->text ? "\"%s\"" : "NULL", value->text);
    break;
  case CURLINFO_LONG:
    snprintf(to, size, "%ld", value->number);
    break;
  case CURLINFO_DOUBLE:
    snprintf(to, size, "%.0f", value->real);
    break;
  case CURLINFO_OFF_T:
    snprintf(to, size, "%ld", (long)value->offset);
    break;
  }
}

static bool is_something(CURLINFO info, const union value *value)
{
  switch (info & CURLINFO_TYPEMASK) {
  case CURLINFO_LONG:
    return value->number > 0;
  case CURLINFO_DOUBLE:
    return value->real > 0;
  case CURLINFO_OFF_T:
    return value->offset > 0;
  default:
    return value->socket != CURL_SOCKET_BAD;
  }
}

static void say_one(struct watch *w, const struct info *info)
{
  union value value = {.offset = 0};
  char text[600];
  CURLcode code = curl_easy_getinfo(w->easy, info->info, &value);
  bool own = info->kind >= OWN || (info->kind == SPEED && (w->inside || w->old_speed));
  const char *mark = own ? "~ " : "";

  if (info->info == CURLINFO_PRIVATE && value.text == (char *)w)
    snprintf(text, sizeof text, "the watch");
  else if (code)
    snprintf(text, sizeof text, "error %d", (int)code);
  else if (info->kind == SAME)
    format_value(text, sizeof text, info->info, &value);
  else if (info->kind == TOLD)
    snprintf(text, sizeof text, "told");
  else
    snprintf(text, sizeof text, "%s", is_something(info->info, &value) ? "some" : "none");
  say(w->out, "%sinfo %s %s", mark, info->name, text);
}

void say_infos(struct watch *w)
{
  struct curl_slist *engines = NULL;
  long header_size = 0;

  for (size_t i = 0; i < sizeof infos / sizeof *infos; i++)
    say_one(w, &infos[i]);
  curl_easy_getinfo(w->easy, CURLINFO_HEADER_SIZE, &header_size);
  say(w->out, "info HEADER_SIZE is what came: %d", header_size == (long)w->header_bytes);
  curl_easy_getinfo(w->easy, CURLINFO_SSL_ENGINES, &engines);
  say_list(w->out, "engines", engines);
  curl_slist_free_all(engines);
  say_cookies(w);
}

void print_unknown_infos(void)
{
  /* What the suite compares in another way, or only a connection has. */
  static const CURLINFO elsewhere[] = {CURLINFO_HEADER_SIZE, CURLINFO_SSL_ENGINES, CURLINFO_COOKIELIST,
                                       CURLINFO_CERTINFO,    CURLINFO_TLS_SESSION, CURLINFO_TLS_SSL_PTR};

  for (unsigned number = 1; number <= CURLINFO_LASTONE; number++) {
    bool known = false;

    for (size_t i = 0; i < sizeof infos / sizeof *infos; i++)
      known |= (infos[i].info & CURLINFO_MASK) == number;
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
      known |= (elsewhere[i] & CURLINFO_MASK) == number;
    if (!known)
      printf("info %u\n", number);
  }
}

void say_info(struct watch *w, CURLINFO wanted)
{
  for (size_t i = 0; i < sizeof infos / sizeof *infos; i++)
    if (infos[i].info == wanted)
      say_one(w, &infos[i]);
}
