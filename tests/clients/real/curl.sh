#!/bin/sh
# The curl tool, two calls on one handle: an answer, then a streamed one. Usage: curl.sh URL
# SPDX-License-Identifier: MIT
exec /usr/bin/curl -sS -i --json '{"messages":[{"role":"user","content":"one"}]}' -w '\n%{response_code} %{exitcode}\n' "$1" \
  --next -sS -N -i --json '{"stream":true,"messages":[{"role":"user","content":"two"}]}' -w '\n%{response_code} %{exitcode}\n' "$1"
