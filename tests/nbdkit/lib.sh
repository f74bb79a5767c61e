# shellcheck shell=bash
# What the tests of the nbdkit plugin share.  Sourced: `. "$(dirname "$0")/lib.sh"`.
#
# PLUGIN is the plugin under test; without it, that of build/.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
PLUGIN=$(realpath "${PLUGIN:-$tests/../build/src/nbdkit/nbdkit-rnullfs-plugin.so}")
mkdir -m 700 "$scratch/nbd"
uri="nbd+unix:///?socket=$scratch/nbd/socket"
log=$scratch/nbdkit.log

# serve KEY=VALUE...: a disk behind $uri until `stop`, or this script ends.
serve() {
  rm -f "$scratch/nbd/pid" "$scratch/nbd/socket"
  (
    umask 077
    exec nbdkit -f --exit-with-parent -U "$scratch/nbd/socket" -P "$scratch/nbd/pid" "$PLUGIN" "$@" 2>"$log"
  ) &
  server=$!
  within 20 test -s "$scratch/nbd/pid" || fail 'it serves' "$(<"$log")"
}

stop() {
  local status=0
  kill "$server"
  wait "$server" || status=$?
  same 'it ends well' 0 "$status"
}

# tells WHAT PATTERN KEY=VALUE...: nbdkit does not serve, and says so.
tells() {
  local what=$1 pattern=$2
  shift 2
  if timeout 20 nbdkit -f -U "$scratch/nbd/none" "$PLUGIN" "$@" 2>"$log"; then
    fail "$what" 'it served'
  else
    says "$what" "$pattern" "$(<"$log")"
  fi
}

# io COMMAND...: qemu-io's, one after the other; what each has done.
io() {
  local command commands=()
  for command; do commands+=(-c "$command"); done
  qemu-io -f raw "${commands[@]}" "$uri" 2>&1 | grep -v ' ops; ' || true
}

# map: what is stored where, "OFFSET LENGTH data|hole,zero" on one line.
map() { nbdinfo --map "$uri" | awk '{ printf "%s%s %s %s", (NR > 1 ? ", " : ""), $1, $2, $4 }'; }
