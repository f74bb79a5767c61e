#!/bin/bash
# xfs and btrfs, which only a mount recovers: each state is mounted on a loop device, what was synced is looked
# for, and then the file system is checked.  All states have one UUID: xfs takes that with nouuid, btrfs not if
# two are mounted at once.  Usage: mounted.sh [xfs|btrfs]
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

work() { # MOUNT DEVICE ACKED
  for i in {1..3}; do
    cp -r /etc/init.d "$1/dir$i"
    echo "$i" >"$1/safe$i"
    sync "$1/safe$i"
    echo "safe$i" >"$2/log/mark"
    echo "safe$i $i" >>"$3"
    ((i == 1)) || rm -r "$1/dir$((i - 1))"
  done
}

check() { # DISK ACKED FILE-SYSTEM
  room=$(mktemp -d -p /dev/shm)
  trap 'rmdir "$room"' EXIT
  options=loop
  [[ $3 == btrfs ]] || options+=,nouuid
  mount -o "$options" "$1" "$room"
  lost=()
  while read -r i; do [[ $(cat "$room/safe$i" 2>&1) == "$i" ]] || lost+=("safe$i"); done <"$2"
  umount "$room"
  ((${#lost[@]} == 0)) || { echo "synced, but gone: ${lost[*]}"; exit 1; }
  if [[ $3 == btrfs ]]; then btrfs check --readonly "$1"; else xfs_repair -n -f "$1"; fi
}

case ${1:-xfs} in
  xfs) options=(--mkfs xfs --size 300M) ;;
  btrfs) options=(--mkfs btrfs --size 128M --jobs 1) ;;
  --work | --check) "${1#--}" "${@:2}"; exit ;;
  *) echo "usage: $0 [xfs|btrfs]" >&2; exit 2 ;;
esac

self=$(realpath "$0")
acked=$(mktemp)
trap '(($? == 1)) || rm "$acked"' EXIT # to see a failure again takes it
"$rnullctl" crash-check "${options[@]}" --budget "${BUDGET:-60s}" --acked "$acked" \
  --run "$self --work {mount} {device} $acked" --check "$self --check {} {acked} ${1:-xfs}"
