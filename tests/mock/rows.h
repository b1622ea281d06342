/* SPDX-License-Identifier: MIT */
/*
 * rows: what the rows of config/answers.def look like on the wire: of each shape a whole answer, a whole
 * stream, and ways to fail within a 200. Shapes that several providers share stand here once.
 *
 *     struct answer *answer = rows_answer("openai-chat", "fail2", serial);     // NULL: there is none
 */
#ifndef MOCK_ROWS_H
#define MOCK_ROWS_H

#include "tests/mock/answer.h"

#include <stdint.h>

/* `which` is whole, stream, or fail1 and so on. Each `$N` of the text becomes the serial number. */
struct answer *rows_answer(const char *shape, const char *which, uint64_t serial);

#endif
