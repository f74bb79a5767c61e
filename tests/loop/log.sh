#!/bin/bash
# The log of a disk with a file system on it: replayed it is the disk, at any moment.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq python3 mkfs.ext4 e2fsck
info() { jq -r "$1" "$dev/log/info.json"; }
fs=$scratch/fs
mkdir "$fs"
image=$scratch/image
# replay_to FILE OPTION...: onto an empty image, as the disk was empty.
replay() {
  rm -f "$image"
  truncate -s 64M "$image"
  python3 "$tests/mount/replay_log.py" "$dev/log/writes" "$image" "$@"
}
safe() { dd if=/dev/urandom of="$fs/$1" bs=64k count=8 conv=fsync status=none && (cd "$fs" && sha256sum "$1") >>"$scratch/sums"; }
flags() { awk -v what="$1" '$3 == what { print $6 }' "$dev/log/entries" | sort | uniq -c | awk '{ print $2 }' | paste -sd ' '; }

mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
make_disk d '{"size": 64, "history": 256}'
attach --direct-io=on "$dev/disk"
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$loop"
put made "$dev/log/mark"
mount "$loop" "$fs"
for name in a b c; do safe "$name"; done
mkdir "$fs/many"
for i in {1..100}; do echo "$i" >"$fs/many/$i"; done
sync
rm -r "$fs/many"
fstrim "$fs"
safe d
put middle "$dev/log/mark"
cp "$scratch/sums" "$scratch/sums.middle"
for i in {1..30}; do safe "late$i"; done
rm "$fs/a"
umount "$fs"
put over "$dev/log/mark"
detach "$loop"

check 'replayed it is the disk' replay
check 'every byte of it' cmp "$image" "$dev/disk"
check 'a file system' e2fsck -fn "$image"
for mark in made middle over; do
  check "as far as $mark" replay --until "$mark"
  check 'what the disk was then' cmp "$image" "$dev/at/$mark/disk"
done

# Whoever has only what was there in the middle of everything, has it whole.
in_the_middle() {
  replay --until middle && attach "$image" && mount "$loop" "$fs" || return
  (cd "$fs" && sha256sum --quiet -c "$scratch/sums.middle" && [[ ! -e late1 ]]) || return
  umount "$fs" && detach "$loop" && e2fsck -fn "$image"
}
check 'in the middle the journal is replayed, and nothing of what was safe is lost' in_the_middle

# Each flush is a moment at which the power may go.
same 'a loop device knows no FUA' - "$(flags write)"
plain=$(replay --list | sort -k 1,1 | awk '{ print $1 }' | uniq -c | awk '{ print $2 "=" $1 }' | paste -sd ' ')
says 'there are flushes, and discards' '^discard=[0-9]+ flush=[0-9]+ mark=3 write=[0-9]+$' "$plain"
put 1 "$dev/log_fua"
same 'but a flush behind a lone write was one' '- F' "$(flags write)"
found=$(replay --list | awk '{ print $1 }' | sort | uniq -c | awk '{ print $2 "=" $1 }' | paste -sd ' ')
of() { grep -oE "\b$2=[0-9]+" <<<"$1" | cut -d = -f 2; }
same 'what has FUA is a write, and a flush less' \
  "$(of "$plain" write) $(of "$plain" flush)" \
  "$(($(of "$found" write) + $(of "$found" fua))) $(($(of "$found" flush) + $(of "$found" fua)))"
check 'replayed it is the disk' cmp "$image" "$dev/disk"
put 0 "$dev/power"
check 'rmdir' rmdir "$dev"
