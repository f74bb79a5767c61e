#!/bin/bash
# An ext4 is changed while it is not mounted: after a power cut e2fsck -y must be able to repair it, and the files
# must be there.  tune2fs -U (uuid) writes all checksums anew, which e2fsck takes for garbage until the new UUID
# is there; e2label (label) changes the superblock alone.  Usage: tune2fs.sh [uuid|label]
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

work() { # DISK DEVICE WHAT: through a loop device, so that the page cache joins what is written as it would
  local room loop i
  room=$(mktemp -d)
  for i in {1..40}; do echo "file $i" >"$room/$i"; done
  mkfs.ext4 -q -d "$room" "$1"
  rm -r "$room"
  sync "$1"
  loop=$(losetup -f --show "$1")
  echo made >"$2/log/mark"
  case $3 in
    uuid) tune2fs -U random "$loop" >/dev/null ;;
    label) e2label "$loop" new ;;
  esac
  sync "$loop"
  losetup -d "$loop"
}

check() { # DISK
  room=$(mktemp -d -p /dev/shm)
  trap 'rm -r "$room"' EXIT
  e2fsck -fy "$1" >"$room/said" 2>&1 || (($? < 4)) || { tail -n 4 "$room/said"; exit 1; }
  debugfs -c -R "rdump / $room" "$1" >/dev/null 2>&1
  for i in {1..40}; do
    [[ -e $room/$i && $(<"$room/$i") == "file $i" ]] && continue
    grep -m 5 -e 'garbage' -e 'Clear' "$room/said" || true
    echo "File $i is gone.  In /: $(debugfs -c -R 'ls -p /' "$1" 2>/dev/null | wc -l) names;" \
      "in lost+found: $(debugfs -c -R 'ls -p /lost+found' "$1" 2>/dev/null | grep -c '#')"
    exit 1
  done
}

case ${1:-uuid} in
  uuid | label) ;;
  --work | --check) "${1#--}" "${@:2}"; exit ;;
  *) echo "usage: $0 [uuid|label]" >&2; exit 2 ;;
esac

self=$(realpath "$0")
"$rnullctl" crash-check --size 256M --from made --budget "${BUDGET:-60s}" \
  --run "$self --work {} {device} ${1:-uuid}" --check "$self --check {}"
