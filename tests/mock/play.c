/* SPDX-License-Identifier: MIT */
#include "tests/mock/play.h"

#include "tests/mock/ledger.h"
#include "tests/mock/pause.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The name of before 0.9.74. */
#if MHD_VERSION < 0x00097400
#define HTTP_1_0_ONLY MHD_RF_HTTP_VERSION_1_0_ONLY
#else
#define HTTP_1_0_ONLY MHD_RF_HTTP_1_0_COMPATIBLE_STRICT
#endif

enum { BLOCK = 64 * 1024, DRAIN_MS = 1000 };

/* An RST throws unsent bytes away; the peer is meant to see them first. */
static void drain(int socket)
{
  int queued = 0;

  for (int i = 0; i < DRAIN_MS && !ioctl(socket, SIOCOUTQ, &queued) && queued; i++)
    if (!pause_ms(1))
      return;
}

/* Dissolving the association aborts the connection and leaves the descriptor to its owner, whose later
 * shutdown() would otherwise have made this a polite FIN. */
void play_reset(int socket)
{
  struct sockaddr nobody = {.sa_family = AF_UNSPEC};

  drain(socket);
  if (connect(socket, &nobody, sizeof nobody)) {
    struct linger now = {.l_onoff = 1};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
}

static size_t stops_at(const struct play *play)
{
  const struct answer *answer = play->answer;

  if (!play->script.truncate)
    return answer->len;
  return answer->stream && play->script.truncate == 1 ? answer->end_mark : answer->len / 2;
}

static bool ends_cleanly(const struct play *play)
{
  return play->script.ends_by_close || (play->answer->stream && play->script.truncate == 1);
}

static bool stops_in_the_middle(const struct play *play)
{
  return play->script.reset == RESET_BODY || (play->script.stall_ms && !play->stalled);
}

/* Where the piece that begins or goes on at `pos` ends; `*fresh`: it begins here. */
static size_t piece_end(struct play *play, size_t pos, bool *fresh)
{
  const struct answer *answer = play->answer;
  size_t chunk = play->script.chunk;

  if (chunk) {
    *fresh = pos % chunk == 0;
    return pos + chunk - pos % chunk;
  }
  while (play->piece < answer->cut_count && answer->cuts[play->piece] <= pos)
    play->piece++;
  *fresh = !play->piece || answer->cuts[play->piece - 1] == pos;
  return answer->cuts[play->piece];
}

/* What happens half way. False: nothing more will be sent. */
static bool middle(struct play *play)
{
  if (play->script.stall_ms && !play->stalled) {
    play->stalled = true;
    if (!pause_ms(play->script.stall_ms))
      return false;
  }
  if (play->script.reset == RESET_BODY) {
    play_reset(play->socket);
    return false;
  }
  return true;
}

bool play_pass_gate(struct play *play)
{
  play->passed = play->passed || !*play->script.gate || pause_gate(play->script.gate);
  return play->passed;
}

static ssize_t next_bytes(void *cls, uint64_t pos, char *out, size_t max)
{
  struct play *play = cls;
  size_t end = stops_at(play), half = play->answer->len / 2, piece;
  bool fresh;

  if (pos == half && stops_in_the_middle(play) && !middle(play))
    return MHD_CONTENT_READER_END_WITH_ERROR;
  if (pos >= end)
    return end == play->answer->len || ends_cleanly(play) ? MHD_CONTENT_READER_END_OF_STREAM
                                                          : MHD_CONTENT_READER_END_WITH_ERROR;
  piece = piece_end(play, pos, &fresh);
  if (fresh && pos && play->script.chunk_delay_ms && !pause_ms(play->script.chunk_delay_ms))
    return MHD_CONTENT_READER_END_WITH_ERROR;
  if (fresh && pos && play->script.hold && !pause_hold())
    return MHD_CONTENT_READER_END_WITH_ERROR;
  if (fresh && pos && !play_pass_gate(play))
    return MHD_CONTENT_READER_END_WITH_ERROR;
  end = piece < end ? piece : end;
  end = pos < half && half < end && stops_in_the_middle(play) ? half : end;
  max = end - pos < max ? end - pos : max;
  memcpy(out, play->answer->bytes + pos, max);
  if (pos + max == play->answer->len && !play->leaving) {
    play->leaving = true;
    ledger_leaving();
  }
  return (ssize_t)max;
}

struct MHD_Response *play_response(struct play *play)
{
  bool sized = !play->answer->stream && !play->script.ends_by_close;
  struct MHD_Response *response = MHD_create_response_from_callback(
      sized ? play->answer->len : MHD_SIZE_UNKNOWN, BLOCK, next_bytes, play, NULL);

  if (response && play->script.ends_by_close)
    MHD_set_response_options(response, HTTP_1_0_ONLY, MHD_RO_END);
  return response;
}

bool play_is_whole(const struct play *play)
{
  const struct script *script = &play->script;

  return play->answer->status / 100 == 2 && !script->truncate && script->reset != RESET_BODY &&
         !(script->error_event && play->answer->stream);
}
