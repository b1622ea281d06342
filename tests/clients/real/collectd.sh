#!/bin/sh
# collectd reads a number of one URL by curl_json, once, and csv writes it down. Usage: collectd.sh DIRECTORY URL
# SPDX-License-Identifier: MIT
set -eu
rm -rf "$1"
mkdir -p "$1"
cat >"$1/conf" <<CONF
BaseDir "$1"
PIDFile "$1/pid"
FQDNLookup false
Interval 3600
TypesDB "/usr/share/collectd/types.db"
LoadPlugin csv
<Plugin csv>
  DataDir "$1/csv"
</Plugin>
LoadPlugin curl_json
<Plugin curl_json>
  <URL "$2">
    Instance "answer"
    <Key "features/*/properties/answer">
      Type "gauge"
    </Key>
  </URL>
</Plugin>
CONF
/usr/sbin/collectd -f -C "$1/conf" >"$1/log" 2>&1 &
collectd=$!
until grep -qs , "$1"/csv/*/*/*; do
  kill -0 $collectd
  sleep 0.1
done
kill $collectd
wait $collectd || true
exec cut -d , -f 2 "$1"/csv/*/*/*
