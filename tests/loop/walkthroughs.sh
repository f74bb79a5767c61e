#!/bin/bash
# scripts/demo and the examples, as a newcomer runs them: they work, and leave nothing behind, also
# when they are interrupted or something is missing.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop fio mkfs.ext4 mkfs.btrfs python3
top=$(realpath "$tests/..")
export TMPDIR=$scratch/tmp # where they put what they need
mkdir "$TMPDIR"

# What is left: files, mounts, loop devices, daemons.
leftovers() {
  ls "$TMPDIR"
  mounts_here
  losetup --noheadings --list --raw --output NAME,BACK-FILE | grep -F "$TMPDIR" || true
  pgrep -f "rnullfs .*$TMPDIR" || true
}
leaves_nothing() {
  nothing_left() { [[ -z $(leftovers) ]]; }
  within 5 nothing_left || true
  same "$1 leaves nothing behind" '' "$(leftovers)"
}

# --- The demo -------------------------------------------------------------------------------------

check 'scripts/demo' "$top/scripts/demo"
demo=$(<"$scratch/output")
says 'it shows the loop device' '^\$ losetup --find' "$demo"
says 'it compares the files' '^    identical$' "$demo"
says 'no request failed' ', 0 of them failed$' "$demo"
says 'the memory comes back' '^memory after +0 MiB$' "$demo"
leaves_nothing 'scripts/demo'

mkdir "$scratch/bin"
printf '#!/bin/sh\nexit 1\n' >"$scratch/bin/losetup"
chmod +x "$scratch/bin/losetup"
check 'scripts/demo without loop devices' env PATH="$scratch/bin:$PATH" "$top/scripts/demo"
demo=$(<"$scratch/output")
says 'it says so' '^== This machine has no loop devices' "$demo"
says 'and works on the file' '^    identical$' "$demo"
leaves_nothing 'scripts/demo without loop devices'

touch "$scratch/no-device"
# shellcheck disable=SC2016 # for the inner shell
without_fuse() { unshare --mount sh -c 'mount --bind "$0" /dev/fuse && "$@"' "$scratch/no-device" "$@"; }
check 'scripts/demo without /dev/fuse fails' not without_fuse "$top/scripts/demo"
says 'and says why' '^demo: there is no /dev/fuse' "$(<"$scratch/output")"
leaves_nothing 'scripts/demo without /dev/fuse'

# --- Interrupted ----------------------------------------------------------------------------------

# Once it has come so far that the output matches, the signal goes to the whole group, as Ctrl-C
# does.
interrupt() {
  local signal=$1 pattern=$2 demo
  setsid env --default-signal=INT "$top/scripts/demo" >"$scratch/demo" 2>&1 &
  demo=$!
  within 30 grep -q -e "$pattern" "$scratch/demo"
  kill "-$signal" -- "-$demo"
  ! wait "$demo"
}
check 'interrupted while it starts' interrupt INT '^\$ rnullfs'
leaves_nothing 'it'
check 'interrupted under load' interrupt INT '^\$ fio'
leaves_nothing 'it'
check 'terminated with a file system mounted' interrupt TERM '^\$ cp file'
leaves_nothing 'it'

# --- The examples ---------------------------------------------------------------------------------

for example in first-disk ext4-on-a-loop-device slow-disk slow-while-it-runs disk-dies-under-raid1 score-a-scrubber power-cuts reset-between-tests; do
  check "examples/$example.sh" "$top/examples/$example.sh"
  leaves_nothing "examples/$example.sh"
done

check 'examples/which-write-broke-it.sh' "$top/examples/which-write-broke-it.sh"
broken=$(<"$scratch/output")
same 'it finds the write that did it' \
  "$(sed -n 's/^(that was no later than change \([0-9]*\))$/\1/p' <<<"$broken")" \
  "$(sed -n 's/^first bad: //p' <<<"$broken")"
says 'in some log2 steps' '^1[0-2] looks; ' "$broken"
leaves_nothing 'examples/which-write-broke-it.sh'

parallel=$top/examples/parallel-tests.sh
check 'examples/parallel-tests.sh' "$parallel"
same 'each test has a disk of its own' 20 "$(grep -c '^test [0-9]* passed' "$scratch/output")"
leaves_nothing 'examples/parallel-tests.sh'
# shellcheck disable=SC2016 # for the inner shell
check 'where tests fail, it does' not "$parallel" sh -c '
  test -b "$DISK" && test -d "$ROOM" && test "$TEST" != 3 && mount "$DISK" "$ROOM" && test "$TEST" != 11'
says 'and says which' '^failed: 3 11$' "$(<"$scratch/output")"
leaves_nothing 'it'
: >"$scratch/started"
# shellcheck disable=SC2016
setsid "$parallel" sh -c 'mount "$DISK" "$ROOM" && echo >>"$0" && sleep 60 >"$ROOM/file"' "$scratch/started" \
  >"$scratch/parallel" 2>&1 &
within 30 test -s "$scratch/started"
kill -TERM "$!"
status=0
wait "$!" || status=$?
same 'interrupted, it ends' 143 "$status"
leaves_nothing 'it'

bisect=$top/examples/bisect.sh
mount_rnullfs -o memory_backed,history=1,power
check 'examples/bisect.sh refuses a good that is bad' not "$bisect" "$mnt/rnullb0" -- false {}
says 'in so many words' '^bisect.sh: 0 should be good' "$(<"$scratch/output")"
check 'and a bad that is good' not "$bisect" "$mnt/rnullb0" -- true {}
says 'in so many words' '^bisect.sh: 0 should be bad' "$(<"$scratch/output")"
check 'and a moment that there is none of' not "$bisect" --bad 99 "$mnt/rnullb0" -- true {}
says 'in so many words' '^bisect.sh: there is no moment 99' "$(<"$scratch/output")"
unmount "$mnt"
check 'without a check it explains itself' not "$bisect" "$mnt/rnullb0"
says 'in so many words' '^usage: bisect.sh' "$(<"$scratch/output")"

script=$top/examples/null-blk-script.sh
mount_rnullfs -o nr_devices=0
check 'examples/null-blk-script.sh' "$script" "$mnt"
says 'what cannot change while powered is refused' 'Device or resource busy' "$(<"$scratch/output")"
says 'bad sectors fail' 'Input/output error' "$(<"$scratch/output")"
same 'it removes its device' 'features power status.json' "$(names "$mnt")"
mkdir "$scratch/broken"
ln -s /bin/false "$scratch/broken/mkfs.ext4"
check 'where mkfs fails, it does' not env PATH="$scratch/broken:$PATH" "$script" "$mnt"
says 'having come so far' '^--- A file system$' "$(<"$scratch/output")"
same 'and removes its device' 'features power status.json' "$(names "$mnt")"
unmount "$mnt"
leaves_nothing 'examples/null-blk-script.sh'
check 'without null_blk it says so' not "$script" "$scratch/nullb"
says 'in so many words' "^there is no $scratch/nullb" "$(<"$scratch/output")"

ci=$top/examples/ci.sh
# shellcheck disable=SC2016 # for the inner shell
check 'examples/ci.sh gives a block device' "$ci" --option=gb=1,bs=512 \
  sh -c 'test -b "$DISK" && test "$(blockdev --getsize64 --getss "$DISK" | xargs)" = "1073741824 512"'
# shellcheck disable=SC2016
check 'that holds a file system' "$ci" sh -c 'mkfs.ext4 -q "$DISK" && e2fsck -fn "$DISK"'
status=0
"$ci" sh -c 'exit 7' 2>/dev/null || status=$?
same 'its status is the status of the command' 7 "$status"
status=0
# shellcheck disable=SC2016
"$ci" sh -c 'sleep 3 <"$DISK" & exit 5' 2>/dev/null || status=$?
same 'also when that leaves the disk open' 5 "$status"
check 'without a command it explains itself' not "$ci"
says 'in so many words' '^usage: ci.sh' "$(<"$scratch/output")"
leaves_nothing 'examples/ci.sh'
