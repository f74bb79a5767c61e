#!/bin/bash
# What can be made, removed and renamed, and the errno of what cannot: configfs' own.
. "$(dirname "$0")/../lib.sh"
needs fuse jq
mount_rnullfs -o nr_devices=0

# --- mkdir makes a device -------------------------------------------------------------------------

check 'mkdir' mkdir "$mnt/d"
same 'a new device is off' 0 "$(cat "$mnt/d/power")"
refused EEXIST 'mkdir of what is there' mkdir "$mnt/d"
refused EEXIST 'mkdir of a file of the root' mkdir "$mnt/features"
refused EPERM 'mkdir inside a device' mkdir "$mnt/d/inner"
check 'mkdir -m' mkdir -m 700 "$mnt/private"
same 'its mode' 700 "$(stat -c %a "$mnt/private")"

name_of() { printf '%0*d' "$1" 0; }
check 'a name of 255 bytes' mkdir "$mnt/$(name_of 255)"
same 'is listed' 255 "$(find "$mnt" -mindepth 1 -maxdepth 1 -name '000*' -printf '%f' | wc -c)"
check 'and works' put 1 "$mnt/$(name_of 255)/power"
refused ENAMETOOLONG 'a name of 256 bytes' mkdir "$mnt/$(name_of 256)"
for parent in '' d/; do
  refused ENAMETOOLONG "looking for one in ${parent:-the root}" stat "$mnt/$parent$(name_of 256)"
  refused ENAMETOOLONG '  making one' touch "$mnt/$parent$(name_of 256)"
done
refused ENAMETOOLONG 'removing one' rmdir "$mnt/$(name_of 256)"
for name in 'two words' '-dash' "quote'd" 'hütte' '{"json": 1}' '*'; do
  check "the name $name" mkdir "$mnt/$name"
  same "$name can be configured" 512 "$(put 512 "$mnt/$name/blocksize" && cat "$mnt/$name/blocksize")"
done
refused EINVAL 'a name with a newline' mkdir "$mnt/two
lines"
refused EINVAL 'a name with a control character' mkdir "$mnt/"$'\e[31m'
for name in $'\xc2\x9b31m' $'a\xe2\x80\xaegpj' $'a\xe2\x80\xa8b' $'\xe2\x81\xa6'; do
  refused EINVAL "a name with a control character of Unicode" mkdir "$mnt/$name"
done
says 'status.json says why' '^mkdir: .*xe2.* no control characters' \
  "$(field "$mnt/status.json" .last_error)"
same 'what was made is listed, and nothing else' 12 \
  "$(find "$mnt" -mindepth 1 -maxdepth 1 -printf . | wc -c)"

# --- What has no place in the tree ----------------------------------------------------------------

refused EPERM 'creating a file' touch "$mnt/file"
refused EPERM 'creating a file in a device' touch "$mnt/d/file"
refused EPERM 'mkfifo' mkfifo "$mnt/d/fifo"
refused EPERM 'symlink' ln -s target "$mnt/link"
refused EPERM 'symlink in a device' ln -s target "$mnt/d/link"
refused EPERM 'link' ln "$mnt/d/size" "$mnt/d/also-size"
refused EPERM 'rename of a device' mv "$mnt/d" "$mnt/e"
refused EPERM 'rename of an attribute' mv "$mnt/d/size" "$mnt/d/length"
refused EPERM 'rename over a device' mv -T "$mnt/private" "$mnt/d"
refused EPERM 'unlink of an attribute' rm "$mnt/d/size"
refused EPERM 'unlink of a file of the root' rm "$mnt/features"
refused EPERM 'rm -r of a device' rm -r "$mnt/d"
says 'its last_error says why' '^[a-z_.]*: (the file stays|a device.s directories stay)' "$(<"$mnt/d/last_error")"
refused EPERM 'mv says why' mv "$mnt/d/size" "$mnt/d/length"
says '  in last_error' '^size: nothing can be renamed' "$(<"$mnt/d/last_error")"
refused EPERM 'touch says why' touch "$mnt/d/file"
says '  in last_error' '^file: no file can be made here' "$(<"$mnt/d/last_error")"
refused EPERM 'mkdir says why' mkdir "$mnt/d/inner"
says '  in last_error' '^mkdir: devices are made in the root, snapshots in snapshots/' "$(<"$mnt/d/last_error")"
refused EPERM 'rm says why' rm "$mnt/d/size"
says '  in last_error' '^size: the file stays' "$(<"$mnt/d/last_error")"
refused ENOENT 'a file that is not there' cat "$mnt/d/no_such_attribute"
refused ENOENT 'a device that is not there' cat "$mnt/nobody/size"
same 'nothing of that changed the device' 4096 "$(cat "$mnt/d/size")"

# --- rmdir removes it -----------------------------------------------------------------------------

refused ENOTDIR 'rmdir of a file' rmdir "$mnt/features"
refused ENOTDIR 'rmdir of an attribute' rmdir "$mnt/d/size"
refused ENOENT 'rmdir of what is not there' rmdir "$mnt/nobody"

exec 3<>"$mnt/d/size"
check 'rmdir, also with an attribute open' rmdir "$mnt/d"
write_to_3() { echo 5 >&3; }
refused ENOENT 'a write to what has been removed' write_to_3
exec 3>&-
refused ENOENT 'its files are gone' cat "$mnt/d/size"
mkdir "$mnt/d"
same 'a new device of the old name starts afresh' 4096 "$(cat "$mnt/d/size")"

put 1 "$mnt/d/power"
exec 3<"$mnt/d/disk"
refused EBUSY 'rmdir while the disk is open' rmdir "$mnt/d"
says 'and why' "^rmdir: .* disk is open: opened by .*\(pid $$\)" "$(<"$mnt/d/last_error")"
exec 3<&-
check 'rmdir of a powered device whose disk was just closed' rmdir "$mnt/d"
same 'is complete' '' "$(find "$mnt" -name d)"
