/* SPDX-License-Identifier: MIT */
#include "shim/replay/faults.h"

#include "config/fault.h"
#include "shim/info/info.h"
#include "shim/replay/own_answers.h"
#include "shim/request/request_event.h"
#include "shim/runtime/process.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without a store the process counts for itself. */
static uint64_t number_of(const struct request *request)
{
  static _Atomic uint64_t calls;
  static const uint64_t faults = UINT64_C(0xc2b2ae3d27d4eb4f); /* no rule's budget is counted there */
  uint64_t run = settings()->run ? settings()->run : process_run();
  return request->api ? request->api->tally(request->store, (run ^ faults) | 1) : ++calls;
}

/* One that a client of a model's API can read, and that a person can tell from the upstream's own. */
static bool put_status(struct request *request, unsigned status)
{
  static const char type[] = "application/json";
  struct taping *tape = &request->tape;
  struct edit *edit = &tape->edit;
  char body[160], headers[200];
  int body_len = snprintf(
      body, sizeof(body),
      "{\"error\":{\"message\":\"a fault that was asked for\",\"type\":\"fault\",\"code\":%u}}", status);
  int header_len =
      snprintf(headers, sizeof(headers),
               "HTTP/1.1 %u Fault\r\nContent-Type: %s\r\nContent-Length: %d\r\nX-Idemshim-Fault: %u\r\n\r\n",
               status, type, body_len, status);
  tape->chunks = calloc(1, sizeof(*tape->chunks));
  if (!tape->chunks || !buffer_append(&edit->body, body, (size_t)body_len) ||
      !buffer_append(&edit->headers, headers, (size_t)header_len) ||
      !own_answers_add_facts(&edit->facts, request, (int)status, type, (size_t)header_len, (size_t)body_len))
    return false;
  tape->chunks->len = (uint32_t)body_len;
  request->op.answer = (struct idem_answer){.status = (uint16_t)status,
                                            .headers = span_of_buffer(&edit->headers),
                                            .body = span_of_buffer(&edit->body),
                                            .facts = span_of_buffer(&edit->facts),
                                            .chunks = tape->chunks,
                                            .chunk_count = 1};
  return true;
}

/* The app's own time may be up before. It is played as a recorded call that ended so late, at its own
 * pace. */
static void stall(struct request *request, uint64_t stall_ms)
{
  struct taping *tape = &request->tape;
  int64_t limit_ms = (long)request->shadow->slot[SLOT_TIMEOUT_MS], ms = (int64_t)stall_ms;
  ms = limit_ms > 0 && limit_ms < ms ? limit_ms : ms;
  snprintf(tape->note, sizeof(tape->note),
           "Operation timed out after %lld milliseconds with 0 bytes received", (long long)ms);
  tape->ending.code = CURLE_OPERATION_TIMEDOUT;
  tape->ending.at_us = ms * 1000;
  request->speed = 1;
}

bool faults_make(struct request *request)
{
  const struct idem_config *config = settings();
  struct taping *tape = &request->tape;
  char what[64];
  uint64_t number = number_of(request);
  const struct idem_fault *fault = idem_fault_find(config->faults, config->fault_count, number);
  if (!fault)
    return false;
  *tape = (struct taping){.played = true, .fault = true, .first_byte_us = -1};
  request->op.answer = (struct idem_answer){.status = 0};
  tape->ending = (struct ending){.set = true, .text = tape->note};
  if (fault->kind == IDEM_FAULT_STALL) {
    snprintf(what, sizeof(what), "call %llu stalls", (unsigned long long)number);
    stall(request, fault->stall_ms);
  } else if (fault->kind == IDEM_FAULT_RESET) {
    snprintf(what, sizeof(what), "call %llu is reset", (unsigned long long)number);
    snprintf(tape->note, sizeof(tape->note), "Recv failure: Connection reset by peer");
    tape->ending.code = CURLE_RECV_ERROR;
  } else {
    snprintf(what, sizeof(what), "call %llu is answered with %u", (unsigned long long)number, fault->status);
    tape->ending.code = put_status(request, fault->status) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
  }
  report_count(IDEM_COUNTER_faults);
  request_event(request, "fault", what, request->op.answer.status, -1);
  if (report_first(request->rule, ONCE_FAULT))
    report_line_to_stderr("%s, as IDEMSHIM_FAULT says; nothing was sent", what);
  return true;
}
