#!/bin/sh
# systemd's journal-upload, which posts a journal in chunks, from its beginning. It does not end by itself, but writes down how far it has
# come. Usage: journal_upload.sh JOURNAL URL
# SPDX-License-Identifier: MIT
set -eu
state=$(mktemp -u)
/lib/systemd/systemd-journal-upload --url="$2" --file="$1" --save-state="$state" </dev/null &
upload=$!
until [ -s "$state" ]; do
  kill -0 $upload
  sleep 0.1
done
kill $upload
wait $upload || true
rm -f "$state"
