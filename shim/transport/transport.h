/* SPDX-License-Identifier: MIT */
/*
 * transport: a replay that the real libcurl runs. Its connection leads to a socket pair of ours, which has
 * the stored answer in it.
 *
 *     if (!transport_refuses(request) && transport_arm(&transport, request)) {
 *       transport_answer(&transport, marks);
 *       code = real->easy_perform(handle);
 *       transport_disarm(&transport, code);
 *     }
 *
 * libcurl dials a Unix datagram socket that is connected already, to the very peer that it has: the connect
 * succeeds at once and the datagrams that wait in it stay. A datagram is what one recv() returns, so the
 * boundaries of the stored chunks are kept, and an empty one is the end of the connection. Nobody else can
 * send to either end. What does not fit into the socket follows from inside the callbacks, where there is
 * room again: no thread, and no other descriptor to wait for.
 *
 * For the time of the transfer some thirty options are overridden (overrides.h), and everything that an app
 * could see of a real transfer is libcurl's own: sockets, cookies, pauses, limits. A transport belongs to the
 * thread that drives its handle; the feeder, which has a thread of its own, sends into the socket under the
 * lock of feeder.c. Without memory or descriptors nothing is overridden, and the call goes live.
 */
#ifndef IDEMSHIM_SHIM_TRANSPORT_H
#define IDEMSHIM_SHIM_TRANSPORT_H

#include "shim/info/info.h"
#include "shim/request/request.h"

#include <sys/socket.h>

struct transport {
  struct request *request;
  struct shadow *shadow;
  struct info *info;
  int app_end, our_end;    /* -1: none; app_end is none once libcurl has it */
  struct sockaddr address; /* of our end, by which both are known again */
  socklen_t address_len;
  struct buffer url, wire;
  struct curl_slist host;  /* the app's Host: line */
  size_t wire_fed;         /* what the socket has had of the header, */
  size_t chunk, chunk_fed; /* of the chunk that it has got to, */
  size_t body_fed;         /* and of the body, in whole chunks */
  size_t piece;            /* the longest datagram */
  struct place {
    size_t wire, record;
  } header, write; /* how far the header callback is, and with CURLOPT_HEADER the write callback */
  struct refusal {
    bool happened, header;
    size_t len, taken;
  } refused; /* a line that the app has not taken; libcurl knows another in its place */
  bool answered, identical, ended, scaled;
  bool counts_late; /* chunks of HTTP/1.1, which libcurl before 8.5 counts once the app has taken them */
  bool put_off;     /* the app has paused at this piece */

  struct transport *next_fed, **link_fed; /* the feeder's own: and what points here; NULL: it is not fed */
  bool follows, streams, hurried;
  bool stands_by; /* another follower has been poked, and will tell */
  int64_t due_us, look_us, look_every_us;

  /* A poke has come through: in the app's thread, inside the transfer. */
  void (*on_poke)(void *owner);
  void *owner;
};

/* Why `request->op.answer` cannot go this way, or NULL. */
const char *transport_refuses(const struct request *request);

/* Makes the socket and overrides the options. False, with nothing overridden, where there is no memory or
 * descriptor. The shadow's state is PERFORM_TRANSPORT from here on. */
bool transport_arm(struct transport *transport, struct request *request);

/* Whether our end's number is still ours: an app may close what it does not know, and have files of its own
 * by these numbers afterwards. */
bool transport_has_our_end(const struct transport *transport);

/* Plays `request->op.answer`, which must stay until the end. False without memory. */
bool transport_answer(struct transport *transport, const char *marks);

/* An answer that was followed while it came, and libcurl has it to the end: what became of it
 * (stream_follow.h). */
CURLcode transport_settle(struct transport *transport);

/* Neither paced nor a stream: nobody but the app's thread touches it, so that it needs no lock. */
static inline bool transport_feeds_itself(const struct transport *transport)
{
  return !transport->streams && transport->request->speed <= 0;
}

/* Sends what is due and fits. From any thread, under the lock of feeder.c, where the chunks keep their times.
 * Returns the time of the next chunk (CLOCK_MONOTONIC in µs), or INT64_MAX. */
int64_t transport_feed(struct transport *transport);

/* Makes libcurl call us, in the app's thread, before there is an answer. False if that is not possible just
 * now. */
bool transport_poke(const struct transport *transport);

/* Ends it, after the transfer or when it is given up: options are as the app set them, and getinfo tells the
 * facts. */
void transport_disarm(struct transport *transport, CURLcode code);

/* The app has reset the handle in the middle of the transfer: the callbacks stay ours until its end. */
void transport_hold(struct transport *transport);

#endif
