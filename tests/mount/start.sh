#!/bin/bash
# A start where something is missing or in short supply: it works all the same, or says in words what
# it lacks and leaves no mount.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3

mnt=$scratch/mnt
mkdir "$mnt"

# started WHAT: a mount is there, and its disk keeps what is written.
started() {
  daemon=$(field "$mnt/status.json" .worker_pid)
  daemons+=("$daemon")
  same "$1" '4 data' "$(sys "$mnt/rnullb0/disk" O_RDWR pwrite 0 data text 0 4)"
}

# refused_start WHAT PATTERN COMMAND...: the command fails and says so, and nothing is mounted.
refused_start() {
  local what=$1 pattern=$2 status=0
  shift 2
  "$@" >"$scratch/said" 2>&1 </dev/null || status=$?
  same "$what: exit status and mounts" 1 "$status$(mounts_here)"
  says '  what it says' "$pattern" "$(<"$scratch/said")"
}

# --- Descriptors 0 to 2 ---------------------------------------------------------------------------

# As cron jobs and some supervisors start programs.
run_closed() {
  case $1 in
    01) timeout 30 "$RNULLFS" -o size=8,memory_backed,power "$mnt" <&- >&- ;;
    2) timeout 30 "$RNULLFS" -o size=8,memory_backed,power "$mnt" 2>&- ;;
    012) timeout 30 "$RNULLFS" -o size=8,memory_backed,power "$mnt" <&- >&- 2>&- ;;
  esac
}
for closed in 01 2 012; do
  status=0
  run_closed $closed || status=$?
  same "descriptors $closed closed: the command returns" 0 "$status"
  started '  and it serves'
  guard=$(field "$mnt/status.json" .guard_pid)
  for pid in "$guard" "$daemon"; do
    same '  its descriptors 0 to 2 lead nowhere' '/dev/null /dev/null /dev/null' \
      "$(readlink "/proc/$pid/fd/"{0,1,2} | xargs)"
  done
  unmount "$mnt"
done

# In the foreground stderr stays what it is: a log line must not get into what the guard keeps.
"$RNULLFS" -f -o size=8,memory_backed,power "$mnt" 2>&- &
within 10 test -e "$mnt/features"
started 'in the foreground without stderr: it serves'
guard=$(field "$mnt/status.json" .guard_pid)
kill -KILL "$daemon"
another() { [[ $(field "$mnt/status.json" .workers_replaced) == 1 ]]; }
check '  another worker reads the state' within 10 another
same '  and has the data' data "$(head -c 4 "$mnt/rnullb0/disk")"
daemons+=("$(field "$mnt/status.json" .worker_pid)")
unmount "$mnt"

# --- A limit on the size of files -----------------------------------------------------------------

limited_files() { (ulimit "$1" 100 && shift && exec "$@"); }
refused_start 'ulimit -f' '^rnullfs: .*ulimit -f unlimited' \
  limited_files -f "$RNULLFS" -o size=8,memory_backed,power "$mnt"
limited_files -Sf "$RNULLFS" -o size=8,memory_backed,power "$mnt"
started 'a soft limit on the size of files is raised'
unmount "$mnt"
