/* SPDX-License-Identifier: MIT */
/*
 * The measures of the picture, in CSS pixels, shared by what plans it and what draws it. They are chosen so that a label
 * fits beside a bar, a bar can be hit with a finger, and a night with three calls does not become a mile of nothing.
 */
#ifndef IDEMSHIM_CLI_REPORT_PICTURE_H
#define IDEMSHIM_CLI_REPORT_PICTURE_H

enum {
  MARGIN = 12,
  WIDTH_LEAST = 960,
  WIDTH_MOST = 16000,
  WIDTH_EACH = 16,
  LABEL_ROOM = 120, /* behind the last bar */
  FOLD_WIDTH = 64,
  FOLD_LEAST_US = 500000,
  AXIS_HEIGHT = 46,
  ROW_HEIGHT = 24,
  BAR_HEIGHT = 14,
  BAR_LEAST = 5,
  LANE_GAP = 14,
  ROWS_MOST = 64,
  TICK_LEAST = 80,
  TICK_TOP = 22,
  CROSS_ROOM = 14,
  LETTER_WIDTH = 8
};

#endif
