#!/bin/bash
# `meson install` brings what is ours, and nothing of what is linked into it.
# usage: installed.sh MESON BUILD_DIRECTORY
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
[[ $got == 'rnullfs rnullfs rnullfs.8 rnullfs@.service' ]] || {
  echo "installed: $got"
  find "$work"
  exit 1
}
