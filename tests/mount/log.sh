#!/bin/bash
# The log of a disk: what it has been asked to do, as text, for fio and for replay-log; marks.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3 fio fallocate
datapath=daemon
last_error() { cat "$dev/last_error"; }
info() { jq -r "$1" "$dev/log/info.json"; }
# entries FIRST: what, first sector, sectors, flags, errno and name of the lines from that number on.
entries() { awk -v first="$1" '$1 >= first { print $3, $4, $5, $6, $7 (NF > 8 ? " " $9 : "") }' "$dev/log/entries"; }
last() { info .last; }
# write BYTES BLOCK BLOCKS [DD-OPERAND...]
write() { dd if=/dev/urandom of="$dev/disk" bs="$1" seek="$2" count="$3" conv=notrunc status=none "${@:4}"; }
flush() { sync "$dev/disk"; }

kill_worker() {
  local before
  before=$(field "$mnt/status.json" .workers_replaced)
  kill -KILL "$(field "$mnt/status.json" .worker_pid)"
  within 5 replaced_after "$before"
}
replaced_after() { (($(field "$mnt/status.json" .workers_replaced) > $1)); }

# replays_to FILE OPTION...: the log of writes, onto what the disk was when that began.
image=$scratch/image
replays_to() {
  cp --sparse=always "$dev/at/$(info .writes_begin)/disk" "$image"
  chmod 600 "$image"
  python3 "$tests/mount/replay_log.py" "$dev/log/writes" "$image" "${@:2}" && cmp "$image" "$1"
}
replays() { replays_to "$dev/disk"; }

mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
make_disk d '{"size": 8}'

# --- The files ------------------------------------------------------------------------------------

same 'without history there is no log' '*' "$(names "$dev/log")"
for name in entries info.json writes iolog; do refused ENOENT "$name" stat "$dev/log/$name"; done
refused EINVAL 'a mark' put x "$dev/log/mark"
says 'says what is missing' '^mark: .* write how many MiB .* to history first' "$(last_error)"
put 8 "$dev/history"
same 'with history there are' 'entries info.json iolog mark writes' "$(names "$dev/log")"
same 'nothing yet' '' "$(cat "$dev/log/entries" "$dev/log/mark")"
same 'for replay-log a head' 512 "$(wc -c <"$dev/log/writes")"
same 'and in numbers' '1 0 0 []' "$(info '"\(.first) \(.last) \(.writes_begin) \(.marks)"')"

exec 5<"$dev/log/entries" 6<"$dev/log/writes"
write 4096 2 1
write 512 9 2 conv=fsync
fallocate --punch-hole --keep-size --offset 1000 --length 5000 "$dev/disk"
fallocate --punch-hole --keep-size --offset 4096 --length 8192 "$dev/disk"
fallocate --zero-range --keep-size --offset 65536 --length 8192 "$dev/disk"
write 512 3 1 oflag=dsync
put +100-100 "$dev/badblocks"
write 512 100 1 2>/dev/null || true
put -100-100 "$dev/badblocks"
same 'a line for each request' 'write 16 8 - 0
write 9 1 - 0
write 10 1 - 0
flush 0 0 - 0
discard 1 11 - 0
flush 0 0 - 0
discard 8 16 - 0
flush 0 0 - 0
zero 128 16 - 0
flush 0 0 - 0
write 3 1 F 0
write 100 1 - 5' "$(entries 1 | uniq)"
check 'who has had it open reads on' cmp "$dev/log/entries" <(cat <&5)
sizes_are_right() {
  local file
  for file in entries writes iolog mark info.json; do
    [[ $(stat -c %s "$dev/log/$file") == $(wc -c < <(cat "$dev/log/$file")) ]] || return
  done
}
check 'they are as long as they say' sizes_are_right
times_are_right() {
  awk -v now="$(date +%s)" '$2 < before || $2 > now + 1 || $2 < now - 600 { exit 1 } { before = $2 }' "$dev/log/entries"
}
check 'their times are those of the clock on the wall, and rise' times_are_right
check 'replayed it is the disk' replays

# --- Marks ----------------------------------------------------------------------------------------

write 65536 3 2
cp --sparse=always "$dev/disk" "$scratch/one"
put one "$dev/log/mark"
one=$(last)
write 65536 3 2
put 'two words' "$dev/log/mark"
same 'they are listed' "$one one
$(last) two words" "$(<"$dev/log/mark")"
same 'in info.json' "one@$one two words@$(last)" "$(info '[.marks[] | "\(.name)@\(.sequence)"] | join(" ")')"
same 'in the log' 'mark 0 0 - 0 one' "$(entries "$one" | head -n 1)"
same 'in at/, as links' "$one $(last)" "$(readlink "$dev/at/one") $(readlink "$dev/at/two words")"
says 'which ls finds' ' one -> [0-9]+$' "$(ls -l "$dev/at")"
check 'what the disk was' cmp "$dev/at/one/disk" "$scratch/one"
check 'replayed as far as that, too' replays_to "$scratch/one" --until one
check 'and to the end' replays
same 'a link can be followed by a link' one "$(ln -s "$dev/at/one" "$scratch/link" && basename "$(readlink "$scratch/link")")"
write 4096 0 1
put one "$dev/log/mark"
same 'the newest of a name counts' "$(last)" "$(readlink "$dev/at/one")"
same 'of which there is one' 1 "$(find "$dev/at" -maxdepth 1 -name one | wc -l)"
check 'what the disk is' cmp "$dev/at/one/disk" "$dev/disk"
refused EPERM 'it stays: rm' rm "$dev/at/one"
refused EPERM 'mv' mv "$dev/at/one" "$dev/at/three"
before=$(last)
for name in 0 12 now a/b / . .. '' $'a\tb'; do
  refused EINVAL "no mark: $(printf %q "$name")" put "$name" "$dev/log/mark"
  says 'says why' '^(mark|mkdir): ' "$(last_error)"
done
refused ENAMETOOLONG 'nor one of 256 bytes' put "$(printf '%0256d' 0)" "$dev/log/mark"
same 'nothing was counted' "$before" "$(last)"
check 'at/ can be listed' ls "$dev/at"

check 'all are as long as they say' sizes_are_right
# One that is longer than a page, and grows.
write_often() { local i; for ((i = 0; i < 100; ++i)); do write 4096 $((i % 9)) 1 || return; done; }
write_often
same 'tail has the last lines of it' "$(tail -n 2 <<<"$(<"$dev/log/entries")")" "$(tail -n 2 "$dev/log/entries")"
tail -f -s 0.1 -n 1 "$dev/log/entries" >"$scratch/tail" 2>&1 &
tail=$!
check 'tail -f has the last one' within 5 grep -q write "$scratch/tail"
put followed "$dev/log/mark"
check '  and follows it' within 5 grep -q ' followed$' "$scratch/tail"
same '  and knows no end' '' "$(grep tail: "$scratch/tail")"
kill "$tail"
wait "$tail" || true

# --- For fio --------------------------------------------------------------------------------------

same 'its first lines' 'fio version 3 iolog
0 d add
0 d open' "$(head -n 3 "$dev/log/iolog")"
says 'its last one' '^[0-9]+ d close$' "$(tail -n 1 "$dev/log/iolog")"
times_rise() { awk 'NR > 1 { if ($1 < before) exit 1; before = $1 }' "$dev/log/iolog"; }
check 'times rise' times_rise
same 'what was asked for' 'sync trim write' "$(awk 'NF == 5 { print $3 }' "$dev/log/iolog" | sort -u | paste -sd ' ')"
# fio trims no files.
grep -v ' trim ' "$dev/log/iolog" >"$scratch/iolog"
truncate -s 8M "$scratch/d"
replay_by_fio() { cd "$scratch" && fio --name=replay --read_iolog=iolog --ioengine=psync --output-format=json --output=fio.json; }
check 'fio replays it' replay_by_fio
same 'without an error, all of it' "0 $(grep -c ' write ' "$scratch/iolog")" \
  "$(field "$scratch/fio.json" '.jobs[0] | "\(.error) \(.write.total_ios)"')"

# --- What is asked for besides --------------------------------------------------------------------

read_one() { dd if="$dev/disk" of="$scratch/read" bs=4096 count=1 skip=5 iflag=direct status=none; }
before=$(last)
read_one
same 'reads are not logged' "$before" "$(last)"
put 1 "$dev/log_reads"
read_one
same 'unless that is wanted' 'read 40 8 - 0' "$(entries $((before + 1)))"
put 0 "$dev/log_reads"
check 'they are none for replay-log' replays
same 'but for fio' '20480 4096' "$(awk '$3 == "read" { print $4, $5 }' "$dev/log/iolog")"

before=$(last)
flush
write 4096 7 1 conv=fsync
write 4096 8 1 conv=fsync
write 8192 9 1
write 512 500 1 conv=fsync
same 'a write and a flush' 'write flush write flush' "$(entries $((before + 2)) | head -n 4 | awk '{ print $1 }' | paste -sd ' ')"
put 1 "$dev/log_fua"
same 'are one with FUA, where that is wanted' 'flush 0 0 - 0
write 56 8 F 0
write 64 8 F 0' "$(entries $((before + 1)) | head -n 3)"
same 'but not two of them' 'write - write - flush -' "$(entries $((before + 6)) | awk '{ print $1, $4 }' | paste -sd ' ')"
check 'replayed it is the disk all the same' replays
put 0 "$dev/log_fua"

# --- Whose it is ----------------------------------------------------------------------------------

modes() { (cd "$dev/log" && stat -c %n=%a:%u entries iolog writes) | paste -sd ' '; }
chmod 640 "$dev/disk"
same 'who may read the disk may read them' "entries=440:$UID iolog=440:$UID writes=440:$UID" "$(modes)"
if ((EUID == 0)); then
  chown 1234 "$dev/disk"
  same 'its owner is theirs' 'entries=440:1234 iolog=440:1234 writes=440:1234' "$(modes)"
fi
refused EPERM 'which is not their own' chmod 600 "$dev/log/entries"

# --- A worker dies --------------------------------------------------------------------------------

cp "$dev/log/entries" "$scratch/entries"
cp "$dev/log/writes" "$scratch/writes"
check 'the worker dies' kill_worker
goes_on() { cmp -n "$(stat -c %s "$scratch/entries")" "$dev/log/entries" "$scratch/entries"; }
check 'nothing is lost' goes_on
check 'nor for replay-log' cmp "$dev/log/writes" "$scratch/writes"
check 'nor are they longer or shorter' sizes_are_right
same 'the marks are there' 'one two words one followed' "$(info '[.marks[].name] | join(" ")')"
write 4096 100 3 conv=fsync
put three "$dev/log/mark"
check 'it goes on' goes_on
same 'with what comes then' 'flush mark' "$(entries 1 | tail -n 2 | awk '{ print $1 }' | paste -sd ' ')"
check 'who had it open goes on' cmp <(tail -c +$((512 + 1)) "$dev/log/writes") <(tail -c +$((512 + 1)) <&6)
check 'replayed it is the disk' replays
# Writers that do not care: each answered write has a line, whoever dies.
writes_while_workers_die() {
  local before i killer
  before=$(last)
  (
    trap - EXIT ERR
    for i in 1 2 3 4; do
      sleep 0.05
      kill_worker
    done
  ) &
  killer=$!
  for i in {1..300}; do
    write 4096 $((i % 200)) 1 || return
    ((i % 50 != 0)) || put "m$i" "$dev/log/mark" || return
  done
  wait "$killer" || return
  (($(entries $((before + 1)) | grep -c ^write) >= 300)) || return
  awk 'NR > 1 && $1 <= before { exit 1 } { before = $1 }' "$dev/log/entries" && replays &&
    [[ $(grep -cE ' m(50|100|150|200|250|300)$' "$dev/log/mark") == 6 ]]
}
check 'while workers die' writes_while_workers_die

# --- It ends and begins ---------------------------------------------------------------------------

exec 5<&- 6<&-
exec 5<"$dev/log/writes"
put "$(readlink "$dev/at/three")" "$dev/rollback"
same 'a rollback begins the writes anew' "$(last) 512" "$(info .writes_begin) $(wc -c <"$dev/log/writes")"
same 'and is in the log' 'rollback 0 0 - 0' "$(entries "$(last)")"
write 4096 50 2
check 'replayed onto that it is the disk' replays
put 1 "$dev/history"
for i in 1 2 3; do write 1048576 "$i" 3; done
check 'what is left of a short history is right' test "$(info .writes_begin)" -gt 1
check 'and replayed the disk' replays
says 'what was open is stale' 'Stale file handle' "$(dd bs=4096 count=3 <&5 2>&1 >/dev/null || true)"
exec 5<&-
check 'what is there is as long as it says' sizes_are_right
put 0 "$dev/history"
same 'without history it is gone' '*' "$(names "$dev/log")"
check 'rmdir' rmdir "$dev"
