/* SPDX-License-Identifier: MIT */
/* What the tests of forms share. */
#ifndef E2E_FORM_H
#define E2E_FORM_H

#include "tests/harness/harness.h"

/* The path that forms are posted to. */
#define FORM_TARGET "/v1/chat/completions"

/* A test's parameter: a case of tests/clients/form*.c. */
struct form_case {
  char name[24];
};

/* Runs it with the text or path that suits it, in the program that has it. */
struct run form(struct world *w, bool shim, const char *name, const char *text, const char *more);
const char *form_text(struct world *w, const char *name);

/* What the program says of its read callback at the end of its output. */
const char *form_callbacks(const struct run *run);

/* Fails unless two requests differ in nothing but the boundary. */
void expect_same_request(const char *what, const json_t *a, const json_t *b);

/* The same for the first half of all requests, which a plain run made, and the second. */
void expect_same_requests(struct world *w, const char *what);

#endif
