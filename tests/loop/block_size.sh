#!/bin/bash
# A disk's block size and the sectors of a loop device on it: direct I/O has to be in whole blocks.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq mkfs.ext4 mkfs.xfs

mount_rnullfs -o nr_devices=0
datapath=daemon

direct() { dd if=/dev/zero of="$1" bs="$2" count=1 seek="${3:-0}" oflag=direct conv=notrunc status=none; }

make_disk small '{"blocksize": 4096}'
refused EINVAL 'half a block, written with O_DIRECT' direct "$dev/disk" 2048
says 'last_error says what to do' 'whole blocks of it, or write 512 to blocksize' "$(<"$dev/last_error")"
check 'a block' direct "$dev/disk" 4096
refused EINVAL 'half a block, read with O_DIRECT' \
  dd if="$dev/disk" of=/dev/null bs=512 count=1 iflag=direct status=none
check 'without O_DIRECT it goes by the byte' \
  dd if=/dev/zero of="$dev/disk" bs=100 count=3 conv=notrunc status=none
attach --direct-io=on "$dev/disk"
check 'a sector of a loop device with direct I/O' direct "$loop" 512
same 'of which the disk makes a block' true "$(field "$dev/stats.json" .emulates_sectors)"
refused EINVAL 'half a block is still refused to others' direct "$dev/disk" 2048
detach "$loop"
attach "$dev/disk"
check 'a sector of a plain loop device' direct "$loop" 512
detach "$loop"
attach --direct-io=on --sector-size 4096 "$dev/disk"
same 'with --sector-size the loop device has the blocks' 4096 "$(blockdev --getss "$loop")"
refused EINVAL 'and refuses by itself' direct "$loop" 512
check 'a block of it' direct "$loop" 4096
detach "$loop"

# The card's own commands, whatever the disk: losetup -f, mkfs, mount.
mkdir -p "$scratch/fs"
mkfs_and_mount() {
  attach "$@" "$dev/disk" && mkfs.ext4 -q -F "$loop" && mount "$loop" "$scratch/fs" &&
    cp "$scratch/file" "$scratch/fs/file" && umount "$scratch/fs" && mount "$loop" "$scratch/fs" &&
    cmp "$scratch/file" "$scratch/fs/file" && umount "$scratch/fs" && e2fsck -fn "$loop" &&
    detach "$loop"
}
random_file "$scratch/file" 1
for blocksize in 512 1024 2048 4096; do
  for datapath in auto daemon passthrough; do
    [[ $datapath != passthrough ]] || passthrough_possible || continue
    for mode in off on; do
      make_disk "m-$blocksize-$datapath-$mode" "{\"blocksize\": $blocksize, \"size\": 16}"
      check "blocksize $blocksize, $datapath, direct I/O $mode" mkfs_and_mount --direct-io=$mode
      same '  no request failed' 0 "$(field "$dev/stats.json" '[.[] | objects | .errors] | add')"
    done
  done
done
datapath=daemon

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
