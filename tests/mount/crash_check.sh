#!/bin/bash
# rnullctl crash-check: what it finds, what it says of it, and what it does when it cannot.
. "$(dirname "$0")/../own_namespace.sh"
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
# rnullctl ARGUMENT...: its JSON goes to $scratch/json, its status to $status.
crash_check() {
  status=0
  "$RNULLCTL" crash-check --json --disk "$dev" "$@" >"$scratch/json" 2>"$scratch/said" || status=$?
}
found() { jq -c "$1" "$scratch/json"; }
# page LETTER PAGE: a page of it, in one request.
page() { head -c 4096 /dev/zero | tr '\0' "$1" | dd of="$dev/disk" bs=4096 seek="$2" conv=notrunc status=none; }
states_left() { find "$dev/crash" -mindepth 2 -maxdepth 2 -name 'rnullctl*'; }

# A checker reads a page only when it needs it: b without a is wrong, and what c is does not matter
# while there is no b.
cat >"$scratch/judge" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
at = lambda page: os.pread(fd, 1, page * 4096)
if at(1) != b"b":
    sys.exit(0)
if at(0) != b"a" and at(2) in (b"\0", b"c"):
    print("b is there, and a is not")
    sys.exit(1)
END
judge="python3 $scratch/judge {}"

# --- What it finds --------------------------------------------------------------------------------

make_disk d '{"size": 1, "blocksize": 4096}'
put 8 "$dev/history"
page x 9
sync "$dev/disk"
put begin "$dev/log/mark"
page a 0
page b 1
page c 2
page d 3
put end "$dev/log/mark"
crash_check --from begin --to end --check true
same 'all recovers' '0 "recovered" 1' "$status $(found .result) $(found '.stretches | length')"
same 'by one run, for a check that reads nothing' '[4,1,"all",1]' \
  "$(found '.stretches[0] | [.units, .runs, .covered, .share]')"
crash_check --from begin --to end --check "$judge"
same 'one does not' '1 "failed"' "$status $(found .result)"
same 'all of them have been judged, by as many runs as it tells apart' '[4,4,"all"]' \
  "$(found '.stretches[0] | [.units, .states_log2, .covered]')"
same 'b or not, then a or not, then c or not' '[4,2]' "$(found '.stretches[0] | [.runs, .failed]')"
same 'it is the loss of a alone' '[["write",0,8,8,"61616161616161616161616161616161"]]' \
  "$(found '.failures[0].lost | map([.op, .sector, .sectors, .lost_sectors, .first_bytes])')"
same 'what the check said' '"b is there, and a is not\n"' "$(found '.failures[0].output')"
same 'behind which mark' '"begin"' "$(found '.failures[0].mark')"
fail=$(jq -r '.failures[0].path' "$scratch/json")
same 'its disk stays, and nobody has written to it' '.bcd' "$(for i in 0 1 2 3; do
  dd if="$fail" bs=4096 skip=$i count=1 status=none | head -c 1 | tr '\0' .
done | paste -sd '')"
same 'nothing else stays' '' "$(states_left)"
says 'no command' '^rnullctl: --check says what is to be true: a command, with \{\} for the disk$' \
  "$("$RNULLCTL" crash-check --disk "$dev" 2>&1 || echo "status $?")"
state=${fail#"$dev/crash/"}
state=${state%/disk}
says 'it is seen again' 'b is there, and a is not' \
  "$("$RNULLCTL" crash-check --disk "$dev" --state "$state" --check "$judge" || echo "status $?")"
check 'where a mark says which cut' "$RNULLCTL" crash-check --disk "$dev" --state end/all --check "$judge"
text=$("$RNULLCTL" crash-check --disk "$dev" --from begin --to end --check "$judge" || echo "status $?")
says 'as text' '^ +[0-9]+  begin +4 +2\^4.0 +[0-9]+ +2  all$' "$text"
says 'with what is lost' '^    [0-9]+ write of sectors 0-7: 6161' "$text"
says 'and how to see it again' 'rnullctl crash-check --disk .* --state [0-9]+/fail-2 --check' "$text"
says 'its status' '^status 1$' "$text"

# --- Recovery -------------------------------------------------------------------------------------

# What copies a over b makes all of it whole; each image is judged once.
cat >"$scratch/recover" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
if os.pread(fd, 1, 0) != b"a":
    os.pwrite(fd, bytes(4096), 4096)
    os.pwrite(fd, bytes(4096), 8192)
else:
    os.pwrite(fd, b"b" * 4096, 4096)
os.fsync(fd)
END
crash_check --from begin --to end --recover "python3 $scratch/recover {}" --check "$judge"
same 'what recovers is not judged before' '0 ["all",0]' "$status $(found '.stretches[0] | [.covered, .failed]')"
for code in 0 3; do
  crash_check --from begin --to end --recover "exit $code" --check true
  same "recover ends with $code" 0 "$status"
done
crash_check --from begin --to end --recover 'exit 4' --check true
same 'recover ends with 4' '1 "recover: exit status 4"' "$status $(found '.failures[0].what')"

# It clears what it has not finished, in two steps of which the second alone must not be there.
cat >"$scratch/recover" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
at = lambda page: os.pread(fd, 1, page * 4096)
if at(5) != b"e" and at(1) == b"b" and at(0) != b"a":
    os.pwrite(fd, b"a" * 4096, 0)
    if "careful" in sys.argv: os.fsync(fd)
    os.pwrite(fd, b"e" * 4096, 5 * 4096)
    os.fsync(fd)
END
cat >"$scratch/whole" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
at = lambda page: os.pread(fd, 1, page * 4096)
sys.exit(at(5) == b"e" and at(0) != b"a" or at(1) == b"b" and at(0) != b"a")
END
twice() { crash_check --from begin --to end --depth "$1" --recover "python3 $scratch/recover {} ${2-}" --check "python3 $scratch/whole {}"; }
twice 1
same 'a recovery that writes in any order' '0 0' "$status $(found .failed)"
twice 2
same '  fails when it is cut as well' 1 "$status"
says '  on a disk that stays' '^"of cut [0-9]+"$' "$(found '.failures[0].recovering')"
check '  and has the state' test -f "$(jq -r '.failures[0].path' "$scratch/json")"
for beside in "$mnt"/rnullctl-*; do within 5 rmdir "$beside" || true; done
twice 2 careful
same '  and one that waits does not' '0 0' "$status $(found .failed)"
same '  which leaves nothing' '' "$(ls -d "$mnt"/rnullctl-* 2>/dev/null)"

# --- Promises, explanations, units -------------------------------------------------------------------

printf 'begin x is there\nend d is there\n' >"$scratch/acked"
crash_check --from begin --to end --acked "$scratch/acked" --check "grep -qx 'x is there' {acked} && grep -qx 'd is there' {acked}"
same 'promises hold from their marks on' 0 "$status"
crash_check --from begin --to begin --acked "$scratch/acked" --check "test \"\$(cat {acked})\" = 'x is there'"
same '  and not before' 0 "$status"
sync "$dev/disk"
crash_check --from end --acked "$scratch/acked" --check "grep -qx 'd is there' {acked}"
same 'both behind the second' 0 "$status"
printf 'begin\n' >"$scratch/acked"
crash_check --acked "$scratch/acked" --check true
same 'a line that is none' 2 "$status"
says '  is named' 'acked:1: a line is a mark and what had been promised' "$(<"$scratch/said")"
crash_check --from begin --to end --explain 'echo place {sector} {sectors}' --check "$judge"
same 'a command explains' '"place 0 8"' "$(found '.failures[0].lost[0].belongs_to')"
crash_check --from begin --to end --atomic 512 --check true
same 'smaller units' '[32,"all"]' "$(found '.stretches[0] | [.units, .covered]')"
same '  and as before' 0 "$(<"$dev/atomic")"

# --- What cannot be judged ---------------------------------------------------------------------------

crash_check --check 'nosuchprogram {}'
same 'a command that there is not' '2 "unknown"' "$status $(found .result)"
says '  is named' 'nosuchprogram' "$(found .error)"
crash_check --from nosuchmark --check true
same 'a mark that there is not' 2 "$status"
says '  is named' 'nosuchmark: is no mark of' "$(<"$scratch/said")"
crash_check --from end --to begin --check true
same 'the wrong way round' '2 rnullctl: --to (3) is before --from (8)' "$status $(<"$scratch/said")"
says 'no disk' 'is no disk of rnullfs' "$("$RNULLCTL" crash-check --disk "$scratch" --check true 2>&1 || true)"
says 'a wrong word' 'crash-chek' "$("$RNULLCTL" crash-chek 2>&1 || echo "status $?")"
crash_check --from begin --to end --check "touch $scratch/n; test \$(wc -c <$scratch/n) -gt 0 || { echo >>$scratch/n; exit 1; }; head -c 9000 {} >/dev/null"
says 'a check that is not the same twice' '"check"' "$(found .not_deterministic)"
crash_check --from begin --to end --timeout 1 --check 'sleep 100'
same 'a check that hangs has failed' '1 "check: has not ended within 1 s"' "$status $(found '.failures[0].what')"
for moment in "$dev"/crash/*/fail-*; do rmdir "$moment"; done

# --- From scratch, as an ordinary user ------------------------------------------------------------------

mkdir -m 777 "$scratch/own"
chmod 755 "$scratch"
ordinary=()
((EUID != 0)) || ordinary=(setpriv --reuid=65534 --regid=65534 --clear-groups)
from_scratch() {
  "${ordinary[@]}" env TMPDIR="$scratch/own" "$RNULLCTL" crash-check --rnullfs "$RNULLFS" --size 1M "$@"
}
needs fusermount3
fuse_for_all
check 'a disk of his own' from_scratch --run 'dd if=/dev/urandom of={} bs=4k count=4 conv=notrunc,fsync status=none' --check 'cat {}'
same 'is gone afterwards' '' "$(ls "$scratch/own")"
check 'one that fails is gone, too, if it is to' not from_scratch --rm --run 'dd if=/dev/urandom of={} bs=4k count=4 conv=notrunc,fsync status=none' --check false
same 'it is' '' "$(ls "$scratch/own")"

# --- Interrupted -------------------------------------------------------------------------------------

"$RNULLCTL" crash-check --disk "$dev" --from begin --to end --json --check 'sleep 30' >"$scratch/json" &
ctl=$!
sleep 0.5
kill -INT "$ctl"
status=0
wait "$ctl" || status=$?
same 'ctrl-C' '2 true' "$status $(found .interrupted)"
same 'leaves no state' '' "$(states_left)"
check 'rmdir' within 5 rmdir "$dev"
