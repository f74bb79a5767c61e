#!/bin/bash
# A disk's block size and the sectors of a loop device on it: direct I/O has to be in whole blocks.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq mkfs.ext4 mkfs.xfs

mount_rnullfs -o nr_devices=0
datapath=daemon

direct() { dd if=/dev/zero of="$1" bs="$2" count=1 seek="${3:-0}" oflag=direct conv=notrunc status=none; }

make_disk small '{"blocksize": 4096}'
refused EINVAL 'half a block, written with O_DIRECT' direct "$dev/disk" 2048
says 'last_error says what to do' 'losetup --sector-size 4096' "$(<"$dev/last_error")"
check 'a block' direct "$dev/disk" 4096
refused EINVAL 'half a block, read with O_DIRECT' \
  dd if="$dev/disk" of=/dev/null bs=512 count=1 iflag=direct status=none
check 'without O_DIRECT it goes by the byte' \
  dd if=/dev/zero of="$dev/disk" bs=100 count=3 conv=notrunc status=none
attach --direct-io=on "$dev/disk"
refused EINVAL 'a sector of a loop device with direct I/O' direct "$loop" 512
detach "$loop"
attach "$dev/disk"
check 'a sector of a plain loop device' direct "$loop" 512
detach "$loop"
attach --direct-io=on --sector-size 4096 "$dev/disk"
same 'with --sector-size the loop device has the blocks' 4096 "$(blockdev --getss "$loop")"
refused EINVAL 'and refuses by itself' direct "$loop" 512
check 'a block of it' direct "$loop" 4096
detach "$loop"

for blocksize in 512 1024 2048 4096; do
  make_disk "of-$blocksize" "{\"blocksize\": $blocksize, \"size\": 512}"
  same "$blocksize: statfs has it" "$blocksize" "$(stat -f -c %s "$dev/disk")"
  for type in ext4 xfs; do
    attach --direct-io=on --sector-size "$blocksize" "$dev/disk"
    if [[ $type == ext4 ]]; then force=-F; else force=-f; fi
    check "$blocksize: mkfs.$type" "mkfs.$type" -q "$force" "$loop"
    mkdir -p "$scratch/fs"
    check "$blocksize: mount $type" mount "$loop" "$scratch/fs"
    check "$blocksize: a file on it" cp "$RNULLFS" "$scratch/fs/file"
    umount "$scratch/fs"
    detach "$loop"
  done
  same "$blocksize: no request failed" 0 "$(field "$dev/stats.json" '.reads.errors + .writes.errors')"
done
