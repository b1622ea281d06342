#!/bin/sh
# Makes program-hs with Debian's libghc-curl-dev, which is unpacked only: installed, it would put libcurl's GnuTLS flavour in the place of the
# other one, for everything that is built here. Usage: haskell.sh DIRECTORY
# SPDX-License-Identifier: MIT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/haskell"
cd "$1/haskell"
[ -d unpacked ] || { apt-get download -qq libghc-curl-dev 2>/dev/null && dpkg-deb -x libghc-curl-dev_*.deb unpacked; }
conf=$(echo unpacked/var/lib/ghc/package.conf.d/curl-*.conf)
mkdir -p packages.db
sed "s|/usr/lib/haskell|$PWD/unpacked&|" "$conf" >"packages.db/${conf##*/}"
ghc-pkg --package-db=packages.db recache
exec ghc -v0 -package-db packages.db -outputdir . -o ../program-hs "$here/program.hs"
