#!/bin/bash
# Power cuts under mounted file systems: they notice, they can be unmounted, and what they had been told
# is safe is there again.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio mkfs.ext4 e2fsck mkfs.xfs xfs_repair mkfs.btrfs btrfs

mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
for type in ext4 xfs btrfs; do
  grep -qw "$type" /proc/filesystems || modprobe -q "$type" || cannot_run "the kernel has no $type"
done
fs=$scratch/fs
mkdir "$fs"
make() { case $1 in ext4) mkfs.ext4 -q "$2" ;; xfs) mkfs.xfs -q -f "$2" ;; btrfs) mkfs.btrfs -q -f "$2" >/dev/null ;; esac; }
# With the journal replayed, as the mount has.
check_fs() { case $1 in ext4) e2fsck -fn "$2" ;; xfs) xfs_repair -n "$2" ;; btrfs) btrfs check "$2" ;; esac; }
# safe N: a file that fsync(2) has said is safe.
safe() { dd if=/dev/urandom of="$fs/safe$1" bs=64k count=8 conv=fsync status=none && sha256sum "$fs/safe$1" >>"$scratch/sums"; }
umount_twice() { umount "$fs" || within 5 umount "$fs"; }
off() { [[ ! -e $dev/disk ]]; }

# One cycle on a file system of its type: writes that are synced and others that are not, and a cut.
cut_under() {
  local type=$1 round=$2 writer i
  attach "$dev/disk"
  mount "$loop" "$fs" || return
  for i in 1 2 3; do safe "$round.$i"; done
  fio --name=w --directory="$fs" --size=8M --rw=randwrite --bs=4k --fsync=16 --runtime=30 --time_based --ioengine=psync \
    --output="$scratch/fio" --eta=never >/dev/null 2>&1 &
  writer=$!
  sleep 0.3
  put cut "$dev/power"
  within 5 not kill -0 "$writer" 2>/dev/null || { echo "fio goes on without a disk"; kill -KILL "$writer"; return 1; }
  not dd if=/dev/zero of="$fs/late" bs=4k count=1 conv=fsync status=none || { echo 'a write went well without power'; return 1; }
  umount_twice && detach "$loop" && within 5 off || return
  put 1 "$dev/power"
  attach "$dev/disk"
  mount "$loop" "$fs" && sha256sum --quiet -c "$scratch/sums" && umount "$fs" && check_fs "$type" "$loop" || return
  detach "$loop"
}

for type in ext4 xfs btrfs; do
  make_disk "$type" '{"size": 512, "blocksize": 4096, "history": 256}'
  attach "$dev/disk"
  make "$type" "$loop"
  detach "$loop"
  : >"$scratch/sums"
  round=0
  for keeps in none random torn all; do
    put "$keeps" "$dev/cut_keeps"
    check "$type: a cut that keeps $keeps" cut_under "$type" $((++round))
  done
  says "$type: four cuts" '^4 [0-9]+$' "$(field "$dev/stats.json" '.power_cuts | "\(.count) \(.lost_sectors)"')"
  put 0 "$dev/power"
  rmdir "$dev"
done

# --- Two disks of one file system, at one moment -----------------------------------------------------------

for name in a b; do make_disk "$name" '{"size": 512, "blocksize": 4096, "history": 128}'; done
attach "$mnt/a/disk"
one=$loop
attach "$mnt/b/disk"
two=$loop
check 'btrfs raid1' mkfs.btrfs -q -f -d raid1 -m raid1 "$one" "$two"
mount "$one" "$fs"
: >"$scratch/sums"
for i in 1 2 3; do safe "raid$i"; done
dd if=/dev/urandom of="$fs/unsafe" bs=1M count=4 status=none
put cut "$mnt/power"
same 'both are off' '0 0' "$(cat "$mnt"/{a,b}/power | xargs)"
check 'it can be unmounted' umount_twice
detach "$one"
detach "$two"
both_off() { [[ ! -e $mnt/a/disk && ! -e $mnt/b/disk ]]; }
check 'nobody has them' within 5 both_off
put 1 "$mnt/a/power"
put 1 "$mnt/b/power"
attach "$mnt/a/disk"
one=$loop
attach "$mnt/b/disk"
two=$loop
btrfs device scan "$one" "$two" >/dev/null
check 'it is there again' mount "$one" "$fs"
check 'with what was safe' sha256sum --quiet -c "$scratch/sums"
check 'a scrub finds nothing' btrfs scrub start -B "$fs"
umount "$fs"
detach "$one"
detach "$two"
for name in a b; do put 0 "$mnt/$name/power"; rmdir "$mnt/$name"; done
same 'the mount is healthy' 'false 0' "$(field "$mnt/status.json" '"\(.workers_replaced > 0) \(.devices)"')"
unmount "$mnt"
