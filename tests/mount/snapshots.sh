#!/bin/bash
# snapshots/ and history: what a disk was, as files that behave as disks.
. "$(dirname "$0")/../lib.sh"
needs root fuse jq python3 setpriv cmp
mount_rnullfs -o nr_devices=0,memory_limit=512M
mib=$((1 << 20))
stats() { field "$dev/stats.json" "$1"; }
last_error() { cat "$dev/last_error"; }
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
# rename FROM TO [FLAGS]: renameat2(2), which mv does not call as it is.
rename() {
  python3 - "$@" <<'END'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
flags = int(sys.argv[3]) if len(sys.argv) > 3 else 0
if libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), flags) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
END
}
# sum FILE: of its contents.
sum() { sha256sum <"$1"; }
fill() { dd if="$scratch/random" of="$dev/disk" bs=1M conv=notrunc status=none "$@"; }
random_file "$scratch/random" 16

# --- Made, renamed, removed -----------------------------------------------------------------------

mkdir "$mnt/early"
dev=$mnt/early
refused EINVAL 'no snapshot of a disk that has stored nothing yet' mkdir "$dev/snapshots/none"
says 'last_error says what is missing' 'set memory_backed to 1' "$(last_error)"
rmdir "$dev"

make_disk d '{"size": 64, "datapath": "daemon"}'
same 'snapshots is empty' '*' "$(names "$dev/snapshots")"
same 'a disk without has counted nothing' '0 0 0 0' \
  "$(stats '"\(.sequence) \(.sequence_oldest) \(.snapshots) \(.past_bytes)"')"
fill
cp --sparse=always "$dev/disk" "$scratch/one"
check 'mkdir' mkdir "$dev/snapshots/one"
same 'is listed' one "$(names "$dev/snapshots")"
same 'and has' 'disk info.json' "$(names "$dev/snapshots/one")"
fill seek=8
cp --sparse=always "$dev/disk" "$scratch/two"
check 'another' mkdir "$dev/snapshots/two"
same 'both are listed' 'one two' "$(names "$dev/snapshots")"
same 'find counts on the links' 4 "$(stat -c %h "$dev/snapshots")"
same 'stats.json counts them' 2 "$(stats .snapshots)"
refused EEXIST 'mkdir of a name that is there' mkdir "$dev/snapshots/one"
refused EEXIST 'rename over another' rename "$dev/snapshots/one" "$dev/snapshots/two"
refused EEXIST 'with RENAME_NOREPLACE, too' rename "$dev/snapshots/one" "$dev/snapshots/two" 1
refused EPERM 'RENAME_EXCHANGE' rename "$dev/snapshots/one" "$dev/snapshots/two" 2
refused EPERM 'out of the directory' rename "$dev/snapshots/one" "$mnt/one"
refused ENOENT 'of what is not there' rename "$dev/snapshots/three" "$dev/snapshots/four"
check 'RENAME_NOREPLACE to a new name' rename "$dev/snapshots/two" "$dev/snapshots/2" 1
check 'mv' mv "$dev/snapshots/2" "$dev/snapshots/deux"
same 'the old name is gone' 'deux one' "$(names "$dev/snapshots")"
refused ENOENT 'rmdir of the old name' rmdir "$dev/snapshots/two"
long=$(printf 'n%.0s' {1..255})
check 'a name of 255 bytes' mv "$dev/snapshots/deux" "$dev/snapshots/$long"
check 'reads the same' cmp "$dev/snapshots/$long/disk" "$scratch/two"
refused ENAMETOOLONG 'one of 256' mv "$dev/snapshots/$long" "$dev/snapshots/${long}n"
mv "$dev/snapshots/$long" "$dev/snapshots/two"
refused EINVAL 'a name with a newline' mkdir "$dev/snapshots/a"$'\n'"b"
refused EPERM 'a file' touch "$dev/snapshots/file"
refused EPERM 'a directory within' mkdir "$dev/snapshots/one/more"
refused EPERM 'unlink of its disk' rm -f "$dev/snapshots/one/disk"
same 'its disk is not written' EACCES "$(sys "$dev/snapshots/one/disk" O_RDWR pwrite 0 x)"
check 'they read as the disk was' cmp "$dev/snapshots/one/disk" "$scratch/one"
check 'each' cmp "$dev/snapshots/two/disk" "$scratch/two"

exec 3<"$dev/snapshots/one/disk"
refused EBUSY 'rmdir of one that is open' rmdir "$dev/snapshots/one"
says 'last_error says who' "the snapshot one is in use by .*\(pid $$\)" "$(last_error)"
refused EBUSY 'rmdir of its device' rmdir "$dev"
check 'mv of one that is open' mv "$dev/snapshots/one" "$dev/snapshots/eins"
says 'last_error has its name of now' "the snapshot eins is in use by .*\(pid $$\)" \
  "$(rmdir "$dev/snapshots/eins" 2>/dev/null || last_error)"
check 'what is open reads on' cmp /dev/fd/3 "$scratch/one"
exec 3<&-
mv "$dev/snapshots/eins" "$dev/snapshots/one"
closed_and_removed() { head -c 1 "$dev/snapshots/brief/disk" >/dev/null && rmdir "$dev/snapshots/brief"; }
twenty_times() {
  local i
  for ((i = 0; i < 20; ++i)); do mkdir "$dev/snapshots/brief" && closed_and_removed || return; done
}
check 'rmdir right after a close' twenty_times

# --- As files -------------------------------------------------------------------------------------

snapshot=$dev/snapshots/one/disk
same 'the size' $((64 * mib)) "$(stat -c %s "$snapshot")"
same 'the kind and the mode' 'regular file 400' "$(stat -c '%F %a' "$snapshot")"
check 'blocks' test "$(stat -c %b "$snapshot")" -ge $((16 * mib / 512))
chmod 640 "$dev/disk"
chown 12:34 "$dev/disk"
same 'owner and mode follow the disk' '12:34 440' "$(stat -c '%u:%g %a' "$snapshot")"
chown 0:0 "$dev/disk"
chmod 600 "$dev/disk"
same 'SEEK_DATA and SEEK_HOLE' "0 $((16 * mib)) ENXIO" \
  "$(sys "$snapshot" O_RDONLY data 0 hole 0 data $((16 * mib)))"
same 'pread beyond the end' '0 1' "$(sys "$snapshot" O_RDONLY pread $((64 * mib)) 1 pread $((64 * mib - 1)) 9)"
check 'cp --sparse=always' cp --sparse=always "$snapshot" "$scratch/copy"
check 'copies it' cmp "$scratch/copy" "$scratch/one"
check 'sparsely' test "$(stat -c %b "$scratch/copy")" -le $((17 * mib / 512))
check 'O_DIRECT reads' dd if="$snapshot" of="$scratch/copy" bs=64k iflag=direct status=none
check 'read the same' cmp "$scratch/copy" "$scratch/one"
cat >"$scratch/mapped.py" <<'END'
import hashlib, mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
for flags in (mmap.MAP_PRIVATE, mmap.MAP_SHARED):
    with mmap.mmap(fd, 0, flags=flags, prot=mmap.PROT_READ) as view:
        print(hashlib.sha256(view).hexdigest())
try:
    mmap.mmap(fd, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    print("writable")
except PermissionError:
    pass
END
digest=$(sum "$scratch/one" | cut -d' ' -f1)
same 'mmap, private and shared, not writable' "$digest"$'\n'"$digest" "$(python3 "$scratch/mapped.py" "$snapshot")"
same 'info.json: the size, and what it alone keeps' "$((64 * mib)) $((8 * mib))" \
  "$(field "$dev/snapshots/one/info.json" '"\(.size_bytes) \(.alone_bytes)"')"
taken=$(($(field "$dev/snapshots/one/info.json" .taken_nsec) / 1000000000))
check 'the time is now, about' test $((taken - $(date +%s))) -ge -120 -a $((taken - $(date +%s))) -le 1
check 'the numbers grow' test "$(field "$dev/snapshots/one/info.json" .sequence)" -lt \
  "$(field "$dev/snapshots/two/info.json" .sequence)"
fallocate --punch-hole --length 64M "$dev/disk"
check 'when all of the disk is discarded' cmp "$snapshot" "$scratch/one"
check 'it has blocks: cp and tar look' test "$(stat -c %b "$snapshot")" -gt 0
check 'cp' cp "$snapshot" "$scratch/copy"
check 'copies it' cmp "$scratch/copy" "$scratch/one"
same 'the disk is empty' 0 "$(tr -d '\0' <"$dev/disk" | head -c 1 | wc -c)"
says 'what it alone keeps: the contents that the later one has not' "^$((8 * mib))\$" \
  "$(field "$dev/snapshots/one/info.json" .alone_bytes)"

# --- Whatever becomes of the disk -----------------------------------------------------------------

put 0 "$dev/power"
check 'while the disk is off it is there' cmp "$snapshot" "$scratch/one"
check 'another is taken' mkdir "$dev/snapshots/off"
put 1 "$dev/power"
fill
same 'on again: the one of the empty disk is empty' 0 \
  "$(tr -d '\0' <"$dev/snapshots/off/disk" | head -c 1 | wc -c)"
put 0 "$dev/power"
put 8 "$dev/size"
put 1 "$dev/power"
check 'the disk smaller: the snapshot is as it was' cmp "$snapshot" "$scratch/one"
same 'and as large' $((64 * mib)) "$(stat -c %s "$snapshot")"
mkdir "$dev/snapshots/small"
put 0 "$dev/power"
put 128 "$dev/size"
put 1 "$dev/power"
check 'larger: it is as it was' cmp "$snapshot" "$scratch/one"
same 'one of when it was small is small' $((8 * mib)) "$(stat -c %s "$dev/snapshots/small/disk")"
check 'and begins as the disk' cmp -n $((8 * mib)) "$dev/snapshots/small/disk" "$dev/disk"
same 'what the disk has more is empty' 0 "$(tail -c +$((8 * mib + 1)) "$dev/disk" | tr -d '\0' | head -c 1 | wc -c)"
worker() { field "$mnt/status.json" .worker_pid; }
for how in 'kill -9' --upgrade; do
  exec 3<"$snapshot"
  before=$(worker)
  if [[ $how == --upgrade ]]; then "$RNULLFS" --upgrade "$mnt" >/dev/null; else kill -KILL "$before"; fi
  check "$how: another worker serves" within 5 test "$(worker)" != "$before"
  check "$how: what was open reads on" cmp /dev/fd/3 "$scratch/one"
  refused EBUSY "$how: and is open" rmdir "$dev/snapshots/one"
  exec 3<&-
  same "$how: all are there" 'off one small two' "$(names "$dev/snapshots")"
  fill seek=100
  check "$how: and as they were, with new writes" cmp "$dev/snapshots/two/disk" "$scratch/two"
done

# --- Only the owner -------------------------------------------------------------------------------

refused EACCES 'another user makes none' as_nobody mkdir "$dev/snapshots/theirs"
refused EACCES 'removes none' as_nobody rmdir "$dev/snapshots/two"
refused EACCES 'renames none' as_nobody mv "$dev/snapshots/two" "$dev/snapshots/theirs"
refused EACCES 'reads none' as_nobody cat "$snapshot"
chmod 604 "$dev/disk"
chmod 644 "$scratch/one"
check 'but where he reads the disk' as_nobody cmp "$snapshot" "$scratch/one"
chmod 600 "$dev/disk"
refused EACCES 'and no longer' as_nobody cat "$snapshot"

# --- Its end --------------------------------------------------------------------------------------

for each in off small two; do check "rmdir of $each" rmdir "$dev/snapshots/$each"; done
check 'the last one is as it was' cmp "$snapshot" "$scratch/one"
check 'its memory is not much more than its contents' test "$(stats .past_bytes)" -le $((21 * mib))
check 'rmdir of the last' rmdir "$dev/snapshots/one"
same 'nothing is kept' '0 0' "$(stats '"\(.snapshots) \(.past_bytes)"')"
check 'rmdir of a disk with snapshots' rmdir "$dev" # which has none
make_disk d '{"size": 16, "datapath": "daemon", "history": 4}'
fill
mkdir "$dev/snapshots/s"
fill
check 'and with some' rmdir "$dev"
same 'gives all back' 0 "$(field "$mnt/status.json" .memory_used)"

# --- History --------------------------------------------------------------------------------------

make_disk h '{"size": 64, "datapath": "daemon", "history": 4}'
for _ in 1 2; do fill; done
check 'history keeps what it may' test "$(stats .past_bytes)" -le $((9 * mib))
check 'and as much' test "$(stats .past_bytes)" -ge $((3 * mib))
check 'the oldest moment moves on' test "$(stats .sequence_oldest)" -gt 0
check 'behind the newest' test "$(stats .sequence_oldest)" -lt "$(stats .sequence)"
put 0 "$dev/history"
same 'without history' '0' "$(stats .past_bytes)"
rmdir "$dev"

# --- No memory ------------------------------------------------------------------------------------

mount_rnullfs -o nr_devices=0,memory_limit=24M
make_disk full '{"size": 16, "datapath": "daemon"}'
fill
mkdir "$dev/snapshots/s"
tr '\0-\377' '\1-\377\0' <"$scratch/random" >"$scratch/other"
refused ENOSPC 'no memory for what was' dd if="$scratch/other" of="$dev/disk" bs=1M conv=notrunc
check 'the snapshot is right' cmp "$dev/snapshots/s/disk" "$scratch/random"
# It is, page by page, what was written or what was before.
python3 - "$dev/disk" "$scratch/random" "$scratch/other" >"$scratch/pages" <<'END'
import sys
disk, before, after = (open(path, "rb").read() for path in sys.argv[1:])
pages = range(0, len(before), 4096)
new = [disk[at:at + 4096] == after[at:at + 4096] for at in pages]
old = [disk[at:at + 4096] == before[at:at + 4096] for at in pages]
print("right" if all(a or b for a, b in zip(new, old)) else "wrong", sum(new) * 4096 >> 20)
END
says 'the disk is right, and has what there was memory for' '^right [67]$' "$(<"$scratch/pages")"
check 'the limit holds' test "$(field "$mnt/status.json" .memory_used)" -le $((24 * mib))
rmdir "$dev/snapshots/s"
check 'without the snapshot it can be written' fill
rmdir "$dev"

# --- Who serves it --------------------------------------------------------------------------------

if ! passthrough_possible; then exit; fi
make_disk kernel '{"size": 16, "datapath": "auto"}'
served() { stats '"\(.datapath) \(.passthrough_opens)"'; }
exec 3<>"$dev/disk"
same 'the kernel serves' 1 "$(stats .passthrough_opens)"
refused EBUSY 'no snapshot then' mkdir "$dev/snapshots/s"
says 'last_error says what to do' "the kernel serves the disk \(passthrough; .*datapath is daemon.*opened by .*\(pid $$\); close it" \
  "$(last_error)"
refused EBUSY 'nor history' put 8 "$dev/history"
same 'it is as it was' 0 "$(<"$dev/history")"
exec 3>&-
written_and_taken() {
  local i
  for ((i = 0; i < 20; ++i)); do
    fill count=1 && mkdir "$dev/snapshots/s" && rmdir "$dev/snapshots/s" || return
  done
}
check 'mkdir right after a close' written_and_taken
mkdir "$dev/snapshots/s"
says 'with a snapshot the daemon serves' '^daemon the disk has snapshots' "$(stats '"\(.datapath) \(.datapath_why)"')"
exec 3<>"$dev/disk"
same 'who opens it' 'daemon 0' "$(served)"
check 'another is taken while it is open' mkdir "$dev/snapshots/t"
exec 3>&-
put 0 "$dev/power"
put passthrough "$dev/datapath"
refused EINVAL 'datapath=passthrough is refused' put 1 "$dev/power"
says 'because of the snapshots' 'the disk has snapshots' "$(last_error)"
put auto "$dev/datapath"
put 1 "$dev/power"
put 4 "$dev/history"
rmdir "$dev/snapshots/s" "$dev/snapshots/t"
says 'without them the history needs the daemon' '^daemon history' "$(stats '"\(.datapath) \(.datapath_why)"')"
put 0 "$dev/history"
same 'without both the kernel serves' 'passthrough ' "$(stats '"\(.datapath) \(.datapath_why)"')"
exec 3<>"$dev/disk"
same 'indeed' 'passthrough 1' "$(served)"
exec 3>&-
python3 -c 'import ctypes, os, sys
libc = ctypes.CDLL(None)
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
fd = os.open(sys.argv[1], os.O_RDWR)
libc.mmap(None, 4096, 3, 1, fd, 0)
os.close(fd)
print("mapped", flush=True)
sys.stdin.read()' "$dev/disk" < <(sleep 100 & echo $! >"$scratch/sleep"; wait) >"$scratch/mapper" &
mapper=$!
check 'a mapping outlives its open' within 5 grep -q mapped "$scratch/mapper"
nobody_has_it() { [[ $(stats .disk_opens) == 0 ]]; }
check 'which is closed' within 5 nobody_has_it
refused EBUSY 'no snapshot of what is mapped' mkdir "$dev/snapshots/s"
says 'last_error says so' 'while disk is mapped' "$(last_error)"
kill "$mapper" "$(<"$scratch/sleep")"
wait "$mapper" 2>/dev/null || true
check 'and then one' mkdir "$dev/snapshots/s"
rmdir "$dev/snapshots/s"
put 0 "$dev/power"
put passthrough "$dev/datapath"
put 1 "$dev/power"
refused EBUSY 'no snapshot where passthrough is promised' mkdir "$dev/snapshots/s"
says 'last_error says so' 'datapath is passthrough.*write auto or daemon' "$(last_error)"
rmdir "$dev"

# --- Many -----------------------------------------------------------------------------------------

make_disk many '{"size": 16, "datapath": "daemon"}'
fill count=4
begun=$(date +%s%N)
lap() {
  local now
  now=$(date +%s%N)
  echo "# $1: $(((now - begun) / 1000000)) ms"
  begun=$now
}
(cd "$dev/snapshots" && seq 1000 | xargs mkdir)
lap 'a thousand made'
same 'a thousand' 1000 "$(find "$dev/snapshots" -mindepth 1 -maxdepth 1 | wc -l)"
lap listed
check 'one of them' cmp -n $((4 * mib)) "$dev/snapshots/567/disk" "$scratch/random"
fill count=4
(cd "$dev/snapshots" && seq 1000 | xargs rmdir)
lap removed
same 'none' '0 0' "$(stats '"\(.snapshots) \(.past_bytes)"')"
rmdir "$dev"
