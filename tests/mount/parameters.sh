#!/bin/bash
# Scripts and parameters for null_blk and rnull, with the path changed.
. "$(dirname "$0")/../lib.sh"
needs fuse jq

cat >"$scratch/params" <<'END'
nr_devices=2 gb=1 bs=512
memory_backed=Y irqmode=2	completion_nsec=5000
timeout=2,100,3,-1 requeue= init_hctx=(null)
submit_queues=1 hw_queue_depth=32 home_node=-1 no_sched=N queue_mode=2 zone_size=256
cache_size=4 mbps=50 discard=1 fua=0
END
mount_rnullfs -o "$(cat "$scratch/params")"
same 'a file of parameters' 'rnullb0 rnullb1' "$(cd "$mnt" && echo rnullb*)"
cd "$mnt/rnullb0"
same 'each in its place' '1024 512 1 2 5000 32 -1 0 2 4 4 50 1 0' "$(cat size blocksize memory_backed irqmode \
  completion_nsec hw_queue_depth home_node no_sched queue_mode cache_size cache_size_mib mbps discard fua | xargs)"
same 'faults' '2 100 3 -1' "$(cat timeout_inject/{interval,probability,space,times} | xargs)"

# --- What has no effect through FUSE is taken and shown ---------------------------------------------

for name in use_per_node_hctx blocking shared_tags shared_tag_bitmap no_sched virt_boundary rotational; do
  put 1 $name
  same "$name" 1 "$(<$name)"
done
put 5 poll_queues && put 0 home_node && put 1 queue_mode
same 'numbers' '5 0 1' "$(cat poll_queues home_node queue_mode | xargs)"
refused EACCES 'index is read-only' put 3 index
put 1 zoned
refused EINVAL 'zoned' put 1 power
says 'last_error' '^zoned: ' "$(<last_error)"
put 0 zoned
put 4 max_sectors
refused EINVAL 'max_sectors less than a page' put 1 power
put 8 max_sectors

# --- power, index, what may change ------------------------------------------------------------------

put 1 power
put 1 ../rnullb1/power
same 'index' '0 1' "$(cat index ../rnullb1/index | xargs)"
put 0 power
mkdir ../other
put 1 ../other/power
same 'the least that is free' 0 "$(<../other/index)"
put 1 power
same 'and the next' 2 "$(<index)"
for name in cache_size discard fua seed; do
  refused EBUSY "$name while powered" put 1 $name
done
for name in submit_queues hw_queue_depth mbps iops badblocks_once poll_queues timeout_inject/times requeue_inject/probability; do
  check "$name while powered" put 1 $name
done
check 'badblocks while powered' put +1-2 badblocks
refused EINVAL 'errors of the text first' put x mbps

# --- Directories --------------------------------------------------------------------------------------

refused EPERM 'mkdir in a device' mkdir timeout_inject/x
refused EPERM 'rmdir of its directory' rmdir timeout_inject
refused EPERM 'creating a file in it' touch timeout_inject/x
same 'find sees all of it' 17 "$(find . -mindepth 2 -type f | wc -l)"
cd /
