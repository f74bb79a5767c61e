#!/bin/bash
# What guard and worker ask of the kernel against a lack of memory, what it says when it refuses,
# and a mount whose own memory is limited.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../memory_group.sh"
needs root fuse jq capsh
mib=$((1 << 20))
status() { field "$mnt/status.json" "$1"; }
locked_kib() { awk '/^VmLck:/ { print $2 }' "/proc/$1/status"; }

# --- What is granted ------------------------------------------------------------------------------

mount_rnullfs -o nr_devices=0 2>"$scratch/stderr"
guard=$(status .guard_pid)
# A thread's flags (include/linux/sched.h): PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE, which is what
# PR_SET_IO_FLUSHER sets.  A name may have blanks, but ends with a parenthesis.
flushers() { sed 's/.*) //' /proc/"$1"/task/*/stat | awk '{ print $7 }' | while read -r flags; do
  echo $(((flags & 0x180000) == 0x180000))
done | sort -u; }
# granted WHAT FIELD COMMAND...
granted() {
  local what=$1
  if [[ $(status "$2") == true ]]; then
    check "$what" "${@:3}"
  else
    skip_check "$what" 'the kernel refuses that here'
    says '  which is said' "kernel refused .*${what##* }" "$(<"$scratch/stderr")"
  fi
}
io_flusher() { [[ $(flushers "$daemon") == 1 ]]; }
in_memory() { (($(locked_kib "$daemon") > 0 && $(locked_kib "$guard") > 0)); }
scores() { [[ $(cat "/proc/$daemon/oom_score_adj" "/proc/$guard/oom_score_adj" | xargs) == '-900 -1000' ]]; }
granted 'every thread of the worker is a PR_SET_IO_FLUSHER' .io_flusher io_flusher
granted 'guard and worker are locked in memory by mlockall' .locked_in_memory in_memory
granted 'they are the last that are ended, by oom_score_adj' .oom_score_lowered scores
check 'on fault only: little is resident' test "$(awk '/^VmRSS:/ { print $2 }' \
  "/proc/$daemon/status")" -lt 65536

# Another worker asks for the same.
before=$(status '"\(.io_flusher) \(.locked_in_memory) \(.oom_score_lowered)"')
kill -KILL "$daemon"
daemon=$(status .worker_pid)
same 'the next worker has the same' "$before" \
  "$(status '"\(.io_flusher) \(.locked_in_memory) \(.oom_score_lowered)"')"
granted 'its threads, too: PR_SET_IO_FLUSHER' .io_flusher io_flusher
granted 'in memory, by mlockall' .locked_in_memory in_memory
granted 'and scored, by oom_score_adj' .oom_score_lowered scores

# --- What is refused ------------------------------------------------------------------------------

mnt=$(mktemp -d "$scratch/mnt.XXX")
# shellcheck disable=SC2016 # for the inner shell
capsh --drop=cap_ipc_lock,cap_sys_resource -- -c 'ulimit -l 0; "$@"' - "$RNULLFS" \
  -o nr_devices=0 "$mnt" 2>"$scratch/stderr"
daemons+=("$(status .worker_pid)")
same 'all refused' 'false false false' \
  "$(status '"\(.io_flusher) \(.locked_in_memory) \(.oom_score_lowered)"')"
same 'that is one line' 1 "$(wc -l <"$scratch/stderr")"
says 'which names each and says what it means' \
  '^rnullfs: the kernel refused PR_SET_IO_FLUSHER.*mlockall.*oom_score_adj.*memory runs out' \
  "$(<"$scratch/stderr")"
make_disk d '{"size": 8}'
random_file "$scratch/random" 8
check 'and it serves all the same' dd if="$scratch/random" of="$dev/disk" bs=1M conv=notrunc
check '  what was written' cmp "$dev/disk" "$scratch/random"

# --- Less memory than the disk is large -----------------------------------------------------------


if ! find_groups; then
  skip_check 'a mount in a memory group' 'none can be made'
  exit
fi
random_file "$scratch/random" 192
program=$RNULLFS
# fills LIMIT-OPTION: guard and worker have 192 MiB; ENOSPC, and nobody is ended.
fills() {
  make_group $((192 * mib))
  # shellcheck disable=SC2016 # for that script
  printf '#!/bin/bash\necho $$ >%q/cgroup.procs && exec %q "$@"\n' "$group" "$program" \
    >"$scratch/in-group"
  chmod +x "$scratch/in-group"
  RNULLFS=$scratch/in-group mount_rnullfs -o "nr_devices=0$1"
  make_disk large '{"size": 1024, "datapath": "daemon"}'
  refused ENOSPC "a disk larger than its group${1/,/, }" timeout 60 dd if="$scratch/random" \
    of="$dev/disk" bs=1M conv=notrunc
  local stored
  stored=$(stored_mib "$dev")
  check "after a good part of it: $stored MiB" test "$stored" -ge 64
  check 'what it took is intact' cmp -n $((stored * mib)) "$dev/disk" "$scratch/random"
  fallocate --punch-hole --length 32M "$dev/disk"
  check 'after a discard there is room' dd if="$scratch/random" of="$dev/disk" bs=1M count=24 \
    seek=800 conv=notrunc
  check '  for the same bytes' cmp -n $((24 * mib)) -i $((800 * mib)):0 "$dev/disk" "$scratch/random"
  same 'nobody was ended for it' '0 0' "$(oom_kills) $(status .workers_replaced)"
}
fills ''
check 'memory_limit is less than the group has by itself' test "$(status .memory_limit)" -lt \
  $((192 * mib))
fills ',memory_limit=none'
