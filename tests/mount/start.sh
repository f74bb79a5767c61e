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

# --- Threads and processes ------------------------------------------------------------------------

# A control group of processes, in $pids; as root, where there is the controller.
make_pids_group() {
  ((EUID == 0)) || return
  pids=/sys/fs/cgroup/pids
  [[ -d $pids ]] || pids=/sys/fs/cgroup
  pids+=/rnullfs-test-$$
  mkdir "$pids" 2>/dev/null || return
  groups+=("$pids")
  [[ -w $pids/pids.max ]]
}
# in_pids LIMIT COMMAND...
in_pids() {
  echo "$1" >"$pids/pids.max"
  # shellcheck disable=SC2016 # for the inner shell
  timeout 30 bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$pids" "${@:2}"
}
nobody_in_pids() { (($(<"$pids/pids.current") == 0)); }
# Nothing may be made any more.
close_pids() { cat "$pids/pids.current" >"$pids/pids.max"; }

if make_pids_group; then
  # From one process on, until all threads can be had.
  for limit in 1 2 3 4 5 6 7 8 12; do
    status=0
    in_pids "$limit" "$RNULLFS" -o size=8,memory_backed,power "$mnt" \
      >"$scratch/said" 2>&1 </dev/null || status=$?
    if ((status == 0)); then
      started "pids.max=$limit: it serves"
      unmount "$mnt"
    else
      same "pids.max=$limit: refused, and nothing is mounted" '' "$(mounts_here)"
      says '  in words' '(process|thread|fork)' "$(<"$scratch/said")"
    fi
    check '  and nobody stays behind' within 10 nobody_in_pids
  done
  same 'the last one serves' 0 "$status"

  in_pids 64 "$RNULLFS" -o size=8,memory_backed,power "$mnt" 2>/dev/null
  started 'pids.max is reached while it serves:'
  close_pids
  same '  a disk opens, and has its data' data "$(timeout 10 head -c 4 "$mnt/rnullb0/disk")"
  check '  mkdir' mkdir "$mnt/d"
  put '{"irqmode": 2, "completion_nsec": 1000000, "memory_backed": true, "power": true}' \
    "$mnt/d/config.json"
  same '  a delayed answer' 4096 "$(timeout 10 head -c 4096 "$mnt/d/disk" | wc -c)"
  check '  rmdir' rmdir "$mnt/d"
  same '  by the same worker' 0 "$(field "$mnt/status.json" .workers_replaced)"
  # The dead worker's threads are taken by others: one more process is all there is room for.
  guard=$(field "$mnt/status.json" .guard_pid)
  kill -STOP "$guard"
  kill -KILL "$daemon"
  check '  the worker dies' within 10 gone "$daemon"
  echo $(($(<"$pids/pids.current") + 1)) >"$pids/pids.max"
  kill -CONT "$guard"
  sleep 0.5
  echo 64 >"$pids/pids.max"
  same '  another one waits until it can serve' data "$(timeout 20 head -c 4 "$mnt/rnullb0/disk")"
  same '  which is the next' 1 "$(field "$mnt/status.json" .workers_replaced)"
  daemons+=("$(field "$mnt/status.json" .worker_pid)")
  unmount "$mnt"
  check '  nobody stays behind' within 10 nobody_in_pids
else
  skip_check 'a limit on processes' 'control groups of processes cannot be made here'
fi

# --- Memory ---------------------------------------------------------------------------------------

# An ever smaller address space: it serves, or says what it lacks.  Sanitizers need more than there
# is memory.
limited_memory() { (ulimit -v "$1" && shift && exec "$@"); }
if ! grep -qs __asan_init "$RNULLFS" && ! grep -qs __tsan_init "$RNULLFS"; then
  for kib in 30000 50000 80000 110000 140000 170000 200000; do
    status=0
    limited_memory "$kib" timeout 30 "$RNULLFS" -o size=8,memory_backed,power "$mnt" \
      >"$scratch/said" 2>&1 </dev/null || status=$?
    if ((status == 0)); then
      daemons+=("$(field "$mnt/status.json" .worker_pid)")
      check "ulimit -v $kib: it serves" mkdir "$mnt/d"
      unmount "$mnt"
    else
      same "ulimit -v $kib: refused, and nothing is mounted" '' "$(mounts_here)"
      says '  in words' '.' "$(grep -v PR_SET_IO_FLUSHER "$scratch/said")"
    fi
  done
fi

# --- What a mount needs ---------------------------------------------------------------------------

if ((EUID == 0)) && command -v setpriv >/dev/null; then
  chmod 755 "$scratch"
  mkdir -m 777 "$scratch/nobody"
  refused_start 'an ordinary user without fusermount3' '^rnullfs: .*package fuse3' \
    setpriv --reuid=65534 --regid=65534 --clear-groups env PATH=/nowhere "$RNULLFS" "$scratch/nobody"
else
  skip_check 'an ordinary user without fusermount3' 'not root, or no setpriv'
fi
if ((EUID == 0)); then
  # shellcheck disable=SC2016 # for the inner shell
  check 'without /proc it serves' unshare --mount bash -c \
    'umount --lazy /proc && "$0" -o size=8,power "$1" 2>"$1.said"; head -c 1 "$1/rnullb0/disk" && umount "$1"' \
    "$RNULLFS" "$mnt"
  says '  without a guard, and says so' '^rnullfs: there is no /proc' "$(<"$mnt.said")"
else
  skip_check 'without /proc' 'not root'
fi

# --- Interrupted ----------------------------------------------------------------------------------

# What the command says when it has returned is true from then on: a mount, or nothing of one.

# interrupted SIGNAL TARGET DELAY: `$status`, with the signal sent to the command (TARGET "") or to its
# whole group, as Ctrl-C does ("-").
interrupted() {
  local pid
  setsid env --default-signal=INT "$RNULLFS" -o nr_devices=0 "$mnt" 2>>"$scratch/said" &
  pid=$!
  sleep "$3"
  kill "-$1" -- "$2$pid" 2>/dev/null || true
  status=0
  wait "$pid" || status=$?
}
came=0 strays=''
for ((i = 0; i < 40; ++i)); do
  case $((i % 4)) in
    0) interrupted INT - "0.0$((100 + i))" ;;
    1) interrupted TERM '' "0.00$((10 + i))" ;;
    2) interrupted TERM - "0.0$((100 + i))" ;;
    3) interrupted HUP '' "0.0$((100 + i * 5))" ;;
  esac
  if ((status == 0)); then
    mountpoint -q "$mnt" && unmount "$mnt" || strays+=" $i: status 0, and no mount;"
  else
    came=$((came + 1))
    [[ -z $(mounts_here) ]] || strays+=" $i: status $status, and $(mounts_here);"
  fi
done
same 'interrupted at some moments of its start, a command leaves what its status says' '' "$strays"
check '  and was, at some' test "$came" -gt 0
