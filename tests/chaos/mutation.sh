#!/bin/bash
# A program with a fault put into it fails the chaos test.
# usage: mutation.sh ROOT
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio python3 mkfs.ext4 mkfs.xfs
root=$1
build=$root/build-mutation

build_mutant() {
  [[ -f $build/build.ninja ]] || meson setup "$build" "$root" --optimization=1 || return
  meson configure "$build" "-Dmutation=$1" && ninja -C "$build" rnullfs
}

check 'the program builds without resending' build_mutant no-resend
status=0
RNULLFS=$build/rnullfs CHAOS_KILLS=4 CHAOS_PATIENCE=20 timeout --kill-after=60 300 \
  "$tests/chaos/chaos.sh" kill >"$scratch/chaos" 2>&1 || status=$?
same 'the chaos test fails with it' 1 "$status"
says 'because requests are never answered' 'it hangs' "$(<"$scratch/chaos")"
