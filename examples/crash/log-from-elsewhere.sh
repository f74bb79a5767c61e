#!/bin/bash
# A disk that is not ours, here one of qemu, logs what is written to it; the log becomes the history
# of a disk, and all that a power cut could have left there is searched here.  On a real machine
# dm-log-writes makes such a log, for a virtual one qemu's blklogwrites as here.
# Usage: log-from-elsewhere.sh [sgdisk|sfdisk]
set -euo pipefail

here=$(dirname "$0")
rnullfs=${RNULLFS:-$here/../../build/rnullfs}
rnullctl=${RNULLCTL:-$here/../../build/rnullctl}
[[ -x $rnullfs ]] || rnullfs=rnullfs
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin
case ${1:-sgdisk} in
  sgdisk) add() { sgdisk -n 2:0:+7M "$1" >/dev/null; } ;;
  sfdisk) add() { sfdisk -q --no-reread --append "$1" <<<',7MiB'; } ;;
  *) echo "usage: $0 [sgdisk|sfdisk]" >&2; exit 2 ;;
esac

dir=$(mktemp -d)
clean_up() {
  local mount
  for mount in "$dir/qemu" "$dir/mnt"; do
    if mountpoint -q "$mount"; then umount "$mount" 2>/dev/null || fusermount3 -u "$mount"; fi
  done
  wait # for qemu-nbd, which ends with its last client
  rm -rf "$dir"
}
trap clean_up EXIT

# --- Somewhere else -------------------------------------------------------------------------------

truncate -s 16M "$dir/image"
truncate -s 64M "$dir/log"
mkdir "$dir/qemu" "$dir/mnt"
qemu-nbd --socket="$dir/socket" --image-opts \
  "driver=blklogwrites,file.driver=file,file.filename=$dir/image,log.driver=file,log.filename=$dir/log" &
until [[ -S $dir/socket ]]; do sleep 0.1; done
nbdfuse "$dir/qemu" --unix "$dir/socket" &
until mountpoint -q "$dir/qemu"; do sleep 0.1; done
printf 'label: gpt\nsize=7MiB\n' | sfdisk -q --no-reread "$dir/qemu/nbd"
sync "$dir/qemu/nbd"
add "$dir/qemu/nbd"
sync "$dir/qemu/nbd"
umount "$dir/qemu" 2>/dev/null || fusermount3 -u "$dir/qemu"
wait

# --- Here -----------------------------------------------------------------------------------------

"$rnullfs" -o nr_devices=0 "$dir/mnt"
mkdir "$dir/mnt/d"
echo '{"origin": "'"$dir/log"'", "size": 16, "power": true}' >"$dir/mnt/d/config.json"
echo "$(wc -l <"$dir/mnt/d/log/entries") requests, of which these are flushes:" \
  "$(awk '$3 == "flush" { print $1 }' "$dir/mnt/d/log/entries" | xargs)"
cmp "$dir/image" "$dir/mnt/d/disk"

# The fifth is the sync behind the first table.
from=$(awk '$3 == "flush" { print $1 }' "$dir/mnt/d/log/entries" | sed -n 5p)
"$rnullctl" crash-check --disk "$dir/mnt/d" --from "$from" --budget "${BUDGET:-60s}" \
  --check "$(realpath "$here")/gpt.sh --check {}"
