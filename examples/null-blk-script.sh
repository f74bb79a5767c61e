#!/bin/bash
# A script for the kernel's null_blk: a device is made in configfs, set up, powered on, used, broken
# and removed.  With the mount point of rnullfs in place of configfs' directory it does the same.
# Root only.
#
# usage: null-blk-script.sh [DIRECTORY]
#   DIRECTORY is where devices are made: /sys/kernel/config/nullb if none is given.
#
#   modprobe null_blk nr_devices=0; examples/null-blk-script.sh
#   rnullfs -o nr_devices=0 /mnt; examples/null-blk-script.sh /mnt
set -euo pipefail

nullb=${1:-/sys/kernel/config/nullb} # what has to change
dev=$nullb/scratch
disk=''
loop=''

[[ -d $nullb ]] || { echo "there is no $nullb" >&2; exit 1; }
((EUID == 0)) || { echo 'block devices are for root' >&2; exit 1; }

# --- What is new for rnullfs: its block devices are loop devices on the file "disk" ---------------------

attach_if_file() {
  [[ -f $dev/disk ]] || return 0
  loop=$(losetup --find --show --direct-io=on --sector-size "$(<"$dev/blocksize")" "$dev/disk")
  disk=$loop
}
detach_if_attached() {
  [[ -z $loop ]] || losetup --detach "$loop"
  loop=''
}

# --- The script as it was -------------------------------------------------------------------------------

# Named after its directory, or in kernels before 6.0 after its index.
find_disk() {
  disk=/dev/${dev##*/}
  [[ -b $disk ]] || disk=/dev/nullb$(<"$dev/index")
}

clean_up() {
  trap '' INT TERM
  trap - EXIT
  detach_if_attached
  if [[ -d $dev ]]; then
    echo 0 >"$dev/power"
    rmdir "$dev"
  fi
  rm -f "$written"
}
written=$(mktemp)
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

echo '--- What can be set:'
cat "$nullb/features"

echo '--- A device of 256 MiB that keeps what is written, takes 50 us for each request and no more than'
echo '    400 MiB/s, and has a write cache of 8 MiB'
mkdir "$dev"
echo 256 >"$dev/size"
echo 512 >"$dev/blocksize"
echo 1 >"$dev/memory_backed"
echo 1 >"$dev/discard"
echo 2 >"$dev/irqmode"
echo 50000 >"$dev/completion_nsec"
echo 1 >"$dev/submit_queues"
echo 64 >"$dev/hw_queue_depth"
echo 2 >"$dev/queue_mode"
echo 8 >"$dev/cache_size"
echo 400 >"$dev/mbps"
echo 1 >"$dev/power"
find_disk
attach_if_file
lsblk -o NAME,SIZE,LOG-SEC,DISC-MAX "$disk"

echo '--- While it is on, most of that cannot change.'
echo 512 >"$dev/size" || true

echo '--- dd'
head -c 16M /dev/urandom >"$written"
dd if="$written" of="$disk" bs=1M oflag=direct conv=notrunc
dd if="$disk" bs=1M count=16 iflag=direct status=none | cmp - "$written"
echo 'the same is read'

echo '--- Bad sectors'
echo '+2048-2055' >"$dev/badblocks"
cat "$dev/badblocks"
if dd if="$disk" of=/dev/null bs=4k count=1 skip=256 iflag=direct; then
  echo 'a bad sector was read' >&2
  exit 1
fi
dd if="$disk" of=/dev/null bs=4k count=1 skip=257 iflag=direct status=none
echo 'the sectors behind them can be read'
echo '-2048-2055' >"$dev/badblocks"
dd if="$disk" bs=1M count=16 iflag=direct status=none | cmp - "$written"
echo 'and all of them, now that none is bad'

echo '--- A file system'
mkfs.ext4 -q -F "$disk"
e2fsck -fn "$disk"

echo '--- Off, and away'
detach_if_attached
echo 0 >"$dev/power"
rmdir "$dev"
