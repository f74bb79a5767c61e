#!/bin/bash
# A file system on a loop device on a disk, written by who may have far less memory than he writes:
# in both loop modes, served by the daemon and by the kernel.  It ends, and all of it is there.
# usage: pressure.sh ext4|xfs
# shellcheck disable=SC2016 # for the inner shells
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../memory_group.sh"
type=${1:-ext4}
needs root fuse loop jq fio "mkfs.$type"
grep -qw "$type" /proc/filesystems || modprobe -q "$type" || cannot_run "the kernel has no $type"
needs_groups
mount_rnullfs -o nr_devices=0
mkdir "$scratch/fs"
random_file "$scratch/random" 256
limit=$((48 << 20))

is_clean() { if [[ $type == ext4 ]]; then e2fsck -fn "$loop"; else xfs_repair -n "$loop"; fi; }

# What waits for memory that waits for it would wait for ever.
ends() { timeout --kill-after=5 60 "$@"; }
verified() {
  in_group fio --name="$1" --directory="$scratch/fs" --size=64M --ioengine=psync --bs=16k \
    --rw=randwrite --verify=crc32c --verify_fatal=1 --verify_state_save=0 --randrepeat=0 \
    --end_fsync=1 --output="$scratch/fio" "${@:2}"
}
export -f verified in_group
export group scratch

for served in daemon auto; do
  if [[ $served == auto ]] && ! passthrough_possible; then
    skip_check 'served by the kernel' "$(field "$mnt/status.json" .passthrough)"
    continue
  fi
  for direct in off on; do
    make_group "$limit"
    if [[ $served == auto ]] && charges_writer; then
      skip_check "$served, direct I/O $direct" 'the kernel charges the disk to the writer'
      continue
    fi
    make_disk "$served-$direct" "{\"size\": 512, \"datapath\": \"$served\"}"
    attach --direct-io="$direct" "$dev/disk"
    how="$type, ${served/auto/passthrough}, direct I/O $direct"
    same "$how" "${served/auto/passthrough}" "$(field "$dev/stats.json" .datapath)"
    "mkfs.$type" -q "$loop" 2>"$scratch/mkfs"
    mount "$loop" "$scratch/fs"
    check '256 MiB by a group of 48' ends bash -c \
      'in_group dd if="$scratch/random" of="$scratch/fs/large" bs=1M conv=fsync status=none'
    check 'the limit was felt' test "$(at_limit)" -gt 0
    check 'random writes, verified' ends bash -c 'verified cached'
    check 'with O_DIRECT, too' ends bash -c 'verified direct --direct=1'
    check 'sync' ends bash -c 'in_group sync -f "$scratch/fs"'
    umount "$scratch/fs"
    same 'nobody was ended for it' 0 "$(oom_kills)"
    check 'fsck finds nothing wrong' is_clean
    mount "$loop" "$scratch/fs"
    check 'what was written is there' cmp "$scratch/fs/large" "$scratch/random"
    umount "$scratch/fs"
    detach "$loop"
    same 'no request failed' 0 "$(field "$dev/stats.json" '[.[] | objects | .errors] | add')"
    put 0 "$dev/power"
    rmdir "$dev"
  done
done
same 'the worker is the first' 0 "$(field "$mnt/status.json" .workers_replaced)"
