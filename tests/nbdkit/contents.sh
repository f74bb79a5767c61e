#!/bin/bash
# What clients write is what they read, and they are told what is stored.
. "$(dirname "$0")/lib.sh"
needs nbdkit nbdcopy nbdinfo qemu-io fio jq
mib=$((1 << 20))

# --- Copies ---------------------------------------------------------------------------------------

random_file "$scratch/in" 8
truncate -s 64M "$scratch/in" # and 56 MiB of nothing
serve size=64 memory_backed=1 discard=1 blocksize=512 rotational=1
nbdinfo --json "$uri" >"$scratch/info.json"
same 'the disk is what the keys say' '67108864 512 true true true true true' \
  "$(field "$scratch/info.json" '.exports[0] | [."export-size", .block_size_minimum, .is_rotational,
    .can_trim, .can_fua, .can_multi_conn, .can_fast_zero] | join(" ")')"
same 'it is empty' "0 $((64 * mib)) hole,zero" "$(map)"
check 'nbdcopy to it' nbdcopy "$scratch/in" "$uri"
same 'stores no more than there is' \
  "0 $((8 * mib)) data, $((8 * mib)) $((56 * mib)) hole,zero" "$(map)"
check 'nbdcopy from it' nbdcopy --connections=4 "$uri" "$scratch/out"
check 'the same bytes' cmp "$scratch/in" "$scratch/out"
check 'no hole filled' test "$(du -k "$scratch/out" | cut -f1)" -le $((9 * 1024))

# --- Requests -------------------------------------------------------------------------------------

same 'a discard' "discard $mib/$mib bytes at offset $mib" "$(io 'discard 1M 1M')"
same 'makes a hole' "0 $mib data, $mib $mib hole,zero, $((2 * mib)) $((6 * mib)) data, $((8 * mib)) \
$((56 * mib)) hole,zero" "$(map)"
io 'write -P 7 32M 64k' 'write -f -P 8 33M 512' flush >/dev/null
same 'zeros that may be a hole are one, others are stored' 'read 65536/65536 bytes at offset 33554432
read 512/512 bytes at offset 34603008
wrote 131072/131072 bytes at offset 5242880
wrote 131072/131072 bytes at offset 4194304
read 131072/131072 bytes at offset 5242880
read 131072/131072 bytes at offset 4194304' \
  "$(io 'read -P 7 32M 64k' 'read -P 8 33M 512' 'write -z -u 5M 128k' 'write -z 4M 128k' \
    'read -P 0 5M 128k' 'read -P 0 4M 128k')"
same 'as the map shows' '131072 hole,zero' \
  "$(nbdinfo --map "$uri" | awk -v at=$((5 * mib)) '$1 == at { print $2, $4 }')"
stop

# --- Many at once, and late -----------------------------------------------------------------------

serve size=64 memory_backed=1 irqmode=2 completion_nsec=200us cache_size=8
check 'fio reads what it has written, from a disk that takes its time' \
  fio --name=verify --ioengine=nbd --uri="$uri" --rw=randrw --bs=4k --size=16m --io_size=8m \
  --iodepth=16 --verify=crc32c --verify_state_save=0
stop

serve size=1T
same 'a disk of 1 TiB that keeps nothing' 'wrote 4096/4096 bytes at offset 1099511623680
read 4096/4096 bytes at offset 1099511623680' \
  "$(io "write -P 5 $((1024 * 1024 * mib - 4096)) 4k" "read -P 0 $((1024 * 1024 * mib - 4096)) 4k")"
same 'is one hole' "0 $((1024 * 1024 * mib)) hole,zero" "$(map)"
same 'and takes no discards' 'false' \
  "$(nbdinfo --json "$uri" | jq '.exports[0].can_trim')"
stop
