#!/bin/bash
# A file system on a loop device: files keep their checksums, and fsck finds nothing to complain
# about.
# usage: file_system.sh ext4|xfs BLOCKSIZE [LOSETUP-OPTION...]
. "$(dirname "$0")/../lib.sh"
type=${1:-ext4}
blocksize=${2:-4096}
shift $(($# < 2 ? $# : 2))
needs root fuse loop jq "mkfs.$type"
grep -qw "$type" /proc/filesystems || modprobe -q "$type" || cannot_run "the kernel has no $type"
mount_rnullfs -o nr_devices=0
make_disk d "{\"size\": 512, \"blocksize\": $blocksize}" # mkfs.xfs takes nothing below 300 MiB
mkdir "$scratch/files" "$scratch/fs"

make() {
  case $type in
    ext4) mkfs.ext4 -q "$loop" ;;
    xfs) mkfs.xfs -q "$loop" ;;
  esac
}
is_clean() {
  case $type in
    ext4) e2fsck -fn "$loop" ;;
    xfs) xfs_repair -n "$loop" ;;
  esac
}
sums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

# Source files, a large one, a sparse one, and many in a directory.
cp -r "$tests/../src" "$tests/../include" "$scratch/files"
random_file "$scratch/files/large" 24
dd if=/dev/urandom of="$scratch/files/sparse" bs=64k seek=1000 count=1 status=none
mkdir "$scratch/files/many"
head -c 4M "$scratch/files/large" | split -b 8000 -a 4 - "$scratch/files/many/"
sums "$scratch/files" >"$scratch/expected"

check "losetup $*" attach "$@" "$dev/disk"
check "mkfs.$type" make
check 'mount' mount "$loop" "$scratch/fs"
check 'copying files' cp -r "$scratch/files/." "$scratch/fs"
check 'umount' umount "$scratch/fs"
check 'fsck finds nothing wrong' is_clean

check 'mount again' mount "$loop" "$scratch/fs"
check 'every checksum is right' diff "$scratch/expected" <(sums "$scratch/fs")
check 'deleting and writing' rm -r "$scratch/fs/many" "$scratch/fs/src"
check '  at the same time' cp -r "$scratch/files/src" "$scratch/fs"
check '  and appending' cp "$scratch/files/large" "$scratch/fs/second"
sync -f "$scratch/fs"
check 'fstrim' fstrim "$scratch/fs"
check 'umount' umount "$scratch/fs"
check 'fsck finds nothing wrong' is_clean

detach "$loop"
put 0 "$dev/power"
put 1 "$dev/power"
check 'after a power cycle: attach' attach "$@" "$dev/disk"
check 'mount' mount -o ro "$loop" "$scratch/fs"
check 'every checksum is right' diff <(grep -v ./many/ "$scratch/expected") \
  <(sums "$scratch/fs" | grep -v ./second)
check 'umount' umount "$scratch/fs"
same 'no request failed' 0 "$(field "$dev/stats.json" '[.[] | objects | .errors] | add')"
