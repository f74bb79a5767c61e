# shellcheck shell=bash disable=SC2030,SC2031,SC2034,SC2154 # what kill_points.sh sets
# Deaths within a rollback, while a disk's end is cut off, and within all that is done with a clone:
# what kill_points.sh walks beside the rest.

# --- Rollback -------------------------------------------------------------------------------------

roll_back() { closed && put "$1" "$dev/rollback" && is last_error ''; }

# each_rollback POINT... -- WHAT: to the snapshot clean, from contents that are others each time.
seed=100
each_rollback() {
  local points=() before
  while [[ $1 != -- ]]; do points+=("$1"); shift; done
  for point in "${points[@]}"; do
    image=$scratch/after
    cp --sparse=always "$scratch/clean" "$image"
    patch $((++seed)) $((seed * 1000)) 300000
    patch $((++seed)) $((8 << 20)) 20000 # where there was nothing
    punch 1048576 65536
    before=$(field "$dev/stats.json" .sequence)
    dies_at "$point" -- "$2" roll_back clean
    check "back, $point: the disk is as it was" cmp "$dev/disk" "$scratch/clean"
    check "back, $point: and so is the snapshot" cmp "$dev/snapshots/clean/disk" "$scratch/clean"
    [[ $(<"$dev/history") != 0 ]] || continue
    check "back, $point: forth again" roll_back "$before"
    check "back, $point: to what it was before" cmp "$dev/disk" "$image"
    roll_back clean
  done
}

walk_rollback() {
  datapath=daemon
  make_disk back '{"size": 16}'
  rm -f "$image"
  truncate -s 16M "$image"
  patch 20 0 3000000
  take clean
  cp --sparse=always "$image" "$scratch/clean"
  local points=(rollback-begun page-stored-below page-put-back page-stored page-punched rollback-made rollback-ended
    rolled-back)
  each_rollback "${points[@]}" "${saving[@]}" received answered -- 'a rollback'
  put 8 "$dev/history"
  each_rollback version-kept version-recorded "${points[@]}" -- 'a rollback that history knows'
  put 0 "$dev/history"
  drop clean
  check 'back: nothing is kept in the end' nothing_is_kept
  switch_off
  rmdir "$dev"
}

# --- A smaller size -------------------------------------------------------------------------------

become() { put "$1" "$dev/size" && put 1 "$dev/power" && is size "$1"; }
begins_as() { cmp -n $((8 << 20)) "$dev/disk" "$image"; }
zeros_behind() { cmp -i $((8 << 20)) -n $((8 << 20)) "$dev/disk" /dev/zero; }

# What is cut off is a snapshot's, and nobody's afterwards.
walk_cut_off() {
  datapath=daemon
  make_disk cut '{"size": 16}'
  image=$scratch/whole
  for point in version-kept version-recorded piece-kept page-punched piece-cut-off power-prepared "${saving[@]}"; do
    rm -f "$image"
    truncate -s 16M "$image"
    patch $((++seed)) $((6 << 20)) 5000000
    take clean
    switch_off
    dies_at "$point" -- 'a size that is smaller' become 8
    check "cut, $point: what is left is as it was" begins_as
    check "cut, $point: and so is the snapshot" cmp "$dev/snapshots/clean/disk" "$image"
    drop clean
    switch_off
    become 16
    check "cut, $point: what was behind it does not come back" zeros_behind
    check "cut, $point: nothing is kept in the end" nothing_is_kept
    rm -f "$image"
  done
  switch_off
  rmdir "$dev"
}

# --- Clones ---------------------------------------------------------------------------------------

on_base() { dev=$mnt/base image=$scratch/base.img "$@"; }
on_clone() { dev=$mnt/clone image=$scratch/clone.img "$@"; }
begin_as() { put "$1" "$dev/origin" && is origin "$1" && is size 16 && is memory_backed 1; }
begin_and_start() {
  echo '{"origin": "'"$1"'", "discard": true, "power": true}' >"$dev/config.json" && is origin "$1" &&
    is power 1
}
start() { put 1 "$dev/discard" && put 1 "$dev/power" && [[ -e $dev/disk ]]; }
stand_alone() { put '' "$dev/origin" && is origin ''; }
remove() { closed && rmdir "$dev" && [[ ! -e $dev ]]; }
kept_descriptors() { find "/proc/$guard/fd" -mindepth 1 | wc -l; }
nothing_is_left() { on_base nothing_is_kept && [[ $(kept_descriptors) == "$descriptors" ]]; }

# What the clone begins as is in clone.img, whatever becomes of the base.
new_clone() {
  mkdir "$mnt/clone"
  cp --sparse=always "$scratch/base.img" "$scratch/clone.img"
}
clone_is_right() {
  on_clone cmp "$mnt/clone/disk" "$scratch/clone.img" && cmp "$mnt/base/disk" "$scratch/base.img"
}

# each_clone BEFORE POINT... -- WHAT COMMAND...: of a new clone each time, after what BEFORE does with
# it.  It is used then, beside its base, and removed.
each_clone() {
  local before=$1 points=()
  shift
  while [[ $1 != -- ]]; do points+=("$1"); shift; done
  for point in "${points[@]}"; do
    new_clone
    on_clone "$before"
    on_clone dies_at "$point" "$@"
    if [[ -d $mnt/clone ]]; then
      [[ -e $mnt/clone/disk ]] || on_clone start
      on_base patch $((++seed)) $((seed * 1000)) 30000
      on_clone patch $((++seed)) $((seed * 1000)) 30000
      check "clone, $point: it and its base have what they ought to" clone_is_right
      on_clone remove
    fi
    check "clone, $point: nothing is left" within 2 nothing_is_left
  done
}
begun() { begin_as base; }
begun_and_on() { begin_as base && start; }
begun_and_written() { begin_as base && start && patch 40 5000 30000 && punch 200000 100000 && closed; }
begun_and_off() { begun_and_written && put 0 "$dev/power"; }
take_begin_and_drop() { on_base take s && begin_as base@s && start && stand_alone && on_base drop s; }
# It is a disk like any other then.
give_up() { stand_alone && truncate -s 0 "$image" && truncate -s 16M "$image"; }
clone_taken_over() { kill -KILL "$(field "$mnt/status.json" .worker_pid)" && is origin base@s; }
write_odd() { patch $((++seed)) 1000001 20000 && clone_is_right; }
write_over() { patch $((++seed)) 0 300000 && clone_is_right; }
punch_odd() { punch 2000001 100000 && clone_is_right; }

walk_clones() {
  guard=$(field "$mnt/status.json" .guard_pid)
  datapath=daemon
  make_disk base '{"size": 16}'
  rm -f "$scratch/base.img"
  truncate -s 16M "$scratch/base.img"
  on_base patch 30 0 3000000
  on_base take s
  on_base drop s
  descriptors=$(kept_descriptors)
  each_clone true snapshot-begun snapshot-taken "${saving[@]}" received answered -- \
    'a disk begins as another is now' begin_as base
  each_clone true snapshot-begun snapshot-taken marks-created store-kept power-prepared unsaved saved -- \
    'and is switched on in one piece' begin_and_start base
  each_clone begun marks-created store-kept power-prepared unsaved saved -- 'it is switched on' start
  each_clone begun_and_on clone-changed page-stored received answered -- 'a first write' write_odd
  each_clone begun_and_on clone-changed page-stored -- 'a long one' write_over
  each_clone begun_and_on clone-changed page-punched -- 'a first discard' punch_odd
  for before in begun_and_written begun_and_off; do
    each_clone "$before" clone-page-copied clone-complete clone-alone unsaved saved snapshot-removed -- \
      "it stands alone, $before" stand_alone
  done
  each_clone begun unsaved saved snapshot-removed -- 'its origin is given up before it is used' give_up
  for before in begun begun_and_written; do
    each_clone "$before" removal-noted forgotten snapshot-removed removed received answered -- \
      "rmdir of it, $before" remove
  done
  each_clone true snapshot-removed -- 'a snapshot that it had' take_begin_and_drop
  walk_named_origin
  on_base switch_off
  rmdir "$mnt/base"
}

# A clone of a snapshot, and one of that.
walk_named_origin() {
  on_base take s
  new_clone
  on_clone dies_at saved -- 'a disk begins as a snapshot' begin_as base@s
  on_clone start
  on_clone patch 50 5000 30000
  on_base patch 51 0 100000
  check 'clone of a snapshot: it has what it ought to' clone_is_right
  mkdir "$mnt/second"
  cp --sparse=always "$scratch/clone.img" "$scratch/second.img"
  dev=$mnt/second dies_at snapshot-taken -- 'and another one as it' begin_and_start clone
  on_clone patch 52 20000 30000
  dev=$mnt/second image=$scratch/second.img patch 53 40000 30000
  also=1
  each restoring replayed -- 'a worker that takes over' on_clone clone_taken_over
  also=0
  check 'clone of a snapshot: it has what it ought to still' clone_is_right
  check 'clone of a clone: it has what it ought to' cmp "$mnt/second/disk" "$scratch/second.img"
  dev=$mnt/second
  dies_at forgotten -- 'rmdir of a clone of a clone' remove
  on_clone dies_at forgotten -- 'rmdir of the clone' remove
  on_base dies_at snapshot-removed -- 'rmdir of the snapshot afterwards' drop s
  check 'clones: nothing is left' within 2 nothing_is_left
}
