/* SPDX-License-Identifier: MIT */
#include "shim/rescue/copy_driver.h"

#include "shim/rescue/process_copy.h"
#include "shim/rescue/rescue.h"

#include <time.h>

static size_t swallow(char *data, size_t size, size_t count, void *user)
{
  (void)data;
  (void)user;
  return size * count;
}

/* Its connection is dead, but what libcurl has of its answer in memory would still be delivered. */
static void silence(const struct shadow *other)
{
  static const CURLoption none[] = {
      CURLOPT_DEBUGFUNCTION, CURLOPT_XFERINFOFUNCTION, CURLOPT_PROGRESSFUNCTION,    CURLOPT_VERBOSE,
      CURLOPT_ERRORBUFFER,   CURLOPT_SOCKOPTFUNCTION,  CURLOPT_CLOSESOCKETFUNCTION, CURLOPT_PREREQFUNCTION,
  };
  const struct libcurl *real = other->lib;
  for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
    real->easy_setopt(other->handle, none[i], 0L);
  real->easy_setopt(other->handle, CURLOPT_NOPROGRESS, 1L);
  real->easy_setopt(other->handle, CURLOPT_WRITEFUNCTION, swallow);
  real->easy_setopt(other->handle, CURLOPT_HEADERFUNCTION, swallow);
}

void copy_mute_others(const struct multi *multi, const struct shadow *shadow)
{
  static const CURLMoption none[] = {CURLMOPT_SOCKETFUNCTION, CURLMOPT_TIMERFUNCTION, CURLMOPT_PUSHFUNCTION};
  CURLM *handle = multi->handle;
  for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
    multi->lib->multi_setopt(handle, none[i], NULL);
  for (unsigned i = 0; i < multi->added; i++)
    if (multi->in[i] != shadow)
      silence(multi->in[i]);
}

/* Messages of other transfers are read away: nobody in this process waits for them. */
static bool is_done(const struct multi *multi, const struct shadow *shadow, CURLcode *code)
{
  CURLMsg *message;
  CURLM *handle = multi->handle;
  int left;
  while ((message = multi->lib->multi_info_read(handle, &left)))
    if (message->msg == CURLMSG_DONE && message->easy_handle == shadow->handle) {
      *code = message->data.result;
      return true;
    }
  return false;
}

/* Outside of callbacks: takes the others out and comes back when the transfer is done. multi_wait() does
 * not wait where libcurl has no socket, so the loop sleeps a little then; a turn takes a second at most,
 * far less than the time after which the copy is killed. What ends without a message has failed to
 * receive. */
static CURLcode copy_drive(const struct multi *multi, const struct tee *tee)
{
  static const struct timespec pause = {.tv_nsec = 5000000};
  const struct shadow *shadow = tee->shadow;
  const struct libcurl *real = multi->lib;
  CURLM *handle = multi->handle;
  CURLcode code = CURLE_RECV_ERROR;
  int running, sockets;
  for (unsigned i = 0; i < multi->added; i++)
    if (multi->in[i] != shadow)
      real->multi_remove_handle(handle, multi->in[i]->handle);
  while (real->multi_perform(handle, &running) == CURLM_OK && !is_done(multi, shadow, &code) && running) {
    sockets = 0;
    process_copy_kill_after(PROCESS_COPY_TURN_SECONDS);
    tee_sign(tee, IDEM_SIGN_TURN);
    if (real->multi_wait(handle, NULL, 0, 1000, &sockets) != CURLM_OK || !sockets)
      nanosleep(&pause, NULL);
  }
  return code;
}

void copy_finish(struct rescue *rescue)
{
  const struct shadow *shadow = rescue->request->shadow;
  const struct multi own = {.handle = rescue->multi, .lib = shadow->lib};
  const struct multi *multi = multi_of(shadow);
  rescue_resume(rescue);
  rescue->on_copied(rescue, copy_drive(multi ? multi : &own, rescue->tee));
}
