#!/bin/bash
# The command line: what devices a mount starts with, and what is said when it cannot be done.
. "$(dirname "$0")/../lib.sh"
needs fuse jq

# --- Attributes as mount options ------------------------------------------------------------------

# shows WHAT OPTIONS JQ-EXPRESSION VALUE: what a device's config.json says after mounting so.
shows() {
  mount_rnullfs -o "$2"
  same "-o $2: $1" "$4" "$(field "$mnt/rnullb0/config.json" "$3")"
  unmount "$mnt"
}

shows 'GiB' gb=8 .size 8192
shows 'a suffix' size=8G .size 8192
shows 'a time' completion_nsec=50ms .completion_nsec 50000000
shows 'a rate' mbps=1G .mbps 1024
shows 'bytes' bs=4k .blocksize 4096
shows 'MiB' size=100 .size 100
shows 'the last wins' gb=8,size=5,gb=2 .size 2048
shows 'bs' bs=512 .blocksize 512
shows 'blocksize' blocksize=1024 .blocksize 1024
shows 'a boolean' memory_backed=y .memory_backed true
shows 'a boolean alone' memory_backed .memory_backed true
shows 'numbers' irqmode=2,completion_nsec=0x10,rotational=1 \
  '"\(.irqmode) \(.completion_nsec) \(.rotational)"' '2 16 true'
shows "mount(8)'s own" nofail,allow_other,x-systemd.automount,gb=1 .size 1024

mount_rnullfs -o nr_devices=3,gb=4,bs=512,memory_backed=1 -o power=1
same 'every device is made so' "$(printf '4294967296 600\n%.0s' 1 2 3)" \
  "$(stat -c '%s %a' "$mnt"/rnullb[012]/disk)"
same 'and holds what is written' '5 hello' \
  "$(sys "$mnt/rnullb2/disk" O_RDWR pwrite 0 hello text 0 5)"
same 'status.json shows the options as given' nr_devices=3,gb=4,bs=512,memory_backed=1,power=1 \
  "$(field "$mnt/status.json" '.mount_options|join(",")')"
mkdir "$mnt/later"
same 'a device made later has the defaults' 4096 "$(cat "$mnt/later/blocksize")"
unmount "$mnt"

mount_rnullfs -o nr_devices=0
same 'nr_devices=0' 'features power status.json' "$(names "$mnt")"
unmount "$mnt"

# --- The mount's own options ----------------------------------------------------------------------

mount_rnullfs -o fsname=my-disks,noexec,nosuid
same 'fsname' my-disks "$(findmnt -no SOURCE "$mnt")"
says 'flags' 'nosuid,.*noexec' "$(findmnt -no OPTIONS "$mnt")"
unmount "$mnt"
mount_rnullfs -o 'fsname="my,ro disks"'
same 'quotes hold one together' 'my,ro disks' "$(findmnt -no SOURCE "$mnt")"
same 'which is one option' '["fsname=my,ro disks"]' "$(field "$mnt/status.json" '.mount_options|tojson')"
check 'and no other' mkdir "$mnt/d"
unmount "$mnt"
mount_rnullfs -o ro
refused EROFS 'ro' mkdir "$mnt/d"
unmount "$mnt"

# As they stand in fstab, each alone.
mkdir "$scratch/flags"
for option in nodiratime diratime atime noatime relatime norelatime strictatime nostrictatime lazytime nolazytime \
  silent loud iversion noiversion symfollow nosymfollow mand nomand user users nouser owner noowner group \
  nogroup _netdev nofail auto noauto defaults comment=a x-systemd.automount X-mount.mkdir user=me uhelper=a; do
  check "-o $option" "$RNULLFS" -o "$option,size=8" "$scratch/flags"
  unmount "$scratch/flags"
done

# --- Where ----------------------------------------------------------------------------------------

mkdir "$scratch/here"
(cd "$scratch" && "$RNULLFS" here)
check 'a relative path' test -d "$scratch/here/rnullb0"
check 'options may follow the mountpoint' unmount "$scratch/here"
(cd "$scratch/here" && "$RNULLFS" . -o nr_devices=0)
check 'the directory one stands in' test -f "$scratch/here/features"
unmount "$scratch/here"
mkdir "$scratch/with space, and comma"
"$RNULLFS" "$scratch/with space, and comma"
check 'a name with spaces and commas' unmount "$scratch/with space, and comma"

if ((EUID == 0)) && [[ -x /sbin/mount.fuse3 ]]; then
  check 'mount -t fuse, as an fstab line does' \
    mount -t fuse -o nofail,gb=8 "$RNULLFS" "$scratch/here"
  same 'its options arrive' 8192 "$(cat "$scratch/here/rnullb0/size")"
  unmount "$scratch/here"
  check 'the helper of -t fuse.rnullfs, which hands on a source' \
    mount -t fuse -o nofail,gb=8 "$RNULLFS#my,disks" "$scratch/here"
  same 'which it is called by' my,disks "$(findmnt -no SOURCE "$scratch/here")"
  same 'its options arrive' 8192 "$(cat "$scratch/here/rnullb0/size")"
  unmount "$scratch/here"
else
  skip_check 'mount -t fuse, as an fstab line does' 'not root, or no mount.fuse3'
fi

# --- What cannot be done --------------------------------------------------------------------------

# fails SENTENCE ARGUMENT...: exit status 1, the sentence on stderr, nothing mounted.
fails() {
  local sentence=$1 got=0
  shift
  "$RNULLFS" "$@" >"$scratch/stdout" 2>"$scratch/stderr" || got=$?
  same "rnullfs ${*//"$scratch"\//}: exit status" 1 "$got"
  says '  what it says' "$sentence" "$(<"$scratch/stderr")"
  same '  nothing is mounted' '' "$(mounts_here)$(<"$scratch/stdout")"
}

here=$scratch/here
fails '^rnullfs: blocksize: 513 .*power of two' -o blocksize=513 "$here"
fails '^rnullfs: bs: 0 .*power of two' -o bs=0 "$here"
fails '^rnullfs: gb: x .*whole number' -o gb=x "$here"
fails '^rnullfs: gb: 18446744073709551615 ' -o gb=18446744073709551615 "$here"
fails '^rnullfs: size: 8Q .*suffix' -o size=8Q "$here"
fails '^rnullfs: size: no value' -o size "$here"
fails '^rnullfs: irqmode: 3 .*0 \(none\)' -o irqmode=3 "$here"
fails '^rnullfs: memory_backed: 2 ' -o memory_backed=2 "$here"
fails '^rnullfs: nr_devices: 5000 .*0 to 4096' -o nr_devices=5000 "$here"
fails '^rnullfs: -o siez=8: .*no such option.*size' -o siez=8 "$here"
fails '^rnullfs: -x: .*no such flag' -x "$here"
fails '^rnullfs: no mount ?point' -f
fails '^rnullfs: more than one mount ?point' disks "$here" "$scratch"
fails '^rnullfs: size: 9000000000000 MiB' -o size=9000000000000,power "$here"
fails '^rnullfs: .*nothing-there: No such file' "$scratch/nothing-there"
fails '^rnullfs: .*nothing-there: No such file' -f "$scratch/nothing-there"
touch "$scratch/file"
fails "^rnullfs: .*$scratch/file" "$scratch/file"

# --- Help -----------------------------------------------------------------------------------------

help=$("$RNULLFS" --help)
for word in usage: blocksize= size= gb= bs= irqmode= memory_backed= nr_devices= power=; do
  says "--help names $word" "(^| )$word" "$help"
done
same '-h is the same' "$help" "$("$RNULLFS" -h)"
says '--version' '^rnullfs [0-9]+\.[0-9]+\.[0-9]+$' "$("$RNULLFS" --version)"
check 'nothing is in the way of --help' "$RNULLFS" --help -o none=such
