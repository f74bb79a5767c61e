#!/bin/bash
# Disks that the kernel serves, in huge pages: where the kernel has them for shared memory, what is
# wholly stored and nothing else.  Sets the kernel's switch and puts it back.
. "$(dirname "$0")/../lib.sh"
needs root fuse jq fio
switch=/sys/kernel/mm/transparent_hugepage/shmem_enabled
switch_was=$(sed -n 's/.*\[\(.*\)\].*/\1/p' "$switch" 2>/dev/null || true)
restore_switch() { [[ -z $switch_was ]] || echo "$switch_was" >"$switch"; }
trap 'status=$?; restore_switch; clean_up "$status"' EXIT
trap 'restore_switch; clean_up 143' TERM
trap 'restore_switch; clean_up 130' INT
[[ -n $switch_was && -w $switch ]] || cannot_run "$switch may not be written"

huge() { field "$mnt/status.json" .huge; }
# MiB in huge pages that are mapped as such.
huge_mib() { awk '/^ShmemPmdMapped:/ { sum += $2 } END { print int(sum / 1024) }' \
  "/proc/$daemon/smaps_rollup"; }
at_least() { (($("$1") >= $2)); }
stored_mib_now() { stored_mib "$dev"; }
random_file "$scratch/random" 32

# --- The kernel has none --------------------------------------------------------------------------

echo deny >"$switch"
mount_rnullfs -o nr_devices=0
passthrough_possible || cannot_run "no passthrough: $(field "$mnt/status.json" .passthrough)"
make_disk d '{}'
exec 3<>"$dev/disk"
dd if="$scratch/random" of="$dev/disk" bs=1M conv=notrunc status=none
says_never() { [[ $(huge) == 'never: the kernel has no huge pages for shared memory' ]]; }
check 'status.json says that the kernel has none' within 10 says_never
check 'the disk is as it was' cmp -n $((32 << 20)) "$dev/disk" "$scratch/random"
exec 3>&-

# --- advise ---------------------------------------------------------------------------------------

echo never >"$switch" # is about what the kernel does unasked
mount_rnullfs -o nr_devices=0
same 'the default' advise "$(huge)"
make_disk d '{}'
exec 3<>"$dev/disk"
dd if="$scratch/random" of="$dev/disk" bs=1M conv=notrunc status=none
check 'what is wholly stored gets huge pages' within 20 at_least huge_mib 32
same 'which take no more memory' 32 "$(stored_mib "$dev")"
check 'and hold the same' cmp -n $((32 << 20)) "$dev/disk" "$scratch/random"
for ((i = 16; i < 32; ++i)); do
  dd if=/dev/zero of="$dev/disk" bs=4k count=1 seek=$((i * 512)) conv=notrunc status=none
done
sleep 2 # a look or two
same 'what is stored here and there stays as it is' $((32 * 256 + 16)) \
  "$(field "$dev/stats.json" .stored_pages)"
check 'verified while pages are collapsed' fio --name=verified --filename="$dev/disk" --rw=randwrite \
  --bs=64k --size=64M --loops=2 --ioengine=psync --verify=crc32c --verify_fatal=1 \
  --verify_state_save=0 --output="$scratch/fio"
fallocate --punch-hole --offset 1M --length 4k "$dev/disk"
same 'a discard within a huge page gives its pages back' $((64 * 256 - 1)) \
  "$(field "$dev/stats.json" .stored_pages)"
exec 3>&-

# --- always, never --------------------------------------------------------------------------------

mount_rnullfs -o nr_devices=0,huge=always
make_disk d '{}'
exec 3<>"$dev/disk"
echo one >"$dev/disk"
check 'huge=always: a byte takes 2 MiB' within 20 at_least stored_mib_now 2
same 'and is there' one "$(head -n 1 "$dev/disk")"
exec 3>&-
mount_rnullfs -o nr_devices=0,huge=never
make_disk d '{}'
exec 3<>"$dev/disk"
dd if="$scratch/random" of="$dev/disk" bs=1M conv=notrunc status=none
sleep 2
same 'huge=never: none' '0 never' "$(huge_mib) $(huge)"
exec 3>&-
check 'an unknown value is refused' not "$RNULLFS" -o huge=sometimes "$scratch"
