#!/bin/bash
# Owners, modes and times: they can be set, they stay, and the kernel goes by them.
. "$(dirname "$0")/../lib.sh"
needs fuse jq root setpriv
mount_rnullfs -o nr_devices=1
one=$mnt/rnullb0
stat_of() { stat -c "$1" "$2"; }
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
# shellcheck disable=SC2016 # for the inner shell
nobody_puts() { as_nobody sh -c 'echo "$1" >"$2"' sh "$1" "$2"; }

# --- chmod, chown, touch --------------------------------------------------------------------------

check 'chmod of an attribute' chmod 600 "$one/size"
same 'stays' 600 "$(stat_of %a "$one/size")"
check 'chown of an attribute' chown 12:34 "$one/size"
same 'stays' '12:34 600' "$(stat_of '%u:%g %a' "$one/size")"
check 'touch with a date' touch -d '2001-02-03 04:05:06.789 UTC' "$one/irqmode"
same 'stays, to the nanosecond' 981173106.789000000 "$(stat_of %.9Y "$one/irqmode")"
check 'touch' touch "$one/irqmode"
check 'is now' test "$(stat_of %Y "$one/irqmode")" -ge $(($(date +%s) - 60))
check 'chown of the root directory' chgrp 34 "$mnt"
same 'stays' 34 "$(stat_of %g "$mnt")"
chgrp 0 "$mnt"
check 'chmod of features' chmod 400 "$mnt/features"
same 'stays' 400 "$(stat_of %a "$mnt/features")"

put 16 "$one/size"
put 1 "$one/power"
check 'chmod of the disk' chmod 640 "$one/disk"
put 0 "$one/power"
put 1 "$one/power"
same 'outlasts its power' 640 "$(stat_of %a "$one/disk")"

touch -d @1000000000 "$one/disk"
same 'no write, no new time' 1000000000 "$(stat_of %Y "$one/disk")"
sys "$one/disk" O_RDWR pwrite 0 x >/dev/null
check 'a write makes the disk newer' test "$(stat_of %Y "$one/disk")" -gt 1000000000
touch -d @1000000000 "$one/disk"
same 'until it is set again' 1000000000 "$(stat_of %Y "$one/disk")"
touch -d @999999999 "$scratch/old"
head -c 1M /dev/urandom >>"$scratch/old"
touch -d @999999999 "$scratch/old"
make_disk times '{"size": 1}' # in passthrough, where that can be had
for how in daemon kernel; do
  [[ $how == daemon ]] || echo x 1<>"$dev/disk"
  check "cp -p onto a disk that the $how has written" cp -p "$scratch/old" "$dev/disk"
  same '  its time is kept' 999999999 "$(stat_of %Y "$dev/disk")"
done
touch -d @1234567890 "$dev/disk"
kill -KILL "$(jq .worker_pid "$mnt/status.json")"
within 5 test -e "$dev/disk"
same 'a time outlives the worker' 1234567890 "$(stat_of %Y "$dev/disk")"
put 0 "$dev/power"
put 1 "$dev/power"
same 'and its power' 1234567890 "$(stat_of %Y "$dev/disk")"
echo x 1<>"$dev/disk"
check 'until the next write' test "$(stat_of %Y "$dev/disk")" -gt 1234567890
rmdir "$dev"

# --- truncate -------------------------------------------------------------------------------------

check 'truncate of an attribute does nothing' truncate -s 0 "$one/completion_nsec"
same 'its value is there' 10000 "$(cat "$one/completion_nsec")"
check 'truncate of the disk' truncate -s 4096 "$one/disk"
same 'its size is the attribute' $((16 << 20)) "$(stat_of %s "$one/disk")"
refused ENOSPC 'a disk does not grow so' truncate -s 17M "$one/disk"
refused EACCES 'truncate of what is read-only' truncate -s 0 "$one/stats.json"

# --- Who may --------------------------------------------------------------------------------------

says 'the kernel checks permissions' default_permissions "$(findmnt -no OPTIONS "$mnt")"
same 'others may read attributes' 1 "$(as_nobody cat "$one/power")"
refused EACCES 'others may not write them' nobody_puts 0 "$one/power"
refused EACCES 'nor config.json' nobody_puts '{}' "$one/config.json"
refused EACCES 'nor open the disk' as_nobody head -c1 "$one/disk"
refused EACCES 'nor make a device' as_nobody mkdir "$mnt/theirs"
refused EACCES 'nor remove one' as_nobody rmdir "$one"
refused EPERM 'nor take one over' as_nobody chown 65534 "$one/disk"
refused EACCES 'what chmod closed is closed' as_nobody cat "$mnt/features"

chown 65534 "$one/disk"
check 'the disk can be given away' as_nobody head -c1 "$one/disk"
chmod 1777 "$mnt"
check 'so can the right to make devices' as_nobody mkdir "$mnt/theirs"
same 'a device belongs to who made it' 65534:65534:65534:65534 \
  "$(stat -c %u:%g "$mnt/theirs" "$mnt/theirs/size" | paste -sd:)"
check 'who configures it' nobody_puts '{"size": 1, "power": true}' "$mnt/theirs/config.json"
check 'and opens its disk' as_nobody head -c1 "$mnt/theirs/disk"
refused EPERM 'but removes no other in a sticky root' as_nobody rmdir "$one"
check 'and removes it' as_nobody rmdir "$mnt/theirs"
