#!/bin/bash
# Requests over /dev/fuse and over io_uring: what is chosen, what it falls back to, and verified data
# over the ring, up to the end of the mount.  Sets the kernel's switch and puts it back.
. "$(dirname "$0")/../lib.sh"
needs root fuse jq fio python3
parameter=/sys/module/fuse/parameters/enable_uring
datapath=daemon # what the kernel serves by itself comes over neither
switch_was=$(cat "$parameter" 2>/dev/null || true)

disabled=/proc/sys/kernel/io_uring_disabled
disabled_was=$(cat "$disabled" 2>/dev/null || true)

restore_switch() {
  [[ ! -w $parameter ]] || echo "$switch_was" >"$parameter"
  [[ ! -w $disabled ]] || echo "$disabled_was" >"$disabled"
}
trap 'status=$?; restore_switch; clean_up "$status"' EXIT
trap 'restore_switch; clean_up 143' TERM
trap 'restore_switch; clean_up 130' INT

mount_with() { mount_rnullfs -o "nr_devices=0,$1" 2>"$scratch/stderr"; }
transport() { field "$mnt/status.json" .transport; }
why() { field "$mnt/status.json" .transport_why; }

# falls_back WHAT: a mount that asks for the ring does without, says so twice, and works.
falls_back() {
  mount_with guard=off,transport=uring,nr_devices=1,gb=1,power=1
  same "$1: dev" dev "$(transport)"
  check "$1: the mount's own disk is on" test -f "$mnt/rnullb0/disk"
  says "$1: stderr says so" "falls back to dev: $(why | head -c 20)" "$(<"$scratch/stderr")"
  make_disk d '{}'
  check "$1: the disk works" verified "$dev/disk"
}

# refusing NUMBER COMMAND...: with an $RNULLFS which that system call is refused to.
refusing() {
  local RNULLFS=$scratch/refusing
  cat >"$RNULLFS" <<END
#!/bin/sh
exec "$tests/without_call.py" $1 "$whole" "\$@"
END
  chmod 755 "$RNULLFS"
  "${@:2}"
}
whole=$RNULLFS

in_foreground() {
  "$RNULLFS" -f -o guard=off,transport=uring "$mnt" 2>"$scratch/stderr" &
  daemon=$!
  daemons+=("$daemon")
}

# verified FILE [FIO-OPTION...]
verified() {
  fio --name=verified --filename="$1" --direct=1 --ioengine=libaio --rw=randwrite --bs=4k \
    --iodepth=32 --size=16M --verify=crc32c --verify_fatal=1 --verify_state_save=0 "${@:2}"
}

mount_with transport=dev
same 'transport=dev: dev' 'dev as asked' "$(transport) $(why)"
mount_with transport=auto
same 'transport=auto: dev' dev "$(transport)"
says 'and says why' '^auto: .+' "$(why)"

if [[ -w $parameter ]]; then echo N >"$parameter"; fi
if [[ $(cat "$parameter" 2>/dev/null) != Y ]]; then falls_back 'switched off in the kernel'; fi

# --- The ring -------------------------------------------------------------------------------------

[[ -w $parameter ]] || { skip_check 'over the ring' 'the switch may not be written'; exit; }
echo Y >"$parameter"
mount_with guard=off,transport=uring
if [[ $(transport) == dev ]]; then
  says 'without the ring: the reason' . "$(why)"
  exit
fi
same 'switched on: uring' 'uring as asked' "$(transport) $(why)"

if [[ -w $disabled && $disabled_was == 0 ]]; then
  ring=$mnt ring_daemon=$daemon
  echo 2 >"$disabled"
  falls_back 'io_uring is disabled'
  echo 0 >"$disabled"
  mnt=$ring daemon=$ring_daemon
fi

# What fails before the kernel is promised a ring, libfuse notices; what fails after it, nobody but us.
ring=$mnt ring_daemon=$daemon
refusing 427 falls_back 'files cannot be registered'
refusing 426 falls_back 'the ring never comes'
says 'the ring never comes: the reason' 'in vain' "$(why)"

mnt=$(mktemp -d "$scratch/mnt.XXX")
refusing 426 in_foreground
check 'it is mounted, and waits' within 10 grep -q "$mnt" /proc/self/mounts
kill -TERM "$daemon"
slack=1 check 'SIGTERM ends it while it waits for the ring' within 4 gone "$daemon"
same 'nothing is mounted' '' "$(mounts_here | grep -F "$mnt" || true)"
mnt=$ring daemon=$ring_daemon

make_disk plain '{}'
check '4 KiB at depth 32, verified' verified "$dev/disk"
check 'up to 1 MiB, verified' verified "$dev/disk" --bsrange=4k-1M --blockalign=4k --size=64M
if ((EUID == 0)) && loops_work; then
  for how in off on; do
    attach --direct-io="$how" "$dev/disk"
    check "through a loop device, direct-io=$how" verified "$loop"
    detach "$loop"
  done
fi
make_disk slow '{"irqmode": 2, "completion_nsec": 100000}'
check 'delayed answers, more than the ring holds, verified' verified "$dev/disk" --iodepth=128 --size=4M
make_disk soft '{"irqmode": 1}'
check 'answers from another thread, verified' verified "$dev/disk" --iodepth=128
same 'none is under way' 0 "$(field "$dev/stats.json" .in_flight)"

# --- The end, with I/O under way ------------------------------------------------------------------

is_open() { test "$(field "$1/stats.json" .disk_opens)" != 0; }
forever() {
  fio --name=forever --filename="$1" --direct=1 --ioengine=libaio --rw=randrw --bs=4k --iodepth=32 \
    --time_based --runtime=60 >/dev/null 2>&1 &
  load=$!
}

forever "$mnt/plain/disk"
within 5 is_open "$mnt/plain"
refused EBUSY 'umount while I/O runs' umount "$mnt"
kill -TERM "$daemon"
sleep 0.2
kill -TERM "$daemon"
check 'the second SIGTERM ends it while I/O runs' within 10 gone "$daemon"
wait "$load" || true
same 'nothing is mounted' '' "$(mounts_here | grep -F "$mnt" || true)"

mount_with guard=off,transport=uring
make_disk hour '{"irqmode": 2, "completion_nsec": 3600000000000}'
forever "$dev/disk"
sleep 1
kill -TERM "$daemon"
sleep 0.2
kill -TERM "$daemon"
check 'and while answers are an hour away' within 10 gone "$daemon"
same 'nothing is mounted' '' "$(mounts_here | grep -F "$mnt" || true)"
kill "$load" 2>/dev/null || true
wait "$load" || true

mount_with guard=off,transport=uring
make_disk d '{}'
unmount "$mnt"
check 'umount ends it' within 10 gone "$daemon"
