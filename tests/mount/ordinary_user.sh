#!/bin/bash
# An ordinary user, who mounts through fusermount3: everything works but what is root's, and whether
# root may come in is up to /etc/fuse.conf.
#
# It runs in a mount namespace of its own, where that file can be another one for a while.
. "$(dirname "$0")/../own_namespace.sh"
. "$(dirname "$0")/../lib.sh"
needs root fuse fusermount3 setpriv jq fio mkfs.ext4

# What the user needs, where the user can reach it.
home=$scratch/home
mkdir "$home"
cp "$RNULLFS" "$home/rnullfs"
cp -r "$tests" "$tests/../scripts" "$tests/../examples" "$tests/../docs" "$home"
chown -R 65534:65534 "$home"
as_nobody() {
  env HOME="$home" TMPDIR="$home" RNULLFS="$home/rnullfs" USER=nobody \
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
# shellcheck disable=SC2016 # for the inner shell
nobody_puts() { as_nobody sh -c 'echo "$1" >"$2"' sh "$1" "$2"; }
status_field() { as_nobody cat "$mnt/status.json" | jq -r "$1"; }

fuse_for_all
touch "$scratch/fuse.conf"
mount --bind "$scratch/fuse.conf" /etc/fuse.conf
start() {
  mnt=$home/mnt
  as_nobody mkdir -p "$mnt"
  as_nobody "$home/rnullfs" -o memory_backed,size=64,power "$mnt" 2>"$scratch/stderr"
  daemon=$(status_field .worker_pid)
  daemons+=("$daemon")
  dev=$mnt/rnullb0
}
stop() { as_nobody fusermount3 -u "$mnt"; }

# --- Without user_allow_other ---------------------------------------------------------------------

start
says 'stderr says that losetup will be refused' 'losetup.*user_allow_other.*/etc/fuse.conf' \
  "$(tr '\n' ' ' <"$scratch/stderr")"
same 'status.json: allow_other' false "$(status_field .allow_other)"
says 'status.json says what to do' 'refused.*user_allow_other' "$(status_field .losetup)"
refused EACCES 'root is kept out' ls "$mnt"
if loops_work; then
  refused EACCES "root's losetup is refused" attach "$dev/disk"
else
  skip_check "root's losetup is refused" 'there are no loop devices'
fi
check 'fio, with checksums' as_nobody fio --name=v --filename="$dev/disk" --rw=randwrite --bs=4k \
  --size=16M --direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c --verify_state_save=0
check 'mkfs.ext4 on the disk' as_nobody mkfs.ext4 -q -F "$dev/disk"
check 'e2fsck on the disk' as_nobody e2fsck -fn "$dev/disk"
check 'a second disk' as_nobody mkdir "$mnt/more"
check 'is configured and switched on' nobody_puts '{"size": 8, "power": true}' "$mnt/more/config.json"
check 'fusermount3 -u' stop
check 'the daemon ends' within 5 gone "$daemon"

# --- With user_allow_other ------------------------------------------------------------------------

echo user_allow_other >"$scratch/fuse.conf"
start
same 'status.json: allow_other' true "$(status_field .allow_other)"
same 'nothing is said about it' '' "$(grep user_allow_other "$scratch/stderr")"
same 'root comes in' 1 "$(cat "$dev/power")"
refused EACCES 'other users only where modes let them' \
  setpriv --reuid=65533 --clear-groups head -c1 "$dev/disk"
if loops_work; then
  check "root's losetup works" attach "$dev/disk"
  check 'and its loop device' mkfs.ext4 -q "$loop"
  detach "$loop"
else
  skip_check "root's losetup works" 'there are no loop devices'
fi
check 'fusermount3 -u' within 5 stop
check 'the daemon ends' within 5 gone "$daemon"

# --- What is not the user's -----------------------------------------------------------------------

mkdir "$scratch/of-root"
status=0
as_nobody "$home/rnullfs" "$scratch/of-root" >"$scratch/output" 2>&1 || status=$?
same "another's directory is no mountpoint: exit status" 1 "$status"
says 'and why' "^rnullfs: .*$scratch/of-root" "$(<"$scratch/output")"
same 'nothing is mounted' '' "$(mounts_here)"

# --- Interrupted while fusermount3 takes its time ---------------------------------------------------

# The command returns when nothing is left that could still mount.
mkdir -m 777 "$scratch/slow"
printf '#!/bin/sh\n: >"%s/asked"\nsleep 1\nexec %s "$@"\n' "$scratch/slow" "$(command -v fusermount3)" \
  >"$scratch/slow/fusermount3"
chmod 755 "$scratch/slow/fusermount3"
as_nobody mkdir -p "$home/mnt"
# shellcheck disable=SC2016 # for the inner shell
as_nobody setsid env --default-signal=INT PATH="$scratch/slow:$PATH" \
  sh -c 'echo "$$" >"$0/pid" && exec "$@"' "$scratch/slow" "$home/rnullfs" "$home/mnt" 2>/dev/null &
starting=$!
check 'a slow fusermount3 is asked for a mount' within 10 test -e "$scratch/slow/asked"
kill -INT -- "-$(<"$scratch/slow/pid")" # as Ctrl-C does
status=0
wait "$starting" || status=$?
same 'interrupted, the command ends by the signal' 130 "$status"
same 'and nothing is mounted' '' "$(mounts_here)"
sleep 1.2
same 'nor later' '' "$(mounts_here)"

# --- The same tests that root runs ----------------------------------------------------------------

# passes COMMAND...: shows what failed, not the end of what passed.
passes() {
  as_nobody "$@" >"$scratch/tap" 2>&1 && return
  grep -A 10 -E '^(not ok|Bail out)' "$scratch/tap" || tail -n 10 "$scratch/tap"
  return 1
}
cd "$home"
for test in tree names config_json lifecycle; do
  check "tests/mount/$test.sh" passes "$home/tests/mount/$test.sh"
done
check 'scripts/demo' passes "$home/scripts/demo"
for example in first-disk slow-disk which-write-broke-it; do
  check "examples/$example.sh" passes "$home/examples/$example.sh"
done
# shellcheck disable=SC2016 # for the inner shell
check 'examples/ci.sh' passes "$home/examples/ci.sh" sh -c 'mkfs.ext4 -q "$DISK" && e2fsck -fn "$DISK"'
cd /
same 'they left nothing mounted' '' "$(mounts_here)"
