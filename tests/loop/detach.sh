#!/bin/bash
# Who holds a disk is asked to let go, and as soon as that is done everything goes on.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq
mount_rnullfs -o nr_devices=0
make_disk d '{"size": 16}'
random_file "$scratch/random" 16

# --- While attached -------------------------------------------------------------------------------

attach "$dev/disk"
dd if="$scratch/random" of="$loop" bs=1M oflag=direct status=none
refused EBUSY 'power off' put 0 "$dev/power"
says 'last_error names losetup, and says what to do' \
  '^power: .*opened by losetup \(pid [0-9]+\).*losetup -d' "$(<"$dev/last_error")"
refused EBUSY 'rmdir' rmdir "$dev"
refused EBUSY 'umount' umount "$mnt"
check 'nothing is lost' cmp "$loop" "$scratch/random"
same 'the disk is still on' 1 "$(cat "$dev/power")"
detach "$loop"
check 'after losetup -d: power off' put 0 "$dev/power"
same 'last_error is empty' '' "$(<"$dev/last_error")"

# --- Right after losetup -d -----------------------------------------------------------------------

# The kernel tells of a close after losetup has returned.
power_off_at_once() {
  local try
  for try in {1..50}; do
    put 1 "$dev/power" || return
    attach --direct-io=on "$dev/disk" || return
    losetup --detach "$loop"
    put 0 "$dev/power" || {
      echo "in round $try: $(<"$dev/last_error")"
      return 1
    }
  done
}
check 'losetup -d and power off, fifty times' power_off_at_once
loops=()
put 1 "$dev/power"
attach "$dev/disk"
losetup --detach "$loop"
check 'losetup -d and rmdir' rmdir "$dev"

# --- Several disks --------------------------------------------------------------------------------

declare -A loop_of=()
fill_all() {
  local disk pids=() pid
  for disk in a b c d; do
    dd if="$scratch/$disk" of="${loop_of[$disk]}" bs=256k oflag=direct status=none &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || return; done
}
for disk in a b c d; do
  make_disk "$disk" '{"size": 16}'
  attach --direct-io=on "$dev/disk"
  loop_of[$disk]=$loop
  random_file "$scratch/$disk" 16
done
check 'four disks, written side by side' fill_all
for disk in a b c d; do
  check "disk $disk has its own bytes" cmp "${loop_of[$disk]}" "$scratch/$disk"
done
detach "${loop_of[a]}"
check 'one is switched off' put 0 "$mnt/a/power"
check 'the others go on' cmp "${loop_of[b]}" "$scratch/b"
for disk in b c d; do detach "${loop_of[$disk]}"; done

# --- A signal while attached ----------------------------------------------------------------------

attach "$mnt/b/disk"
kill -TERM "$daemon"
is_waiting() { [[ $(field "$mnt/status.json" '.unmount_waits_for|join(",")') == b ]]; }
check 'SIGTERM: status.json names the disk that is waited for' within 2 is_waiting
check 'the loop device goes on' cmp "$loop" "$scratch/b"
detach "$loop"
check 'after losetup -d the daemon ends' within 5 gone "$daemon"
same 'and nothing is mounted' '' "$(mounts_here)"

# --- Lazy unmounting ------------------------------------------------------------------------------

mount_rnullfs -o nr_devices=0
make_disk d '{"size": 16}'
attach --direct-io=on "$dev/disk"
check 'umount --lazy while attached' umount --lazy "$mnt"
same 'the directory is empty' '*' "$(names "$mnt")"
check 'the loop device goes on' dd if="$scratch/random" of="$loop" bs=1M oflag=direct status=none
check 'with all its bytes' cmp "$loop" "$scratch/random"
check 'the daemon, too' not gone "$daemon"
detach "$loop"
check 'after losetup -d it ends' within 5 gone "$daemon"
