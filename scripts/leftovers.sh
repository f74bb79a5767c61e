# shellcheck shell=bash
# What tests may leave behind: daemons, loop devices and mounts.  Sourced by scripts/test.
#
# Ours are the programs of our build directories; what lies below $TMPDIR; and mounts of rnullfs whose
# daemon is gone, with the loop devices on them, for they serve nobody.  What other checkouts on the
# machine are doing is neither reported nor touched.
: "${root:?}" "${TMPDIR:?}"

our_daemons() {
  local process executable
  for process in /proc/[0-9]*; do
    executable=$(readlink "$process/exe" 2>/dev/null) || continue
    case $executable in
      "$root"/build*/*) say "daemon ${process##*/} $(tr '\0' ' ' <"$process/cmdline")" ;;
    esac
  done
}

our_mounts() {
  local mount
  # The table escapes blanks in names.
  awk '/ - fuse\.rnullfs / { print $5 }' /proc/self/mountinfo | while read -r mount; do
    printf -v mount '%b' "${mount//\\/\\0}"
    if [[ $mount == "$TMPDIR"/* ]] || LC_ALL=C stat "$mount" 2>&1 | grep -q 'not connected'; then
      say "mount $mount"
    fi
  done
}

our_loops() {
  local loop file place places=("$TMPDIR")
  while read -r _ place; do places+=("$place"); done < <(our_mounts)
  losetup --noheadings --list --output NAME,BACK-FILE 2>/dev/null | while read -r loop file; do
    for place in "${places[@]}"; do
      if [[ $file == "$place"/* ]]; then
        say "loop $loop on $file"
        break
      fi
    done
  done
}

# new_ones KIND BEFORE: of `our_KIND` the lines that are not among the lines BEFORE.
new_ones() { "our_$1" | grep -vxF -f <(printf '%s\n' "$2") || :; }

# What there is already, for remove_leftovers.
all_of_ours() {
  our_daemons
  our_loops
  our_mounts
}

# remove_leftovers BEFORE: names what has been left behind since all_of_ours printed BEFORE, and takes
# it away.  Returns 0 when there was nothing.
remove_leftovers() {
  local kind thing what clean=0
  # In this order: without its daemon a mount shows itself as ours, and a loop device keeps it busy.
  for kind in daemons loops mounts; do
    while read -r thing what; do
      clean=1
      say "left behind: $thing $what"
      case $thing in
        daemon)
          kill -KILL "${what%% *}"
          timeout 5 tail --pid="${what%% *}" -f /dev/null
          ;;
        loop) losetup --detach "${what%% *}" ;;
        mount) umount --lazy "$what" 2>/dev/null || fusermount3 -u -z "$what" ;;
      esac
    done < <(new_ones "$kind" "$1")
  done
  return $clean
}
