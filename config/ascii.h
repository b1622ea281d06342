/* SPDX-License-Identifier: MIT */
/*
 * Bytes as ASCII, whatever the app's locale is: hosts, methods and header names are compared by protocol, and
 * toupper() of a Turkish locale would not find "POST". All of it is inline, for a match runs on every
 * transfer.
 */
#ifndef IDEMSHIM_ASCII_H
#define IDEMSHIM_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline char idem_lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline char idem_upper(char c)
{
  return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

static inline bool idem_is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static inline bool idem_is_alnum(char c)
{
  char low = idem_lower(c);

  return idem_is_digit(c) || (low >= 'a' && low <= 'z');
}

static inline bool idem_is_control(char c)
{
  return (unsigned char)c < 0x20 || c == 0x7f;
}

/* RFC 9110 section 5.6.3: the optional white space of a header. */
static inline bool idem_is_blank(char c)
{
  return c == ' ' || c == '\t';
}

/* What may stand behind the value of a header, and is no part of it. */
static inline bool idem_is_end(char c)
{
  return idem_is_blank(c) || c == '\r' || c == '\n' || c == '\0';
}

/* The four that RFC 8259 section 2 has; isspace() would take a form feed, too. */
static inline bool idem_is_json_blank(char c)
{
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* RFC 9110 section 5.6.2: what header names are made of. */
static inline bool idem_is_token(char c)
{
  return idem_is_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Equal but for the case of ASCII letters. */
static inline bool idem_same_fold(const char *a, size_t a_len, const char *b, size_t b_len)
{
  if (a_len != b_len)
    return false;
  for (size_t i = 0; i < a_len; i++)
    if (idem_lower(a[i]) != idem_lower(b[i]))
      return false;
  return true;
}

/* The name of a header, or a word in it, is this one in any case. */
static inline bool idem_is_named(const char *text, size_t len, const char *name)
{
  return idem_same_fold(text, len, name, strlen(name));
}

/* Takes the blanks round a header's value off, and behind it line ends and NUL. Returns where it begins, and
 * `*len` is what is left. */
static inline const char *idem_trim(const char *text, size_t *len)
{
  for (; *len && idem_is_blank(*text); text++)
    --*len;
  while (*len && idem_is_end(text[*len - 1]))
    --*len;
  return text;
}

#endif
