#!/bin/bash
# What fio measures against what was set up: bandwidth, requests, queue depth, latency.  Never faster than
# that; how much slower is the machine's affair, so that only another order of magnitude is a fault.  How
# exact the stages are is for tests/device, whose clock nobody else holds up.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio

mount_rnullfs -o nr_devices=0

# measure RW FIO-OPTION...: a second of it on $loop, the result in $scratch/fio.json.
measure() {
  local rw=$1
  shift
  fio --name=m --filename="$loop" --rw="$rw" --size=32M --direct=1 --ioengine=libaio --time_based --runtime=1 \
    --output-format=json --output="$scratch/fio.json" "$@" >/dev/null
}
result() { jq ".jobs[0].$1" "$scratch/fio.json"; }

# limits WHAT LIMIT GOT
limits() {
  if jq -en --argjson limit "$2" --argjson got "$3" \
    '$got <= $limit * 1.1 and $got >= $limit / 5' >/dev/null; then
    pass "$1"
  else
    fail "$1" "expected: $2 at most, and not far less" "got:      $3"
  fi
}

# limited JSON: a disk with that configuration, and a loop device on it.
count=0
limited() {
  [[ -z ${loop-} ]] || detach "$loop"
  make_disk "d$((++count))" "$1"
  attach --direct-io=on "$dev/disk"
}

# --- mbps, iops ---------------------------------------------------------------------------------------

cpu_ticks() {
  local user system
  read -r user system < <(cut -d' ' -f14,15 "/proc/$daemon/stat")
  echo $((user + system))
}
limited '{"mbps": 20}'
for depth in 1 16; do
  for rw in randread randwrite; do
    measure "$rw" --bs=16k --iodepth=$depth
    limits "mbps: $rw at depth $depth" 20 "$(result "${rw#rand}.bw_bytes / 1048576")"
  done
done
measure randrw --bs=16k --iodepth=8
limits 'mbps: reads and writes share it' 20 "$(result 'read.bw_bytes / 1048576 + .jobs[0].write.bw_bytes / 1048576')"
measure randwrite --bs=4k --iodepth=8 --numjobs=2 --output="$scratch/fio.json"
check 'mbps: neither of two clients starves' jq -e '[.jobs[].write.bw] | min * 4 >= max' "$scratch/fio.json"
limited '{"mbps": {"read": 40, "write": 10}}'
measure randread --bs=16k --iodepth=8
limits 'a limit for reads' 40 "$(result 'read.bw_bytes / 1048576')"
measure randwrite --bs=16k --iodepth=8
limits 'and one for writes' 10 "$(result 'write.bw_bytes / 1048576')"
limited '{"mbps": 800}'
measure write --bs=1M --iodepth=4
limits 'mbps: large requests' 800 "$(result 'write.bw_bytes / 1048576')"
limited '{"iops": 500}'
before=$(cpu_ticks)
measure randread --bs=4k --iodepth=32
limits 'iops' 500 "$(result read.iops)"
check 'who waits costs no processor' test $(($(cpu_ticks) - before)) -lt $(($(getconf CLK_TCK) / 2))

# --- hw_queue_depth, submit_queues --------------------------------------------------------------------

for depth in 1 4 16; do
  limited "{\"irqmode\": 2, \"completion_nsec\": 2000000, \"hw_queue_depth\": $depth}"
  measure randread --bs=4k --iodepth=32
  limits "2 ms each, $depth at once" $((depth * 500)) "$(result read.iops)"
done
limited '{"irqmode": 2, "completion_nsec": 2000000, "hw_queue_depth": 4}'
if (($(nproc) > 1)); then
  put 2 "$dev/submit_queues"
  measure randread --bs=4k --iodepth=32
  limits 'two queues, set while powered' 4000 "$(result read.iops)"
  put 1 "$dev/submit_queues"
fi
measure randread --bs=4k --iodepth=1
check 'a request alone takes its time' jq -e '.jobs[0].read.lat_ns.min >= 1900000' "$scratch/fio.json"
limited '{"irqmode": 2, "completion_nsec": 2000000, "hw_queue_depth": 1, "max_sectors": 8}'
measure randread --bs=16k --iodepth=1
limits 'max_sectors makes four requests of one' 125 "$(result read.iops)"
