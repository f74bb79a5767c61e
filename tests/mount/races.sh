#!/bin/bash
# Many at once, and those who go away in the middle: 64 disks under load, power cycles, mkdir and
# rmdir against lookups and open handles, clients that are killed.
. "$(dirname "$0")/../lib.sh"
needs fuse jq fio python3
count=64
mount_rnullfs -o nr_devices=0
status() { field "$mnt/status.json" "$1"; }
wait_all() {
  local pid result=0
  for pid; do wait "$pid" || result=1; done
  return "$result"
}

# --- 64 disks -------------------------------------------------------------------------------------

kinds=('{}' '{"datapath": "daemon"}' '{"irqmode": 1}' '{"irqmode": 2, "completion_nsec": 100000}')
{
  printf '[global]\nsize=4M\nbs=4k\nrw=randwrite\nioengine=psync\nthread=1\nrandrepeat=0\n'
  printf 'verify=crc32c\nverify_fatal=1\nverify_state_save=0\n'
  for ((i = 0; i < count; ++i)); do
    make_disk "d$i" "$(jq '.size = 4' <<<"${kinds[i % 4]}")"
    printf '[d%d]\nfilename=%s/disk\n' "$i" "$dev"
  done
} >"$scratch/jobs"
check "verified writes to $count disks at once" timeout 60 fio --output="$scratch/fio" "$scratch/jobs"
same 'all of it is stored' $((count * 4 << 20)) "$(status .memory_used)"
same 'no request failed' 0 "$(cat "$mnt"/d*/stats.json | jq -s '[.[][] | objects | .errors] | add')"

# Each its own number, while all are switched off and on.
cycles() {
  local i
  for ((i = 0; i < 15; ++i)); do
    echo "disk $1 in round $i" 1<>"$mnt/$1/disk" && put 0 "$mnt/$1/power" &&
      put 1 "$mnt/$1/power" && [[ $(head -n 1 "$mnt/$1/disk") == "disk $1 in round $i" ]] || return
  done
}
pids=()
for ((i = 0; i < count; i += 4)); do
  cycles "d$i" &
  pids+=($!)
done
check 'writes and power cycles of 16 of them at once' wait_all "${pids[@]}"

# The closes come when more power-offs wait for them than the worker has threads.
cat >"$scratch/off.py" <<'END'
import os, sys, threading
count = 24
together = threading.Barrier(count)
refused = []
def switch_off(device):
    os.mkdir(device)
    for _ in range(5):
        with open(device + "/power", "w") as power:
            power.write("1")
        disk = os.open(device + "/disk", os.O_RDWR)
        power = os.open(device + "/power", os.O_WRONLY)
        together.wait()
        threading.Timer(0.002, os.close, [disk]).start()
        try:
            os.write(power, b"0")
        except OSError as error:
            refused.append(error)
        os.close(power)
    os.rmdir(device)
threads = [threading.Thread(target=switch_off, args=[f"{sys.argv[1]}/off{i}"])
           for i in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(f"{len(refused)} refused: {refused[0]}" if refused else 0)
END
check 'power-offs of 24 disks, each before its close' python3 "$scratch/off.py" "$mnt"

# --- mkdir and rmdir ------------------------------------------------------------------------------

rmdir_off() { put 0 "$1/power" && rmdir "$1"; }
make_and_remove() {
  local i
  for ((i = 0; i < 60; ++i)); do
    mkdir "$mnt/new" && echo '{"memory_backed": true, "size": 1, "power": true}' >"$mnt/new/config.json" ||
      return
    sleep 0.02 # for others to see it
    # Who has it open at the moment is waited for, but not for ever.
    within 5 rmdir_off "$mnt/new" 2>/dev/null || return
  done
}
look() {
  while [[ ! -e $scratch/done ]]; do
    ls -lR "$mnt" || true
    cat "$mnt/new"/{size,config.json,stats.json} || true
    stat "$mnt/new/disk" || true
  done >"$scratch/look.$1" 2>&1
}
# Opening what is not there any more would make it, which is not permitted.
hold() {
  while [[ ! -e $scratch/done ]]; do
    { echo here 1<>"$mnt/new/disk" && head -c 4 "$mnt/new/disk"; } || true
    (exec 3<"$mnt/new/size" && sleep 0.01 && cat <&3) || true
  done >"$scratch/look.$1" 2>&1
}
pids=()
for i in 1 2; do look "$i" & pids+=($!); done
for i in 3 4; do hold "$i" & pids+=($!); done
check 'mkdir, power, rmdir, sixty times, while others look' make_and_remove
touch "$scratch/done"
wait_all "${pids[@]}"
same 'they saw it, or that it is not there' '' "$(grep -hoiE \
  'input/output error|not connected|bad file|invalid argument' "$scratch"/look.* | sort -u)"
check 'at times it was there' grep -qs -e '/new:$' -e '^here' "$scratch"/look.[1-4]
same 'none is left over' "$count $count" "$(status .devices) $(find "$mnt"/d* -name disk | wc -l)"

mkdir "$mnt/held"
exec 3<"$mnt/held/size"
rmdir "$mnt/held"
mkdir "$mnt/held"
put 7 "$mnt/held/size"
check 'a handle of what was there before does not speak of the new one' test "$(cat <&3 2>/dev/null)" != 7
exec 3<&-

# --- Clients that are killed ----------------------------------------------------------------------

in_flight() { (($(field "$dev/stats.json" .in_flight) > 0)); }
idle() { not in_flight; }
for kind in '"irqmode": 2, "completion_nsec": 300000000' '"datapath": "daemon"' '"irqmode": 0'; do
  make_disk killed "{\"size\": 16, $kind}"
  for call in read write; do
    if [[ $call == read ]]; then ends=(if="$dev/disk" of=/dev/null); else ends=(if=/dev/zero of="$dev/disk"); fi
    # A group of its own, lest its loop begins another.
    # shellcheck disable=SC2016 # for the inner shell
    setsid bash -c 'while :; do dd "$@" bs=64k conv=notrunc status=none; done' - "${ends[@]}" \
      2>/dev/null &
    client=$!
    [[ $kind != *300000000* ]] || within 5 in_flight
    sleep 0.2
    kill -KILL -- "-$client"
    wait "$client" 2>/dev/null || true
    none_left() { ! pgrep --pgroup "$client" --runstates RSDT >/dev/null; }
    check "$kind: a client killed in a $call is gone" within 5 none_left
    check '  and so is its request' within 5 idle
    closed() { [[ $(field "$dev/stats.json" .disk_opens) == 0 ]]; }
    check '  and its open' within 5 closed
  done
  check '  the disk goes on' timeout 20 dd if="$scratch/jobs" of="$dev/disk" bs=1M conv=notrunc
  check '  and keeps what is written' cmp -n "$(stat -c %s "$scratch/jobs")" "$dev/disk" "$scratch/jobs"
  rmdir_off "$dev"
done
same 'the worker is the first' "0 $daemon" "$(status '"\(.workers_replaced) \(.worker_pid)"')"
