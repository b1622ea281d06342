/* SPDX-License-Identifier: MIT */
/*
 * The names of strtol() and scanf() as C17 has them. Since glibc 2.38 _GNU_SOURCE gives those of C23 under
 * names of their own, with which an object that was built on a new system is not loaded on an old one. The
 * Makefile puts this before every file of the two objects, so they begin with the one word on machines that
 * they are not for.
 */
#ifndef IDEMSHIM_C17_NAMES_H
#define IDEMSHIM_C17_NAMES_H

#if !defined(__LP64__) || !(defined(__x86_64__) || defined(__aarch64__))
#error "idemshim is for 64-bit Linux on x86-64 and aarch64"
#endif

#ifndef __ASSEMBLER__
#include <features.h>
#undef __GLIBC_USE_C2X_STRTOL
#undef __GLIBC_USE_C23_STRTOL
#define __GLIBC_USE_C2X_STRTOL 0
#define __GLIBC_USE_C23_STRTOL 0
#endif

#endif
