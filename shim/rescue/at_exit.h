/* SPDX-License-Identifier: MIT */
/*
 * at_exit: what the exiting thread itself has upstream when the process calls exit(), returns from main() or
 * calls quick_exit(). A curl_easy_perform() that a signal interrupted is never returned to: it is given up,
 * and rescue carries it on. Its multis may be turned once more, by a handler of the app's that runs later;
 * what nobody has touched when the process is gone is carried on by a guard.
 *
 * What other threads have upstream is left to them. A handler that runs later may join them, and their calls
 * then end as if we were not there; if nobody does, they die with the process, and guard= (guard.h) is what
 * finishes a call whose process dies, by whatever death.
 *
 * A call that libcurl is in the middle of, since its own callback exits, cannot be carried on: a `bypass`
 * event says so, and it stays in doubt.
 */
#ifndef IDEMSHIM_SHIM_AT_EXIT_H
#define IDEMSHIM_SHIM_AT_EXIT_H

/* At the first call that may be rescued: later than libcurl and its TLS library have registered their
 * handlers, so that ours runs before theirs. Any thread may come here, any number of times. */
void at_exit_register(void);

#endif
