#!/bin/bash
# memory_limit is reached below a file system: it fails as on a thin device that is full, what was
# written before is intact, and it goes on when space has been freed.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fstrim mkfs.ext4 e2fsck
mib=$((1 << 20))
mount_rnullfs -o nr_devices=0,memory_limit=160M
mkdir "$scratch/fs"
random_file "$scratch/random" 40
head -c 64M /dev/zero | tr '\0' 'x' >"$scratch/x"

# Until an error: what the page cache takes fails when it is written back.
fill() { dd if=/dev/zero of="$scratch/fs/fill" bs=1M count=300 conv=fsync status=none; }
failed_at() { field "$dev/stats.json" .writes.errors; }
fsck() { e2fsck -fp "$loop" || (($? == 1)); }
mountable() { mount "$loop" "$scratch/fs"; }

for direct in on off; do
  make_disk "d$direct" '{"size": 512, "datapath": "daemon"}'
  attach --direct-io="$direct" "$dev/disk"
  mkfs.ext4 -q -F -J size=8 "$loop"
  # The journal's blocks are stored from here on, so that it can still be written.
  mount -o data=journal "$loop" "$scratch/fs"
  dd if=/dev/zero of="$scratch/fs/journal" bs=1M count=24 conv=fsync status=none
  rm "$scratch/fs/journal"
  umount "$scratch/fs"
  mountable
  cp "$scratch/random" "$scratch/fs/kept"
  sync -f "$scratch/fs"

  status=0
  fill >"$scratch/fill" 2>&1 || status=$?
  check "direct I/O $direct: filling it fails" test "$status" -ne 0
  # A buffered loop device has one errno for everything.
  expected='No space left on device'
  [[ $direct == on ]] || expected="($expected|Input/output error)"
  says '  as a full thin device does' "$expected" "$(<"$scratch/fill")"
  check '  requests failed' test "$(failed_at)" -gt 0
  # A request that does not fit whole takes nothing.
  check '  at the limit' test "$(field "$mnt/status.json" .memory_used)" -gt $((158 * mib))
  check '  what was written before can be read' cmp "$scratch/fs/kept" "$scratch/random"

  check 'deleting' rm "$scratch/fs/fill"
  sync -f "$scratch/fs" 2>/dev/null || true # it tells of the same error once more
  check 'fstrim' fstrim "$scratch/fs"
  check '  gives the memory back' test "$(stored_mib "$dev")" -le 80
  check 'there is room again' cp "$scratch/x" "$scratch/fs/second"
  check '  also in the end' sync "$scratch/fs/second"
  umount "$scratch/fs"
  check 'the file system is in order' fsck
  mountable
  check 'what was kept is the same' cmp "$scratch/fs/kept" "$scratch/random"
  check 'so is what came later' cmp "$scratch/fs/second" "$scratch/x"
  umount "$scratch/fs"
  check 'fsck finds nothing wrong' e2fsck -fn "$loop"
  detach "$loop"
  put 0 "$dev/power"
  rmdir "$dev"
done
same 'the worker is the first' 0 "$(field "$mnt/status.json" .workers_replaced)"
