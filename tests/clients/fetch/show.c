/* SPDX-License-Identifier: MIT */
/* Old infos are shown as well: programs read them. */
#include "tests/clients/fetch/fetch.h"

#pragma weak curl_easy_nextheader /* libcurl has had it since 7.83 */

static const struct info {
  const char *name;
  CURLINFO info;
  bool time;
} infos[] = {
#define PLAIN(name)                                                                                          \
  {                                                                                                          \
#name, CURLINFO_##name, false                                                                            \
  }
#define TIME(name)                                                                                           \
  {                                                                                                          \
#name, CURLINFO_##name, true                                                                             \
  }
    PLAIN(EFFECTIVE_URL),
    PLAIN(EFFECTIVE_METHOD),
    PLAIN(RESPONSE_CODE),
    PLAIN(HTTP_CONNECTCODE),
    PLAIN(HTTP_VERSION),
    PLAIN(SCHEME),
    PLAIN(PROTOCOL),
    PLAIN(CONTENT_TYPE),
    PLAIN(FILETIME),
    PLAIN(FILETIME_T),
    PLAIN(SIZE_UPLOAD),
    PLAIN(SIZE_UPLOAD_T),
    PLAIN(SIZE_DOWNLOAD),
    PLAIN(SIZE_DOWNLOAD_T),
    PLAIN(CONTENT_LENGTH_DOWNLOAD),
    PLAIN(CONTENT_LENGTH_DOWNLOAD_T),
    PLAIN(CONTENT_LENGTH_UPLOAD),
    PLAIN(CONTENT_LENGTH_UPLOAD_T),
    PLAIN(HEADER_SIZE),
    PLAIN(REQUEST_SIZE),
    PLAIN(SSL_VERIFYRESULT),
    PLAIN(PROXY_SSL_VERIFYRESULT),
    PLAIN(REDIRECT_COUNT),
    PLAIN(REDIRECT_URL),
    PLAIN(HTTPAUTH_AVAIL),
    PLAIN(PROXYAUTH_AVAIL),
    PLAIN(PROXY_ERROR),
    PLAIN(OS_ERRNO),
    PLAIN(NUM_CONNECTS),
    PLAIN(PRIMARY_IP),
    PLAIN(PRIMARY_PORT),
    PLAIN(LOCAL_IP),
    PLAIN(LOCAL_PORT),
    PLAIN(CONDITION_UNMET),
    PLAIN(RETRY_AFTER),
    PLAIN(REFERER),
    PLAIN(COOKIELIST),
    PLAIN(SSL_ENGINES),
    PLAIN(FTP_ENTRY_PATH),
    PLAIN(RTSP_SESSION_ID),
    PLAIN(RTSP_CLIENT_CSEQ),
    PLAIN(RTSP_SERVER_CSEQ),
    PLAIN(RTSP_CSEQ_RECV),
    PLAIN(LASTSOCKET),
    PLAIN(ACTIVESOCKET),
    TIME(TOTAL_TIME),
    TIME(TOTAL_TIME_T),
    TIME(NAMELOOKUP_TIME),
    TIME(NAMELOOKUP_TIME_T),
    TIME(CONNECT_TIME),
    TIME(CONNECT_TIME_T),
    TIME(APPCONNECT_TIME),
    TIME(APPCONNECT_TIME_T),
    TIME(PRETRANSFER_TIME),
    TIME(PRETRANSFER_TIME_T),
    TIME(STARTTRANSFER_TIME),
    TIME(STARTTRANSFER_TIME_T),
    TIME(REDIRECT_TIME),
    TIME(REDIRECT_TIME_T),
    TIME(SPEED_DOWNLOAD),
    TIME(SPEED_DOWNLOAD_T),
    TIME(SPEED_UPLOAD),
    TIME(SPEED_UPLOAD_T),
#undef PLAIN
#undef TIME
};

static void show_list(FILE *out, struct curl_slist *list)
{
  for (struct curl_slist *item = list; item; item = item->next)
    fprintf(out, " [%s]", item->data);
  curl_slist_free_all(list);
}

/* Fetched by type; -1 in the value that a failing call leaves behind. */
static CURLcode show_value(FILE *out, CURL *handle, CURLINFO info)
{
  char *text = NULL;
  long number = -1;
  double real = -1;
  curl_off_t offset = -1;
  curl_socket_t socket = CURL_SOCKET_BAD;
  struct curl_slist *list = NULL;
  CURLcode code = CURLE_UNKNOWN_OPTION;

  switch ((unsigned)info & CURLINFO_TYPEMASK) {
  case CURLINFO_STRING:
    code = curl_easy_getinfo(handle, info, &text);
    fprintf(out, " %s", text ? text : "(null)");
    break;
  case CURLINFO_LONG:
    code = curl_easy_getinfo(handle, info, &number);
    fprintf(out, " %ld", number);
    break;
  case CURLINFO_DOUBLE:
    code = curl_easy_getinfo(handle, info, &real);
    fprintf(out, " %f", real);
    break;
  case CURLINFO_OFF_T:
    code = curl_easy_getinfo(handle, info, &offset);
    fprintf(out, " %" CURL_FORMAT_CURL_OFF_T, offset);
    break;
  case CURLINFO_SOCKET:
    code = curl_easy_getinfo(handle, info, &socket);
    fprintf(out, " %d", socket);
    break;
  case CURLINFO_SLIST:
    code = curl_easy_getinfo(handle, info, &list);
    show_list(out, list);
    break;
  }
  return code;
}

void show_infos(FILE *out, CURL *handle, bool times)
{
  for (size_t i = 0; i < sizeof infos / sizeof *infos; i++) {
    CURLcode code;

    if (infos[i].time != times)
      continue;
    fprintf(out, "%s", infos[i].name);
    code = show_value(out, handle, infos[i].info);
    if (code)
      fprintf(out, " (rc %d)", (int)code);
    fputc('\n', out);
  }
}

void show_headers(FILE *out, CURL *handle)
{
  unsigned all = CURLH_HEADER | CURLH_TRAILER | CURLH_CONNECT | CURLH_1XX | CURLH_PSEUDO;
  struct curl_header *header = NULL;

  while (curl_easy_nextheader && (header = curl_easy_nextheader(handle, all, -1, header)))
    fprintf(out, "api %s: %s (%zu of %zu, origin %u)\n", header->name, header->value, header->index + 1,
            header->amount, header->origin);
}
