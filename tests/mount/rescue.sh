#!/bin/bash
# --rescue with --snapshots: what disks are and were, out of a mount that is served, and of one that
# nothing serves any more.
. "$(dirname "$0")/../lib.sh"
needs root fuse jq cmp
mount_rnullfs -o nr_devices=0
mib=$((1 << 20))
guard=$(field "$mnt/status.json" .guard_pid)
daemons=("$guard")
random_file "$scratch/random" 8
fill() { dd if="$scratch/random" of="$dev/disk" bs=1M conv=notrunc status=none "$@"; }

make_disk other '{"size": 16}'
fill
make_disk d '{"size": 16, "datapath": "daemon"}'
fill
cp --sparse=always "$dev/disk" "$scratch/first"
mkdir "$dev/snapshots/first"
fill seek=4
fallocate --punch-hole --length 2M "$dev/disk"
cp --sparse=always "$dev/disk" "$scratch/the second"
mkdir "$dev/snapshots/the second" "$dev/snapshots/removed"
put 0 "$dev/power"
put 32 "$dev/size"
put 1 "$dev/power"
fill seek=20
rmdir "$dev/snapshots/removed"
mkdir "$dev/snapshots/large"
cp --sparse=always "$dev/disk" "$scratch/large"
fill seek=10

# --- While it is written to -----------------------------------------------------------------------

# overwrite: until $scratch/stop is there.
overwrite() {
  while [[ ! -e $scratch/stop ]]; do
    dd if=/dev/urandom of="$dev/disk" bs=64k count=512 conv=notrunc status=none || return
  done
}
as_they_were() {
  local each
  for each in first 'the second' large; do cmp "$scratch/$1/d@$each.img" "$scratch/$each" || return; done
}
(
  trap - EXIT ERR
  overwrite
) &
writer=$!
check '--rescue of what is served' "$RNULLFS" --rescue "$guard" "$scratch/served" --snapshots
touch "$scratch/stop"
check 'while it is written to' wait "$writer"
check 'the snapshots are as they were' as_they_were served
same 'all that there is' 'd.img d@first.img d@large.img d@the second.img other.img' \
  "$(names "$scratch/served")"
check 'sparse where they were' test "$(stat -c %b "$scratch/served/d@first.img")" -le $((9 * mib / 512))
check 'and in front of the mount as well' cmp "$dev/snapshots/first/disk" "$scratch/first"

# --- When nothing serves it -----------------------------------------------------------------------

cp --sparse=always "$dev/disk" "$scratch/head"
for fd in "/proc/$guard/fd"/*; do
  [[ $(readlink "$fd") != /memfd:rnullfs-state* ]] || state=$fd
done
head -c 4096 /dev/zero | dd of="$state" conv=notrunc status=none
kill -KILL "$(field "$mnt/status.json" .worker_pid)"
fails() { ! cat "$mnt/status.json" >/dev/null 2>&1; }
check 'the mount is lost' within 5 fails
check '--rescue without the option' "$RNULLFS" --rescue "$guard" "$scratch/heads"
same 'is without snapshots' 'd.img other.img' "$(names "$scratch/heads")"
check 'the disk' cmp "$scratch/heads/d.img" "$scratch/head"
mkdir "$scratch/lost"
echo mine >"$scratch/lost/d@large.img"
refused EEXIST '--rescue where an image is' "$RNULLFS" --snapshots --rescue "$guard" "$scratch/lost"
same 'leaves it' mine "$(<"$scratch/lost/d@large.img")"
rm "$scratch/lost"/*
check '--rescue' "$RNULLFS" --rescue "$guard" --snapshots "$scratch/lost"
check 'the disk' cmp "$scratch/lost/d.img" "$scratch/head"
check 'the snapshots are as they were' as_they_were lost
check 'another disk' cmp -n $((8 * mib)) "$scratch/lost/other.img" "$scratch/random"
unmount "$mnt"
