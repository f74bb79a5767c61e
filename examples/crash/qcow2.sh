#!/bin/bash
# A qcow2 image: what a guest has flushed is there after a power cut (write).  While an internal snapshot is
# taken and removed, all can still be read (snapshot), though qemu-img check calls the image corrupt
# (snapshot-check).  Usage: qcow2.sh [write|snapshot|snapshot-check]
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

work() { # DISK DEVICE ACKED WHAT: at N MiB the guest has N
  local disk=$1 device=$2 acked=$3 what=$4 i
  qemu-img create -q -f qcow2 "$disk" 20M
  qemu-io -f qcow2 -c 'write -P 1 1M 1M' "$disk" >/dev/null
  sync "$disk"
  echo created >"$device/log/mark"
  if [[ $what == snapshot ]]; then
    echo 'created 1' >"$acked"
    qemu-img snapshot -c snap "$disk"
    qemu-io -f qcow2 -c 'write -P 2 2M 1M' -c 'write -P 1 1M 128k' "$disk" >/dev/null
    qemu-img snapshot -d snap "$disk"
  else
    for i in {2..9}; do
      qemu-io -f qcow2 -c "write -P $i ${i}M 1M" -c flush "$disk" >/dev/null
      echo "flush$i" >"$device/log/mark"
      echo "flush$i $i" >>"$acked"
    done
  fi
}

check() { # DISK ACKED WHAT
  local i reads=()
  [[ $3 == snapshot ]] || qemu-img check -f qcow2 "$1" >/dev/null 2>&1 || (($? == 3)) || # 3: leaks, which do no harm
    { qemu-img check -f qcow2 "$1" 2>&1 | grep -m 3 -e '^ERROR.*0000000 ' -e found; exit 1; }
  while read -r i; do reads+=(-c "read -P $i ${i}M 1M"); done <"$2"
  ((${#reads[@]} == 0)) || qemu-io -r -f qcow2 "${reads[@]}" "$1"
}

case ${1:-snapshot-check} in
  write) what=write how=check ;;
  snapshot) what=snapshot how=snapshot ;;
  snapshot-check) what=snapshot how=check ;;
  --work | --check) "${1#--}" "${@:2}"; exit ;;
  *) echo "usage: $0 [write|snapshot|snapshot-check]" >&2; exit 2 ;;
esac

self=$(realpath "$0")
acked=$(mktemp)
trap '(($? == 1)) || rm "$acked"' EXIT # to see a failure again takes it
"$rnullctl" crash-check --size 32M --from created --budget "${BUDGET:-60s}" --acked "$acked" \
  --run "$self --work {} {device} $acked $what" --check "$self --check {} {acked} $how"
