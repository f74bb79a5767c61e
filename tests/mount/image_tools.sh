#!/bin/bash
# Programs that work on disk images work on the disk file: no loop device, no root.
. "$(dirname "$0")/../lib.sh"
needs fuse jq
mount_rnullfs -o nr_devices=0
random_file "$scratch/random" 4
# with PROGRAM: whether it is installed; a check is skipped where not.
with() { command -v "$1" >/dev/null || { skip_check "$1" 'it is not installed'; false; }; }

if with qemu-img; then
  make_disk image '{"size": 256}'
  truncate -s 256M "$scratch/in.raw"
  dd if="$scratch/random" of="$scratch/in.raw" bs=1M seek=100 conv=notrunc status=none
  qemu-img convert -f raw -O qcow2 "$scratch/in.raw" "$scratch/in.qcow2"
  check 'qemu-img convert to the disk' \
    qemu-img convert -n -f qcow2 -O raw "$scratch/in.qcow2" "$dev/disk"
  check 'the same bytes arrive' cmp "$dev/disk" "$scratch/in.raw"
  check 'and little more is stored' test "$(stored_mib "$dev")" -le 8
  check 'qemu-img convert from the disk' \
    qemu-img convert -f raw -O qcow2 "$dev/disk" "$scratch/out.qcow2"
  check 'the same bytes' qemu-img compare -f qcow2 -F raw "$scratch/out.qcow2" "$scratch/in.raw"
  check 'and no holes filled' test "$(du -k "$scratch/out.qcow2" | cut -f1)" -le 8192
  says 'qemu-img info' 'virtual size: 256 MiB' "$(qemu-img info -f raw "$dev/disk")"
fi

if with mkfs.ext4; then
  for blocksize in 512 4096; do
    make_disk "ext4-$blocksize" "{\"size\": 128, \"blocksize\": $blocksize}"
    check "mkfs.ext4, $blocksize-byte blocks" mkfs.ext4 -q -F "$dev/disk"
    check 'debugfs writes a file' debugfs -w -R "write $scratch/random file" "$dev/disk"
    check 'e2fsck finds nothing wrong' e2fsck -fn "$dev/disk"
    check 'debugfs reads it' debugfs -R "dump file $scratch/dumped" "$dev/disk"
    check 'the same bytes' cmp "$scratch/dumped" "$scratch/random"
    check 'resize2fs shrinks it' resize2fs "$dev/disk" 64M
    check 'e2fsck finds nothing wrong then' e2fsck -fn "$dev/disk"
  done
fi

if with mkfs.xfs; then
  for blocksize in 512 4096; do
    make_disk "xfs-$blocksize" "{\"size\": 512, \"blocksize\": $blocksize}"
    check "mkfs.xfs, $blocksize-byte sectors" mkfs.xfs -q -s size="$blocksize" "$dev/disk"
    check 'xfs_repair finds nothing wrong' xfs_repair -n -f "$dev/disk"
  done
fi
