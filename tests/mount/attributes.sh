#!/bin/bash
# The attribute files: what each takes, what it says to the rest, and when it cannot change.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
mount_rnullfs -o nr_devices=1
one=$mnt/rnullb0
show() { cat "$one/$1"; }

# takes NAME TEXT SHOWN
takes() {
  if put "$2" "$one/$1" 2>/dev/null; then
    same "$1 takes '$2'" "$3" "$(show "$1")"
  else
    fail "$1 takes '$2'" "$(show last_error)"
  fi
}

# rejects NAME TEXT...: EINVAL, the value stays, and last_error names attribute and value.
rejects() {
  local name=$1 before text
  before=$(show "$name")
  shift
  for text; do
    refused EINVAL "$name: '$text'" put "$text" "$one/$name"
    same "$name stays" "$before" "$(show "$name")"
  done
  says "$name: last_error says what it takes" "^$name: .*it takes " "$(show last_error)"
}

# --- Values ---------------------------------------------------------------------------------------

same 'defaults' '4096 10000 0 0 0 0 4096' \
  "$(cd "$one" && cat blocksize completion_nsec irqmode memory_backed power rotational size | xargs)"

for blocksize in 512 1024 2048 4096 0x200; do takes blocksize "$blocksize" $((blocksize)); done
takes blocksize 4K 4096
rejects blocksize 0 256 511 1000 8192 -512 512K '' '5 12' 4096x
takes size 0 0
takes size 18446744073709551615 18446744073709551615
takes size ' 0x10 ' 16
takes size 008 8
takes size +64 64
takes size 8G 8192
rejects size -1 ++1 18446744073709551616 1.5 1.5G 8GB 0x '' many
for mode in 0 1 2; do takes irqmode "$mode" "$mode"; done
rejects irqmode 3 -1 soft 4294967296
takes completion_nsec 0 0
takes completion_nsec 3600000000000 3600000000000
takes completion_nsec 10us 10000
takes completion_nsec 50ms 50000000
rejects completion_nsec -1 3600000000001 3601s 10m
takes mbps 1G:512M 1024:512
takes timeout_inject/probability 50% 50
for name in mbps timeout_inject/probability; do put 0 "$one/$name"; done
for name in rotational memory_backed; do
  for yes in 1 y Y t true on oN yes; do takes "$name" "$yes" 1; done
  for no in 0 n N f false off OF no; do takes "$name" "$no" 0; done
  rejects "$name" 2 '' ' 1' o maybe -1
done
rejects power 2 up ''

# A C program's NUL, as configfs reads it.
for pair in 'memory_backed 1' 'blocksize 512' 'badblocks +8-15'; do
  check "${pair% *} ends at a NUL" eval "printf '%s\\0' '${pair#* }' >'$one/${pair% *}'"
done
same 'and what is before it counts' '1 512 8 8' \
  "$(show memory_backed) $(show blocksize) $(show badblocks)"
put -8-15 "$one/badblocks"
put 0 "$one/memory_backed"

# --- last_error -----------------------------------------------------------------------------------

put 3 "$one/irqmode" 2>/dev/null || true
same 'last_error is a sentence' 'irqmode: 3 is not accepted; it takes 0 (none), 1 (soft) or 2 (timer)' \
  "$(show last_error)"
same 'stat knows its length' "$(show last_error | wc -c)" "$(stat -c %s "$one/last_error")"
put 1 "$one/irqmode"
same 'and it is empty after a good write' '' "$(show last_error)"
refused EINVAL 'a refusal' put 3 "$one/irqmode"
put 1 "$one/irqmode"
says 'an editor that puts the old value back leaves the reason' '^irqmode: 3' "$(show last_error)"
refused EACCES 'nobody writes it' put x "$one/last_error"

# --- One write is one value -----------------------------------------------------------------------

same 'a write without a newline' '3 512' "$(sys "$one/blocksize" O_WRONLY write 512) $(show blocksize)"
same 'O_TRUNC alone changes nothing' '0 512' \
  "$(sys "$one/blocksize" 'O_WRONLY|O_TRUNC' close) $(show blocksize)"
same 'ftruncate changes nothing' '0 0 512' \
  "$(sys "$one/blocksize" O_WRONLY truncate 0 truncate 7) $(show blocksize)"
same 'the offset does not matter' '4 1024' \
  "$(sys "$one/blocksize" O_WRONLY pwrite 1000 1024) $(show blocksize)"
same 'each write is a value of its own' 'EINVAL 4 2048' \
  "$(sys "$one/blocksize" O_WRONLY write 20 write 2048) $(show blocksize)"
same '>> is no different' 4096 "$(echo 4096 >>"$one/blocksize" && show blocksize)"
same 'reading follows a write on the same descriptor' '4096| 3 512|' \
  "$(sys "$one/blocksize" O_RDWR text 0 10 write 512 text 0 10)"
spaces=$(printf '%5000s' '')
same 'at most 4095 bytes are taken' '4095 512' \
  "$(sys "$one/blocksize" O_WRONLY write "512$spaces") $(show blocksize)"

# --- While powered --------------------------------------------------------------------------------

put '{"size": 4, "blocksize": 4096, "irqmode": 0}' "$one/config.json"
put 1 "$one/power"
same 'power shows' 1 "$(show power)"
for name in blocksize rotational memory_backed discard cache_size seed; do
  refused EBUSY "$name while powered, even the value it has" put "$(show "$name")" "$one/$name"
  says "$name: last_error says what to do" "^$name: .*write 0 to power first" "$(show last_error)"
  refused EINVAL "$name: what is no value is that first" put x "$one/$name"
done
check 'power takes the value it has' put on "$one/power"
refused EINVAL 'power: no value' put 7 "$one/power"
same 'the device is still on' 1 "$(show power)"
check 'power off' put off "$one/power"
check 'and again' put 0 "$one/power"
check 'then values change again' put 8 "$one/size"

# --- A size that cannot be had --------------------------------------------------------------------

put 18446744073709551615 "$one/size"
refused EINVAL 'power on with a size that no disk has' put 1 "$one/power"
says 'last_error names it' '^size: 18446744073709551615 MiB' "$(show last_error)"
same 'the device stays off' 0 "$(show power)"
put 0 "$one/size"
check 'a disk of size 0' put 1 "$one/power"
same 'is empty' '0 ENOSPC' "$(sys "$one/disk" O_RDWR pread 0 512 pwrite 0 x)"
