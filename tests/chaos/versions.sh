#!/bin/bash
# Versions of the program take over from each other while a disk is in use, and keep what they do
# not know.
# usage: versions.sh later        with a build whose records have more in them, there and back
#        versions.sh from COMMIT  from an earlier version, which is built first
#        versions.sh back COMMIT  from it, and back to it in between; it knows no snapshots and no
#                                 disks that begin as others
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio python3
how=$1
program=$scratch/program
status() { field "$mnt/status.json" "$1"; }

# The guard starts what is at its own program's path.
install_program() { cp "$1" "$program.new" && mv "$program.new" "$program"; }

build_earlier() {
  local root=$tests/..
  mkdir "$scratch/earlier" && git -C "$root" archive "$1" | tar -x -C "$scratch/earlier" &&
    cp -r "$root"/subprojects/fuse-* "$scratch/earlier/subprojects/" &&
    meson setup --optimization=1 "$scratch/earlier/build" "$scratch/earlier" &&
    ninja -C "$scratch/earlier/build" rnullfs
}

case $how in
  later)
    first=$RNULLFS
    upgrades=("$RNULLFS_LATER" "$RNULLFS" "$RNULLFS_LATER" "$RNULLFS")
    ;;
  from | back)
    check "version $2 builds" build_earlier "$2"
    first=$scratch/earlier/build/rnullfs
    upgrades=("$RNULLFS" "$RNULLFS_LATER" "$RNULLFS" "$RNULLFS_LATER")
    [[ $how == from ]] || upgrades[2]=$first
    ;;
esac

install_program "$first"
mnt=$(mktemp -d "$scratch/mnt.XXX")
"$program" -f -o nr_devices=0 "$mnt" 2>"$scratch/log" &
within 10 test -e "$mnt/status.json"
daemons+=("$(status .guard_pid)")
make_disk used '{"size": 64, "datapath": "daemon"}'
make_disk shaped '{"size": 16, "irqmode": 2, "completion_nsec": 1000000}'
attach --direct-io=on "$mnt/used/disk"
chmod 640 "$mnt/shaped/disk"
dd if=/dev/zero of="$mnt/shaped/disk" bs=64k count=5 oflag=direct conv=notrunc status=none
dd if="$mnt/shaped/disk" of=/dev/null bs=64k count=3 iflag=direct status=none
# A disk with a past: the first page says what is to be in each snapshot.
make_disk kept '{"size": 16, "datapath": "daemon"}'
number=0
take_snapshot() {
  number=$((number + 1))
  printf 'this is %06d' $number 1<>"$mnt/kept/disk" && mkdir "$mnt/kept/snapshots/$number" &&
    echo 'overwritten, it is' 1<>"$mnt/kept/disk"
}
snapshots_are_right() {
  local i
  for ((i = 1; i <= number; ++i)); do
    [[ $(head -c 14 "$mnt/kept/snapshots/$i/disk") == "this is $(printf %06d $i)" ]] || return
  done
}
# Disks that begin as another, and as a file.
make_clones() {
  cp --sparse=always "$mnt/kept/disk" "$scratch/copy" && random_file "$scratch/of-file" 2 && cp "$scratch/of-file" "$scratch/base" &&
    mkdir "$mnt/copy" "$mnt/of-file" && put kept "$mnt/copy/origin" && put "$scratch/base" "$mnt/of-file/origin" &&
    put 1 "$mnt/copy/power" && put 1 "$mnt/of-file/power"
}
# One that begins as a log, which it has yet to go through.
make_pending() {
  python3 - "$scratch/of-log.writes" "$scratch/of-log" <<'PYTHON' && mkdir "$mnt/of-log" && put "$scratch/of-log.writes" "$mnt/of-log/origin"
import os, struct, sys
data = os.urandom(1 << 20)
flush, mark = 1, 8
def record(sector, sectors, flags=0, text=b""):
    return struct.pack("<QQQQ480s", sector, sectors, flags, len(text), text)
with open(sys.argv[1], "wb") as log, open(sys.argv[2], "wb") as image:
    log.write(struct.pack("<QQQI484x", 0x6a736677736872, 1, 4, 512))
    log.write(record(8, 2048) + data + record(0, 0, mark, b"middle") + record(0, 0, flush))
    log.write(record(0, 16) + data[:8192])
    image.truncate(2 << 20)
    os.pwrite(image.fileno(), data, 4096)
    os.pwrite(image.fileno(), data[:8192], 0)
PYTHON
}
pending_comes_on() {
  put 1 "$mnt/of-log/power" && cmp "$mnt/of-log/disk" "$scratch/of-log" &&
    cmp "$mnt/of-log/log/writes" "$scratch/of-log.writes" && [[ $(<"$mnt/of-log/log/mark") == *' middle' ]]
}
clones_are_right() {
  local each file
  [[ ! -e $mnt/of-log/disk ]] || cmp "$mnt/of-log/disk" "$scratch/of-log" || return
  [[ -d $mnt/copy ]] || return 0
  for each in copy of-file; do
    cmp "$mnt/$each/disk" "$scratch/$each" || return
    for file in "$mnt/$each/disk" "$scratch/$each"; do
      printf 'round %d' $round | dd of="$file" bs=1 seek=$((round * 10000)) conv=notrunc status=none || return
    done
  done
}
counts() { field "$mnt/shaped/stats.json" '"\(.reads) \(.writes) \(.faults)"'; }
counted=$(counts)
exec 3>"$mnt/shaped/config.json"

# Until $scratch/stop is there, or something is wrong.
verified_load() {
  while [[ ! -e $scratch/stop ]]; do
    fio --name=load --filename="$loop" --rw=randwrite --bs=4k --iodepth=8 --ioengine=libaio \
      --direct=1 --size=16m --verify=crc32c --verify_fatal=1 --verify_state_save=0 \
      --allrandrepeat=1 --randseed=$RANDOM || return
  done
}
(
  trap - EXIT ERR
  verified_load
) >"$scratch/fio" 2>&1 </dev/null 3>&- &
load=$!

round=0
logged=0
lives=0
for next in "${upgrades[@]}"; do
  round=$((round + 1))
  what="$round: to ${next##*/}"
  logged=$(wc -l <"$scratch/log")
  install_program "$next"
  if [[ $how == back && $next == "$first" ]]; then
    before=$(status .worker_pid)
    check "$what: refused while a disk has snapshots" not "$program" --upgrade "$mnt"
    says "$what: the log says why" "needs what this version .*does not know: \"?past" \
      "$(tail -n "+$((logged + 1))" "$scratch/log")"
    same "$what: the worker is the same" "$before" "$(status .worker_pid)"
    check "$what: the snapshots are right" snapshots_are_right
    check "$what: the snapshots go" rmdir "$mnt"/kept/snapshots/*
    number=0
    check "$what: a clone of a disk comes to stand alone" put '' "$mnt/copy/origin"
    logged=$(wc -l <"$scratch/log")
    check "$what: refused while there is a clone" not "$program" --upgrade "$mnt"
    says "$what: the log says why" 'needs what this version .*does not know: "?origin' \
      "$(tail -n "+$((logged + 1))" "$scratch/log")"
    same "$what: the worker is the same" "$before" "$(status .worker_pid)"
    check "$what: the clones are right" clones_are_right
    check "$what: this one stands alone, too" put '' "$mnt/of-file/origin"
    logged=$(wc -l <"$scratch/log")
    check "$what: refused while there is a log to go through" not "$program" --upgrade "$mnt"
    says "$what: the log says why" 'needs what this version .*does not know: .*"?log' \
      "$(tail -n "+$((logged + 1))" "$scratch/log")"
    same "$what: the worker is the same" "$before" "$(status .worker_pid)"
    check "$what: it is gone through" pending_comes_on
    check "$what: without them it takes over" put '{"origin": "", "history": 0}' "$mnt/of-log/config.json"
  fi
  # A configuration that arrives while versions change, and a record that each of them writes.
  printf '{"badblocks": [' >&3
  says "$what: takes over" '^worker [0-9]+ has taken over' "$("$program" --upgrade "$mnt" 2>&1)"
  printf '"%d-%d"]}' $round $round >&3
  same "$what: a text is completed that the one before had begun" "$round 1" \
    "$(<"$mnt/shaped/badblocks")"
  exec 3>"$mnt/shaped/config.json"
  if [[ $round == 3 && $how == later ]]; then
    for kept in 'field of shaped' 'attribute of shaped' 'field of the mount'; do
      says "the version before has kept the $kept" "a later version's $kept is there" \
        "$(tail -n "+$((logged + 1))" "$scratch/log")"
    done
  fi
  check "$what: changes are taken" put "+100-$((100 + round))" "$mnt/shaped/badblocks"
  same "$what: the configuration is there" '16 2 1000000' \
    "$(field "$mnt/shaped/config.json" '"\(.size) \(.irqmode) \(.completion_nsec)"')"
  same "$what: the mode is there" 640 "$(stat -c %a "$mnt/shaped/disk")"
  same "$what: the counts are there" "$counted" "$(counts)"
  if [[ $next == "$RNULLFS_LATER" ]]; then
    lives=$((lives + 1))
    same "$what: so are those that this version has added" $lives \
      "$(field "$mnt/shaped/stats.json" .later.lives)"
  fi
  check "$what: the snapshots are right" snapshots_are_right
  if [[ -d $mnt/kept/snapshots ]]; then check "$what: another one is taken" take_snapshot; fi
  if [[ -e $mnt/kept/origin && ! -d $mnt/copy ]]; then check "$what: clones are made" make_clones; fi
  check "$what: the clones are right" clones_are_right
  # After each version that can have such a log, the next one finds it.
  if [[ -e $mnt/of-log/origin && ! -e $mnt/of-log/disk ]]; then
    check "$what: a log that was to be gone through is" pending_comes_on
    check "$what: and the disk goes" rmdir "$mnt/of-log"
  fi
  if [[ -e $mnt/kept/origin && ! -d $mnt/of-log ]]; then check "$what: one begins as a log" make_pending; fi
  check "$what: new disks are made" mkdir "$mnt/new$round"
  sleep 1
  check "$what: I/O goes on" kill -0 "$load"
done
exec 3>&-
worker=$(status .worker_pid)
kill -KILL "$worker"
another() { [[ $(status .worker_pid) != "$worker" ]]; }
check 'the last one survives a death as well' within 10 another
check 'and so do the snapshots' snapshots_are_right
check 'and the clones' clones_are_right

touch "$scratch/stop"
check 'every block is found as it was written' wait "$load"
detach "$loop"
unmount "$mnt"
