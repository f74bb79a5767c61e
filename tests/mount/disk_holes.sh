#!/bin/bash
# The disk as a sparse file: what is stored, what is not, and how storage goes back to the system.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
mount_rnullfs -o nr_devices=0
datapath=daemon # data_path.sh has what differs when the kernel serves the disk
make_disk d '{"size": 512}'
disk=$dev/disk
stored() { field "$dev/stats.json" .stored_bytes; }
kib() { du -k "$1" | cut -f1; }
mib=$((1 << 20))

# --- Holes ----------------------------------------------------------------------------------------

same 'reading a new disk stores nothing' '0 0' "$(tr -d '\0' <"$disk" | wc -c) $(stored)"
same 'nor does mapping it' '..... 0' "$(sys "$disk" O_RDONLY map-read 12345 5) $(stored)"
same 'a byte stores a page' '1 4096 4' "$(sys "$disk" O_RDWR pwrite 9000 x) $(stored) $(kib "$disk")"
same 'SEEK_DATA, SEEK_HOLE' '8192 12288 0 9000 ENXIO' \
  "$(sys "$disk" O_RDONLY data 0 hole 8192 hole 0 data 9000 data 12288)"
same 'the end is a hole' "$((512 * mib)) ENXIO ENXIO" \
  "$(sys "$disk" O_RDWR fill $((512 * mib - 4096)) 4096 hole $((512 * mib - 1)) \
    hole $((512 * mib)) data $((512 * mib)) | cut -d' ' -f2-)"
same 'SEEK_SET still seeks' '77' "$(sys "$disk" O_RDONLY seek 77)"

# --- Giving storage back --------------------------------------------------------------------------

head -c $((64 * mib)) /dev/urandom >"$scratch/random"
dd if="$scratch/random" of="$disk" bs=1M conv=notrunc status=none
same 'written data is stored' $((64 * 1024 + 4)) "$(kib "$disk")"
check 'punch a hole' fallocate --punch-hole --offset 8M --length 16M "$disk"
same 'du falls' $((48 * 1024 + 4)) "$(kib "$disk")"
dd if=/dev/zero of="$scratch/random" bs=1M seek=8 count=16 conv=notrunc status=none
check 'the hole reads as zeros, the rest as before' cmp -n $((64 * mib)) "$disk" "$scratch/random"
same 'a hole that covers no whole page frees none' '0 ......' \
  "$(sys "$disk" O_RDWR punch 5000 100 text 5000 6)"
same 'and none is freed' $((48 * 1024 + 4)) "$(kib "$disk")"
same 'its edges end at the byte' 'y....y' "$(
  sys "$disk" O_RDWR pwrite 4999 yyyyyy punch 5000 4 text 4999 6 | cut -d' ' -f3
)"
check 'zero-range' fallocate --zero-range --keep-size --offset 32M --length 4M "$disk"
same 'reads as zeros' 0 "$(dd if="$disk" bs=1M skip=32 count=4 status=none | tr -d '\0' | wc -c)"
same 'a punch behind the end' 0 "$(sys "$disk" O_RDWR punch $((512 * mib)) 4096)"
same 'and across it' '3 0 x..' "$(sys "$disk" O_RDWR pwrite $((512 * mib - 3)) xyz \
  punch $((512 * mib - 2)) 4096 text $((512 * mib - 3)) 3)"
check 'zero-range across it' fallocate --zero-range --keep-size --offset 511M --length 2M "$disk"
check 'preallocation across it that keeps the size' \
  fallocate --keep-size --offset $((512 * mib - 4096)) --length 1M "$disk"
fallocate --punch-hole --offset 511M --length $((mib - 4096)) "$disk"
check 'preallocation' fallocate --offset 128M --length 8M "$disk"
same 'stores' $((56 * 1024 + 4)) "$(kib "$disk")"
same 'zeros' 0 "$(dd if="$disk" bs=1M skip=128 count=8 status=none | tr -d '\0' | wc -c)"
head -c $((4 * mib)) "$disk" >"$scratch/before"
check 'preallocation of what is there' fallocate --offset 0 --length 4M "$disk"
check 'keeps it' cmp -n $((4 * mib)) "$disk" "$scratch/before"
refused ENOSPC 'preallocation behind the end' fallocate --offset 511M --length 2M "$disk"
same 'the size never changed' $((512 * mib)) "$(stat -c %s "$disk")"

# --- The system's memory --------------------------------------------------------------------------

shmem_mib() { awk '/^Shmem:/ { print int($2 / 1024) }' /proc/meminfo; }
resident_mib() { awk '/^RssShmem:/ { print int($2 / 1024) }' "/proc/$daemon/status"; }
fallocate --punch-hole --length 512M "$disk"
same 'a hole over everything' 0 "$(stored)"
empty=$(shmem_mib)
dd if=/dev/zero of="$disk" bs=1M count=384 conv=notrunc status=none
full=$(shmem_mib)
check 'zeros are data, too' test "$(stored_mib "$dev")" -eq 384
check 'the system has given its memory' test $((full - empty)) -gt 256
fallocate --punch-hole --length 512M "$disk"
check 'and gets it back' test $((full - $(shmem_mib))) -gt 256
check 'the process holds none of it' test "$(resident_mib)" -le 1

# --- Copies that stay sparse ----------------------------------------------------------------------

make_disk large '{"size": "1T"}'
for at in 0 1234567890 549755813888 1099511623680; do
  dd if="$scratch/random" of="$dev/disk" bs=4k count=256 seek=$((at >> 12)) conv=notrunc \
    status=none 2>/dev/null || true # the last one reaches the end of the disk
done
begin=$SECONDS
check 'cp --sparse=always of 1 TiB' cp --sparse=always "$dev/disk" "$scratch/out.img"
check 'takes time by what is stored' test $((SECONDS - begin)) -le 60
check 'and space' test "$(kib "$scratch/out.img")" -le $((4 * 1024))
same 'and has the size' $((1 << 40)) "$(stat -c %s "$scratch/out.img")"
for at in 0 1234567168 549755813888 1099511623680; do
  check "the same bytes at $at" cmp -i "$at" -n 4096 "$dev/disk" "$scratch/out.img"
done

# --- As large as they come ------------------------------------------------------------------------

make_disk largest '{"size": "8T"}'
end=$((8 << 40))
same 'pages at both ends of 8 TiB' '5 first 4 last' \
  "$(sys "$dev/disk" O_RDWR pwrite 0 first text 0 5 pwrite $((end - 4)) last text $((end - 4)) 4)"
same 'and in the middle' '6 middle' \
  "$(sys "$dev/disk" O_RDWR pwrite $((4 << 40)) middle text $((4 << 40)) 6)"
same 'three pages are stored' 3 "$(field "$dev/stats.json" .stored_pages)"
same 'SEEK_DATA finds them' "0 $((4 << 40)) $((end - 4096))" \
  "$(sys "$dev/disk" O_RDONLY data 0 data 4096 data $(((4 << 40) + 4096)))"
same 'the end holds' ENOSPC "$(sys "$dev/disk" O_RDWR pwrite $end x)"
check 'a hole over all of it' fallocate --punch-hole --length 8T "$dev/disk"
same 'frees them' 0 "$(field "$dev/stats.json" .stored_pages)"
