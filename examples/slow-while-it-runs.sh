#!/bin/bash
# A disk that becomes slow, sticks and recovers below a program that uses it: fault rules, switched while
# a file system is mounted.  Root only.
set -euo pipefail

rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
((EUID == 0)) || { echo 'loop devices and mounts are for root' >&2; exit 1; }
here=$(mktemp -d)
mnt=$here/disks fs=$here/fs
clean_up() {
  trap '' INT TERM
  trap - EXIT
  if [[ -d $mnt/d ]]; then echo >"$mnt/d/faults/rules"; fi # what hangs would hold up the rest
  touch "$here/stop"
  wait
  if mountpoint -q "$fs"; then umount "$fs"; fi
  if [[ -n ${loop-} ]]; then losetup --detach "$loop"; fi
  if mountpoint -q "$mnt"; then umount "$mnt"; fi
  rm -r --one-file-system "$here"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

mkdir "$mnt" "$fs"
"$rnullfs" -o nr_devices=0 "$mnt"
mkdir "$mnt/d"
# A rule that is there beforehand, though it is off, has the daemon serve the disk: passthrough goes by rules.
echo '{"memory_backed": true, "size": 256, "faults": {"slow": {"enabled": false, "op": "write flush", "delay": "5ms/40ms"}},
       "power": true}' >"$mnt/d/config.json"
loop=$(losetup --find --show --direct-io=on --sector-size 4096 "$mnt/d/disk")
mkfs.ext4 -q "$loop"
mount "$loop" "$fs"

# The program: it writes a record, and has it on the disk before it writes the next.
program() {
  local records=0
  while [[ ! -e $here/stop ]]; do
    echo "record $records" | dd of="$fs/journal" oflag=append conv=notrunc,fsync status=none
    echo $((++records)) >"$here/records.new"
    mv "$here/records.new" "$here/records" # whole, for who reads it
  done
}
program &

seconds() {
  local before after
  for ((i = 0; i < $1; ++i)); do
    before=$(<"$here/records")
    sleep 1
    after=$(<"$here/records")
    printf '%8d records in a second\n' $((after - before))
  done
}
sleep 0.5
echo '--- as it is'
seconds 2
echo '--- echo 1 > d/faults/slow/enabled     (write flush delay 5ms/40ms: the median, and one in a hundred)'
echo 1 >"$mnt/d/faults/slow/enabled"
seconds 2
echo "--- echo 'stuck: all hang' > d/faults/new"
echo 'stuck: all hang' >"$mnt/d/faults/new"
seconds 2
printf '%8s requests hang\n' "$(<"$mnt/d/faults/stuck/pending")"
echo '--- rmdir d/faults/stuck; echo 0 > d/faults/slow/enabled'
rmdir "$mnt/d/faults/stuck"
echo 0 >"$mnt/d/faults/slow/enabled"
seconds 2
echo "--- The rule slow has delayed $(<"$mnt/d/faults/slow/hits") of $(<"$mnt/d/faults/slow/seen") requests; the last of them:"
tail -n 3 "$mnt/d/faults/slow/last"
