/* SPDX-License-Identifier: MIT */
/* The three libraries' interfaces are declared here, and not included, so that none is needed to build or to
 * run. */
#include "store/judge/decode.h"

#include "config/ascii.h"
#include "config/old_glibc.h"
#include "store/base/process.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What a step has read and written. */
struct step {
  struct idem_span in;
  char *out;
  size_t room, written;
};

struct decoder_kind {
  const char *names[2];
  const char *library;
  const char *symbols[4];
  bool (*begin)(struct decoder *decoder);
  void (*step)(struct decoder *decoder, struct step *step);
  void (*end)(struct decoder *decoder);
};

/* By row and symbol of `kinds`. Written once, before `opened` says so, and only read from then on. They are
 * copied into typed pointers, since C has no cast from what dlsym() returns to a function. */
static void *functions[3][4];

/* zlib.h: struct z_stream_s and the functions that it has had since 1.2. */
struct zlib_stream {
  const unsigned char *next_in;
  unsigned avail_in;
  unsigned long total_in;
  unsigned char *next_out;
  unsigned avail_out;
  unsigned long total_out;
  const char *message;
  void *state, *allocate, *release, *opaque;
  int data_type;
  unsigned long check, reserved;
};
enum { ZLIB_INIT, ZLIB_INFLATE, ZLIB_RESET, ZLIB_END };
/* 32 more than the bits of the window: the header says whether it is gzip or zlib. Raw deflate, which some
 * send as "deflate", has neither and fails. A buffer error is no error: nothing could be done with what there
 * was. */
enum { ZLIB_ANY_HEADER = 32, ZLIB_WINDOW = 15, ZLIB_OK = 0, ZLIB_STREAM_END = 1, ZLIB_BUFFER_ERROR = -5 };

/* inflateInit2_() compares the first digit of the version and the size of the struct, and goes by nothing
 * else. */
static bool zlib_begin(struct decoder *decoder)
{
  int (*init)(struct zlib_stream *, int, const char *, int);
  struct zlib_stream *stream = calloc(1, sizeof(*stream));
  memcpy(&init, &functions[0][ZLIB_INIT], sizeof(init));
  if (stream && init(stream, ZLIB_WINDOW + ZLIB_ANY_HEADER, "1", (int)sizeof(*stream)) != ZLIB_OK) {
    free(stream);
    stream = NULL;
  }
  decoder->state = stream;
  return stream;
}

/* Several members behind each other are one text (RFC 1952, 2.2). */
static void zlib_step(struct decoder *decoder, struct step *step)
{
  int (*inflate)(struct zlib_stream *, int), (*reset)(struct zlib_stream *);
  struct zlib_stream *stream = decoder->state;
  /* Its lengths are unsigned int: a longer piece takes several steps. */
  size_t most = (unsigned)-1 / 2, len = step->in.len < most ? step->in.len : most;
  memcpy(&inflate, &functions[0][ZLIB_INFLATE], sizeof(inflate));
  memcpy(&reset, &functions[0][ZLIB_RESET], sizeof(reset));
  if (decoder->ended && len)
    decoder->failed |= reset(stream) != ZLIB_OK;
  decoder->ended = decoder->ended && !len;
  stream->next_in = (const unsigned char *)step->in.data;
  stream->avail_in = (unsigned)len;
  stream->next_out = (unsigned char *)step->out;
  stream->avail_out = (unsigned)step->room;
  int result = decoder->failed ? ZLIB_OK : inflate(stream, 0);
  decoder->ended |= result == ZLIB_STREAM_END;
  decoder->failed |= result != ZLIB_OK && result != ZLIB_STREAM_END && result != ZLIB_BUFFER_ERROR;
  step->written = step->room - stream->avail_out;
  step->in =
      (struct idem_span){step->in.data + (len - stream->avail_in), step->in.len - (len - stream->avail_in)};
}

static void zlib_end(struct decoder *decoder)
{
  int (*end)(struct zlib_stream *);
  memcpy(&end, &functions[0][ZLIB_END], sizeof(end));
  end(decoder->state);
  free(decoder->state);
}

/* brotli/decode.h */
enum { BROTLI_NEW, BROTLI_STEP, BROTLI_FREE };
/* 2 and 3 ask for more to read and for more room, and are neither of these. */
enum { BROTLI_ERROR, BROTLI_SUCCESS };

static bool brotli_begin(struct decoder *decoder)
{
  void *(*new)(void *, void *, void *);
  memcpy(&new, &functions[1][BROTLI_NEW], sizeof(new));
  decoder->state = new (NULL, NULL, NULL);
  return decoder->state;
}

static void brotli_step(struct decoder *decoder, struct step *step)
{
  int (*decompress)(void *, size_t *, const uint8_t **, size_t *, uint8_t **, size_t *);
  const uint8_t *in = (const uint8_t *)step->in.data;
  uint8_t *out = (uint8_t *)step->out;
  size_t left = step->in.len, room = step->room;
  memcpy(&decompress, &functions[1][BROTLI_STEP], sizeof(decompress));
  /* A brotli stream is one: bytes behind it are somebody's mistake. */
  if (decoder->ended) {
    decoder->failed |= left > 0;
    return;
  }
  int result = decompress(decoder->state, &left, &in, &room, &out, NULL);
  decoder->ended = result == BROTLI_SUCCESS;
  decoder->failed = result == BROTLI_ERROR;
  step->written = step->room - room;
  step->in = (struct idem_span){(const char *)in, left};
}

static void brotli_end(struct decoder *decoder)
{
  void (*release)(void *);
  memcpy(&release, &functions[1][BROTLI_FREE], sizeof(release));
  release(decoder->state);
}

/* zstd.h */
enum { ZSTD_NEW, ZSTD_STEP, ZSTD_ERROR, ZSTD_FREE };
struct zstd_in {
  const void *data;
  size_t size, at;
};
struct zstd_out {
  void *data;
  size_t size, at;
};

static bool zstd_begin(struct decoder *decoder)
{
  void *(*new)(void);
  memcpy(&new, &functions[2][ZSTD_NEW], sizeof(new));
  decoder->state = new ();
  return decoder->state;
}

static void zstd_step(struct decoder *decoder, struct step *step)
{
  size_t (*decompress)(void *, struct zstd_out *, struct zstd_in *);
  unsigned (*is_error)(size_t);
  struct zstd_in in = {step->in.data, step->in.len, 0};
  struct zstd_out out = {step->out, step->room, 0};
  memcpy(&decompress, &functions[2][ZSTD_STEP], sizeof(decompress));
  memcpy(&is_error, &functions[2][ZSTD_ERROR], sizeof(is_error));
  /* ZSTD_decompressStream() returns 0 at the end of a frame and begins the next one by itself; several are
   * one text (RFC 8878, 3.1). */
  if (decoder->ended && !in.size)
    return;
  size_t result = decompress(decoder->state, &out, &in);
  decoder->failed = is_error(result);
  decoder->ended = result == 0;
  step->written = out.at;
  step->in = (struct idem_span){step->in.data + in.at, step->in.len - in.at};
}

static void zstd_end(struct decoder *decoder)
{
  size_t (*release)(void *);
  memcpy(&release, &functions[2][ZSTD_FREE], sizeof(release));
  release(decoder->state);
}

static const struct decoder_kind kinds[] = {
    {{"gzip", "x-gzip"},
     "libz.so.1",
     {"inflateInit2_", "inflate", "inflateReset", "inflateEnd"},
     zlib_begin,
     zlib_step,
     zlib_end},
    {{"br", NULL},
     "libbrotlidec.so.1",
     {"BrotliDecoderCreateInstance", "BrotliDecoderDecompressStream", "BrotliDecoderDestroyInstance"},
     brotli_begin,
     brotli_step,
     brotli_end},
    {{"zstd", NULL},
     "libzstd.so.1",
     {"ZSTD_createDStream", "ZSTD_decompressStream", "ZSTD_isError", "ZSTD_freeDStream"},
     zstd_begin,
     zstd_step,
     zstd_end},
};

/* Without any one of its functions a library is none. They stay open: closing what somebody else may have
 * opened, too, saves nothing. */
static bool usable[3];
static _Atomic bool opened, forbidden;

static void open_libraries(void)
{
  static bool begun;
  if (begun)
    return; /* in the parent: here the loader may have one that is half linked */
  begun = true;
  for (size_t kind = 0; kind < 3; kind++) {
    void *library = dlopen(kinds[kind].library, RTLD_NOW | RTLD_LOCAL);
    usable[kind] = library;
    for (size_t i = 0; library && i < 4 && kinds[kind].symbols[i]; i++) {
      functions[kind][i] = dlsym(library, kinds[kind].symbols[i]);
      usable[kind] &= functions[kind][i] != NULL;
    }
  }
  atomic_store(&opened, true);
}

void decode_open(void)
{
  static _Atomic int once;
  if (!atomic_load_explicit(&opened, memory_order_acquire) && !atomic_load(&forbidden))
    process_once(&once, open_libraries);
}

void decode_open_no_more(void)
{
  atomic_store(&forbidden, true);
}

static bool is_known(struct idem_span coding)
{
  bool known = idem_is_named(coding.data, coding.len, "deflate");
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 2 && kinds[i].names[j]; j++)
      known |= idem_is_named(coding.data, coding.len, kinds[i].names[j]);
  return known;
}

enum coding decode_coding(struct idem_span *list)
{
  static const char *const none[] = {"", "identity", "none", "utf-8", "utf8", "binary", "text"};
  struct idem_span rest = *list;
  enum coding coding = CODING_NONE;
  while (rest.len) {
    const char *comma = memchr(rest.data, ',', rest.len);
    struct idem_span one = {rest.data, comma ? (size_t)(comma - rest.data) : rest.len};
    size_t used = one.len + (comma != NULL);
    rest = (struct idem_span){rest.data + used, rest.len - used};
    while (one.len && strchr(" \t", *one.data))
      one = (struct idem_span){one.data + 1, one.len - 1};
    while (one.len && strchr(" \t", one.data[one.len - 1]))
      one.len--;
    bool is_none = false;
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
      is_none |= idem_is_named(one.data, one.len, none[i]);
    if (is_none)
      continue;
    if (coding != CODING_NONE)
      return CODING_SEVERAL;
    coding = is_known(one) ? CODING_KNOWN : CODING_STRANGE;
    *list = one;
  }
  return coding;
}

bool decode_begin(struct decoder *decoder, struct idem_span coding)
{
  *decoder = (struct decoder){.kind = NULL};
  decode_open();
  if (!atomic_load(&opened))
    return false;
  if (idem_is_named(coding.data, coding.len, "deflate"))
    coding = (struct idem_span){"gzip", 4}; /* zlib tells the two apart */
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 2 && kinds[i].names[j]; j++) {
      if (!idem_is_named(coding.data, coding.len, kinds[i].names[j]))
        continue;
      if (!usable[i] || !kinds[i].begin(decoder))
        return false;
      decoder->kind = &kinds[i];
      return true;
    }
  return false;
}

bool decode_next(struct decoder *decoder, struct idem_span *coded, char *room, size_t size,
                 struct idem_span *plain)
{
  struct step step = {.in = *coded, .out = room, .room = size};
  if (decoder->failed)
    return false;
  decoder->kind->step(decoder, &step);
  bool went_on = step.written || step.in.len < coded->len;
  *coded = step.in;
  *plain = (struct idem_span){room, step.written};
  return went_on && !decoder->failed;
}

void decode_release(struct decoder *decoder)
{
  if (decoder->kind)
    decoder->kind->end(decoder);
  decoder->kind = NULL;
}
