#!/bin/bash
# Load on the disk file: fio writes, reads back and compares checksums, in every irqmode.
. "$(dirname "$0")/../lib.sh"
needs fuse jq fio
mount_rnullfs -o nr_devices=0

# verified NAME FIO-OPTION...: what fio says goes to $scratch/fio.json.
verified() {
  local name=$1
  shift
  fio --name="$name" --filename="$dev/disk" --direct=1 --ioengine=libaio --verify=crc32c \
    --verify_fatal=1 --verify_state_save=0 --randrepeat=0 --group_reporting --output-format=json \
    --output="$scratch/fio.json" "$@"
}

for irqmode in 0 1 2; do
  make_disk "irqmode-$irqmode" "{\"irqmode\": $irqmode, \"completion_nsec\": 100000}"
  check "irqmode $irqmode: 4 KiB random writes, verified" \
    verified random --rw=randwrite --bs=4k --iodepth=32 --size=32M
  check "irqmode $irqmode: mixed sizes and directions, verified" \
    verified mixed --rw=randrw --bsrange=4k-256k --blockalign=4k --iodepth=16 --size=64M
  same 'no request failed' 0 "$(field "$dev/stats.json" '[.[] | objects | .errors] | add')"
  same 'none is under way' 0 "$(field "$dev/stats.json" .in_flight)"
done

make_disk sub-page '{"blocksize": 512}'
check '512-byte blocks: writes smaller than a page' \
  verified small --rw=randwrite --bsrange=512-8k --blockalign=512 --iodepth=32 --size=16M
check 'four jobs side by side' \
  verified jobs --rw=randwrite --bs=4k --iodepth=8 --numjobs=4 --size=16M --offset_increment=16M
check 'synchronous writes' \
  verified buffered --rw=write --direct=0 --ioengine=psync --bs=64k --size=32M

# --- The timer ------------------------------------------------------------------------------------

latency_usec() {
  fio --name=latency --filename="$dev/disk" --direct=1 --ioengine=libaio --rw=randread --bs=4k \
    --size=16M --runtime=2 --time_based --output-format=json "$@" >"$scratch/fio.json"
  field "$scratch/fio.json" '.jobs[0].read.clat_ns.percentile["50.000000"] / 1000 | floor'
}
make_disk slow '{"irqmode": 2, "completion_nsec": 20000000}'
one=$(latency_usec --iodepth=1)
check 'a request takes completion_nsec' test "$one" -ge 20000
check 'and not much more' test "$one" -le 40000
many=$(latency_usec --iodepth=64)
check '64 at a time take as long as one' test "$many" -le 60000

cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$daemon/stat"; }
before=$(cpu_ticks)
sleep 1
check 'waiting for nothing costs no processor' test $(($(cpu_ticks) - before)) -le 10

# --- A disk that holds its requests ---------------------------------------------------------------

# Each waits an hour, so many that the kernel once let no others through.
if ((EUID == 0)); then
  make_disk held '{"irqmode": 2, "completion_nsec": 3600000000000, "hw_queue_depth": 4096}'
  held=$dev
  fio --name=held --filename="$held/disk" --direct=1 --ioengine=libaio --rw=randread --bs=4k \
    --size=16M --iodepth=2000 >"$scratch/held" 2>&1 &
  fio=$!
  many_wait() { (($(field "$held/stats.json" .in_flight) > 1024)); }
  check 'a disk that holds more than 1024 requests' within 20 many_wait
  make_disk beside '{"datapath": "daemon"}'
  # In the background: a process cannot be killed while its requests are not let through.
  verified beside --rw=randwrite --bs=4k --size=16M --iodepth=128 >/dev/null 2>&1 &
  beside=$!
  check 'another one is verified at depth 128 meanwhile' within 60 gone "$beside"
  check 'which the first has not let go of' many_wait
  worker=$(field "$mnt/status.json" .worker_pid)
  for signal in TERM TERM; do
    kill -s "$signal" "$worker"
    sleep 0.3
  done
  check 'the end does not wait for the hour' within 20 gone "$worker"
  check 'no request of the other has failed' wait "$beside"
  wait "$fio" || true
fi
