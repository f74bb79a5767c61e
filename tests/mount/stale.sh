#!/bin/bash
# What is mounted already where a mount is to be: ours and dead is taken away, anybody else's is
# not touched.
. "$(dirname "$0")/../lib.sh"
needs root fuse jq python3

# dead_mount DIRECTORY TYPE: a mount of a FUSE program that is gone.
dead_mount() {
  python3 - "$@" <<'END'
import ctypes, os, sys
directory, kind = (word.encode() for word in sys.argv[1:])
fd = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
if libc.mount(b"test", directory, kind, 6, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.close(fd)
END
}
types() { mounts_here | cut -d' ' -f1 | xargs; }
gives_up() { not timeout 20 "$RNULLFS" -o nr_devices=0 "$mnt"; }

# --- Somebody else's ------------------------------------------------------------------------------

mnt=$scratch/other
mkdir "$mnt"
for type in fuse.other fuse fuse.rnullfs2 fuseblk; do
  if ! dead_mount "$mnt" "$type" 2>/dev/null; then
    skip_check "a dead mount of $type" 'the kernel does not make it'
    continue
  fi
  check "a dead mount of $type is refused" gives_up
  says '  and named' "dead mount of $type is there; umount it first" "$(<"$scratch/output")"
  same '  and left alone' "$type" "$(types)"
  umount "$mnt"
done

# Ours below somebody else's.
dead_mount "$mnt" fuse.rnullfs
dead_mount "$mnt" fuse.other
check 'it is the uppermost that counts' gives_up
same 'both stay' 'fuse.other fuse.rnullfs' "$(types)"
umount "$mnt"

# --- Ours -----------------------------------------------------------------------------------------

# here ARGUMENT...: mounts on $mnt, served by $daemon.
here() {
  "$RNULLFS" -o nr_devices=1 "$@" 2>"$scratch/stderr"
  daemon=$(field "$mnt/status.json" .worker_pid)
  daemons+=("$daemon")
}
here "$mnt"
says 'a dead mount of ours is taken away' "took away a mount on $mnt" "$(<"$scratch/stderr")"
same 'and one is there' fuse.rnullfs "$(types)"

guard=$(field "$mnt/status.json" .guard_pid)
kill -KILL "$guard" "$daemon"
check 'guard and worker killed: the mount is dead' within 5 not stat "$mnt/features"
here "$scratch/../${scratch##*/}/other/"
says 'by another name: taken away' "took away a mount on $mnt" "$(<"$scratch/stderr")"
same 'and one is there' fuse.rnullfs "$(types)"
check 'and its disk is' test -e "$mnt/rnullb0"

# One that lives is never taken away, nor covered by another of ours.
check 'a living mount is refused' gives_up
says '  in words' "a mount of rnullfs is there and serves \(guard_pid $(field "$mnt/status.json" .guard_pid)\)" \
  "$(<"$scratch/output")"
same '  and serves on' "fuse.rnullfs $daemon" "$(types) $(field "$mnt/status.json" .worker_pid)"

# --- Ours below another ---------------------------------------------------------------------------

# ends_covered WHAT PID: a mount that is covered ends, and what covers it stays.
ends_covered() {
  mount -t tmpfs over "$mnt"
  kill -TERM "$2"
  check "$1" within 10 gone "$2"
  same '  what lies over it stays' 'tmpfs fuse.rnullfs' "$(types)"
  umount "$mnt"
  check '  and below is a dead mount' not stat "$mnt/features"
  umount "$mnt"
}
guard=$(field "$mnt/status.json" .guard_pid)
ends_covered 'SIGTERM to a mount that tmpfs lies over' "$guard"
here "$mnt"
guard=$(field "$mnt/status.json" .guard_pid)
kill -KILL "$daemon"
another() { [[ $(field "$mnt/status.json" .workers_replaced) == 1 ]]; }
within 10 another
daemons+=("$(field "$mnt/status.json" .worker_pid)")
ends_covered 'the same after a takeover' "$guard"

# Two of ours on one place, with something between that hides the first.
here "$mnt"
first=$(field "$mnt/status.json" .guard_pid)
mount -t tmpfs over "$mnt"
here "$mnt"
kill -TERM "$first"
check 'SIGTERM to the lower of two' within 10 gone "$first"
same '  leaves the upper' 'fuse.rnullfs tmpfs fuse.rnullfs' "$(types)"
same '  which serves' 1 "$(field "$mnt/status.json" .devices)"
kill -TERM "$(field "$mnt/status.json" .guard_pid)"
check 'SIGTERM to the upper' within 10 gone "$daemon"
same '  takes that alone' 'tmpfs fuse.rnullfs' "$(types)"
