#!/bin/bash
# crash/: every state that a power cut could have left, as a path.  What these are is for tests/crash;
# here is how they are listed, read, written to, made and refused.
. "$(dirname "$0")/../lib.sh"
needs fuse jq
crash() { field "$dev/crash/$1/state.json" "$2"; }
now() { readlink "$dev/crash/now"; }
last_error() { cat "$dev/last_error"; }
# letters FILE: the first five pages, a letter each.
letters() { head -c 20480 "$1" | tr '\0' . | fold -w 4096 | cut -c 1 | paste -sd ''; }
state() { letters "$dev/crash/$1/disk"; }
# write_to FILE LETTERS PAGE: a page each, in one request.
write_to() {
  local i
  for ((i = 0; i < ${#2}; ++i)); do head -c 4096 /dev/zero | tr '\0' "${2:i:1}"; done |
    dd of="$1" bs=$((4096 * ${#2})) iflag=fullblock seek=$((4096 * $3)) oflag=seek_bytes conv=notrunc status=none
}
write() { write_to "$dev/disk" "$@"; }
# last KIND: the number of the last line of the log of that kind.
last() { awk -v kind="$1" '$3 == kind { number = $1 } END { print number }' "$dev/log/entries"; }
kill_worker() {
  local before
  before=$(field "$mnt/status.json" .worker_pid)
  kill -KILL "$before"
  within 5 served_by_another "$before"
}
served_by_another() { [[ $(field "$mnt/status.json" .worker_pid) != "$1" ]]; }

mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
make_disk d '{"size": 1, "blocksize": 4096}'

# --- How it is listed -----------------------------------------------------------------------------

same 'without history crash/ is empty' '*' "$(names "$dev/crash")"
refused ENOENT 'and has no now' stat "$dev/crash/now"
put 8 "$dev/history"
same 'then there is now' 'now' "$(names "$dev/crash")"
write ab 0
sync "$dev/disk"
first=$(last flush)
write cd 1
written=$(last write)
put before "$dev/log/mark"
sync "$dev/disk"
cut=$(last flush)
write e 0
same 'flushes, marks and now' "$first $cut before now" "$(names "$dev/crash")"
same 'a mark is a link' "$((cut - 1))" "$(readlink "$dev/crash/before")"
same 'so is now' "$((written + 4))" "$(now)"
same 'find sees the flushes' "$cut $first" "$(find "$dev/crash" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -rn | xargs)"
same 'a cut has two states that are listed' 'all none units.json' "$(names "$dev/crash/$cut")"
same 'and links for find' 4 "$(stat -c %h "$dev/crash/$cut")"
same 'a state has' 'consulted disk state.json' "$(names "$dev/crash/$cut/all")"
check 'a number that is no flush is a cut' test -d "$dev/crash/$written/all"
for name in "0$cut" "+$cut" x "$(($(now) + 1))" 0 99999999999999999999; do
  refused ENOENT "no cut: $name" stat "$dev/crash/$name"
done
for name in "without-$first" "only-$cut" "torn-$written-0" "torn-$written-16" "torn-$written-3" "before-$(now)" 007 None -1 \
  18446744073709551616; do
  refused ENOENT "no state: $name" stat "$dev/crash/$cut/$name"
done
same 'which leaves none' 'all none units.json' "$(names "$dev/crash/$cut")"
refused EPERM 'mkdir beside the cuts' mkdir "$dev/crash/x"
refused EPERM 'rmdir of a cut' rmdir "$dev/crash/$first"
refused EPERM 'mv of a cut' mv "$dev/crash/$first" "$dev/crash/x"
refused EPERM 'a file in a state' touch "$dev/crash/$cut/all/x"

# --- What is there ----------------------------------------------------------------------------------

all_of() { for name; do state "$cut/$name"; done | xargs; }
same 'none and all' 'ab... acd..' "$(all_of none all)"
same 'before, without, only' 'ab... ab... acd..' "$(all_of "before-$written" "without-$written" "only-$written")"
same 'torn' 'ac...' "$(all_of "torn-$written-8")"
same 'at the mark all of it may be lost, too' 'ab... acd..' "$(state before/none) $(state before/all)"
same 'now it is there' 'acd.. ecd..' "$(state now/none) $(state now/all)"
same 'every seed is one of all that there are' 'ab... abd.. ac... acd..' \
  "$(for seed in {1..40}; do state "$cut/$seed"; done | sort -u | xargs)"
says 'a seed is always the same' '^([a-z.]+) \1 \1$' "$(all_of 17 17 17)"
# Identities: as many as contents, and the same for the same.
identities() { for seed in {1..40} none all; do echo "$(state "$cut/$seed") $(crash "$cut/$seed" .identity)"; done | sort -u; }
same 'each has an identity' '4 4 4' "$(identities | tee "$scratch/ids" | wc -l) $(cut -d' ' -f1 "$scratch/ids" | sort -u | wc -l) $(
  cut -d' ' -f2 "$scratch/ids" | sort -u | wc -l)"

# --- state.json ---------------------------------------------------------------------------------------

same 'the cut, the moment, the units' "$cut $cut 4096 2 2" "$(crash "$cut/none" '"\(.cut) \(.moment) \(.atomic) \(.units) \(.states_log2)"')"
same 'none has lost it' "8192 0 $written write 8 16 16" \
  "$(crash "$cut/none" '"\(.lost_bytes) \(.kept | length) \(.lost[0] | "\(.sequence) \(.op) \(.sector) \(.sectors) \(.lost_sectors)")"')"
same 'all has not' "0 0 $written" "$(crash "$cut/all" '"\(.lost_bytes) \(.lost | length) \(.kept[0].sequence)"')"
it_adds_up() {
  local seed
  for seed in {1..20}; do
    [[ $(crash "$cut/$seed" '(.kept + .lost | length) == 1 and .lost_bytes == 512 * ([.lost[].lost_sectors] | add // 0)') == true ]] ||
      { cat "$dev/crash/$cut/$seed/state.json"; return 1; }
  done
}
check 'what is kept and lost adds up' it_adds_up

# --- Written to -----------------------------------------------------------------------------------------

same 'nothing was asked' '[]' "$(<"$dev/crash/$cut/99/consulted")"
dd if="$dev/crash/$cut/99/disk" bs=4096 skip=2 count=1 iflag=direct status=none >"$scratch/page"
same 'a page was' '2' "$(field "$dev/crash/$cut/99/consulted" '.[].unit')"
same 'which has two versions, this one' '2 true' "$(field "$dev/crash/$cut/99/consulted" '.[] | "\(.versions) \(.version < 2)"')"
dd if="$dev/crash/$cut/99/disk" bs=4096 count=1 iflag=direct status=none >"$scratch/page"
same 'what is certain is not listed' '2' "$(field "$dev/crash/$cut/99/consulted" '.[].unit')"
sum=$(cksum "$dev/disk")
before=$(now)
write_to "$dev/crash/$cut/none/disk" xyz 0
same 'a state can be written to' 'xyz..' "$(state "$cut/none")"
same 'others are as they were' 'acd.. ab... acd..' "$(all_of all "before-$written") $(state now/none)"
same 'so is the disk' "$sum" "$(cksum "$dev/disk")"
same 'which has not been asked' "$before" "$(now)"
fallocate --punch-hole --offset 4096 --length 4096 "$dev/crash/$cut/none/disk"
same 'discards, too' 'x.z..' "$(state "$cut/none")"
refused ENOSPC 'it does not grow' dd if=/dev/zero of="$dev/crash/$cut/none/disk" bs=4096 seek=256 count=1 conv=notrunc status=none
same 'it has the size of the disk' $((1 << 20)) "$(stat -c %s "$dev/crash/$cut/none/disk")"
same 'its disk has the mode of the disk' "$(stat -c '%a %u %g' "$dev/disk")" "$(stat -c '%a %u %g' "$dev/crash/$cut/none/disk")"
chmod 640 "$dev/disk"
same 'and follows it' 640 "$(stat -c %a "$dev/crash/$cut/none/disk")"
refused EPERM 'which is not its own' chmod 600 "$dev/crash/$cut/none/disk"
if ((EUID == 0)); then
  chown 1:2 "$dev/disk"
  same 'the owner, too' '1 2' "$(stat -c '%u %g' "$dev/crash/$cut/none/disk")"
  chown 0:0 "$dev/disk"
fi

# --- Made -------------------------------------------------------------------------------------------------

mine=$dev/crash/$cut/mine
check 'mkdir' mkdir "$mine"
same 'it is listed' 'all mine none units.json' "$(names "$dev/crash/$cut")"
same 'it has what describes it' 'choices consulted disk only state.json without' "$(names "$mine")"
same 'nothing does, and all is there' ' acd..' "$(cat "$mine"/{without,only,choices}) $(state "$cut/mine")"
check 'without' put "[$written]" "$mine/without"
same 'it is so' "[$written] ab..." "$(<"$mine/without") $(state "$cut/mine")"
check 'only' put '[]' "$mine/only"
same 'the one before is none' ' [] ab...' "$(<"$mine/without") $(<"$mine/only") $(state "$cut/mine")"
check 'choices' put '{"1": 0, "2": 1}' "$mine/choices"
same 'unit by unit' '{"1": 0, "2": 1} abd..' "$(jq -c . "$mine/choices" | sed 's/:/: /g; s/,/, /g') $(state "$cut/mine")"
for bad in "[$first]" '[1e3]' '[-1]' '{}' 'x' '[' "[$written] x" "[\"$written\"]" "$written" ''; do
  refused EINVAL "without: $bad" put "$bad" "$mine/without"
done
says 'last_error says what it takes' 'a JSON list of requests by number' "$(last_error)"
check 'by a name' put '"none"' "$mine/choices"
same 'it is so' '"none"  ab...' "$(<"$mine/choices") $(<"$mine/only") $(state "$cut/mine")"
check 'all others the newest' put '{"others": "newest", "1": 0}' "$mine/choices"
same 'they are' '{"others": "newest","1": 0} abd..' "$(jq -c . "$mine/choices" | sed 's/:/: /g') $(state "$cut/mine")"
one_after_the_other() {
  local i
  for i in {1..50}; do
    put '"none"' "$mine/choices" && [[ $(state "$cut/mine") == ab... ]] || return
    put '"all"' "$mine/choices" && [[ $(state "$cut/mine") == acd.. ]] || return
  done
}
check 'one after the other, each read' one_after_the_other
put '{"1": 0, "2": 1}' "$mine/choices"
for bad in '"nix"' '{"others": "oldest"}' '{"1": 2}' '{"7": 0}' '{"x": 0}' '[1]' '{"1": 4294967296}'; do refused EINVAL "choices: $bad" put "$bad" "$mine/choices"; done
refused EINVAL 'what is not to be lost' put "[$first]" "$mine/only"
says 'last_error says where to look' 'state.json of the state all' "$(last_error)"
same 'it is what it was' 'abd..' "$(state "$cut/mine")"
refused EEXIST 'mkdir again' mkdir "$mine"
refused EEXIST 'mkdir of a name that is a state' mkdir "$dev/crash/$cut/only-$written"
exec 5<>"$mine/disk"
refused EBUSY 'rmdir while it is open' rmdir "$mine"
refused EBUSY 'or to choose' put '[]' "$mine/only"
refused EBUSY 'or to remove the device' rmdir "$dev"
says 'who is in the way' '(bash|crash.sh) \(pid [0-9]+\), in crash/' "$(last_error)"
exec 5<&-
check 'rmdir' rmdir "$mine"
same 'it is gone' 'all none units.json' "$(names "$dev/crash/$cut")"

# --- Units --------------------------------------------------------------------------------------------------

check 'atomic 512' put 512 "$dev/atomic"
same 'units of a sector' '512 16 16' "$(crash "$cut/all" '"\(.atomic) \(.units) \(.states_log2)"')"
check 'a request is torn at sectors' test -d "$dev/crash/$cut/torn-$written-3"
same 'and has these' 'ac.. c b' "$(state "$cut/torn-$written-3" | cut -c 1-4) $(
  for at in 5632 5633; do tail -c +$at "$dev/crash/$cut/torn-$written-3/disk" | head -c 1; done | paste -sd ' ' | sed 's/./& /')"
put 0 "$dev/atomic"
same 'and back' 4096 "$(crash "$cut/all" .atomic)"

# --- Through the page cache -----------------------------------------------------------------------------

# Pages 0 to 31 are not certain.
for page in {0..31}; do write x "$page"; done
put pages "$dev/log/mark"
pages=$(readlink "$dev/crash/pages")
consulted() { jq -c 'map(.unit) | sort' "$dev/crash/pages/$1/consulted"; }
read_page() { dd if="$dev/crash/pages/$1/disk" bs=4096 skip="$2" count=1 status=none | head -c 1; }
same 'a page is read' x "$(read_page all 17)"
same 'and no other' '[17]' "$(consulted all)"
same 'again, with another open' 'x [17]' "$(read_page all 17) $(consulted all)"
same 'all of it, in large pieces' 131072 "$(head -c 131072 "$dev/crash/pages/9/disk" | wc -c)"
same 'that is all of them' 32 "$(jq length "$dev/crash/pages/9/consulted")"
check 'as in small ones' cmp <(head -c 131072 "$dev/crash/pages/9/disk") <(dd if="$dev/crash/pages/9/disk" bs=512 count=256 status=none)
cat "$dev/crash/pages/all/disk" >"$scratch/copy"
check 'what nobody has lost is the disk' cmp "$scratch/copy" "$dev/disk"
exec 5<>"$dev/crash/pages/8/disk"
head -c 16384 /dev/zero | tr '\0' w >&5
same 'what has been written is read' wwww "$(head -c 16384 "$dev/crash/pages/8/disk" | fold -w 4096 | cut -c 1 | paste -sd '')"
check 'a hole' fallocate --punch-hole --keep-size -o 4096 -l 4096 "$dev/crash/pages/8/disk"
same 'is one' 'w.ww' "$(head -c 16384 "$dev/crash/pages/8/disk" | tr '\0' . | fold -w 4096 | cut -c 1 | paste -sd '')"
check 'truncate' truncate -s 8192 "$dev/crash/pages/8/disk"
same 'empties it, as of the disk' 'w... 1048576' "$(head -c 16384 "$dev/crash/pages/8/disk" | tr '\0' . | fold -w 4096 | cut -c 1 | paste -sd '') $(stat -c %s "$dev/crash/pages/8/disk")"
check 'cp' cp "$scratch/copy" "$dev/crash/pages/8/disk"
check 'is the same' cmp "$scratch/copy" "$dev/crash/pages/8/disk"
exec 5<&-

# --- As what another disk begins as ----------------------------------------------------------------------

mkdir "$mnt/e"
check 'a state is an origin' put "d/crash/$pages/none" "$mnt/e/origin"
same 'it is called that' "d/crash/$pages/none" "$(<"$mnt/e/origin")"
put 1 "$mnt/e/discard"
check 'the worker dies' kill_worker
check 'power' put 1 "$mnt/e/power"
check 'it has what that had' cmp "$mnt/e/disk" "$dev/crash/$pages/none/disk"
dd if=/dev/urandom of="$mnt/e/disk" bs=64k count=1 conv=notrunc status=none
check 'and its own' not cmp -s "$mnt/e/disk" "$dev/crash/$pages/none/disk"
mkdir "$mnt/f"
check 'by a mark' put d/crash/pages/17 "$mnt/f/origin"
check 'so is any moment' put "d/at/$pages" "$mnt/f/origin"
put 1 "$mnt/f/power"
check 'which it begins as' cmp "$mnt/f/disk" "$dev/at/$pages/disk"
mkdir "$mnt/g"
for no in "d/crash/$pages/nix" d/crash/ nix/crash/1/all "d/crash/$pages/none/disk"; do
  refused ENOENT "none: $no" put "$no" "$mnt/g/origin"
done
for no in d/crash d/ d/snapshots/x d/pristine d/config.json; do
  refused EINVAL "none: $no" put "$no" "$mnt/g/origin"
done
same 'none' '' "$(<"$mnt/g/origin")"
for disk in e f g; do rmdir "$mnt/$disk"; done
# --- What outlives it, and what does not --------------------------------------------------------------------

mkdir "$mine"
write_to "$mine/disk" q 0
exec 5<"$mine/disk"
check 'the worker dies' kill_worker
says 'a state that was open is stale' 'Stale file handle' "$(dd iflag=direct bs=4096 count=1 <&5 2>&1 >/dev/null || true)"
exec 5<&-
refused ENOENT 'so is one that was made' stat "$mine"
same 'new ones are there' 'ab... acd..' "$(all_of none all)"
check 'also that' mkdir "$mine"
same 'anew' 'acd..' "$(state "$cut/mine")"

exec 5<"$dev/crash/$first/none/disk"
for _ in {1..12}; do
  head -c 1M /dev/urandom >"$scratch/random"
  dd if="$scratch/random" of="$dev/disk" bs=1M conv=notrunc status=none
done
refused ENOENT 'what the history has forgotten is no cut' stat "$dev/crash/$first"
says 'and stale to who has it open' 'Stale file handle' "$(dd iflag=direct bs=4096 count=1 <&5 2>&1 >/dev/null || true)"
exec 5<&-

# Who looks while the history comes and goes finds something or nothing.
look() { while [[ ! -e $scratch/enough ]]; do cat "$dev"/crash/now/{1,2,3,4,all}/{state.json,consulted} >/dev/null 2>&1 || true; done; }
lookers=()
for _ in 1 2 3 4; do
  look &
  lookers+=($!)
done
come_and_go() {
  local i
  for i in {1..40}; do
    put 0 "$dev/history" && put 8 "$dev/history" || return
    dd if="$scratch/random" of="$dev/disk" bs=64k conv=notrunc status=none
  done
}
check 'the history comes and goes' come_and_go
touch "$scratch/enough"
wait "${lookers[@]}"
same 'two workers have died, by our hand' 2 "$(field "$mnt/status.json" .workers_replaced)"
put 0 "$dev/history"
same 'without history it is empty again' '*' "$(names "$dev/crash")"
check 'rmdir' rmdir "$dev"
