#!/bin/bash
# As a service: the unit of systemd, the word that the mount serves, and the line of fstab.
#
# It runs in a mount namespace of its own, where another directory is where programs are for a while.
. "$(dirname "$0")/../own_namespace.sh"
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3

# --- The unit -------------------------------------------------------------------------------------

unit='rnullfs@mnt-disks.service'
sed "s,@sbindir@/rnullfs,$RNULLFS," "$tests/../src/guard/rnullfs@.service.in" \
  >"$scratch/rnullfs@.service"
cp "$scratch/rnullfs@.service" "$scratch/$unit"
if command -v systemd-analyze >/dev/null; then
  # What it says of units that are not ours is not for us.
  systemd-analyze verify --man=no "$scratch/$unit" >"$scratch/verified" 2>&1 && status=0 || status=$?
  same 'systemd-analyze verify' 0 "$status$(grep -i rnullfs "$scratch/verified" || true)"
else
  skip_check 'systemd-analyze verify' 'there is no systemd-analyze'
fi
# With this a service's mounts stay in the service.
same 'it makes no mount name space' '' "$(grep -E '^(Protect|Private|ReadOnly|ReadWrite|Inaccess|Bind|Temporary|Root|MountFlags)' \
  "$scratch/rnullfs@.service" || true)"
setting() { sed -n "s/^$1=//p" "$scratch/rnullfs@.service"; }
mkdir "$scratch/mnt"
# As systemd runs it.
command_line() {
  local line
  line=$(setting "$1")
  line=${line/\$\{RNULLFS_OPTIONS\}/${2-}}
  printf '%s\n' "${line/\%f/$scratch/mnt}"
}

# --- READY=1 --------------------------------------------------------------------------------------

# listen FOR COMMAND...: runs the command, in the background, with a NOTIFY_SOCKET, and writes what
# comes there within FOR seconds, each with its sender: "PID TEXT served|not-served".
cat >"$scratch/listen.py" <<'END'
import os, socket, struct, subprocess, sys, time
mount, wait, kind, out = sys.argv[1], float(sys.argv[2]), sys.argv[3], open(sys.argv[4], "w", 1)
path = mount + ".notify"
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("\0" + path if kind == "abstract" else path)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
name = "@" + path if kind == "abstract" else path
started = subprocess.Popen(sys.argv[5:], env=dict(os.environ, NOTIFY_SOCKET=name))
deadline = time.monotonic() + wait
while time.monotonic() < deadline:
    listener.settimeout(max(0.01, deadline - time.monotonic()))
    try:
        data, extra, _, _ = listener.recvmsg(4096, socket.CMSG_SPACE(12))
    except TimeoutError:
        break
    pid = struct.unpack("3i", extra[0][2])[0]
    served = "served" if os.path.exists(mount + "/status.json") else "not-served"
    main = "main" if pid == started.pid else pid
    print(main, data.decode(), served, file=out)
    deadline = min(deadline, time.monotonic() + 0.5)
print("end", file=out)
started.wait()
END
listen() {
  rm -f "$scratch/mnt.notify" "$scratch/heard"
  python3 "$scratch/listen.py" "$scratch/mnt" "$1" "$2" "$scratch/heard" "${@:3}" \
    >"$scratch/output" 2>&1 &
  listener=$!
  within 15 grep -qs end "$scratch/heard"
}
heard() { grep -v end "$scratch/heard" || true; }
serving() { field "$scratch/mnt/status.json" ".$1"; }
ended() {
  within 5 unmount "$scratch/mnt"
  wait "$listener" || true
}

read -ra start < <(command_line ExecStart gb=1,power)
listen 10 path "${start[@]}"
daemons+=("$(serving worker_pid)")
same 'when the mount serves, the main process says so, once' 'main READY=1 served' "$(heard)"
same 'it is the guard' "$(pgrep -P "$listener")" "$(serving guard_pid)"
same 'the disks are there' $((1 << 30)) "$(stat -c %s "$scratch/mnt/rnullb0/disk")"
read -ra reload < <(command_line ExecReload)
guard=$(serving guard_pid)
check 'ExecReload' "${reload[@]}"
same 'the guard stays the same process' "$guard" "$(serving guard_pid)"
daemons+=("$(serving worker_pid)")
# KillMode=mixed
exec 3<"$scratch/mnt/rnullb0/disk"
kill -TERM "$guard"
is_waiting() { [[ $(serving 'unmount_waits_for|length') == 1 ]]; }
check 'a stop waits for a disk in use' within 5 is_waiting
exec 3<&-
check 'and then ends' within 5 gone "$guard"
wait "$listener" || true
same 'nothing is mounted' '' "$(mounts_here)"

read -ra start < <(command_line ExecStart '')
start[3]= # an environment file that is not there
listen 10 abstract "${start[@]}"
daemons+=("$(serving worker_pid)")
same 'without options, and through the abstract name space' 'main READY=1 served' "$(heard)"
ended

read -ra start < <(command_line ExecStart guard=off)
listen 10 path "${start[@]}"
daemons+=("$(serving worker_pid)")
same 'without a guard' 'main READY=1 served' "$(heard)"
ended

read -ra start < <(command_line ExecStart size=9000000000000,power)
listen 2 path "${start[@]}"
same 'a mount that fails says nothing' '' "$(heard)"
wait "$listener" || true
status=0
"${start[@]}" 2>/dev/null || status=$?
same 'and the service fails' 1 "$status"

# --- The line of fstab ----------------------------------------------------------------------------

# helper_works: mount(8) finds the program on a PATH of its own, where a directory is laid over.
helper_works() {
  ((EUID == 0)) && [[ -x /sbin/mount.fuse3 ]] || return
  mkdir -p "$scratch/programs"
  cp "$RNULLFS" "$scratch/programs/rnullfs"
  mount -t overlay -o "lowerdir=$scratch/programs:/usr/sbin" overlay /usr/sbin 2>/dev/null
}
if helper_works; then
  echo "disks $scratch/mnt fuse.rnullfs nofail,gb=8,memory_backed,power 0 0" >"$scratch/fstab"
  check 'mount, with the line of fstab in README' mount --fstab "$scratch/fstab" "$scratch/mnt"
  daemons+=("$(serving worker_pid)")
  same 'its options arrive' '8192 true true' \
    "$(field "$scratch/mnt/rnullb0/config.json" '"\(.size) \(.memory_backed) \(.power)"')"
  same 'the source has its name' disks "$(findmnt -no SOURCE "$scratch/mnt")"
  check 'a second time it is refused' not mount --fstab "$scratch/fstab" "$scratch/mnt"
  says 'in words' 'a mount of rnullfs is there' "$(<"$scratch/output")"

  # mount(8) has the helper do this, with all options of the line, or with those of /proc/mounts.
  is_mounted() { findmnt -no OPTIONS "$scratch/mnt"; }
  check 'mount -o remount,ro' mount --fstab "$scratch/fstab" -o remount,ro "$scratch/mnt"
  refused EROFS 'after which it is' mkdir "$scratch/mnt/d"
  check 'mount -o remount,rw,noexec, without the line' mount -o remount,rw,noexec "$scratch/mnt"
  says 'after which it is' '^rw.*noexec' "$(is_mounted)"
  check 'and writable' mkdir "$scratch/mnt/d"
  sed -i s/gb=8/gb=9/ "$scratch/fstab"
  check 'what cannot change is refused' not mount --fstab "$scratch/fstab" -o remount,ro "$scratch/mnt"
  says 'in words' 'gb=9: a remount cannot change it' "$(<"$scratch/output")"
  says 'and nothing has changed' '^rw' "$(is_mounted)"
  unmount "$scratch/mnt"
  check 'remount of what is no mount' not rnullfs -o remount,ro "$scratch/mnt"
  says 'in words' 'is not a mount of rnullfs' "$(<"$scratch/output")"

  sed -i 's/nofail,gb=9/nofail,_netdev,x-systemd.automount,X-mount.mkdir,noauto,user,comment=a,nodiratime,lazytime,nosymfollow,gb=9/' \
    "$scratch/fstab"
  check 'a line with whatever there is' mount --fstab "$scratch/fstab" "$scratch/mnt"
  daemons+=("$(serving worker_pid)")
  same 'its options arrive' 9216 "$(cat "$scratch/mnt/rnullb0/size")"
  unmount "$scratch/mnt"
else
  skip_check 'mount, with the line of fstab in README' 'not root, no mount.fuse3, or no overlay'
fi
