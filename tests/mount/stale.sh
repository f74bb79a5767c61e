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

# One that lives is never taken away.
same 'a living mount stays below another' 'fuse.rnullfs fuse.rnullfs' \
  "$("$RNULLFS" -o nr_devices=0 "$mnt" 2>/dev/null && types)"
daemons+=("$(field "$mnt/status.json" .worker_pid)")
umount "$mnt"
same 'and serves on' 1 "$(field "$mnt/status.json" .devices)"
same 'by its worker' "$daemon" "$(field "$mnt/status.json" .worker_pid)"
umount "$mnt"
check 'until it is unmounted' within 5 gone "$daemon"
