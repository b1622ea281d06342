/* SPDX-License-Identifier: MIT */
/*
 * kept: memory for an answer that is copied out of the map. A process keeps one place, so that a hit finds it
 * in the processor's caches, with its pages behind it. What has been asked for KEPT_REPEATS times in a row
 * after the first stays there and is not copied any more: read-only, for an app may write by mistake to what
 * it is given. The two system calls that keep it from that, and the pages that a long one has to be given,
 * cost as much as 50 to 350 copies do, so that who asks less often than that would pay for nothing.
 *
 *     char *place = kept_take(head, sizeof(*head), len, &has);   // NULL: no memory
 *     if (!has && fill(place) == 0)
 *       stays = kept_filled(place);
 *     ...
 *     kept_give(place);                                          // or what malloc() has given; NULL is fine
 *
 * What is longer than KEPT_WARM has the place only when it is to stay there, and what is longer than
 * KEPT_MOST, or is taken while another has the place, is malloc's. Any thread may call all of them, and one
 * may give what another has taken. A child in which nobody gives what its parent had taken does without the
 * place.
 */
#ifndef IDEMSHIM_STORE_KEPT_H
#define IDEMSHIM_STORE_KEPT_H

#include <stdbool.h>
#include <stddef.h>

enum { KEPT_WARM = 256 << 10, KEPT_MOST = (1 << 20) + (128 << 10), KEPT_NAME = 512, KEPT_REPEATS = 1000 };

/* `len` bytes for what has this name, of KEPT_NAME at most. *has: they are there, as they
 * were at kept_filled(). */
char *kept_take(const void *name, size_t name_len, size_t len, bool *has);
/* All of it is there. True: it is to stay, and nothing may write to it from now on. */
bool kept_filled(const char *place);
void kept_give(void *place);

#endif
