/* SPDX-License-Identifier: MIT */
/*
 * incident easy|multi|threads HTTP_PORT TLS_PORT [SCENE]
 *
 * Every scene, or one, by curl_easy_perform(); all at once in a multi; or by 8 threads, whose calls are their
 * own. Exits with 3 if any call failed, as some do, with 2 for a wrong command line.
 */
#include "tests/clients/incident/incident.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8 };

const char *http_port, *tls_port;
static const char *only;

struct caller {
  pthread_t thread;
  int number, failed;
  char *text;
  size_t text_len;
};

/* How many writes a turn makes is up to time in an old libcurl, which reads on in it. */
static bool wanted(const struct scene *scene)
{
  if (scene->given_up && libcurl_is_old())
    return false;
  return !only || strcmp(scene->name, only) == 0;
}

static void *call_all(void *arg)
{
  struct caller *caller = arg;
  FILE *out = open_memstream(&caller->text, &caller->text_len);
  for (unsigned i = 0; out && i < scene_count; i++) {
    struct show show;
    if (!wanted(&scenes[i]) || scenes[i].given_up)
      continue;
    CURL *easy = curl_easy_init();
    show_begin(&show, &scenes[i], easy, out, caller->number);
    CURLcode code = curl_easy_perform(easy);
    caller->failed += code != CURLE_OK;
    show_end(&show, code);
    curl_easy_cleanup(easy);
  }
  if (out)
    fclose(out);
  return NULL;
}

static int by_threads(int count)
{
  struct caller callers[THREADS] = {0};
  int failed = 0;
  for (int i = 0; i < count; i++) {
    callers[i].number = i + 1;
    if (pthread_create(&callers[i].thread, NULL, call_all, &callers[i]))
      exit(4);
  }
  for (int i = 0; i < count; i++) {
    pthread_join(callers[i].thread, NULL);
    fwrite(callers[i].text, 1, callers[i].text_len, stdout);
    failed += callers[i].failed;
    free(callers[i].text);
  }
  return failed;
}

/* All calls of a multi are under way together; what each shows is put one behind the other. */
struct party {
  CURLM *multi;
  struct show *shows;
  char **texts;
  size_t *lens;
  int failed;
};

static void start(struct party *party, unsigned i)
{
  FILE *out = open_memstream(&party->texts[i], &party->lens[i]);
  CURL *easy = curl_easy_init();
  show_begin(&party->shows[i], &scenes[i], easy, out, 100);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)&party->shows[i]);
  curl_multi_add_handle(party->multi, easy);
}

static void finish(struct party *party, struct show *show, CURLcode code)
{
  party->failed += code != CURLE_OK;
  show_end(show, code);
  curl_multi_remove_handle(party->multi, show->easy);
  curl_easy_cleanup(show->easy);
  show->easy = NULL;
}

static void take_messages(struct party *party)
{
  CURLMsg *message;
  for (int left; (message = curl_multi_info_read(party->multi, &left));) {
    struct show *show = NULL;
    CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&show);
    finish(party, show, code);
  }
}

/* What a program is told of a transfer that it takes out depends on the moment, so only the sizes count. */
static void give_up(struct party *party)
{
  for (unsigned i = 0; i < scene_count; i++) {
    struct show *show = &party->shows[i];
    if (!show->easy || !show->scene->given_up || (int)show->writes < show->scene->given_up)
      continue;
    curl_multi_remove_handle(party->multi, show->easy);
    fprintf(show->out, "  given up after %u writes\n", show->writes);
    curl_easy_cleanup(show->easy);
    show->easy = NULL;
  }
}

/* Calls that are identical must not overtake each other: those of the first scenes are made one by one. */
static void run(struct party *party, unsigned from, unsigned to)
{
  int running = 1;
  for (unsigned i = from; i < to; i++)
    if (wanted(&scenes[i]))
      start(party, i);
  while (running) {
    curl_multi_perform(party->multi, &running);
    give_up(party);
    take_messages(party);
    if (running)
      curl_multi_poll(party->multi, NULL, 0, 1000, NULL);
  }
}

static int by_multi(void)
{
  struct party party = {.multi = curl_multi_init(),
                        .shows = calloc(scene_count, sizeof *party.shows),
                        .texts = calloc(scene_count, sizeof *party.texts),
                        .lens = calloc(scene_count, sizeof *party.lens)};
  for (unsigned i = 0; i < 5; i++)
    run(&party, i, i + 1);
  run(&party, 5, scene_count);
  for (unsigned i = 0; i < scene_count; i++) {
    if (party.shows[i].out)
      fclose(party.shows[i].out);
    fwrite(party.texts[i], 1, party.lens[i], stdout);
    free(party.texts[i]);
  }
  curl_multi_cleanup(party.multi);
  free(party.shows);
  free(party.texts);
  free(party.lens);
  return party.failed;
}

int main(int argc, char **argv)
{
  if (argc < 4) {
    fprintf(stderr, "usage: incident easy|multi|threads HTTP_PORT TLS_PORT [SCENE]\n");
    return 2;
  }
  http_port = argv[2];
  tls_port = argv[3];
  only = argv[4];
  curl_global_init(CURL_GLOBAL_ALL);
  int failed = strcmp(argv[1], "multi") == 0 ? by_multi() : by_threads(strcmp(argv[1], "easy") ? THREADS : 1);
  curl_global_cleanup();
  return failed ? 3 : 0;
}
