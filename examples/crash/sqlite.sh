#!/bin/bash
# SQLite on ext4: after a power cut a database must be whole.  With journal_mode=MEMORY (memory) or
# synchronous=OFF (off) it need not be, with a rollback journal and FULL (full) it is.  What was committed
# must be there, too, in EXTRA (extra) and WAL (wal); FULL may lose the last transaction (full-acked).
# Usage: sqlite.sh [off|memory|full|full-acked|extra|wal]
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

work() { # MOUNT DEVICE ACKED JOURNAL SYNCHRONOUS: a mark and a promise for each transaction
  python3 - "$@" <<'END'
import os, sqlite3, sys
mount, device, acked, journal, synchronous = sys.argv[1:]
db = sqlite3.connect(mount + "/db", isolation_level=None)
db.executescript(f"pragma journal_mode={journal}; pragma synchronous={synchronous};"
                 "create table t(n integer, k integer primary key, v text); create index i on t(v);")
os.sync()
print("created", file=open(device + "/log/mark", "w"))
for n in range(1, 7):
    db.execute("begin")
    for k in range(25):
        db.execute("insert into t values (?, ?, hex(randomblob(60)))", (n, n * 100 + k))
    db.execute("update t set v = hex(randomblob(90)) where k % 7 = ?", (n,))
    db.execute("commit")
    print(f"commit{n}", file=open(device + "/log/mark", "w"))
    print(f"commit{n} {n}", file=open(acked, "a"))
END
}

check() { # DISK ACKED: without a mount, which would be slow
  exec python3 - "$@" <<'END'
import os, sqlite3, subprocess, sys, tempfile
with tempfile.TemporaryDirectory(dir="/dev/shm") as room:
    names = ["db", "db-journal", "db-wal"]
    subprocess.run(["debugfs", "-c", "-f", "-", sys.argv[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   input="".join(f"dump {name} {room}/{name}\n" for name in names), text=True, check=True)
    if not os.path.exists(room + "/db"):
        sys.exit("the database is gone")
    db = sqlite3.connect(room + "/db")
    db.execute("pragma synchronous=off")
    found = db.execute("pragma integrity_check(3)").fetchall()
    if found != [("ok",)]:
        sys.exit("\n".join(each for each, in found))
    last, = db.execute("select coalesce(max(n), 0) from t").fetchone()
    promised = 0 if len(sys.argv) < 3 else max(map(int, open(sys.argv[2])), default=0)
    if last < promised:
        sys.exit(f"transaction {promised} was committed, {last} is the last one that is there")
END
}

promised='{acked}'
case ${1:-memory} in
  off) mode='DELETE OFF' promised='' ;;
  memory) mode='MEMORY FULL' promised='' ;;
  full) mode='DELETE FULL' promised='' ;;
  full-acked) mode='DELETE FULL' ;;
  extra) mode='DELETE EXTRA' ;;
  wal) mode='WAL FULL' ;;
  --work | --check) "${1#--}" "${@:2}"; exit ;;
  *) echo "usage: $0 [off|memory|full|full-acked|extra|wal]" >&2; exit 2 ;;
esac

self=$(realpath "$0")
acked=$(mktemp)
trap '(($? == 1)) || rm "$acked"' EXIT # to see a failure again takes it
"$rnullctl" crash-check --mkfs ext4 --from created --budget "${BUDGET:-60s}" --acked "$acked" \
  --run "$self --work {mount} {device} $acked $mode" \
  --recover 'e2fsck -E journal_only -p {}' --check "$self --check {} $promised"
