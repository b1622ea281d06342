/* SPDX-License-Identifier: MIT */
#include "shim/engine/messages.h"

#include "shim/engine/call.h"
#include "shim/engine/multi_call.h"
#include "shim/engine/multi_wake.h"
#include "shim/runtime/settings.h"

#include <stdlib.h>

/* The message itself is libcurl's, or that of a call that was dropped. libcurl's stays where it is until its
 * handle is taken out or cleaned up (curl_multi_info_read(3)): messages_drop() takes it out of the list
 * then. */
void messages_add(struct multi *multi, struct message *node, CURLMsg *message)
{
  node->message = message;
  node->next = NULL;
  node->link = multi->last_message;
  *multi->last_message = node;
  multi->last_message = &node->next;
  multi->message_count++;
}

static void unlink_message(struct multi *multi, struct message *node)
{
  *node->link = node->next;
  if (node->next)
    node->next->link = node->link;
  else
    multi->last_message = node->link;
  node->link = NULL;
  multi->message_count--;
}

static void end_message(struct multi *multi, struct message *node)
{
  unlink_message(multi, node);
  if (node->of_heap)
    free(node);
}

/* A node that no shadow has must be there before a message is taken from libcurl. Where there is no memory,
 * it is the multi's own, or an app that waits for the end of its calls would never hear of it. */
static bool has_spare(struct multi *multi)
{
  if (multi->spare_message)
    return true;
  multi->spare_message = calloc(1, sizeof(*multi->spare_message));
  if (multi->spare_message)
    multi->spare_message->of_heap = true;
  else if (!multi->reserve_message.link)
    multi->spare_message = &multi->reserve_message;
  return multi->spare_message;
}

static void end_call(struct call *call)
{
  struct multi *multi = call->multi;
  messages_add(multi, &call->request.shadow->message, call->ended);
  call_end_last(call);
}

void messages_forget(struct call *call)
{
  if (call->state != CALL_STORING)
    return;
  timer_unset(&call->multi->waits, &call->look);
  call_join(call, NULL);
  call->multi->storing--;
}

/* The wake goes off when it is stored. It is set again only for a deadline that is the first: who sets it has
 * to look at all of them. */
static void keep(struct multi *multi, struct call *call)
{
  call_join(call, &multi->first_storing);
  multi->storing++;
  if (call->request.op.deadline_us)
    timer_set(&multi->waits, &call->look, call->request.op.deadline_us);
  multi->wake_again |= multi->waits.first == &call->look;
}

/* The wake is set before they are looked at, so that one that is stored meanwhile wakes anew. */
static void end_stored(struct multi *multi)
{
  multi_wake_set(multi, multi->waits.first ? multi->waits.first->at_us : 0);
  for (struct call *call = multi->first_storing, *next; call; call = next) {
    next = call->next_alike;
    if (call_is_stored(call))
      end_call(call);
  }
}

/* All that have ended in this turn of the loop: so they share the flushes of the disk. Their answers are
 * committed before the app can learn of the ends; the loop does not wait for that. */
static void read_all(struct multi *multi, bool in_turn)
{
  struct idem_gather gather = {.arg = multi};
  struct call *ended = NULL, **last = &ended;
  int left;
  CURLMsg *message;
  while (has_spare(multi) && (message = multi->lib->multi_info_read(multi->handle, &left))) {
    struct shadow *shadow = shadow_find(message->easy_handle);
    /* One message waits in the shadow, for a handle has one end in a multi; what else libcurl may say is in a
     * node of its own. */
    bool known = shadow && multi_of(shadow) == multi && !shadow->message.link;
    struct call *call = known && message->msg == CURLMSG_DONE ? shadow->call : NULL;
    /* It has sent nothing, and begins anew before anybody is told. */
    if (call && call_is_fenced(call)) {
      call->code = message->data.result;
      multi_call_ready(call);
    } else if (call) {
      bool may_wait = in_turn && call_is_owner(call) && settings()->sync && multi_wake_open(multi, shadow);
      gather.written = may_wait ? multi_wake : NULL;
      message->data.result = call_end_first(call, message->data.result, &gather);
      call->ended = message;
      call->next_ended = NULL;
      *last = call;
      last = &call->next_ended;
    } else {
      messages_add(multi, known ? &shadow->message : multi->spare_message, message);
      if (!known)
        multi->spare_message = NULL;
    }
  }
  for (struct call *call; (call = ended);) {
    ended = call->next_ended;
    if (call_is_stored(call))
      end_call(call);
    else
      keep(multi, call);
  }
}

void messages_read(struct multi *multi)
{
  read_all(multi, false);
}

void messages_read_in_turn(struct multi *multi)
{
  read_all(multi, true);
  CURL *handle = multi->storing ? multi->first_storing->request.shadow->handle : NULL;
  if (multi->storing && multi_wake_is_due(multi))
    end_stored(multi);
  while (!multi_wake_tell(multi, handle))
    while (multi->first_storing)
      end_call(multi->first_storing);
}

CURLMsg *messages_take(struct multi *multi, int *left)
{
  messages_read(multi);
  CURLMsg *message = multi->first_message ? multi->first_message->message : NULL;
  if (message)
    end_message(multi, multi->first_message);
  *left = (int)multi->message_count;
  return message;
}

void messages_drop(struct multi *multi, struct shadow *shadow, const CURL *handle)
{
  if (shadow && multi_of(shadow) == multi) {
    if (shadow->message.link)
      unlink_message(multi, &shadow->message);
    return;
  }
  for (struct message *node = multi->first_message, *next; node; node = next) {
    next = node->next;
    if (node->message->easy_handle == handle)
      end_message(multi, node);
  }
}

void messages_release(struct multi *multi)
{
  while (multi->first_message)
    end_message(multi, multi->first_message);
  if (multi->spare_message && multi->spare_message->of_heap)
    free(multi->spare_message);
  multi->spare_message = NULL;
}
