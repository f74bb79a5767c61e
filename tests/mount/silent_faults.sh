#!/bin/bash
# Fault rules of which nobody is told: what the disk shows, what it has, how that is listed, healed and
# kept, and what is refused.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3

mount_rnullfs -o 'nr_devices=1,memory_backed,size=8,fault=x:write,torn,first,acknowledged=0,power'
daemons=("$(field "$mnt/status.json" .guard_pid)")
datapath=daemon
# The first 16 pages, a letter each: what is shown, and what is so.
letters() { head -c 65536 "$1" | tr '\0' . | fold -w 4096 | cut -c 1 | tr -d '\n'; }
both() { echo "$(letters "$dev/disk") $(letters "$dev/pristine/disk")"; }
# write LETTERS PAGE [DD-OPERAND...]: a page each, in one request.
write() {
  local letters=$1 i
  for ((i = 0; i < ${#letters}; ++i)); do head -c 4096 /dev/zero | tr '\0' "${letters:i:1}"; done |
    dd of="$dev/disk" bs=$((4096 * ${#letters})) iflag=fullblock seek=$((4096 * $2)) oflag=seek_bytes \
      conv=notrunc"${3-}" status=none
}
read_all() { cat "$dev/disk" >"$scratch/read"; }
# What is listed, without the sequence numbers.
damage() { awk '{ print $1, $2, $3 }' "$dev/damage" | paste -sd ','; }
counted() { field "$dev/stats.json" '.damage | "\(.sectors) \(.injected_sectors) \(.healed_sectors)"'; }
# How many bits of what is read are others than in FILE.
bits() { python3 -c 'import sys; a, b = (open(name, "rb").read() for name in sys.argv[1:])
print(sum((x ^ y).bit_count() for x, y in zip(a, b, strict=True)))' "$1" "$2"; }
rule() { put "$1" "$dev/faults/rules"; }
heal() { put heal "$dev/damage"; }
on() { put 1 "$dev/power"; }
replaced() { field "$mnt/status.json" .workers_replaced; }
test_replaced() { [[ $(replaced) == "$1" ]]; }
kill_worker() {
  local before
  before=$(replaced)
  kill -KILL "$(field "$mnt/status.json" .worker_pid)"
  within 5 test_replaced $((before + 1))
}
off() { put 0 "$dev/power" 2>/dev/null; }

# --- How they are said --------------------------------------------------------------------------------

dev=$mnt/rnullb0
same 'as a mount option' 'x: write torn first acknowledged 0' "$(<"$dev/faults/rules")"
refused EIO 'it tears, and says so' dd if=/dev/urandom of="$dev/disk" bs=4096 count=1 oflag=direct conv=notrunc status=none
same 'which is no damage' ' 0 0 0' "$(damage) $(counted)"
says 'though part of it has arrived' '^0 write 0 8 torn [1-7]$' "$(<"$dev/faults/x/last")"
rmdir "$dev/faults/x"
put 0 "$dev/power"
rmdir "$dev"

make_disk d '{"size": 8, "seed": 42, "faults": {"j": {"op": "read", "action": "corrupt", "corrupt": "3bits", "stored": true}}}'
same 'in JSON' 'j: read corrupt 3bits stored 1' "$(<"$dev/faults/rules")"
mkdir "$dev/faults/f"
put misdirected "$dev/faults/f/action"
put -8 "$dev/faults/f/shift"
same 'as files' $'f: off all misdirected shift -8\nj: read corrupt 3bits stored 1' "$(<"$dev/faults/rules")"
refused EINVAL 'what an action cannot be done to' put 'r: read lost' "$dev/faults/new"
says 'the sentence says to what it can' 'lost, is one for write flush discard zero; write that to op' "$(<"$dev/last_error")"
refused EINVAL 'what was before, without history' put 'r: read stale' "$dev/faults/new"
says 'the sentence says what to write' 'write a size \(MiB\) to it' "$(<"$dev/last_error")"
refused EINVAL 'an amount that is none' put 513bytes "$dev/faults/f/corrupt"
rule ''

# --- What is done, shown and listed ---------------------------------------------------------------------

write abcd 0
same 'a whole disk has no damage' ' 0 0 0' "$(damage) $(counted)"
same 'nor is its truth listed' '' "$(ls "$dev/pristine")"
same 'but can be read' 'abcd............' "$(letters "$dev/pristine/disk")"
rule 'w: write,discard lost'
write XY 1
same 'a lost write is not done' 'abcd............ aXYd............' "$(both)"
same 'and listed' '8-23 lost w' "$(damage)"
same 'with its truth' disk "$(ls "$dev/pristine")"
same 'and counted' '16 16 0' "$(counted)"
fallocate --punch-hole --offset 12288 --length 4096 "$dev/disk"
same 'a lost discard' 'abcd............ aXY.............' "$(both)"
rule 'n: flush error'
exec 5<"$dev/pristine/disk"
dd bs=4096 count=1 status=none <&5 >"$scratch/before"
write Z 1
same 'who has the truth open sees it change' Z "$(head -c 1 <&5)"
exec 5<&-
same 'a write heals' 'aZcd............ aZY.............' "$(both)"
same 'as the list says' '16-31 lost w' "$(damage)"
same 'and the counts' '16 24 8' "$(counted)"
printf 12345 | dd of="$dev/disk" bs=1 seek=$((17 * 512 + 5)) conv=notrunc status=none
same 'a part of a sector is written to what is shown' 'ccccc12345ccc' "$(dd if="$dev/disk" bs=1 skip=$((17 * 512)) count=13 status=none)"
same 'and to what is so' 'YYYYY12345YYY' "$(dd if="$dev/pristine/disk" bs=1 skip=$((17 * 512)) count=13 status=none)"
same 'the rest stays damaged' '16-31 lost w' "$(damage)"
put 'heal 16-17 24' "$dev/damage"
same 'some is healed' '18-23 lost w,25-31 lost w' "$(damage)"
check 'all is healed' heal
same 'and shows what is so' 'aZY............. aZY.............' "$(both)"
same 'nothing is listed' '' "$(damage)"
refused EINVAL 'a word that is not heal' put head "$dev/damage"
says 'in a sentence' 'it takes heal, for all of it, or heal and ranges' "$(<"$dev/last_error")"

rule 't: write torn first'
write PQ 4
arrived=$(awk '{ print $NF }' "$dev/faults/t/last")
same 'of a torn write the first sectors arrive' "$((32 + arrived))-47 torn t" "$(damage)"
heal
write S 4
rule 't: write torn last'
write TT 4
arrived=$(awk '{ print $NF }' "$dev/faults/t/last")
same 'or the last' "32-$((47 - arrived)) torn t" "$(damage)"
heal
rule 'm: write misdirected shift 16'
write M 0
same 'a misdirected write is elsewhere' 'aZM.TT.......... MZY.TT..........' "$(both)"
same 'both places are damaged' '0-7 misdirected m,16-23 misdirected m' "$(damage)"
heal
rule 'm: read misdirected shift 8'
same 'a misdirected read sees another place' 'ZY.TT.' "$(letters "$dev/disk" | head -c 6)"
same 'and leaves nothing' '' "$(damage)"

cp "$dev/pristine/disk" "$scratch/truth"
rule 'c: read 0-15 corrupt 3bits'
read_all
same 'a read of corrupt bits' 48 "$(bits "$scratch/read" "$scratch/truth")"
same 'in flight' ' ' "$(damage) $(rule ''; read_all; cmp "$scratch/read" "$scratch/truth")"
rule 'c: read 0-15 corrupt 2bytes stored times 1'
read_all
cp "$scratch/read" "$scratch/first"
read_all
check 'or that stay' cmp "$scratch/first" "$scratch/read"
same 'which are listed' '0-15 corrupt c' "$(damage)"
check 'the truth is as it was' cmp "$dev/pristine/disk" "$scratch/truth"
heal
rule 'c: write corrupt 3bits'
write V 0
same 'bits of a write are corrupt' '0-7 corrupt c' "$(damage)"
same 'as many in each sector' 24 "$(head -c 4096 "$dev/disk" >"$scratch/shown"; head -c 4096 "$dev/pristine/disk" >"$scratch/so"
  bits "$scratch/shown" "$scratch/so")"

# --- How long it stays ------------------------------------------------------------------------------------

cksum=$(cksum "$dev/disk")
kill_worker
same 'it outlives the worker' "$cksum 0-7 corrupt c" "$(cksum "$dev/disk") $(damage)"
check 'and is there for another version' "$RNULLFS" --upgrade "$mnt"
same 'all of it' "$cksum 0-7 corrupt c" "$(cksum "$dev/disk") $(damage)"
exec 5<"$dev/pristine/disk"
refused EBUSY 'who has the truth open has the disk' put 0 "$dev/power"
says 'as last_error says' 'cannot switch off while disk is open' "$(<"$dev/last_error")"
kill_worker
same 'also when the worker has died' V "$(head -c 1 <&5)"
refused EBUSY 'and nobody switches it off' put 0 "$dev/power"
exec 5<&-
check 'before it is closed' within 5 off
refused ENOENT 'the truth of a disk that is off' cat "$dev/pristine/disk"
on
same 'it outlives the power' "$cksum 0-7 corrupt c" "$(cksum "$dev/disk") $(damage)"
rule ''
served() { field "$dev/stats.json" '.datapath + " " + .datapath_why'; }
if passthrough_possible; then
  put 0 "$dev/power"
  put auto "$dev/datapath"
  on
  says 'what is damaged is no affair of the kernel' '^daemon the disk is damaged' "$(served)"
  put 0 "$dev/power"
  refused EINVAL 'nor can it be made one' put '{"datapath": "passthrough", "power": true}' "$dev/config.json"
  on
  heal
  same 'what is healed is' 'passthrough ' "$(served)"
  exec 5<>"$dev/disk"
  same 'which serves it' 1 "$(field "$dev/stats.json" .passthrough_opens)"
  refused EBUSY 'and where a rule cannot come' put 'w: write lost' "$dev/faults/new"
  exec 5<&-
  check 'it is closed' within 5 off
  put daemon "$dev/datapath"
  on
else
  skip_check 'who serves it' 'there is no passthrough'
fi
refused EACCES 'the truth is not written to' sh -c "echo >'$dev/pristine/disk'"
rule 'w: write lost'
write W 300
put 0 "$dev/power"
put 1 "$dev/size"
on
same 'what a smaller size cuts off is no damage' '' "$(damage)"
put 0 "$dev/power"
rmdir "$dev"

# --- Snapshots, clones, history and power cuts --------------------------------------------------------------

make_disk p '{"size": 8, "history": 4}'
write abc 0 ,fsync
mkdir "$dev/snapshots/clean"
rule $'w: write lost\n'
write X 1
mkdir "$dev/snapshots/dirty"
same 'a snapshot has the truth' aXc "$(letters "$dev/snapshots/dirty/disk" | head -c 3)"
same 'and so has the history' aXc "$(letters "$dev/at/$(field "$dev/stats.json" .sequence)/disk" | head -c 3)"
mkdir "$mnt/clone"
put '{"origin": "p", "power": true}' "$mnt/clone/config.json"
same 'and a clone, which is whole' 'aXc ' "$(letters "$mnt/clone/disk" | head -c 3) $(<"$mnt/clone/damage")"
put 0 "$mnt/clone/power"
rmdir "$mnt/clone" "$dev/snapshots/dirty"
put 0 "$dev/power"
put clean "$dev/rollback"
on
same 'rollback takes the damage away' 'abc............. abc............. ' "$(both) $(damage)"
rule ''
write X 0
write Y 0 ,fsync
rule 's: read 0-7 stale'
same 'a stale read' Xbc "$(letters "$dev/disk" | head -c 3)"
rule 'f: flush lost'
write Z 0 ,fsync
write d 3
put cut "$dev/power"
on
same 'a cut takes what a lost flush had promised' 'Ybc............. Zbc.............' "$(both)"
same 'and nobody had been told of' '0-7 lost f' "$(damage)"

# What has been healed is damaged again where a cut takes back what has healed it, and not otherwise.
cut_power() { put cut "$dev/power" && on; }
damage_again() { rule 'c: write 0-7 corrupt' && write A 0 ,fsync && rule '' && [[ $(damage) == '0-7 corrupt c' ]]; }
check 'damaged' damage_again
write A 0
same 'healed, for now' '' "$(damage)"
check 'cut' cut_power
same 'damaged again' '0-7 corrupt c' "$(damage)"
write A 0 ,fsync
check 'cut, with that flushed' cut_power
same 'healed' '' "$(damage)"
check 'damaged' damage_again
write B 0
check 'healed by word' heal
check 'cut' cut_power
same 'that is for good' '' "$(damage)"
check 'damaged' damage_again
write B 0
check 'the worker dies' kill_worker
write B 0 ,fsync
write A 0 ,fsync
check 'cut, with that flushed by another worker' cut_power
same 'healed' '' "$(damage)"
check 'damaged' damage_again
put 0 "$dev/history"
rmdir "$dev/snapshots/clean"
write B 0
write A 0
put 16 "$dev/history"
check 'cut, where nothing was kept then' cut_power
same 'healed' '' "$(damage)"
put 0 "$dev/power"
rmdir "$dev"

make_disk c '{"size": 8, "cache_size": 2}'
write AC 0 ,fsync
rule 'f: flush lost'
write B 0 ,fsync
write D 1
check 'cut, with a write cache' cut_power
same 'the cache has lost what was promised, and what was not' 'AC.............. BC..............' "$(both)"
same 'but only the one is listed' '0-7 lost f' "$(damage)"
write E 0 ,fsync
check 'the worker dies' kill_worker
check 'off' put 0 "$dev/power"
on
same 'a power-off loses it as well' 'AC.............. EC..............' "$(both)"
rule ''
write F 0 ,fsync
check 'cut' cut_power
same 'what is flushed is there' 'FC.............. FC..............' "$(both)"
put 0 "$dev/power"
rmdir "$dev"

# --- Where there is no memory for it ----------------------------------------------------------------------

make_disk m '{"size": 8, "store_limit": 1}'
rule 'r: read 0-7 corrupt 2bytes stored times 1'
read_all
rule ''
refused ENOSPC 'a disk that is full' dd if=/dev/urandom bs=4096 count=512 of="$dev/disk" seek=1M oflag=seek_bytes conv=notrunc status=none
head -c 4096 "$dev/disk" >"$scratch/shown"
refused ENOSPC 'has no room for what is so' dd if=/dev/urandom bs=10 count=1 of="$dev/disk" conv=notrunc status=none
check 'what is shown is as before' cmp -n 4096 "$scratch/shown" "$dev/disk"
same 'and listed' '0-7 corrupt r' "$(damage)"
truncate -s 1M "$dev/disk"
rule 'w: write lost'
refused ENOSPC 'no memory for what is shown' dd if=/dev/urandom bs=64k count=32 of="$dev/disk" conv=notrunc status=none
rule ''
put 0 "$dev/power"
rmdir "$dev"
same 'nothing is left' 0 "$(field "$mnt/status.json" .memory_used)"
