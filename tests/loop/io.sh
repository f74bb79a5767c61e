#!/bin/bash
# Reading and writing a loop device on a disk, by dd and by fio with checksums.
# usage: io.sh BLOCKSIZE [LOSETUP-OPTION...]
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio
blocksize=${1:-4096}
shift || true
mount_rnullfs -o nr_devices=0
make_disk d "{\"size\": 128, \"blocksize\": $blocksize}"
random_file "$scratch/random" 64
passthrough_possible || datapath=daemon
errors() { field "$dev/stats.json" '[.[] | objects | .errors] | add'; }

check "losetup $*" attach "$@" "$dev/disk"
same 'who serves it' "${datapath/auto/passthrough}" "$(field "$dev/stats.json" .datapath)"
sector=$(blockdev --getss "$loop")
same 'the size' $((128 << 20)) "$(blockdev --getsize64 "$loop")"

# --- dd -------------------------------------------------------------------------------------------

check 'dd' dd if="$scratch/random" of="$loop" bs=1M conv=fsync status=none
blockdev --flushbufs "$loop"
check 'the same comes back' cmp -n $((64 << 20)) "$loop" "$scratch/random"
check 'also from the disk itself' cmp -n $((64 << 20)) "$dev/disk" "$scratch/random"
check 'the rest is empty' cmp -i $((64 << 20)):0 -n $((64 << 20)) "$loop" /dev/zero
random_file "$scratch/random" 16
check 'dd, O_DIRECT' dd if="$scratch/random" of="$loop" bs=64k oflag=direct status=none
check 'dd, O_DIRECT, back' cmp -n $((16 << 20)) <(dd if="$loop" bs=64k iflag=direct count=256 \
  status=none) "$scratch/random"
at=$(((32 << 20) + sector))
cp --sparse=always "$dev/disk" "$scratch/expected"
dd if="$scratch/random" of="$scratch/expected" bs="$sector" count=1 seek=$((at / sector)) \
  conv=notrunc status=none
check 'one sector' dd if="$scratch/random" of="$loop" bs="$sector" count=1 seek=$((at / sector)) \
  oflag=direct,dsync status=none
check 'changes itself and nothing else' cmp "$loop" "$scratch/expected"
refused ENOSPC 'dd beyond the end' dd if=/dev/zero of="$loop" bs=1M seek=128 count=1 status=none

# --- fio ------------------------------------------------------------------------------------------

verified() {
  fio --name="$1" --filename="$loop" --direct=1 --ioengine=libaio --verify=crc32c \
    --verify_fatal=1 --verify_state_save=0 --randrepeat=0 --output="$scratch/fio" "${@:2}"
}
check 'random 4 KiB writes, verified' verified random --rw=randwrite --bs=4k --iodepth=32 --size=16M
check 'random sizes and directions, verified' verified mixed --rw=randrw --iodepth=32 --size=32M \
  --bsrange="$sector-256k" --blockalign="$sector"
check 'single sectors, verified' verified sectors --rw=randwrite --bs="$sector" --iodepth=32 --size=8M
check 'through the page cache, verified' verified cached --direct=0 --ioengine=psync --rw=randwrite \
  --bs=16k --size=16M --fsync=64
check 'four jobs side by side, verified' verified jobs --rw=randwrite --bs=4k --iodepth=8 --numjobs=4 \
  --size=8M --offset_increment=8M

# --- Again ----------------------------------------------------------------------------------------

sum=$(sha256sum <"$loop")
detach "$loop"
check 'switched off and on' put '{"power": false}' "$dev/config.json"
put 1 "$dev/power"
attach --read-only "$@" "$dev/disk"
same 'attached again, read-only: the same bytes' "$sum" "$(sha256sum <"$loop")"
refused EPERM 'and not to be written' dd if=/dev/zero of="$loop" bs=4k count=1 oflag=direct
same 'no request failed' 0 "$(errors)"
