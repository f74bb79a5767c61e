#!/bin/bash
# What outlives the worker that serves a mount, and what becomes of one whose workers die for good.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3 fio
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
same 'the devices' 'auto daemon features rnullb0 status.json' "$(names "$mnt")"
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

sleep 10 # five deaths in ten seconds would be too many
says '--upgrade replaces the worker' "^worker [0-9]+ has taken over from $(status .worker_pid)$" \
  "$("$RNULLFS" --upgrade "$mnt")"
same 'and keeps the guard' "$guard an upgrade" "$(status '"\(.guard_pid) \(.replaced_why)"')"
check 'and the data' cmp -n $((8 * mib)) "$mnt/auto/disk" "$scratch/auto"
check 'again' "$RNULLFS" --upgrade "$mnt"
check '--upgrade elsewhere is refused' not "$RNULLFS" --upgrade "$scratch"
unmount "$mnt"
check 'umount ends the guard' guard_ends

# The program on disk is no longer one that could go on.
cp "$RNULLFS" "$scratch/program"
(RNULLFS=$scratch/program mount_guarded && echo "$mnt $guard" >"$scratch/where")
read -r mnt guard <"$scratch/where"
daemons+=("$guard")
worker=$(status .worker_pid)
rm "$scratch/program"
printf '#!/bin/sh\nexit 1\n' >"$scratch/program"
chmod +x "$scratch/program"
kill -USR2 "$guard"
sleep 0.5
same 'a program that cannot take over is not taken' "$worker" "$(status .worker_pid)"
check 'the mount works on' mkdir "$mnt/works"
unmount "$mnt"
check 'and ends' guard_ends

# --- Signals --------------------------------------------------------------------------------------

for who in guard worker; do
  mount_guarded
  kill -TERM "$(status ".${who}_pid")"
  check "SIGTERM to the $who ends both" guard_ends
  same 'and the mount' '' "$(mounts_here)"
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

mount_guarded -o size=16,memory_backed,power,datapath=daemon
disk=$mnt/rnullb0/disk
random_file "$scratch/random" 4
dd if="$scratch/random" of="$disk" bs=1M conv=notrunc status=none
exec 3<>"$disk"
for ((i = 0; i < 4; ++i)); do kill_worker KILL; done
kill -KILL "$(status .worker_pid)"
io_error() { sys "$mnt/features" O_RDONLY pread 0 1 2>&1 | grep -q EIO; }
check 'the fifth within ten seconds is the last: EIO' within 5 io_error
same 'open handles fail, too' 'Input/output error' "$(head -c 1 <&3 2>&1 | sed 's/.*: //' | head -n 1)"
mkdir "$scratch/rescued"
says '--rescue says what it copies' "rnullb0.img: $((16 * mib)) bytes, $((4 * mib)) stored" \
  "$("$RNULLFS" --rescue "$guard" "$scratch/rescued")"
check 'the data' cmp -n $((4 * mib)) "$scratch/rescued/rnullb0.img" "$scratch/random"
check '--rescue of another process is refused' not "$RNULLFS" --rescue $$ "$scratch/rescued"
exec 3>&-
check 'it can be unmounted' unmount "$mnt"
check 'and is gone then' guard_ends
