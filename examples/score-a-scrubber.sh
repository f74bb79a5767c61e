#!/bin/bash
# How good is a scrubber?  A disk damages what is written to it, in five ways and silently, and keeps a list of
# that.  Whether somebody who checks it has found all can be counted then: btrfs raid1 and its scrub, and ext4,
# where all files can be read.  Root only.  It says
#
#     --- btrfs raid1 over a and b, of which b is damaged; btrfs scrub
#                injected  detected    missed     blocks of 4096 bytes
#     astray           64        64         0     write misdirected shift -256
#     far              64        32        32     write misdirected shift 300000
#     lie              32        32         0     write lost
#     rot              32        32         0     write corrupt 1bit
#     tear             11        11         0     write torn last
#     all             203       171        32
#     scrub says: 171 csum errors, 171 corrected
#     All 24 files are as they were written.
#     --- ext4 on c, which is damaged; cat of all files, and fsck
#     cat has no error.
#     fsck finds nothing.
#                injected  detected    missed     blocks of 4096 bytes
#     ...
#     all             203         0       203
#     Sums that were made beforehand say that 9 of 24 files are wrong.
#
# What has gone far away is where nobody has anything: the scrub finds that it is missing where it should be.
set -euo pipefail

rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
((EUID == 0)) || { echo 'loop devices and mounts are for root' >&2; exit 1; }
here=$(mktemp -d)
mnt=$here/disks fs=$here/fs
loops=()
clean_up() {
  trap '' INT TERM
  trap - EXIT
  if mountpoint -q "$fs"; then umount "$fs"; fi
  for loop in "${loops[@]}"; do losetup --detach "$loop"; done
  if mountpoint -q "$mnt"; then umount "$mnt"; fi
  rm -r --one-file-system "$here"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

mkdir "$mnt" "$fs"
"$rnullfs" -o nr_devices=0 "$mnt"
make_disk() { # NAME: by the seed, each run damages the same
  mkdir "$mnt/$1"
  echo '{"memory_backed": true, "size": 256, "datapath": "daemon", "seed": 1, "power": true}' >"$mnt/$1/config.json"
  loops+=("$(losetup --find --show --direct-io=on --sector-size 4096 "$mnt/$1/disk")")
}
# The files: 24, each of four writes of 64 KiB that go to the disk at once.  Rules are asked in the order of their
# names, and the first that fires has the write.
cat >"$here/rules" <<'END'
astray: write misdirected shift -256 after 20 interval 30 times 2
far: write misdirected shift 300000 after 20 interval 22 times 2
lie: write lost after 20 interval 18 times 2
rot: write corrupt 1bit after 20 interval 14 times 2
tear: write torn last after 20 interval 10 times 2
END
write_files() { # DISK: which damages them
  cat "$here/rules" >"$mnt/$1/faults/rules"
  for file in {1..24}; do
    head -c 256K /dev/urandom >"$here/file"
    (cd "$here" && sha256sum file | sed "s/file/$file/") >>"$here/sums"
    dd if="$here/file" of="$fs/$file" bs=64k oflag=direct status=none
  done
  echo >"$mnt/$1/faults/rules" # metadata come with the sync, and unharmed
  sync -f "$fs"
}
damaged() { # DISK: the blocks, and which rule has done it
  awk -F'[- ]' '{ for (s = $1; s <= $2; ++s) print int(s / 8), $4 }' "$mnt/$1/damage" | sort -u
}
score() { # INJECTED STILL-THERE
  printf '%-10s %8s  %8s  %8s     blocks of 4096 bytes\n' '' injected detected missed
  while IFS=: read -r name rule; do
    injected=$(grep -c " $name\$" "$1" || true) missed=$(grep -c " $name\$" "$2" || true)
    printf '%-10s %8s  %8s  %8s    %s\n' "$name" "$injected" $((injected - missed)) "$missed" "${rule% after*}"
  done <"$here/rules"
  injected=$(grep -c . "$1" || true) missed=$(grep -c . "$2" || true)
  printf '%-10s %8s  %8s  %8s\n' all "$injected" $((injected - missed)) "$missed"
}

echo '--- btrfs raid1 over a and b, of which b is damaged; btrfs scrub'
make_disk a
make_disk b
mkfs.btrfs -q -d raid1 -m raid1 "${loops[@]}" >/dev/null
mount "${loops[0]}" "$fs"
write_files b
damaged b >"$here/injected"
btrfs scrub start -B -R "$fs" >"$here/scrub" 2>&1
damaged b >"$here/missed" # to be written is to be healed: what is there still was not found
score "$here/injected" "$here/missed"
awk '{ n[$1] = $2 } END { print "scrub says:", n["csum_errors:"], "csum errors,", n["corrected_errors:"], "corrected" }' \
  "$here/scrub"
(cd "$fs" && sha256sum --quiet --check "$here/sums") && echo "All $(grep -c . "$here/sums") files are as they were written."
umount "$fs"

echo '--- ext4 on c, which is damaged; cat of all files, and fsck'
make_disk c
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "${loops[-1]}"
mount "${loops[-1]}" "$fs"
: >"$here/sums"
write_files c
damaged c >"$here/injected"
umount "$fs"
mount "${loops[-1]}" "$fs"
if cat "$fs"/[0-9]* >/dev/null; then echo 'cat has no error.'; fi
cd "$fs"
wrong=$(sha256sum --quiet --check "$here/sums" 2>/dev/null | grep -c FAILED || true)
cd "$OLDPWD"
umount "$fs"
if fsck.ext4 -fn "${loops[-1]}" >/dev/null 2>&1; then echo 'fsck finds nothing.'; fi
damaged c >"$here/missed" # nobody has complained, nor written
score "$here/injected" "$here/missed"
echo "Sums that were made beforehand say that $wrong of $(grep -c . "$here/sums") files are wrong."
