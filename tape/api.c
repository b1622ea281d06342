/* SPDX-License-Identifier: MIT */
/*
 * The one symbol of the store's object that the shim asks for when a tape is to be written or read: a table
 * of functions with its version and size, so that a front and a store of two versions refuse each other
 * instead of crashing.
 */
#include "tape/tape.h"

#define EXPORTED __attribute__((visibility("default")))

EXPORTED const struct idem_tape_api idem_tape_api = {
    .version = IDEM_TAPE_API_VERSION,
    .size = sizeof(struct idem_tape_api),
    .open_writer = tape_open_writer,
    .close_writer = tape_close_writer,
    .begin = tape_begin,
    .lane = tape_lane,
    .append = tape_append,
    .name = tape_name,
    .number = tape_number,
    .open = tape_open,
    .close = tape_close,
    .totals = tape_totals,
    .meets = tape_meets,
    .met_release = tape_met_release,
    .read = tape_read,
    .record_release = tape_record_release,
    .open_matcher = tape_open_matcher,
    .close_matcher = tape_close_matcher,
    .match = tape_match,
};
