#!/bin/bash
# The power goes while somebody has the disk: what fails, what is lost, what is there again.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3

mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
datapath=daemon
lost() { field "$dev/stats.json" '.power_cuts | "\(.count) \(.lost_requests) \(.lost_sectors) \(.lost_bytes)"'; }
letters() { python3 -c 'import sys; d = open(sys.argv[1], "rb").read(4096 * 16)
print("".join(chr(d[i]) if d[i] else "." for i in range(0, len(d), 4096)))' "$dev/disk"; }
# write LETTERS PAGE [DD-OPERAND...]: a page each.
write() {
  python3 -c 'import sys; sys.stdout.buffer.write(b"".join(c.encode() * 4096 for c in sys.argv[1]))' "$1" |
    dd of="$dev/disk" bs=4096 iflag=fullblock seek="$2" conv=notrunc"${3-}" status=none
}
on() { put 1 "$dev/power"; }
replaced() { field "$mnt/status.json" .workers_replaced; }
kill_worker() {
  local before
  before=$(replaced)
  kill -KILL "$(field "$mnt/status.json" .worker_pid)"
  within 5 test_replaced $((before + 1))
}
test_replaced() { [[ $(replaced) == "$1" ]]; }
has_ended() { ! kill -0 "$1" 2>/dev/null; }

# --- What is lost ---------------------------------------------------------------------------------------

make_disk d '{"size": 8, "history": 4}'
write abcd 0 ,fsync
write xy 1
write zz 8
put cut "$dev/power"
same 'it is off' 0 "$(<"$dev/power")"
check 'nobody has it: the file is gone' test ! -e "$dev/disk"
same 'how much is lost' '1 4 32 16384' "$(lost)"
on
same 'a cut leaves what a flush had covered' 'abcd............' "$(letters)"
write xy 1
put 0 "$dev/power"
on
put cut "$dev/power"
on
same 'what was switched off is not lost' 'axyd............' "$(letters)"
write E 4
sequence=$(field "$dev/stats.json" .sequence)
put cut "$dev/power"
put "$sequence" "$dev/rollback"
on
same 'the history knows what it was before' 'axydE...........' "$(letters)"
put all "$dev/cut_keeps"
write F 5
put cut "$dev/power"
on
same 'all: the disk only goes' 'axydEF..........' "$(letters)"
put random "$dev/cut_keeps"
put 0 "$dev/power"
put 42 "$dev/seed"
both=''
for seed in 42 42 7; do
  put "$seed" "$dev/seed"
  on
  write '................' 0 ,fsync
  page=0
  for letter in A B C D E F G H I J K L M N O P; do write "$letter" $((page++)); done
  put cut "$dev/power"
  on
  both+="$(letters) "
  put 0 "$dev/power"
done
read -r first second third <<<"$both"
says 'random keeps some' '[A-P].*\..*[A-P]|\..*[A-P].*\.' "$first"
check 'by the seed and the number of the cut' test "$first" != "$second" -a "$first" != "$third"
put none "$dev/cut_keeps"
on

# --- Who has it -------------------------------------------------------------------------------------------

write ghij 0 ,fsync
exec 5<>"$dev/disk"
write k 0
put 'r: read 32-39 hang' "$dev/faults/new"
put 's: write delay 60s' "$dev/faults/new"
dd if="$dev/disk" of=/dev/null bs=4096 skip=4 count=1 status=none 2>"$scratch/hung" &
hung=$!
write q 6 2>"$scratch/slow" &
slow=$!
waits() { [[ $(<"$dev/faults/r/pending") == 1 && $(<"$dev/faults/s/pending") == 1 ]]; }
check 'one hangs and one waits' within 5 waits
put cut "$dev/power"
check 'both end' within 2 has_ended "$hung"
check 'at once' within 2 has_ended "$slow"
says 'with EIO' 'Input/output error' "$(<"$scratch/hung")"
says 'and EIO' 'Input/output error' "$(<"$scratch/slow")"
rmdir "$dev/faults/r" "$dev/faults/s"
same 'it is off' 0 "$(<"$dev/power")"
check 'the file is still there' test -e "$dev/disk"
same 'as large as it was' $((8 << 20)) "$(stat -c %s "$dev/disk")"
read_it() { dd bs=4096 count=1 status=none <&5; }
write_it() { dd if=/dev/zero bs=4096 count=1 status=none >&5; }
refused EIO 'who has it cannot read' read_it
refused EIO 'nor write' write_it
refused ENODEV 'nobody else can open it' cat "$dev/disk"
says 'and hears why' 'its power has been cut' "$(<"$dev/last_error")"
refused EBUSY 'it is not on again before it is closed' put 1 "$dev/power"
says 'as last_error says' 'has been cut, and cannot be on again while disk is open' "$(<"$dev/last_error")"
says 'and stats.json warns' 'power has been cut' "$(field "$dev/stats.json" '.warnings[0]')"
refused EBUSY 'nor can it be removed' rmdir "$dev"
check 'to cut it again changes nothing' put cut "$dev/power"
put 16 "$dev/size"
put 8 "$dev/size"
kill_worker
refused EIO 'a worker that takes over knows it' read_it
refused ENODEV 'all of it' cat "$dev/disk"
refused EBUSY 'and that it is open' put 1 "$dev/power"
exec 5>&-
off_and_closed() { [[ ! -e $dev/disk ]]; }
check 'with the last close it is gone' within 5 off_and_closed
on
same 'and is there again' ghij "$(letters | head -c 4)"
refused EINVAL 'cuts, in the plural' put cuts "$dev/power"
put '{"power": false}' "$dev/config.json"
put cut "$dev/power"
same 'what is off stays off' 0 "$(<"$dev/power")"

# --- What has no history --------------------------------------------------------------------------------

make_disk c '{"size": 8, "cache_size": 4}'
write abcd 0 ,fsync
write xy 1
write w 9
put cut "$dev/power"
on
same 'the write cache is lost' 'abcd............' "$(letters)"
same 'and counted' '1 3 24 12288' "$(lost)"
write xy 1
put all "$dev/cut_keeps"
put cut "$dev/power"
on
same 'or, with all, written back' 'axyd............' "$(letters)"
put random "$dev/cut_keeps"
write '................' 0 ,fsync
write ABCDEFGHIJKLMNOP 0
kill_worker
put cut "$dev/power"
on
says 'or in part' '[A-P].*\..*[A-P]|\..*[A-P].*\.' "$(letters)"
mkdir "$dev/snapshots/s"
write Q 0
exec 5<>"$dev/disk"
put none "$dev/cut_keeps"
mkdir "$dev/snapshots/t"
put cut "$dev/power"
same 'a snapshot has what the cache had' Q "$(head -c 1 "$dev/snapshots/t/disk")"
exec 5>&-
check 'it is closed' within 5 off_and_closed
rmdir "$dev/snapshots/s" "$dev/snapshots/t"

make_disk n '{"size": 8}'
refused EINVAL 'a disk that does not know what no flush has covered' put cut "$dev/power"
says 'says what to write' 'write a size \(MiB\) to history, or all to cut_keeps' "$(<"$dev/last_error")"
same 'and is on' 1 "$(<"$dev/power")"
put all "$dev/cut_keeps"
put cut "$dev/power"
same 'or loses nothing' 0 "$(<"$dev/power")"
datapath=auto
if passthrough_possible; then
  make_disk p '{"size": 8, "cut_keeps": "all"}'
  exec 5<>"$dev/disk"
  refused EBUSY 'what the kernel serves cannot be cut' put cut "$dev/power"
  says 'which last_error says' 'while the kernel serves the disk by itself' "$(<"$dev/last_error")"
  exec 5>&-
  rmdir_when_closed() { rmdir "$dev" 2>/dev/null; }
  check 'it goes' within 5 rmdir_when_closed
fi
datapath=daemon

# --- All at one moment ------------------------------------------------------------------------------------

for name in d c; do put 1 "$mnt/$name/power"; done
same 'it reads as nothing' '' "$(<"$mnt/power")"
put 1 "$mnt/n/power"
put none "$mnt/n/cut_keeps"
refused EINVAL 'all or none' put cut "$mnt/power"
says 'status.json says which stood in the way' '^n: power: a cut loses' "$(field "$mnt/status.json" .last_error)"
same 'and nothing was cut' '1 1 1' "$(cat "$mnt"/{d,c,n}/power | xargs)"
refused EINVAL 'to switch all on' put 1 "$mnt/power"
put all "$mnt/n/cut_keeps"
check 'all at once' put cut "$mnt/power"
same 'they are off' '0 0 0' "$(cat "$mnt"/{d,c,n}/power | xargs)"
check 'and again' put cut "$mnt/power"
for name in d c n; do
  put 1 "$mnt/$name/power"
  dev=$mnt/$name
  write z 0
done
put 0 "$mnt/d/power"
put 0 "$mnt/c/power"
put 0 "$mnt/n/power"
rmdir "$mnt"/{d,c,n}
same 'nothing is charged' 0 "$(field "$mnt/status.json" .memory_used)"

mkdir "$mnt/disk"
refused EEXIST 'a disk called power' mkdir "$mnt/power"
rmdir "$mnt/disk"
unmount "$mnt"
