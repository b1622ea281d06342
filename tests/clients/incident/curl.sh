#!/bin/sh
# curl.sh HTTP_PORT TLS_PORT: a bad day of the curl tool.
# SPDX-License-Identifier: MIT
http=http://127.0.0.1:$1/v1/chat/completions tls=https://127.0.0.1:$2/v1/chat/completions
body='{"model":"m"}'
ask() {
  curl -sS -i -H 'Content-Type: application/json' -H 'Accept: application/json' -d "$body" -w '\n%{json}\n' "$@"
  echo "exit $?"
}
for i in 1 2 3; do ask "$http?mock=fail_first%3D2:429"; done
body='{"model":"m","stream":true}'
ask -N "$http?mock=chunk_delay_ms%3D30"
body='{"model":"m"}'
ask -m 0.2 "$http?mock=latency_ms%3D3000"
ask -m 0.3 "$http?mock=stall_ms%3D3000,size%3D20000"
ask -f "$http?mock=status%3D500"
ask "$http?mock=reset%3Dbody,size%3D20000"
ask "$http?mock=reset%3Dheaders"
ask "$http?mock=truncate%3D2,size%3D20000"
ask --compressed "$http?mock=encoding%3Dgzip"
ask -L "$http?mock=redirect%3D/v1/messages"
ask http://no-such-name.invalid/
ask http://127.0.0.1:1/
ask "$tls"
ask --cacert /dev/null "$tls"
ask -Z --no-progress-meter "$http?mock=status%3D429"
