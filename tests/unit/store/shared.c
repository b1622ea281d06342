/* SPDX-License-Identifier: MIT */
/* What the store asks of a fleet, and what it makes of the replies. */
#include "store/state/fleet_store.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>

Test(store_shared_times, a_claim_is_remembered_for_longer_than_its_answer_also_if_that_is_for_ever)
{
  cr_expect_gt(fleet_store_keep_ms(1000), 1000);
  cr_expect_eq(fleet_store_keep_ms(IDEM_FOREVER_MS), UINT64_MAX);
}
