#!/bin/bash
# What docs/security.md claims: what others cannot reach, and what words of others are not believed.
. "$(dirname "$0")/../lib.sh"
needs root fuse jq python3 setpriv
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
# shellcheck disable=SC2016 # for the inner shell
nobody_puts() { as_nobody sh -c 'echo "$1" >"$2"' sh "$1" "$2"; }

mount_rnullfs -o nr_devices=0
make_disk one '{}'
disk=$dev/disk
random_file "$scratch/secret" 1
dd if="$scratch/secret" of="$disk" bs=64k conv=notrunc status=none
exec 3<"$disk" # a disk that is open shows all that the processes do with it
guard=$(field "$mnt/status.json" .guard_pid)
processes=("$guard" "$daemon")

# --- Disks and configuration ----------------------------------------------------------------------

refused EACCES "another's disk is not read" as_nobody head -c1 "$disk"
refused EACCES 'nor written' nobody_puts x "$disk"
refused EACCES 'nor cut' as_nobody truncate -s 0 "$disk"
refused EPERM 'nor opened up' as_nobody chmod 666 "$disk"
refused EPERM 'nor taken over' as_nobody chown 65534 "$disk"
refused EACCES 'nor switched off' nobody_puts 0 "$dev/power"
refused EACCES 'nor configured' nobody_puts '{"power": false}' "$dev/config.json"
refused EPERM 'nor is config.json opened up' as_nobody chmod 666 "$dev/config.json"
refused EACCES 'nor is the disk removed' as_nobody rmdir "$dev"
chmod 700 "$dev"
refused EACCES 'a closed directory hides the rest' as_nobody cat "$dev/stats.json"
chmod 755 "$dev"

for option in nosuid nodev default_permissions; do
  says "the mount is $option" "(^|,)$option(,|$)" "$(findmnt -no FS-OPTIONS,VFS-OPTIONS "$mnt" | tr ' ' ,)"
done
make_disk program '{"size": 4}'
dd if="$(command -v id)" of="$dev/disk" bs=64k conv=notrunc status=none
chmod 4755 "$dev/disk"
same 'set-user-ID on a disk gives nobody another user' 65534 "$(as_nobody "$dev/disk" -u)"
dev=$mnt/one

# --- The processes --------------------------------------------------------------------------------

# leaks PID: descriptors that a program executed by the process would get.
leaks() {
  local fd
  for fd in "/proc/$1/fd"/*; do
    ((${fd##*/} > 2)) || continue
    (($(awk '$1 == "flags:" {print "0" $2}' "/proc/$1/fdinfo/${fd##*/}") & 02000000)) ||
      readlink "$fd"
  done
}

# memfd_modes PID: modes and owners of the memfds it has.
memfd_modes() {
  find "/proc/$1/fd" -lname '/memfd:rnullfs*' -exec stat -L -c '%a %u' {} + | sort -u
}

for pid in "${processes[@]}"; do
  who=$([[ $pid == "$guard" ]] && echo guard || echo worker)
  refused EACCES "the $who's descriptors are not others' to see" as_nobody ls "/proc/$pid/fd/"
  refused EACCES 'nor its memory' as_nobody head -c1 "/proc/$pid/mem"
  refused EACCES 'nor its environment' as_nobody cat "/proc/$pid/environ"
  refused EPERM 'and it is not signalled' as_nobody sh -c "kill -TERM $pid"
  refused EPERM 'not by SIGUSR2 either' as_nobody sh -c "kill -USR2 $pid"
  says '--rescue says so' "^rnullfs: /proc/$pid/fd: Permission denied\$" \
    "$(as_nobody "$RNULLFS" --rescue "$pid" /tmp 2>&1 || true)"
  same "the $who hands no descriptor to what it executes" '' "$(leaks "$pid")"
  same 'and its memfds are their owner'\''s alone' '600 0' "$(memfd_modes "$pid")"
done
says '--upgrade by another user says so' "^rnullfs: guard $guard: Operation not permitted\$" \
  "$(as_nobody "$RNULLFS" --upgrade "$mnt" 2>&1 || true)"
same 'none of it had an effect' "$daemon" "$(field "$mnt/status.json" .worker_pid)"

# mappings PID: "yes" or "no" for each of a disk, whether a core file leaves it out.
mappings() {
  awk '/^[0-9a-f]+-[0-9a-f]+ / {disk = /\/memfd:rnullfs:/}
    disk && $1 == "VmFlags:" {print / dd( |$)/ ? "yes" : "no"}' "/proc/$1/smaps" | sort -u
}
same 'a core file of the worker has no disk in it' yes "$(mappings "$daemon")"
same 'the guard does not even map one' '' "$(mappings "$guard")"

# --- --rescue -------------------------------------------------------------------------------------

mkdir "$scratch/out"
"$RNULLFS" --rescue "$guard" "$scratch/out" >/dev/null
same 'what is rescued is who rescued it'\''s alone' '600 0' "$(stat -c '%a %u' "$scratch/out/one.img")"
check 'and it is the disk' cmp -n $((1 << 20)) "$scratch/out/one.img" "$scratch/secret"
refused EEXIST 'a file that is there stays' "$RNULLFS" --rescue "$guard" "$scratch/out"
rm "$scratch/out/"*
touch "$scratch/aim"
ln -s "$scratch/aim" "$scratch/out/one.img"
refused EEXIST 'a link that is there is not followed' "$RNULLFS" --rescue "$guard" "$scratch/out"
same 'not even to write nothing' 0 "$(stat -c %s "$scratch/aim")"
exec 3<&-
unmount "$mnt"

# A process that calls other things disks: it is asked for by number, and may be anybody's.
rm "$scratch/out/"*
mkdir "$scratch/tree"
echo secret >"$scratch/tree/memfd:rnullfs:3:shadow (deleted)"
cat >"$scratch/liar.py" <<'END'
import ctypes, os, sys, time
for name in "1:../escaped", "2:fine":
    os.write(os.memfd_create("rnullfs:" + name), b"mine")
# Its own mount of a directory, in which a file's path is what a memfd's would be.
OPEN_TREE, AT_FDCWD, OPEN_TREE_CLONE = 428, -100, 1
tree = ctypes.CDLL(None).syscall(OPEN_TREE, AT_FDCWD, sys.argv[1].encode(), OPEN_TREE_CLONE)
os.open("memfd:rnullfs:3:shadow (deleted)", os.O_PATH, dir_fd=tree)
open(sys.argv[2], "w").close()
time.sleep(60)
END
python3 "$scratch/liar.py" "$scratch/tree" "$scratch/lying" &
liar=$!
within 5 test -e "$scratch/lying"
says 'the liar'\''s file looks like a disk' shadow \
  "$(find "/proc/$liar/fd" -lname '/memfd:rnullfs:3:shadow (deleted)' -printf %l)"
says 'a file that only looks like a disk is not opened' 'it is no disk any more' \
  "$("$RNULLFS" --rescue "$liar" "$scratch/out" 2>&1 >/dev/null || true)"
check 'nor is anything made of it' not test -e "$scratch/out/shadow.img"
check 'a name does not lead out of the directory' not test -e "$scratch/escaped.img"
kill "$liar"
wait "$liar" 2>/dev/null || true

# --- What others may have written: the environment, descriptors, status.json, the program ---------

# served_as_asked WHAT: a mount like any, by a first worker; it is taken away.
served_as_asked() {
  same "$1" '0 1 []' "$(jq -r '"\(.workers_replaced) \(.devices) \(.mount_options)"' "$mnt/status.json")"
  same '  on the directory that was asked for' "$mnt" "$(mounts_here | cut -d' ' -f2)"
  unmount "$mnt"
}
was_replaced() { [[ $(field "$1/status.json" .workers_replaced) == 1 ]]; }
mkdir "$scratch/elsewhere"
export RNULLFS_UPGRADE=1 RNULLFS_MOUNTPOINT=$scratch/elsewhere
mount_rnullfs
served_as_asked 'an environment that speaks of an upgrade is not believed'
RNULLFS_UPGRADE=check
mount_rnullfs
served_as_asked 'nor one that speaks of a check'
unset RNULLFS_UPGRADE RNULLFS_MOUNTPOINT

mnt=$(mktemp -d "$scratch/mnt.XXX")
python3 - "$RNULLFS" "$mnt" <<'END'
import os, sys
for fd in (os.open("/dev/fuse", os.O_RDWR), os.memfd_create("rnullfs-state"),
           os.memfd_create("rnullfs:1:foreign"), os.memfd_create("foreign")):
    os.set_inheritable(fd, True)
os.execv(sys.argv[1], sys.argv[1:])
END
daemon=$(field "$mnt/status.json" .worker_pid)
daemons+=("$daemon")
same 'descriptors that a caller has left open are not kept' '' \
  "$(find "/proc/$daemon/fd" -lname '*foreign*')"
kill -KILL "$daemon"
within 5 was_replaced "$mnt"
daemons+=("$(field "$mnt/status.json" .worker_pid)")
same 'nor taken over' 1 "$(field "$mnt/status.json" .devices)"
unmount "$mnt"

mount_rnullfs
setpriv --reuid=65534 --regid=65534 --clear-groups sleep 60 &
sleeper=$!
within 5 grep -q '^Uid:.65534' "/proc/$sleeper/status"
jq ".guard_pid = $sleeper" "$mnt/status.json" >"$scratch/lie.json"
mount --bind "$scratch/lie.json" "$mnt/status.json"
says '--upgrade does not signal any process that status.json names' 'is left alone' \
  "$("$RNULLFS" --upgrade "$mnt" 2>&1 || true)"
umount "$mnt/status.json"
mkdir "$scratch/no-mount"
cp "$scratch/lie.json" "$scratch/no-mount/status.json"
says 'nor believes what is no mount' 'is not a mount of rnullfs' \
  "$("$RNULLFS" --upgrade "$scratch/no-mount" 2>&1 || true)"
check 'that process lives' kill "$sleeper"
wait "$sleeper" 2>/dev/null || true
unmount "$mnt"

cp "$RNULLFS" "$scratch/program"
mkdir "$scratch/served"
"$scratch/program" -f "$scratch/served" 2>"$scratch/stderr" &
guard=$!
within 5 test -e "$scratch/served/status.json"
daemons+=("$guard")
refuses_program() { grep -q "$1.*not started" "$scratch/stderr"; }
chown 65534 "$scratch/program"
kill -USR2 "$guard"
check 'a program that is somebody else'\''s does not replace the guard' within 5 refuses_program "another user"
chown 0 "$scratch/program"
chmod 757 "$scratch/program"
: >"$scratch/stderr"
kill -USR2 "$guard"
check 'nor one that anybody may write' within 5 refuses_program anybody
same 'the worker is the same' 0 "$(field "$scratch/served/status.json" .workers_replaced)"
chmod 755 "$scratch/program"
check 'the owner'\''s does' "$RNULLFS" --upgrade "$scratch/served"
unmount "$scratch/served"

# --- Rights that the caller has not ---------------------------------------------------------------

if [[ $(findmnt -no VFS-OPTIONS -T "$scratch") == *nosuid* ]]; then
  skip_check 'set-user-ID it does nothing' "$scratch is on a nosuid mount"
else
  chmod 4755 "$scratch/program"
  says 'set-user-ID it does nothing' '^rnullfs: set-user-ID' \
    "$(as_nobody "$scratch/program" "$scratch/elsewhere" 2>&1 || true)"
fi

# A mount whose directory was moved away, and what is at its path now.
if mkdir -p "$scratch/above/mnt" "$scratch/other/mnt" && mount -t tmpfs none "$scratch/other/mnt"; then
  "$RNULLFS" "$scratch/above/mnt"
  daemon=$(field "$scratch/above/mnt/status.json" .worker_pid)
  guard=$(field "$scratch/above/mnt/status.json" .guard_pid)
  kill -KILL "$daemon" # a worker that takes over unmounts by itself
  within 5 was_replaced "$scratch/above/mnt"
  daemons+=("$guard")
  mv "$scratch/above" "$scratch/moved"
  ln -s other "$scratch/above"
  kill -TERM "$guard"
  check 'it ends' within 5 gone "$guard"
  check 'and does not unmount what has come to be at its path' mountpoint -q "$scratch/other/mnt"
fi
