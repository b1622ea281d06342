/* SPDX-License-Identifier: MIT */
/*
 * What a request asks, in a few words: the text of its last user message, found in the shapes that LLM
 * providers use. Best effort, for lists that people look through.
 */
#ifndef IDEMSHIM_CLI_PROMPT_H
#define IDEMSHIM_CLI_PROMPT_H

#include "store/store.h"

/* The beginning of the text, which the caller frees; of the body where no prompt is found. NULL when memory
 * runs out. */
char *cli_prompt(struct idem_span body);

#endif
