#!/bin/bash
# With direct I/O a loop device hands on as many requests at once as there are: a disk that takes 20
# ms for each serves 32 of them in that time.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio
mount_rnullfs -o nr_devices=0
make_disk slow '{"irqmode": 2, "completion_nsec": 20000000}'
attach --direct-io=on "$dev/disk"

# iops DIRECTION QUEUE-DEPTH
iops() {
  fio --name=parallel --filename="$loop" --direct=1 --ioengine=libaio --rw="$1" --iodepth="$2" \
    --bs=4k --time_based --runtime=2 --output-format=json --output="$scratch/fio.json" &&
    field "$scratch/fio.json" '[.jobs[0].read.iops, .jobs[0].write.iops] | max | floor'
}

one=$(iops randread 1)
check "one at a time, no more than 50 a second: $one" test "$one" -le 50
for direction in randread randwrite; do
  many=$(iops "$direction" 32)
  # 1600 on an idle machine.
  check "32 at a time, $direction: $many a second" test "$many" -ge $((4 * one))
done
