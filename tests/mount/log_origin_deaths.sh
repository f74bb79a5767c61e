#!/bin/bash
# Disks that begin as a log of writes, where something comes between: too little memory, a death, an
# upgrade, rmdir, somebody else's requests.
. "$(dirname "$0")/../lib.sh"
needs root fuse jq
datapath=daemon
log=$scratch/writes.log
mount_rnullfs -o nr_devices=0,memory_limit=160M
guard=$(field "$mnt/status.json" .guard_pid)
daemons=("$guard")
status() { field "$mnt/status.json" "$1"; }
last_error() { cat "$dev/last_error"; }
is() { [[ $2 == "$(<"$dev/$1")" ]]; }
descriptors() { find "/proc/$guard/fd" -mindepth 1 | wc -l; }
log_is_kept() { [[ -n $(find "/proc/$guard/fd" -lname "$log") ]]; }
# held: what nobody may be charged with, or keep, when all is over.
held() { echo "$(descriptors) $(status .memory_used)"; }
begin() { mkdir "$mnt/$1" && dev=$mnt/$1 && put "$log" "$dev/origin"; }
on() { put 1 "$dev/power"; }
equal() {
  cmp "$dev/disk" "$scratch/image" && cmp "$dev/log/writes" "$log" && cmp "$dev/at/middle/disk" "$scratch/middle"
}
is_pending() { is power 0 && is origin "$log" && not test -e "$dev/disk" && log_is_kept && [[ $(held) == "$pending" ]]; }
ends() { put 0 "$dev/power" && rmdir "$dev" && within 2 nothing_is_left; }
nothing_is_left() { [[ $(held) == "$nothing" ]]; }

# 24 MiB, of which 8 are written again, the last of them behind a mark.
nothing=$(held)
make_disk base '{"size": 24, "history": 100}'
random_file "$scratch/random" 24
dd if="$scratch/random" of="$dev/disk" bs=1M conv=notrunc status=none
dd if="$scratch/random" of="$dev/disk" bs=1M skip=5 count=4 conv=notrunc status=none
put middle "$dev/log/mark"
cp --sparse=always "$dev/disk" "$scratch/middle"
fallocate --punch-hole --offset 1M --length 2M "$dev/disk"
dd if="$scratch/random" of="$dev/disk" bs=1M skip=9 seek=10 count=4 conv=fsync,notrunc status=none
cp --sparse=always "$dev/disk" "$scratch/image"
cp "$dev/log/writes" "$log"
check 'the log is made' ends

# --- Too little memory ----------------------------------------------------------------------------

begin d
pending=$(held)
for limit in 1 4 12 22; do
  put "$limit" "$dev/store_limit"
  refused ENOSPC "store_limit=$limit, on" on
  says '  says what to do' '^origin: there is no memory .*writes.log.*; raise .*store_limit' "$(last_error)"
  check '  nothing of it is there' is_pending
done
put 0 "$dev/store_limit"
check 'without a limit, on' on
check '  it is what it ought to be' equal
check '  the log is not kept' not log_is_kept
check '  it ends' ends

begin d
put 4 "$dev/store_limit"
refused ENOSPC 'another one, in one piece' put '{"power": true}' "$dev/config.json"
rmdir "$dev"
mkdir "$dev"
refused ENOSPC '  with its origin' put '{"origin": "'"$log"'", "store_limit": 4, "power": true}' "$dev/config.json"
check '  nothing of it is there' is origin ''
check '  nor of its log' not log_is_kept
rmdir "$dev"
check '  nothing is left' within 2 nothing_is_left

# All disks together may take 160 MiB: of them another one leaves 10.
make_disk large '{"size": 150}'
dd if=/dev/urandom of="$dev/disk" bs=1M conv=notrunc status=none count=150
begin d
pending=$(held)
refused ENOSPC 'memory_limit, on' on
says '  says what to do' '^origin: there is no memory .*; raise memory_limit' "$(last_error)"
check '  nothing of it is there' is_pending
put 0 "$mnt/large/power"
rmdir "$mnt/large"
check 'with memory, on' on
check '  it is what it ought to be' equal
check '  it ends' ends

# A history that is smaller than the log has the end of it; a disk that is smaller is refused.
begin d
pending=$(held)
put 23 "$dev/size"
refused EINVAL 'a smaller disk, on' on
says '  says what to do' 'whose record [0-9]+ is about byte [0-9]+; .* write more MiB to size' "$(last_error)"
check '  nothing of it is there' is_pending
put 24 "$dev/size"
put 0 "$dev/history"
refused EINVAL 'no history, on' on
says '  says what to do' '^power: the origin is a log, .* to history first' "$(last_error)"
check '  nothing of it is there' is_pending
put 5 "$dev/history"
check 'a small history, on' on
check '  the disk is what it ought to be' cmp "$dev/disk" "$scratch/image"
check '  it ends' ends

# --- A file that changes, or goes -----------------------------------------------------------------

begin d
cp "$log" "$scratch/kept"
rm "$log"
check 'a log that has no name any more, on' on
check '  the disk is what it ought to be' cmp "$dev/disk" "$scratch/image"
cp "$scratch/kept" "$log"
check '  it ends' ends
begin d
pending=$(held)
printf x | dd of="$log" bs=1 seek=100000 conv=notrunc status=none
refused EIO 'one that has been written to, on' on
says '  says what to do' 'is not what it was when it was written to origin; write nothing there, then it again' "$(last_error)"
check '  nothing of it is there' is_pending
cp "$scratch/kept" "$log"
check 'nothing, and then it again' put '' "$dev/origin"
put "$log" "$dev/origin"
check '  on' on
check '  it is what it ought to be' equal
check '  it ends' ends

# --- Upgrades -------------------------------------------------------------------------------------

begin d
pending=$(held)
says 'with a log to go through another worker takes over' '^worker [0-9]+ has taken over' "$("$RNULLFS" --upgrade "$mnt" 2>&1)"
check '  it is to be gone through still' is_pending
check '  on' on
check '  it is what it ought to be' equal
"$RNULLFS" --upgrade "$mnt" >"$scratch/output" 2>&1
check '  and after another one' equal
check '  it ends' ends

# --- Others, meanwhile ----------------------------------------------------------------------------

# Two begin as it, and both are switched on while their worker dies, again and again.
make_disk other '{"size": 4}'
random_file "$scratch/other" 4
dd if="$scratch/other" of="$mnt/other/disk" conv=notrunc bs=1M status=none
die() { kill -KILL "$(status .worker_pid)"; }
for i in 1 2 3 4 5 6; do
  begin d
  begin e
  put 1 "$mnt/d/power" &
  first=$!
  put 1 "$mnt/e/power" &
  second=$!
  sleep "0.0$((i * 7 % 10))"
  die
  check "$i: another disk, after a death in between" cmp "$mnt/other/disk" "$scratch/other"
  check "$i: both are on in the end" wait "$first" "$second"
  for dev in "$mnt/d" "$mnt/e"; do
    check "$i: ${dev##*/} is what it ought to be" equal
    put 0 "$dev/power"
    rmdir "$dev"
  done
  check "$i: no log is kept" not log_is_kept
done

# One of the two has it behind it when they are taken over.
for i in 1 2; do
  begin d
  begin e
  on
  die
  dev=$mnt/d
  check "$i: of two one is on, after a death: the other" on
  for dev in "$mnt/d" "$mnt/e"; do
    check "$i: ${dev##*/} is what it ought to be" equal
    put 0 "$dev/power"
    rmdir "$dev"
  done
  check "$i: no log is kept" not log_is_kept
done

# rmdir comes before it, or after; a disk that is on is not removed.
for i in 1 2 3; do
  begin d
  put 1 "$dev/power" 2>"$scratch/power" &
  power=$!
  sleep "0.0$i"
  removed=0
  rmdir "$dev" 2>"$scratch/rmdir" || removed=$?
  wait "$power" || true
  if [[ -d $dev ]]; then
    check "$i: rmdir while it is switched on: it is on" equal
    put 0 "$dev/power"
    rmdir "$dev"
  else
    same "$i: rmdir while it is switched on: it is gone" 0 "$removed"
  fi
done
rmdir_off() { put 0 "$1/power" && rmdir "$1"; }
check 'the other disk goes' rmdir_off "$mnt/other"
check 'nothing is left' within 2 nothing_is_left
unmount "$mnt"
