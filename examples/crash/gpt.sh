#!/bin/bash
# A partition is added to a GPT, which has two copies so that one survives: sgdisk 1.0.9 writes both
# before it syncs, and there are states in which neither is whole; sfdisk syncs each piece.
# Usage: gpt.sh [sgdisk|sfdisk|parted]
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

case ${1:-sgdisk} in
  sgdisk) add='sgdisk -n 2:0:+7M {}' ;;
  sfdisk) add='echo ,7MiB | sfdisk -q --no-reread --append {}' ;;
  parted) add='parted -s {} mkpart two 10MiB 14MiB' ;;
  --check) # One of the copies, in sector 1 and in the last one, is whole, and the first partition in it.
    exec python3 - "$2" <<'END'
import os, struct, sys, zlib

def problem(fd, sector):
    header = bytearray(os.pread(fd, 512, sector * 512))
    size, crc = struct.unpack_from("<II", header, 12)
    if header[:8] != b"EFI PART" or not 92 <= size <= 512:
        return "no header"
    header[16:20] = bytes(4)
    if zlib.crc32(header[:size]) != crc:
        return "the header is torn"
    where, count, each, entries = struct.unpack_from("<QIII", header, 72)
    table = os.pread(fd, count * each, where * 512)
    if zlib.crc32(table) != entries:
        return "the entries are not those that the header is of"
    return "" if any(table[:16]) else "the first partition is gone"

fd = os.open(sys.argv[1], os.O_RDONLY)
problems = [problem(fd, sector) for sector in (1, os.fstat(fd).st_size // 512 - 1)]
if all(problems):
    sys.exit("first copy: %s; second copy: %s" % tuple(problems))
END
    ;;
  *) echo "usage: $0 [sgdisk|sfdisk|parted]" >&2; exit 2 ;;
esac

"$rnullctl" crash-check --size 16M --blocksize 512 --from table --budget "${BUDGET:-60s}" \
  --run "printf 'label: gpt\nsize=7MiB\n' | sfdisk -q --no-reread {} && sync {} &&
    echo table >{device}/log/mark && $add >/dev/null && sync {}" \
  --check "$(realpath "$0") --check {}"
