#!/bin/bash
# File systems on a disk that is limited, slow and cached at once: what is written is there after a
# power cycle, and what is discarded is free memory, in the cache as well.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq mkfs.ext4 e2fsck mkfs.xfs xfs_repair fstrim blkdiscard

mount_rnullfs -o nr_devices=0
mkdir "$scratch/files" "$scratch/fs"
cp -r "$tests/../src" "$scratch/files"
random_file "$scratch/files/large" 12 # more than the cache holds
dd if=/dev/urandom of="$scratch/files/sparse" bs=64k seek=1000 count=1 status=none
mkdir "$scratch/files/many"
head -c 1M "$scratch/files/large" | split -b 3000 -a 4 - "$scratch/files/many/"

make() {
  case $type in
    ext4) mkfs.ext4 -q -F "$loop" ;;
    xfs) mkfs.xfs -q -f "$loop" ;;
  esac
}
is_clean() {
  case $type in
    ext4) e2fsck -fn "$loop" ;;
    xfs) xfs_repair -n "$loop" ;;
  esac
}
mounted() { mount "$loop" "$scratch/fs"; }
identical() { diff -r --no-dereference "$1" "$scratch/fs/$2"; }
stored() { field "$dev/stats.json" .stored_pages; }
cached() { field "$dev/stats.json" .cache.pages; }
trim_frees() { # PAGES STORED-BEFORE
  fstrim "$scratch/fs" && (($2 - $(stored) >= $1))
}
cycle() { # BLOCKSIZE
  detach "$loop" && put 0 "$dev/power" && put 1 "$dev/power" && attach --direct-io=on --sector-size "$1" "$dev/disk"
}

for type in ext4 xfs; do
  if ! grep -qw "$type" /proc/filesystems && ! modprobe -q "$type"; then
    skip_check "$type" "the kernel has no $type"
    continue
  fi
  for blocksize in 512 4096; do
    make_disk "$type-$blocksize" "{\"size\": 320, \"blocksize\": $blocksize, \"mbps\": 400, \"irqmode\": 2,
      \"completion_nsec\": 20000, \"cache_size\": 8}"
    attach --direct-io=on --sector-size "$blocksize" "$dev/disk"
    same "$type, blocks of $blocksize: the daemon serves the disk" daemon "$(field "$dev/stats.json" .datapath)"
    check '  mkfs' make
    check '  mount' mounted
    check '  files are copied' cp -r "$scratch/files" "$scratch/fs"
    check '  sync' sync -f "$scratch/fs"
    # What the journal has already may be written after its last flush.
    check '  next to nothing is left in the cache' test "$(cached)" -le 256
    check '  which was used' test "$(field "$dev/stats.json" .cache.written_back)" -ge 3000
    check '  umount' umount "$scratch/fs"
    check '  fsck finds nothing wrong' is_clean

    check 'mount again' mounted
    check '  the files are identical' identical "$scratch/files" files
    check '  a second copy' cp -r "$scratch/files/src" "$scratch/fs/second"
    check '  and one that goes' rm -r "$scratch/fs/files/many"
    umount "$scratch/fs"

    check 'a power cycle' cycle "$blocksize"
    check '  fsck finds nothing wrong' is_clean
    check '  mount' mounted
    check '  the second copy is identical' identical "$scratch/files/src" second
    check '  so are the first' identical "$scratch/files/large" files/large
    check '  and the sparse file' identical "$scratch/files/sparse" files/sparse
    same '  what was deleted is gone' no "$(test -e "$scratch/fs/files/many" && echo there || echo no)"

    before=$(stored)
    rm "$scratch/fs/files/large"
    sync -f "$scratch/fs"
    # xfs passes over what its log is still busy with.
    check 'fstrim of a deleted file frees its memory' within 20 trim_frees $((12 * 256)) "$before"
    check '  the rest is identical' identical "$scratch/files/src" second
    umount "$scratch/fs"
    check '  and fsck finds nothing wrong' is_clean

    if [[ $type == ext4 ]]; then
      dd if="$scratch/files/large" of="$loop" bs=1M seek=64 oflag=direct status=none
      check 'mkfs.ext4 -E discard' mkfs.ext4 -q -F -E discard "$loop"
      sync "$loop"
      check "  leaves little: $(stored) pages" test "$(stored)" -le $((6 * 256))
      check '  and nothing wrong' is_clean
    fi
    dd if="$scratch/files/large" of="$loop" bs=1M seek=64 count=4 oflag=direct status=none
    check 'some is cached' test "$(cached)" -ge 1024
    check 'blkdiscard' blkdiscard --force "$loop"
    same '  frees what is stored, and what is cached' '0 0' "$(stored) $(cached)"
    same '  it reads as zeros' 0 \
      "$(dd if="$loop" bs=1M skip=64 count=12 iflag=direct status=none | tr -d '\0' | wc -c)"
    same 'no request failed' 0 "$(field "$dev/stats.json" '[.[] | objects | .errors] | add')"
    detach "$loop"
  done
done
