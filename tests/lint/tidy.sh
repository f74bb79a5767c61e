#!/bin/bash
# Does clang-tidy find nothing in the rooms and, through them, the public headers?
# usage: tidy.sh ROOT BUILD-DIRECTORY
set -euo pipefail
build=$2
cd "$1"
# What it says on stderr is a count of what it did not show.  A build with gcc has warnings of its own.
find src -name '*.cc' | sort |
  xargs -d '\n' -n 1 -P "$(nproc)" clang-tidy --quiet -p "$build" \
    --extra-arg=-Wno-unknown-warning-option 2>"$build/tidy.stderr" ||
  { grep -v 'warnings\? .*generated' "$build/tidy.stderr" >&2; exit 1; }
