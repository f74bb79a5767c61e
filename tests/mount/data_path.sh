#!/bin/bash
# Who serves a disk: the kernel by itself where that is possible, else the daemon; and that both see
# one disk.
. "$(dirname "$0")/../lib.sh"
needs fuse jq fio python3
mount_rnullfs -o nr_devices=0,memory_limit=512M
mib=$((1 << 20))
stats() { field "$dev/stats.json" "$1"; }
which() { stats '"\(.datapath): \(.datapath_why)"'; }
# FUSE tells of a close after it has returned.
all_closed() { [[ $(stats .disk_opens) == 0 ]]; }
power_cycle() { put 0 "$dev/power" && put 1 "$dev/power"; }

# --- Why not --------------------------------------------------------------------------------------

# falls_back PATTERN JSON: the daemon serves it, for that reason, and passthrough is refused for it.
falls_back() {
  make_disk refused "$2"
  says "auto falls back: $1" "^daemon: .*$1" "$(which)"
  check 'and serves' dd if=/dev/zero of="$dev/disk" bs=4k count=1 conv=notrunc status=none
  put 0 "$dev/power"
  put passthrough "$dev/datapath"
  check 'passthrough refuses power' not put 1 "$dev/power"
  says 'last_error says why' "^datapath: passthrough is not possible: .*$1.*auto" \
    "$(<"$dev/last_error")"
  same 'it stays off' 0 "$(<"$dev/power")"
  rmdir "$dev"
}

if ! passthrough_possible; then
  why=$(field "$mnt/status.json" .passthrough)
  says 'what is missing' 'libfuse|kernel|CAP_SYS_ADMIN' "$why"
  falls_back "${why%% (*}" '{}'
  exit
fi
falls_back 'memory_backed is 0' '{"memory_backed": false}'
falls_back 'irqmode is 2' '{"irqmode": 2}'
falls_back '1024 MiB do not fit into what memory_limit leaves' '{"size": 1024}'

# --- The kernel serves ----------------------------------------------------------------------------

make_disk d '{}'
disk=$dev/disk
random_file "$scratch/random" 48
truncate -s 65M "$scratch/large"
same 'auto takes passthrough' 'passthrough: ' "$(which)"
dd if="$scratch/random" bs=1M conv=fsync status=none 1<>"$disk"
check 'what is written is read' cmp -n $((48 * mib)) "$disk" "$scratch/random"
within 5 all_closed
same 'neither came by, but for the flush' '0 0 1' \
  "$(stats '"\(.reads.requests) \(.writes.requests) \(.flushes.requests)"')"
same 'what is stored' $((48 * mib)) "$(stats .stored_bytes)"
same 'stat counts it, too' $((48 * mib / 512)) "$(stat -c %b "$disk")"
check 'it is newer than the file copied to it' test "$disk" -nt "$scratch/random"
same 'it ends where it ends' EPERM "$(sys "$disk" O_RDWR pwrite $((64 * mib)) x)"
within 5 all_closed
same 'for who only writes as on any disk' ENOSPC "$(sys "$disk" O_WRONLY pwrite $((64 * mib)) x)"
refused ENOSPC 'dd without end' dd if=/dev/zero of="$disk" bs=1M conv=notrunc
refused ENOSPC 'cp of what is too large' cp "$scratch/large" "$disk"
dd if="$scratch/random" of="$disk" bs=1M conv=notrunc status=none
fallocate --punch-hole --offset 48M --length 16M "$disk"
same 'and keeps its size' $((64 * mib)) "$(stat -c %s "$disk")"
fallocate --punch-hole --offset 1M --length 16M "$disk"
same 'a discard gives memory back' $((32 * mib)) "$(stats .stored_bytes)"
same 'and reads as zeros' 0 "$(tail -c +$((mib + 1)) "$disk" | head -c 16M | tr -d '\0' | wc -c)"
fallocate --zero-range --keep-size --offset 20M --length 4M "$disk"
same 'so do zeroes' 0 "$(tail -c +$((20 * mib + 1)) "$disk" | head -c 4M | tr -d '\0' | wc -c)"
cp --sparse=always "$disk" "$scratch/expected"
check 'after a power cycle' power_cycle
check 'the same' cmp "$disk" "$scratch/expected"
put daemon "$dev/datapath"
same 'the daemon takes over' 'daemon: datapath is daemon' "$(which)"
check 'and reads the same' cmp "$disk" "$scratch/expected"
check 'which it counts' test "$(stats .reads.bytes)" -eq $((64 * mib))
put auto "$dev/datapath"

# --- Open -----------------------------------------------------------------------------------------

exec 3<>"$disk"
same 'an open that the kernel serves' '1 1' "$(stats '"\(.disk_opens) \(.passthrough_opens)"')"
refused EBUSY 'no stage is armed then' put 2 "$dev/irqmode"
says 'last_error says what to do' 'open through passthrough.*set datapath to daemon, or detach' \
  "$(<"$dev/last_error")"
put daemon "$dev/datapath"
check 'another open joins it' cmp "$disk" "$scratch/expected"
same 'as long as it lasts' 'passthrough: ' "$(which)"
exec 3>&-
check 'and then it is the daemon' within 5 test "$(which)" = 'daemon: datapath is daemon'

# --- One way at a time ----------------------------------------------------------------------------

exec 3<>"$disk" # through the daemon: it came first
put auto "$dev/datapath"
exec 4<>"$disk"
same 'who comes later goes the same way' '2 0' "$(stats '"\(.disk_opens) \(.passthrough_opens)"')"
says 'stats.json says why' "^daemon: .*opened by .*\(pid $$\)" "$(which)"
refused EBUSY 'passthrough is not promised then' put passthrough "$dev/datapath"
says 'last_error names who has it open' "opened by .*\(pid $$\)" "$(<"$dev/last_error")"
exec 3>&- 4>&-
kernel_is_next() { [[ $(which) == 'passthrough: ' ]]; }
check 'and then it is the kernel' within 5 kernel_is_next

# Each open in turns with one of the other kind; then beside a mapping that came through the daemon.
cat >"$scratch/turns.py" <<'END'
import mmap, os, sys, threading
def turns(flags):
    for _ in range(2000):
        os.close(os.open(sys.argv[1], flags))
failed = []
def run(flags):
    try:
        turns(flags)
    except OSError as error:
        failed.append(error)
threads = [threading.Thread(target=run, args=[flags]) for flags in (os.O_WRONLY, os.O_RDONLY)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
writer = os.open(sys.argv[1], os.O_WRONLY)
held = os.open(sys.argv[1], os.O_RDWR)
os.close(writer)
mapped = mmap.mmap(held, 4096)
mapped[0] = 1
os.close(held)
try:
    turns(os.O_RDONLY)
except OSError as error:
    failed.append(error)
sys.exit(str(failed) if failed else 0)
END
check 'no open fails for another one' python3 "$scratch/turns.py" "$disk"
# However late its RELEASE is.
kernel_serves_all() {
  local i
  for ((i = 0; i < 100; ++i)); do
    dd if=/dev/zero of="$disk" bs=4k count=1 conv=notrunc status=none
    exec 3<>"$disk"
    [[ $(stats .passthrough_opens) == 1 ]] || return
    exec 3>&-
  done
}
check 'who comes when a writer has closed gets the kernel, a hundred times' kernel_serves_all
verified() { # NAME OFFSET: through an open of its own
  fio --name="$1" --filename="$disk" --offset="$2" --size=16M --rw=randwrite --bs=4k --loops=3 \
    --ioengine=psync --verify=crc32c --verify_fatal=1 --verify_state_save=0 --randrepeat=0 \
    --output="$scratch/$1"
}
exec 3<>"$disk"
verified kernel 16M &
fio=$!
for ((i = 0; i < 200; ++i)); do
  fallocate --punch-hole --offset $((32 * mib + i * 4096)) --length 1M "$disk"
  fallocate --zero-range --keep-size --offset $((40 * mib + i * 512)) --length 64k "$disk"
done
check 'verified writes while the daemon punches beside them' wait "$fio"
exec 3>&-

# --- Another size ---------------------------------------------------------------------------------

cp --sparse=always "$disk" "$scratch/expected"
put 0 "$dev/power"
put '{"size": 128, "power": true}' "$dev/config.json"
check 'a larger size keeps everything' cmp -n $((64 * mib)) "$disk" "$scratch/expected"
same 'the rest is empty' 0 "$(tail -c +$((64 * mib + 1)) "$disk" | tr -d '\0' | wc -c)"
put 0 "$dev/power"
put '{"size": 32, "power": true}' "$dev/config.json"
check 'so does a smaller one' cmp -n $((32 * mib)) "$disk" "$scratch/expected"
same 'served by' 'passthrough: ' "$(which)"
