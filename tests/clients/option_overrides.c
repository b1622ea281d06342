/* SPDX-License-Identifier: MIT */
/*
 * option_overrides [CASE]
 *
 * Makes a call with the options of CASE three times on one handle, and shows all that can be seen of the
 * third, which the shim lets alone: what the server got, which callbacks were called, what came. A replay in
 * between must have left no trace. Without CASE: the names of them all.
 *
 * lent error
 *
 * A call that fails after a good one; says how many bytes that nobody gave to libcurl it has written to.
 */
#include "shim/libcurl/curl_compat.h"
#include "tests/clients/local_server.h"

#include <strings.h>

static CURL *handle;
static char url[128], origin[64], socket_name[32], seen[4096];
static struct curl_slist *headers;
static FILE *file;
static CURLU *parts;
static size_t body_bytes, read_bytes;
static const char body[] = "{\"prompt\":\"lent\"}";

/* Each name once. */
static void note(const char *name)
{
  if (!strstr(seen, name))
    strncat(seen, name, sizeof seen - strlen(seen) - 1);
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  (void)data;
  note(arg == &body_bytes ? "write " : "write(other) ");
  body_bytes += size * count;
  return size * count;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
  (void)data;
  note(arg == &headers ? "header " : "header(other) ");
  return size * count;
}

static size_t on_read(char *into, size_t size, size_t count, void *arg)
{
  size_t left = sizeof body - 1 - read_bytes, len = left < size * count ? left : size * count;

  note(arg == &read_bytes ? "read " : "read(other) ");
  memcpy(into, body + read_bytes, len);
  read_bytes += len;
  return len;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
  (void)purpose;
  note(arg == &server ? "open " : "open(other) ");
  return socket(address->family, address->socktype, address->protocol);
}

static int on_close(void *arg, curl_socket_t fd)
{
  note(arg == &server ? "close " : "close(other) ");
  return close(fd);
}

static int on_sockopt(void *arg, curl_socket_t fd, curlsocktype purpose)
{
  (void)fd;
  (void)purpose;
  note(arg == &server ? "sockopt " : "sockopt(other) ");
  return CURL_SOCKOPT_OK;
}

static int on_prereq(void *arg, char *to, char *from, int to_port, int from_port)
{
  (void)from;
  (void)from_port;
  note(arg == &server && !strcmp(to, "127.0.0.1") && to_port == server.port ? "prereq " : "prereq(other) ");
  return CURL_PREREQFUNC_OK;
}

static int on_xferinfo(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
  (void)(a + b + c + d);
  note(arg == &server ? "xferinfo " : "xferinfo(other) ");
  return 0;
}

static int on_progress(void *arg, double a, double b, double c, double d)
{
  (void)(a + b + c + d);
  note(arg == &server ? "progress " : "progress(other) ");
  return 0;
}

static int on_debug(CURL *of, curl_infotype type, char *data, size_t len, void *arg)
{
  (void)of;
  (void)data;
  (void)len;
  note(arg != &server ? "debug(other) " : type == CURLINFO_HEADER_OUT ? "debug-out " : "debug ");
  return 0;
}

#define SET(option, value) curl_easy_setopt(handle, CURLOPT_##option, value)

static void nothing(void)
{
}
static void method_get(void)
{
  SET(HTTPGET, 1L);
}
static void method_head(void)
{
  SET(NOBODY, 1L);
}
static void method_custom(void)
{
  SET(CUSTOMREQUEST, "PATCH");
}
static void method_put(void)
{
  SET(UPLOAD, 1L);
  SET(READFUNCTION, on_read);
  SET(READDATA, &read_bytes);
  SET(INFILESIZE_LARGE, (curl_off_t)(sizeof body - 1));
}
static void method_copied(void)
{
  SET(COPYPOSTFIELDS, "{\"prompt\":\"copied\"}");
}
static void method_read(void)
{
  SET(POSTFIELDS, NULL);
  SET(POST, 1L);
  SET(READFUNCTION, on_read);
  SET(READDATA, &read_bytes);
  SET(POSTFIELDSIZE, (long)(sizeof body - 1));
}
static void url_port(void)
{
  SET(URL, "http://127.0.0.1:1/v1/port?a=b");
  SET(PORT, (long)server.port);
}
static void url_handle(void)
{
  parts = curl_url();
  curl_url_set(parts, CURLUPART_URL, url, 0);
  SET(CURLU, parts);
}
static void write_file(void)
{
  file = tmpfile();
  SET(WRITEFUNCTION, NULL);
  SET(WRITEDATA, file);
}
static void header_callback(void)
{
  SET(HEADERFUNCTION, on_header);
  SET(HEADERDATA, &headers);
}
static void header_data(void)
{
  SET(HEADERDATA, &headers);
}
static void header_list(void)
{
  headers = curl_slist_append(headers, "X-Lent: yes");
  SET(HTTPHEADER, headers);
}
static void follow(void)
{
  SET(FOLLOWLOCATION, 1L);
}
static void socket_open(void)
{
  SET(OPENSOCKETFUNCTION, on_open);
  SET(OPENSOCKETDATA, &server);
  SET(FRESH_CONNECT, 1L);
}
static void socket_close(void)
{
  SET(CLOSESOCKETFUNCTION, on_close);
  SET(CLOSESOCKETDATA, &server);
  SET(FORBID_REUSE, 1L);
}
static void socket_option(void)
{
  SET(SOCKOPTFUNCTION, on_sockopt);
  SET(SOCKOPTDATA, &server);
  SET(FRESH_CONNECT, 1L);
}
static void socket_unix(void)
{
  SET(ABSTRACT_UNIX_SOCKET, socket_name);
}
static void fresh(void)
{
  SET(FRESH_CONNECT, 1L);
}
static void forbid(void)
{
  SET(FORBID_REUSE, 1L);
}
static void proxy(void)
{
  SET(URL, "http://127.0.0.1:1/v1/proxied");
  SET(PROXY, origin);
}
static void proxy_of_environment(void)
{
  SET(URL, "http://127.0.0.1:1/v1/proxied/again");
  setenv("http_proxy", origin, 1);
}
static void version_1_0(void)
{
  SET(HTTP_VERSION, CURL_HTTP_VERSION_1_0);
}
static void verbose(void)
{
  SET(VERBOSE, 1L);
  SET(DEBUGFUNCTION, on_debug);
  SET(DEBUGDATA, &server);
}
static void auth_digest(void)
{
  SET(HTTPAUTH, CURLAUTH_DIGEST);
  SET(USERPWD, "user:test-credential");
}
static void auth_bearer(void)
{
  SET(HTTPAUTH, CURLAUTH_BEARER);
  SET(XOAUTH2_BEARER, "test-credential");
}
static void auth_sigv4(void)
{
  SET(AWS_SIGV4, "aws:amz:us-east-1:bedrock");
  SET(USERPWD, "user:test-credential");
}
static void auth_basic(void)
{
  SET(USERPWD, "user:test-credential");
}
/* libcurl 8.14 resumes nothing on a handle that has a body. */
static void resume(void)
{
  SET(POSTFIELDS, NULL);
  SET(HTTPGET, 1L);
  SET(RESUME_FROM_LARGE, (curl_off_t)2);
}
static void prereq(void)
{
  SET(PREREQFUNCTION, on_prereq);
  SET(PREREQDATA, &server);
}
static void progress(void)
{
  SET(NOPROGRESS, 0L);
  SET(XFERINFOFUNCTION, on_xferinfo);
  SET(XFERINFODATA, &server);
}
static void progress_old(void)
{
  SET(NOPROGRESS, 0L);
  SET(PROGRESSFUNCTION, on_progress);
  SET(PROGRESSDATA, &server);
}
static void protocols(void)
{
  SET(PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_FTP));
}
static void protocols_text(void)
{
  SET(PROTOCOLS_STR, "http,ftp");
}
static void speed(void)
{
  SET(MAX_RECV_SPEED_LARGE, (curl_off_t)1000000);
}
static void fast_open(void)
{
  SET(TCP_FASTOPEN, 1L);
}
static void buffer(void)
{
  SET(BUFFERSIZE, 1024L);
}

static const struct {
  const char *name;
  void (*set)(void);
} cases[] = {
    {"nothing", nothing},
    {"get", method_get},
    {"head", method_head},
    {"custom", method_custom},
    {"put", method_put},
    {"copied", method_copied},
    {"read", method_read},
    {"port", url_port},
    {"curlu", url_handle},
    {"write-file", write_file},
    {"header-callback", header_callback},
    {"header-data", header_data},
    {"header-list", header_list},
    {"follow", follow},
    {"open-socket", socket_open},
    {"close-socket", socket_close},
    {"sockopt", socket_option},
    {"unix-socket", socket_unix},
    {"fresh-connect", fresh},
    {"forbid-reuse", forbid},
    {"proxy", proxy},
    {"http_proxy", proxy_of_environment},
    {"http-1.0", version_1_0},
    {"verbose", verbose},
    {"digest", auth_digest},
    {"bearer", auth_bearer},
    {"sigv4", auth_sigv4},
    {"basic", auth_basic},
    {"resume", resume},
    {"prereq", prereq},
    {"xferinfo", progress},
    {"progress", progress_old},
    {"protocols", protocols},
    {"protocols-str", protocols_text},
    {"recv-speed", speed},
    {"fast-open", fast_open},
    {"buffer-size", buffer},
};

/* Ports and signatures differ from run to run. */
static void print_request(void)
{
  char port[16];

  snprintf(port, sizeof port, ":%d", server.port);
  for (char *line = server.request, *next; *line; line = next) {
    next = strchr(line, '\n') ? strchr(line, '\n') + 1 : line + strlen(line);
    char *end = next;
    if (!strncasecmp(line, "Idempotency-Key:", 16) || !strncasecmp(line, "X-Amz-Date:", 11))
      continue;
    if (!strncasecmp(line, "Authorization:", 14))
      end = line + 15 + strcspn(line + 15, " \r");
    char *at = memmem(line, (size_t)(end - line), port, strlen(port));
    printf("> %.*s%s", (int)(at ? at - line : end - line), line, at ? ":PORT" : "");
    printf("%.*s\n", at ? (int)strcspn(at + strlen(port), "\r\n") : 0, at ? at + strlen(port) : "");
  }
}

static CURLcode call(void)
{
  read_bytes = body_bytes = 0;
  *seen = 0;
  return curl_easy_perform(handle);
}

static void show(CURLcode code, unsigned first_connection)
{
  long status = 0;

  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  printf("rc=%d status=%ld bytes=%zu seen: %s\n", (int)code, status, body_bytes, seen);
  printf("%s connection\n", server.connection == first_connection ? "the same" : "another");
  if (file)
    printf("the file has %ld bytes\n", ftell(file));
  print_request();
}

static int run(size_t n)
{
  unsigned connection, requests;

  handle = curl_easy_init();
  SET(URL, url);
  SET(POSTFIELDS, body);
  SET(WRITEFUNCTION, on_write);
  SET(WRITEDATA, &body_bytes);
  cases[n].set();
  CURLcode first = call();
  if (!server.requests) {
    fprintf(stderr, "the first call was not sent\n");
    return 3;
  }
  connection = server.connection;
  requests = server.requests;
  CURLcode second = call();
  fprintf(stderr, "second: rc=%d requests=%u\n", (int)second, server.requests - requests);
  if (strstr(seen, "prereq"))
    fprintf(stderr, "told of %s connection\n", strstr(seen, "prereq(other)") ? "another" : "the server's");
  if (file)
    rewind(file);
  server.redirects = cases[n].set == follow;
  SET(TRANSFERTEXT, 1L);
  show(call(), connection);
  SET(CURLU, NULL);
  SET(PORT, 0L);
  SET(PROXY, "");
  SET(UNIX_SOCKET_PATH, NULL);
  SET(URL, "https://127.0.0.1:1/");
  printf("https: %d\n", (int)curl_easy_perform(handle));
  curl_easy_cleanup(handle);
  curl_slist_free_all(headers);
  curl_url_cleanup(parts);
  return first != second;
}

/* Over the stack and the heap that the call before may have used. */
static __attribute__((noinline)) int fail_among(char *room, size_t size)
{
  char *blocks[64];
  size_t changed = 0;

  memset(room, 0, size);
  for (size_t i = 0; i < 64; i++)
    blocks[i] = calloc(1, (i + 1) << 10);
  CURLcode code = curl_easy_perform(handle);
  for (size_t i = 0; i < size; i++)
    changed += room[i] != 0;
  for (size_t i = 0; i < 64; i++)
    for (size_t at = 0; blocks[i] && at < (i + 1) << 10; at++)
      changed += blocks[i][at] != 0;
  printf("rc=%d changed=%zu\n", (int)code, changed);
  for (size_t i = 0; i < 64; i++)
    free(blocks[i]);
  return code == CURLE_OK;
}

static __attribute__((noinline)) int fail(void)
{
  char room[1 << 17];

  SET(URL, "http://localhost:1/"); /* which no rule matches */
  return fail_among(room, sizeof room);
}

static int fail_after_a_good_call(void)
{
  handle = curl_easy_init();
  SET(URL, url);
  SET(POSTFIELDS, body);
  SET(WRITEFUNCTION, on_write);
  SET(WRITEDATA, &body_bytes);
  printf("rc=%d\n", (int)call());
  int bad = fail();
  curl_easy_cleanup(handle);
  return bad;
}

int main(int argc, char **argv)
{
  snprintf(socket_name, sizeof socket_name, "lent-%ld", (long)getpid());
  if (argc > 2 || !server_start(socket_name))
    return 2;
  snprintf(origin, sizeof origin, "http://127.0.0.1:%d", server.port);
  snprintf(url, sizeof url, "%s/v1/chat/completions?a=b", origin);
  if (argc == 2 && !strcmp(argv[1], "error"))
    return fail_after_a_good_call();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (argc == 1)
      puts(cases[i].name);
    else if (!strcmp(cases[i].name, argv[1]))
      return run(i);
  }
  return argc == 1 ? 0 : 2;
}
