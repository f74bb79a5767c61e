#!/bin/bash
# The passphrase of a LUKS disk is changed: after a power cut the old one or the new one opens it, once cryptsetup has
# said that it is done the new one does, and the old one does not.  Sectors of 512 bytes, so that headers can be torn.
# Usage: luks.sh [luks2|luks1]
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

quick=(-q --pbkdf-force-iterations 1000)

work() { # DISK DEVICE ACKED TYPE
  [[ $4 == luks1 ]] || quick+=(--pbkdf pbkdf2)
  printf old | cryptsetup luksFormat "${quick[@]}" --type "$4" "$1" -
  sync "$1"
  echo formatted >"$2/log/mark"
  cryptsetup luksChangeKey "${quick[@]}" --key-file <(printf old) "$1" <(printf new)
  echo changed >"$2/log/mark"
  echo 'changed new' >"$3"
}

opens() { printf '%s' "$2" | cryptsetup open --test-passphrase -d - "$1" 2>&1; }

check() { # DISK ACKED
  if [[ -s $2 ]]; then
    opens "$1" new || { echo 'the new one does not open it'; exit 1; }
    ! opens "$1" old || { echo 'the old one still opens it'; exit 1; }
  else
    opens "$1" old || opens "$1" new || { echo 'neither opens it'; exit 1; }
  fi
}

case ${1:-luks2} in
  luks2 | luks1) ;;
  --work | --check) "${1#--}" "${@:2}"; exit ;;
  *) echo "usage: $0 [luks2|luks1]" >&2; exit 2 ;;
esac

self=$(realpath "$0")
acked=$(mktemp)
trap '(($? == 1)) || rm "$acked"' EXIT # to see a failure again takes it
"$rnullctl" crash-check --size 32M --blocksize 512 --from formatted --budget "${BUDGET:-60s}" --acked "$acked" \
  --run "$self --work {} {device} $acked ${1:-luks2}" --check "$self --check {} {acked}"
