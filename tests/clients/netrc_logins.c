/* SPDX-License-Identifier: MIT */
/*
 * netrc_logins SEED COUNT URL LOG: calls with random .netrc files, each sent (mode observe).
 *
 * Two files for which a call has the same id in the log must be two with which libcurl, of whatever version,
 * logs in alike. Others are printed, and the exit status is 1.
 */
#include "shim/libcurl/curl_compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MOST = 2000 };

static struct {
  char id[17], login[200], text[600];
} seen[FILES_MOST];

static char login[200];
static unsigned long state;

static unsigned pick(unsigned n)
{
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(state >> 33) % n;
}

static const char *blank(void)
{
  static const char *const blanks[] = {" ", " ", "\n", "\t", "\n\n", "  \n # ", " "};
  return blanks[pick(sizeof(blanks) / sizeof(*blanks))];
}

static void make(char *text)
{
  static const char *const hosts[] = {"127.0.0.1", "other", "127.0.0.1x"},
                           *const values[] = {"a", "b", "c", "x#y", "login2"},
                           *const odd[] = {"machine", "default", "login", "password", "macdef",
                                           "a",       "#x",      "\"a\"", "\"a b\"",  "a\\n"};
  for (unsigned entries = 1 + pick(3); entries > 0; entries--) {
    text += sprintf(text, "%s%s", pick(6) ? "machine " : "default", "");
    text += text[-1] == ' ' ? sprintf(text, "%s%s", hosts[pick(3)], blank()) : sprintf(text, "%s", blank());
    for (unsigned words = pick(4); words > 0; words--) {
      const char *name = pick(2) ? "login" : pick(4) ? "password" : "account";
      text += sprintf(text, "%s %s%s", name, values[pick(5)], blank());
      if (!pick(25))
        text += sprintf(text, "%s%s", odd[pick(10)], blank());
    }
  }
}

/* What goes out says who logs in. */
static int on_debug(CURL *handle, curl_infotype type, char *data, size_t len, void *arg)
{
  static const char field[] = "Authorization:";
  (void)handle, (void)arg;
  const char *at = type == CURLINFO_HEADER_OUT ? memmem(data, len, field, sizeof(field) - 1) : NULL;
  if (at)
    snprintf(login, sizeof(login), "%.*s", (int)strcspn(at, "\r\n"), at);
  return 0;
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  (void)data, (void)arg;
  return size * count;
}

static CURLcode send_with(const char *url, const char *path)
{
  CURL *h = curl_easy_init();
  *login = '\0';
  curl_easy_setopt(h, CURLOPT_URL, url);
  curl_easy_setopt(h, CURLOPT_POSTFIELDS, "{}");
  curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
  curl_easy_setopt(h, CURLOPT_NETRC_FILE, path);
  curl_easy_setopt(h, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(h, CURLOPT_DEBUGFUNCTION, on_debug);
  curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_write);
  CURLcode code = curl_easy_perform(h);
  curl_easy_cleanup(h);
  return code;
}

/* The id of the last call in the log. */
static void read_id(FILE *log, char id[17])
{
  static char line[4096];
  clearerr(log);
  while (fgets(line, sizeof(line), log)) {
    const char *at = strstr(line, "\"id\":\"");
    if (at)
      sscanf(at, "\"id\":\"%16[0-9a-f]\"", id);
  }
}

int main(int argc, char **argv)
{
  if (argc < 5)
    return 2;
  unsigned count = (unsigned)strtoul(argv[2], NULL, 10), wrong = 0, same = 0;
  state = strtoul(argv[1], NULL, 10);
  FILE *log = fopen(argv[4], "a+");
  for (unsigned n = 0; log && n < count && n < FILES_MOST; n++) {
    make(seen[n].text);
    FILE *file = fopen("netrc-of-now", "w");
    if (!file || fputs(seen[n].text, file) < 0 || fclose(file) != 0)
      return 2;
    if (send_with(argv[3], "netrc-of-now") != CURLE_OK)
      continue;
    read_id(log, seen[n].id);
    strcpy(seen[n].login, login);
    for (unsigned i = 0; i < n; i++)
      if (*seen[n].id && strcmp(seen[i].id, seen[n].id) == 0) {
        same++;
        if (strcmp(seen[i].login, login) != 0 && wrong++ < 5)
          printf("%s: %s\n%s\n%s: %s\n%s\n", seen[i].id, seen[i].login, seen[i].text, seen[n].id, login,
                 seen[n].text);
        break;
      }
  }
  printf("%u files, %u of a tenant that was there, %u wrong\n", count, same, wrong);
  return wrong != 0;
}
