#!/bin/bash
# From start to end: foreground and background, signals, unmounting, and a daemon that is killed.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
mnt=$scratch/mnt
mkdir "$mnt"

# In the foreground, as $daemon.  A shell lets its background jobs ignore SIGINT, hence env.
start() {
  env --default-signal=INT "$RNULLFS" -f -o power "$@" "$mnt" 2>"$scratch/stderr" &
  daemon=$!
  daemons+=("$daemon")
  within 5 test -e "$mnt/features"
}

# ends WHAT: the daemon ends by itself, with status 0, and leaves no mount.
ends() {
  local status=0
  if ! within 5 gone "$daemon"; then
    fail "$1" 'it runs on' "$(<"$scratch/stderr")"
    return
  fi
  wait "$daemon" || status=$?
  same "$1: exit status and mounts" 0 "$status$(mounts_here)"
}

waits_for() { field "$mnt/status.json" '.unmount_waits_for|join(",")'; }
is_waiting() { [[ -n $(waits_for) ]]; }

# --- Background -----------------------------------------------------------------------------------

# A command substitution returns when nobody holds its pipe any more.
same 'the command returns, and nobody holds its output' '' "$("$RNULLFS" "$mnt" 2>/dev/null)"
daemon=$(field "$mnt/status.json" .worker_pid)
daemons+=("$daemon")
same 'the mount is ready then' rnullb0 "$(cd "$mnt" && echo rnull*)"
same 'the daemon holds no directory' / "$(readlink "/proc/$daemon/cwd")"
kill -TERM "$daemon"
check 'SIGTERM ends it' within 5 gone "$daemon"
same 'and unmounts' '' "$(mounts_here)"

# --- Signals --------------------------------------------------------------------------------------

for signal in TERM INT HUP; do
  start
  kill -"$signal" "$daemon"
  ends "SIG$signal"
done

start
exec 3<"$mnt/rnullb0/disk"
kill -TERM "$daemon"
check 'with a disk open it goes on' within 2 is_waiting
same 'status.json names the disk' rnullb0 "$(waits_for)"
says 'so does stderr' '^rnullfs: .*in use.*rnullb0' "$(<"$scratch/stderr")"
same 'the disk still works' '4096' "$(sys "$mnt/rnullb0/disk" O_RDONLY pread 0 4096)"
exec 3<&-
ends 'it ends when the disk is closed'

start -o nr_devices=2
exec 3<"$mnt/rnullb1/disk"
kill -INT "$daemon"
within 2 is_waiting
kill -INT "$daemon"
ends 'a second signal does not wait'
read_3() { head -c1 <&3; }
check 'the open disk fails then' not read_3
exec 3<&-

start -o irqmode=2,completion_nsec=3600000000000
dd if="$mnt/rnullb0/disk" of=/dev/null bs=4k count=1 status=none 2>/dev/null &
reader=$!
in_flight() { (($(field "$mnt/rnullb0/stats.json" .in_flight) == 1)); }
within 5 in_flight
kill -TERM "$daemon"
within 2 is_waiting
kill -TERM "$daemon"
ends 'a second signal does not wait for an answer that is an hour away'
wait "$reader" || true

start
kill -STOP "$daemon"
kill -CONT "$daemon"
sleep 0.2
same 'a daemon that was stopped goes on' 1 "$(cat "$mnt/rnullb0/power")"

# --- Unmounting -----------------------------------------------------------------------------------

unmount "$mnt"
ends 'umount'
if command -v fusermount3 >/dev/null; then
  start
  fusermount3 -u "$mnt"
  ends 'fusermount3 -u'
else
  skip_check 'fusermount3 -u' 'there is no fusermount3'
fi

start
exec 3<"$mnt/rnullb0/disk"
refused EBUSY 'umount with a disk open' unmount "$mnt"
exec 3<&-
unmount "$mnt"
ends 'umount afterwards'

# --- A daemon that is killed ----------------------------------------------------------------------

# dies: a daemon with nobody to take over from it; its mount stays, and is dead.
dies() {
  start -o guard=off
  kill -KILL "$daemon"
  wait "$daemon" 2>/dev/null || true
}

dies
check 'its mount is dead' not cat "$mnt/features"
check 'but can be unmounted' unmount "$mnt"
dies
start
says 'or mounted over: the dead one is taken away' "took away a mount on $mnt" "$(<"$scratch/stderr")"
same 'and the new one serves' 1 "$(cat "$mnt/rnullb0/power")"
same 'alone' 1 "$(mounts_here | wc -l)"
kill -TERM "$daemon"
ends 'and ends as usual'
