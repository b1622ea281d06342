/* SPDX-License-Identifier: MIT */
/*
 * mask: text with its dates, times and UUIDs taken out, so that two runs of one program say the same.
 * match=loose is made of it.
 */
#ifndef IDEMSHIM_TAPE_MASK_H
#define IDEMSHIM_TAPE_MASK_H

#include "store/base/buffer.h"

/* Adds the text with a mark in the place of each. */
void tape_mask(struct buffer *out, struct idem_span text);

#endif
