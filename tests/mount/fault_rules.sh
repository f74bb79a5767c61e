#!/bin/bash
# Fault rules as files, lines, JSON and mount options; their refusals; and what is left of them when
# the worker dies or is replaced.
. "$(dirname "$0")/../lib.sh"
needs fuse jq

mount_rnullfs -o 'nr_devices=1,memory_backed,size=8,fault=slow:read,2048-4095,delay=50ms,power,fault=off,write,error=ENOSPC,blocksize=512'
worker() { field "$mnt/status.json" .worker_pid; }
read_at() { dd if="$dev/disk" of=/dev/null bs=512 skip="$1" count=1 status=none; }
write_at() { dd if=/dev/zero of="$dev/disk" bs=512 seek="$1" count=1 conv=notrunc status=none; }
hits() { cat "$dev/faults/$1/seen" "$dev/faults/$1/hits" | xargs; }
# In one write(2), unlike echo.
put_list() { cat <<<"$1" >"$2"; }
pending() { [[ $(<"$dev/faults/$1/pending") == "$2" ]]; }

# --- As they are said -------------------------------------------------------------------------------

dev=$mnt/rnullb0
same 'a mount option goes on behind its commas' $'rule1: off write error ENOSPC\nslow: read 2048-4095 delay 50ms' \
  "$(<"$dev/faults/rules")"
same 'what follows it is taken' 8 "$(<"$dev/size")"
put '{"faults": {}}' "$dev/config.json"
same 'JSON is the whole list' 'new rules' "$(names "$dev/faults")"

mkdir "$dev/faults/x"
same 'a new rule is off' 'x: off all error EIO' "$(<"$dev/faults/rules")"
put read "$dev/faults/x/op"
put '8-15 100' "$dev/faults/x/sectors"
put 2 "$dev/faults/x/times"
check 'and does nothing' read_at 8
put 1 "$dev/faults/x/enabled"
refused EIO 'a read that it matches' read_at 8
refused EIO 'of any of its sectors' read_at 100
check 'not of others' read_at 16
check 'nor a third time' read_at 8
same 'it has counted' '3 2' "$(hits x)"
same 'and noted' $'0 read 8 1 error EIO\n0 read 100 1 error EIO' "$(<"$dev/faults/x/last")"
says 'last_error says which rule it was' 'fault rule x' "$(<"$dev/last_error")"
same 'config.json shows it' '{"x":{"enabled":true,"op":"read","sectors":"8-15 100-100","times":2,"action":"error"}}' \
  "$(jq -c .faults "$dev/config.json")"
put 'y: write 0-7 error EROFS when after' "$dev/faults/new"
refused EROFS 'a line is a rule that is on' write_at 0
put '-y' "$dev/faults/new"
check 'and may remove one' test ! -e "$dev/faults/y"
put_list $'b: read error\na: off all hang' "$dev/faults/rules"
same 'a list replaces all' $'a: off all hang\nb: read error EIO' "$(<"$dev/faults/rules")"
same 'in the order of their names' 'a b new rules' "$(names "$dev/faults")"
put $'c: off read error\nd: off read error' "$dev/faults/rules"
same 'also line by line, as a shell writes it' 'c d new rules' "$(names "$dev/faults")"
rmdir "$dev/faults/c" "$dev/faults/d"
same 'rmdir removes them' '' "$(<"$dev/faults/rules")"
put 0 "$dev/power"
put 'z: read error' "$dev/faults/new"
put 1 "$dev/power"
refused EIO 'a rule may be there before the disk is on' read_at 0
put 'flush error=EIO' "$dev/faults/rules"
refused EIO 'a flush' dd if=/dev/zero of="$dev/disk" bs=512 count=1 seek=9 conv=notrunc,fsync status=none
rmdir "$dev/faults/rule1"

# --- What is refused ----------------------------------------------------------------------------------

refused EINVAL 'a word that there is none of' put 'x: raed hang' "$dev/faults/new"
says 'in a sentence' '^faults: x: raed: a rule has no such word\. Did you mean read\?' "$(<"$dev/last_error")"
refused EINVAL 'nothing' put '' "$dev/faults/new"
refused EINVAL 'ENOSYS, which the kernel would not forget' put 'flush error ENOSYS' "$dev/faults/new"
refused EINVAL 'a list with one bad line' put_list $'a: all hang\nb: hnag' "$dev/faults/rules"
same 'leaves nothing of it' '' "$(<"$dev/faults/rules")"
refused EINVAL 'a name that a line could not say' mkdir "$dev/faults/a b"
refused EEXIST 'a name that is a file' mkdir "$dev/faults/new"
mkdir "$dev/faults/x"
refused EEXIST 'a rule that there is' mkdir "$dev/faults/x"
refused ENOENT 'a rule that there is not' rmdir "$dev/faults/y"
refused EINVAL 'a value that is none' put 101 "$dev/faults/x/probability"
says 'in a sentence' '^faults/x/probability: 101 is not accepted; it takes 0 to 100 \(percent\)' "$(<"$dev/last_error")"
# shellcheck disable=SC2016 # for the inner shell
refused EACCES 'a count' sh -c 'exec 3<>"$0"; echo 1 >&3' "$dev/faults/x/hits"
refused EPERM 'a file' touch "$dev/faults/file"
refused EPERM 'to rename a rule' mv "$dev/faults/x" "$dev/faults/y"
rmdir "$dev/faults/x"
check 'a mount option that is none' not "$RNULLFS" -o 'fault=x:raed,hang' "$mnt"
says 'says so' '^rnullfs: fault: x: raed: a rule has no such word\. Did you mean read\?' "$(<"$scratch/output")"

# --- The other door -----------------------------------------------------------------------------------

if passthrough_possible; then
  exec 3<>"$dev/disk"
  same 'without a rule the kernel serves the disk' passthrough "$(field "$dev/stats.json" .datapath)"
  check 'a rule can be made then' mkdir "$dev/faults/x"
  refused EBUSY 'but not be switched on' put 1 "$dev/faults/x/enabled"
  says 'the sentence says how' 'set datapath to daemon, or detach' "$(<"$dev/last_error")"
  same 'nothing has changed' 0 "$(<"$dev/faults/x/enabled")"
  exec 3>&-
  by_daemon() { [[ $(field "$dev/stats.json" .datapath_why) == 'faults has rules' ]]; }
  check 'a disk with a rule is served by the daemon' within 5 by_daemon
  put 1 "$dev/faults/x/enabled"
  rmdir "$dev/faults/x"
else
  skip_check 'the other door' 'there is no passthrough'
fi

# --- What hangs, and a worker that dies -----------------------------------------------------------------

put 'h: read hang times 3' "$dev/faults/new"
put 'e: write error after 1' "$dev/faults/new"
write_at 0
refused EIO 'the second write' write_at 0
readers=()
for i in {1..3}; do
  read_at "$i" &
  readers+=($!)
done
check 'three reads hang' within 5 pending h 3
check 'the fourth does not, as times has it' read_at 4
check 'and another disk goes on' mkdir "$mnt/other"
rmdir "$mnt/other"
kill -KILL "$(worker)"
check 'when the worker dies, they hang again' within 5 pending h 3
same 'and are counted once' '4 3' "$(hits h)"
same 'what others have counted stays' '2 1' "$(hits e)"
check 'a fourth still does not' read_at 4
check 'the worker is replaced' "$RNULLFS" --upgrade "$mnt"
check 'they hang again' within 5 pending h 3
same 'and are counted once' '5 3' "$(hits h)"
same 'the rules are the same' $'e: write error EIO after 1\nh: read hang times 3' "$(<"$dev/faults/rules")"
put 0 "$dev/faults/h/enabled"
for pid in "${readers[@]}"; do check 'the rule is off: a read ends' wait "$pid"; done
same 'its counts stay' '5 3' "$(hits h)"
put 1 "$dev/faults/h/enabled"
same 'and begin anew when it is on' '0 0' "$(hits h)"
rmdir "$dev/faults/h" "$dev/faults/e"
check 'the disk can be removed' rmdir "$dev"
