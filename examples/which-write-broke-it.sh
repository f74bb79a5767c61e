#!/bin/bash
# Which write broke it?  A disk that has a history can be looked at as it was after each single
# write; bisect.sh finds the fatal one among hundreds in a few looks.  Any user can run this.
set -euo pipefail

rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
PATH+=:/usr/sbin:/sbin
here=$(mktemp -d)
mnt=$here/disks
clean_up() {
  trap '' INT TERM
  trap - EXIT
  if mountpoint -q "$mnt"; then umount "$mnt" 2>/dev/null || fusermount3 -u "$mnt"; fi
  rm -r --one-file-system "$here"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM
mkdir "$mnt"

sequence() { sed -n 's/.*"sequence": *\([0-9]*\).*/\1/p' "$mnt/d/stats.json"; }

echo '--- A disk that keeps 64 MiB of what is overwritten'
"$rnullfs" -o nr_devices=0 "$mnt"
mkdir "$mnt/d"
echo '{"size": 64, "memory_backed": true, "history": 64, "power": true}' >"$mnt/d/config.json"

echo '--- A file system, and a file that matters in it'
mkfs.ext4 -q "$mnt/d/disk"
seq 100000 >"$here/precious"
debugfs -w -R "write $here/precious precious" "$mnt/d/disk" >/dev/null 2>&1
good=$(sequence)
echo "All is well as of change $good."

echo '--- Much goes on, and somewhere in it a program writes where it should not.'
block=$(debugfs -R 'bmap precious 50' "$mnt/d/disk" 2>/dev/null)
bs=$(debugfs -R stats "$mnt/d/disk" 2>/dev/null | sed -n 's/^Block size: *//p')
for i in {1..30}; do
  debugfs -w -R "write $0 copy$i" "$mnt/d/disk" >/dev/null 2>&1
  if ((i == 17)); then
    echo oops | dd of="$mnt/d/disk" bs="$bs" seek="$block" conv=notrunc status=none
    echo "(that was no later than change $(sequence))"
  fi
done
ls "$mnt/d/at" # the first and the last moment that there is

echo '--- What is read now is not what was written.'
if debugfs -R 'cat precious' "$mnt/d/disk" 2>/dev/null | cmp - "$here/precious"; then exit 1; fi

echo "--- So which of $(($(sequence) - good)) changes was it?"
# What is checked must have been good until then, and bad ever since: this block is.  The whole file
# system is not, as a program's update of it takes several writes.
"$(dirname "$0")/bisect.sh" --good "$good" "$mnt/d" -- \
  cmp -s -n "$bs" -i "$((block * bs)):$((50 * bs))" {} "$here/precious" | tee "$here/found"

echo '--- What it did:'
bad=$(sed -n 's/^first bad: //p' "$here/found")
{ cmp -l "$mnt/d/at/$((bad - 1))/disk" "$mnt/d/at/$bad/disk" || true; } | head -n 5

echo '--- And back to the moment before it'
echo $((bad - 1)) >"$mnt/d/rollback"
debugfs -R 'cat precious' "$mnt/d/disk" 2>/dev/null | cmp - "$here/precious"
echo 'The file is whole again.'
