/* SPDX-License-Identifier: MIT */
/*
 * form: what the app has put into its forms. Each curl_mime is described, since libcurl has no getters.
 *
 *   curl_mime_init     → form_track      curl_mime_addpart      → form_add_part
 *   curl_mime_name ... → part_set_...    curl_mime_free         → form_forget
 *   CURLOPT_MIMEPOST   → form_take       curl_easy_duphandle    → form_share_readers, form_copy
 *
 * A form that was made behind our back is not found, and a call that sends it goes live. Like its curl_mime,
 * a form and its parts belong to one thread at a time; only the map that finds them is shared, and locked.
 * Without memory for a part, the form says so in `unknown`, and goes live too.
 */
#ifndef IDEMSHIM_SHIM_FORM_H
#define IDEMSHIM_SHIM_FORM_H

#include "shim/base/pointer_map.h"
#include "shim/form/form_reader.h"
#include "shim/libcurl/libcurl.h"

#include <stdbool.h>
#include <stdint.h>

enum part_kind { PART_EMPTY, PART_DATA, PART_FILE, PART_READER, PART_PARTS };

/* Bytes that a part and its copies share. */
struct blob {
  _Atomic unsigned refs;
  size_t len;
  char data[];
};

/* One part, as the app has described it last. Which of the last fields count, says its kind. */
struct form_part {
  struct pointer_entry entry; /* its key is the curl_mimepart */
  struct form *form;          /* that it is a part of */
  struct form_part *next;
  char *name, *filename, *type, *encoder;
  const struct curl_slist *headers; /* the app's, read when the form is sent; or a copy's own */
  bool own_headers;
  uint8_t kind;        /* enum part_kind */
  const char *unknown; /* why nobody can tell its content, or NULL */
  const char *data;    /* DATA */
  size_t len;
  struct blob *blob;          /* DATA: where it is, or NULL for bytes that are not ours */
  char *path;                 /* FILE */
  int64_t size;               /* FILE: when it was named; libcurl sends no more. -1: not a regular file */
  struct form_reader *reader; /* READER */
  struct form *parts;         /* PARTS */
};

/* One curl_mime, or a copy of one, or a curl_formadd() list. */
struct form {
  struct pointer_entry entry; /* its key is the curl_mime */
  const struct libcurl *lib;
  struct form_part *first, *last;
  struct form_part *owner; /* the part whose content it is */
  unsigned refs;           /* the curl_mime, and each handle that it is set on */
  const char *unknown;     /* why nobody can tell what libcurl will send, or NULL */
};

/* With one reference, not in the table; NULL without memory. */
struct form *form_new(const struct libcurl *lib);

/* The same for a list that curl_formadd() has made, for as long as that list stays as it is. */
struct form *form_of_list(const struct curl_httppost *list, const struct libcurl *lib);

/* Remembers a curl_mime. Without memory it is not remembered. */
void form_track(curl_mime *mime, const struct libcurl *lib);

/* Finds a form or part of the app's; NULL for one that is not remembered. Takes the map's lock. */
struct form *form_find(const curl_mime *mime);
struct form_part *form_part_find(const curl_mimepart *part);

/* Forgets a form; call it before the real curl_mime_free(), since libcurl reuses the address at once. */
void form_forget(struct form *form);

/* A part that the real function has added. Without memory the form is unknown from now on. */
void form_add_part(struct form *form, const curl_mimepart *part);

/* A new part, which is not in the table; NULL without memory. */
struct form_part *form_append(struct form *form);

/* Texts are copied, and NULL takes them away; `text` is one of the part's own. Header lines stay the
 * app's. */
void form_part_set_text(struct form_part *part, char **text, const char *value);
void form_part_set_headers(struct form_part *part, const struct curl_slist *headers);

/* The content ends before the real function is called, which ends it whatever it returns. What is set then is
 * what it has accepted. */
void form_part_clear(struct form_part *part);
void form_part_set_data(struct form_part *part, const char *data, size_t len);
void form_part_set_file(struct form_part *part, const char *path);
void form_part_set_reader(struct form_part *part, struct form_reader *reader);
void form_part_set_parts(struct form_part *part, struct form *parts);

/* The form that a handle was given, or NULL; a copy such as curl_easy_duphandle() makes, or NULL without
 * memory; the end of either. */
struct form *form_take(const curl_mime *mime);
struct form *form_copy(const struct form *form);
void form_drop(struct form *form);

/* The app's curl_mime; NULL for a copy, which has one inside libcurl that nobody can name. */
curl_mime *form_real(const struct form *form);

/* Call it before curl_easy_duphandle(), which gives the copy the same readers. */
void form_share_readers(const struct form *form);

/* For a fork alone: locks and unlocks what finds forms. */
void form_lock_all(void);
void form_unlock_all(void);

#endif
