#!/bin/bash
# A program with a fault put into it fails the chaos test.
# usage: mutation.sh ROOT
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio python3 mkfs.ext4 mkfs.xfs
root=$1
build=$root/build-mutation

build_mutant() {
  [[ -f $build/build.ninja ]] || meson setup "$build" "$root" --optimization=1 || return
  # It may be of a time when there was no such fault.
  meson setup --reconfigure "$build" "$root" "-Dmutation=$1" && ninja -C "$build" rnullfs
}

# chaos KILLS: what the chaos test says of the mutant.
chaos() {
  RNULLFS=$build/rnullfs CHAOS_KILLS=$1 CHAOS_PATIENCE=20 timeout --kill-after=60 300 \
    "$tests/chaos/chaos.sh" kill
}

check 'the program builds without resending' build_mutant no-resend
status=0
chaos 4 >"$scratch/chaos" 2>&1 || status=$?
same 'the chaos test fails with it' 1 "$status"
says 'because requests are never answered' 'it hangs' "$(<"$scratch/chaos")"

check 'the program builds with a past that is found in the wrong order' build_mutant unsorted-past
status=0
chaos 10 >"$scratch/chaos" 2>&1 || status=$?
same 'the chaos test fails with that, too' 1 "$status"
says 'because snapshots are wrong' 'a snapshot: byte' "$(<"$scratch/chaos")"
