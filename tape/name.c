/* SPDX-License-Identifier: MIT */
/* What a replay looks an exchange up by. The store's names would not do: they have its secret, the credential
 * and the scope in them, and none of these are the same at another desk. */
#include "store/name.h"

#include "store/fork.h"
#include "tape/tape.h"

#include <errno.h>
#include <string.h>

int tape_name(const struct idem_request *request, struct tape_call *call)
{
  struct life_quiet quiet = life_hush();
  struct idem_request anonymous = *request;
  struct idem_rule rule = *request->rule;
  struct name name;
  anonymous.scope = (struct idem_span){"", 0};
  anonymous.rule = &rule;
  int rc = name_request(NULL, &anonymous, &name);
  if (rc == -ENOKEY) {
    rule.keying.kind = IDEM_KEY_CONTENT;
    rc = name_request(NULL, &anonymous, &name);
  }
  if (rc == 0) {
    memcpy(call->key, name.base, IDEM_KEY_SIZE);
    memcpy(call->fingerprint, name.print, IDEM_KEY_SIZE);
  }
  life_resume(&quiet);
  return rc;
}
