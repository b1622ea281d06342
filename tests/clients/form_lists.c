/* SPDX-License-Identifier: MIT */
/* form_lists CASE URL [TEXT [MORE]]: forms that are made with curl_formadd(). */
#include "tests/clients/form.h"

#define FIELD(s, ...) curl_formadd(&(s)->list, &(s)->last, CURLFORM_COPYNAME, __VA_ARGS__, CURLFORM_END)

static void begin_list(struct subject *s)
{
  FIELD(s, "model", CURLFORM_COPYCONTENTS, "whisper-1");
}

static void list(struct subject *s)
{
  begin_list(s);
  FIELD(s, "contents", CURLFORM_PTRCONTENTS, s->text, CURLFORM_CONTENTTYPE, "text/x-odd");
  FIELD(s, "length", CURLFORM_COPYCONTENTS, s->text, CURLFORM_CONTENTSLENGTH, 2L);
  curl_easy_setopt(s->handle, CURLOPT_HTTPPOST, s->list);
}

static void list_file(struct subject *s)
{
  begin_list(s);
  FIELD(s, "file", CURLFORM_FILE, s->text, CURLFORM_FILENAME, "shown.png");
  FIELD(s, "content", CURLFORM_FILECONTENT, s->text);
  curl_easy_setopt(s->handle, CURLOPT_HTTPPOST, s->list);
}

static void list_files(struct subject *s)
{
  begin_list(s);
  FIELD(s, "files", CURLFORM_FILE, s->text, CURLFORM_CONTENTTYPE, "text/x-odd", CURLFORM_FILE, s->text);
  curl_easy_setopt(s->handle, CURLOPT_HTTPPOST, s->list);
}

static void list_buffer(struct subject *s)
{
  begin_list(s);
  FIELD(s, "buffer", CURLFORM_BUFFER, "b.txt", CURLFORM_BUFFERPTR, s->text, CURLFORM_BUFFERLENGTH,
        (long)strlen(s->text));
  curl_easy_setopt(s->handle, CURLOPT_HTTPPOST, s->list);
}

static void list_stream(struct subject *s)
{
  begin_list(s);
  s->reader.text = s->text;
  FIELD(s, "stream", CURLFORM_STREAM, &s->reader, CURLFORM_CONTENTLEN, (curl_off_t)strlen(s->text));
  curl_easy_setopt(s->handle, CURLOPT_HTTPPOST, s->list);
  curl_easy_setopt(s->handle, CURLOPT_READFUNCTION, reader_read);
}

static const struct form_case cases[] = {
    {"list", list},
    {"list-file", list_file},
    {"list-files", list_files},
    {"list-buffer", list_buffer},
    {"list-stream", list_stream},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
  return form_main(cases, argc, argv);
}
