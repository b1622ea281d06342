#!/bin/sh
# git over HTTP: clones, commits, pushes, and clones again. Usage: git.sh URL-OF-A-REPOSITORY
# SPDX-License-Identifier: MIT
set -eu
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
cd "$(mktemp -d "$HOME/git.XXXXXX")"
git clone -q "$1" first
cd first
seq 1000 >numbers
git add numbers
git -c user.name=Somebody -c user.email=somebody@example.invalid commit -q -m "Add numbers"
git push -q origin HEAD:main
cd ..
git clone -q -b main "$1" second
git -C second fsck --strict
git -C second rev-parse HEAD
git -C second ls-files -s
cat second/numbers
