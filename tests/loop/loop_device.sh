#!/bin/bash
# What blktests, the kernel's tests of its block layer, asks of loop devices, asked of those on our
# disks.  Before each part stands the number of the test that it is about.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq mkfs.ext2 mkfs.ext4 e2fsck resize2fs blkdiscard python3

mount_rnullfs -o nr_devices=0
queue() { cat "/sys/block/${loop#/dev/}/queue/$1"; }
errors() { field "$dev/stats.json" '[.[] | objects | .errors] | add'; }
mib() { echo $(($(blockdev --getsize64 "$loop") >> 20)); }
write() { # SIZE SEEK [FILE]
  dd if="$scratch/random" of="${3:-$loop}" bs="$1" count=1 seek="$2" oflag=direct conv=notrunc status=none
}
read_back() { # SIZE SKIP
  dd if="$loop" bs="$1" count=1 skip="$2" iflag=direct status=none | cmp -n "$1" - "$scratch/random"
}
random_file "$scratch/random" 4

# --- loop/002: sector sizes, set while attached ---------------------------------------------------------

make_disk sectors '{"blocksize": 512, "size": 16, "datapath": "daemon"}'
attach --direct-io=on "$dev/disk"
for size in 512 1024 2048 4096; do
  check "sectors of $size bytes" losetup --sector-size "$size" "$loop"
  same '  the block device has them' "$size $size" "$(blockdev --getss "$loop") $(queue logical_block_size)"
  check '  one is written' write "$size" 3
  check '  and read' read_back "$size" 3
  ((size == 512)) || refused EINVAL '  half of one is not' write $((size / 2)) 1
done
for size in 256 513 3000 131072; do
  refused EINVAL "sectors of $size bytes" losetup --sector-size "$size" "$loop"
  same '  the others stay' 4096 "$(blockdev --getss "$loop")"
done
detach "$loop"
same 'no request failed' 0 "$(errors)"

# --- loop/004: direct I/O and sector sizes together -------------------------------------------------------

dio() { cat "/sys/block/${loop#/dev/}/loop/dio"; }
make_disk mixed '{"blocksize": 4096, "size": 16, "datapath": "daemon"}'
attach "$dev/disk"
same 'a plain loop device' '0 512' "$(dio) $(blockdev --getss "$loop")"
check '  takes 512 bytes' write 512 9
check '4096-byte sectors' losetup --sector-size 4096 "$loop"
check '  and direct I/O' losetup --direct-io=on "$loop"
same '  both are set' '1 4096' "$(dio) $(blockdev --getss "$loop")"
check '  what was written without is read' cmp -i 4608:0 -n 512 "$loop" "$scratch/random"
check '  a sector is written' write 4096 5
check 'without direct I/O again' losetup --direct-io=off "$loop"
same '  the sectors stay' '0 4096' "$(dio) $(blockdev --getss "$loop")"
check '  the sector is read' read_back 4096 5
check 'back to 512-byte sectors' losetup --sector-size 512 "$loop"
check '  one is written' write 512 100
check '  and read' read_back 512 100
# The disk has not been opened with O_DIRECT, so it takes what comes.
check 'direct I/O, switched on with sectors too small for the disk' losetup --direct-io=on "$loop"
same '  is on' '1 512' "$(dio) $(blockdev --getss "$loop")"
check '  a sector is written' write 512 101
check '  and read' read_back 512 101
check '  nothing else was touched' read_back 512 100
detach "$loop"
same 'no request failed' 0 "$(errors)"
attach --direct-io=on "$dev/disk"
same 'direct I/O from the start, with sectors smaller than blocks' 'false 512' \
  "$(field "$dev/stats.json" .emulates_sectors) $(blockdev --getss "$loop")"
check '  a sector is written' write 512 100
same '  the disk makes a block of it' true "$(field "$dev/stats.json" .emulates_sectors)"
check '  and read' read_back 512 100
check '  the next one is as it was' read_back 512 101
check '4096-byte sectors' losetup --sector-size 4096 "$loop"
check '  a sector' write 4096 7
check '  is read' read_back 4096 7
detach "$loop"

# --- loop/006: other backing files, beside attaching and detaching ----------------------------------------

for disk in a b c; do
  make_disk "$disk" '{"size": 4}'
  head -c 4M /dev/zero | tr '\0' "$disk" | dd of="$dev/disk" bs=64k conv=notrunc status=none
done
attach --read-only "$mnt/a/disk"
fixed=$loop
# LOOP_CHANGE_FD, which takes the kernel a second.
change() { python3 -c 'import fcntl, os, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x4C06, os.open(sys.argv[2], os.O_RDONLY))' "$fixed" "$mnt/$1/disk"; }
shown() { dd if="$fixed" bs=4k count=1 iflag=direct status=none | tr -d '\0' | head -c 1; }
check 'another disk under a loop device that is read-only' change b
same '  is what it shows' b "$(shown)"
changes() {
  local i
  for ((i = 0; i < 2; ++i)); do
    change a && [[ $(shown) == a ]] && change b && [[ $(shown) == b ]] || return
    echo
  done
}
# Loop devices come and go; what they show is the disk.
attachments() {
  local i other
  for ((i = 0; i < 10; ++i)); do
    other=$(losetup --find --show "$mnt/c/disk") || continue # somebody else was faster
    [[ $(head -c 1 "$other") == c ]] || exit 1
    losetup --detach "$other"
    echo
  done
}
processes=()
changes >"$scratch/changes" &
processes+=($!)
for i in 1 2 3; do
  attachments >"$scratch/attachments.$i" 2>/dev/null &
  processes+=($!)
done
stuck=()
for process in "${processes[@]}"; do within 15 gone "$process" || stuck+=("$process"); done
same 'changes beside attaching and detaching: nobody hangs' '' "${stuck[*]}"
for process in "${processes[@]}"; do wait "$process" || stuck+=("status $?"); done
same '  and each saw its disk' '' "${stuck[*]}"
same '  the changes were made' 2 "$(wc -l <"$scratch/changes")"
check '  loop devices came and went' test "$(cat "$scratch"/attachments.* | wc -l)" -ge 10
detach "$fixed"
for disk in a b c; do
  check "disk $disk can be switched off" within 5 put 0 "$mnt/$disk/power"
done

# --- loop/007: capacity -------------------------------------------------------------------------------------

make_disk grows '{"size": 32, "blocksize": 4096}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
mkfs.ext4 -q "$loop"
mkdir "$scratch/fs"
mount "$loop" "$scratch/fs"
cp "$scratch/random" "$scratch/fs"
refused EBUSY 'switching off below a file system' put 0 "$dev/power"
check 'losetup --set-capacity' losetup --set-capacity "$loop"
same '  the disk is as large as before' 32 "$(mib)"
check '  the file system works' cmp "$scratch/fs/random" "$scratch/random"
umount "$scratch/fs"
refused EBUSY 'switching off below a loop device' put 0 "$dev/power"
refused EBUSY 'a smaller size below a loop device' put 16 "$dev/size"
detach "$loop"
put 0 "$dev/power"
put 64 "$dev/size"
put 1 "$dev/power"
attach --direct-io=on --sector-size 4096 --sizelimit $((48 << 20)) "$dev/disk"
same 'a loop device that is to be smaller' 48 "$(mib)"
detach "$loop"
attach --direct-io=on --sector-size 4096 "$dev/disk"
same 'a new loop device is as large as the disk is now' 64 "$(mib)"
check '  e2fsck' e2fsck -fp "$loop"
check '  resize2fs' resize2fs "$loop"
mount "$loop" "$scratch/fs"
check '  the file system is larger' test "$(df --output=size -B1M "$scratch/fs" | tail -n 1)" -ge 48
check '  with the same file' cmp "$scratch/fs/random" "$scratch/random"
umount "$scratch/fs"
check '  e2fsck finds nothing wrong' e2fsck -fn "$loop"
detach "$loop"

# It is larger while it is in use.
make_disk larger '{"size": 32, "blocksize": 4096, "datapath": "daemon"}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
mkfs.ext4 -q "$loop"
mount "$loop" "$scratch/fs"
cp "$scratch/random" "$scratch/fs"
check 'a larger size below a file system' put 64 "$dev/size"
check '  losetup --set-capacity' losetup --set-capacity "$loop"
same '  the loop device has it' 64 "$(mib)"
check '  the file system works' cmp "$scratch/fs/random" "$scratch/random"
umount "$scratch/fs"
check '  e2fsck' e2fsck -fp "$loop"
check '  resize2fs' resize2fs "$loop" # a mounted one takes CAP_SYS_RESOURCE
mount "$loop" "$scratch/fs"
check '  the file system is larger' test "$(df --output=size -B1M "$scratch/fs" | tail -n 1)" -ge 48
check '  with the same file' cmp "$scratch/fs/random" "$scratch/random"
umount "$scratch/fs"
check '  e2fsck finds nothing wrong' e2fsck -fn "$loop"
detach "$loop"

# --- loop/011: a disk that takes no discards -----------------------------------------------------------------

# The driver asks for a hole to be punched whether the block layer wants a discard or zeros.
make_disk plain '{"size": 16, "discard": false}'
attach --direct-io=on "$dev/disk"
is_zero() { cmp -n $((16 << 20)) "$dev/disk" /dev/zero; }
for how in '' --zeroout; do
  head -c 16M /dev/urandom >"$loop"
  sync "$loop"
  stored=$(field "$dev/stats.json" .stored_bytes)
  # shellcheck disable=SC2086 # none or one
  check "blkdiscard $how" blkdiscard --force $how "$loop"
  check '  zeroes' is_zero
  same '  and keeps what is stored' "$stored" "$(field "$dev/stats.json" .stored_bytes)"
done
head -c 16M /dev/urandom >"$loop"
check '  mkfs.ext4 works' mkfs.ext4 -q -F "$loop"
check '  e2fsck finds nothing wrong' e2fsck -fn "$loop"
same '  nothing was refused' 0 "$(errors)"
refused EOPNOTSUPP 'who punches the file is told' fallocate --punch-hole --length 1M "$dev/disk"
check 'zeroing it works' fallocate --zero-range --keep-size --length 1M "$dev/disk"
detach "$loop"

# --- Errors of the disk are errors of the loop device -----------------------------------------------------------

make_disk bad '{"size": 16, "badblocks": ["4096-4103"]}' # the third MiB begins with them
sum() { awk '{print $1, $5, $9}' "/sys/block/${loop#/dev/}/stat"; } # reads, writes, in flight
for how in on off; do
  attach --direct-io="$how" "$dev/disk"
  read -r reads writes _ < <(sum)
  before=$(field "$dev/stats.json" '.reads.errors + .writes.errors')
  refused EIO "direct I/O $how: a read of bad sectors" \
    dd if="$loop" of=/dev/null bs=4k count=1 skip=512 iflag=direct status=none
  refused EIO '  a write' write 4096 512
  check '  beside them' write 4096 511
  read -r reads2 writes2 left < <(sum)
  same '  stat has one read, two writes, none left over' '1 2 0' "$((reads2 - reads)) $((writes2 - writes)) $left"
  check '  stats.json has the errors' test "$(errors)" -ge $((before + 2))
  # What the page cache took fails when it is written back.
  refused EIO '  with fsync' dd if="$scratch/random" of="$loop" bs=4k count=1 seek=512 conv=notrunc,fsync status=none
  detach "$loop"
done

mount_rnullfs -o nr_devices=0,memory_limit=8M
make_disk full '{"size": 16, "datapath": "daemon"}'
for how in on off; do
  attach --direct-io="$how" "$dev/disk"
  dd if="$scratch/random" of="$loop" bs=1M count=2 oflag=direct conv=notrunc status=none
  status=0
  dd if=/dev/zero of="$loop" bs=64k seek=32 count=192 oflag=direct conv=notrunc status=none \
    2>"$scratch/full" || status=$?
  says "direct I/O $how: memory_limit is reached" 'No space left on device|Input/output error' "$(<"$scratch/full")"
  check '  requests failed' test "$(field "$dev/stats.json" .writes.errors)" -gt 0
  check '  the limit was kept' test "$(stored_mib "$dev")" -le 8
  check '  what is stored can be read' cmp -n $((2 << 20)) "$loop" "$scratch/random"
  check '  and written again' dd if="$scratch/random" of="$loop" bs=1M count=2 oflag=direct conv=notrunc status=none
  check '  a discard' blkdiscard "$loop"
  check '  makes room again' write 1M 8
  blkdiscard "$loop"
  detach "$loop"
done
