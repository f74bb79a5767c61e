# shellcheck shell=bash
# What the tests of real mounts share.  Sourced: `. "$(dirname "$0")/../lib.sh"`.
#
# A test is a script: it says what it needs, mounts, and makes its checks.  Each check prints one
# line of TAP, what was expected and what came below it when it fails; the plan is printed at the
# end, so that a test which breaks off halfway has not passed.
#
# Everything happens in a directory of the test's own, $scratch.  What is mounted below it, the loop
# devices on files in it and the daemons that serve it are taken down when the test ends, fails or
# is interrupted; hence tests can run beside each other.
#
# RNULLFS is the program under test; without it, build/rnullfs.  rnullctl is the one beside it.
set -eEuo pipefail
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
umask 022

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
RNULLFS=$(realpath "${RNULLFS:-$tests/../build/rnullfs}")
RNULLCTL=$(realpath "${RNULLCTL:-$(dirname "$RNULLFS")/rnullctl}")
export RNULLFS RNULLCTL
scratch=$(realpath "$(mktemp -d "${TMPDIR:-/tmp}/rnullfs-test.XXXXXX")")
chmod 755 "$scratch" # tests act as other users, too
checks=0
failures=0
daemons=()
loops=()
groups=()

# --- Checks ---------------------------------------------------------------------------------------

pass() { echo "ok $((++checks)) - ${1//$'\n'/ }"; }

# fail WHAT LINE...
fail() {
  echo "not ok $((++checks)) - ${1//$'\n'/ }"
  failures=$((failures + 1))
  shift
  printf '%s\n' "$@" | sed 's/^/#   /'
}

# skip_check WHAT WHY: a check that this machine cannot make.
skip_check() { echo "ok $((++checks)) - $1 # SKIP $2"; }

# check WHAT COMMAND...: the command succeeds.
check() {
  local what=$1 status=0
  shift
  "$@" >"$scratch/output" 2>&1 </dev/null || status=$?
  if ((status == 0)); then
    pass "$what"
  else
    fail "$what" "this ended with status $status: $*" "$(tail -n 20 "$scratch/output")"
  fi
}

# same WHAT EXPECTED GOT
same() {
  if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1" "expected: $2" "got:      $3"; fi
}

# says WHAT PATTERN TEXT: an extended regular expression is found in the text.
says() {
  if grep -qE -e "$2" <<<"$3"; then pass "$1"; else fail "$1" "expected: $2" "got:      $3"; fi
}

declare -A errno_text=(
  [EACCES]='Permission denied' [EIO]='Input/output error' [EFAULT]='Bad address' [ETIMEDOUT]='Connection timed out' [EBUSY]='(Device or resource|target is) busy' [EEXIST]='File exists'
  [EINVAL]='Invalid argument' [ENAMETOOLONG]='File name too long'
  [ENODEV]='No such device' [ENOENT]='No such file or directory' [ENOSPC]='No space left on device'
  [ENOTDIR]='Not a directory' [EOPNOTSUPP]='(Operation not |mode is un)supported' [EPERM]='Operation not permitted' [EROFS]='Read-only file system')

# refused ERRNO WHAT COMMAND...: the command fails, and in the words of that errno.
refused() {
  local errno=$1 what=$2 status=0
  shift 2
  "$@" >"$scratch/output" 2>&1 </dev/null || status=$?
  if ((status != 0)) && grep -qE "${errno_text[$errno]}" "$scratch/output"; then
    pass "$what: $errno"
  else
    fail "$what: $errno" "this ended with status $status: $*" "$(tail -n 20 "$scratch/output")"
  fi
}

# within SECONDS COMMAND...: waits until the command succeeds.  A busy machine has more time than that,
# unless $slack is 1.
within() {
  local deadline=$((SECONDS + $1 * ${slack:-6}))
  shift
  until "$@"; do
    ((SECONDS <= deadline)) || return 1
    sleep 0.02
  done
}

not() { ! "$@"; }

# Whether the program is built with AddressSanitizer, whose memory is its own affair.
sanitized() { grep -qa __asan_init "$RNULLFS"; }

# --- What a test needs ----------------------------------------------------------------------------

# needs root|fuse|loop|COMMAND...: ends the test as skipped where one of them is not to be had; with
# CI=true as failed, because there nobody would notice that nothing is tested any more.
needs() {
  local need
  for need; do
    case $need in
      root) ((EUID == 0)) || cannot_run 'it needs root' ;;
      fuse)
        [[ -c /dev/fuse ]] || cannot_run 'there is no /dev/fuse (modprobe fuse?)'
        [[ -r /dev/fuse && -w /dev/fuse ]] || cannot_run 'we may not open /dev/fuse'
        if ((EUID != 0)); then
          needs fusermount3
        elif ! has_capability 21; then
          cannot_run 'to mount, root needs CAP_SYS_ADMIN'
        fi
        ;;
      loop) loops_work || cannot_run 'loop devices cannot be attached (modprobe loop?)' ;;
      *) command -v "$need" >/dev/null || cannot_run "there is no $need" ;;
    esac
  done
}

cannot_run() {
  if [[ ${CI-} == true ]]; then
    echo "Bail out! $1"
    exit 1
  fi
  echo "1..0 # SKIP $1"
  trap - EXIT
  rm -rf "$scratch"
  exit 0
}

# has_capability BIT
has_capability() { ((0x$(awk '/^CapEff:/ { print $2 }' /proc/self/status) >> $1 & 1)); }

# Without udev /dev/fuse is root's alone: here everybody may open it. As root only in a test that
# sources own_namespace.sh.
fuse_for_all() {
  ((EUID == 0)) || return 0
  if [[ $(stat -c %a /dev/fuse) != 666 ]]; then
    mknod -m 666 "$scratch/fuse" c 10 229 2>/dev/null || cannot_run 'only root may open /dev/fuse'
    mount --bind "$scratch/fuse" /dev/fuse
  fi
}

loops_work() {
  local probe
  truncate -s 1M "$scratch/probe"
  probe=$(losetup --find --show "$scratch/probe" 2>/dev/null) && losetup --detach "$probe"
}

# --- Mounts, devices, loop devices ----------------------------------------------------------------

# mount_rnullfs [OPTION...]: mounts on a new directory $mnt, served by the process $daemon.
mount_rnullfs() {
  mnt=$(mktemp -d "$scratch/mnt.XXX")
  "$RNULLFS" "$@" "$mnt"
  daemon=$(field "$mnt/status.json" .worker_pid)
  daemons+=("$daemon")
}

unmount() {
  if ((EUID == 0)); then umount "$@"; else fusermount3 -u "$@"; fi
}

# make_disk NAME JSON: a new device in $mnt, powered on, its directory in $dev.  One that keeps what
# is written to it, if JSON does not say otherwise.
# Who serves it is the test's or the environment's wish.
datapath=${RNULLFS_DATAPATH:-auto}
make_disk() {
  dev=$mnt/$1
  mkdir "$dev"
  jq --arg datapath "$datapath" '{memory_backed: true, discard: true, blocksize: 512, size: 64, datapath: $datapath} + .
    + {power: true}' <<<"$2" >"$scratch/make.json"
  put "$(<"$scratch/make.json")" "$dev/config.json"
}

# Whether the mount $mnt can have passthrough.
passthrough_possible() { [[ $(field "$mnt/status.json" .passthrough) == possible ]]; }

# field FILE JQ-EXPRESSION: what a JSON file says.
field() { jq -r "$2" "$1"; }

# put VALUE FILE: as `echo VALUE >FILE` does.
put() { echo "$1" >"$2"; }

# attach LOSETUP-OPTION... FILE: a loop device, in $loop.
attach() {
  loop=$(losetup --find --show "$@") || return
  loops+=("$loop")
}

# detach LOOP: returns when the loop device has let go of its file.
detach() {
  losetup --detach "$1"
  local i
  for i in "${!loops[@]}"; do
    [[ ${loops[i]} != "$1" ]] || unset "loops[i]"
  done
  within 5 loop_is_free "$1"
}

loop_is_free() { ! losetup "$1" >/dev/null 2>&1; }

# names DIRECTORY: what is in it, on one line.
names() { (cd "$1" && echo *); }

# sys FILE FLAGS CALL...: system calls that no command makes in that way; see syscalls.py.
sys() { python3 "$tests/syscalls.py" "$@"; }

# random_file FILE MIB
random_file() { head -c "$(($2 << 20))" /dev/urandom >"$1"; }

# stored_mib DIRECTORY: what a device's store holds.
stored_mib() { echo $(($(field "$1/stats.json" .stored_bytes) >> 20)); }

# --- The end --------------------------------------------------------------------------------------

# Mounts below $scratch, the latest first: "TYPE DIRECTORY".
mounts_here() {
  awk -v here="$scratch/" 'index($5, here) == 1 {
    for (i = 6; $i != "-"; ++i) {}
    print $(i + 1), $5
  }' /proc/self/mountinfo | tac
}

unmount_all() {
  local which=$1 type directory
  while read -r type directory; do
    # shellcheck disable=SC2053 # a pattern
    [[ $type == $which ]] || continue
    within 2 unmount "$directory" 2>/dev/null || umount --lazy "$directory" ||
      fusermount3 -uz "$directory"
  done < <(mounts_here)
}

detach_all() {
  ((EUID == 0)) || return 0
  local name file
  while read -r name file; do
    # A file on a mount that is gone already has lost the beginning of its path.  The name alone may
    # have come to be that of another test's.
    if [[ $file == "$scratch"/* ||
      ($file != */rnullfs-test.* && " ${loops[*]-} " == *" $name "*) ]]; then
      losetup --detach "$name"
    fi
  done < <(losetup --noheadings --list --raw --output NAME,BACK-FILE)
}

# A process that has ended, though its parent may not have looked yet.
gone() { ! grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"; }

# clean_up [STATUS].  Each trap calls this itself, and signals are ignored first: a trap that did no
# more than exit would end a clean-up which has just begun.
clean_up() {
  local status=${1:-$?} pid
  trap '' HUP INT TERM
  trap - EXIT ERR
  set +e
  exec 3>&- 4>&-
  # What is on loop devices, then these, then what they stand on.
  unmount_all '!(fuse.rnullfs)'
  detach_all
  unmount_all '*'
  for pid in "${daemons[@]}"; do
    if ! within 10 gone "$pid"; then
      fail 'the daemon ends with its mount' "process $pid did not"
      kill -KILL "$pid"
    fi
  done
  for group in "${groups[@]}"; do within 5 rmdir "$group" 2>/dev/null; done
  rm -rf --one-file-system "$scratch"
  ((status == 0)) || exit "$status"
  echo "1..$checks"
  exit $((failures > 0))
}

# A command that no check is about has failed.
bail_out() {
  ((BASH_SUBSHELL > 0)) || echo "Bail out! line ${BASH_LINENO[-2]} failed: $BASH_COMMAND"
}

shopt -s extglob
trap clean_up EXIT
trap bail_out ERR
trap 'clean_up 129' HUP
trap 'clean_up 130' INT
trap 'clean_up 143' TERM
