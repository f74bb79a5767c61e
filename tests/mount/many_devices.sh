#!/bin/bash
# A thousand disks: each is its own, and none costs much.
. "$(dirname "$0")/../lib.sh"
needs fuse jq
count=1000
mount_rnullfs -o nr_devices=0
cd "$mnt"

# timed WHAT COMMAND...: a few seconds; the limit is for what grows with the square.
timed() {
  local begin=$EPOCHREALTIME seconds
  check "$@"
  seconds=$(awk -v begin="$begin" -v end="$EPOCHREALTIME" 'BEGIN { print end - begin }')
  echo "# $1: $seconds s"
  check "$1: within a minute" test "${seconds%.*}" -lt 60
}

make_all() { mkdir $(seq -f 'd%04g' "$count"); }
power_on_all() {
  local dev
  for dev in d*; do
    echo '{"memory_backed": true, "size": 1048576, "power": true}' >"$dev/config.json" || return
  done
}
write_to_all() {
  local dev
  for dev in d*; do echo "$dev" 1<>"$dev/disk" || return; done
}
power_off_all() {
  local dev
  for dev in d*; do echo 0 >"$dev/power" || return; done
}

# The kernel makes more of it by halts of some 10 ms.
check 'there is room for their descriptors' test "$(awk '/^FDSize/ { print $2 }' "/proc/$daemon/status")" -ge 4096
timed "mkdir of $count devices" make_all
same 'all are listed' "$count" "$(find . -mindepth 1 -maxdepth 1 -type d -printf . | wc -c)"
same 'status.json counts them' "$count" "$(field status.json .devices)"
timed 'powering them on, 1 TiB each' power_on_all
same 'every one has its disk' "$count" "$(find . -name disk -size 1073741824k -printf . | wc -c)"
timed 'a write to each' write_to_all
same 'each holds its own' '' "$(for dev in d*; do
  [[ $(head -c 5 "$dev/disk") == "$dev" ]] || echo "$dev"
done)"
same 'and one page' "$count" "$(cat d*/stats.json | grep -c '"stored_pages": 1,')"
timed 'powering them off' power_off_all
timed 'rmdir of all' rmdir d*
same 'none is left' 0 "$(field status.json .devices)"
same 'the daemon let go of their memory' 0 "$(awk '/^RssShmem/ { print $2 }' "/proc/$daemon/status")"
check 'and of their descriptors' test "$(find "/proc/$daemon/fd" -type l -printf . | wc -c)" -lt 50
cd /
