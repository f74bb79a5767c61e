# shellcheck shell=bash disable=SC2034,SC2154 # what kill_points.sh sets
# Deaths while a disk comes to show something else than it has, and is healed: what kill_points.sh
# walks beside the rest.  Each is done once without a death and then with one at each point, on a disk
# that is made anew: what comes of it has to be the same, to the bit, in all that can be seen.

# write_letters LETTER OFFSET LENGTH...: in bytes.
write_letters() {
  python3 - "$dev/disk" "$@" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY)
words = iter(sys.argv[2:])
for letter, offset, length in zip(words, map(int, words), map(int, words)):
    if (done := os.pwrite(fd, letter.encode() * length, offset)) != length:
        sys.exit(f"{done} of {length} bytes")
END
}
write_refused() { ! write_letters "$@" 2>"$scratch/why" && grep -q 'Errno 5' "$scratch/why"; }
punch_disk() { fallocate --punch-hole --offset "$1" --length "$2" "$dev/disk"; }
zero_disk() { fallocate --zero-range --keep-size --offset "$1" --length "$2" "$dev/disk"; }
read_all() { cat "$dev/disk" >"$scratch/read"; }
sync_disk() { sync "$dev/disk"; }
flush_disk() { write_letters "$@" && sync "$dev/disk"; }
silent() { put "$1" "$dev/faults/new"; }
heal() { put "heal${1:+ $1}" "$dev/damage"; }
cut_and_on() { put cut "$dev/power" && within 5 off_and_gone && put 1 "$dev/power"; }
go_back() { closed && put 0 "$dev/power" && put "$1" "$dev/rollback" && put 1 "$dev/power"; }

# The first 32 KiB in pages of a letter each, and behind them a hole.
make_damaged_disk() {
  make_disk damaged "${settings-{\"size\": 4, \"history\": 4, \"seed\": 42\}}"
  write_letters A 0 4096 B 4096 4096 C 8192 4096 D 12288 4096 E 16384 4096 F 20480 4096 G 24576 4096 H 28672 4096
  sync "$dev/disk"
}
# Sectors 0 to 15 are damaged, and stay so.
make_corrupt() { silent 'before: read 0-15 corrupt 3bytes stored times 1' && read_all; }
remove_damaged_disk() { closed && put 0 "$dev/power" && rmdir "$dev"; }

# outcome WHAT: all that can be seen of it, on one line.  What is done again is another change of the history's: not
# its number.
outcome() {
  closed
  cksum <"$dev/disk"
  cksum <"$dev/pristine/disk"
  awk '{ print $1, $2, $3 ";" }' "$dev/damage"
  # A rollback heals, too: what had come of that when it died is counted as written.
  field "$dev/stats.json" '.damage | "\(.sectors) sectors, \(.injected_sectors) injected"'
  if [[ $1 != back ]]; then field "$dev/stats.json" '.damage.healed_sectors'; fi
  for rule in "$dev"/faults/*/; do
    echo "$(basename "$rule"): $(<"$rule/seen") $(<"$rule/hits") $(cut -d ' ' -f 2- "$rule/last" | paste -sd ';')"
  done
}

# damage_each POINT... -- SETUP -- WHAT COMMAND...: SETUP is a line for the shell, done before anybody
# dies.
damage_each() {
  local points=() setup what expected
  while [[ $1 != -- ]]; do points+=("$1"); shift; done
  setup=$2
  what=$4
  shift 4
  make_damaged_disk
  eval "$setup"
  check "$what" "$@"
  expected=$(outcome "$what" | paste -sd ' ')
  remove_damaged_disk
  for point in "${points[@]}"; do
    make_damaged_disk
    eval "$setup"
    dies_at "$point" -- "$what" "$@"
    same "$point: $what: it comes to the same" "$expected" "$(outcome "$what" | paste -sd ' ')"
    remove_damaged_disk
  done
}

walk_damage() {
  datapath=daemon
  local changing=(damage-stored damage-noted damage-made)
  damage_each "${changing[@]}" received answered -- "silent 'x: write lost'" -- 'a lost write' write_letters z 512 6000
  damage_each "${changing[@]}" -- "make_corrupt; silent 'x: write lost'" -- 'a lost write to what is damaged' \
    write_letters z 4096 8192
  damage_each "${changing[@]}" -- "silent 'x: all lost'" -- 'a lost discard' punch_disk 0 8192
  damage_each "${changing[@]}" -- "silent 'x: all lost'" -- 'a lost zeroing' zero_disk 4096 8192
  damage_each "${changing[@]}" -- "silent 'x: write torn first'" -- 'a torn write' write_letters z 0 20480
  damage_each "${changing[@]}" -- "make_corrupt; silent 'x: write torn random'" -- 'a write torn anywhere' \
    write_letters z 4096 8192
  damage_each damage-noted damage-made received -- "make_corrupt; silent 'x: write torn last acknowledged 0'" -- \
    'a torn write that fails' write_refused z 0 16384
  damage_each "${changing[@]}" -- "silent 'x: write corrupt 3bits'" -- 'a corrupt write' write_letters z 4096 8192
  damage_each "${changing[@]}" -- "make_corrupt; silent 'x: write corrupt 3bits'" -- \
    'a corrupt write to what is damaged' write_letters z 4096 8192
  damage_each "${changing[@]}" -- "silent 'x: write corrupt 100bytes'" -- 'a corrupt write of part of a sector' \
    write_letters z 4100 10
  for shift in 'shift 8' 'shift 3' 'shift -3' ''; do
    damage_each "${changing[@]}" damage-misdirected -- "silent 'x: write misdirected $shift'" -- \
      "a write that is misdirected, $shift" write_letters z 4096 8192
  done
  damage_each "${changing[@]}" damage-misdirected -- "make_corrupt; silent 'x: write misdirected shift 2'" -- \
    'one to what is damaged' write_letters z 4096 8192
  damage_each damage-noted damage-made damage-moved received answered -- make_corrupt -- \
    'a write heals' write_letters z 512 4096
  damage_each damage-erased received answered -- "make_corrupt; write_letters z 512 4096" -- \
    'a flush makes that last' sync_disk
  damage_each damage-moved "${saving[@]}" -- "make_corrupt; write_letters z 512 4096" -- \
    'a cut takes that back' cut_and_on
  damage_each "${changing[@]}" -- make_corrupt -- 'a write of part of a sector' write_letters z 4100 10
  damage_each damage-stored received -- "silent 'x: read 8-23 corrupt 2bits stored times 1'" -- \
    'a read that leaves damage' read_all
  damage_each damage-erased damage-healed received answered -- make_corrupt -- 'heal' heal
  damage_each damage-erased damage-healed received answered -- make_corrupt -- 'heal a range' heal 3-9
  damage_each flush-lost received answered -- "silent 'x: flush lost'" -- 'a lost flush' flush_disk z 0 8192
  damage_each flush-lost received answered -- "silent 'x: flush lost'; write_letters y 12288 4096" -- \
    'a lost flush and a cut' eval 'flush_disk z 0 8192 && write_letters y 20480 4096 && cut_and_on'
  damage_each broken-noted damage-promised cut-begun cut-counted page-cut cut-made "${saving[@]}" -- \
    "make_corrupt; silent 'x: flush lost'; flush_disk z 4096 16384; write_letters y 12288 4096" -- \
    'a cut after a lost flush' cut_and_on
  local settings='{"size": 4, "cache_size": 2, "seed": 42}'
  damage_each damage-promised cache-written-back received answered -- "silent 'x: flush lost'" -- \
    'a lost flush of a cache, and a cut' eval 'flush_disk z 0 8192 && write_letters y 20480 4096 && cut_and_on'
  damage_each damage-moved cut-begun cut-made -- "silent 'x: flush lost'; flush_disk z 4096 8192" -- \
    'a cut after that' cut_and_on
  unset settings
  damage_each rolled-back-damaged damage-erased received answered -- \
    "mkdir \"\$dev/snapshots/clean\"; make_corrupt; silent 'x: write lost'; write_letters z 16384 8192" -- \
    back go_back clean
  damage_each power-prepared "${saving[@]}" -- "make_corrupt; switch_off; put 2 \"\$dev/size\"" -- \
    'a smaller size' put 1 "$dev/power"
}
