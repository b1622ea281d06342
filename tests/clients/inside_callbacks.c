/* SPDX-License-Identifier: MIT */
/*
 * inside_callbacks CASE URL
 *
 * A POST during which its own callbacks do what CASE says; shows what the app sees.
 */
#include "tests/clients/post.h"

#include <stdbool.h>

static CURL *handle, *copy;
static const char *url;
static struct reply reply, copied;
static char error[CURL_ERROR_SIZE];
static struct curl_slist *headers;
static bool done, paused;
static unsigned writes_while_paused, updates_while_paused;

static const char body[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

/* A new list, the old one freed: libcurl has sent it long ago. */
static void set_headers(const char *line)
{
  struct curl_slist *old = headers;

  headers = curl_slist_append(NULL, line);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_slist_free_all(old);
}

static void set_options(void)
{
  char text[64];

  for (int i = 0; i < 20; i++) {
    snprintf(text, sizeof text, "X-Odd: %0*d", 8 + i, i);
    set_headers(text);
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, text + 3);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, text);
    curl_easy_setopt(handle, CURLOPT_COOKIE, text);
    curl_easy_setopt(handle, CURLOPT_URL, text);
    curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, text);
  }
}

static void duplicate(void)
{
  copy = curl_easy_duphandle(handle);
  curl_easy_setopt(copy, CURLOPT_WRITEDATA, &copied);
  curl_easy_setopt(copy, CURLOPT_TRANSFERTEXT, 1L); /* for which the shim lets it alone */
}

static void reset(void)
{
  curl_easy_reset(handle);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, reply_take);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &reply);
}

static void prepare(CURL *of, struct reply *to)
{
  curl_easy_setopt(of, CURLOPT_URL, url);
  curl_easy_setopt(of, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(of, CURLOPT_WRITEFUNCTION, reply_take);
  curl_easy_setopt(of, CURLOPT_WRITEDATA, to);
}

/* The same call on another handle, before this one has ended. */
static void perform_another(void)
{
  CURL *other = curl_easy_init();

  prepare(other, &copied);
  curl_easy_setopt(other, CURLOPT_HTTPHEADER, headers);
  reply_print("other", other, curl_easy_perform(other), &copied);
  curl_easy_cleanup(other);
}

static void perform_itself(void)
{
  printf("itself %d\n", (int)curl_easy_perform(handle));
}

/* Takes what has come, but no more for now. */
static void pause_the_rest(void)
{
  curl_easy_pause(handle, CURLPAUSE_RECV);
  paused = true;
}

static const struct {
  const char *name;
  void (*act)(void);
} cases[] = {
    {"set-options", set_options},         {"duplicate", duplicate},
    {"duplicate-form", duplicate},        {"reset", reset},
    {"perform-another", perform_another}, {"perform-itself", perform_itself},
    {"pause-the-rest", pause_the_rest},
};

static void (*act)(void);

static void act_once(void)
{
  if (!done) {
    done = true;
    act();
  }
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  writes_while_paused += paused;
  size_t taken = reply_take(data, size, count, arg);
  act_once();
  return taken;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
  (void)arg, (void)total, (void)now, (void)up_total, (void)up;
  if (getenv("ODD_IN_PROGRESS"))
    act_once();
  if (paused && ++updates_while_paused == 3) {
    paused = false;
    curl_easy_pause(handle, CURLPAUSE_CONT);
  }
  return 0;
}

static void show(const char *name, CURL *of, CURLcode code, const struct reply *what)
{
  reply_print(name, of, code, what);
  printf("error \"%s\" writes while paused %u\n%s\n", error, writes_while_paused,
         what->bytes ? what->bytes : "");
}

static curl_mime *set_form(void)
{
  curl_mime *form = curl_mime_init(handle);
  curl_mimepart *part = curl_mime_addpart(form);

  curl_mime_name(part, "prompt");
  curl_mime_data(part, body, CURL_ZERO_TERMINATED);
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, form);
  return form;
}

static void run(const char *name)
{
  curl_mime *form = NULL;

  handle = curl_easy_init();
  prepare(handle, &reply);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "POST");
  if (!strcmp(name, "duplicate-form"))
    form = set_form();
  else
    set_headers("Content-Type: application/json");
  show(name, handle, curl_easy_perform(handle), &reply);
  if (copy)
    show("copy", copy, curl_easy_perform(copy), &copied);
  curl_easy_cleanup(copy);
  curl_easy_cleanup(handle);
  curl_mime_free(form);
  curl_slist_free_all(headers);
  free(reply.bytes);
  free(copied.bytes);
}

int main(int argc, char **argv)
{
  for (size_t i = 0; argc == 3 && i < sizeof cases / sizeof *cases; i++)
    if (strcmp(cases[i].name, argv[1]) == 0)
      act = cases[i].act;
  if (!act) {
    fprintf(stderr, "usage: inside_callbacks CASE URL\n");
    return 2;
  }
  url = argv[2];
  run(argv[1]);
  return 0;
}
