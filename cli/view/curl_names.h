/* SPDX-License-Identifier: MIT */
/*
 * What libcurl's numbers are called: a tape has codes and infos as numbers, for they are part of
 * libcurl's ABI and never change. curl.h is not needed, so a tape of a newer libcurl can be read.
 *
 *     printf("%s", cli_curl_error(28));                            OPERATION_TIMEDOUT
 *     printf("%s", cli_curl_info(46));                             HTTP_VERSION
 *     printf("%s", cli_curl_info_value(46, 3));                    HTTP/2
 *
 * The names are tables of text, curl_errors.def, curl_infos.def and curl_values.def: what
 * a newer libcurl brings is a row there. What is returned is nobody's to free, and some of it is overwritten
 * by the next call: the command has one thread.
 */
#ifndef IDEMSHIM_CLI_CURL_NAMES_H
#define IDEMSHIM_CLI_CURL_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* "OPERATION_TIMEDOUT", as curl.h names it without CURLE_; "error 999" for one that is not known. */
const char *cli_curl_error(uint32_t code);

/* The names of facts, as curl.h has them without CURLINFO_; NULL for a number that is none. */
const char *cli_curl_info(unsigned number);
/* A fact has no type on a tape, and eight bytes may be a number, "1.1.1.1" or "OPTIONS". */
bool cli_curl_info_is_text(unsigned number);
/* What the value of a fact means: "HTTP/2", "Basic, Digest"; "" where it is a number like any other.
 * Overwritten by the next call. */
const char *cli_curl_info_value(unsigned number, int64_t value);
/* The loop over all infos ends here. */
enum { CLI_INFOS = 80 }; /* above every number that has a name */

#endif
