/* SPDX-License-Identifier: MIT */
#include "tests/clients/incident/incident.h"

#define CHAT "/v1/chat/completions"

#define SETUP(name, option, value)                                                                           \
  static void name(CURL *easy)                                                                               \
  {                                                                                                          \
    curl_easy_setopt(easy, CURLOPT_##option, value);                                                         \
  }
SETUP(fail_on_error, FAILONERROR, 1L)
SETUP(decode, ACCEPT_ENCODING, "")
SETUP(follow, FOLLOWLOCATION, 1L)
SETUP(with_header, HEADER, 1L)
SETUP(with_cookies, COOKIEFILE, "")
SETUP(small_file, MAXFILESIZE, 100L)

/* clang-format off */
const struct scene scenes[] = {
  {.name = "limited",   .target = CHAT "?mock=fail_first%3D2:429"},
  {.name = "limited, once more", .target = CHAT "?mock=fail_first%3D2:429"},
  {.name = "limited, then not",  .target = CHAT "?mock=fail_first%3D2:429"},
  {.name = "sample",    .target = CHAT "?mock=echo%3D1"},
  {.name = "sample again", .target = CHAT "?mock=echo%3D1"},
  {.name = "500",       .target = CHAT "?mock=status%3D500"},
  {.name = "503, and it counts as failure", .target = CHAT "?mock=status%3D503", .setup = fail_on_error},
  {.name = "stream",    .target = CHAT "?mock=chunk_delay_ms%3D20", .streams = true},
  {.name = "large",     .target = CHAT "?mock=size%3D300000"},
  {.name = "no answer in time", .target = CHAT "?mock=latency_ms%3D3000", .timeout_ms = 150},
  {.name = "half an answer in time", .target = CHAT "?mock=stall_ms%3D3000,size%3D20000", .timeout_ms = 200},
  {.name = "half a stream in time", .target = CHAT "?mock=stall_ms%3D3000", .streams = true, .timeout_ms = 200},
  {.name = "reset before the header", .target = CHAT "?mock=reset%3Dheaders"},
  {.name = "reset in the middle", .target = CHAT "?mock=reset%3Dbody,size%3D20000"},
  {.name = "cut short", .target = CHAT "?mock=truncate%3D2,size%3D20000"},
  {.name = "stream cut short", .target = CHAT "?mock=truncate%3D2", .streams = true},
  {.name = "stream without its end", .target = CHAT "?mock=truncate%3D1", .streams = true},
  {.name = "error in the stream", .target = CHAT "?mock=error_event%3D1", .streams = true},
  {.name = "nobody listens", .place = NOBODY, .target = "/x"},
  {.name = "no such name", .place = NO_NAME, .target = "/x"},
  {.name = "a certificate of nobody's", .place = STRANGER, .target = CHAT},
  {.name = "no TLS there", .place = PLAIN, .target = CHAT},
  {.name = "over TLS", .place = TLS, .target = CHAT},
  {.name = "a write refused", .target = CHAT "?mock=size%3D100000", .refused_write = 2},
  {.name = "the first write refused", .target = CHAT, .refused_write = 1},
  {.name = "a header refused", .target = CHAT, .refused_header = 3},
  {.name = "stopped by progress", .target = CHAT "?mock=stall_ms%3D3000,size%3D20000", .stops = true},
  {.name = "compressed", .target = CHAT "?mock=encoding%3Dgzip", .setup = decode},
  {.name = "compressed, and left so", .target = CHAT "?mock=encoding%3Dgzip"},
  {.name = "until the connection ends", .target = CHAT "?mock=length%3Dclose"},
  {.name = "with a cookie", .target = CHAT "?mock=cookie%3D1", .secret = true},
  {.name = "with a cookie for the engine", .target = CHAT "?mock=cookie%3D1", .secret = true, .setup = with_cookies},
  {.name = "redirected", .target = CHAT "?mock=redirect%3D/v1/messages", .setup = follow},
  {.name = "a redirect", .target = CHAT "?mock=redirect%3D/v1/messages"},
  {.name = "early hints", .target = CHAT "?mock=informational%3D1"},
  {.name = "header in the body", .target = CHAT, .setup = with_header},
  {.name = "a stream, header in the body", .target = CHAT, .streams = true, .setup = with_header},
  {.name = "larger than wanted", .target = CHAT, .setup = small_file},
  {.name = "trailers", .target = "/wire/trailers"},
  {.name = "no header at all", .target = "/wire/bare"},
  {.name = "a header cut short", .target = "/wire/cut"},
  {.name = "nothing", .target = "/wire/nothing"},
  {.name = "bad chunks", .target = "/wire/chunks"},
  {.name = "given up", .target = CHAT "?mock=stall_ms%3D3000", .streams = true, .given_up = 2},
  {.name = "as ever", .target = CHAT},
};
/* clang-format on */

const unsigned scene_count = sizeof scenes / sizeof *scenes;
