#!/bin/bash
# The worker dies at each of the moments that src/base/kill_point.h names: what was asked then is done
# once and answered as if nothing had happened.
# usage: kill_points.sh daemon|auto    by who serves the disks; what the daemon alone does is in daemon
#        kill_points.sh clones         rollback, and disks that begin as others
#        kill_points.sh logs           disks that begin as logs of writes
#        kill_points.sh faults         fault rules
#        kill_points.sh cuts           power cuts
#        kill_points.sh damage         silent faults
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/kill_points_clones.sh"
. "$(dirname "$0")/kill_points_logs.sh"
. "$(dirname "$0")/kill_points_faults.sh"
. "$(dirname "$0")/kill_points_cuts.sh"
. "$(dirname "$0")/kill_points_damage.sh"
needs root fuse jq python3
export RNULLFS_KILL_POINTS=$scratch/points
mkdir "$RNULLFS_KILL_POINTS"
mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
mkdir "$mnt/probe"
: >"$RNULLFS_KILL_POINTS/unsaved"
put 1 "$mnt/probe/blocking"
[[ ! -e $RNULLFS_KILL_POINTS/unsaved ]] || cannot_run 'this build has no kill points (-Dkill_points=true)'
rmdir "$mnt/probe"

replaced() { field "$mnt/status.json" .workers_replaced; }

# dies_at POINT -- WHAT COMMAND...: the command succeeds though the worker dies at the point.
dies_at() {
  local point=$1 what=$3 before status=0 problem=''
  shift 3
  before=$(replaced)
  : >"$RNULLFS_KILL_POINTS/$point"
  (
    trap - EXIT ERR
    set -e
    "$@"
  ) >"$scratch/output" 2>&1 </dev/null &
  if within 90 gone $!; then
    wait $! || status=$?
    ((status == 0)) || problem="it ended with status $status; "
  else
    problem='it hangs; '
    kill -KILL $!
  fi
  # What follows an answer follows it soon.
  within 2 test ! -e "$RNULLFS_KILL_POINTS/$point" || problem+='the point was not reached; '
  rm -f "$RNULLFS_KILL_POINTS/$point"
  within 5 worker_number $((before + 1 + also)) || problem+="$(replaced) workers, not $((before + 1 + also))"
  if [[ -z $problem ]]; then
    pass "$datapath, $point: $what"
  else
    fail "$datapath, $point: $what" "$problem" "$(tail -n 5 "$scratch/output")"
  fi
}
also=0 # deaths by the command itself
worker_number() { [[ $(replaced) == "$1" ]]; }

# each POINT... -- WHAT COMMAND...: one after the other.
each() {
  local points=()
  while [[ $1 != -- ]]; do points+=("$1"); shift; done
  for point in "${points[@]}"; do dies_at "$point" "$@"; done
}

# --- What the disk holds, beside a file with the same --------------------------------------------

image=$scratch/image

# patch SEED OFFSET LENGTH: random bytes onto the disk and the image.
patch() {
  python3 - "$dev/disk" "$image" "$@" <<'END'
import os, random, sys
disk, image, seed, offset, length = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
data = random.Random(seed).randbytes(length)
for path in (disk, image):
    fd = os.open(path, os.O_RDWR)
    while data and (done := os.pwrite(fd, data, offset)) != length:
        sys.exit(f"{path}: {done} of {length} bytes")
    os.close(fd)
END
}

# punch OFFSET LENGTH
punch() {
  fallocate --punch-hole --offset "$1" --length "$2" "$dev/disk" &&
    fallocate --punch-hole --offset "$1" --length "$2" "$image"
}

# truncate_both LENGTH: of what lies behind it nothing is left.
truncate_both() {
  truncate -s "$1" "$dev/disk" && truncate -s "$1" "$image" && truncate -s "$(stat -c %s "$dev/disk")" "$image"
}

# synced PATCH-ARGUMENT...: and everything is on the disk, not in its cache.
synced() { patch "$@" && sync "$dev/disk"; }

# alike: the bytes, and none is stored where the image has none.
alike() {
  cmp "$dev/disk" "$image" &&
    test "$(field "$dev/stats.json" .stored_bytes)" -le "$(($(stat -c %b "$image") * 512 + 64 * 4096))"
}

closed() { within 5 nobody_has_it; }
nobody_has_it() { [[ $(field "$dev/stats.json" .disk_opens) == 0 ]]; }
switch_off() { closed && put 0 "$dev/power"; }

# What is done to a device, as one command each.
is() { [[ $2 == "$(<"$dev/$1")" ]] || { echo "$1 is $(<"$dev/$1"), not $2"; return 1; }; }
make_and_remove() { mkdir "$dev" && rmdir "$dev"; }
make_anew() { { [[ ! -e $dev ]] || rmdir "$dev"; } && mkdir "$dev" && [[ $(names "$mnt") == "$datapath features power status.json" ]]; }
set_attribute() { put 512 "$dev/blocksize" && is blocksize 512; }
change_bad_blocks() {
  put +8-15 "$dev/badblocks" && put +32-39 "$dev/badblocks" && put -8-15 "$dev/badblocks" && is badblocks '32 8' &&
    put -32-39 "$dev/badblocks"
}
configuration() { echo '{"size": 16, "memory_backed": true, "discard": true, "datapath": "'"$datapath"'"}'; }
one_piece() { configuration >"$dev/config.json" && is datapath "$datapath"; }
three_pieces() { { printf '{"si' && printf 'ze": 1' && printf '6}'; } >"$dev/config.json" && is size 16; }
three_opens() {
  local piece
  for piece in '{"size"' ': 1' '6}'; do printf %s "$piece" >>"$dev/config.json" || return; done
  is size 16
}
change_mode() { chmod 640 "$dev/size" && [[ $(stat -c %a "$dev/size") == 640 ]]; }
power_cycle() {
  rmdir "$dev" && mkdir "$dev" && configuration >"$dev/config.json" && put 1 "$dev/power" && put 0 "$dev/power" &&
    put 1 "$dev/power" && [[ -e $dev/disk ]]
}
patch_and_close() { patch "$@" && closed; }
grow() {
  local mib=$(($(<"$dev/size") + 16))
  put "$mib" "$dev/size" && is size "$mib" && [[ $(stat -c %s "$dev/disk") == $((mib << 20)) ]] &&
    truncate -s "${mib}M" "$image"
}
take_over() { kill -KILL "$(field "$mnt/status.json" .worker_pid)" && is datapath "$datapath"; }

saving=(record-appended record-committed unsaved saved)

# mark_moment: the newest mark is of this moment, and there is one more.
mark_moment() {
  local marks
  marks=$(wc -l <"$dev/log/mark")
  echo moment >"$dev/log/mark" && [[ $(wc -l <"$dev/log/mark") == $((marks + 1)) ]] &&
    cmp "$dev/at/moment/disk" "$dev/disk"
}
log_is_whole() {
  [[ $(wc -l <"$dev/log/entries") -gt 0 ]] && ! grep -q ' write .* - *$' "$dev/log/entries" &&
    awk 'NR > 1 && $1 <= before { exit 1 } { before = $1 }' "$dev/log/entries"
}

walk() {
  datapath=$1
  dev=$mnt/$datapath
  each id-taken "${saving[@]}" removal-noted forgotten removed -- 'mkdir and rmdir' make_and_remove
  each "${saving[@]}" received answered -- 'a device is there once' make_anew
  each "${saving[@]}" received -- 'an attribute' set_attribute
  each "${saving[@]}" -- 'bad blocks, added and taken away' change_bad_blocks
  each "${saving[@]}" -- 'config.json in one piece' one_piece
  each "${saving[@]}" -- 'config.json in three pieces' three_pieces
  each "${saving[@]}" -- 'config.json, each piece appended by another open' three_opens
  each "${saving[@]}" -- 'chmod' change_mode
  each power-prepared store-kept powered-off "${saving[@]}" -- 'power on, off, on' power_cycle
  rm -f "$image"
  truncate -s 16M "$image"

  opening=("${saving[@]}")
  if [[ $datapath == auto ]]; then opening+=(shared backing-opened backing-unclosed backing-closed); fi
  each "${opening[@]}" -- 'open, write, close' patch 1 4096 40000
  check "$datapath: the disk is as the image" alike
  each "${opening[@]}" -- 'and nobody has it open in the end' patch_and_close 2 100000 10
  each received answered -- 'reads' cmp "$dev/disk" "$image"
  each page-punched -- 'a discard' punch 8192 1048576
  each received answered -- 'a discard' punch 8192 1048576
  patch 6 2000000 100000
  each page-punched truncated received -- 'a truncation' truncate_both 1000000
  if [[ $datapath == daemon ]]; then
    each page-stored received answered -- 'a write' patch 3 1048576 1000000
    each grown-live "${saving[@]}" received answered -- 'a larger size while it is on' grow
    patch 9 $((20 << 20)) 100000
  fi
  check "$datapath: the disk is as the image" alike

  # A disk that the kernel has served moves to another file to grow.
  switch_off
  if [[ $datapath == auto ]]; then
    size=16
    for point in grow-begun grow-page-copied grow-page-freed grow-moved grow-dropped power-prepared; do
      size=$((size + 16))
      put "$size" "$dev/size"
      truncate -s "${size}M" "$image"
      dies_at "$point" -- "it grows to $size MiB" put 1 "$dev/power"
      check "auto: the disk is as the image" alike
      patch "$size" $(((size - 1) << 20)) 100000
      switch_off
    done
    size=$((size + 16))
    put "$size" "$dev/size"
    truncate -s "${size}M" "$image"
    : >"$RNULLFS_KILL_POINTS/page-taken-back"
    also=1
    dies_at grow-page-freed -- 'another dies where it takes back' put 1 "$dev/power"
    also=0
    check 'auto: it did' test ! -e "$RNULLFS_KILL_POINTS/page-taken-back"
    check 'auto: the disk is as the image' alike
    switch_off
  fi

  put 1 "$dev/power"
  also=1
  each restoring replayed -- 'a worker that takes over' take_over
  also=0
  check "$datapath: the disk is as the image" alike
  switch_off
  rmdir "$dev"
}

# --- The write cache ------------------------------------------------------------------------------

walk_cache() {
  datapath=daemon
  make_disk cached '{"size": 16, "cache_size": 1}'
  rm -f "$image"
  truncate -s 16M "$image"
  each cache-stored cache-written-back cache-unmarked -- 'writes go through the cache' synced 4 5000 300000
  each cache-written-back cache-unmarked -- 'more than it holds' patch 5 1000000 3000000
  check 'cached: the disk is as the image' cmp "$dev/disk" "$image"
  each cache-written-through -- 'a write with O_DSYNC' \
    dd if="$image" of="$dev/disk" bs=64k count=4 oflag=dsync conv=notrunc status=none
  each page-punched -- 'a discard' punch 8192 1048576
  check 'cached: the disk is as the image' cmp "$dev/disk" "$image"
  switch_off
}

# --- Snapshots and history ------------------------------------------------------------------------

snapshots() { names "$dev/snapshots"; }
take() { mkdir "$dev/snapshots/$1" && [[ " $(snapshots) " == *" $1 "* ]]; }
drop() { rmdir "$dev/snapshots/$1" && [[ " $(snapshots) " != *" $1 "* ]]; }
take_and_drop() { take brief && drop brief; }
move_there_and_back() {
  mv -T "$dev/snapshots/kept" "$dev/snapshots/moved" && [[ $(snapshots) == moved ]] &&
    mv -T "$dev/snapshots/moved" "$dev/snapshots/kept" && [[ $(snapshots) == kept ]]
}
# What goes away has contents of its own.
take_write_and_drop() { take brief && patch 10 0 300000 && drop brief; }
kept_is_right() { cmp "$dev/snapshots/kept/disk" "$scratch/kept"; }
nothing_is_kept() { [[ $(field "$dev/stats.json" '"\(.snapshots) \(.past_bytes)"') == '0 0' ]]; }

# each_elsewhere POINT... -- WHAT COMMAND...: with a place behind the command that no other has had,
# because a page is kept once for a snapshot.
place=0
each_elsewhere() {
  local points=()
  while [[ $1 != -- ]]; do points+=("$1"); shift; done
  for point in "${points[@]}"; do
    dies_at "$point" "$@" $((place += 128 << 10))
    check "$datapath, $point: the disk is as the image" cmp "$dev/disk" "$image"
    check "$datapath, $point: the snapshot is as it was" kept_is_right
  done
}
patch_at() { patch "$1" $(($1 + 1000)) 20000; }
punch_at() { punch "$1" 65536; }

walk_past() {
  datapath=daemon
  make_disk past '{"size": 16}'
  rm -f "$image"
  truncate -s 16M "$image"
  patch 7 0 6000000
  each "${saving[@]}" snapshot-begun snapshot-taken snapshot-removed received answered -- \
    'mkdir and rmdir of a snapshot' take_and_drop
  check 'past: nothing is kept' nothing_is_kept
  each snapshot-begun -- 'mkdir of a snapshot' take kept
  cp --sparse=always "$image" "$scratch/kept"
  each snapshot-renamed received answered -- 'mv of a snapshot' move_there_and_back
  each_elsewhere version-kept version-recorded past-kept received answered -- 'an overwrite' patch_at
  each_elsewhere version-kept version-recorded past-kept page-punched -- 'a discard' punch_at
  place=$((8 << 20)) # holes
  each_elsewhere version-kept version-recorded past-kept page-stored -- 'a write to what was a hole' patch_at
  each received answered -- 'reads of a snapshot' kept_is_right
  patch 8 0 3000000
  each snapshot-removed version-freed received answered -- 'rmdir of a snapshot with contents of its own' \
    take_write_and_drop
  check 'past: the other one is as it was' kept_is_right
  put 1 "$dev/history"
  each counted version-kept past-kept version-freed -- 'writes while there is history' patch 11 0 2500000
  each counted mark-counted mark-stored received answered -- 'a mark' mark_moment
  each counted -- 'a flush while there is history' sync "$dev/disk"
  check 'past: what was asked for is in the log, without a gap' log_is_whole
  put 0 "$dev/history"
  check 'past: the snapshot is as it was without history' kept_is_right
  drop kept
  check 'past: nothing is kept in the end' nothing_is_kept
  check 'past: the disk is as the image in the end' cmp "$dev/disk" "$image"
  switch_off
  rmdir "$dev"
}

# --- The log of records, copied to its other region -----------------------------------------------

# Each is a record of some 5 KiB.
many() {
  python3 - "$dev/config.json" <<'END'
import json, sys
for i in range(300):
    with open(sys.argv[1], "w") as file:
        json.dump({"badblocks": [f"{n}-{n}" for n in range(i % 2, 1024, 2)]}, file)
with open(sys.argv[1], "w") as file:
    file.write('{"badblocks": []}')
END
}
walk_log() {
  each log-copied log-switched -- 'many changes' many
  same 'the last one counts' '' "$(<"$dev/badblocks")"
  rmdir "$dev"
}

# --- Both, or what the kernel serves --------------------------------------------------------------

case $1 in
  daemon)
    walk daemon
    walk_cache
    walk_log
    walk_past
    ;;
  clones)
    walk_rollback
    walk_cut_off
    walk_clones
    ;;
  logs) walk_log_origin ;;
  faults) walk_faults ;;
  cuts) walk_cuts ;;
  damage) walk_damage ;;
  auto) if passthrough_possible; then walk auto; fi ;;
esac
same 'nothing is left' 'features power status.json' "$(names "$mnt")"
same 'nor charged' 0 "$(field "$mnt/status.json" .memory_used)"
unmount "$mnt"
