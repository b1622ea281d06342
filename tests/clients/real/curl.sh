#!/bin/sh
# The curl tool, two calls on one handle: an answer, then a streamed one. Usage: curl.sh URL
# SPDX-License-Identifier: MIT
json='-H Content-Type:application/json -H Accept:application/json'
exec /usr/bin/curl -sS -i $json -d '{"messages":[{"role":"user","content":"one"}]}' -w '\n%{response_code} %{exitcode}\n' "$1" \
  --next -sS -N -i $json -d '{"stream":true,"messages":[{"role":"user","content":"two"}]}' -w '\n%{response_code} %{exitcode}\n' "$1"
