/* SPDX-License-Identifier: MIT */
/*
 * shadow: what the app set on an easy handle, since libcurl has no getters, and what we have to do with it.
 *
 *     struct shadow *shadow = shadow_new(handle, lib);        // curl_easy_init()
 *     shadow = shadow_find(handle);                           // NULL: not one of ours
 *     shadow_note(shadow, CURLOPT_URL, (uintptr_t)url);       // what libcurl has accepted
 *     const struct idem_rule *rule = shadow_rule(shadow, settings());
 *     shadow_free(shadow);                                    // before curl_easy_cleanup()
 *
 * One shadow for each CURL* that was made through us; a handle without one is forwarded blindly. Shadows are
 * type-stable: their memory is reused for other shadows and never given back, so that a lookup may touch one
 * without a lock. Like its handle, a shadow belongs to one thread at a time.
 *
 * Without memory for a text, the option that it was for counts as one that we know nothing of: the handle's
 * calls go live.
 */
#ifndef IDEMSHIM_SHIM_SHADOW_H
#define IDEMSHIM_SHIM_SHADOW_H

#include "config/config.h"
#include "shim/base/pieces.h"
#include "shim/base/pointer_map.h"
#include "shim/handle/options.h"
#include "shim/libcurl/libcurl.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* libcurl's own notion of the method; CUSTOMREQUEST only changes the word. */
enum http_request {
  HTTP_GET,
  HTTP_HEAD,
  HTTP_POST,
  HTTP_FORM, /* CURLOPT_HTTPPOST */
  HTTP_MIME, /* CURLOPT_MIMEPOST */
  HTTP_PUT
};

enum perform_state {
  PERFORM_IDLE,
  PERFORM_PENDING,    /* a rule has it: its body is being read, or another call's answer is waited for */
  PERFORM_LIVE,       /* the real transfer is running with our callbacks round the app's */
  PERFORM_DELIVERING, /* the app's callbacks are being called by us */
  PERFORM_TRANSPORT,  /* libcurl is running a transfer that leads to us */
  PERFORM_LOST        /* the same or a live one has been given up by us, and has not come back */
};

/* How the last answer came, and so where getinfo finds its facts. */
enum replayed {
  REPLAYED_NOT,
  REPLAYED_DIRECT,
  REPLAYED_TRANSPORT,
  REPLAYED_RESET /* and then the app has reset the handle: what libcurl keeps is left */
};

/* Where the parts of an http(s) URL are; offsets into shadow.url. Its origin stands behind the NUL once it is
 * known (request/origin.c); 0: it is not. */
struct url_parts {
  uint32_t user, user_len, host, host_len, path, path_len, query, query_len, origin_len;
  uint16_t port;
  bool https;
};

struct multi;
struct call;
struct transport;

/* A message of a multi that waits for the app (messages.h). */
struct message {
  CURLMsg *message;
  struct message *next, **link; /* and what points here; NULL: there is none */
  bool of_heap;                 /* and not a shadow's */
};

struct shadow {
  union {
    struct pointer_entry entry; /* first */
    _Atomic(CURL *) handle;     /* its key; NULL while unused */
  };
  _Atomic(CURL *) quick; /* the handle, if its options may be noted without looking further: a rule could
                   match, and it is IDLE; else the shadow itself, which is nobody's handle */
  const struct libcurl *lib;
  uintptr_t slot[SLOT_COUNT]; /* the first of them are in the line of the cache that a lookup reads */

  struct buffer url;      /* where a call goes, with its NUL; len 0: none set, or not known */
  struct buffer text_url; /* what the app has set as URL, if a CURLU was set over it since; with its NUL */
  struct buffer path; /* valid while `matched`: what goes out, if it is not what the URL says; len 0: it is */
  struct buffer copied_post;  /* COPYPOSTFIELDS */
  struct buffer long_line;    /* the last header line that had no room on the stack (callback_copy) */
  struct buffer cookie_files; /* the names that were set, each with its NUL; kept as the cookies are */
  struct buffer resolved; /* whose addresses libcurl has been given (resolve.h); kept as libcurl keeps them */
  /* A whole body that was read ahead, of which libcurl never asked for a byte (body.h). */
  struct pieces unsent;
  uintptr_t unsent_by[2]; /* READFUNCTION and READDATA that gave it */
  struct rare *rare;      /* RARE options that were set */
  struct form *form;      /* MIMEPOST, or its copy in a copied handle; NULL: none, or not known */
  uint64_t needs[(OPTION_LIMIT + 1 + 63) /
                 64];        /* NEEDS options that are set; the last bit stands for all newer ones */
  uint64_t overridden, held; /* overrides.h: libcurl has ours; and keeps it though the app sets the option */
  uint64_t altered;          /* of `overridden`: what libcurl has may not be the app's value */
  struct info *info;         /* what the last delivery left for getinfo; NULL until the first */
  const struct idem_rule *rule; /* valid while `matched` */
  struct transport *transport;  /* while the state is TRANSPORT */
  struct call *call;            /* not IDLE: what it is about, but for a direct hit */
  struct multi *multi;          /* the app's multi that it was added to, if that has still this serial */
  struct url_parts parts;       /* valid while `matched` and rule is not NULL */
  uint32_t multi_serial, multi_place; /* and where in its list */
  struct message message;             /* about its end in that multi */
  uint16_t newer_option;              /* the number that the last bit of `needs` stands for */
  bool forgot_option;                 /* it stands for one that there was no memory for */
  uint8_t request;                    /* enum http_request */
  uint8_t state;                      /* enum perform_state */
  uint8_t replayed;                   /* enum replayed */
  uint8_t rare_count, rare_room;
  bool upload, no_body, is_copied_post, copied_post_lost;
  bool cookie_engine, cookie_file, shared; /* kept over a reset, as their cookies are */
  bool hsts;                               /* and so is what is known of hosts that are https alone */
  bool needy;                              /* a NEEDS option has been set since the last reset */
  bool disturbed; /* not IDLE: the app has set what the request was named by, so those texts may be gone */
  bool matched;   /* `rule` and `parts` are of the present URL and method */
  unsigned char upstream_key; /* enum idem_upstream_key, of the rule and the host */
  bool unmatched;             /* and no rule wants it, though one could */
  bool stateful;              /* and the path is one that the rule leaves alone */
  bool paused;     /* DELIVERING: a callback has asked for a pause that curl_easy_pause() has not ended yet */
  uint8_t resumed; /* how often curl_easy_pause() has let the app's reader go on */
  bool meter_titled; /* the progress meter's head is written once for a handle */
};

/* A new shadow for `handle`, or NULL without memory (the handle is then forwarded blindly). */
struct shadow *shadow_new(CURL *handle, const struct libcurl *lib);

/* Most programs use one handle over and over; this is the one that this thread found last. Never NULL. */
extern __thread struct shadow *shadow_last;
struct shadow *shadow_find_in_table(CURL *handle);

/* Lock-free for handles that have a shadow. */
static inline struct shadow *shadow_find(CURL *handle)
{
  struct shadow *shadow = shadow_last;
  if (handle && atomic_load_explicit(&shadow->handle, memory_order_acquire) == handle)
    return shadow;
  return shadow_find_in_table(handle);
}

/* Forgets the handle; call before the real cleanup, since libcurl reuses the address at once. What a
 * delivery has left on it is freed before (info_free). */
void shadow_free(struct shadow *shadow);

/* As curl_easy_reset() does: options are gone, the cookie engine stays. */
void shadow_reset(struct shadow *shadow);

/* As curl_easy_duphandle() does. False without memory: the copy must not be kept. */
bool shadow_copy(struct shadow *to, const struct shadow *from);

/* Remembers an option that the real libcurl has accepted. */
void shadow_note(struct shadow *shadow, CURLoption option, uintptr_t value);

/* The form that is set is not known any more. */
void shadow_lose_form(struct shadow *shadow);

/* The rule that wants this handle's next transfer, or NULL. Costs a comparison while URL and method stay the
 * same. */
const struct idem_rule *shadow_match(struct shadow *shadow, const struct idem_config *config);
static inline const struct idem_rule *shadow_rule(struct shadow *shadow, const struct idem_config *config)
{
  bool matched = shadow->matched && !shadow->slot[SLOT_CURLU];
  return matched ? shadow->rule : shadow_match(shadow, config);
}

/* "POST": the word that goes on the request line. */
const char *shadow_method(const struct shadow *shadow);

/* The same without CURLOPT_CUSTOMREQUEST, which changes the word alone. */
const char *shadow_own_method(const struct shadow *shadow);

/* A rule's call begins and ends. */
void shadow_begin(struct shadow *shadow);
void shadow_end(struct shadow *shadow);

static inline const char *shadow_text(const struct shadow *shadow, enum option_slot slot)
{
  return (const char *)shadow->slot[slot];
}

/* The path that goes out; while `matched`, and the URL is an http one. */
static inline struct idem_span shadow_path(const struct shadow *shadow)
{
  const struct url_parts *parts = &shadow->parts;
  if (shadow->path.len)
    return (struct idem_span){shadow->path.data, shadow->path.len};
  return parts->path_len ? (struct idem_span){shadow->url.data + parts->path, parts->path_len}
                         : (struct idem_span){"/", 1};
}

/* Returns what libcurl itself says of the transfer; 0 if it says nothing. */
static inline long shadow_info_long(const struct shadow *shadow, CURLINFO info)
{
  long value = 0;
  shadow->lib->easy_getinfo(shadow->handle, info, &value);
  return value;
}

static inline curl_off_t shadow_info_size(const struct shadow *shadow, CURLINFO info)
{
  curl_off_t value = 0;
  shadow->lib->easy_getinfo(shadow->handle, info, &value);
  return value;
}

/* True if libcurl undoes the content coding of an answer. */
static inline bool shadow_decodes(const struct shadow *shadow)
{
  return shadow->slot[SLOT_ACCEPT_ENCODING] && shadow->slot[SLOT_HTTP_CONTENT_DECODING];
}

/* Returns what the app has set for an option, or else libcurl's default: as setopt takes it. 0 for an option
 * that is only forwarded, and for the method, the body and the size options that share another's slot. */
uintptr_t shadow_value(const struct shadow *shadow, CURLoption option);

/* True if the app has set a RARE option since the last reset, to whatever value. */
bool shadow_has_set(const struct shadow *shadow, CURLoption option);

/* True if this NEEDS option is set. */
static inline bool shadow_has_need(const struct shadow *shadow, CURLoption option)
{
  unsigned number = (unsigned)option % CURLOPTTYPE_OBJECTPOINT;
  return shadow->needs[number / 64] >> number % 64 & 1;
}

/* The name of an option that is set and leaves this way open only, or NULL; but for the option of this number
 * (0: all count). */
const char *shadow_needs_besides(const struct shadow *shadow, enum option_way route, unsigned beside,
                                 char room[24]);
static inline const char *shadow_needs(const struct shadow *shadow, enum option_way route, char room[24])
{
  return shadow->needy ? shadow_needs_besides(shadow, route, 0, room) : NULL;
}

/* The app has given a share object a lock function: a copy of the process could wait for ever for one
 * that another thread held. */
extern _Atomic bool shadow_share_locks;

/* A handle has been given a list of hosts that are https alone, which it may share. */
extern _Atomic bool shadow_any_hsts;

/* True if libcurl may make https of the handle's http. */
static inline bool shadow_has_hsts(const struct shadow *shadow)
{
  return shadow->hsts || (shadow->shared && atomic_load_explicit(&shadow_any_hsts, memory_order_relaxed));
}

/* All shadows, by handle: shadow_find() asks it, and a fork locks it. */
extern struct pointer_map shadow_map;

#endif
