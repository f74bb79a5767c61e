#!/bin/bash
# Bad sectors under a loop device: EIO exactly there and nowhere else, as blktests look for it.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio blkdiscard

mount_rnullfs -o nr_devices=0

# fails_at: the sectors of the first 64 that a direct read of one sector fails at.
fails_at() {
  local sector bad=()
  for ((sector = 0; sector < 64; ++sector)); do
    dd if="$loop" of=/dev/null bs=512 count=1 skip="$sector" iflag=direct status=none 2>/dev/null ||
      bad+=("$sector")
  done
  echo "${bad[*]}"
}
write() { # FIRST COUNT
  dd if=/dev/zero of="$loop" bs=512 count=1 seek="$1" count="$2" oflag=direct conv=notrunc status=none
}
# In one write(2): bash's echo makes one of each line.
mark() { cat >"$dev/badblocks" <<<"$1"; }

for memory_backed in true false; do
  what="memory_backed=$memory_backed"
  make_disk "d-$memory_backed" "{\"memory_backed\": $memory_backed}"
  attach --direct-io=on "$dev/disk"
  if passthrough_possible && [[ $datapath == auto && $memory_backed == true ]]; then
    refused EBUSY "$what: not while the kernel serves the disk" mark +8-15
    says 'last_error says why' 'badblocks has bad sectors: not while disk is open' "$(<"$dev/last_error")"
    detach "$loop"
    mark +8-8
    attach --direct-io=on "$dev/disk"
    mark -8-8
  fi
  same "$what: no bad sectors" '' "$(fails_at)"
  mark $'+8-10\n+40-40'
  same "$what: bad ones, while powered" '8 9 10 40' "$(fails_at)"
  same "$what: the file" $'8 3\n40 1' "$(<"$dev/badblocks")"
  check "$what: a write beside them" write 0 8
  refused EIO "$what: a write that touches one" write 4 5
  refused EIO "$what: a write that ends in one" write 39 2
  check "$what: and behind them" write 11 29
  if [[ $memory_backed == true ]]; then
    refused EIO 'a discard' blkdiscard --force --offset 4096 --length 4096 "$loop"
    check 'and one beside it' blkdiscard --force --offset $((11 * 512)) --length 4096 "$loop"
  fi
  mark -9-40
  same "$what: cleared" 8 "$(fails_at)"
  detach "$loop"
  put 0 "$dev/power"
  put 1 "$dev/power"
  attach --direct-io=on "$dev/disk"
  same "$what: they outlast a power cycle" 8 "$(fails_at)"
  detach "$loop"
done

# --- Refusals ---------------------------------------------------------------------------------------

refused EINVAL 'no range' mark 8-15
refused EINVAL 'a range that ends before it begins' mark +15-8
refused ENOSPC 'more than 512 entries' mark +0-262144
refused EINVAL 'a good line and a bad one' mark $'+100-200\nx'
same 'nothing of it was taken' '8 1' "$(<"$dev/badblocks")"

# --- badblocks_once, badblocks_partial_io -----------------------------------------------------------

make_disk once '{"badblocks_once": true, "badblocks": ["5-6", "30-30"]}'
attach --direct-io=on "$dev/disk"
same 'once: each entry fails once' '5 30' "$(fails_at)"
same 'and is good then' '' "$(fails_at)"
same 'the file says so' '' "$(<"$dev/badblocks")"
detach "$loop"

make_disk partial '{"badblocks_partial_io": true, "badblocks": ["6-6"]}'
head -c 8192 /dev/zero | tr '\0' x >"$scratch/x"
refused EIO 'partial_io: a write across the bad sector' \
  dd if="$scratch/x" of="$dev/disk" bs=8k count=1 oflag=direct conv=notrunc status=none
mark -6-6
same 'what lies before it was written, the rest not' $((6 * 512)) \
  "$(head -c 8192 "$dev/disk" | tr -d '\0' | wc -c)"

# --- fio --------------------------------------------------------------------------------------------

make_disk fio '{"badblocks": ["2048-2055"]}'
attach --direct-io=on "$dev/disk"
verified() {
  fio --name=v --filename="$loop" --rw=randwrite --bs=4k --size=4M --direct=1 --ioengine=libaio --iodepth=16 \
    --verify=crc32c --verify_state_save=0 "$@"
}
check 'fio beside the bad block' verified --offset=$((1028 * 1024))
check 'fio with errors goes on' verified --continue_on_error=io --ignore_error=,EIO --verify=0 \
  --output-format=json --output="$scratch/fio.json"
same 'exactly one of its writes failed' 1 "$(jq '.jobs[0].total_err' "$scratch/fio.json")"
