#!/bin/bash
# A log of writes as a disk's origin: one that another disk has written, and one of qemu's; whose
# rights count, who has it when another worker takes over, and what is none.
# shellcheck disable=SC2016 # another shell expands
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3 fio qemu-io
mount_rnullfs -o nr_devices=0
last_error() { cat "$mnt/$1/last_error"; }
# begins FILE NAME MORE: a disk that goes through it.
begins() { mkdir "$mnt/$2" && put '{"origin": "'"$1"'", '"$3"'"power": true}' "$mnt/$2/config.json"; }
# pending FILE NAME: one that will.
pending() { mkdir "$mnt/$2" && put "$1" "$mnt/$2/origin"; }

# --- The log of another disk ----------------------------------------------------------------------

datapath=daemon make_disk a '{"size": 16, "blocksize": 4096, "history": 64, "log_fua": false}'
put begin "$dev/log/mark"
fio --name=load --filename="$dev/disk" --size=16M --io_size=8M --rw=randwrite --bsrange=4k-64k --fsync=16 \
  --ioengine=psync --randseed=1 --overwrite=1 >"$scratch/fio" 2>&1
fallocate --punch-hole --offset 1M --length 3M "$dev/disk"
put 'a mark' "$dev/log/mark"
log=$scratch/writes
cp "$dev/log/writes" "$log"
check 'a disk begins as a log' begins "$log" b '"blocksize": 4096, '
same '  with enough history for all of it' 1 "$(field "$mnt/b/log/info.json" .first)"
check '  is then what the other one is' cmp "$mnt/a/disk" "$mnt/b/disk"
check '  has the same log' cmp "$log" "$mnt/b/log/writes"
same '  and its marks' "$(cd "$mnt/a/at" && readlink begin 'a mark')" "$(cd "$mnt/b/at" && readlink begin 'a mark')"
same '  and knows where it is from' "$log" "$(<"$mnt/b/origin")"
same '  with no request of anybody' '0 0' "$(field "$mnt/b/stats.json" '"\(.writes.requests) \(.flushes.requests)"')"
each_moment() {
  local number
  for number in 1 7 40 100 $(($(field "$mnt/a/log/info.json" .last) - 1)); do
    cmp "$mnt/a/at/$number/disk" "$mnt/b/at/$number/disk" || return
  done
}
check 'it was what the other one was' each_moment
same 'a power cut could have come at the same moments' "$(names "$mnt/a/crash")" "$(names "$mnt/b/crash")"
# states NAME CUT: how many there are.
states() { field "$mnt/$1/crash/$2/all/state.json" .states_log2; }
each_state() {
  local cut state
  for cut in $(names "$mnt/a/crash" | tr ' ' '\n' | grep '^[0-9]' | head -n 6); do
    [[ $(states a "$cut") == "$(states b "$cut")" ]] || return
    for state in none all 1 2 3; do
      cmp "$mnt/a/crash/$cut/$state/disk" "$mnt/b/crash/$cut/$state/disk" || return
    done
  done
}
check '  and have left the same states' each_state
check 'the search finds them' "$RNULLCTL" crash-check --disk "$mnt/b" --check true
mv "$log" "$log.gone"
check 'nothing is read from the file any more' cmp "$mnt/a/disk" "$mnt/b/disk"
same '  whose end is no trouble' '' "$(last_error b)"
mv "$log.gone" "$log"

check 'it goes on as any disk' fio --name=more --filename="$mnt/b/disk" --size=16M --io_size=2M --rw=randwrite \
  --bs=4k --ioengine=psync --verify=crc32c --verify_state_save=0
check 'back to a mark' put 'a mark' "$mnt/b/rollback"
check '  it is what it began as' cmp "$mnt/a/disk" "$mnt/b/disk"
check 'others can be its clones' begins b c ''
check '  with the same contents' cmp "$mnt/a/disk" "$mnt/c/disk"

# --- That of qemu ---------------------------------------------------------------------------------

# qemu_log BYTES: what a machine has written to a disk with sectors of that size.
qemu_log() {
  rm -f "$scratch/base" "$scratch/qemu"
  truncate -s 4M "$scratch/base"
  truncate -s 64M "$scratch/qemu"
  qemu-io -c 'write -P 0x41 0 64k' -c flush -c 'write -P 0x42 -f 4k 8k' -c 'discard 1M 1M' \
    -c "write -P 0x43 65536 $1" -c 'write -z 128k 64k' -c 'write -P 0x44 2M 3k' --image-opts \
    "driver=blklogwrites,file.driver=file,file.filename=$scratch/base,log.driver=file,log.filename=$scratch/qemu,log-sector-size=$1" \
    >"$scratch/qemu-io" 2>&1
}
for bytes in 512 4096; do
  qemu_log $bytes || qemu_log $bytes # 3 KiB is no multiple of 4096, and the last is not written
  check "qemu's log, sectors of $bytes" begins "$scratch/qemu" "q$bytes" '"size": 4, '
  check '  makes the disk that it has made' cmp "$scratch/base" "$mnt/q$bytes/disk"
  same '  of such blocks' $bytes "$(<"$mnt/q$bytes/blocksize")"
  says '  with its flushes' ' flush 0 0 ' "$(cat "$mnt/q$bytes/log/entries")"
done

# --- Who has it -----------------------------------------------------------------------------------

first=$mnt
mount_rnullfs -o "nr_devices=1,power=1,origin=$log"
check 'a mount option names it' cmp "$log" "$mnt"/*/log/writes
unmount "$mnt"
mnt=$first

worker() { field "$mnt/status.json" .worker_pid; }
replaced() { [[ $(worker) != "$1" ]]; }
check 'before it is on, a disk has it pending' pending "$log" d
before=$(worker)
kill -KILL "$before"
check '  also when a worker has died' within 5 replaced "$before"
before=$(worker)
check '  and the program is replaced' "$RNULLFS" --upgrade "$mnt"
check '  by another one' within 5 replaced "$before"
mv "$log" "$log.gone"
check '  and the file has another name' put 1 "$mnt/d/power"
mv "$log.gone" "$log"
check 'then it goes through it' cmp "$log" "$mnt/d/log/writes"
before=$(worker)
kill -KILL "$before"
check 'and it is the same disk when a worker dies' within 5 replaced "$before"
check '  which has not gone through it again' cmp "$log" "$mnt/d/log/writes"
check '  and the same contents' cmp "$mnt/a/disk" "$mnt/d/disk"

# --- What is none ---------------------------------------------------------------------------------

# refuses WHAT SENTENCE: a disk of that file; and nothing is left of it.
refuses() {
  mkdir "$mnt/x"
  refused EINVAL "$1" put "$scratch/wrong" "$mnt/x/origin"
  says '  says what is wrong' "$2" "$(last_error x)"
  same '  and changes nothing' '' "$(<"$mnt/x/origin")"
  rmdir "$mnt/x"
}
head -c 100000 "$log" >"$scratch/wrong"
refuses 'a part of a log' 'whose record [0-9]+ ends behind the end of the file|records, of which the file has'
head -c 512 "$log" >"$scratch/wrong"
refuses 'its head' 'records, of which the file has 0'
{ head -c 16 "$log"; head -c 512 /dev/zero; } >"$scratch/wrong"
refuses 'a log of nothing' 'sectors of 0 bytes'
mkdir "$mnt/x"
refused EINVAL 'the live one of a disk' put "$mnt/a/log/writes" "$mnt/x/origin"
says '  says what to do' 'or the path of a copy' "$(last_error x)"
put "$log" "$mnt/x/origin"
put 0 "$mnt/x/history"
refused EINVAL 'one without history' put 1 "$mnt/x/power"
says '  says what it takes' 'write how many MiB of it are to be kept to history' "$(last_error x)"
put 1 "$mnt/x/history"
check 'with too little of it the oldest is forgotten' put 1 "$mnt/x/power"
check '  and all is there' cmp "$mnt/a/disk" "$mnt/x/disk"
check '  but the first moments' test "$(field "$mnt/x/stats.json" .sequence_oldest)" -gt 0
if [[ $EUID == 0 ]]; then
  chmod 600 "$log"
  chmod 755 "$scratch"
  mkdir "$mnt/y"
  chmod 666 "$mnt/y/origin"
  as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
  refused EACCES 'the log of another user' as_nobody bash -c 'echo "$1" >"$2"' bash "$log" "$mnt/y/origin"
fi

for each in c b d x q512 q4096 a; do check "rmdir of $each" rmdir "$mnt/$each"; done
rmdir "$mnt"/y 2>/dev/null || true
same 'nothing is kept' 0 "$(field "$mnt/status.json" .memory_used)"
