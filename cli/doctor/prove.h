/* SPDX-License-Identifier: MIT */
/*
 * The proof: the command is run twice under the preload, against a server of our own and an empty store. The
 * library's events say what it did, and the server's count says whether that is true. A live proof leaves the
 * command to call whom it calls, so that the events alone are its witness.
 *
 *     struct doctor_proof proof;
 *     int code = doctor_prove(&proof, argc, argv, false);  CLI_OK: there is a verdict, either way
 *     puts(proof.verdict);                                 "proven: the first run went live and was stored, ..."
 *
 * The command's input is empty, its output is kept from the terminal, and it is ended after a minute.
 */
#ifndef IDEMSHIM_CLI_DOCTOR_PROVE_H
#define IDEMSHIM_CLI_DOCTOR_PROVE_H

#include <stdbool.h>

/* What the library's log said it did. */
struct doctor_events {
  long live, stored, hit, bypass, other;
};

/* One run of the command, as seen from outside and by the library. */
struct doctor_run {
  /* That arrived at the server during this run; in a live proof, that the library saw go out. */
  long requests;
  struct doctor_events events;
  int status, signal; /* how the command ended; -1 and 0 if by neither */
  bool timed_out;
  char complaint[256]; /* the last line of its standard error, where it failed; else "" */
};

/* NOTHING: neither this nor that, for no call was made that a proof could be made of. */
enum doctor_outcome { DOCTOR_SHOWS_NOTHING, DOCTOR_REFUTED, DOCTOR_PROVEN_PARTLY, DOCTOR_PROVEN };

/* Two runs and what they prove. */
struct doctor_proof {
  enum doctor_outcome outcome;
  bool live;
  char servers[256]; /* live: whom calls went to, with commas; "": none; */
  char untaken[256]; /* and of those, whom calls that no rule takes went to */
  char verdict[512];
  struct doctor_run runs[2];
};

/* Runs the command with each {URL} of its arguments replaced, but for a live proof. Returns an enum cli_exit;
 * if that is not CLI_OK, it has said why there is no proof either way. */
int doctor_prove(struct doctor_proof *proof, int argc, char **argv, bool live);

/* A server on the loopback that answers each request as an LLM would, and each with another answer, so that
 * two equal answers are one. It has threads of its own, and lives as long as the process. Returns its port,
 * or -1 with errno set. */
int doctor_server_start(void);

/* How many requests have arrived whole, and the method of the last one; "" before the first. */
enum { DOCTOR_METHOD_SIZE = 16 };
long doctor_server_requests(char method[DOCTOR_METHOD_SIZE]);

#endif
