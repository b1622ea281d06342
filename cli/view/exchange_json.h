/* SPDX-License-Identifier: MIT */
/* An exchange as JSON, for programs. */
#ifndef IDEMSHIM_CLI_TAPE_JSON_H
#define IDEMSHIM_CLI_TAPE_JSON_H

#include "tape/tape.h"

#include <jansson.h>

/* What ls has. NULL when memory runs out. */
json_t *cli_tape_json(const struct tape_record *record);

/* What show has beyond that. */
void cli_tape_json_content(json_t *document, const struct tape_record *record);

#endif
