#!/bin/bash
# Finds the write that broke a disk: looks at the disk as it was at one moment of its history after
# the other, halving what is left, until there is one write between good and bad.
#
# usage: bisect.sh [--good SEQUENCE] [--bad SEQUENCE] DEVICE -- CHECK [ARGUMENT...]
#   DEVICE is the disk's directory in a mount of rnullfs; the disk has to have a history.
#   CHECK is run with {} in its arguments replaced by the disk as it was, a file to be read.  Its
#   exit status says whether that is good (0) or bad.
#   SEQUENCE: moments that are known to be good and bad.  Without, the oldest that there is, and now.
# The last line is "first bad: SEQUENCE".
#
#   examples/bisect.sh /mnt/rnullfs/d -- e2fsck -fn {}
set -euo pipefail

usage() { sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0" >&2; exit 2; }
good='' bad=''
while [[ ${1-} == --?* ]]; do
  (($# > 1)) || usage
  case $1 in
    --good) good=$2 ;;
    --bad) bad=$2 ;;
    *) usage ;;
  esac
  shift 2
done
[[ $# -gt 2 && $2 == -- ]] || usage
device=$1
shift 2

figure() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$device/stats.json"; }
good=${good:-$(figure sequence_oldest)}
bad=${bad:-$(figure sequence)}

# Whether the disk was good at that moment.
steps=0
is_good() {
  local disk=$device/at/$1/disk
  [[ -e $disk ]] || { echo "bisect.sh: there is no moment $1 in $device/at" >&2; exit 1; }
  steps=$((steps + 1))
  if "${check[@]//\{\}/$disk}" >/dev/null 2>&1 </dev/null; then
    echo "$1 good"
  else
    echo "$1 bad"
    return 1
  fi
}
check=("$@")

is_good "$good" || { echo "bisect.sh: $good should be good" >&2; exit 1; }
! is_good "$bad" || { echo "bisect.sh: $bad should be bad" >&2; exit 1; }
while ((good + 1 < bad)); do
  middle=$((good + (bad - good) / 2))
  if is_good "$middle"; then good=$middle; else bad=$middle; fi
done
echo "$steps looks; at/$good/disk is the disk before that write, at/$bad/disk behind it."
echo "first bad: $bad"
