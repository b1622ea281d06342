/* SPDX-License-Identifier: MIT */
/* forms CASE URL [TEXT [MORE]]: forms of text and files; TEXT is a path where the case is about files. */
#include "tests/clients/form.h"

static void data(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "say \"hi\"");

  curl_mime_data(part, s->text, CURL_ZERO_TERMINATED);
  curl_mime_filename(part, "a b.json");
  curl_mime_type(part, "application/json");
}

static void escaped(struct subject *s)
{
  data(s);
  curl_easy_setopt(s->handle, CURLOPT_MIME_OPTIONS, (long)CURLMIMEOPT_FORMESCAPE);
}

static void file(struct subject *s)
{
  curl_mime_filedata(part_named(begin(s), "file"), s->text);
}

static void file_as(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "file");

  curl_mime_filedata(part, s->text);
  curl_mime_filename(part, s->more);
}

static void parts(struct subject *s)
{
  curl_mime *inner;

  begin(s);
  inner = curl_mime_init(s->handle);
  curl_mime_data(part_named(inner, "one"), s->text, CURL_ZERO_TERMINATED);
  curl_mime_data(part_named(inner, "two"), "2", CURL_ZERO_TERMINATED);
  curl_mime_subparts(part_named(s->mime, "inner"), inner);
}

static void alternative(struct subject *s)
{
  parts(s);
  curl_mime *inner = curl_mime_init(s->handle);
  curl_mimepart *part = curl_mime_addpart(s->mime);
  curl_mime_data(curl_mime_addpart(inner), s->text, CURL_ZERO_TERMINATED);
  curl_mime_subparts(part, inner);
  curl_mime_type(part, "multipart/alternative");
}

static void headers(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "file");

  struct curl_slist *list = curl_slist_append(curl_slist_append(NULL, s->text), "Content-Type: text/x-odd");

  curl_mime_data(part, "content", CURL_ZERO_TERMINATED);
  curl_mime_headers(part, list, 1);
}

static void base64(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "file");

  curl_mime_data(part, s->text, CURL_ZERO_TERMINATED);
  curl_mime_encoder(part, "base64");
}

/* The same header, but the content is sent as it is. */
static void base64_claimed(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "file");
  struct curl_slist *list = curl_slist_append(NULL, "Content-Transfer-Encoding: base64");

  curl_mime_data(part, s->text, CURL_ZERO_TERMINATED);
  curl_mime_headers(part, list, 1);
}

static void related(struct subject *s)
{
  data(s);
  s->headers = curl_slist_append(NULL, "Content-Type: multipart/related");
  curl_easy_setopt(s->handle, CURLOPT_HTTPHEADER, s->headers);
}

static void no_parts(struct subject *s)
{
  s->mime = curl_mime_init(s->handle);
  curl_easy_setopt(s->handle, CURLOPT_MIMEPOST, s->mime);
}

/* The copy has all of it, whatever becomes of the original. */
static void duplicate(struct subject *s)
{
  CURL *original = s->handle;

  curl_mime_data(part_named(begin(s), "data"), s->text, CURL_ZERO_TERMINATED);
  curl_mimepart *part = part_named(s->mime, "headers");
  curl_mime_headers(part, curl_slist_append(NULL, "X-Part: kept"), 1);
  curl_mime *inner = curl_mime_init(s->handle);
  curl_mime_data(part_named(inner, "inner"), s->text, CURL_ZERO_TERMINATED);
  curl_mime_subparts(part, inner);
  s->handle = curl_easy_duphandle(original);
  curl_mime_free(s->mime);
  curl_easy_cleanup(original);
  s->mime = NULL;
}

static void freed(struct subject *s)
{
  data(s);
  curl_mime_free(s->mime);
  s->mime = NULL;
}

static void changed(struct subject *s)
{
  curl_mimepart *part = part_named(begin(s), "file");

  curl_mime_data(part, s->text, CURL_ZERO_TERMINATED);
  perform(s, "first");
  curl_mime_data(part, s->more, CURL_ZERO_TERMINATED);
}

/* The handle's form is replaced by one that libcurl puts at the same address as likely as not. */
static void reused_address(struct subject *s)
{
  data(s);
  curl_mime_free(s->mime);
  s->mime = NULL;
  curl_mime *other = curl_mime_init(s->handle);
  curl_mime_data(part_named(other, "other"), "another form", CURL_ZERO_TERMINATED);
  perform(s, "freed");
  curl_mime_free(other);
}

static const char *appended;

static size_t append(char *bytes, size_t size, size_t count, void *arg)
{
  FILE *into = appended ? fopen(appended, "a") : NULL;

  if (into) {
    fputs("more", into);
    fclose(into);
    appended = NULL;
  }
  return reply_take(bytes, size, count, arg);
}

static void file_in_motion(struct subject *s)
{
  file(s);
  appended = s->text;
  curl_easy_setopt(s->handle, CURLOPT_WRITEFUNCTION, append);
}

static const struct form_case cases[] = {
    {"data", data},
    {"escaped", escaped},
    {"file", file},
    {"file-as", file_as},
    {"file-in-motion", file_in_motion},
    {"parts", parts},
    {"alternative", alternative},
    {"headers", headers},
    {"base64", base64},
    {"base64-claimed", base64_claimed},
    {"related", related},
    {"no-parts", no_parts},
    {"duplicate", duplicate},
    {"freed", freed},
    {"changed", changed},
    {"reused-address", reused_address},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
  return form_main(cases, argc, argv);
}
