#!/bin/bash
# `meson install` brings what is ours, and nothing of what is linked into it.
# usage: installed.sh MESON BUILD_DIRECTORY [MANUAL-PAGE...]
set -euo pipefail
work=$(mktemp -d)
log=$(mktemp)
trap 'rm -rf "$work" "$log"' EXIT
export LC_ALL=C
DESTDIR=$work "$1" install -C "$2" --no-rebuild >"$log" 2>&1 || {
  cat "$log"
  exit 1
}
got=$(cd "$work" && find . -type f | sed 's,.*/,,' | sort | xargs)
expected=$(printf '%s\n' rnullfs rnullfs rnullfs@.service "${@:3}" | sed 's,.*/,,' | sort | xargs)
[[ $got == "$expected" ]] || {
  echo "installed: $got, expected: $expected"
  find "$work"
  exit 1
}
