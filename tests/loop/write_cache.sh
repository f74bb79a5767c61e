#!/bin/bash
# The volatile write cache: what a power-off loses, and what it does not.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio mkfs.ext4 e2fsck

mount_rnullfs -o nr_devices=0
mib=$((1 << 20))

cache() { field "$dev/stats.json" ".cache.$1"; }
cycle() { put 0 "$dev/power" && put 1 "$dev/power"; }
write() { dd if="$scratch/random" of="$dev/disk" bs=64k conv=notrunc status=none "$@"; }
# How much of it is there: all, or so many bytes that are not zero.
kept() {
  if cmp -s -n $((4 * mib)) "$dev/disk" "$scratch/random"; then
    echo all
  else
    head -c $((4 * mib)) "$dev/disk" | tr -d "\0" | wc -c
  fi
}
random_file "$scratch/random" 4

make_disk d '{"cache_size": 8}'
says 'the daemon serves it' 'cache_size' "$(field "$dev/stats.json" .datapath_why)"
write
same 'what is written is cached' "$((4 * 256)) 0" "$(cache pages) $(stored_mib "$dev")"
same 'and read back' all "$(kept)"
cycle
same 'switching off loses it' 0 "$(kept)"
same 'which is counted' $((4 * 256)) "$(cache dropped)"
write conv=notrunc,fsync
same 'a flush writes it back' "0 4" "$(cache pages) $(stored_mib "$dev")"
cycle
same 'then it stays' all "$(kept)"

fallocate --punch-hole --length 4M "$dev/disk"
write oflag=direct,dsync
same 'O_DSYNC goes past the cache' "0 4" "$(cache pages) $(stored_mib "$dev")"
put 0 "$dev/power"
put 0 "$dev/fua"
put 1 "$dev/power"
before=$(cache written_back)
write oflag=direct,dsync
same 'without fua it is a write and a flush' "0 $((before + 1024))" "$(cache pages) $(cache written_back)"

make_disk full '{"cache_size_mib": 1}'
write
same 'no more than its size is cached' "true" \
  "$(field "$dev/stats.json" '.cache.pages <= 256 and .cache.written_back >= 768')"
same 'and all of it can be read' all "$(kept)"
fallocate --punch-hole --length 4M "$dev/disk"
same 'a discard clears both' "0 0" "$(cache pages) $(stored_mib "$dev")"

# --- The worker's death is no power cut -------------------------------------------------------------

make_disk survives '{"cache_size": 8}'
write
kill -KILL "$daemon"
within 5 cat "$dev/power" >/dev/null
same 'a killed worker loses nothing' all "$(kept)"
same 'it is cached as before' $((4 * 256)) "$(cache pages)"
cycle
same 'and lost as before' 0 "$(kept)"
daemon=$(field "$mnt/status.json" .worker_pid)
daemons=("$daemon")

# --- Under a file system ------------------------------------------------------------------------------

make_disk fs '{"cache_size": 4, "size": 256}'
attach --direct-io=on "$dev/disk"
same 'the loop device flushes' 'write back' "$(cat "/sys/block/${loop#/dev/}/queue/write_cache")"
mkfs.ext4 -q "$loop"
mkdir "$scratch/fs"
mount "$loop" "$scratch/fs"
cp "$scratch/random" "$scratch/fs/synced"
sync -f "$scratch/fs/synced"
cp "$scratch/random" "$scratch/fs/later"
umount "$scratch/fs"
check 'verified writes' fio --name=v --directory="$scratch" --filename="$loop" --rw=randwrite --bs=4k \
  --size=64M --io_size=32M --offset=128M --direct=1 --ioengine=libaio --iodepth=16 --fsync=64 --verify=crc32c \
  --verify_state_save=0
detach "$loop"
cycle
attach --direct-io=on "$dev/disk"
check 'after a power cut ext4 is whole' e2fsck -fp "$loop"
mount "$loop" "$scratch/fs"
check 'with what was synced' cmp "$scratch/fs/synced" "$scratch/random"
umount "$scratch/fs"
detach "$loop"
