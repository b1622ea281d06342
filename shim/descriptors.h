/* SPDX-License-Identifier: MIT */
/* Every open descriptor of this process, without allocating: another thread may have held that lock when the
 * process was copied. */
#ifndef IDEMSHIM_SHIM_DESCRIPTORS_H
#define IDEMSHIM_SHIM_DESCRIPTORS_H

void descriptors_each(void (*visit)(void *arg, int fd), void *arg);

#endif
