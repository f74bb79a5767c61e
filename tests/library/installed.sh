#!/bin/bash
# `meson install` brings what is ours, and nothing of what is linked into it; and what it brings is a
# library: each header compiles by itself, and the example does with what pkg-config says.
# usage: installed.sh BUILD-DIRECTORY COMPILER... -- NAME...    the names of all that is installed
set -euo pipefail
export LC_ALL=C
example=$(dirname "$0")/../../examples/library.cc
build=$1
shift
compiler=()
while [[ $1 != -- ]]; do
  compiler+=("$1")
  shift
done
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

DESTDIR=$tree meson install -C "$build" --no-rebuild >"$work/log" 2>&1 || fail "$(<"$work/log")"
got=$(cd "$tree" && find . -type f | sed 's,.*/,,' | sort | xargs)
expected=$(printf '%s\n' "$@" | sed 's,.*/,,' | sort | xargs)
[[ $got == "$expected" ]] || fail "installed: $got" "expected:  $expected"

# --- The headers ----------------------------------------------------------------------------------

pc=$(find "$tree" -name rnullfs.pc)
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$tree
says() { pkg-config --print-errors "$@" rnullfs; }
read -ra flags <<<"$(says --cflags)"
strict=(-std=c++20 -Wall -Wextra -Werror)
mapfile -t headers < <(find "$tree" -name '*.h' -printf '%f\n')
((${#headers[@]} > 0)) || fail 'there are no headers'
printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I HEADER \
  "${compiler[@]}" "${strict[@]}" "${flags[@]}" -fsyntax-only -include rnullfs/HEADER -x c++ /dev/null ||
  fail 'not all headers compile alone'

# --- The example ----------------------------------------------------------------------------------

shared=$(find "$tree" -name 'librnullfs.so.*' -type f -printf '%h')

# builds WHAT FLAG...: and the example does what it does in our own build.
builds() {
  local what=$1 flags
  shift
  read -ra flags <<<"$(says --cflags --libs "$@")"
  "${compiler[@]}" "${strict[@]}" "$example" "${flags[@]}" -o "$work/example" || fail "$what: ${flags[*]}"
  LD_LIBRARY_PATH=$shared "$work/example" >"$work/out" || fail "$what: it fails" "$(<"$work/out")"
  "$build/examples/library-example" | diff - "$work/out" || fail "$what: it does something else"
}
builds 'the shared library'
# Not in a pipe: grep -q ends at once, and ldd would end of a pipe that nobody reads.
[[ $(ldd "$work/example") == *librnullfs* ]] || fail 'it is not linked with the shared library'
find "$tree" -name 'librnullfs.so*' -delete
builds 'the static library' --static
