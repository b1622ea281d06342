/* SPDX-License-Identifier: MIT */
/*
 * The file in which the processes of one replay count what they were given. Without it each process would
 * begin with the first recorded outcome; with it, the third process gets the third.
 */
#ifndef IDEMSHIM_CLI_REPLAY_STATE_H
#define IDEMSHIM_CLI_REPLAY_STATE_H

/* Makes it, to go when this process ends, and sets IDEMSHIM_REPLAY_STATE, unless that is set already. Returns
 * an enum cli_exit. */
int cli_make_replay_state(void);

#endif
