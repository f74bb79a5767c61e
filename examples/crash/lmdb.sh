#!/bin/bash
# LMDB on ext4: after a power cut all of it can be read, and what was committed is there (default).
# MDB_NOSYNC (nosync) may leave anything, MDB_NOMETASYNC (nometasync) loses the last transactions, no more.
# Usage: lmdb.sh [default|nosync|nometasync]; the module is Debian's python3-lmdb
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

work() { # MOUNT DEVICE ACKED FLAG: values that can be told from their keys; a mark and a promise for each transaction
  python3 - "$@" <<'END'
import lmdb, os, random, sys
mount, device, acked, flag = sys.argv[1:]
db = lmdb.open(mount + "/db", map_size=8 << 20, **{flag: False} if flag else {})
os.sync()
print("created", file=open(device + "/log/mark", "w"))
random.seed(1)
for n in range(1, 9):
    with db.begin(write=True) as transaction:
        for key in random.sample(range(600), 150):
            transaction.put(b"%d" % key, b"%d %d " % (n, key) * (10 + n))
        transaction.put(b"last", b"%d" % n)
    print(f"commit{n}", file=open(device + "/log/mark", "w"))
    print(f"commit{n} {n}", file=open(acked, "a"))
END
}

check() { # DISK [ACKED]: without a mount, which would be slow
  exec python3 - "$@" <<'END'
import lmdb, os, subprocess, sys, tempfile
with tempfile.TemporaryDirectory(dir="/dev/shm") as room:
    subprocess.run(["debugfs", "-c", "-R", f"dump db/data.mdb {room}/data.mdb", sys.argv[1]],
                   capture_output=True, check=True)
    if reader := os.fork():  # reading behind the end of the file would end it
        status = os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1])
        sys.exit(status if status >= 0 else f"reading it ended by signal {-status}")
    db = lmdb.open(room, readonly=True, lock=False, map_size=8 << 20)
    with db.begin() as transaction:
        last = int(transaction.get(b"last", b"0"))
        promised = 0 if len(sys.argv) < 3 else max(map(int, open(sys.argv[2])), default=0)
        if last < promised:
            sys.exit(f"transaction {promised} was committed, {last} is the last one that is there")
        for key, value in transaction.cursor():
            n = int(value.split()[0])
            if key != b"last" and (n > last or value != b"%d %s " % (n, key) * (10 + n)):
                sys.exit(f"transaction {last}: wrong value of {key}: {value[:20]}")
END
}

flag='' promised='{acked}'
case ${1:-nosync} in
  default) ;;
  nosync) flag=sync promised='' ;;
  nometasync) flag=metasync promised='' ;;
  --work | --check) "${1#--}" "${@:2}"; exit ;;
  *) echo "usage: $0 [default|nosync|nometasync]" >&2; exit 2 ;;
esac

self=$(realpath "$0")
acked=$(mktemp)
trap '(($? == 1)) || rm "$acked"' EXIT # to see a failure again takes it
"$rnullctl" crash-check --mkfs ext4 --from created --budget "${BUDGET:-60s}" --acked "$acked" \
  --run "$self --work {mount} {device} $acked '$flag'" \
  --recover 'e2fsck -E journal_only -p {}' --check "$self --check {} $promised"
