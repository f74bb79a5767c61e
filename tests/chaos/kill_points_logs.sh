# shellcheck shell=bash disable=SC2034,SC2154 # what kill_points.sh and kill_points_clones.sh set
# Deaths within all that is done with a disk that begins as a log of writes: what kill_points.sh walks
# beside the rest.

log=$scratch/writes.log

# A record of each kind, and pages that are changed more than once, so that each point is passed
# somewhere in the middle.
make_base() {
  make_disk base '{"size": 16, "history": 16}'
  rm -f "$scratch/base.img"
  truncate -s 16M "$scratch/base.img"
  on_base patch 60 0 300000
  put first "$dev/log/mark"
  on_base patch 61 1000 100000
  sync "$dev/disk"
  on_base punch 8192 65536
  on_base patch 62 16384 20000
  dd if=/dev/urandom of="$dev/disk" bs=4k seek=40 count=2 oflag=dsync conv=notrunc status=none
  cmp -s "$dev/disk" "$scratch/base.img" || cp --sparse=always "$dev/disk" "$scratch/base.img"
  put 'the second' "$dev/log/mark"
  on_base patch 63 $(((16 << 20) - 5000)) 5000 # it says how large the disk is
  on_base patch 64 0 4096
  cp "$dev/log/writes" "$log"
}

begin_as_log() { begin_as "$log" && [[ $(<"$dev/history") != 0 ]]; }
switch_on() { put 1 "$dev/power" && is power 1 && is last_error ''; }
begin_as_log_and_start() { begin_and_start "$log" && is last_error ''; }
taken_over() { kill -KILL "$(field "$mnt/status.json" .worker_pid)" && is origin "$log"; }
log_is_kept() { [[ -n $(find "/proc/$guard/fd" -lname "$log") ]]; }
remove_any() { rmdir "$dev" && [[ ! -e $dev ]]; }

# The disk is what the log's was, at each mark and now, and its log says the same.
log_was_gone_through() {
  local mark
  cmp "$dev/disk" "$mnt/base/disk" && cmp "$dev/log/writes" "$log" || return
  [[ $(cut -d' ' -f2- "$dev/log/mark") == $'first\nthe second' ]] || { cat "$dev/log/mark"; return 1; }
  for mark in first 'the second'; do
    cmp "$dev/at/$mark/disk" "$mnt/base/at/$mark/disk" || return
  done
}
nothing_more_is_kept() {
  [[ $(kept_descriptors) == "$descriptors" && $(field "$mnt/status.json" .memory_used) == "$charged" ]] ||
    { ls -l "/proc/$guard/fd"; field "$mnt/status.json" .memory_used; return 1; }
}

# each_log BEFORE POINT... -- WHAT COMMAND...: as each_clone, of a new disk each time, which goes
# through the log, if it has not yet, is used and removed.
each_log() {
  local before=$1 points=()
  shift
  while [[ $1 != -- ]]; do points+=("$1"); shift; done
  dev=$mnt/clone image=$scratch/clone.img
  for point in "${points[@]}"; do
    mkdir "$dev"
    "$before"
    dies_at "$point" "$@"
    if [[ -d $dev ]]; then
      [[ -e $dev/disk ]] || { check "log, $point: it is still to be gone through" log_is_kept; switch_on; }
      check "log, $point: it has been gone through, once" log_was_gone_through
      check "log, $point: and is let go of" not log_is_kept
      cp --sparse=always "$scratch/base.img" "$image"
      patch $((++seed)) $((seed * 1000)) 30000
      check "log, $point: it is a disk like any other" cmp "$dev/disk" "$image"
      remove
    fi
    check "log, $point: nothing is left" within 2 nothing_more_is_kept
  done
}

walk_log_origin() {
  guard=$(field "$mnt/status.json" .guard_pid)
  datapath=daemon
  make_base
  on_base take s # for which a page stays
  on_base drop s
  descriptors=$(kept_descriptors)
  charged=$(field "$mnt/status.json" .memory_used)
  # Where it is gone through, from its beginning to its end.
  local points=(marks-created store-kept power-prepared counted page-stored clone-changed log-replayed mark-counted
    mark-stored version-kept version-recorded past-kept page-punched log-ended "${saving[@]}" received answered)
  each_log true "${saving[@]}" received answered -- 'a disk begins as a log' begin_as_log
  each_log begin_as_log "${points[@]}" -- 'it is switched on' switch_on
  each_log true "${points[@]}" -- 'and both in one piece' begin_as_log_and_start
  also=1
  each_log begin_as_log restoring replayed -- 'a worker that takes over with a log' taken_over
  : >"$RNULLFS_KILL_POINTS/mark-stored"
  each_log begin_as_log version-kept -- 'another one dies as well, where it goes through it again' switch_on
  also=0
  check 'log: it did' test ! -e "$RNULLFS_KILL_POINTS/mark-stored"
  walk_log_given_up
  on_base switch_off
  rmdir "$mnt/base"
}

# each_given_up POINT... -- WHAT COMMAND...: what has yet to be gone through is not, and is not kept.
each_given_up() {
  local points=()
  while [[ $1 != -- ]]; do points+=("$1"); shift; done
  for point in "${points[@]}"; do
    mkdir "$dev"
    begin_as_log
    dies_at "$point" "$@"
    check "log, $point: it is not kept" within 2 not log_is_kept
    [[ ! -d $dev ]] || { remove_any; }
    check "log, $point: nothing is left" within 2 nothing_more_is_kept
  done
}
begin_as_base_then() { put base "$dev/origin" && is origin base && put 1 "$dev/power" && cmp "$dev/disk" "$mnt/base/disk"; }
stand_alone_then() { stand_alone && put 1 "$dev/power" && cmp -n $((16 << 20)) "$dev/disk" /dev/zero; }
walk_log_given_up() {
  each_given_up "${saving[@]}" -- 'it is given up for nothing' stand_alone_then
  each_given_up "${saving[@]}" -- 'it is given up for a disk' begin_as_base_then
  each_given_up removal-noted forgotten removed received answered -- 'rmdir before it is gone through' remove_any
}
