# shellcheck shell=bash disable=SC2034,SC2154 # what kill_points.sh sets
# Deaths while fault rules come and go, and while they fire: what kill_points.sh walks beside the rest.

rules() { names "$dev/faults"; }
make_a_rule() { mkdir "$dev/faults/x" && [[ $(rules) == 'new rules x' ]]; }
remove_a_rule() { rmdir "$dev/faults/x" && [[ $(rules) == 'new rules' ]]; }
make_and_remove_a_rule() { make_a_rule && remove_a_rule; }
switch_a_rule() { put 1 "$dev/faults/x/enabled" && put 0 "$dev/faults/x/enabled" && put "$1" "$dev/faults/x/sectors"; }
two_lines() {
  put 'read 8-15 error' "$dev/faults/new" && put 'read 8-15 error' "$dev/faults/new" && [[ $(rules) == 'new rule1 rule2 rules' ]] &&
    put '' "$dev/faults/rules" && [[ $(rules) == 'new rules' ]]
}
read_one() { dd if="$dev/disk" of=/dev/null bs=512 count=1 skip="$1" iflag=direct status=none; }
# Fails once, as times has it, and no more and no less though it comes again.
fails_once() {
  put 'x: read error EIO times 1' "$dev/faults/new" && not read_one 0 && read_one 0 && counted x '2 1'
}
counted() {
  local got
  got=$(cat "$dev/faults/$1/seen" "$dev/faults/$1/hits" | xargs)
  [[ $got == "$2" ]] || { echo "$1 has counted $got, not $2"; return 1; }
}
hang_and_go_on() {
  put 'x: read hang' "$dev/faults/new"
  local readers=() i
  for i in 0 1 2; do
    read_one "$i" &
    readers+=($!)
  done
  within 5 three_hang && put 0 "$dev/faults/x/enabled" && wait "${readers[@]}" && counted x '3 3'
}
three_hang() { [[ $(<"$dev/faults/x/pending") == 3 ]]; }
delayed() { put 'x: read delay 20ms' "$dev/faults/new" && read_one 0 && counted x '1 1'; }

walk_faults() {
  datapath=daemon
  make_disk faulty '{"size": 16}'
  each "${saving[@]}" rule-page-made rule-counts-begun rules-replaced received answered -- 'mkdir and rmdir of a rule' \
    make_and_remove_a_rule
  each rule-page-made rule-counts-begun rules-replaced received answered -- 'rules by lines' two_lines
  make_a_rule
  each "${saving[@]}" rule-counts-begun rules-replaced received answered -- 'a rule on and off' switch_a_rule 8-15
  each fault-counted rule-counts-begun rules-replaced received -- 'a rule that fires once' fails_once
  each fault-counted rules-replaced received -- 'requests that hang' hang_and_go_on
  each fault-counted rules-replaced received -- 'a delay' delayed
  remove_a_rule
  switch_off
  rmdir "$dev"
}
