#!/bin/bash
# Power cuts for a database: SQLite on ext4 commits rows until the power goes, again and again.  With
# synchronous=EXTRA every row that it said was safe is there afterwards.  With FULL, its default, the last
# one may not be, as its manual says: that the journal is gone is not made durable.  With OFF nothing is
# promised.  Root only.
set -euo pipefail

rnullfs=${RNULLFS:-$(dirname "$0")/../build/rnullfs}
[[ -x $rnullfs ]] || rnullfs=rnullfs
((EUID == 0)) || { echo 'loop devices and mounts are for root' >&2; exit 1; }
here=$(mktemp -d)
mnt=$here/disks fs=$here/fs
clean_up() {
  trap '' INT TERM
  trap - EXIT
  if [[ -n ${program-} ]]; then kill -KILL "$program" 2>/dev/null || true; wait "$program" 2>/dev/null || true; fi
  if mountpoint -q "$fs"; then umount "$fs"; fi
  if [[ -n ${loop-} ]]; then losetup --detach "$loop"; fi
  if mountpoint -q "$mnt"; then umount "$mnt"; fi
  rm -r --one-file-system "$here"
}
trap clean_up EXIT
trap 'clean_up; exit 130' INT
trap 'clean_up; exit 143' TERM

mkdir "$mnt" "$fs"
"$rnullfs" -o nr_devices=0 "$mnt"
mkdir "$mnt/d"
echo '{"memory_backed": true, "size": 256, "history": 64, "power": true}' >"$mnt/d/config.json"
attach() { loop=$(losetup --find --show --sector-size 4096 "$mnt/d/disk"); }
attach
mkfs.ext4 -q "$loop"
mount "$loop" "$fs"

# The program: it commits row after row, and notes, elsewhere, what it has been told is safe.
cat >"$here/program.py" <<'END'
import sqlite3, sys
database, safe, synchronous = sys.argv[1:]
rows = sqlite3.connect(database, isolation_level=None)
rows.execute(f"pragma synchronous={synchronous}")
rows.execute("create table if not exists t (n integer primary key, text)")
n = rows.execute("select coalesce(max(n), 0) from t").fetchone()[0]
while True:
    n += 1
    rows.execute("insert into t values (?, ?)", (n, "x" * 100))
    with open(safe, "a") as file:
        print(n, file=file)
END
# What it finds: whether the database is whole, and how many rows are missing of those that were safe.
cat >"$here/check.py" <<'END'
import os, sqlite3, sys
database, safe = sys.argv[1:]
lines = open(safe).read().split("\n")[:-1] if os.path.exists(safe) else []
rows = sqlite3.connect(database)
try:
    whole = rows.execute("pragma integrity_check").fetchone()[0]
    there = {n for (n,) in rows.execute("select n from t")}
    missing = sum(int(n) not in there for n in lines)
except sqlite3.DatabaseError as error:
    whole, missing = str(error), len(lines)
print(f"{len(lines):6} rows were said to be safe, {missing} of them are lost; integrity_check: {whole.splitlines()[0]}")
END

for synchronous in EXTRA FULL OFF; do
  echo "--- synchronous=$synchronous"
  for cut in 1 2 3; do
    rm -f "$here/safe"
    python3 "$here/program.py" "$fs/$synchronous.db" "$here/safe" "$synchronous" 2>"$here/program.log" &
    program=$!
    sleep 1
    echo cut >"$mnt/d/power"
    kill -KILL "$program" 2>/dev/null || true
    wait "$program" 2>/dev/null || true
    program=''
    umount "$fs"
    losetup --detach "$loop"
    loop=''
    until [[ ! -e $mnt/d/disk ]]; do sleep 0.05; done # the last close
    echo 1 >"$mnt/d/power"
    attach
    mount "$loop" "$fs"
    printf 'cut %s: ' "$cut"
    python3 "$here/check.py" "$fs/$synchronous.db" "$here/safe"
  done
done
