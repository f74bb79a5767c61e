#!/bin/bash
# LevelDB on ext4, opened again and again, so that it gets new MANIFEST, CURRENT and log files: after a power
# cut it opens, what it has is a prefix of what was written, and what was written with sync=True (sync) is in
# it.  Usage: leveldb.sh [sync|nosync]; the module is Debian's python3-plyvel
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

work() { # MOUNT DEVICE ACKED SYNC: a mark and a promise for each batch; the tables are so small that some are merged
  python3 - "$@" <<'END'
import os, plyvel, sys
mount, device, acked, sync = sys.argv[1:]
open_it = lambda: plyvel.DB(mount + "/db", create_if_missing=True, write_buffer_size=1 << 16)
db = open_it()
os.sync()
print("created", file=open(device + "/log/mark", "w"))
for n in range(1, 9):
    with db.write_batch(sync=sync == "sync") as batch:
        for k in range(40):
            batch.put(b"%04d" % (k * 7 % 60), b"%d %d " % (n, k) + os.urandom(300))
        batch.put(b"last", b"%d" % n)
        batch.put(b"n%d" % n, b"")
    print(f"batch{n}", file=open(device + "/log/mark", "w"))
    print(f"batch{n} {n}", file=open(acked, "a"))
    if n % 2 == 0:
        db.close()
        db = open_it()
END
}

check() { # DISK [ACKED]: without a mount, which would be slow
  exec python3 - "$@" <<'END'
import contextlib, plyvel, subprocess, sys, tempfile
with tempfile.TemporaryDirectory(dir="/dev/shm") as room:
    subprocess.run(["debugfs", "-c", "-R", f"rdump db {room}", sys.argv[1]], capture_output=True, check=True)
    with contextlib.closing(plyvel.DB(room + "/db", create_if_missing=False)) as db:
        last = int(db.get(b"last", b"0"))
        promised = 0 if len(sys.argv) < 3 else max(map(int, open(sys.argv[2])), default=0)
        if last < promised:
            sys.exit(f"batch {promised} was synced, {last} is the last one that is there")
        lost = [n for n in range(1, last + 1) if db.get(b"n%d" % n) is None]
        if lost:
            sys.exit(f"batch {last} is there, of those before it these are not: {lost}")
        for key, value in db:
            if key[:1] == b"0" and (int(value.split()[0]) != last or len(value) < 303):
                sys.exit(f"batch {last}: {key} is that of another: {value[:10]}")
END
}

promised='{acked}'
case ${1:-sync} in
  sync) ;;
  nosync) promised='' ;;
  --work | --check) "${1#--}" "${@:2}"; exit ;;
  *) echo "usage: $0 [sync|nosync]" >&2; exit 2 ;;
esac

self=$(realpath "$0")
acked=$(mktemp)
trap '(($? == 1)) || rm "$acked"' EXIT # to see a failure again takes it
"$rnullctl" crash-check --mkfs ext4 --from created --budget "${BUDGET:-60s}" --acked "$acked" \
  --run "$self --work {mount} {device} $acked ${1:-sync}" \
  --recover 'e2fsck -E journal_only -p {}' --check "$self --check {} $promised"
