/* SPDX-License-Identifier: MIT */
/*
 * takes_strings read|write URL TIMES
 *
 * So many identical POSTs, each by a handle of its own, in an app that takes what its callbacks are given for
 * strings, as many do: no header line and hardly a piece of a body has anything but a NUL behind it in
 * libcurl. With `write` its write and header callbacks put that NUL there themselves. Prints a line for each
 * call: for how many lines, pieces and lines shown to the debug callback there was something else, and what
 * came.
 */
#include "tests/clients/post.h"

static int write_nul;

struct seen {
  struct reply lines, body;
  int open_lines, open_pieces, open_shown;
};

/* 1: there is no NUL behind it, or there is now. */
static int end(char *data, size_t len)
{
  int open = data[len] != 0;

  if (write_nul)
    data[len] = 0;
  return open;
}

static size_t on_line(char *line, size_t size, size_t count, void *arg)
{
  struct seen *seen = arg;

  seen->open_lines += end(line, size * count);
  return reply_take(line, size, count, &seen->lines);
}

static size_t on_piece(char *data, size_t size, size_t count, void *arg)
{
  struct seen *seen = arg;

  seen->open_pieces += end(data, size * count);
  return reply_take(data, size, count, &seen->body);
}

static int on_show(CURL *handle, curl_infotype type, char *data, size_t len, void *arg)
{
  struct seen *seen = arg;

  (void)handle;
  if (type == CURLINFO_HEADER_IN)
    seen->open_shown += data[len] != 0;
  return 0;
}

static int post(const char *url)
{
  struct seen seen = {0};
  struct curl_slist *lines = curl_slist_append(NULL, "Content-Type: application/json");
  CURL *handle =
      post_new(url, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", &seen.body);

  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lines);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_piece);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &seen);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_line);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &seen);
  curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, on_show);
  curl_easy_setopt(handle, CURLOPT_DEBUGDATA, &seen);
  CURLcode code = curl_easy_perform(handle);

  printf("open: lines=%d pieces=%d shown=%d header=%zu ", seen.open_lines, seen.open_pieces, seen.open_shown,
         seen.lines.len);
  reply_print("body", handle, code, &seen.body);
  curl_easy_cleanup(handle);
  curl_slist_free_all(lines);
  free(seen.lines.bytes);
  free(seen.body.bytes);
  return code != CURLE_OK;
}

int main(int argc, char **argv)
{
  int failed = 0;

  if (argc < 4) {
    fprintf(stderr, "usage: takes_strings read|write URL TIMES\n");
    return 2;
  }
  write_nul = argv[1][0] == 'w';
  curl_global_init(CURL_GLOBAL_ALL);
  for (long i = atol(argv[3]); i > 0; i--)
    failed |= post(argv[2]);
  return failed;
}
