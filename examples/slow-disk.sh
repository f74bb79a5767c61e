#!/bin/bash
# A disk that takes its time: irqmode=2 answers each request completion_nsec after it came, however
# many are under way.  fio shows what that does to latency and throughput.  Any user can run this.
set -euo pipefail

rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
mnt=$(mktemp -d)
clean_up() {
  trap '' INT TERM
  trap - EXIT
  if mountpoint -q "$mnt"; then umount "$mnt" 2>/dev/null || fusermount3 -u "$mnt"; fi
  rmdir "$mnt"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

"$rnullfs" -o nr_devices=0 "$mnt"

# measure NANOSECONDS QUEUE-DEPTH: random reads of 4 KiB for two seconds.
measure() {
  local median iops
  mkdir "$mnt/slow"
  echo "{\"irqmode\": 2, \"completion_nsec\": $1, \"power\": true}" >"$mnt/slow/config.json"
  # Version 3 of fio's terse output: field 8 is IOPS, fields 18 to 37 are percentiles
  # "50.000000%=USEC".
  IFS=';' read -ra fields < <(fio --name=reads --filename="$mnt/slow/disk" --rw=randread --bs=4k \
    --direct=1 --ioengine=libaio --iodepth="$2" --time_based --runtime=2 --minimal)
  iops=${fields[7]}
  median=$(printf '%s\n' "${fields[@]:17:20}" | sed -n 's/^50\.000000%=//p')
  printf '%12s %12s %16s %16s\n' "$(($1 / 1000))" "$2" "$median" "$iops"
  rmdir "$mnt/slow"
}

printf '%12s %12s %16s %16s\n' 'latency, us' 'queue depth' 'median, us' 'requests a sec'
measure 100000 1
measure 100000 32
measure 1000000 1
measure 1000000 32
measure 5000000 32
echo
echo 'One at a time, requests a second are one by the latency; 32 at a time, up to 32 times that: the'
echo 'delays run side by side, as in a real disk with a deep queue.'
