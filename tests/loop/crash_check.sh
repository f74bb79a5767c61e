#!/bin/bash
# rnullctl crash-check from scratch: a disk, a file system, a workload and the search in one command.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq mkfs.ext4 e2fsck
grep -qw ext4 /proc/filesystems || modprobe -q ext4 || cannot_run 'the kernel has no ext4'
export TMPDIR=$scratch/tmp # where it puts what it needs
mkdir "$TMPDIR"
crash_check() {
  status=0
  "$RNULLCTL" crash-check --json --rnullfs "$RNULLFS" "$@" >"$scratch/json" 2>"$scratch/said" || status=$?
}
found() { jq -c "$1" "$scratch/json"; }
left() {
  ls "$TMPDIR"
  mounts_here
  losetup --noheadings --list --raw --output BACK-FILE | grep -F "$TMPDIR" || true
  pgrep -f "rnullfs .*$TMPDIR" || true
}
# Of a search that has found something the disk stays.
give_back() {
  local mount
  for mount in "$TMPDIR"/rnullctl-*; do
    [[ -d $mount ]] || continue
    umount "$mount"
    rmdir "$mount"
  done
}
cat >"$scratch/work" <<'END'
set -e
for i in 1 2 3; do
  mkdir "$1/dir$i"
  cp "$0" "$1/dir$i/copy"
  echo "safe $i" >"$1/safe$i"
  sync "$1/safe$i"
  echo "work-$i" >"$2/log/mark"
  test $i = 1 || rm -r "$1/dir$((i - 1))"
done
END
work="sh $scratch/work {mount} {device}"

crash_check --mkfs ext4 --run "$work" --budget 100s
same 'ext4 with a journal recovers' '0 "recovered" 0' "$status $(found .result) $(found .failed)"
check 'there were some stretches, and states' jq -e '(.stretches | length) > 5 and .states_log2 > 5' "$scratch/json"
check 'most of them wholly' jq -e '[.stretches[] | select(.covered == "all")] | length > 5' "$scratch/json"
check 'none knew less than there was to know' jq -e 'all(.stretches[]; .forgotten | not)' "$scratch/json"
check 'they are behind marks' jq -e '[.stretches[].mark] | contains(["begin", "work-1", "work-2"])' "$scratch/json"
same 'by the same commands each time' '[]' "$(found .not_deterministic)"
same 'nothing is left' '' "$(left)"

crash_check --mkfs ext4 --mount-options nobarrier --run "$work" --budget 10s
same 'ext4 with nobarrier does not' '1 "failed"' "$status $(found .result)"
check 'the disk stays' test -f "$(jq -r '.failures[0].path' "$scratch/json")"
check 'with what is lost' jq -e '.failures[0].lost | length > 0' "$scratch/json"
says 'it says how to remove it' "when you have seen it: umount $TMPDIR/rnullctl-" "$(<"$scratch/said")"
give_back
crash_check --mkfs ext2 --run "$work" --budget 10s
same 'nor ext2' '1 "failed"' "$status $(found .result)"
give_back
crash_check --mkfs ext4 --depth 2 --run "touch {mount}/x && sync {mount}/x" --budget 100s
same 'ext4 stands it that its recovery is cut' '0 0' "$status $(found .failed)"

# --- When it cannot -----------------------------------------------------------------------------------

crash_check --mkfs ext4 --run 'exit 3'
same 'a workload that fails' 2 "$status"
says '  is named' 'run: exit status 3: exit 3' "$(<"$scratch/said")"
crash_check --mkfs nosuchfs --run true --check true
same 'no such mkfs' 2 "$status"
says '  is named' 'mkfs.nosuchfs' "$(<"$scratch/said")"
crash_check --size 1X --run true --check true
says 'no such size: what the device says' 'size.*it takes' "$(<"$scratch/said")"
same 'nothing is left' '' "$(left)"
"$RNULLCTL" crash-check --mkfs ext4 --rnullfs "$RNULLFS" --run 'sleep 30' >/dev/null 2>&1 &
ctl=$!
mounted() { [[ $(mounts_here | wc -l) == 2 ]]; }
check 'it runs' within 10 mounted
pkill -INT -P "$ctl" sleep || true
kill -INT "$ctl"
status=0
wait "$ctl" || status=$?
same 'ctrl-C' 2 "$status"
same 'leaves nothing' '' "$(left)"
