#!/bin/bash
# A file system on a disk in memory: losetup makes a block device of the disk file, and what is
# deleted in the file system becomes free memory again.  Root only.
set -euo pipefail

rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
((EUID == 0)) || { echo 'loop devices and mounts are for root' >&2; exit 1; }
here=$(mktemp -d)
loop=''

# In the reverse order.
clean_up() {
  trap '' INT TERM
  trap - EXIT
  ! mountpoint -q "$here/ext4" || umount "$here/ext4"
  [[ -z $loop ]] || losetup --detach "$loop"
  ! mountpoint -q "$here/disks" || umount "$here/disks"
  rm -r --one-file-system "$here"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM
mkdir "$here/disks" "$here/ext4"

stored() { grep stored_bytes "$here/disks/rnullb0/stats.json"; }

echo '--- The whole disk on the command line: 4 GiB, memory backed, powered on.'
"$rnullfs" -o gb=4,memory_backed,discard,power "$here/disks"

echo '--- A block device.  With --direct-io=on the kernel keeps no second copy of the data, and hands on'
echo '    as many requests at once as there are.'
loop=$(losetup --find --show --direct-io=on --sector-size 4096 "$here/disks/rnullb0/disk")
lsblk "$loop"

echo '--- A file system of 4 GiB takes a few MiB of memory.'
mkfs.ext4 -q "$loop"
mount "$loop" "$here/ext4"
df -h "$here/ext4"
stored

echo '--- 200 MiB of files'
for i in 1 2 3 4; do head -c 50M /dev/urandom >"$here/ext4/file$i"; done
sync -f "$here/ext4"
stored

echo '--- deleted, and the memory given back.  Mount with -o discard to have it done at once.'
rm "$here"/ext4/file*
sync -f "$here/ext4" # what the journal still holds is not free yet
fstrim -v "$here/ext4"
stored

echo '--- The disk cannot be switched off while it is in use.'
echo 0 >"$here/disks/rnullb0/power" || cat "$here/disks/rnullb0/last_error"

echo '--- Unmounted, it passes its check.'
umount "$here/ext4"
e2fsck -fn "$loop"
