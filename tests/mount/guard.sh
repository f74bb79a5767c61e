#!/bin/bash
# What outlives the worker that serves a mount, and what becomes of one whose workers die for good.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3 fio prlimit
# A sanitizer would make an exit of a signal.
export ASAN_OPTIONS=handle_segv=0:handle_abort=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
mib=$((1 << 20))
status() { field "$mnt/status.json" "$1"; }
stats() { field "$dev/stats.json" "$1"; }
guard_ends() { within 10 gone "$guard"; }

# As mount_rnullfs, with the guard in $guard.  It is the one to be waited for.
mount_guarded() {
  mount_rnullfs "$@" 2>"$scratch/stderr"
  guard=$(status .guard_pid)
  daemons+=("$guard")
}

# kill_worker SIGNAL: returns when another one serves.
kill_worker() {
  local before
  before=$(status .worker_pid)
  kill "-$1" "$before"
  within 5 served_by_another "$before"
}
served_by_another() { [[ $(status .worker_pid) != "$1" ]]; }

# --- What survives --------------------------------------------------------------------------------

mount_guarded -o nr_devices=1,size=16,gb=1
same 'two processes' on "$(status .guard)"
check 'the guard is another one' test "$guard" != "$(status .worker_pid)"
same 'its worker is its child' "$guard" "$(ps -o ppid= -p "$(status .worker_pid)" | tr -d ' ')"
for datapath in daemon auto; do
  make_disk "$datapath" '{}'
  random_file "$scratch/$datapath" 8
  dd if="$scratch/$datapath" of="$dev/disk" bs=1M conv=notrunc status=none
  fallocate --punch-hole --offset 2M --length 1M "$dev/disk"
  dd if=/dev/zero of="$scratch/$datapath" bs=1M seek=2 count=1 conv=notrunc status=none
done
chmod 0640 "$mnt/daemon/config.json"
refused EINVAL 'a refusal, for last_error' put 513 "$mnt/daemon/blocksize"
exec 3<>"$mnt/daemon/disk" 4<>"$mnt/auto/disk"
exec 5<"$mnt/daemon/config.json" 6>"$mnt/rnullb0/config.json"
read -r -u 5 first_line
printf '{"size":' >&6
before=$(stats '"\(.writes.requests) \(.discards.requests) \(.stored_bytes)"')
counted=$(field "$mnt/daemon/stats.json" '"\(.writes.bytes) \(.discards.requests) \(.stored_bytes)"')
inode=$(stat -c %i "$mnt/daemon/disk")
kill_worker KILL
same 'another worker' "1 signal 9 (Killed)" "$(status '"\(.workers_replaced) \(.replaced_why)"')"
same 'the same guard' "$guard" "$(status .guard_pid)"
same 'the devices' 'auto daemon features power rnullb0 status.json' "$(names "$mnt")"
for datapath in daemon auto; do
  check "$datapath: the data" cmp -n $((8 * mib)) "$mnt/$datapath/disk" "$scratch/$datapath"
  same "$datapath: holes" $((7 * mib)) "$(field "$mnt/$datapath/stats.json" .stored_bytes)"
done
dev=$mnt/auto
same 'counters' "$before" "$(stats '"\(.writes.requests) \(.discards.requests) \(.stored_bytes)"')"
same 'the daemon counts on' "$counted" \
  "$(field "$mnt/daemon/stats.json" '"\(.writes.bytes) \(.discards.requests) \(.stored_bytes)"')"
same 'modes' 640 "$(stat -c %a "$mnt/daemon/config.json")"
same 'inode numbers' "$inode" "$(stat -c %i "$mnt/daemon/disk")"
says 'last_error' '^blocksize: 513' "$(<"$mnt/daemon/last_error")"
echo 'through an old handle' 1>&3
same 'open disks' 'through an old handle' "$(head -n 1 "$mnt/daemon/disk")"
same 'who holds them' '1 1' \
  "$(stats .disk_opens) $(field "$mnt/daemon/stats.json" .disk_opens)"
refused EBUSY 'power while one is open' put 0 "$mnt/daemon/power"
refused EBUSY 'so is rmdir' rmdir "$mnt/auto"
says 'and it is known who has it open' 'opened by guard.sh' "$(<"$mnt/auto/last_error")"
same 'a text read halfway' "$(<"$mnt/daemon/config.json")" "$first_line"$'\n'"$(cat <&5)"
printf ' 77}' >&6
same 'a text written halfway' 77 "$(<"$mnt/rnullb0/size")"
exec 3>&- 4>&- 5<&- 6>&-
within 5 test "$(stats .disk_opens)" = 0
check 'what is closed can be switched off' put 0 "$mnt/daemon/power"

for signal in SEGV ABRT; do
  check "SIG$signal" kill_worker "$signal"
done
mkdir "$mnt/later"
same 'new devices come after the old ones' 4 "$(status .devices)"
rmdir "$mnt/later" "$mnt/daemon"

# --- An upgrade -----------------------------------------------------------------------------------

says '--upgrade replaces the worker' "^worker [0-9]+ has taken over from $(status .worker_pid)$" \
  "$("$RNULLFS" --upgrade "$mnt")"
same 'and keeps the guard' "$guard an upgrade" "$(status '"\(.guard_pid) \(.replaced_why)"')"
check 'and the data' cmp -n $((8 * mib)) "$mnt/auto/disk" "$scratch/auto"
replaced=$(status .workers_replaced)
one_more() { [[ $(status .workers_replaced) == $((replaced + 1)) ]]; }
kill -USR2 "$guard"
within 5 one_more
check 'again, and while that is under way' "$RNULLFS" --upgrade "$mnt"
check '--upgrade elsewhere is refused' not "$RNULLFS" --upgrade "$scratch"
unmount "$mnt"
check 'umount ends the guard' guard_ends

# What is at the program's place is no longer one that could go on.
cp "$RNULLFS" "$scratch/program"
(RNULLFS=$scratch/program mount_guarded -o size=16,memory_backed,power && echo "$mnt $guard" >"$scratch/where")
read -r mnt guard <"$scratch/where"
daemons+=("$guard")
exec 3<>"$mnt/rnullb0/disk"
put_program() {
  rm -f "$scratch/program"
  cp "$1" "$scratch/program"
}
serves_on() { head -c 5 "$mnt/rnullb0/disk" >/dev/null && mkdir "$mnt/works" && rmdir "$mnt/works"; }
failing_program=${FAILING_PROGRAM:-$tests/../build/tests/mount/failing_program}
printf '#!/bin/sh\nexit 0\n' >"$scratch/script"
chmod +x "$scratch/script"
echo "silent $RNULLFS" >"$scratch/program.how"
worker=$(status .worker_pid)
for program in "$scratch/script" /bin/true /bin/false "$failing_program"; do
  put_program "$program"
  kill -USR2 "$guard"
  sleep 0.3
  same "not taken is ${program##*/}" "$worker" "$(status .worker_pid)"
done
put_program "$RNULLFS"
mv "$scratch/program" "$scratch/moved"
kill -USR2 "$guard"
sleep 0.1
same 'nor is nothing' "$worker" "$(status .worker_pid)"
# Another one is there before that one has answered.
put_program "$failing_program"
echo "slow $RNULLFS" >"$scratch/program.how"
kill -USR2 "$guard"
sleep 0.3
put_program "$RNULLFS"
check 'one that comes while another is asked is asked next' "$RNULLFS" --upgrade "$mnt"
check 'and its guard' within 5 test "/proc/$guard/exe" -ef "$scratch/program"
# It agrees, and its worker fails.
for how in exit crash late; do
  put_program "$failing_program"
  echo "$how $RNULLFS" >"$scratch/program.how"
  says "$how: --upgrade says so" 'served by the version before' \
    "$("$RNULLFS" --upgrade "$mnt" 2>&1 || true)"
  same "$how: another worker of the version before" 'an upgrade that failed' "$(status .replaced_why)"
  check "$how: the mount works on" serves_on
  check "$how: with its guard" test "/proc/$guard/exe" -ef "/proc/$(status .worker_pid)/exe"
  refused EBUSY "$how: what is open stays open" rmdir "$mnt/rnullb0"
done
put_program "$RNULLFS"
check 'one that can is taken then' "$RNULLFS" --upgrade "$mnt"
check 'and its guard' within 5 test "/proc/$guard/exe" -ef "$scratch/program"
check 'which replaces workers as the one before' kill_worker KILL
check 'and the mount works' serves_on
exec 3>&-
unmount "$mnt"
check 'and ends' guard_ends

# --- What a guard has to have in hand -------------------------------------------------------------

# As many disks as descriptors allow; the next one is refused, and the next worker can live.
(ulimit -n 64 && mount_guarded -o nr_devices=0 && echo "$mnt $guard" >"$scratch/where")
read -r mnt guard <"$scratch/where"
daemons+=("$guard")
disks=0
while mkdir "$mnt/d$disks" && (put 1 "$mnt/d$disks/memory_backed" && put 1 "$mnt/d$disks/power") 2>/dev/null &&
  echo "data $disks" >"$mnt/d$disks/disk"; do
  disks=$((disks + 1))
done
check "$disks disks with 64 descriptors" test "$disks" -ge 20
says 'the next one says why it is not' 'RLIMIT_NOFILE' "$(<"$mnt/d$disks/last_error")"
same 'and is off' 0 "$(<"$mnt/d$disks/power")"
check 'a worker dies' kill_worker KILL
all_there() {
  local i
  for ((i = 0; i < disks; ++i)); do
    [[ $(head -n 1 "$mnt/d$i/disk") == "data $i" ]] || return
  done
}
check 'no disk is lost' all_there
rmdir "$mnt/d0"
check 'one less, and there is room for another' put 1 "$mnt/d$disks/power"
unmount "$mnt"
check 'the guard ends' guard_ends

# A parent that ignores its children's ends hands that on.
(
  trap '' CHLD
  mount_guarded && echo "$mnt $guard" >"$scratch/where"
)
read -r mnt guard <"$scratch/where"
daemons+=("$guard")
check 'SIGCHLD ignored by the parent: a worker is replaced' kill_worker KILL
unmount "$mnt"
check 'and the guard ends' guard_ends

# --- Signals --------------------------------------------------------------------------------------

for who in guard worker; do
  mount_guarded
  kill -TERM "$(status ".${who}_pid")"
  check "SIGTERM to the $who ends both" guard_ends
  same 'and the mount' '' "$(mounts_here)"
done

# It waits for a disk, and is not forgotten when the worker dies.
for who in guard worker; do
  mount_guarded -o size=16,memory_backed,power
  exec 3<>"$mnt/rnullb0/disk"
  kill -TERM "$(status ".${who}_pid")"
  waits() { [[ $(status '.unmount_waits_for | length') != 0 ]]; }
  within 5 waits
  kill_worker KILL
  check "SIGTERM to the $who waits for a disk" within 5 waits
  exec 3>&-
  check 'and ends the mount when that is closed, though the worker has died' guard_ends
done

mount_guarded -o size=16,memory_backed,power,datapath=daemon
worker=$(status .worker_pid)
kill -KILL "$guard"
lost() { [[ $(status .guard) == lost ]]; }
check 'the worker notices when the guard dies' within 5 lost
check 'and serves on' dd if=/dev/zero of="$mnt/rnullb0/disk" bs=4k count=1 conv=notrunc status=none
kill -TERM "$worker"
check 'it ends as usual' within 10 gone "$worker"
same 'and leaves no mount' '' "$(mounts_here)"

mount_rnullfs -o guard=off
same 'guard=off: one process' 'off 0' "$(status '"\(.guard) \(.guard_pid)"')"
unmount "$mnt"

# --- Workers that die for good --------------------------------------------------------------------

cp "$RNULLFS" "$scratch/program2"
(RNULLFS=$scratch/program2 mount_guarded -o size=16,memory_backed,power,datapath=daemon && echo "$mnt $guard" >"$scratch/where")
read -r mnt guard <"$scratch/where"
daemons+=("$guard")
disk=$mnt/rnullb0/disk
random_file "$scratch/random" 4
dd if="$scratch/random" of="$disk" bs=1M conv=notrunc status=none
exec 3<>"$disk"
# Of what is killed nobody dies who comes next: it can go on for ever.
for ((i = 0; i < 10; ++i)); do kill_worker KILL; done
same 'ten deaths of workers that served' 10 "$(status .workers_replaced)"
# No worker can have memory of its own, so that none has threads: it waits for them.  (A process that
# has the disk open would wait at its end until somebody hears of its close.)
exec 3>&-
may_map() {
  local pid
  for pid in "$guard" $(<"/proc/$guard/task/$guard/children"); do prlimit --pid "$pid" --as="$1:" || return; done
}
if sanitized; then
  skip_check 'a while without memory' 'a sanitizer has terabytes of addresses'
else
  may_map $(($(awk '/^VmSize:/ { print $2 }' "/proc/$guard/status") * 1024))
  kill -KILL "$(status .worker_pid)"
  sleep 1.5
  may_map unlimited
  check 'a while without memory is waited out' within 5 cmp -n $((4 * mib)) "$disk" "$scratch/random"
  check 'by another worker' test "$(status .workers_replaced)" -gt 10
fi
exec 3<>"$disk"
# Not for ever: each dies before it has answered what waits.
io_error() { sys "$mnt/features" O_RDONLY pread 0 1 2>&1 | grep EIO >/dev/null; }
kill_at_birth() {
  python3 - "$guard" <<'END'
import os, signal, sys, time
children = f"/proc/{sys.argv[1]}/task/{sys.argv[1]}/children"
killed, quiet_since = None, time.monotonic()
while time.monotonic() - quiet_since < 2:  # no pause is so long
    with open(children, encoding="ascii") as file:
        pids = file.read().split()
    if pids and pids[0] != killed:
        os.kill(int(pids[0]), signal.SIGKILL)
        killed, quiet_since = pids[0], time.monotonic()
END
}
(trap - ERR EXIT; until io_error; do :; done) &
check 'workers that are killed before they serve are replaced for a while' kill_at_birth
check 'in the end there is no other: EIO' within 10 io_error
wait $!
# A program that can go on saves the mount: here, the same one.
rescue_mount() {
  if grep -qs ^fuse_connection /proc/"$guard"/fdinfo/*; then
    says '--upgrade finds the guard' '^worker [0-9]+ has taken over$' "$("$RNULLFS" --upgrade "$mnt" 2>&1)"
  else
    skip_check '--upgrade finds the guard' 'the kernel does not say whose connection a /dev/fuse is'
    kill -USR2 "$guard"
  fi
  check 'and the mount is served again' within 5 cmp -n $((4 * mib)) "$disk" "$scratch/random"
  check 'open handles, too' dd if=/dev/fd/3 of=/dev/null bs=4k count=1 status=none
}
rescue_mount
# What the next one takes over is damaged.
for fd in "/proc/$guard/fd"/*; do
  [[ $(readlink "$fd") != /memfd:rnullfs-state* ]] || state=$fd
done
worker=$(status .worker_pid)
head -c 4096 "$state" >"$scratch/state"
head -c 4096 /dev/zero | dd of="$state" conv=notrunc status=none
kill -KILL "$worker"
check 'a worker that cannot read it is the last: EIO' within 5 io_error
same 'open handles fail, too' 'Input/output error' "$(head -c 1 <&3 2>&1 | sed 's/.*: //' | head -n 1)"
mkdir "$scratch/rescued"
says '--rescue says what it copies' "rnullb0.img: $((16 * mib)) bytes, $((4 * mib)) stored" \
  "$("$RNULLFS" --rescue "$guard" "$scratch/rescued")"
check 'the data' cmp -n $((4 * mib)) "$scratch/rescued/rnullb0.img" "$scratch/random"
check '--rescue of another process is refused' not "$RNULLFS" --rescue $$ "$scratch/rescued"
# And not when the state is as it was.
dd if="$scratch/state" of="$state" conv=notrunc status=none
rescue_mount
check 'a worker dies' kill_worker KILL

# Again, and it is unmounted.
head -c 4096 /dev/zero | dd of="$state" conv=notrunc status=none
kill -KILL "$(status .worker_pid)"
check 'EIO again' within 5 io_error
exec 3>&-
check 'it can be unmounted' unmount "$mnt"
check 'and is gone then' guard_ends
