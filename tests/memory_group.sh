# shellcheck shell=bash
# Groups of processes that may take little memory (memory control groups, of either version).
# Sourced after lib.sh, which it tells to remove them.

# The directory below which this shell may make them; fails where there is none.
find_groups() {
  local path mount=/sys/fs/cgroup limit=memory.max
  path=$(sed -n 's/^[0-9]*:\([^:]*,\)\?memory\(,[^:]*\)\?://p' /proc/self/cgroup)
  if [[ -n $path ]]; then
    mount+=/memory limit=memory.limit_in_bytes
  else
    path=$(sed -n 's/^0:://p' /proc/self/cgroup)
  fi
  while :; do
    groups_in=$mount${path%/}
    local probe=$groups_in/rnullfs-probe-$$
    if mkdir "$probe" 2>/dev/null; then
      if [[ -w $probe/$limit ]]; then
        rmdir "$probe"
        return
      fi
      rmdir "$probe"
    fi
    [[ -n ${path%/} ]] || return
    path=${path%/*}
  done
}

needs_groups() {
  find_groups || cannot_run 'memory control groups cannot be made here'
}

# make_group BYTES: a new one, in $group.
make_group() {
  group=$groups_in/rnullfs-test-$$-${#groups[@]}
  mkdir "$group"
  groups+=("$group")
  if [[ -e $group/memory.max ]]; then
    echo "$1" >"$group/memory.max"
    # What swaps feels no limit.
    [[ ! -e $group/memory.swap.max ]] || echo 0 >"$group/memory.swap.max"
  else
    echo "$1" >"$group/memory.limit_in_bytes"
  fi
}

# in_group COMMAND...: runs it as a member of $group.
in_group() {
  # shellcheck disable=SC2016 # for the inner shell
  bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"
}

# How many processes of $group the kernel has ended for want of memory.
oom_kills() { cat "$group"/memory.{events,oom_control} 2>/dev/null | sed -n 's/^oom_kill //p'; }

# How often $group wanted more than it may have.
at_limit() {
  if [[ -e $group/memory.failcnt ]]; then
    cat "$group/memory.failcnt"
  else
    sed -n 's/^max //p' "$group/memory.events"
  fi
}

# Whether a disk's pages are charged to the group of who writes to a loop device on it, when the
# kernel serves the disk ("loop: charge i/o to mem and blk cg", Linux 5.14).
charges_writer() { [[ -e $group/memory.max ]]; }
