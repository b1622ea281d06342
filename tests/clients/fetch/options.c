/* SPDX-License-Identifier: MIT */
#include "tests/clients/fetch/fetch.h"

#include <getopt.h>
#include <stddef.h>

enum kind { FLAG, NUMBER, TEXT, LIST, BODY };

static const struct choice {
  const char *name;
  enum kind kind;
  size_t at;
  const char *help;
} choices[] = {
#define AT(member) offsetof(struct options, member)
    {"body", BODY, AT(body), "TEXT or @FILE to POST"},
    {"header", LIST, AT(headers), "a request header; as often as needed"},
    {"method", TEXT, AT(method), "instead of POST (with a body) or GET"},
    {"repeat", NUMBER, AT(repeat), "calls, one after the other, in each thread"},
    {"threads", NUMBER, AT(threads), "threads that do so"},
    {"timeout-ms", NUMBER, AT(timeout_ms), "for each call"},
    {"chunk-limit", NUMBER, AT(chunk_limit), "the write callback fails at this chunk"},
    {"connect-to", LIST, AT(connect_to), "HOST:PORT:ADDRESS:PORT, as for the curl tool"},
    {"upload-callback", FLAG, AT(upload_callback), "the body comes from a read callback, its size is known"},
    {"upload-chunked", FLAG, AT(upload_chunked), "the body comes from a read callback, its size is not"},
    {"copypostfields", FLAG, AT(copy_postfields), "CURLOPT_COPYPOSTFIELDS"},
    {"reuse-handle", FLAG, AT(reuse_handle), "one handle for the calls of a thread"},
    {"dup", FLAG, AT(dup), "perform on a curl_easy_duphandle"},
    {"reset-between", FLAG, AT(reset_between), "curl_easy_reset and set all up anew, with --reuse-handle"},
    {"print-headers", FLAG, AT(print_headers), "header lines as the header callback gets them"},
    {"print-body", FLAG, AT(print_body), "the body itself"},
    {"stream", FLAG, AT(stream), "\"chunk N\" for each write callback"},
    {"header-api", FLAG, AT(header_api), "what curl_easy_nextheader knows"},
    {"write-out-all", FLAG, AT(write_out_all), "every CURLINFO but the times"},
    {"times", FLAG, AT(times), "the times"},
    {"follow", FLAG, AT(follow), "CURLOPT_FOLLOWLOCATION"},
    {"fail", FLAG, AT(fail), "CURLOPT_FAILONERROR"},
    {"compressed", FLAG, AT(compressed), "CURLOPT_ACCEPT_ENCODING \"\""},
    {"cookies", FLAG, AT(cookies), "the cookie engine is on"},
#undef AT
};

enum { CHOICES = sizeof choices / sizeof *choices };

static void usage(void)
{
  fprintf(stderr, "usage: fetch [options] URL\n");
  for (size_t i = 0; i < CHOICES; i++)
    fprintf(stderr, "  --%-16s %s\n", choices[i].name, choices[i].help);
}

/* Any bytes, NUL and all. */
static bool read_file(struct options *options, const char *path)
{
  FILE *file = fopen(path, "re");
  long len = file && !fseek(file, 0, SEEK_END) ? ftell(file) : -1;
  bool read = len >= 0 && (options->body = malloc((size_t)len + 1)) && !fseek(file, 0, SEEK_SET) &&
              fread(options->body, 1, (size_t)len, file) == (size_t)len;

  if (file)
    fclose(file);
  if (read)
    options->body_len = (size_t)len;
  else
    fprintf(stderr, "fetch: cannot read %s\n", path);
  return read;
}

static bool read_body(struct options *options, const char *text)
{
  if (*text == '@')
    return read_file(options, text + 1);
  options->body = strdup(text);
  options->body_len = strlen(text);
  return options->body;
}

static bool take(struct options *options, const struct choice *choice, const char *value)
{
  void *at = (char *)options + choice->at;
  struct curl_slist **list = at;

  switch (choice->kind) {
  case FLAG:
    *(long *)at = 1;
    return true;
  case NUMBER:
    *(long *)at = strtol(value, NULL, 10);
    return true;
  case TEXT:
    *(const char **)at = value;
    return true;
  case LIST:
    *list = curl_slist_append(*list, value);
    return *list;
  case BODY:
    return read_body(options, value);
  }
  return false;
}

bool options_parse(struct options *options, int argc, char **argv)
{
  struct option table[CHOICES + 1] = {{0}};
  int index, found;

  *options = (struct options){.repeat = 1, .threads = 1};
  for (size_t i = 0; i < CHOICES; i++)
    table[i] =
        (struct option){choices[i].name, choices[i].kind == FLAG ? no_argument : required_argument, NULL, 0};
  while (!(found = getopt_long(argc, argv, "", table, &index)))
    if (!take(options, &choices[index], optarg))
      return false;
  if (found == -1 && optind + 1 == argc) {
    options->url = argv[optind];
    return true;
  }
  usage();
  return false;
}
