#!/bin/bash
# Snapshots of disks with loop devices on them: one moment each, whatever is written meanwhile, and
# file systems that a journal makes whole, on a clone of each.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio python3 mkfs.ext4 mkfs.xfs e2fsck xfs_repair
mount_rnullfs -o nr_devices=0
mkdir "$scratch/fs" "$scratch/past"

# --- One moment -----------------------------------------------------------------------------------

# Of a disk, and of one whose past is kept above a cache; with history as well.
for json in '{}' '{"history": 2}' '{"cache_size": 1}'; do
  make_disk moments "$(jq '. + {size: 32, blocksize: 4096, datapath: "daemon"}' <<<"$json")"
  attach --direct-io=on "$dev/disk"
  fio --name=load --filename="$loop" --size=16M --rw=randwrite --bsrange=4k-64k --ioengine=libaio \
    --direct=1 --iodepth=8 --time_based --runtime=3 --verify=crc32c --verify_fatal=1 \
    --verify_state_save=0 --verify_backlog=64 --randrepeat=0 --output="$scratch/fio" &
  fio=$!
  check "$json: each snapshot is one moment" "$tests/loop/cuts.py" "$loop" "$dev/snapshots" 3 $((16 << 20))
  sed 's/^/# /' "$scratch/output"
  check "$json: what is written beside them is verified" wait "$fio"
  same "$json: no request failed" 0 "$(field "$dev/stats.json" '[.[] | objects | .errors] | add')"
  detach "$loop"
  rmdir "$dev"
done

# --- Read-only loop devices -----------------------------------------------------------------------

make_disk d '{"size": 16, "datapath": "daemon"}'
random_file "$scratch/random" 16
dd if="$scratch/random" of="$dev/disk" bs=1M conv=notrunc status=none
mkdir "$dev/snapshots/s"
attach --read-only --direct-io=on "$dev/snapshots/s/disk"
check 'losetup -r' cmp "$loop" "$scratch/random"
same 'is read-only' 1 "$(blockdev --getro "$loop")"
refused EBUSY 'rmdir of what a loop device has' rmdir "$dev/snapshots/s"
says 'last_error says who' 'the snapshot s is in use by .*losetup' "$(<"$dev/last_error")"
fallocate --punch-hole --length 16M "$dev/disk"
blockdev --flushbufs "$loop"
check 'it stays as it was' cmp "$loop" "$scratch/random"
detach "$loop"
check 'rmdir when it is detached' within 5 rmdir "$dev/snapshots/s"
rmdir "$dev"

# --- File systems ---------------------------------------------------------------------------------

# Files come and go until $scratch/stop is there.
churn() {
  local round=0
  while [[ ! -e $scratch/stop && -e $scratch/fs/kept ]]; do # until it is unmounted, at the latest
    round=$((round + 1))
    cp -r "$tests/../src" "$scratch/fs/$round" || return
    ((round < 4)) || rm -rf "$scratch/fs/$((round - 3))" || return
    ((round % 3 != 0)) || sync -f "$scratch/fs"
  done
}

for type in ext4 xfs; do
  size=96 replay_options=rw no_replay=ro,noload
  if [[ $type == xfs ]]; then size=320 replay_options=rw,nouuid no_replay=ro,norecovery,nouuid; fi
  grep -qw "$type" /proc/filesystems || modprobe -q "$type" || cannot_run "the kernel has no $type"
  make_disk "$type" "{\"size\": $size, \"datapath\": \"daemon\"}"
  attach --direct-io=on "$dev/disk"
  head=$loop
  mkfs."$type" -q "$head"
  mount "$head" "$scratch/fs"
  echo kept >"$scratch/fs/kept"
  umount "$scratch/fs" # so that it is in place, not in the journal alone
  mount "$head" "$scratch/fs"
  rm -f "$scratch/stop"
  (
    trap - EXIT ERR
    churn
  ) >"$scratch/churn" 2>&1 &
  churn=$!
  count=12
  sleep 0.5
  for ((i = 1; i <= count; ++i)); do
    sleep 0.01
    ((i % 4 != 1)) || sleep 0.4
    check "$type: a snapshot while files come and go" mkdir "$dev/snapshots/$i"
  done
  attach --read-only "$dev/snapshots/$count/disk"
  check "$type: mount -o $no_replay" mount -t "$type" -o "$no_replay" "$loop" "$scratch/past"
  same "$type: what was written before is in it" kept "$(<"$scratch/past/kept")"
  umount "$scratch/past"
  detach "$loop"
  touch "$scratch/stop"
  check "$type: nothing failed meanwhile" wait "$churn"
  for ((i = 1; i <= count; ++i)); do
    mkdir "$mnt/clone"
    echo "$type@$i" >"$mnt/clone/origin"
    echo daemon >"$mnt/clone/datapath"
    echo 1 >"$mnt/clone/power"
    attach --direct-io=on "$mnt/clone/disk"
    check "$type: the journal is replayed on a clone" mount -t "$type" -o "$replay_options" "$loop" "$scratch/past"
    same "$type: what was written before is there" kept "$(<"$scratch/past/kept")"
    umount "$scratch/past"
    case $type in
      ext4) check "$type: e2fsck finds nothing wrong" e2fsck -fn "$loop" ;;
      xfs) check "$type: xfs_repair finds nothing wrong" xfs_repair -n "$loop" ;;
    esac
    detach "$loop"
    within 5 rmdir "$mnt/clone"
    check "$type: rmdir" rmdir "$dev/snapshots/$i"
  done
  umount "$scratch/fs"
  detach "$head"
  same "$type: no request failed" 0 "$(field "$dev/stats.json" '[.[] | objects | .errors] | add')"
  check "$type: nothing is kept" test "$(field "$dev/stats.json" .past_bytes)" = 0
  rmdir "$dev"
done
same 'all is given back' 0 "$(field "$mnt/status.json" .memory_used)"
