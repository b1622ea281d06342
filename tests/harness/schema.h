/* SPDX-License-Identifier: MIT */
/*
 * schema: as much of JSON Schema (draft 2020-12) as the schemas in docs/ use.
 *
 *     json_t *schema = schema_read("output.schema.json");
 *     char fault[SCHEMA_FAULT];
 *
 *     cr_expect(schema_fits(schema, "#/$defs/gc", document, fault), "%s", fault);
 *     json_decref(schema);
 *
 * A keyword that is not known here fails the test that reads its file, since a rule that nobody holds a
 * document to is none; so does a $ref to what is not there. A pattern is one that regcomp(3) and ECMA-262
 * read alike, and what is wrong with the schema itself ends the test.
 */
#ifndef HARNESS_SCHEMA_H
#define HARNESS_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

enum { SCHEMA_FAULT = 1024 };

/* docs/NAME; the caller's to json_decref(). */
json_t *schema_read(const char *name);

/* True if every rule of it is one that can be held; else `fault` says which is not. */
bool schema_is_known(json_t *schema, char fault[SCHEMA_FAULT]);

/* True if the value is as the part of the schema says that `ref` names: "#" is all of it. Else `fault` says
 * where in the value what is wrong. */
bool schema_fits(json_t *schema, const char *ref, json_t *value, char fault[SCHEMA_FAULT]);

#endif
