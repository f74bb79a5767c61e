#!/bin/bash
# Disks that begin as others: a clone of a snapshot, of a disk as it is, of a clone, of a raw image
# of the machine.  They share what they have not written, also with who comes after a worker that
# shellcheck disable=SC2016,SC2317 # eval expands
# died, until they stand alone.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
mount_rnullfs -o nr_devices=0
page=4096
is() { [[ $2 == "$(<"$mnt/$1")" ]]; }
last_error() { cat "$mnt/$1/last_error"; }
stats() { field "$mnt/$1/stats.json" ".$2"; }
# write DISK PAGE COUNT: random pages, on the disk and in the image of that name.
write() {
  head -c "$(($3 * page))" /dev/urandom >"$scratch/data"
  local to
  for to in "$mnt/$1/disk" "$scratch/$1.img"; do
    dd if="$scratch/data" of="$to" bs=$page seek="$2" conv=notrunc status=none
  done
}
alike() { cmp "$mnt/$1/disk" "$scratch/$2.img"; }
on() { put 1 "$mnt/$1/power"; }
# punch DISK PAGE COUNT: a hole in both.
punch() {
  local in
  for in in "$mnt/$1/disk" "$scratch/$1.img"; do
    fallocate --punch-hole --offset $(($2 * page)) --length $(($3 * page)) "$in"
  done
}
# clone ORIGIN NAME: made, and on.
clone() { mkdir "$mnt/$2" && put 1 "$mnt/$2/discard" && put "$1" "$mnt/$2/origin" && on "$2"; }
image_of() { cp --sparse=always "$scratch/$1.img" "$scratch/$2.img"; }
die() {
  kill -KILL "$(field "$mnt/status.json" .worker_pid)"
  within 5 stat "$mnt/status.json" >/dev/null 2>&1
}

# --- A clone of a snapshot ------------------------------------------------------------------------

datapath=daemon make_disk d '{"size": 16}'
truncate -s 16M "$scratch/d.img"
write d 0 512
write d 3000 100
mkdir "$mnt/d/snapshots/clean"
image_of d clean
write d 100 50
check 'a disk begins as a snapshot' clone d@clean e
image_of clean e
same 'it is as large, and memory backed' '16 1' "$(<"$mnt/e/size") $(<"$mnt/e/memory_backed")"
check '  and has its contents' alike e clean
same '  of which it stores none' 0 "$(stats e stored_bytes)"
same '  and knows where they are from' d@clean "$(<"$mnt/e/origin")"
says 'it is served by the daemon' 'shares contents with its origin' "$(stats e datapath_why)"
write e 90 30
check 'what is written to it is its own' alike e e
check '  and not its origin'"'"'s' alike d d
check '  nor the snapshot'"'"'s' cmp "$mnt/d/snapshots/clean/disk" "$scratch/clean.img"
same '  and stored' $((30 * page)) "$(stats e stored_bytes)"
punch e 0 64
punch e 98 4
printf here | dd of="$mnt/e/disk" bs=1 seek=1025000 conv=notrunc status=none
printf here | dd of="$scratch/e.img" bs=1 seek=1025000 conv=notrunc status=none
check '  with the rest of a page that it writes in part' alike e e
write d 0 2000
check 'and stays what it is when its origin changes' alike e e

# holes IMAGE: where data begin and end.
holes() {
  python3 - "$1" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
end = os.fstat(fd).st_size
at, found = 0, []
while at < end:
    try:
        data = os.lseek(fd, at, os.SEEK_DATA)
    except OSError:
        break
    at = os.lseek(fd, data, os.SEEK_HOLE)
    found.append((data, at))
print(found)
END
}
check 'a clone of a disk as it is' clone d f
check '  has its contents' alike f d
same '  and holes' "$(holes "$mnt/d/disk")" "$(holes "$mnt/f/disk")"
check '  in a sparse copy, too' eval 'cp --sparse=always "$mnt/f/disk" "$scratch/copy" && cmp "$scratch/copy" "$scratch/d.img"'

clone d gone
check 'what a clone of a disk as it is shares with it' eval '(($(stats d snapshots) == 3))'
rmdir "$mnt/gone"
check '  is not kept when that is removed' eval '(($(stats d snapshots) == 2))'

# --- What stands in the way -----------------------------------------------------------------------

refused EBUSY 'a snapshot that a clone needs stays' rmdir "$mnt/d/snapshots/clean"
says '  and says who' 'in use by e, a clone' "$(last_error d)"
refused EBUSY 'and so does its disk' rmdir "$mnt/d"
says '  and says who' 'e, a clone' "$(last_error d)"
mv "$mnt/d/snapshots/clean" "$mnt/d/snapshots/first"
same 'a snapshot has its present name' d@first "$(<"$mnt/e/origin")"
refused EBUSY 'no other origin while it is on' put f "$mnt/e/origin"
refused EBUSY '  also in JSON' put '{"origin": "f"}' "$mnt/e/config.json"
check 'the same one is no change' put d@first "$mnt/e/origin"
mkdir "$mnt/x"
refused ENOENT 'a disk that there is not' put nosuch "$mnt/x/origin"
says '  and says so' 'no disk nosuch' "$(last_error x)"
refused ENOENT 'a snapshot that there is not' put d@nosuch "$mnt/x/origin"
refused EINVAL 'a disk that has stored nothing' put x "$mnt/x/origin"
refused EINVAL 'a clone that would store nothing' put '{"origin": "d", "memory_backed": false, "power": true}' "$mnt/x/config.json"
same '  of which nothing is left' "$(printf '0\n')" "$(<"$mnt/x/power")"
same '  and no origin' '' "$(<"$mnt/x/origin")"
datapath=daemon make_disk own '{"size": 1}'
put 0 "$mnt/own/power"
refused EINVAL 'a disk that has contents already' put d@first "$mnt/own/origin"
says '  and says so' 'contents of its own' "$(last_error own)"
if passthrough_possible; then
  datapath=auto make_disk kernel '{"size": 1}'
  exec 3<>"$mnt/kernel/disk"
  refused EBUSY 'a disk that the kernel serves' put kernel "$mnt/x/origin"
  exec 3>&-
  rmdir "$mnt/kernel"
else
  skip_check 'a disk that the kernel serves' 'there is no passthrough'
fi
rmdir "$mnt/own"

# --- Rows of them, and sizes ----------------------------------------------------------------------

check 'a clone of a clone, larger and in one piece of JSON' eval 'mkdir "$mnt/g" && put "{\"origin\": \"e\", \"size\": 20, \"discard\": true, \"power\": true}" "$mnt/g/config.json"'
image_of e g
truncate -s 20M "$scratch/g.img"
check '  has its contents, and zeros behind' alike g g
write g 4000 1000
write g 10 5
check '  and its own' alike g g
mkdir "$mnt/g/snapshots/s"
image_of g s
check 'a third one, of its snapshot' clone g@s h
image_of g h
write g 0 1000
check '  has that' alike h s
check 'all others have theirs' eval 'alike d d && alike e e && alike g g'
die
check 'and also when the worker has died' eval 'alike d d && alike e e && alike f d && alike g g && alike h s'
same '  with their origins' 'd@first d e g@s' "$(cat "$mnt"/{e,f,g,h}/origin | xargs)"
put 0 "$mnt/h/power"
put 4 "$mnt/h/size"
on h
put 0 "$mnt/h/power"
put 20 "$mnt/h/size"
on h
truncate -s 4M "$scratch/h.img"
truncate -s 20M "$scratch/h.img"
check 'what was cut off does not come back from the origin' alike h h
die
check '  also when the worker has died' alike h h

# --- To stand alone -------------------------------------------------------------------------------

check 'a clone that is on gets all that it shares' put '' "$mnt/e/origin"
same '  and has no origin' '' "$(<"$mnt/e/origin")"
check '  but all contents' alike e e
not_shared() { [[ $(stats e datapath_why) != *shares* ]]; }
check '  of its own' not_shared
check 'its origin is not held any more' rmdir "$mnt/d/snapshots/first"
die
check 'and also when the worker has died' eval 'alike e e && alike g g'
put 0 "$mnt/f/power"
check 'one that is off, too' put '' "$mnt/f/origin"
on f
# f began as d was then
check '  with all contents' eval 'cmp "$mnt/f/disk" "$scratch/copy"'
write d 0 5
check 'a disk whose clones are gone keeps nothing for them' eval '[[ $(stats d past_bytes) == 0 ]]'
put 0 "$mnt/d/power"
check '  and can be removed' rmdir "$mnt/d"

# --- How much it may keep -------------------------------------------------------------------------

put 1 "$mnt/h/store_limit"
fill() { dd if=/dev/urandom of="$mnt/h/disk" bs=64k count=64 seek="$1" conv=notrunc status=none; }
refused ENOSPC 'a disk that is full' fill 0
says '  and says why' 'store_limit' "$(last_error h)"
check '  has what it had' eval '(($(stats h memory_used) <= 1 << 20))'
put 0 "$mnt/h/store_limit"
check 'without a limit it goes on' fill 0

# --- An image of the machine ----------------------------------------------------------------------

truncate -s 3000000 "$scratch/base.img"
dd if=/dev/urandom of="$scratch/base.img" bs=1000 count=700 seek=2300 conv=notrunc status=none
dd if=/dev/urandom of="$scratch/base.img" bs=1000 count=100 conv=notrunc status=none
check 'a disk begins as a raw image' clone "$scratch/base.img" i
image_of base i
truncate -s 3M "$scratch/i.img"
same '  in whole MiB' 3 "$(<"$mnt/i/size")"
check '  with its contents, and zeros behind' alike i i
write i 730 3
check '  and what is written' alike i i
die
check 'also when the worker has died' alike i i
check '  and was never written' cmp "$scratch/base.img" <(head -c 3000000 "$scratch/base.img")
cp "$scratch/base.img" "$scratch/kept"
touch "$scratch/base.img"
refused EIO 'a base that has changed cannot be read' cat "$mnt/i/disk"
says '  and says why' 'is not what it was' "$(last_error i)"
check '  but what is written can' dd if="$mnt/i/disk" of=/dev/null bs=$page skip=730 count=3 status=none iflag=direct
refused EIO 'nor can it be copied' put '' "$mnt/i/origin"
put 0 "$mnt/i/power"
check 'it can be removed' rmdir "$mnt/i"
printf 'QFI\xfb\0\0\0\3' >"$scratch/q.qcow2"
refused EINVAL 'a qcow2 image' put "$scratch/q.qcow2" "$mnt/x/origin"
says '  and says what to do' 'qemu-img convert -O raw' "$(last_error x)"
mkfifo "$scratch/fifo"
refused EINVAL 'a fifo' put "$scratch/fifo" "$mnt/x/origin"
refused EINVAL 'a directory' put "$scratch" "$mnt/x/origin"
refused ENOENT 'a file that there is not' put "$scratch/nothing" "$mnt/x/origin"

refused EINVAL 'a disk of the mount, by its path' put "$mnt/g/disk" "$mnt/x/origin"
says '  and says what to do' 'write DISK or DISK@SNAPSHOT' "$(last_error x)"
# many: as many writers at once as are refused.
many() {
  local all=() one
  for one in {1..16}; do mkdir -p "$mnt/x$one"; done
  for one in {1..16}; do
    timeout 20 bash -c 'echo "$1/g/disk" >"$1/x$2/origin"' - "$mnt" "$one" &
    all+=($!)
  done
  refused=0
  for one in "${all[@]}"; do wait "$one" || { (($? == 1)) && refused=$((refused + 1)); }; done 2>/dev/null
  ((refused == 16))
}
check '  also for as many at once as there are threads' many 2>/dev/null
rmdir "$mnt"/x{1..16}

# --- Whose rights count ---------------------------------------------------------------------------

if ((EUID == 0)); then
  chown -R nobody "$mnt/x" 2>/dev/null || chown nobody "$mnt/x" "$mnt/x/origin"
  as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups bash -c 'echo "$1" >"$2"' - "$1" "$mnt/x/origin"; }
  chmod 600 "$scratch/kept"
  refused EACCES 'an image that the writer may not read' as_nobody "$scratch/kept"
  chmod 644 "$scratch/kept"
  check '  that he may read' as_nobody "$scratch/kept"
  check '  and give up' as_nobody ''
  refused EACCES 'a disk that he may not read' as_nobody g
  says '  and says so' 'you may not read' "$(last_error x)"
  chmod 644 "$mnt/g/disk"
  refused EACCES '  nor take a snapshot of' as_nobody g
  check '  but one that somebody took' as_nobody g@s
else
  skip_check 'whose rights count' 'it takes two users'
fi
