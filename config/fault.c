/* SPDX-License-Identifier: MIT */
/* One fault is KIND@NUMBER, where a cut may have a part as well, in any order: cut@0.5@3. What a word leaves
 * out has its default: a cut in the middle, and every exchange. */
#include "config/fault.h"

#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The numbers behind signs may be a part or an exchange; only a part has a dot. */
static int parse_numbers(char *at, struct idem_fault *fault)
{
  while (at) {
    char *rest = NULL, *number = strsep(&at, "@");
    if (fault->kind == IDEM_FAULT_CUT && strchr(number, '.'))
      fault->part = strtod(number, &rest);
    else
      fault->number = strtoull(number, &rest, 10);
    /* strtoull() takes a minus, and makes a large number of it. */
    if (rest == number || *rest || *number == '-' || fault->part < 0 || fault->part >= 1 ||
        (!strchr(number, '.') && !fault->number))
      return -EINVAL;
  }
  return 0;
}

/* A stall is shorter than a day: "forever" is no duration for one. The text is copied, for what parses
 * numbers wants a NUL behind them. */
int idem_fault_parse(const char *word, size_t len, struct idem_fault *fault)
{
  char text[64], *at = text;
  if (!len || len >= sizeof(text))
    return -EINVAL;
  memcpy(text, word, len);
  text[len] = '\0';
  *fault = (struct idem_fault){.part = 0.5};
  char *name = strsep(&at, "@");
  /* 1xx is no end of an exchange. */
  if (strspn(name, "0123456789") == 3 && !name[3] && name[0] >= '2' && name[0] <= '5')
    fault->status = (unsigned)strtoul(name, NULL, 10);
  else if (strcmp(name, "cut") == 0)
    fault->kind = IDEM_FAULT_CUT;
  else if (strcmp(name, "reset") == 0)
    fault->kind = IDEM_FAULT_RESET;
  else if (strncmp(name, "stall:", 6) == 0 &&
           idem_parse_duration(name + 6, strlen(name + 6), &fault->stall_ms) == 0 &&
           fault->stall_ms < UINT64_C(86400000))
    fault->kind = IDEM_FAULT_STALL;
  else
    return -EINVAL;
  return parse_numbers(at, fault);
}

/* First those of this number, then those of every one; among equals the one that was written first. */
const struct idem_fault *idem_fault_find(const struct idem_fault *faults, size_t count, uint64_t number)
{
  for (int all = 0; all < 2; all++)
    for (size_t i = 0; i < count; i++)
      if (faults[i].number == (all ? 0 : number))
        return &faults[i];
  return NULL;
}
