#!/bin/bash
# A first disk: make it, configure it, use it, change it, remove it.  Any user can run this.
set -euo pipefail

# Where things are: the program, and a directory to mount on.
rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
mnt=$(mktemp -d)

# Whatever happens, leave nothing behind.  Root's own umount does without fusermount3.
clean_up() {
  trap '' INT TERM
  trap - EXIT
  if mountpoint -q "$mnt"; then umount "$mnt" 2>/dev/null || fusermount3 -u "$mnt"; fi
  rmdir "$mnt"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

echo '--- Mount.  The command returns when the mount is ready; nr_devices=0: no disks yet.'
"$rnullfs" -o nr_devices=0 "$mnt"
ls "$mnt"

echo '--- mkdir makes a disk.  It is off, and can be configured.'
mkdir "$mnt/d"
ls "$mnt/d"

echo '--- One attribute at a time, as with null_blk in configfs:'
echo 64 >"$mnt/d/size" # MiB
echo 1 >"$mnt/d/memory_backed"

echo '--- or several at once, all or none of them:'
echo '{"size": "1G", "blocksize": 512}' >"$mnt/d/config.json"

echo '--- or with an editor: try  vim '"$mnt"'/d/config.json  in another terminal.'
cat "$mnt/d/config.json"

echo '--- What is not accepted is refused, and last_error says why.'
echo 3 >"$mnt/d/irqmode" || cat "$mnt/d/last_error"

echo '--- Power on: the file disk is the disk.'
echo 1 >"$mnt/d/power"
ls -lh "$mnt/d/disk"

echo '--- Write to it like to any disk, and read it back.'
echo 'hello, disk' | dd of="$mnt/d/disk" bs=512 seek=1000 conv=notrunc,sync status=none
dd if="$mnt/d/disk" bs=512 skip=1000 count=1 status=none | head -n 1

echo '--- Memory is used only for what has been written.'
du -h "$mnt/d/disk"
grep stored "$mnt/d/stats.json"

echo '--- Off, larger, and on again: what was stored is still there.'
echo 0 >"$mnt/d/power"
echo 2048 >"$mnt/d/size"
echo 1 >"$mnt/d/power"
ls -lh "$mnt/d/disk"
dd if="$mnt/d/disk" bs=512 skip=1000 count=1 status=none | head -n 1

echo '--- rmdir removes the disk and frees its memory.'
rmdir "$mnt/d"
