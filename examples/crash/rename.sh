#!/bin/bash
# A file is replaced: its new version is written beside it and renamed over it.  Without fsync (none) it may
# be empty after a power cut, neither the old nor the new one; with fsync (fsync) it is one of them.  ext4
# hides that (hidden) by writing the data before the rename, but where it is told noauto_da_alloc.
# Usage: rename.sh [none|fsync|hidden]
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

options=noauto_da_alloc sync=true
case ${1:-none} in
  none) ;;
  fsync) sync='sync {mount}/new' ;;
  hidden) options=auto_da_alloc ;;
  --check) # DISK: the file is one of 20 lines that are all old, or all new.
    found=$(debugfs -c -R 'cat file' "$2" 2>/dev/null | tr -d '\0' | sort | uniq -c | tr -s ' ')
    [[ $found == ' 20 old' || $found == ' 20 new' ]] && exit
    echo "The file is '$found': $(debugfs -c -R 'stat file' "$2" 2>/dev/null | grep -o 'Size: .*')"
    exit 1
    ;;
  *) echo "usage: $0 [none|fsync|hidden]" >&2; exit 2 ;;
esac

"$rnullctl" crash-check --mkfs ext4 --mount-options "$options" --from old --budget "${BUDGET:-60s}" \
  --run "yes old | head -n 20 >{mount}/file; sync; echo old >{device}/log/mark
    yes new | head -n 20 >{mount}/new; $sync; mv {mount}/new {mount}/file
    sync {mount}; echo renamed >{device}/log/mark; sync" \
  --recover 'e2fsck -E journal_only -p {}' --check "$(realpath "$0") --check {}"
