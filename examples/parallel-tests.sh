#!/bin/bash
# Twenty tests at once, on a disk each that begins as the one which was prepared: a clone of a
# snapshot, which takes what its test writes and no more.  Root only.
#
# usage: parallel-tests.sh [COMMAND [ARGUMENT...]]
#   COMMAND is run twenty times, with TEST in its environment (0 to 19), DISK (a block device with
#   ext4 and 2000 files, for it alone) and ROOM (a directory to mount it at).  Without one there are
#   tests to look at.  The exit status is 1 when one of them fails.
set -euo pipefail

count=20
rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
((EUID == 0)) || { echo 'loop devices and mounts are for root' >&2; exit 1; }
here=$(mktemp -d)
disks=$here/disks
declare -A running=() # process group -> test

# What is attached to a disk, by the kernel's list: whoever attached it may be gone.
detach() {
  local loop
  for loop in $(losetup --noheadings --list --output NAME,BACK-FILE | awk -v disk="$1" 'index($2, disk) == 1 { print $1 }'); do
    losetup --detach "$loop"
  done
}
# What has just been ended may still have files open there.
unmounted() {
  local i
  for ((i = 0; i < 100; ++i)); do
    mountpoint -q "$1" || return 0
    umount "$1" 2>/dev/null || sleep 0.1
  done
  umount "$1"
}

# ended SIGNAL: the process groups of the tests, and not their leaders alone.  A process that has just
# been forked may not heed the first signal; one that has ended may stay a zombie for seconds, where
# process 1 is slow to reap what it has adopted.
ended() {
  local groups group i
  groups=$(jobs -p | paste -sd,)
  [[ -n $groups ]] || return 0
  for ((i = 0; i < 100; ++i)); do
    pgrep --pgroup "$groups" --runstates D,R,S,T >/dev/null || return 0
    for group in ${groups//,/ }; do kill "-$1" -- "-$group" 2>/dev/null || true; done
    sleep 0.1
  done
  return 1
}

# In the reverse order.
clean_up() {
  trap '' INT TERM
  trap - EXIT
  ended TERM || ended KILL || true
  for room in "$here"/rooms/*; do unmounted "$room"; done
  detach "$disks/"
  unmounted "$disks"
  rm -r --one-file-system "$here"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM
mkdir -p "$disks" "$here/rooms/prepare" "$here/logs"

# attached DISK: a block device of it.
attached() { losetup --find --show --direct-io=on --sector-size 4096 "$1/disk"; }

echo '--- Once: a disk of 256 MiB with a file system and 2000 files'
"$rnullfs" -o nr_devices=0 "$disks"
mkdir "$disks/prepared"
echo '{"size": 256, "memory_backed": true, "discard": true, "power": true}' >"$disks/prepared/config.json"
loop=$(attached "$disks/prepared")
mkfs.ext4 -q "$loop"
mount "$loop" "$here/rooms/prepare"
for ((i = 0; i < 2000; ++i)); do echo "file number $i" >"$here/rooms/prepare/$i"; done
umount "$here/rooms/prepare"
losetup --detach "$loop"
mkdir "$disks/prepared/snapshots/clean"

# The tests: each has $DISK for its own.
test_of_ours() {
  case $((TEST % 4)) in
    0) # Files can be removed.
      mount "$DISK" "$ROOM"
      rm "$ROOM"/[0-9]*
      [[ $(ls "$ROOM") == lost+found ]]
      ;;
    1) # What is written is read again.
      mount "$DISK" "$ROOM"
      head -c 8M /dev/urandom | tee "$ROOM/large" | sha1sum >"$ROOM/sum"
      umount "$ROOM"
      mount "$DISK" "$ROOM"
      sha1sum <"$ROOM/large" | cmp - "$ROOM/sum"
      ;;
    2) # fsck finds another superblock.
      dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct status=none
      e2fsck -fy "$DISK" &>/dev/null || (($? == 1)) # 1: errors were corrected
      mount "$DISK" "$ROOM"
      [[ $(<"$ROOM/1999") == 'file number 1999' ]]
      ;;
    3) # All that was prepared is there.
      mount -o ro,noload "$DISK" "$ROOM"
      [[ $(cat "$ROOM"/[0-9]* | wc -l) == 2000 ]]
      ;;
  esac
}

# one TEST COMMAND...: a clone, the test on it, and what it has written; the clone goes.
one() {
  local disk=$disks/test$1
  export TEST=$1 ROOM=$here/rooms/$1
  mkdir "$disk" "$ROOM"
  echo '{"origin": "prepared@clean", "discard": true, "power": true}' >"$disk/config.json"
  DISK=$(attached "$disk")
  export DISK
  "${@:2}"
  ! mountpoint -q "$ROOM" || umount "$ROOM"
  echo "test $TEST passed, having written $(($(sed -n 's/.*"stored_bytes": \([0-9]*\).*/\1/p' "$disk/stats.json") / 1024)) KiB"
  losetup --detach "$DISK"
  rmdir "$disk"
}

echo "--- $count tests on clones of it, at once"
(($# > 0)) || set -- test_of_ours
begin=${EPOCHREALTIME/[.,]/}
set -m # a process group each, so that what an interrupted test has started ends, too
for ((test = 0; test < count; ++test)); do
  one "$test" "$@" >"$here/logs/$test" 2>&1 &
  running[$!]=$test
done
set +m
failed=()
for group in "${!running[@]}"; do
  wait "$group" || failed+=("${running[$group]}")
done
running=()
took=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))

for ((test = 0; test < count; ++test)); do cat "$here/logs/$test"; done
if ((${#failed[@]} > 0)); then
  echo "failed: $(printf '%s\n' "${failed[@]}" | sort -n | xargs)"
  exit 1
fi
echo "--- All have passed, in $took ms; what was prepared is as it was."
cmp "$disks/prepared/disk" "$disks/prepared/snapshots/clean/disk"
