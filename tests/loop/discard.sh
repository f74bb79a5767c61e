#!/bin/bash
# What a loop device discards becomes free memory, in units of the disk's block size.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio blkdiscard fstrim mkfs.ext4
mount_rnullfs -o nr_devices=0
mkdir "$scratch/fs"
queue() { cat "/sys/block/${loop##*/}/queue/$1"; }
stored() { field "$dev/stats.json" .stored_bytes; }
fill_disk() { dd if="$scratch/random" of="$loop" bs=1M oflag=direct status=none; }
random_file "$scratch/random" 64
mib=$((1 << 20))

for blocksize in 512 4096; do
  make_disk "d$blocksize" "{\"size\": 64, \"blocksize\": $blocksize}"
  attach --direct-io=on "$dev/disk"
  same "$blocksize-byte blocks: discard_granularity" "$blocksize" "$(queue discard_granularity)"
  check 'discards may be large' test "$(queue discard_max_bytes)" -ge $((64 * mib))
  fill_disk
  same 'a full disk' $((64 * mib)) "$(stored)"

  check 'blkdiscard of a range' blkdiscard --offset $((8 * mib)) --length $((16 * mib)) "$loop"
  same 'frees its memory' $((48 * mib)) "$(stored)"
  check 'the range reads as zeros' cmp -i $((8 * mib)):0 -n $((16 * mib)) "$loop" /dev/zero
  check 'what lies before is the same' cmp -n $((8 * mib)) "$loop" "$scratch/random"
  check 'what lies behind is the same' cmp -i $((24 * mib)) "$loop" "$scratch/random"

  check 'blkdiscard --zeroout' blkdiscard --zeroout --offset $((32 * mib)) --length $((4 * mib)) "$loop"
  check 'gives zeros' cmp -i $((32 * mib)):0 -n $((4 * mib)) "$loop" /dev/zero
  check 'blkdiscard of everything' blkdiscard "$loop"
  same 'frees everything' 0 "$(stored)"
  check 'and reads as zeros' cmp -n $((64 * mib)) "$loop" /dev/zero
  detach "$loop"
done

# --- Blocks smaller than a page -------------------------------------------------------------------

dev=$mnt/d512
attach --direct-io=on "$dev/disk"
fill_disk
check 'a discard of single blocks' blkdiscard --offset 512 --length 1024 "$loop"
check 'gives zeros there' cmp -i 512:0 -n 1024 "$loop" /dev/zero
check 'and nothing before' cmp -n 512 "$loop" "$scratch/random"
check 'nor behind' cmp -i 1536 "$loop" "$scratch/random"
check 'a discard that does not begin with a page' blkdiscard --offset 3584 --length $((mib)) "$loop"
same 'frees the whole pages in it' $((63 * mib + 4096)) "$(stored)"

# --- Under load -----------------------------------------------------------------------------------

# Each job has its half of the disk.
writes_beside_discards() {
  fio --direct=1 --ioengine=libaio --iodepth=16 --filename="$loop" --size=32M --randrepeat=0 \
    --name=writes --rw=randwrite --bs=512-8k --blockalign=512 --verify=crc32c \
    --verify_fatal=1 --verify_state_save=0 \
    --name=discards --rw=randtrim --bs=64k --offset=32M
}
check 'verified writes beside discards' writes_beside_discards
same 'what was discarded is zero' 0 "$(tail -c $((32 * mib)) "$loop" | tr -d '\0' | wc -c)"

# --- A file system --------------------------------------------------------------------------------

check 'mkfs.ext4 discards first' mkfs.ext4 -q -F "$loop"
check 'so that little is stored' test "$(stored_mib "$dev")" -le 16
for how in fstrim 'mount -o discard'; do
  if [[ $how == fstrim ]]; then options=rw; else options=discard; fi
  mount -o "$options" "$loop" "$scratch/fs"
  cp "$scratch/random" "$scratch/fs/file" 2>/dev/null || true # it does not quite fit
  sync -f "$scratch/fs"
  check "$how: a file is stored" test "$(stored_mib "$dev")" -ge 40
  rm "$scratch/fs/file"
  sync -f "$scratch/fs"
  [[ $how != fstrim ]] || check 'fstrim' fstrim "$scratch/fs"
  little_is_stored() { (($(stored_mib "$dev") <= 16)); }
  check "$how: and its memory is free when it is deleted" within 5 little_is_stored
  umount "$scratch/fs"
done
check 'e2fsck finds nothing wrong' e2fsck -fn "$loop"
same 'no request failed' 0 "$(field "$dev/stats.json" '[.[] | objects | .errors] | add')"
