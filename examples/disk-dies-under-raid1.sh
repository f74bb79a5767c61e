#!/bin/bash
# A disk that dies under RAID 1: btrfs over two disks goes on with one, and when the other is back, with what
# it had when it went, a scrub makes them alike again.  Root only.
set -euo pipefail

rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
((EUID == 0)) || { echo 'loop devices and mounts are for root' >&2; exit 1; }
here=$(mktemp -d)
mnt=$here/disks fs=$here/fs
loops=()
clean_up() {
  trap '' INT TERM
  trap - EXIT
  if mountpoint -q "$fs"; then umount "$fs"; fi
  for loop in "${loops[@]}"; do losetup --detach "$loop"; done
  if mountpoint -q "$mnt"; then umount "$mnt"; fi
  rm -r --one-file-system "$here"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

mkdir "$mnt" "$fs"
"$rnullfs" -o nr_devices=0 "$mnt"
attach() { # both disks
  for disk in a b; do loops+=("$(losetup --find --show --sector-size 4096 "$mnt/$disk/disk")"); done
}
detach() {
  umount "$fs"
  for loop in "${loops[@]}"; do losetup --detach "$loop"; done
  loops=()
  for disk in a b; do
    until [[ ! -e $mnt/$disk/disk || $(<"$mnt/$disk/power") == 1 ]]; do sleep 0.05; done # the last close
  done
}
for disk in a b; do
  mkdir "$mnt/$disk"
  # cut_keeps: the disk is unplugged, and what it has stays on it.
  echo '{"memory_backed": true, "size": 512, "datapath": "daemon", "cut_keeps": "all", "power": true}' >"$mnt/$disk/config.json"
done
attach
mkfs.btrfs -q -d raid1 -m raid1 "${loops[@]}" >/dev/null
mount "${loops[0]}" "$fs"
write() { # FILE: 16 MiB that have a sum
  dd if=/dev/urandom of="$fs/$1" bs=1M count=16 conv=fsync status=none
  (cd "$fs" && sha256sum "$1") >>"$here/sums"
}
write before
echo '--- echo cut > b/power'
echo cut >"$mnt/b/power"
write after
echo "The file system goes on: $(grep -c . "$here/sums") files of 16 MiB are there."
echo "b has refused $(sed -n '/"writes"/,/}/s/.*"errors": \([0-9]*\).*/\1/p' "$mnt/b/stats.json") writes since."
detach
echo '--- echo 1 > b/power; losetup; mount; btrfs scrub'
echo 1 >"$mnt/b/power"
attach
btrfs device scan "${loops[@]}" >/dev/null
mount "${loops[0]}" "$fs"
btrfs scrub start -B "$fs" | sed -n '/Error summary/,$p'
(cd "$fs" && sha256sum --quiet --check "$here/sums") && echo 'All files are as they were written.'
umount "$fs"
echo '--- only b now'
btrfs device scan --forget "${loops[0]}"
losetup --detach "${loops[0]}"
loops=("${loops[1]}")
mount -o degraded,ro "${loops[0]}" "$fs"
(cd "$fs" && sha256sum --quiet --check "$here/sums") && echo 'b alone has all of them.'
