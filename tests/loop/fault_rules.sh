#!/bin/bash
# Fault rules under loop devices and file systems: exact sectors, exact counts, exact times.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio mkfs.ext4 mkfs.xfs

mount_rnullfs -o nr_devices=0
datapath=daemon
for type in ext4 xfs; do
  grep -qw "$type" /proc/filesystems || modprobe -q "$type" || cannot_run "the kernel has no $type"
done
count() { cat "$dev/faults/$1/$2"; }
msec() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
# took COMMAND...: the milliseconds.
took() {
  local begin
  begin=$(msec)
  "$@"
  echo $(($(msec) - begin))
}
read_at() { dd if="$loop" of=/dev/null bs=4k skip="$1" count="${2:-1}" iflag=direct status=none; }
write_at() { dd if=/dev/zero of="$loop" bs=4k seek="$1" count="${2:-1}" oflag=direct status=none; }

# --- Errors ---------------------------------------------------------------------------------------------

make_disk errors '{"size": 64, "blocksize": 4096}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
put 'r: read 80-87 error EIO' "$dev/faults/new"
good=$(for i in {0..31}; do read_at "$i" 2>/dev/null && echo -n . || echo -n x; done)
same 'one block cannot be read, and no other' '..........x.....................' "$good"
same 'as often as it was tried' 1 "$(count r hits)"
same 'there' '0 read 80 8 error EIO' "$(count r last)"
put 'r: write error EIO times 5' "$dev/faults/new"
fio --name=x --filename="$loop" --rw=write --bs=4k --size=1M --direct=1 --ioengine=libaio --iodepth=1 \
  --continue_on_error=write --output-format=json >"$scratch/fio" 2>&1 || true
same 'fio meets five errors' 5 "$(sed -n '/^{/,$p' "$scratch/fio" | jq '.jobs[0].total_err')"
same 'of all writes' '256 5' "$(count r seen) $(count r hits)"
put 'r: write error ENOSPC' "$dev/faults/new"
refused ENOSPC 'ENOSPC comes as that' write_at 0
put 'r: discard 0-7 error' "$dev/faults/new"
refused EIO 'a discard' blkdiscard -o 0 -l 4096 "$loop"
check 'of other sectors it is none' blkdiscard -o 4096 -l 4096 "$loop"
put 'r: zero error' "$dev/faults/new"
refused EIO 'zeroing' blkdiscard -z -o 0 -l 4096 "$loop"
put 'r: flush error' "$dev/faults/new"
refused EIO 'a flush' dd if=/dev/zero of="$loop" bs=4k count=1 conv=fsync status=none
rmdir "$dev/faults/r"
detach "$loop"

# --- Times ------------------------------------------------------------------------------------------------

make_disk slow '{"size": 64, "blocksize": 4096}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
put 's: read 8-15 delay 200ms' "$dev/faults/new"
ms=$(took read_at 1)
check "a delayed read takes its time: $ms ms" test "$ms" -ge 200
put 's: read delay 30ms lanes 4' "$dev/faults/new"
ms=$(took fio --name=x --filename="$loop" --rw=randread --bs=4k --direct=1 --ioengine=libaio --iodepth=16 \
  --number_ios=40 --output="$scratch/fio")
check "40 reads in 4 lanes of 30 ms: $ms ms" test "$ms" -ge 300
put 's: off all hang' "$dev/faults/new"

# Thousands hang; another disk of the mount goes on, and no thread is held.
threads() { find "/proc/$(field "$mnt/status.json" .worker_pid)/task" -mindepth 1 -maxdepth 1 | wc -l; }
before=$(threads)
put 's: read hang' "$dev/faults/new"
fio --name=x --filename="$dev/disk" --rw=randread --bs=4k --size=32M --number_ios=2000 --ioengine=libaio --iodepth=2000 \
  --direct=1 --output="$scratch/hung" &
hung=$!
hang() { (($(count s pending) >= $1)); }
check '1000 requests hang' within 10 hang 1000
slow_dev=$dev
make_disk quick '{"size": 64, "blocksize": 4096}'
check 'another disk works' fio --name=x --filename="$dev/disk" --rw=randrw --bs=4k --size=16M --verify=crc32c \
  --verify_state_save=0 --ioengine=psync --output="$scratch/fio"
same 'no thread is held' "$before" "$(threads)"
dev=$slow_dev
put 0 "$dev/faults/s/enabled"
check 'they are let go' wait "$hung"
same 'nobody is left' 0 "$(count s pending)"
rmdir "$dev/faults/s"
detach "$loop"

# --- File systems -------------------------------------------------------------------------------------------

mkdir "$scratch/fs"
make_disk ext4 '{"size": 128, "blocksize": 4096}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$loop"
mount -o errors=remount-ro "$loop" "$scratch/fs"
echo kept >"$scratch/fs/kept"
sync -f "$scratch/fs"
put 'w: write error' "$dev/faults/new"
lose() { echo lost >"$scratch/fs/lost" && sync -f "$scratch/fs"; }
check 'ext4 notices that its journal cannot be written' not lose
read_only() { ! touch "$scratch/fs/more" 2>/dev/null; }
check 'and is read-only' within 5 read_only
same 'what it has can be read' kept "$(<"$scratch/fs/kept")"
umount "$scratch/fs"
rmdir "$dev/faults/w"
e2fsck -fp "$loop" >"$scratch/fsck" || true # it says that it has replayed the journal
check 'the rule is gone: nothing is broken' e2fsck -fn "$loop"
mount "$loop" "$scratch/fs"
same 'what was synced is there' kept "$(<"$scratch/fs/kept")"
umount "$scratch/fs"
detach "$loop"

make_disk xfs '{"size": 320, "blocksize": 4096}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
mkfs.xfs -q "$loop"
mount "$loop" "$scratch/fs"
echo kept >"$scratch/fs/kept"
sync -f "$scratch/fs"
put 'w: write error' "$dev/faults/new"
check 'xfs, whose log cannot be written, shuts down' not lose
refused EIO 'and nothing can be read' cat "$scratch/fs/kept"
umount "$scratch/fs"
rmdir "$dev/faults/w"
mount "$loop" "$scratch/fs"
same 'the rule is gone: what was synced is there' kept "$(<"$scratch/fs/kept")"

# Frozen under a file system, and thawed.
put 'f: all hang' "$dev/faults/new"
(head -c 8M /dev/urandom >"$scratch/fs/file" && sync -f "$scratch/fs" && sha256sum <"$scratch/fs/file" >"$scratch/sum") &
writer=$!
some_hang() { (($(count f pending) > 0)); }
check 'a file system hangs' within 10 some_hang
check 'it has not gone on' kill -0 "$writer"
rmdir "$dev/faults/f"
check 'it goes on' wait "$writer"
umount "$scratch/fs"
mount "$loop" "$scratch/fs"
same 'and its file is whole' "$(<"$scratch/sum")" "$(sha256sum <"$scratch/fs/file")"
umount "$scratch/fs"
detach "$loop"
