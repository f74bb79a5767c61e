#!/bin/bash
# What changes while a disk is on and in use: it counts for the next request, and outlives a worker.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
stats() { field "$dev/stats.json" "$1"; }

# reads COUNT: how many milliseconds so many reads of a block take, one after the other.
reads() {
  python3 - "$dev/disk" "$1" <<'END'
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY)
begin = time.monotonic()
for i in range(int(sys.argv[2])):
    if len(os.pread(fd, 512, i * 512)) != 512:
        sys.exit("a read was cut")
print(int((time.monotonic() - begin) * 1000))
END
}

one_waits() { [[ $(stats .in_flight) == 1 ]]; }
nobody_has_it() { [[ $(stats .disk_opens) == 0 ]]; }

kill_worker() {
  local before
  before=$(field "$mnt/status.json" .worker_pid)
  kill -KILL "$before"
  within 5 served_by_another "$before"
}
served_by_another() { [[ $(field "$mnt/status.json" .worker_pid) != "$1" ]]; }

mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
datapath=daemon
make_disk d '{"size": 4, "discard": true}'
exec 3<>"$dev/disk"

# --- The next request -----------------------------------------------------------------------------

check 'completion_nsec and irqmode, in one' put '{"irqmode": 2, "completion_nsec": "20ms"}' "$dev/config.json"
check '  each request waits' test "$(reads 5)" -ge 100
check 'completion_nsec alone' put 60s "$dev/completion_nsec"
reads 1 >"$scratch/waits" &
waits=$!
within 5 one_waits
check 'irqmode' put 0 "$dev/irqmode"
check '  the next request does not wait' timeout 10 head -c 4096 "$dev/disk"
same '  what waits goes on waiting' 1 "$(stats .in_flight)"
check 'iops' put 100 "$dev/iops"
check '  counts' test "$(reads 31)" -ge 190
check 'mbps' put '{"iops": 0, "mbps": 1}' "$dev/config.json"
check '  counts' test "$(reads 256)" -ge 100
check 'no limit' put 0 "$dev/mbps"
check 'bad sectors' put +8-15 "$dev/badblocks"
check '  badblocks_partial_io' put 1 "$dev/badblocks_partial_io"
refused EIO '  what lies before is done' dd if=/dev/zero of="$dev/disk" bs=8k count=1 conv=notrunc status=none
same '    and only that' 4096 "$(stats .stored_bytes)"
check '  badblocks_once' put 1 "$dev/badblocks_once"
refused EIO '  they fail once' head -c 8192 "$dev/disk"
check '  and not again' head -c 8192 "$dev/disk"
check 'io_timeout' put '{"io_timeout": "10ms", "timeout_inject": {"probability": 100, "times": 1}}' "$dev/config.json"
refused ETIMEDOUT '  what gets lost fails then' timeout 10 head -c 512 "$dev/disk"
check 'hw_queue_depth' put 1 "$dev/hw_queue_depth"

# --- All or nothing -------------------------------------------------------------------------------

before=$(<"$dev/config.json")
refused EBUSY 'beside what cannot change' put '{"size": 8, "iops": 7, "blocksize": 4096}' "$dev/config.json"
says '  last_error names it' '^blocksize: cannot change' "$(<"$dev/last_error")"
refused EBUSY 'a smaller size' put 3 "$dev/size"
says '  last_error says what can be' '^size: can only become larger' "$(<"$dev/last_error")"
same 'nothing has changed' "$before" "$(<"$dev/config.json")"

# --- A larger disk --------------------------------------------------------------------------------

random_file "$scratch/random" 4
check 'all of it is written' dd if="$scratch/random" of="$dev/disk" bs=1M conv=notrunc status=none
check 'a larger size' put 8 "$dev/size"
same '  stat has it' $((8 << 20)) "$(stat -c %s "$dev/disk")"
same '  and config.json' 8 "$(field "$dev/config.json" .size)"
cp "$scratch/random" "$scratch/expected"
truncate -s 8M "$scratch/expected"
check '  the new part is zeros' cmp "$dev/disk" "$scratch/expected"
dd if="$scratch/random" of="$scratch/expected" bs=1M seek=4 conv=notrunc status=none
check '  it can be written' dd if="$scratch/random" of="$dev/disk" bs=1M seek=4 conv=notrunc status=none
refused ENOSPC '  but not what is behind it' dd if=/dev/zero of="$dev/disk" bs=1M seek=8 count=1 conv=notrunc status=none
check 'with a snapshot' mkdir "$dev/snapshots/s"
check '  a larger size, and history, in one' put '{"size": 9, "history": 4}' "$dev/config.json"
same '  the snapshot has its own' $((8 << 20)) "$(stat -c %s "$dev/snapshots/s/disk")"
check '  and what it had' cmp "$dev/snapshots/s/disk" "$scratch/expected"
truncate -s 9M "$scratch/expected"
check '  the disk is as it was' cmp "$dev/disk" "$scratch/expected"

# --- A worker that takes over ---------------------------------------------------------------------

check 'another worker' kill_worker
same '  goes by what was written' '9 10 1 true true 0 60000000000' "$(field "$dev/config.json" \
  '"\(.size) \(.io_timeout) \(.hw_queue_depth) \(.badblocks_once) \(.badblocks_partial_io) \(.irqmode) \(.completion_nsec)"')"
check '  has the data' cmp "$dev/disk" "$scratch/expected"
within 5 gone "$waits"
says '  what waited has been asked again, and is answered' '^[0-9]+$' "$(<"$scratch/waits")"
check '  lets it grow on' put 10 "$dev/size"
same '  and has its size' $((10 << 20)) "$(stat -c %s "$dev/disk")"

# grow_and_kill: sizes are written while workers die.
grow_and_kill() {
  local mib
  for mib in 11 12 13 14 15 16; do
    put "$mib" "$dev/size" &
    kill -KILL "$(field "$mnt/status.json" .worker_pid)" || true
    wait $! || return
    [[ $(<"$dev/size") == "$mib" && $(stat -c %s "$dev/disk") == $((mib << 20)) ]] || return
  done
}
check 'sizes are written while workers die' grow_and_kill
truncate -s 16M "$scratch/expected"
check '  the disk is as it was' cmp "$dev/disk" "$scratch/expected"
exec 3>&-
within 5 nobody_has_it
put 0 "$dev/power"

# --- What cannot grow while it is on --------------------------------------------------------------

make_disk cached '{"size": 4, "cache_size": 1}'
refused EBUSY 'a disk with a cache' put 8 "$dev/size"
says '  last_error says why' '^size: .*cache.*write 0 to power first' "$(<"$dev/last_error")"
put 0 "$dev/power"
if passthrough_possible; then
  datapath=auto
  make_disk kernel '{"size": 4}'
  exec 3<>"$dev/disk"
  refused EBUSY 'a disk that the kernel serves' put 8 "$dev/size"
  says '  last_error says why' '^size: .*passthrough' "$(<"$dev/last_error")"
  refused EBUSY '  has no limit either' put 10 "$dev/iops"
  says '  last_error says what to do' 'set datapath to daemon, or detach' "$(<"$dev/last_error")"
  exec 3>&-
  within 5 nobody_has_it
  put 0 "$dev/power"
  put 8 "$dev/size"
  put 1 "$dev/power"
  check 'off and on it grows' put 9 "$dev/size"
fi
unmount "$mnt"
