#!/bin/bash
# The same disk for every test: prepared once, then used by one test after the other, and put back in
# between.  What a test has done to it is gone in milliseconds, whatever that was.  Root only.
set -euo pipefail

rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
((EUID == 0)) || { echo 'loop devices and mounts are for root' >&2; exit 1; }
here=$(mktemp -d)
disk=$here/disks/d
loop=''

# In the reverse order.
clean_up() {
  trap '' INT TERM
  trap - EXIT
  detach
  ! mountpoint -q "$here/disks" || umount "$here/disks"
  rm -r --one-file-system "$here"
}
attach() {
  loop=$(losetup --find --show --direct-io=on --sector-size 4096 "$disk/disk")
}
detach() {
  ! mountpoint -q "$here/ext4" || umount "$here/ext4"
  [[ -z $loop ]] || losetup --detach "$loop"
  loop=''
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM
mkdir "$here/disks" "$here/ext4"

echo '--- Once: a disk of 256 MiB with a file system and 2000 files'
"$rnullfs" -o nr_devices=0 "$here/disks"
mkdir "$disk"
echo '{"size": 256, "memory_backed": true, "discard": true, "power": true}' >"$disk/config.json"
attach
mkfs.ext4 -q "$loop"
mount "$loop" "$here/ext4"
for ((i = 0; i < 2000; ++i)); do echo "file number $i" >"$here/ext4/$i"; done
detach

echo '--- and a snapshot of it.'
mkdir "$disk/snapshots/clean"
cat "$disk/snapshots/clean/info.json"

# The tests: each gets the disk as $loop, and takes it for its own.
test_that_files_can_be_removed() {
  mount "$loop" "$here/ext4"
  rm "$here/ext4"/[0-9]*
  [[ $(ls "$here/ext4") == lost+found ]]
}
test_that_a_full_disk_is_noticed() {
  mount "$loop" "$here/ext4"
  ! head -c 1G /dev/zero >"$here/ext4/large" 2>/dev/null
}
test_that_fsck_finds_another_superblock() {
  dd if=/dev/zero of="$loop" bs=4k count=1 oflag=direct status=none
  e2fsck -fy "$loop" >/dev/null || (($? == 1)) # 1: errors were corrected
  mount "$loop" "$here/ext4"
  [[ $(<"$here/ext4/1999") == 'file number 1999' ]]
}

for test in test_that_files_can_be_removed test_that_a_full_disk_is_noticed \
  test_that_fsck_finds_another_superblock; do
  echo "--- $test"
  attach
  "$test"
  detach
  begin=${EPOCHREALTIME/[.,]/}
  echo clean >"$disk/rollback"
  echo "passed; the disk was put back in $((${EPOCHREALTIME/[.,]/} - begin)) microseconds"
done

echo '--- The disk is what it was: byte by byte, and to its file system.'
cmp "$disk/disk" "$disk/snapshots/clean/disk"
e2fsck -fn "$disk/disk"

echo '--- To look at the snapshot, no test is needed: it is a disk, which cannot be written.'
loop=$(losetup --find --show --read-only "$disk/snapshots/clean/disk")
mount -o ro "$loop" "$here/ext4"
cat "$here/ext4/1999"
