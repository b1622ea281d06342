#!/bin/sh
# A journal of one entry. Usage: journal.sh FILE
# SPDX-License-Identifier: MIT
set -eu
rm -f "$1"
printf '%s\n' __CURSOR='s=1;i=1;b=1;m=1;t=1;x=1' __REALTIME_TIMESTAMP=1700000000000000 __MONOTONIC_TIMESTAMP=1 \
  _BOOT_ID=0123456789abcdef0123456789abcdef _MACHINE_ID=0123456789abcdef0123456789abcdef MESSAGE=one '' |
  /lib/systemd/systemd-journal-remote --output="$1" -
