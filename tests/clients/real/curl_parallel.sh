#!/bin/sh
# curl -Z with 50 URLs. Usage: curl_parallel.sh URL
# SPDX-License-Identifier: MIT
set -eu
cd "$HOME"
/usr/bin/curl -sS -Z --no-progress-meter -i -H Content-Type:application/json -H Accept:application/json -d '{"messages":[{"role":"user","content":"fifty times"}]}' \
  -w '%{urlnum} %{response_code} %{exitcode}\n' -o 'answer#1' "$1?n=[01-50]" >statuses
sort -n statuses
cat answer??
