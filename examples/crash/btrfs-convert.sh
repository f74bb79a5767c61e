#!/bin/bash
# btrfs-convert makes an ext4 a btrfs in place: after a power cut it must be one or the other, a btrfs that
# btrfs check finds whole, or an ext4 that e2fsck -y can repair and that has its files.  btrfs-progs 6.2 first
# writes over a part of the ext4, and then for a while the disk is neither.  Usage: btrfs-convert.sh
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

work() { # DISK DEVICE
  local room loop i
  room=$(mktemp -d)
  for i in {1..300}; do echo "file $i" >"$room/$i"; done
  mkfs.ext4 -q -b 4096 -O ^resize_inode -d "$room" "$1"
  rm -r "$room"
  sync "$1"
  loop=$(losetup -f --show "$1") # so that the page cache joins what is written, as it would
  echo made >"$2/log/mark"
  btrfs-convert "$loop" >/dev/null
  sync "$loop"
  losetup -d "$loop"
}

check() { # DISK
  room=$(mktemp -d -p /dev/shm)
  trap 'rm -r "$room"' EXIT
  btrfs check --readonly "$1" >"$room/btrfs" 2>&1 && exit
  e2fsck -fy "$1" >"$room/e2fsck" 2>&1 || (($? < 4)) || { cat "$room/btrfs"; tail -n 4 "$room/e2fsck"; exit 1; }
  debugfs -c -R "rdump / $room" "$1" >/dev/null 2>&1
  local i lost=()
  for i in {1..300}; do [[ -e $room/$i && $(<"$room/$i") == "file $i" ]] || lost+=("$i"); done
  ((${#lost[@]} == 0)) && exit
  echo 'As btrfs:'
  grep -m 3 -e ERROR -e 'No valid' "$room/btrfs"
  echo "As ext4, after e2fsck -y: these ${#lost[@]} files are gone: ${lost[*]}"
  exit 1
}

case ${1:-} in
  '') ;;
  --work | --check) "${1#--}" "${@:2}"; exit ;;
  *) echo "usage: $0" >&2; exit 2 ;;
esac

self=$(realpath "$0")
"$rnullctl" crash-check --size 160M --from made --budget "${BUDGET:-60s}" \
  --run "$self --work {} {device}" --check "$self --check {}"
