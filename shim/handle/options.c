/* SPDX-License-Identifier: MIT */
#include "shim/handle/options.h"

#include <stdio.h>

/* clang-format off */
const struct option_row option_rows[OPTION_ROWS] = {
#define X(name) [OPTION_ROW(CURLOPT_##name)] = {OPTION_KEPT, SLOT_##name},
  OPTIONS_KEPT(X)
#undef X
#define X(name) [OPTION_ROW(CURLOPT_##name)] = {OPTION_TEXT, SLOT_##name},
  OPTIONS_TEXT(X)
#undef X
#define X(name) [OPTION_ROW(CURLOPT_##name)] = {OPTION_RARE, 0},
  OPTIONS_RARE(X)
#undef X
#define X(name) [OPTION_ROW(CURLOPT_##name)] = {OPTION_RARE_BLOB, 0},
  OPTIONS_RARE_BLOB(X)
#undef X
#define X(name) [OPTION_ROW(CURLOPT_##name)] = {OPTION_RARE_TEXT, 0},
  OPTIONS_RARE_TEXT(X)
#undef X
#define X(name, route, why) [OPTION_ROW(CURLOPT_##name)] = {OPTION_NEEDS, 0},
  OPTIONS_NEEDS(X)
#undef X
#define X(name) [OPTION_ROW(CURLOPT_##name)] = {OPTION_SPECIAL, 0},
  OPTIONS_SPECIAL(X)
#undef X

  /* Nothing that these set can be seen in an answer that needs no connection. */
#define F(name) [OPTION_ROW(CURLOPT_##name)] = {OPTION_FORWARDED, 0}
  F(PROXYUSERPWD), F(FTPPORT), F(KEYPASSWD), F(QUOTE), F(SSLVERSION), F(TIMEVALUE), F(POSTQUOTE),
  F(DIRLISTONLY), F(APPEND), F(HTTPPROXYTUNNEL), F(INTERFACE), F(KRBLEVEL),
  F(TELNETOPTIONS), F(MAXCONNECTS), F(RANDOM_FILE), F(EGDSOCKET), F(CONNECTTIMEOUT), F(SSL_CIPHER_LIST),
  F(FTP_USE_EPSV), F(SSLCERTTYPE), F(SSLKEY), F(SSLKEYTYPE), F(SSLENGINE), F(SSLENGINE_DEFAULT),
  F(DNS_USE_GLOBAL_CACHE), F(DNS_CACHE_TIMEOUT), F(PREQUOTE), F(COOKIESESSION), F(NOSIGNAL), F(PRIVATE),
  F(FTP_USE_EPRT), F(SSL_CTX_DATA), F(FTP_CREATE_MISSING_DIRS), F(PROXYAUTH), F(SERVER_RESPONSE_TIMEOUT),
  F(USE_SSL), F(TCP_NODELAY), F(FTPSSLAUTH), F(FTP_ACCOUNT), F(FTP_SKIP_PASV_IP), F(FTP_FILEMETHOD),
  F(LOCALPORT), F(LOCALPORTRANGE), F(CONV_FROM_NETWORK_FUNCTION), F(CONV_TO_NETWORK_FUNCTION),
  F(CONV_FROM_UTF8_FUNCTION), F(MAX_SEND_SPEED_LARGE), F(FTP_ALTERNATIVE_TO_USER), F(SOCKOPTDATA),
  F(SSL_SESSIONID_CACHE), F(SSH_AUTH_TYPES), F(SSH_PUBLIC_KEYFILE), F(SSH_PRIVATE_KEYFILE), F(FTP_SSL_CCC),
  F(CONNECTTIMEOUT_MS), F(NEW_FILE_PERMS), F(NEW_DIRECTORY_PERMS), F(SSH_HOST_PUBLIC_KEY_MD5),
  F(PROXY_TRANSFER_MODE), F(ADDRESS_SCOPE), F(PROXYUSERNAME), F(PROXYPASSWORD), F(TFTP_BLKSIZE),
  F(SOCKS5_GSSAPI_SERVICE), F(SOCKS5_GSSAPI_NEC), F(SSH_KNOWNHOSTS), F(SSH_KEYFUNCTION), F(SSH_KEYDATA),
  F(MAIL_FROM), F(MAIL_RCPT), F(FTP_USE_PRET), F(RTSP_REQUEST), F(RTSP_SESSION_ID), F(RTSP_STREAM_URI),
  F(RTSP_TRANSPORT), F(RTSP_CLIENT_CSEQ), F(RTSP_SERVER_CSEQ), F(INTERLEAVEDATA), F(INTERLEAVEFUNCTION),
  F(WILDCARDMATCH), F(CHUNK_BGN_FUNCTION), F(CHUNK_END_FUNCTION), F(FNMATCH_FUNCTION), F(CHUNK_DATA),
  F(FNMATCH_DATA), F(TLSAUTH_PASSWORD), F(TLSAUTH_TYPE), F(GSSAPI_DELEGATION),
  F(ACCEPTTIMEOUT_MS), F(MAIL_AUTH), F(SASL_IR),
  F(DNS_INTERFACE), F(DNS_LOCAL_IP4), F(DNS_LOCAL_IP6), F(LOGIN_OPTIONS), F(SSL_ENABLE_NPN),
  F(SSL_ENABLE_ALPN), F(EXPECT_100_TIMEOUT_MS), F(PROXYHEADER), F(HEADEROPT), F(SSL_FALSESTART),
  F(PROXY_SERVICE_NAME), F(SERVICE_NAME), F(PIPEWAIT), F(STREAM_WEIGHT), F(STREAM_DEPENDS),
  F(STREAM_DEPENDS_E), F(TFTP_NO_OPTIONS), F(KEEP_SENDING_ON_ERROR), F(PROXY_SSLVERSION),
  F(PROXY_TLSAUTH_USERNAME), F(PROXY_TLSAUTH_PASSWORD), F(PROXY_TLSAUTH_TYPE), F(PROXY_SSLCERT),
  F(PROXY_SSLCERTTYPE), F(PROXY_SSLKEY), F(PROXY_SSLKEYTYPE), F(PROXY_KEYPASSWD), F(PROXY_SSL_CIPHER_LIST),
  F(SOCKS5_AUTH), F(SSH_COMPRESSION), F(TIMEVALUE_LARGE), F(HAPPY_EYEBALLS_TIMEOUT_MS),
  F(RESOLVER_START_FUNCTION), F(RESOLVER_START_DATA), F(HAPROXYPROTOCOL), F(DNS_SHUFFLE_ADDRESSES),
  F(TLS13_CIPHERS), F(PROXY_TLS13_CIPHERS), F(UPKEEP_INTERVAL_MS),
  F(TRAILERDATA), F(MAXAGE_CONN), F(SASL_AUTHZID), F(MAIL_RCPT_ALLLOWFAILS), F(PROXY_SSLCERT_BLOB),
  F(PROXY_SSLKEY_BLOB), F(SSL_EC_CURVES), F(HSTSREADFUNCTION), F(HSTSREADDATA), F(HSTSWRITEFUNCTION),
  F(HSTSWRITEDATA), F(DOH_SSL_VERIFYPEER), F(DOH_SSL_VERIFYHOST), F(DOH_SSL_VERIFYSTATUS),
  F(SSH_HOST_PUBLIC_KEY_SHA256), F(MAXLIFETIME_CONN), F(SSH_HOSTKEYFUNCTION), F(SSH_HOSTKEYDATA),
  F(WS_OPTIONS), F(CA_CACHE_TIMEOUT), F(QUICK_EXIT), F(HAPROXY_CLIENT_IP), F(SERVER_RESPONSE_TIMEOUT_MS),
  F(ECH), F(UPLOAD_FLAGS), F(SSL_SIGNATURE_ALGORITHMS), F(HTTPSIG_KEY), F(HTTPSIG_KEYID),
  F(HTTPSIG_HEADERS),
#undef F
};
/* clang-format on */

/* Of the options that are kept, those listed here neither name a call nor lead it anywhere: callbacks and
 * their arguments, limits of time and speed, and how a connection is made. Every other row decides. */
bool option_decides(CURLoption option)
{
  /* clang-format off */
#define N(name) (CURLOPT_##name % 10000)
  static const uint16_t others[] = {
      /* KEPT */
      N(WRITEFUNCTION), N(WRITEDATA), N(HEADERFUNCTION), N(HEADERDATA), N(READFUNCTION), N(READDATA),
      N(SEEKFUNCTION), N(SEEKDATA), N(IOCTLFUNCTION), N(IOCTLDATA), N(XFERINFOFUNCTION), N(PROGRESSFUNCTION),
      N(XFERINFODATA), N(NOPROGRESS), N(STDERR), N(ERRORBUFFER), N(HEADER), N(CERTINFO), N(FAILONERROR),
      N(MAXFILESIZE_LARGE), N(TIMEOUT_MS),
      /* RARE */
      N(VERBOSE), N(DEBUGFUNCTION), N(DEBUGDATA), N(PREREQDATA), N(OPENSOCKETDATA), N(CLOSESOCKETFUNCTION),
      N(CLOSESOCKETDATA), N(HTTP_VERSION), N(FRESH_CONNECT), N(FORBID_REUSE), N(MAX_RECV_SPEED_LARGE),
      N(LOW_SPEED_LIMIT), N(LOW_SPEED_TIME), N(TCP_FASTOPEN), N(TCP_KEEPALIVE), N(TCP_KEEPIDLE),
      N(TCP_KEEPINTVL), N(TCP_KEEPCNT), N(IPRESOLVE), N(SUPPRESS_CONNECT_HEADERS), N(UPLOAD_BUFFERSIZE),
  };
#undef N
  /* clang-format on */
  const enum option_kind kind = option_row(option)->kind;
  if (kind == OPTION_FORWARDED)
    return false;
  for (size_t i = 0; (kind == OPTION_KEPT || kind == OPTION_RARE) && i < sizeof(others) / sizeof(*others);
       i++)
    if (others[i] == option_number(option))
      return false;
  return true;
}

/* Names in place, not pointed to: every program that starts would pay for the relocations. */
static const struct need {
  uint16_t number;
  uint8_t route; /* enum option_way */
  char name[29];
} needs[] = {
#define X(name, route, why) {CURLOPT_##name % 10000, NEEDS_##route, #name},
    OPTIONS_NEEDS(X)
#undef X
};

static const struct need *find_need(unsigned number)
{
  for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
    if (needs[i].number == number)
      return &needs[i];
  return NULL;
}

enum option_way option_way(unsigned number)
{
  const struct need *need = find_need(number);
  return need ? (enum option_way)need->route : NEEDS_LIVE;
}

const char *option_name(unsigned number, char room[24])
{
  const struct need *need = find_need(number);
  if (need)
    return need->name;
  snprintf(room, 24, "option %u", number);
  return room;
}
