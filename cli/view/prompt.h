/* SPDX-License-Identifier: MIT */
/*
 * What was asked, for a person who looks for one call among many. No provider is known by name: the last text
 * of a user is looked for under the names that all of them use, and a body without any is shown from its
 * beginning.
 *
 *     char *prompt = cli_prompt(answer->request_body);       "What is a tape?"
 *     if (prompt && *prompt) ...
 *     free(prompt);
 *     char *model = cli_model(answer->path, answer->request_body);      "gpt-4o-mini"
 */
#ifndef IDEMSHIM_CLI_PROMPT_H
#define IDEMSHIM_CLI_PROMPT_H

#include "store/store.h"

/* The beginning of the text, which the caller frees; of the body where no prompt is found. NULL when memory
 * runs out. */
char *cli_prompt(struct idem_span body);

/* The model that is asked, from the body, or from the path as Gemini, Bedrock and Azure have it; "" where
 * neither names one. The caller frees it; NULL when memory runs out. */
char *cli_model(struct idem_span path, struct idem_span body);

#endif
