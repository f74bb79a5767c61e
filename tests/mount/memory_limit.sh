#!/bin/bash
# Disks take no more memory than they may: ENOSPC, with everything stored before intact, and on again
# after a discard.
. "$(dirname "$0")/../lib.sh"
needs fuse jq fio python3
mib=$((1 << 20))
used() { field "$mnt/status.json" .memory_used; }

# --- The daemon's door ----------------------------------------------------------------------------

mount_rnullfs -o nr_devices=0,memory_limit=64M
same 'status.json: the limit' $((64 * mib)) "$(field "$mnt/status.json" .memory_limit)"
make_disk large '{"size": "1G"}'
disk=$dev/disk
says 'a disk larger than that is the daemon' "^(its 1024 MiB do not fit|$(field "$mnt/status.json" \
  .passthrough | cut -d' ' -f1-3))" "$(field "$dev/stats.json" .datapath_why)"
random_file "$scratch/random" 64
head -c 48M "$scratch/random" | dd of="$disk" bs=1M conv=notrunc status=none
refused ENOSPC 'dd past the limit' dd if="$scratch/random" of="$disk" bs=1M seek=48 conv=notrunc
same 'all of it is used' $((64 * mib)) "$(used)"
check 'what was stored is intact' cmp -n $((48 * mib)) "$disk" "$scratch/random"
same 'what is stored can be written' 5 "$(sys "$disk" O_RDWR pwrite 0 again)"
check 'fio, filling it, ends' not fio --name=fill --filename="$disk" --rw=write --bs=1M \
  --size=1G --ioengine=psync --output="$scratch/fio"
says 'in ENOSPC' 'No space left' "$(<"$scratch/fio")"
make_disk other '{"size": 1}'
refused ENOSPC 'another disk has no memory either' dd if=/dev/zero of="$dev/disk" bs=4k count=1 \
  conv=notrunc
fallocate --punch-hole --length 16M "$disk"
same 'after a discard' $((48 * mib)) "$(used)"
check 'there is' dd if=/dev/zero of="$dev/disk" bs=4k count=1 conv=notrunc status=none
rmdir_off() { put 0 "$1/power" && rmdir "$1"; }
check 'rmdir' rmdir_off "$mnt/large"
same 'gives all back' 4096 "$(used)"

# --- What passthrough reserves --------------------------------------------------------------------

if passthrough_possible; then
  make_disk reserved '{"size": 32}'
  exec 3<>"$dev/disk"
  same 'an open disk is charged whole' $((32 * mib + 4096)) "$(used)"
  make_disk second '{"size": 40}'
  says 'the next does not fit' '^its 40 MiB do not fit' "$(field "$dev/stats.json" .datapath_why)"
  exec 3>&-
  check 'until that is closed' within 5 test "$(field "$dev/stats.json" .datapath)" = passthrough
  put 0 "$dev/power"
  put passthrough "$dev/datapath"
  check 'datapath=passthrough' put 1 "$dev/power"
  same 'is charged while powered' $((40 * mib + 4096)) "$(used)"
  put 0 "$dev/power"
  same 'and no longer' 4096 "$(used)"
fi

# --- A mapping outlives its open ------------------------------------------------------------------

# Maps 32 MiB of a disk, closes it, and does what it is told, a line each.
cat >"$scratch/mapper" <<'END'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
SIZE, MADV_REMOVE = 32 << 20, 9
disk = os.open(sys.argv[1], os.O_RDWR)
view = libc.mmap(None, SIZE, 3, 1, disk, 0)
os.close(disk)
for line in sys.stdin:
    if line == "fill\n":
        ctypes.memset(view, 0x61, SIZE)
    elif line == "remove\n":
        assert libc.madvise(view, SIZE // 2, MADV_REMOVE) == 0
    print("done", flush=True)
END
if passthrough_possible; then
  mount_rnullfs -o nr_devices=0,memory_limit=48M
  make_disk mapped '{"size": 32, "discard": false}'
  coproc MAPPER { exec python3 "$scratch/mapper" "$dev/disk"; }
  mapper=$MAPPER_PID
  tell() { echo "$1" >&"${MAPPER[1]}" && read -r -t 60 _ <&"${MAPPER[0]}"; }
  tell fill
  check 'the close has come' within 5 test "$(field "$dev/stats.json" .disk_opens)" = 0
  same 'it stays charged' $((32 * mib)) "$(used)"
  refused EBUSY 'and on' put 0 "$dev/power"
  says 'because' '^power: cannot switch off while disk is mapped \(mmap\)' "$(<"$dev/last_error")"
  refused EBUSY 'rmdir' rmdir "$dev"
  tell remove
  same 'what it frees reads as zeros' 0 "$(head -c 16M "$dev/disk" | tr -d '\0' | wc -c)"
  put daemon "$dev/datapath"
  same 'by the daemon, too' 0 "$(head -c 16M "$dev/disk" | tr -d '\0' | wc -c)"
  kill -KILL "$(field "$mnt/status.json" .worker_pid)"
  same 'a worker that takes over finds it charged' $((32 * mib)) "$(used)"
  refused EBUSY 'and mapped' put 0 "$dev/power"
  tell remove
  kill "$mapper"
  wait "$mapper" || true
  same 'when the mapping has gone, what is stored' $((16 * mib)) "$(used)"
  mapped=$dev
  make_disk other '{"size": 64, "datapath": "daemon"}'
  check 'leaves the rest to others' dd if=/dev/zero of="$dev/disk" bs=1M count=32 conv=notrunc \
    status=none
  refused ENOSPC 'and none to itself' dd if=/dev/zero of="$mapped/disk" bs=1M count=1 conv=notrunc
  same 'the limit' $((48 * mib)) "$(used)"
  check 'power' put 0 "$mapped/power"
  check 'and rmdir' rmdir "$mapped"
fi

# --- Without, and by itself -----------------------------------------------------------------------

mount_rnullfs -o memory_limit=none
same 'no limit' null "$(field "$mnt/status.json" .memory_limit)"
mount_rnullfs
available=$(awk '/^MemAvailable:/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)
limit=$(field "$mnt/status.json" .memory_limit)
check 'by itself it is within what the machine has' test "$limit" -lt "$available"
check 'and most of that' test "$limit" -gt $((available / 4))
for bad in '' 5x -1 nothing; do
  mkdir -p "$scratch/bad"
  check "memory_limit=$bad is refused" not "$RNULLFS" -o "memory_limit=$bad" "$scratch/bad"
done
