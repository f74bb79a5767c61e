#!/bin/bash
# Runs a command against a fresh disk in memory, and takes the disk away afterwards: for tests of
# whatever writes to disks, in CI or at the desk.
#
# usage: ci.sh [--option=mount-options] COMMAND [ARGUMENT...]
#   DISK in the command's environment names the disk: a block device where root can have one, else a
#   file.  Its exit status is the script's.
#
#   examples/ci.sh sh -c 'mkfs.ext4 -q "$DISK" && e2fsck -fn "$DISK"'
#   examples/ci.sh --option=gb=16,bs=512 ./my-test
set -euo pipefail

options=memory_backed,power
if [[ ${1-} == --option=* ]]; then
  options+=,${1#--option=}
  shift
fi
(($# > 0)) || { sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0" >&2; exit 2; }

rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
mnt=$(mktemp -d)
loop=''

unmount() { umount "$@" "$mnt" 2>/dev/null || fusermount3 -u "$mnt" 2>/dev/null; }

# The command's status counts, not this: it may have left its disk open, or mounted.
clean_up() {
  trap '' INT TERM
  trap - EXIT
  if [[ -n $loop ]]; then losetup --detach "$loop" || true; fi
  if mountpoint -q "$mnt"; then
    unmount || unmount --lazy || echo "ci.sh: $mnt is still mounted" >&2
  fi
  rmdir "$mnt" || true
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

"$rnullfs" -o "$options" "$mnt"
DISK=$mnt/rnullb0/disk
sector=$(<"$mnt/rnullb0/blocksize")
if ((EUID == 0)) && loop=$(losetup --find --show --direct-io=on --sector-size "$sector" "$DISK" 2>/dev/null); then
  DISK=$loop
else
  loop=''
  echo "ci.sh: no loop device to be had; DISK is a file" >&2
fi
export DISK
"$@"
