# shellcheck shell=bash disable=SC2034,SC2154 # what kill_points.sh sets
# Deaths while the power is cut: what kill_points.sh walks beside the rest.  However often the worker
# dies within it, it is one cut, and leaves what a cut leaves.

cuts() { field "$dev/stats.json" .power_cuts.count; }
off_and_gone() { [[ $(<"$dev/power") == 0 && ! -e $dev/disk ]]; }
begin() { put 1 "$dev/power" && cp --sparse=always "$image" "$scratch/durable"; }
# Nothing is lost that was durable, and all that was not.
cut_and_look() {
  local before
  before=$(cuts)
  put cut "$dev/power" && within 5 off_and_gone && [[ $(cuts) == $((before + 1)) ]] || return
  put 1 "$dev/power" && cmp "$dev/disk" "$scratch/durable"
}
# cut_each POINT... -- WHAT COMMAND...: each on a disk that has been written to since its last flush.
cut_each() {
  local points=()
  while [[ $1 != -- ]]; do points+=("$1"); shift; done
  for point in "${points[@]}"; do
    patch $((++place)) 0 2000000
    sync "$dev/disk"
    cp --sparse=always "$image" "$scratch/durable"
    patch $((++place)) 1000000 1500000
    dies_at "$point" "$@"
    cp --sparse=always "$scratch/durable" "$image"
  done
}
# While somebody has it, who hears of it whoever serves.
cut_while_held() {
  exec 7<>"$dev/disk"
  put cut "$dev/power" && not dd bs=512 count=1 status=none <&7 && not cat "$dev/disk" && [[ -e $dev/disk ]] || return
  exec 7>&-
  within 5 off_and_gone && put 1 "$dev/power" && cmp "$dev/disk" "$scratch/durable"
}
cut_all() {
  put cut "$mnt/power" && [[ $(cat "$mnt"/{cut,other}/power | xargs) == '0 0' ]] || return
  put 1 "$mnt/cut/power" && put 1 "$mnt/other/power" && cmp "$dev/disk" "$scratch/durable" && [[ $(head -c 1 "$mnt/other/disk") == y ]]
}

walk_cuts() {
  datapath=daemon
  make_disk other '{"size": 16, "history": 16}'
  local settings points
  for settings in '{"size": 16, "history": 16}' '{"size": 16, "cache_size": 8}'; do
    make_disk cut "$settings"
    rm -f "$image"
    truncate -s 16M "$image"
    points=(cut-begun cut-counted cut-made cut-held "${saving[@]}" received answered)
    if [[ $settings == *history* ]]; then points+=(cut-noted page-cut version-kept); fi
    cut_each "${points[@]}" -- "a cut of $settings" cut_and_look
    cut_each cut-begun cut-counted cut-made cut-held unsaved saved -- "the same while it is open" cut_while_held
    printf y | dd of="$mnt/other/disk" conv=notrunc,fsync status=none
    cut_each blackout-noted blackout-cut-one cut-begun cut-made -- "a cut of all" cut_all
    put 0 "$dev/power"
    rmdir "$dev"
  done
  put 0 "$mnt/other/power"
  rmdir "$mnt/other"
}
