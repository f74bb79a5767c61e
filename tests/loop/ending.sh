#!/bin/bash
# The end of a mount with guard and worker, while a loop device holds a disk: both go together, and
# not before the last close.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq
random_file "$scratch/random" 16

# A mount with a disk on a loop device, both processes known.
start() {
  mount_rnullfs -o nr_devices=0 2>/dev/null
  guard=$(field "$mnt/status.json" .guard_pid)
  daemons+=("$guard")
  make_disk d '{"size": 16}'
  attach --direct-io="$1" "$dev/disk"
}
both_end() {
  check "$1: the worker ends" within 5 gone "$daemon"
  check "$1: so does the guard" within 5 gone "$guard"
  same "$1: nothing is mounted" '' "$(mounts_here)"
}
works() {
  dd if="$scratch/random" of="$loop" bs=1M oflag=direct status=none && sync "$loop" &&
    blockdev --flushbufs "$loop" && cmp "$loop" "$scratch/random"
}
both_run() { not gone "$daemon" && not gone "$guard"; }
children() { cat "/proc/$1/task/$1/children"; }
# Another worker than $daemon, in $next: a lazily unmounted mount can say nothing of it.
replaced() {
  next=$(children "$guard" | xargs)
  [[ -n $next && $next != "$daemon" ]]
}

# --- umount --lazy --------------------------------------------------------------------------------

export loop scratch
for direct in on off; do
  start "$direct"
  umount --lazy "$mnt"
  check "lazily unmounted, direct I/O $direct: the loop device works" works
  check '  both processes go on' both_run
  detach "$loop"
  both_end '  after losetup -d'

  for served in auto daemon; do
    datapath=$served start "$direct"
    umount --lazy "$mnt"
    works
    kill -KILL "$daemon"
    check "worker killed then, datapath=$served: another comes" within 5 replaced
    check '  the loop device has what it had' cmp "$loop" "$scratch/random"
    random_file "$scratch/random" 16
    check '  and works' timeout 20 bash -c "$(declare -f works); works"
    daemon=$next
    daemons+=("$daemon")
    detach "$loop"
    both_end '  after losetup -d'
  done
done

# Under load.
start on
umount --lazy "$mnt"
(for i in {1..30}; do dd if="$scratch/random" of="$loop" bs=64k oflag=direct status=none || exit; done) &
writer=$!
for i in 1 2 3; do
  sleep 0.2
  kill -KILL "$daemon"
  within 5 replaced
  daemon=$next
  daemons+=("$daemon")
done
check 'three workers killed while it is written: no write fails' wait "$writer"
check '  and all is there' cmp "$loop" "$scratch/random"
detach "$loop"
both_end '  after losetup -d'

# --- Signals --------------------------------------------------------------------------------------

is_waiting() { [[ $(field "$mnt/status.json" '.unmount_waits_for|join(",")') == d ]]; }
# What the kernel serves by itself outlives even that.
for who in guard daemon; do
  datapath=daemon start on
  kill -TERM "${!who}"
  check "SIGTERM to ${who/daemon/worker}: it waits for the disk, and names it" within 2 is_waiting
  check '  the loop device works' works
  detach "$loop"
  both_end '  after losetup -d'

  datapath=daemon start on
  kill -TERM "${!who}"
  within 2 is_waiting
  kill -TERM "${!who}"
  both_end "a second SIGTERM to ${who/daemon/worker} does not wait"
  check '  the loop device fails, it does not hang' not timeout 10 dd if="$loop" of=/dev/null bs=4k \
    count=1 iflag=direct
  detach "$loop"
done
