#!/bin/bash
# ext4 itself: with its journal it is whole after any power cut (the journal is replayed, then e2fsck
# finds nothing); without one (nojournal), or when it does not flush (nobarrier), it is not.
# Usage: ext4.sh [journal|nojournal|nobarrier]
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

options=()
case ${1:-journal} in
  journal) ;;
  nobarrier) options=(--mount-options nobarrier) ;;
  nojournal)
    export MKE2FS_CONFIG # from where mkfs.ext4 takes its features
    MKE2FS_CONFIG=$(mktemp)
    trap 'rm "$MKE2FS_CONFIG"' EXIT
    sed 's/has_journal,//' /etc/mke2fs.conf >"$MKE2FS_CONFIG"
    ;;
  *) echo "usage: $0 [journal|nojournal|nobarrier]" >&2; exit 2 ;;
esac

# Files come and go, and some must be safe.
# shellcheck disable=SC2016  # for the shell that runs it
"$rnullctl" crash-check --mkfs ext4 "${options[@]}" --budget "${BUDGET:-60s}" --explain \
  'debugfs -c -R "icheck $(({sector} / 8))" {} 2>/dev/null | tail -n 1' --run '
    for i in 1 2 3 4; do
      cp -r /etc/init.d {mount}/dir$i
      echo $i >{mount}/safe$i
      sync {mount}/safe$i
      [ $i = 1 ] || rm -r {mount}/dir$((i - 1))
    done'
