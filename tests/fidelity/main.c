/* SPDX-License-Identifier: MIT */
#include "tests/fidelity/fidelity.h"
#include "tests/fidelity/serve.h"

#include <string.h>

static const struct scenario rows[] = {
#define X(title, function, ...) {.name = #title, __VA_ARGS__},
    SCENARIOS(X)
#undef X
};

static void (*const functions[])(void) = {
#define X(title, function, ...) function,
    SCENARIOS(X)
#undef X
};

const struct scenario *scenario;

static bool tells(const char *what)
{
  if (!strcmp(what, "--libcurl"))
    printf("%u\n", curl_version_info(CURLVERSION_NOW)->version_num);
  else if (!strcmp(what, "--infos"))
    print_unknown_infos();
  else
    return false;
  return true;
}

int main(int argc, char **argv)
{
  size_t i = 0, count = sizeof rows / sizeof *rows;

  if (argc == 2 && tells(argv[1]))
    return 0;
  while (argc > 2 && i < count && strcmp(rows[i].name, argv[1]) != 0)
    i++;
  if (argc < 3 || i == count) {
    fprintf(stderr, "usage: fidelity NAME HTTP-URL [HTTPS-URL]\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  serve_from(argv[2], argc > 3 ? argv[3] : NULL);
  scenario = &rows[i];
  curl_global_init(CURL_GLOBAL_DEFAULT);
  functions[i]();
  curl_global_cleanup();
  return 0;
}
