/* SPDX-License-Identifier: MIT */
/*
 * The words of both tables for people. They are apart from what parses, so that the linker leaves this text
 * out of libidemshim.so: it is mapped into every program.
 */
#include "config/config.h"

#define X(name, values, fallback, type, member, help) {"IDEMSHIM_" #name, values, fallback, help},
const struct idem_doc idem_variable_docs[] = {
#include "config/variables.def"
    {NULL, NULL, NULL, NULL},
};
#undef X

#define X(name, values, fallback, type, member, help) {#name, values, fallback, help},
const struct idem_doc idem_field_docs[] = {
#include "config/fields.def"
    {NULL, NULL, NULL, NULL},
};
#undef X
