#!/bin/bash
# Silent faults under loop devices and file systems: exactly the sectors that a rule says show something else
# than the host believes, damage lists exactly these, and who checks finds exactly these.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio python3 mkfs.ext4 e2fsck debugfs mkfs.xfs mkfs.btrfs btrfs

mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
datapath=daemon
for type in ext4 xfs btrfs; do
  grep -qw "$type" /proc/filesystems || modprobe -q "$type" || cannot_run "the kernel has no $type"
done
python=$(python3 -c 'import sys; print(sys.executable)') # itself: what finds it can take long
errno_text[EBADMSG]='Bad message'
errno_text[EUCLEAN]='Structure needs cleaning'
fs=$scratch/fs
mkdir "$fs"
count() { cat "$dev/faults/$1/$2"; }
rule() { put "$1" "$dev/faults/new"; }
# The sectors that damage names, and those in which the disk is not what the host believes it to be.
listed() { awk -F'[- ]' '{ for (s = $1; s <= $2; ++s) print s }' "$dev/damage"; }
differing() {
  "$python" -IS -c 'import os, sys
disks = [os.open(name, os.O_RDONLY) for name in sys.argv[1:]]
size, at = os.fstat(disks[0]).st_size, 0
def data(disk):
    try: return os.lseek(disk, at, os.SEEK_DATA)
    except OSError: return size
while (at := min(map(data, disks)) & -512) < size:
    a, b = (os.pread(disk, 1 << 20, at) for disk in disks)
    if a != b:
        for i in range(0, len(a), 512):
            if a[i : i + 512] != b[i : i + 512]: print((at + i) // 512)
    at += len(a)' "$dev/disk" "$dev/pristine/disk"
}
# damage_is WHAT LINE,...: what damage says but for the sequence numbers; and it is true.
damage_is() {
  same "$1" "$2" "$(cut -d' ' -f1-3 "$dev/damage" | paste -sd,)"
  damage_is_true "$1"
}
damage_is_true() {
  same "$1: these sectors, and no others, are not as the host believes" "$(listed | xargs)" "$(differing | xargs)"
  same "$1: and are counted" "$(listed | wc -l)" "$(field "$dev/stats.json" .damage.sectors)"
}
kill_worker() {
  local before
  before=$(field "$mnt/status.json" .workers_replaced)
  kill -KILL "$(field "$mnt/status.json" .worker_pid)"
  within 5 replaced $((before + 1))
}
replaced() { [[ $(field "$mnt/status.json" .workers_replaced) == "$1" ]]; }
off() { [[ ! -e $dev/disk ]]; }

# --- Each action ------------------------------------------------------------------------------------------

# 64 sectors a request; the host's are numbers of these.
random_file "$scratch/old" 1
random_file "$scratch/new" 1
write() { dd if="$scratch/new" of="$loop" bs=32k skip="$1" seek="$1" count="${2:-1}" oflag=direct status=none; }
write_old() { dd if="$scratch/old" of="$loop" bs=32k skip="$1" seek="$1" count="${2:-1}" oflag=direct status=none; }
read_at() { dd if="$loop" bs=32k skip="$1" count=1 iflag=direct status=none; }
# has old|new|zero FIRST LAST [AT]: sectors first to last are those of the file, or of its place AT.
has() {
  local file=$scratch/$1
  [[ $1 != zero ]] || file=/dev/zero
  cmp -n $((($3 - $2 + 1) * 512)) -i $(($2 * 512)):$((${4:-$2} * 512)) "$dev/disk" "$file"
}
# All that is damaged does.
shows_old() {
  local range rest
  while read -r range rest; do has old "${range%-*}" "${range#*-}" || return; done <"$dev/damage"
}
# How many bits and bytes differ, in each sector that does.
flipped() {
  "$python" -IS -c 'import sys
a, b = (open(name, "rb").read() for name in sys.argv[1:])
for at in range(0, len(a), 512):
    bits = [(x ^ y).bit_count() for x, y in zip(a[at : at + 512], b[at : at + 512]) if x != y]
    if bits: print(at // 512, sum(bits), len(bits))' "$@"
}

make_disk d '{"size": 2, "blocksize": 4096, "seed": 7, "history": 64}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
write_old 0 32

rule 'r: write 70 lost'
write 0 4
damage_is 'a write of 64 sectors is lost, of four' '64-127 lost r'
check 'the disk has what was there' has old 64 127
same 'the rule has seen all that touch its sectors' '1 1' "$(count r seen) $(count r hits)"
says 'and says which' '^[0-9]+ write 64 64 lost$' "$(count r last)"
write 1
same 'written again, lost again' '2 64 0' "$(count r hits) $(field "$dev/stats.json" '.damage | "\(.injected_sectors) \(.healed_sectors)"')"
rmdir "$dev/faults/r"
damage_is 'the rule goes, the damage stays' '64-127 lost r'
dd if="$scratch/new" of="$loop" bs=4k skip=9 seek=9 count=1 oflag=direct status=none
damage_is 'to write a block heals it' '64-71 lost r,80-127 lost r'
put 'heal 64-67 120-127' "$dev/damage"
damage_is 'heal takes ranges' '68-71 lost r,80-119 lost r'
put heal "$dev/damage"
damage_is 'or all' ''
check 'then the disk has what the host believes' has new 0 255
same 'of what was damaged 8 sectors were healed by a write' '64 8' \
  "$(field "$dev/stats.json" '.damage | "\(.injected_sectors) \(.healed_sectors)"')"

rule 'r: discard zero lost'
blkdiscard -o 32768 -l 32768 "$loop"
blkdiscard -z -o $((3 * 32768)) -l 32768 "$loop"
damage_is 'a discard and zeroing are lost' '64-127 lost r,192-255 lost r'
same 'one each' 'discard 64 64 lost,zero 192 64 lost' "$(cut -d' ' -f2- "$dev/faults/r/last" | paste -sd,)"
check 'they show what they had' has new 64 127
rmdir "$dev/faults/r"
blkdiscard -o 32768 -l 32768 "$loop"
damage_is 'a discard heals' '192-255 lost r'
check 'and frees' has zero 64 127
put heal "$dev/damage"

write_old 0 32
for part in first last random; do
  rule "r: write torn $part times 1"
  write 4
  arrived=$(awk '{ print $6 }' "$dev/faults/r/last")
  check "torn, $part: $arrived sectors arrive of 64" test "$arrived" -gt 0 -a "$arrived" -lt 64
  same "torn, $part: the others do not" $((64 - arrived)) "$(listed | wc -l)"
  case $part in
    first) damage_is "torn, $part" "$((256 + arrived))-319 torn r" ;;
    last) damage_is "torn, $part" "256-$((319 - arrived)) torn r" ;;
    random) damage_is_true "torn, $part" ;;
  esac
  check "torn, $part: where there is what was there" shows_old
  write_old 4
  damage_is "torn, $part: healed" ''
done
rule 'r: write torn first acknowledged 0'
refused EIO 'a torn write that is not acknowledged' write 4
arrived=$(awk '{ print $6 }' "$dev/faults/r/last")
check 'has arrived in part' has new 256 $((255 + arrived))
check 'and in part not' has old $((256 + arrived)) 319
damage_is 'which is no secret' ''
rmdir "$dev/faults/r"

write_old 0 32
rule 'r: write 66-70,100 corrupt 3bits'
write 1
damage_is 'a write is corrupt, where its rule is' '66-70 corrupt r,100-100 corrupt r'
same 'by 3 bits in each sector' '3' "$(flipped "$dev/disk" "$dev/pristine/disk" | awk '{ print $2 }' | sort -u)"
rule 'r: read 640-642 corrupt 2bytes'
read_at 10 >"$scratch/one"
read_at 10 >"$scratch/two"
check 'a read is corrupt' not cmp -s "$scratch/one" <(dd if="$scratch/old" bs=32k skip=10 count=1 status=none)
check 'when it is tried again, just so' cmp "$scratch/one" "$scratch/two"
dd if="$scratch/old" of="$scratch/right" bs=32k skip=10 count=1 status=none
same 'by 2 bytes in each of the three sectors' '0 2,1 2,2 2' "$(flipped "$scratch/one" "$scratch/right" | cut -d' ' -f1,3 | paste -sd,)"
same 'both times' '2 2' "$(count r seen) $(count r hits)"
rmdir "$dev/faults/r"
damage_is 'in flight' '66-70 corrupt r,100-100 corrupt r'
check 'without the rule it is right' cmp <(read_at 10) "$scratch/right"
rule 's: read 640-642 corrupt 2bytes stored'
read_at 10 >"$scratch/two"
rmdir "$dev/faults/s"
damage_is 'or on the disk' '66-70 corrupt r,100-100 corrupt r,640-642 corrupt s'
check 'that is what was read' cmp "$scratch/two" <(read_at 10)
put heal "$dev/damage"

write_old 0 32
rule 'r: write 64-127 misdirected shift 640'
write 1
damage_is 'a misdirected write: where it should be, and where it is' '64-127 misdirected r,704-767 misdirected r'
check 'it has gone there' has new 704 767 64
check 'and not here' has old 64 127
says 'as the rule says' '^[0-9]+ write 64 64 misdirected 704$' "$(count r last)"
rmdir "$dev/faults/r"
write_old 1
damage_is 'what is written there heals that alone' '704-767 misdirected r'
write_old 11
damage_is 'and that' ''
rule 'r: write 64-127 misdirected times 1'
write 1
where=$(awk '{ print $6 }' "$dev/faults/r/last")
check "without a number by the seed: to $where, which is a page" test $((where % 8)) == 0 -a "$where" != 64
damage_is_true 'it has gone there'
same 'all of it, and twice' 128 "$(listed | wc -l)"
put heal "$dev/damage"
rule 'r: read 128-191 misdirected shift 64'
check 'a misdirected read' cmp <(read_at 2) <(dd if="$scratch/old" bs=32k skip=3 count=1 status=none)
rmdir "$dev/faults/r"
damage_is 'changes nothing' ''
rule 'r: read 128-191 misdirected shift 64 stored'
read_at 2 >/dev/null
rmdir "$dev/faults/r"
damage_is 'but for a stored one' '128-191 misdirected r'
check 'whose sectors show the others' has old 128 191 192
put heal "$dev/damage"

write 5
rule 'r: read 320-383 stale'
check 'a stale read' cmp <(read_at 5) <(dd if="$scratch/old" bs=32k skip=5 count=1 status=none)
rmdir "$dev/faults/r"
damage_is 'changes nothing' ''
rule 'r: read 320-383 stale stored'
read_at 5 >/dev/null
damage_is 'but for a stored one' '320-383 stale r'
check 'which shows what was there' has old 320 383
rmdir "$dev/faults/r"
write 5
damage_is 'written, it is new' ''

# Who dies takes nothing along.
rule 'r: write corrupt 1bit'
write 0 4
before=$(cat "$dev"/{damage,faults/rules} "$dev"/faults/r/{seen,hits,last})
check 'the worker dies' kill_worker
same 'the next one has the damage, the rule, and what it has counted' "$before" "$(cat "$dev"/{damage,faults/rules} "$dev"/faults/r/{seen,hits,last})"
damage_is 'all of it' "$(cut -d' ' -f1-3 "$dev/damage" | paste -sd,)"
same 'all 256 sectors' 256 "$(listed | wc -l)"
write 4
same 'and the rule goes on' 5 "$(count r hits)"
rmdir "$dev/faults/r"
write 0 5
damage_is 'and it can be healed' ''
detach "$loop"

# --- fio ----------------------------------------------------------------------------------------------------

# verify NAME RULE: fills an empty disk by the rule and reads it again.  How many blocks fio finds to be wrong,
# and for how many requests the rule fired, in $found.
verify() {
  blkdiscard "$loop"
  rule "$1: $2"
  fio --name=x --filename="$loop" --rw=write --bs=4k --size=4M --direct=1 --ioengine=libaio --iodepth=16 \
    --verify=crc32c --verify_state_save=0 --continue_on_error=verify --output-format=json >"$scratch/fio" 2>&1 || true
  found="$(sed -n '/^{/,$p' "$scratch/fio" | jq '.jobs[0].total_err') $(count "$1" hits)"
  put 0 "$dev/faults/$1/enabled"
}
blocks() { listed | awk '{ print int($1 / 8) }' | uniq | wc -l; }
make_disk f '{"size": 4, "blocksize": 4096, "seed": 3}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
verify flight 'read corrupt 2bytes 800-807 4000-4031'
same 'fio finds each block that is read corrupt' '5 5' "$found"
damage_is 'fio and corrupt reads' ''
verify corrupt 'write corrupt 1bit probability 3'
says 'fio finds each block that was written corrupt' '^([1-9][0-9]*) \1$' "$found"
same 'which damage lists' "${found#* }" "$(blocks)"
damage_is_true 'fio and corrupt writes'
verify torn 'write torn random 1600-1639'
same 'fio finds each block that was torn' '5 5' "$found"
same 'which damage lists' 5 "$(blocks)"
damage_is_true 'fio and torn writes'
verify lost 'write lost 2400-2447'
same 'fio finds each block that was lost' '6 6' "$found"
same 'which damage lists' "$(seq 2400 2447 | xargs)" "$(listed | xargs)"
damage_is_true 'fio and lost writes'
verify astray 'write misdirected 8000-8007 shift -4000'
same 'fio finds a misdirected write in two places' '2 1' "$found"
damage_is 'fio and a misdirected write' '4000-4007 misdirected astray,8000-8007 misdirected astray'
detach "$loop"

# --- A flush that lies ----------------------------------------------------------------------------------------

# What fsync has promised, and what a cut leaves of it.
make_disk liar '{"size": 4, "blocksize": 4096, "history": 16}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
synced() { dd if="$scratch/$1" of="$loop" bs=4k skip="$2" seek="$2" count="$3" conv=fsync oflag=direct status=none; }
power_cut() {
  put cut "$dev/power"
  detach "$loop" && within 5 off || return
  put 1 "$dev/power"
  attach --direct-io=on --sector-size 4096 "$dev/disk"
}
synced old 0 256
rule 'liar: flush lost'
synced new 0 16
rmdir "$dev/faults/liar"
synced new 32 16
rule 'liar: flush lost'
synced new 64 16
write_old 12
same 'one flush has lied' 1 "$(count liar hits)"
damage_is 'nobody sees it while there is power' ''
check 'the worker dies' kill_worker
check 'cut' power_cut
damage_is 'what was promised is not there, and what nobody had promised is nothing to complain about' '512-639 lost liar'
check 'a flush covers what one before had lost' has new 0 127
check 'and its own' has new 256 383
check 'and the last one has lost what was before it' has old 512 639
check 'the host believes that it has it' cmp -n $((128 * 512)) -i $((512 * 512)) "$dev/pristine/disk" "$scratch/new"
synced new 64 8
damage_is 'written again, it is there' '576-639 lost liar'
check 'cut, as that flush has lied as well' power_cut
damage_is 'so that what was written again is lost again' '512-639 lost liar'
check 'and is what it was before' has old 512 639
rmdir "$dev/faults/liar"
synced new 64 16
check 'cut without one' power_cut
damage_is 'nothing is lost' ''
check 'all is there' has new 512 639
detach "$loop"

# --- ext4, xfs ------------------------------------------------------------------------------------------------

# A directory's block that is read wrong.  Data have no checksums there: what a file holds is handed out as it
# is.
make_disk ext4 '{"size": 16, "blocksize": 4096, "seed": 5}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
mkfs.ext4 -q -b 4096 -O metadata_csum -E lazy_itable_init=0,lazy_journal_init=0 "$loop"
mount "$loop" "$fs"
mkdir "$fs/directory"
touch "$fs/directory/file"
cp "$scratch/old" "$fs/data"
umount "$fs"
sectors_of() { debugfs -R "blocks $1" "$loop" 2>/dev/null | awk '{ print $1 * 8 "-" $1 * 8 + 7 }'; }
directory=$(sectors_of /directory)
data=$(sectors_of /data)
mount -o errors=remount-ro "$loop" "$fs"
rule "data: read $data corrupt 1bit"
same 'ext4 hands out what is wrong' '8 of 2048' "$(flipped "$scratch/old" "$fs/data" | wc -l) of $(($(stat -c %s "$fs/data") / 512))"
rule "directory: read $directory corrupt 1bit"
refused EBADMSG 'ext4 refuses a directory that is wrong' ls "$fs/directory"
refused EROFS 'and is read-only' touch "$fs/file"
same 'by one read each' '1 1' "$(count data hits) $(count directory hits)"
umount "$fs"
rmdir "$dev/faults/data" "$dev/faults/directory"
damage_is 'nothing is stored of it' ''
e2fsck -fy "$loop" >"$scratch/fsck" 2>&1 || true # it notes that there was an error
mount "$loop" "$fs"
check 'all is there' ls "$fs/directory/file"
check 'as it was' cmp "$scratch/old" "$fs/data"
umount "$fs"
detach "$loop"

# What xfs has read once it keeps, right or wrong, until the next mount.
make_disk xfs '{"size": 320, "blocksize": 4096, "seed": 5}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
mkfs.xfs -q -f "$loop"
mount "$loop" "$fs"
mkdir "$fs/directory"
touch "$fs/directory/file"
umount "$fs"
mount "$loop" "$fs"
rule 'r: read corrupt 1bit stored'
refused EUCLEAN 'xfs refuses a directory that is wrong' ls "$fs/directory"
rmdir "$dev/faults/r"
damage_is_true 'xfs'
check 'there is some' test "$(listed | wc -l)" -gt 0
umount "$fs"
put heal "$dev/damage"
mount "$loop" "$fs"
same 'it is healed' file "$(ls "$fs/directory")"
umount "$fs"
detach "$loop"

# --- btrfs ------------------------------------------------------------------------------------------------------

# One of two disks is damaged.  Blocks and nodes have 4096 bytes, so that each that is wrong is one error to a
# scrub.
make_disk a '{"size": 256, "blocksize": 4096, "seed": 9}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
a=$loop
make_disk b '{"size": 256, "blocksize": 4096, "seed": 9}'
attach --direct-io=on --sector-size 4096 "$dev/disk"
b=$loop
mkfs.btrfs -q -f -n 4096 -d raid1 -m raid1 "$a" "$b" >/dev/null
mount -o noatime "$a" "$fs"
random_file "$fs/large" 4
mkdir "$fs/many"
(cd "$fs/many" && for i in {1..400}; do printf '%01000d' "$i" >"$i"; done)
(cd "$fs" && find . -type f -exec sha256sum {} +) >"$scratch/sums"
umount "$fs"
# find_blocks blocks|nodes FILE: where on the disk its blocks are, or the nodes that it lists (address, generation).
find_blocks() {
  "$python" -IS -c 'import mmap, sys
image, file = open(sys.argv[3], "rb"), open(sys.argv[2], "rb").read()
disk = mmap.mmap(image.fileno(), 0, prot=mmap.PROT_READ)
def node(block): return b"%d %d" % (int.from_bytes(block[48:56], "little"), int.from_bytes(block[80:88], "little"))
key, wanted = {"blocks": (bytes, [file[i : i + 4096] for i in range(0, len(file), 4096)]),
               "nodes": (node, file.splitlines())}[sys.argv[1]]
wanted = set(wanted)
print(*(at // 4096 for at in range(0, len(disk), 4096) if key(disk[at : at + 4096]) in wanted))' "$@" "$dev/disk"
}
btrfs inspect-internal dump-tree -t 5 "$b" | sed -nE 's/^(leaf|node) ([0-9]+) .* generation ([0-9]+) .*/\2 \3/p' >"$scratch/nodes"
mount -o noatime "$a" "$fs"
read -ra data < <(find_blocks blocks "$fs/large")
read -ra nodes < <(find_blocks nodes "$scratch/nodes")
check "all ${#data[@]} blocks of a file are found" test "${#data[@]}" == 1024
check "all ${#nodes[@]} nodes of a tree are found" test "${#nodes[@]}" == "$(wc -l <"$scratch/nodes")" -a "${#nodes[@]}" -gt 30
wrong=("${data[@]:0:3}" "${data[100]}" "${data[@]:500:17}" "${data[1023]}" "${nodes[3]}" "${nodes[@]:10:2}" "${nodes[-1]}")
sectors() { local block; for block; do echo "$((block * 8))-$((block * 8 + 7))"; done; }
# damage_blocks WHAT BLOCK...: what a rule does when they are read, kept.
damage_blocks() {
  rule "r: read $(sectors "${@:2}" | xargs) $1 stored"
  dd if="$b" of=/dev/null bs=1M iflag=direct status=none
  rmdir "$dev/faults/r"
  same "$1: those blocks are damaged" "$(printf '%s\n' "${@:2}" | sort -n | xargs)" "$(listed | awk '{ print int($1 / 8) }' | uniq | xargs)"
}
files_are_right() { (cd "$fs" && sha256sum --quiet -c "$scratch/sums"); }
# A scrub finds each of these blocks, and repairs it.
scrub_finds_all() {
  local blocks healed
  blocks=$(blocks)
  healed=$(field "$dev/stats.json" .damage.healed_sectors)
  healed=$((healed + $(listed | wc -l)))
  check "$1: a scrub" btrfs scrub start -B -R "$fs"
  same "$1: of $blocks blocks it finds all, and repairs them" "$blocks errors, $blocks corrected, 0 not" \
    "$(awk '{ n[$1] = $2 } END {
      print n["csum_errors:"] + n["verify_errors:"] " errors, " n["corrected_errors:"] " corrected, " n["uncorrectable_errors:"] " not" }' "$scratch/output")"
  damage_is "$1: nothing is damaged any more" ''
  same "$1: it has been written" "$healed" "$(field "$dev/stats.json" .damage.healed_sectors)"
}
damage_blocks 'corrupt 1bit' "${wrong[@]}"
scrub_finds_all corrupt
damage_blocks 'misdirected' "${wrong[@]}"
scrub_finds_all 'misdirected reads'
damage_blocks 'corrupt 1bit' "${wrong[@]}"
umount "$fs"
mount -o noatime "$a" "$fs"
check 'all files are read right' files_are_right
btrfs scrub start -B "$fs" >"$scratch/output" 2>&1
damage_is 'and a scrub repairs what that has not' ''

# Into the middle of a file that is there.
region="$((data[0] * 8))-$((data[-1] * 8 + 8 * 4096))"
rule "r: write $region misdirected shift -4096"
head -c 256K /dev/urandom >"$fs/small"
sync -f "$fs"
check "a file is written to where another is: $(count r hits) times" test "$(count r hits)" -gt 0
rmdir "$dev/faults/r"
same 'its 64 blocks are damaged, and 64 of the other' 128 "$(blocks)"
damage_is_true 'misdirected writes'
scrub_finds_all 'misdirected writes'
rule "r: write $region lost"
head -c 256K /dev/urandom >"$fs/small"
sync -f "$fs"
rmdir "$dev/faults/r"
same 'a file is lost' 64 "$(blocks)"
scrub_finds_all 'lost writes'
check 'all files are right' files_are_right
umount "$fs"
detach "$a"
detach "$b"
same 'no worker has died but those that we have killed' 2 "$(field "$mnt/status.json" .workers_replaced)"
