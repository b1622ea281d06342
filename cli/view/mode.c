/* SPDX-License-Identifier: MIT */
#include "cli/view/mode.h"

static const char *const modes[] = {
    [IDEM_MODE_IDEMPOTENT] = "idempotent", [IDEM_MODE_OBSERVE] = "observe", [IDEM_MODE_RECORD] = "record",
    [IDEM_MODE_REPLAY] = "replay",         [IDEM_MODE_OFF] = "off",
};

const char *cli_mode_name(enum idem_mode mode)
{
  return modes[mode];
}
