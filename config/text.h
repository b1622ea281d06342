/* SPDX-License-Identifier: MIT */
/* Text put together piece by piece. If the buffer is too small, `len` goes on counting, as snprintf does. */
#ifndef IDEMSHIM_TEXT_H
#define IDEMSHIM_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct idem_text {
  char *out; /* always NUL-terminated if size is not 0 */
  size_t size;
  size_t len; /* what all pieces together would take */
};

void idem_text_add(struct idem_text *text, const char *data, size_t len);
void idem_text_add_string(struct idem_text *text, const char *string);
void idem_text_add_number(struct idem_text *text, uint64_t number);

#endif
