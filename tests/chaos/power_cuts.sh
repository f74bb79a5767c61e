#!/bin/bash
# usage: power_cuts.sh sqlite|postgres ext4|xfs
# A database commits rows until the power goes, RNULLFS_TEST_CUTS times (200), by turns with none and
# random of what no flush had covered.  Every row that was told to be committed is there each time; with
# durability switched off some are not, so that it is known that they could be lost.
. "$(dirname "$0")/../lib.sh"
database=$1 type=$2
needs root fuse loop jq python3 "mkfs.$type"
postgres_bin() { find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1; }
case $database in
  sqlite) check 'python has sqlite3' python3 -c 'import sqlite3' ;;
  postgres)
    pg=$(postgres_bin)
    [[ -n $pg ]] || cannot_run 'there is no postgresql'
    as_user() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
    ;;
esac
cuts=${RNULLFS_TEST_CUTS:-200}

mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
make_disk d '{"size": 1024, "blocksize": 4096, "history": 512}'
fs=$scratch/fs
mkdir "$fs"
on() {
  attach --sector-size 4096 "$dev/disk"
  mount "$loop" "$fs"
}
off() {
  umount "$fs" || within 5 umount "$fs"
  detach "$loop"
  within 5 test ! -e "$dev/disk"
}
attach --sector-size 4096 "$dev/disk"
"mkfs.$type" -q "$loop"
mount "$loop" "$fs"
acked=$scratch/acked

cat >"$scratch/sqlite.py" <<'END'
import os, sqlite3, sys
database, acked, what, synchronous = sys.argv[1:]
rows = sqlite3.connect(database, isolation_level=None)
if what == "write":
    rows.execute("pragma journal_mode=" + ("wal" if os.getpid() % 2 else "delete"))
    rows.execute(f"pragma synchronous={synchronous}")
    rows.execute("create table if not exists t (n integer primary key, text)")
    n = rows.execute("select coalesce(max(n), 0) from t").fetchone()[0]
    with open(acked, "a", buffering=1) as file:
        while True:
            n += 1
            rows.execute("insert into t values (?, ?)", (n, "x" * 100))
            print(n, file=file)
try:
    whole = rows.execute("pragma integrity_check").fetchone()[0]
    there = {n for (n,) in rows.execute("select n from t")}
except sqlite3.DatabaseError as error:
    whole, there = str(error), set()
lines = open(acked).read().split("\n")[:-1]
print(len(lines), sum(int(n) not in there for n in lines), whole.split("\n")[0])
END

write_sqlite() { exec python3 "$scratch/sqlite.py" "$fs/db" "$acked" write "$1"; }
check_sqlite() { python3 "$scratch/sqlite.py" "$fs/db" "$acked" check -; }

start_postgres() {
  as_user "$pg/postgres" -D "$fs/data" -k "$fs" -h '' -c "fsync=$1" -c shared_buffers=16MB >>"$scratch/postgres.log" 2>&1 &
  within 30 as_user "$pg/pg_isready" -q -h "$fs" || { tail -n 20 "$scratch/postgres.log"; return 1; }
  server=$(head -n 1 "$fs/data/postmaster.pid") # cannot be read any more after a cut
}
stop_postgres() { kill -KILL "$server"; within 10 not kill -0 "$server" 2>/dev/null; }
psql() { as_user "$pg/psql" -h "$fs" -d postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
write_postgres() {
  local n
  n=$(psql -c 'create table if not exists t (n bigint primary key, text text)' -c 'select coalesce(max(n), 0) from t')
  for ((++n; ; ++n)); do
    printf '%s\n' "insert into t values ($n, repeat('x', 100));" "\\echo $n"
  done | psql >>"$acked" 2>/dev/null
}
check_postgres() {
  psql -c 'select n from t' | sort >"$scratch/there"
  echo "$(wc -l <"$acked") $(sort "$acked" | comm -23 - "$scratch/there" | wc -l) ok"
}

# one_cut KEEPS SETTING: how many rows were committed, how many of them are missing, what the database says.
one_cut() {
  local writer
  put "$1" "$dev/cut_keeps"
  : >"$acked"
  if [[ $database == postgres ]]; then start_postgres "$2"; fi
  "write_$database" "$2" >/dev/null 2>&1 &
  writer=$!
  sleep "0.$((RANDOM % 6 + 3))"
  put cut "$dev/power"
  pkill -KILL -P "$writer" 2>/dev/null || true
  kill -KILL "$writer" 2>/dev/null || true
  wait "$writer" 2>/dev/null || true
  if [[ $database == postgres ]]; then stop_postgres; fi
  off
  put 1 "$dev/power"
  on
  # A line that was not ended was not written.
  sed -i -e '$!b' -e '/^[0-9]*$/!d' "$acked"
  if [[ $database == postgres ]]; then start_postgres "$2"; fi
  "check_$database" >"$scratch/found"
  if [[ $database == postgres ]]; then
    stop_postgres
    within 10 not pgrep -u postgres postgres >/dev/null
  fi
}

if [[ $database == postgres ]]; then
  mkdir -m 700 "$fs/data"
  chown postgres "$fs" "$fs/data"
  as_user "$pg/initdb" -D "$fs/data" >"$scratch/initdb" 2>&1
  safe=on unsafe=off
else
  safe=EXTRA unsafe=OFF
fi
rows=0
missing=0
broken=0
for ((cut = 0; cut < cuts; ++cut)); do
  keeps=none
  if ((cut % 2)); then keeps=random; fi
  one_cut "$keeps" "$safe"
  read -r committed lost whole <"$scratch/found"
  rows=$((rows + committed))
  missing=$((missing + lost))
  if [[ $whole != ok ]]; then
    echo "# cut $cut ($keeps): $whole"
    broken=$((broken + 1))
  fi
done
echo "# $database, $type: $cuts cuts, $rows rows committed, $missing lost, $broken databases broken"
check 'there were rows' test "$rows" -gt "$cuts"
same 'none was lost that had been committed' '0 0' "$missing $broken"

lost_some=0
for ((cut = 0; cut < 5; ++cut)); do
  one_cut none "$unsafe" || { lost_some=1; break; } # it may not even start
  read -r committed lost whole <"$scratch/found"
  echo "# not durable: $committed rows, $lost lost, $whole"
  if ((lost > 0)); then lost_some=1; fi
done
same 'without durability some are' 1 "$lost_some"
umount "$fs"
detach "$loop"
put 0 "$dev/power"
rmdir "$dev"
unmount "$mnt"
