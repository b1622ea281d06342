/* SPDX-License-Identifier: MIT */
#include "tests/clients/fetch/fetch.h"

#include <pthread.h>

/* One call, shown at one go so that the lines of threads do not mix. */
static CURLcode call_once(const struct options *options, CURL *handle, char *error, bool again)
{
  char *text = NULL;
  size_t len = 0;
  struct call call = {.options = options, .error = error, .out = open_memstream(&text, &len)};
  CURL *performed = handle;
  CURLcode code;

  if (!call.out)
    return CURLE_OUT_OF_MEMORY;
  if (again && options->reset_between)
    curl_easy_reset(handle);
  call_prepare(&call, handle);
  if (options->dup)
    performed = curl_easy_duphandle(handle);
  code = call_perform(&call, performed);
  if (performed != handle)
    curl_easy_cleanup(performed);
  fclose(call.out);
  fwrite(text, 1, len, stdout);
  fflush(stdout);
  free(text);
  free(call.reply.bytes);
  return code;
}

static void *calls(void *arg)
{
  const struct options *options = arg;
  char error[CURL_ERROR_SIZE];
  CURL *kept = options->reuse_handle ? curl_easy_init() : NULL;
  CURLcode worst = CURLE_OK;

  for (long i = 0; i < options->repeat; i++) {
    CURL *handle = kept ? kept : curl_easy_init();
    CURLcode code = handle ? call_once(options, handle, error, i > 0) : CURLE_FAILED_INIT;
    worst = code ? code : worst;
    if (!kept)
      curl_easy_cleanup(handle);
  }
  curl_easy_cleanup(kept);
  return (void *)(uintptr_t)worst;
}

static CURLcode run_threads(struct options *options)
{
  pthread_t *threads = calloc((size_t)options->threads, sizeof *threads);
  uintptr_t worst = CURLE_OK;
  long started = 0;

  while (threads && started < options->threads && !pthread_create(&threads[started], NULL, calls, options))
    started++;
  if (started < options->threads)
    worst = CURLE_FAILED_INIT;
  for (long i = 0; i < started; i++) {
    void *code;
    pthread_join(threads[i], &code);
    worst = code ? (uintptr_t)code : worst;
  }
  free(threads);
  return (CURLcode)worst;
}

int main(int argc, char **argv)
{
  struct options options;
  CURLcode code = CURLE_FAILED_INIT;

  curl_global_init(CURL_GLOBAL_ALL);
  if (options_parse(&options, argc, argv))
    code = options.threads > 1 ? run_threads(&options) : (CURLcode)(uintptr_t)calls(&options);
  curl_slist_free_all(options.headers);
  curl_slist_free_all(options.connect_to);
  free(options.body);
  curl_global_cleanup();
  return (int)code;
}
