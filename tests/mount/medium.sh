#!/bin/bash
# What a disk remembers and for how long, what it forgets, and that both are counted.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
mount_rnullfs -o nr_devices=0
datapath=daemon # data_path.sh has what differs when the kernel serves the disk
make_disk d '{"size": 64}'
disk=$dev/disk
mib=$((1 << 20))
random_file "$scratch/random" 64
stats() { field "$dev/stats.json" "$1"; }
counts() { stats ".$1 | \"\(.requests) \(.bytes) \(.errors)\""; }
restart() { # with a change of configuration
  put 0 "$dev/power"
  put "$1" "$dev/config.json"
  put 1 "$dev/power"
}

# --- Power ----------------------------------------------------------------------------------------

dd if="$scratch/random" of="$disk" bs=1M conv=notrunc status=none
same 'stats.json: powered' 'true daemon' "$(stats '"\(.powered) \(.datapath)"')"
put 0 "$dev/power"
same 'stats.json: off' 'false none' "$(stats '"\(.powered) \(.datapath)"')"
same 'what is stored stays' $((64 * mib)) "$(stats .stored_bytes)"
put 1 "$dev/power"
check 'and reads the same after a power cycle' cmp "$disk" "$scratch/random"

# --- Another size ---------------------------------------------------------------------------------

restart '{"size": 16}'
same 'a smaller size: the disk ends earlier' $((16 * mib)) "$(stat -c %s "$disk")"
same 'and the rest is freed' $((16 * mib)) "$(stats .stored_bytes)"
check 'what lies before is the same' cmp -n $((16 * mib)) "$disk" "$scratch/random"
restart '{"size": 128}'
same 'a larger size' $((128 * mib)) "$(stat -c %s "$disk")"
check 'what was there is there' cmp -n $((16 * mib)) "$disk" "$scratch/random"
same 'what was cut off is gone' 0 "$(tail -c +$((16 * mib + 1)) "$disk" | tr -d '\0' | wc -c)"
restart '{"blocksize": 512}'
check 'another block size changes no byte' cmp -n $((16 * mib)) "$disk" "$scratch/random"

# --- memory_backed --------------------------------------------------------------------------------

restart '{"memory_backed": false}'
before=$(counts writes)
same 'without memory_backed reads give zeros' 0 "$(tr -d '\0' <"$disk" | wc -c)"
check 'writes are taken' dd if="$scratch/random" of="$disk" bs=64k count=16 oflag=direct \
  conv=notrunc status=none
same 'and dropped' 0 "$(head -c 1M "$disk" | tr -d '\0' | wc -c)"
read -r requests bytes errors <<<"$before"
same 'but counted' "$((requests + 16)) $((bytes + mib)) $errors" "$(counts writes)"
same 'the disk is one hole' "ENXIO 0" "$(sys "$disk" O_RDONLY data 0 hole 0)"
refused EOPNOTSUPP 'a hole cannot be punched in it' fallocate --punch-hole --length 1M "$disk"
refused ENOSPC 'it ends where it ends' dd if=/dev/zero of="$disk" bs=1M seek=128 count=1 conv=notrunc
restart '{"memory_backed": true, "discard": true}'
check 'what was stored before is there again' cmp -n $((16 * mib)) "$disk" "$scratch/random"

# --- Counters -------------------------------------------------------------------------------------

make_disk counted '{}'
disk=$dev/disk
dd if=/dev/zero of="$disk" bs=4k count=16 oflag=direct conv=notrunc status=none
same 'writes' '16 65536 0' "$(counts writes)"
dd if="$disk" of=/dev/null bs=8k count=4 iflag=direct status=none
same 'reads' '4 32768 0' "$(counts reads)"
dd if=/dev/zero of="$disk" bs=4k count=1 conv=notrunc,fsync status=none
same 'flushes' '1 0 0' "$(counts flushes)"
fallocate --punch-hole --offset 8k --length 12k "$disk"
same 'discards' '1 12288 0' "$(counts discards)"
fallocate --zero-range --keep-size --length 4k "$disk"
same 'write_zeroes' '1 4096 0' "$(counts write_zeroes)"
fallocate --offset 1M --length 8k "$disk"
same 'allocates' '1 8192 0' "$(counts allocates)"
sys "$disk" O_WRONLY pwrite $((64 * mib)) x >/dev/null
same 'a write behind the end is an error' '18 69632 1' "$(counts writes)"
same 'pages' "15 $((15 * 4096))" "$(stats '"\(.stored_pages) \(.stored_bytes)"')"
same 'nothing under way' '0 0' "$(stats '"\(.in_flight) \(.disk_opens)"')"
exec 3<"$disk"
same 'an open disk' 1 "$(stats .disk_opens)"
exec 3<&-

# --- Power off while in use -----------------------------------------------------------------------

exec 3<>"$disk"
refused EBUSY 'power off while the disk is open' put 0 "$dev/power"
says 'last_error says who has it' \
  "^power: .* disk is open: opened by .*\(pid $$\).*losetup -d" "$(<"$dev/last_error")"
echo still here 1>&3
same 'the disk goes on' 'still here' "$(head -c 10 "$disk")"
exec 3>&-
check 'power off right after the close' put 0 "$dev/power"
put 1 "$dev/power"
same 'nothing is lost' 'still here' "$(head -c 10 "$disk")"

# --- rmdir ----------------------------------------------------------------------------------------

resident_kib() { awk '/^RssShmem:/ { print $2 }' "/proc/$daemon/status"; }
rmdir "$mnt/d" "$mnt/counted"
same 'rmdir frees everything' 0 "$(resident_kib)"
make_disk d '{}'
same 'a new disk of the old name is empty' 0 "$(tr -d '\0' <"$dev/disk" | wc -c)"
