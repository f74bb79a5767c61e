#!/bin/bash
# Reading and writing the disk: what was written is read, by every way a file has, and no byte
# beyond.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
mount_rnullfs -o nr_devices=0
datapath=daemon # data_path.sh has what differs when the kernel serves the disk
make_disk d '{"size": 32}'
disk=$dev/disk
size=$((32 << 20))
random_file "$scratch/random" 32

# --- dd -------------------------------------------------------------------------------------------

write() { dd if="$scratch/random" of="$disk" conv=notrunc status=none "$@"; }
read_back() { dd if="$disk" status=none "$@" | cmp - "$scratch/random"; }
for bs in 1M 4k 4M; do
  check "dd bs=$bs" write bs="$bs"
  check "dd bs=$bs: the same comes back" read_back bs="$bs"
  check "dd bs=$bs, O_DIRECT" write bs="$bs" oflag=direct
  check "dd bs=$bs, O_DIRECT: the same comes back" read_back bs="$bs" iflag=direct
done
check 'writes of 777 bytes' write bs=777 count=1000
check 'reads of 513 bytes' read_back bs=513
check 'without notrunc, as people forget it' dd if="$scratch/random" of="$disk" bs=1M status=none
check 'the same comes back' cmp "$disk" "$scratch/random"
check 'cp' cp "$disk" "$scratch/copy"
check 'gives the same' cmp "$scratch/copy" "$scratch/random"
check 'fsync' write bs=1M count=1 conv=notrunc,fsync
check 'O_DSYNC' write bs=1M count=1 oflag=dsync

# --- Exact to the byte ----------------------------------------------------------------------------

make_disk exact '{"size": 1, "blocksize": 512}'
disk=$dev/disk
same 'a write across two pages' '5 ..hello..' "$(sys "$disk" O_RDWR pwrite 4094 hello text 4092 9)"
same 'a write over a part of it' '2 ..heLLo..' "$(sys "$disk" O_RDWR pwrite 4096 LL text 4092 9)"
same '512 bytes in the middle of a page' '512 . hello .' "$(
  sys "$disk" O_RDWR fill 8704 512 pwrite 8704 hello text 8703 1 text 8704 5 text 9216 1 |
    cut -d' ' -f1,3-
)"
exec 3<"$disk"
sys "$disk" O_RDWR pwrite 0 there >/dev/null
same 'an open descriptor sees another one write' there "$(head -c5 <&3)"
exec 3<&-

# --- The end of the disk --------------------------------------------------------------------------

end=$((1 << 20))
same 'the last byte' '1 z' "$(sys "$disk" O_RDWR pwrite $((end - 1)) z text $((end - 1)) 1)"
same 'a write behind the end' ENOSPC "$(sys "$disk" O_RDWR pwrite $end x)"
same 'a write far behind the end' ENOSPC "$(sys "$disk" O_RDWR pwrite $((1 << 50)) x)"
same 'a write across the end does nothing' 'ENOSPC .z' \
  "$(sys "$disk" O_RDWR pwrite $((end - 2)) xyz text $((end - 2)) 2)"
same 'a read behind the end' '0 0' "$(sys "$disk" O_RDONLY pread $end 512 pread $((1 << 50)) 512)"
same 'a read across the end is cut' 512 "$(sys "$disk" O_RDONLY pread $((end - 512)) 4096)"
refused ENOSPC 'dd without end' dd if=/dev/zero of="$disk" bs=64k
same 'has filled the disk' $end "$(field "$dev/stats.json" .stored_bytes)"
append() { echo more >>"$disk"; }
refused ENOSPC 'appending' append

# --- mmap -----------------------------------------------------------------------------------------

disk=$mnt/d/disk
map_private() {
  python3 - "$disk" "$scratch/random" <<'END'
import mmap, sys
with open(sys.argv[1], "rb") as disk, open(sys.argv[2], "rb") as expected:
    view = mmap.mmap(disk.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    sys.exit(view[:] != expected.read())
END
}
check 'the whole disk, mapped private' map_private
if jq -e '.capabilities | index("direct_io_allow_mmap")' "$mnt/status.json" >/dev/null; then
  same 'a shared mapping writes' '6 ' "$(sys "$disk" O_RDWR map-write 5000 mapped) "
  same 'what read() then reads' mapped "$(sys "$disk" O_RDONLY text 5000 6)"
  same 'a mapping reads what write() wrote' '7 written' \
    "$(sys "$disk" O_RDWR pwrite 1048570 written map-read 1048570 7)"
else
  skip_check 'shared mappings' 'the kernel or libfuse is too old'
fi

# --- Many at once ---------------------------------------------------------------------------------

write_parts() { # eight writers, each every eighth MiB
  local part block pids=() pid
  for part in {0..7}; do
    for block in {0..3}; do
      write bs=4k count=256 skip=$(((block * 8 + part) * 256)) seek=$(((block * 8 + part) * 256))
    done &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || return; done
}
random_file "$scratch/random" 32
check 'eight writers side by side' write_parts
check 'the same comes back' cmp "$disk" "$scratch/random"
same 'nothing is left under way' '0 0' "$(field "$mnt/d/stats.json" '"\(.in_flight) \(.disk_opens)"')"
same 'no request failed' 0 "$(field "$mnt/d/stats.json" '[.[] | objects | .errors] | add')"
same 'the disk is full of data' $size "$(field "$mnt/d/stats.json" .stored_bytes)"
