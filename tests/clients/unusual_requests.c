/* SPDX-License-Identifier: MIT */
/*
 * unusual_requests CASE URL [TEXT [multi]]
 *
 * One POST whose body or method comes about in an unusual way; TEXT is what a read callback gives. Shows the
 * result, the error text and the answer; how often the reader was rewound, and asked while it had paused; how
 * many bytes of the body went out, with their framing, where a case counts them.
 */
#include "tests/clients/post.h"

#include <stdbool.h>
#include <unistd.h>

struct reader {
  const char *text;
  size_t at, most_room;
  int pauses, rewinds, early, patience;
  bool paused, greedy, slow, drips;
};

static size_t read_text(char *into, size_t size, size_t count, void *arg)
{
  struct reader *reader = arg;
  size_t left = strlen(reader->text) - reader->at, room = size * count;

  reader->early += reader->paused;
  if (room > reader->most_room)
    reader->most_room = room;
  if (reader->pauses && reader->at) {
    reader->pauses--;
    reader->paused = true;
    return CURL_READFUNC_PAUSE;
  }
  /* Programs exist that know how large libcurl's buffer is, and do not look at the room. */
  if (left > room && !reader->greedy)
    left = room;
  if ((reader->pauses || reader->slow || reader->drips) && left > 1)
    left = 1;
  if (reader->drips)
    usleep(10000);
  memcpy(into, reader->text + reader->at, left);
  reader->at += left;
  return left;
}

static curlioerr restart(CURL *handle, int command, void *arg)
{
  struct reader *reader = arg;

  (void)handle;
  if (command != CURLIOCMD_RESTARTREAD)
    return CURLIOE_UNKNOWNCMD;
  reader->at = 0;
  reader->rewinds++;
  return CURLIOE_OK;
}

static CURL *progress_handle;

static int resume(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
  struct reader *reader = arg;

  (void)total, (void)now, (void)up_total, (void)up;
  if (reader->paused && reader->patience-- <= 0) {
    reader->paused = false;
    curl_easy_pause(progress_handle, CURLPAUSE_CONT);
  }
  return 0;
}

static void read_from(CURL *handle, struct reader *reader)
{
  curl_easy_setopt(handle, CURLOPT_READFUNCTION, read_text);
  curl_easy_setopt(handle, CURLOPT_READDATA, reader);
}

/* libcurl drops the copy, since the size that is set now is larger than the one that it copied with. */
static void size_after_copy(CURL *handle, struct reader *reader)
{
  read_from(handle, reader);
  curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, "copied");
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)strlen(reader->text));
}

/* libcurl sends the beginning of its copy. */
static void smaller_size_after_copy(CURL *handle, struct reader *reader)
{
  static const char copied[] = "{\"copied\":1}          and more";

  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)sizeof copied - 1);
  curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, copied);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)strlen(reader->text));
}

/* POSTFIELDS does not end an upload: what goes out is the reader's. */
static void upload_then_fields(CURL *handle, struct reader *reader)
{
  static const char fields[256] = "{}";

  read_from(handle, reader);
  curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, fields);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)strlen(reader->text));
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "POST");
}

/* The form is gone, but the request is still one. */
static void form_taken_away(CURL *handle, struct reader *reader)
{
  (void)reader;
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, reader->text);
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, (curl_mime *)NULL);
}

static void form(CURL *handle, struct reader *reader)
{
  curl_mime *mime = curl_mime_init(handle);

  curl_mime_name(curl_mime_addpart(mime), "part");
  curl_mime_data(curl_mime_addpart(mime), reader->text, CURL_ZERO_TERMINATED);
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, mime);
}

static void empty_post(CURL *handle, struct reader *reader)
{
  (void)reader;
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "");
}

static void post_from(CURL *handle, struct reader *reader)
{
  read_from(handle, reader);
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)strlen(reader->text));
}

/* A size that is not the body's: what goes out in chunks ends where the reader says. */
static void chunked_and_sized(CURL *handle, struct reader *reader)
{
  static struct curl_slist chunked = {(char *)(uintptr_t) "Transfer-Encoding: chunked", NULL};
  read_from(handle, reader);
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, 2L);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, &chunked);
}

/* What pauses is a reader of a form's part. */
static void part_from(CURL *handle, struct reader *reader)
{
  curl_mime *mime = curl_mime_init(handle);

  curl_mime_data_cb(curl_mime_addpart(mime), (curl_off_t)strlen(reader->text), read_text, NULL, NULL, reader);
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, mime);
}

static size_t sent;

static int count_sent(CURL *handle, curl_infotype type, char *data, size_t len, void *arg)
{
  (void)handle, (void)data, (void)arg;
  sent += type == CURLINFO_DATA_OUT ? len : 0;
  return 0;
}

/* Each of the reader's pieces is a chunk on the wire. */
static void chunked_part(CURL *handle, struct reader *reader)
{
  static struct curl_slist chunked = {(char *)(uintptr_t) "Transfer-Encoding: chunked", NULL};
  part_from(handle, reader);
  reader->slow = true;
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, &chunked);
  curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, count_sent);
}

static void watch_progress(CURL *handle, struct reader *reader, curl_xferinfo_callback told)
{
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, told);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, reader);
}

static void resume_by_progress(CURL *handle, struct reader *reader)
{
  reader->pauses = 1;
  progress_handle = handle;
  watch_progress(handle, reader, resume);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, 5L);
}

static void paused_reader(CURL *handle, struct reader *reader)
{
  post_from(handle, reader);
  resume_by_progress(handle, reader);
}

static void paused_part(CURL *handle, struct reader *reader)
{
  part_from(handle, reader);
  resume_by_progress(handle, reader);
}

/* No progress callback: only the app's loop ends the pauses, the first one long after
 * libcurl was told of it. */
static void resume_by_loop(CURL *handle, struct reader *reader)
{
  reader->pauses = 2;
  reader->patience = 20;
  progress_handle = handle;
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, 5L);
}

static void reader_paused_twice(CURL *handle, struct reader *reader)
{
  post_from(handle, reader);
  resume_by_loop(handle, reader);
}

static void part_paused_twice(CURL *handle, struct reader *reader)
{
  part_from(handle, reader);
  resume_by_loop(handle, reader);
}

static void greedy_reader(CURL *handle, struct reader *reader)
{
  static char large[50001];

  memset(large, 'x', sizeof large - 1);
  reader->text = large;
  reader->greedy = true;
  post_from(handle, reader);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, -1L);
}

/* How much it is offered at once where the text is an UPLOAD_BUFFERSIZE. */
static void offer_room(CURL *handle, struct reader *reader)
{
  static char large[300001];

  if (*reader->text)
    curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, atol(reader->text));
  memset(large, '1', sizeof large - 1);
  reader->text = large;
}

static void room_sized(CURL *handle, struct reader *reader)
{
  offer_room(handle, reader);
  post_from(handle, reader);
}

static void room_chunked(CURL *handle, struct reader *reader)
{
  static struct curl_slist chunked = {(char *)(uintptr_t) "Transfer-Encoding: chunked", NULL};
  offer_room(handle, reader);
  read_from(handle, reader);
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, &chunked);
}

static void room_part(CURL *handle, struct reader *reader)
{
  curl_mime *mime = curl_mime_init(handle);

  offer_room(handle, reader);
  curl_mime_data_cb(curl_mime_addpart(mime), -1, read_text, NULL, NULL, reader);
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, mime);
}

/* It speaks for ten seconds and more, a byte after the other. */
static void dripping(CURL *handle, struct reader *reader)
{
  static struct curl_slist chunked = {(char *)(uintptr_t) "Transfer-Encoding: chunked", NULL};
  static char text[1001];

  memset(text, '1', sizeof text - 1);
  reader->text = text;
  reader->drips = true;
  read_from(handle, reader);
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, &chunked);
}

static void dripping_reader(CURL *handle, struct reader *reader)
{
  dripping(handle, reader);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, 3L);
}

/* A part of a form, without a size: libcurl sends it in chunks. */
static void drip_into_form(CURL *handle, struct reader *reader)
{
  curl_mime *mime = curl_mime_init(handle);

  dripping(handle, reader);
  curl_mime_data_cb(curl_mime_addpart(mime), -1, read_text, NULL, NULL, reader);
  curl_easy_setopt(handle, CURLOPT_MIMEPOST, mime);
}

static void dripping_part(CURL *handle, struct reader *reader)
{
  drip_into_form(handle, reader);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, 3L);
}

/* It ends after three seconds. */
static void dripping_part_to_its_end(CURL *handle, struct reader *reader)
{
  drip_into_form(handle, reader);
  reader->at = strlen(reader->text) - 300;
  curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, count_sent);
}

static int stop_once_begun(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
  const struct reader *reader = arg;

  (void)total, (void)now, (void)up_total, (void)up;
  return reader->at > 0;
}

static void dripping_and_stopped(CURL *handle, struct reader *reader)
{
  dripping(handle, reader);
  watch_progress(handle, reader, stop_once_begun);
}

static void dripping_part_and_stopped(CURL *handle, struct reader *reader)
{
  drip_into_form(handle, reader);
  watch_progress(handle, reader, stop_once_begun);
}

/* A first attempt is refused before anything of the body is asked for. */
static void refused_first(CURL *handle, struct reader *reader)
{
  post_from(handle, reader);
  curl_easy_setopt(handle, CURLOPT_PORT, 1L);
  if (curl_easy_perform(handle) != CURLE_COULDNT_CONNECT)
    puts("not refused");
  curl_easy_setopt(handle, CURLOPT_PORT, 0L);
}

static void refused_then_rewound(CURL *handle, struct reader *reader)
{
  refused_first(handle, reader);
  reader->at = 0;
}

static void refused_then_another(CURL *handle, struct reader *reader)
{
  refused_first(handle, reader);
  reader->at = 0;
  reader->text = "4321";
}

static void ioctl_reader(CURL *handle, struct reader *reader)
{
  post_from(handle, reader);
  curl_easy_setopt(handle, CURLOPT_IOCTLFUNCTION, restart);
  curl_easy_setopt(handle, CURLOPT_IOCTLDATA, reader);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
}

static void no_rewind(CURL *handle, struct reader *reader)
{
  post_from(handle, reader);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
}

/* A cookie of an earlier login: who asks. */
static void engine_cookie(CURL *handle, struct reader *reader)
{
  char line[128];

  snprintf(line, sizeof line, "Set-Cookie: session=%s; domain=127.0.0.1; path=/", reader->text);
  curl_easy_setopt(handle, CURLOPT_COOKIELIST, line);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "{}");
}

static void tls_user(CURL *handle, struct reader *reader)
{
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "{}");
  curl_easy_setopt(handle, CURLOPT_TLSAUTH_USERNAME, reader->text);
}

/* A login by NTLM, of which one option says a part: TEXT is "pair=ME:WORD", "name=ME", "word=WORD" or
 * nothing. */
static void ntlm_login(CURL *handle, struct reader *reader)
{
  const char *text = strchr(reader->text, '=');

  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "{}");
  curl_easy_setopt(handle, CURLOPT_HTTPAUTH, (long)CURLAUTH_NTLM);
  if (text)
    curl_easy_setopt(handle,
                     *reader->text == 'p'   ? CURLOPT_USERPWD
                     : *reader->text == 'n' ? CURLOPT_USERNAME
                                            : CURLOPT_PASSWORD,
                     text + 1);
}

/* What is asked for after a call that libcurl refuses at once. */
static void then_url(CURL *handle, const char *url)
{
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "{}");
  curl_easy_perform(handle);
  curl_easy_setopt(handle, CURLOPT_URL, url);
}

static void then_no_url(CURL *handle, struct reader *reader)
{
  (void)reader;
  then_url(handle, NULL);
}

/* This one is refused later, when the last call is forgotten. */
static void then_empty_url(CURL *handle, struct reader *reader)
{
  (void)reader;
  then_url(handle, "");
}

static void print_facts(CURL *handle)
{
  char *method = NULL, *address = NULL, *type = NULL, *url = NULL;
  long header = 0, request = 0;

  curl_easy_getinfo(handle, CURLINFO_EFFECTIVE_METHOD, &method);
  curl_easy_getinfo(handle, CURLINFO_PRIMARY_IP, &address);
  curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &type);
  curl_easy_getinfo(handle, CURLINFO_HEADER_SIZE, &header);
  curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &request);
  curl_easy_getinfo(handle, CURLINFO_EFFECTIVE_URL, &url);
  printf("facts %s \"%s\" %s %ld %ld %s\n", method, address, type ? type : "none", header, request, url);
}

/* An option that only failing_add.so has: what each digit says. */
static void newer_option(CURL *handle, struct reader *reader)
{
  CURLoption newer = (CURLoption)345;

  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "{}");
  for (const char *digit = reader->text; *digit; digit++)
    curl_easy_setopt(handle, newer, (long)(*digit - '0'));
}

static void protocols_all(CURL *handle, struct reader *reader)
{
  (void)reader;
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "{}");
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS, (long)CURLPROTO_ALL);
}

static void protocols_without_http(CURL *handle, struct reader *reader)
{
  protocols_all(handle, reader);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTPS | CURLPROTO_FTP));
}

static void protocols_listed(CURL *handle, struct reader *reader)
{
  protocols_all(handle, reader);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "ftps,https");
}

static void protocols_allowed_again(CURL *handle, struct reader *reader)
{
  protocols_without_http(handle, reader);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "all");
}

static const struct {
  const char *name;
  void (*prepare)(CURL *handle, struct reader *reader);
} cases[] = {
    {"size-after-copy", size_after_copy},
    {"smaller-size-after-copy", smaller_size_after_copy},
    {"upload-then-fields", upload_then_fields},
    {"form-taken-away", form_taken_away},
    {"form", form},
    {"empty-post", empty_post},
    {"chunked-and-sized", chunked_and_sized},
    {"paused-reader", paused_reader},
    {"reader-paused-twice", reader_paused_twice},
    {"chunked-part", chunked_part},
    {"paused-part", paused_part},
    {"part-paused-twice", part_paused_twice},
    {"greedy-reader", greedy_reader},
    {"room-sized", room_sized},
    {"room-chunked", room_chunked},
    {"room-part", room_part},
    {"dripping-reader", dripping_reader},
    {"dripping-and-stopped", dripping_and_stopped},
    {"dripping-part", dripping_part},
    {"dripping-part-and-stopped", dripping_part_and_stopped},
    {"dripping-part-to-its-end", dripping_part_to_its_end},
    {"refused-first", refused_first},
    {"refused-then-rewound", refused_then_rewound},
    {"refused-then-another", refused_then_another},
    {"ioctl-reader", ioctl_reader},
    {"no-rewind", no_rewind},
    {"engine-cookie", engine_cookie},
    {"tls-user", tls_user},
    {"ntlm-login", ntlm_login},
    {"newer-option", newer_option},
    {"then-no-url", then_no_url},
    {"then-empty-url", then_empty_url},
    {"protocols-all", protocols_all},
    {"protocols-without-http", protocols_without_http},
    {"protocols-listed", protocols_listed},
    {"protocols-allowed-again", protocols_allowed_again},
};

/* The app's loop resumes what has paused, between two turns. */
static CURLcode perform_in_multi(CURL *handle, struct reader *reader)
{
  CURLM *multi = curl_multi_init();
  CURLcode code = CURLE_OK;
  int running = 1, left;

  curl_multi_add_handle(multi, handle);
  while (running && curl_multi_perform(multi, &running) == CURLM_OK) {
    resume(reader, 0, 0, 0, 0);
    curl_multi_wait(multi, NULL, 0, 10, NULL);
  }
  for (const CURLMsg *message; (message = curl_multi_info_read(multi, &left));)
    code = message->data.result;
  curl_multi_remove_handle(multi, handle);
  curl_multi_cleanup(multi);
  return code;
}

int main(int argc, char **argv)
{
  struct reader reader = {.text = argc > 3 ? argv[3] : ""};
  struct reply reply = {0};
  char error[CURL_ERROR_SIZE] = "";

  for (size_t i = 0; argc > 2 && i < sizeof cases / sizeof *cases; i++)
    if (strcmp(cases[i].name, argv[1]) == 0) {
      CURL *handle = curl_easy_init();

      curl_easy_setopt(handle, CURLOPT_URL, argv[2]);
      curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, reply_take);
      curl_easy_setopt(handle, CURLOPT_WRITEDATA, &reply);
      curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
      cases[i].prepare(handle, &reader);
      CURLcode code = argc > 4 ? perform_in_multi(handle, &reader) : curl_easy_perform(handle);
      reply_print(argv[1], handle, code, &reply);
      printf("error \"%s\" rewinds %d early %d\nsent %zu\n%s\n", error, reader.rewinds, reader.early, sent,
             reply.bytes ? reply.bytes : "");
      if (strncmp(argv[1], "room-", 5) == 0)
        printf("room %zu\n", reader.most_room);
      if (strncmp(argv[1], "then-", 5) == 0)
        print_facts(handle);
      if (reader.drips)
        printf("read %s\n", reader.text[reader.at] ? "in part" : "whole");
      curl_easy_cleanup(handle);
      free(reply.bytes);
      return 0;
    }
  fprintf(stderr, "usage: unusual_requests CASE URL [TEXT]\n");
  return 2;
}
