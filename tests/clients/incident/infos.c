/* SPDX-License-Identifier: MIT */
#include "tests/clients/incident/incident.h"

#define I(name)                                                                                              \
  {                                                                                                          \
#name, CURLINFO_##name                                                                                   \
  }

/* All but those that are the handle's own (PRIVATE, CAINFO) or a descriptor of this very process. */
static const struct {
  const char *name;
  CURLINFO info;
} infos[] = {
    I(EFFECTIVE_URL),
    I(EFFECTIVE_METHOD),
    I(RESPONSE_CODE),
    I(HTTP_CONNECTCODE),
    I(HTTP_VERSION),
    I(PROTOCOL),
    I(SCHEME),
    I(CONTENT_TYPE),
    I(REFERER),
    I(REDIRECT_COUNT),
    I(REDIRECT_URL),
    I(SIZE_UPLOAD),
    I(SIZE_UPLOAD_T),
    I(SIZE_DOWNLOAD),
    I(SIZE_DOWNLOAD_T),
    I(CONTENT_LENGTH_DOWNLOAD),
    I(CONTENT_LENGTH_DOWNLOAD_T),
    I(CONTENT_LENGTH_UPLOAD),
    I(CONTENT_LENGTH_UPLOAD_T),
    I(REQUEST_SIZE),
    I(HEADER_SIZE),
    I(FILETIME),
    I(FILETIME_T),
    I(RETRY_AFTER),
    I(CONDITION_UNMET),
    I(SSL_VERIFYRESULT),
    I(PROXY_SSL_VERIFYRESULT),
    I(HTTPAUTH_AVAIL),
    I(PROXYAUTH_AVAIL),
    I(OS_ERRNO),
    I(PROXY_ERROR),
    I(NUM_CONNECTS),
    I(PRIMARY_IP),
    I(PRIMARY_PORT),
    I(LOCAL_IP),
    I(LOCAL_PORT),
    I(FTP_ENTRY_PATH),
    I(TOTAL_TIME),
    I(TOTAL_TIME_T),
    I(STARTTRANSFER_TIME),
    I(STARTTRANSFER_TIME_T),
    I(SPEED_DOWNLOAD),
    I(SPEED_DOWNLOAD_T),
    I(SPEED_UPLOAD),
    I(SPEED_UPLOAD_T),
    I(NAMELOOKUP_TIME),
    I(NAMELOOKUP_TIME_T),
    I(CONNECT_TIME),
    I(CONNECT_TIME_T),
    I(APPCONNECT_TIME),
    I(APPCONNECT_TIME_T),
    I(PRETRANSFER_TIME),
    I(PRETRANSFER_TIME_T),
    I(REDIRECT_TIME),
    I(REDIRECT_TIME_T),
};

/* Wide enough for whatever an info writes. */
union value {
  long number;
  double real;
  curl_off_t offset;
  char *text;
};

void show_infos(FILE *out, CURL *easy)
{
  for (size_t i = 0; i < sizeof infos / sizeof *infos; i++) {
    union value value = {.offset = 0};
    /* An old libcurl knows the length before the callback that refuses its line. */
    bool length = infos[i].info == CURLINFO_CONTENT_LENGTH_DOWNLOAD ||
                  infos[i].info == CURLINFO_CONTENT_LENGTH_DOWNLOAD_T;
    if (length && libcurl_is_old())
      continue;
    CURLcode code = curl_easy_getinfo(easy, infos[i].info, &value);
    fprintf(out, "  info %s ", infos[i].name);
    if (code)
      fprintf(out, "error %d\n", (int)code);
    else if ((infos[i].info & CURLINFO_TYPEMASK) == CURLINFO_STRING)
      fprintf(out, value.text ? "\"%s\"\n" : "NULL\n", value.text);
    else if ((infos[i].info & CURLINFO_TYPEMASK) == CURLINFO_DOUBLE)
      fprintf(out, "%.6f\n", value.real);
    else if ((infos[i].info & CURLINFO_TYPEMASK) == CURLINFO_LONG)
      fprintf(out, "%ld\n", value.number);
    else
      fprintf(out, "%lld\n", (long long)value.offset);
  }
}
