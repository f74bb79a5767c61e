#!/bin/bash
# A truncated disk is empty behind its new length and keeps its size: so copies that skip zeros, on
# files that have just been truncated, are the same on a disk.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
mount_rnullfs -o nr_devices=0
mib=$((1 << 20))
stored() { field "$dev/stats.json" .stored_bytes; }
all_closed() { [[ $(field "$dev/stats.json" .disk_opens) == 0 ]]; }
# Old data everywhere.
soil() { head -c $((16 * mib)) /dev/zero | tr '\0' 'O' 1<>"$dev/disk"; }
random_file "$scratch/random" 1

# An image with data here and there.
truncate -s 16M "$scratch/image"
for at in 0 3 9 15; do
  dd if="$scratch/random" of="$scratch/image" bs=64k count=1 seek=$((at * 16)) conv=notrunc status=none
done
is_the_image() { cmp "$scratch/image" "$dev/disk"; }

datapaths=(daemon)
if passthrough_possible; then datapaths+=(auto); else skip_check 'through passthrough' 'it is not possible'; fi

# --- Copies ---------------------------------------------------------------------------------------

# copies PROGRAM WHAT COMMAND...: onto a disk that has been used, where the program is installed.
copies() {
  local program=$1 what="$datapath: $2"
  shift 2
  command -v "$program" >/dev/null || { skip_check "$what" "there is no $program"; return; }
  soil
  check "$what" "$@"
  check "$what gives the image" is_the_image
}

for datapath in "${datapaths[@]}"; do
  make_disk "$datapath" '{"size": 16, "discard": false}'
  copies cp 'cp' cp "$scratch/image" "$dev/disk"
  same '  of which only the data are stored' $((256 << 10)) "$(stored)"
  copies cp 'cp --sparse=always' cp --sparse=always "$scratch/image" "$dev/disk"
  copies dd 'dd conv=sparse' dd if="$scratch/image" of="$dev/disk" bs=64k conv=sparse status=none
  copies qemu-img 'qemu-img convert -n' qemu-img convert -n -O raw "$scratch/image" "$dev/disk"
  copies qemu-img 'qemu-img convert' qemu-img convert -O raw "$scratch/image" "$dev/disk"
  copies qemu-img 'qemu-img dd' qemu-img dd -O raw bs=64k if="$scratch/image" of="$dev/disk"
  copies nbdcopy 'nbdcopy' nbdcopy "$scratch/image" "$dev/disk"
  copies rsync 'rsync --inplace -S' rsync --inplace -S "$scratch/image" "$dev/disk"
done

# --- The disk and its length ----------------------------------------------------------------------

for datapath in "${datapaths[@]}"; do
  make_disk "length-$datapath" '{"size": 16, "discard": false}'
  disk=$dev/disk
  soil
  check "$datapath: truncate" truncate -s $((5 * mib + 1000)) "$disk"
  same '  keeps the size' $((16 * mib)) "$(stat -c %s "$disk")"
  same '  frees what lies behind' $((5 * mib + 4096)) "$(stored)"
  same '  to the byte' 'OOO...' "$(sys "$disk" O_RDONLY text $((5 * mib + 997)) 6)"
  same '  ftruncate' '0 O... 0' "$(sys "$disk" O_RDWR truncate 4097 text 4096 4 truncate 4097)"
  same '  to the whole length changes nothing' '0 O...' \
    "$(sys "$disk" O_RDWR truncate $((16 * mib)) text 4096 4)"
  same '  ENOSPC beyond it' 'ENOSPC O...' \
    "$(sys "$disk" O_RDWR truncate $((16 * mib + 1)) text 4096 4)"
  same '  O_TRUNC' '0 0' "$(sys "$disk" 'O_RDWR|O_TRUNC' close) $(stored)"
  soil
  redirect() { : >"$disk"; }
  check "  a shell's redirection" redirect
  same '  empties the disk' "0 0" "$(stored) $(tr -d '\0' <"$disk" | wc -c)"
  append() { echo more >>"$disk"; }
  refused ENOSPC '  appending begins at the end' append
  within 5 all_closed
  soil
  # shellcheck disable=SC2016 # for the inner shell
  check '  switched off right after it' sh -c 'truncate -s 0 "$1/disk" && echo 0 >"$1/power"' sh "$dev"
  put 1 "$dev/power"
  same '  is empty when it is on again' 0 "$(stored)"
done

datapath=daemon
make_disk cached '{"size": 16, "cache_size": 4}'
soil
same 'what is cached goes, too' '0 OO..' "$(sys "$dev/disk" O_RDWR truncate 1002 text 1000 4)"
same '  and is not written back' '0 OO.. 0' "$(sys "$dev/disk" O_RDWR fsync text 1000 4 close)"
make_disk nothing '{"size": 16, "memory_backed": false, "discard": false}'
check 'a disk that keeps nothing' truncate -s 0 "$dev/disk"
make_disk bad '{"size": 16, "badblocks": ["100-200"]}'
check 'bad sectors do not mind' truncate -s 0 "$dev/disk"
make_disk slow '{"size": 16, "irqmode": 2, "completion_nsec": 200000000}'
check 'a disk that takes its time' truncate -s 0 "$dev/disk"

# --- A mapping ------------------------------------------------------------------------------------

mapped_is_empty() {
  python3 - "$dev/disk" <<'END'
import mmap, os, sys
disk = os.open(sys.argv[1], os.O_RDWR)
with mmap.mmap(disk, 1 << 20) as view:
    for length in (5000, 4097, 4097, 0, 0):
        view[5000:70000] = b"x" * 65000
        view.flush()
        os.ftruncate(disk, length)
        got = view[5000:70000].strip(b"\0")
        if got:
            sys.exit(f"{len(got)} bytes behind {length} are not zero")
END
}
if jq -e '.capabilities | index("direct_io_allow_mmap")' "$mnt/status.json" >/dev/null; then
  for datapath in "${datapaths[@]}"; do
    make_disk "mapped-$datapath" '{"size": 16}'
    check "$datapath: who has mapped the disk sees it, too" mapped_is_empty
  done
  for datapath in "${datapaths[@]}"; do
    for more in '{}' '{"discard": true, "cache_size": 1}'; do
      make_disk "fsx-$datapath-${#more}" "$(jq '.size = 4' <<<"$more")"
      check "$datapath, $more: random work, compared with a model" \
        python3 "$tests/fsx.py" "$dev/disk" $((RANDOM)) 1500
    done
  done
  # The same, while one worker after the other dies.
  make_disk fsx-deaths '{"size": 4}'
  python3 "$tests/fsx.py" "$dev/disk" $((RANDOM)) 1500 2>"$scratch/fsx" &
  fsx=$!
  deaths=0
  while kill -0 "$fsx" 2>/dev/null && ((deaths < 4)); do
    sleep 0.3
    kill -KILL "$(field "$mnt/status.json" .worker_pid)" && deaths=$((deaths + 1))
    sleep 2.4 # five deaths in ten seconds are the end
  done
  if wait "$fsx"; then
    pass "and while workers die ($deaths)"
  else
    fail 'and while workers die' "$(<"$scratch/fsx")"
  fi
else
  skip_check 'mappings' 'the kernel or libfuse is too old'
fi

# --- Under a loop device --------------------------------------------------------------------------

if ((EUID == 0)) && loops_work; then
  for datapath in "${datapaths[@]}"; do
    make_disk "loop-$datapath" '{"size": 16}'
    soil
    attach --direct-io=on "$dev/disk"
    check "$datapath: beside a loop device" truncate -s 1M "$dev/disk"
    same '  which keeps its size' $((16 * mib)) "$(blockdev --getsize64 "$loop")"
    losetup -c "$loop"
    same '  also when it looks' $((16 * mib)) "$(blockdev --getsize64 "$loop")"
    same '  and reads zeros' $mib \
      "$(dd if="$loop" iflag=direct bs=1M status=none | tr -d '\0' | wc -c)"
    detach "$loop"
  done
else
  skip_check 'beside a loop device' 'there are none'
fi
