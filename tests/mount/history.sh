#!/bin/bash
# The history of a disk: at/ shows every moment that it has, and rollback goes back to one.
. "$(dirname "$0")/../lib.sh"
needs fuse jq
history() { field "$dev/stats.json" "\"\\(.sequence_oldest) \\(.sequence)\""; }
now() { field "$dev/stats.json" .sequence; }
last_error() { cat "$dev/last_error"; }

kill_worker() {
  local before
  before=$(field "$mnt/status.json" .worker_pid)
  kill -KILL "$before"
  within 5 served_by_another "$before"
}
served_by_another() { [[ $(field "$mnt/status.json" .worker_pid) != "$1" ]]; }

# change PAGE PAGES: writes other contents there, to the disk and to the model, and keeps what the
# model is at that moment.
model=$scratch/model
change() {
  head -c $(($2 * 4096)) /dev/urandom >"$scratch/change"
  dd if="$scratch/change" of="$dev/disk" bs=$(($2 * 4096)) seek=$(($1 * 4096)) oflag=seek_bytes conv=notrunc status=none
  dd if="$scratch/change" of="$model" bs=$(($2 * 4096)) seek=$(($1 * 4096)) oflag=seek_bytes conv=notrunc status=none
  keep
}
keep() { cp --sparse=always "$model" "$scratch/at.$(now)"; }
is_at() { cmp "$dev/at/$1/disk" "$scratch/at.$1"; }
is_the_model() { cmp "$dev/disk" "$model"; }
all_are_there() {
  local file
  for file in "$scratch"/at.*; do is_at "${file##*.}" || return; done
}

mount_rnullfs -o nr_devices=0
daemons=("$(field "$mnt/status.json" .guard_pid)")
make_disk d '{"size": 4}'
truncate -s 4M "$model"

# --- at/ ------------------------------------------------------------------------------------------

same 'without history at/ is empty' '*' "$(names "$dev/at")"
refused ENOENT 'and has no moment' stat "$dev/at/0"
put 1 "$dev/history"
says 'datapath_why says why the daemon serves it' 'history keeps what is overwritten' \
  "$(field "$dev/stats.json" .datapath_why)"
first=$(now)
keep
same 'then it has one' "$first" "$(names "$dev/at")"
for page in 0 7 0 1 7 100 0 512; do change "$page" 1; done
change 5 20
same 'the first and the last are listed' "$first $(now)" "$(names "$dev/at")"
same 'as in stats.json' "$first $(now)" "$(history)"
check 'every moment is what the disk was' all_are_there
for name in "0$(now)" "+$(now)" $(($(now) + 1)) x 99999999999999999999; do
  refused ENOENT "no moment: $name" stat "$dev/at/$name/disk"
done
same 'a moment has the size of the disk' $((4 << 20)) "$(stat -c %s "$dev/at/$first/disk")"
same 'its disk is read-only' 400 "$(stat -c %a "$dev/at/$first/disk")"
chmod 640 "$dev/disk"
same 'with the mode of the disk' 440 "$(stat -c %a "$dev/at/$first/disk")"
refused EPERM 'which is not its own' chmod 600 "$dev/at/$first/disk"
refused EPERM 'mkdir in at/' mkdir "$dev/at/x"
refused EPERM 'rmdir' rmdir "$dev/at/$first"
refused EPERM 'mv' mv "$dev/at/$first" "$dev/at/x"
cp --sparse=auto "$dev/at/$(now)/disk" "$scratch/copy"
check 'a copy' cmp "$scratch/copy" "$model"
check 'has its holes' test "$(stat -c %b "$scratch/copy")" -lt 1000

exec 5<"$dev/at/$((first + 1))/disk"
check 'the worker dies' kill_worker
check 'every moment is there' all_are_there
the_open_one_is_right() { dd iflag=direct bs=1M status=none <&5 | cmp - "$scratch/at.$((first + 1))"; }
check 'one that is open can be read' the_open_one_is_right
if ((EUID == 0)) && loops_work; then
  attach --read-only "$dev/at/$((first + 2))/disk"
  check 'one can be a loop device' cmp "$loop" "$scratch/at.$((first + 2))"
  check 'the worker dies' kill_worker
  the_loop_is_right() { dd if="$loop" iflag=direct bs=1M status=none | cmp - "$scratch/at.$((first + 2))"; }
  check 'it can be read' the_loop_is_right
  if rmdir "$dev" 2>/dev/null; then fail 'the device is in use' 'rmdir removed it'; else
    says 'who is in the way of rmdir' 'what it was is in use by .*end that first' "$(last_error)"
  fi
  detach "$loop"
else
  skip_check 'one can be a loop device' 'there are none'
fi

# --- The history ends -----------------------------------------------------------------------------

exec 6<"$dev/at/$((first + 1))/disk"
for _ in 1 2 3; do change 0 512; done
says 'it has forgotten the first' '^[1-9]' "$(history)"
check 'which is not in the listing' test ! -e "$dev/at/$first"
refused ENOENT 'nor a name' cat "$dev/at/$first/disk"
says 'one that is open is stale' 'Stale file handle' "$(dd iflag=direct bs=4096 count=1 <&6 2>&1 >/dev/null || true)"
says 'also to stat' 'Stale file handle' "$(stat -L /proc/self/fd/6 2>&1 || true)"
check 'the last is there' is_at "$(now)"
exec 5<&- 6<&-
put 64 "$dev/history"

# --- rollback -------------------------------------------------------------------------------------

same 'it reads as nothing' '' "$(cat "$dev/rollback")"
mkdir "$dev/snapshots/clean"
cp --sparse=always "$model" "$scratch/clean"
change 3 500
change 700 100
before=$(now)
check 'back to a snapshot' put clean "$dev/rollback"
check 'the disk is as it was' cmp "$dev/disk" "$scratch/clean"
check 'what it was before is a moment' is_at "$before"
check 'forth again, by number' put "$before" "$dev/rollback"
check 'the disk is as it was before' is_the_model
refused ENOENT 'no such snapshot' put none "$dev/rollback"
says 'says so' 'no snapshot or mark none' "$(last_error)"
refused EINVAL 'a number to come' put 123456789 "$dev/rollback"
says 'names those that there are' "the moments $(field "$dev/stats.json" .sequence_oldest) to $(now), and not 123456789" "$(last_error)"
exec 5<"$dev/disk"
refused EBUSY 'while the disk is open' put clean "$dev/rollback"
says 'who has it' 'rollback: cannot go back while disk is open: opened by ' "$(last_error)"
exec 5<&-
closed_and_back() {
  local i
  for i in {1..20}; do
    exec 5<>"$dev/disk"
    exec 5<&-
    put clean "$dev/rollback" || return
  done
}
check 'close and go back' closed_and_back

# Whenever the worker dies, the disk is what the snapshot is when rollback has answered.
deaths() {
  local i
  for i in {1..8}; do
    change $((i * 10)) 500
    (
      trap - EXIT ERR
      put clean "$dev/rollback"
    ) &
    sleep "0.00$i"
    kill_worker
    wait $! || return
    cmp "$dev/disk" "$scratch/clean" || return
  done
}
check 'back, while workers die' deaths

put 0 "$dev/power"
put 1 "$dev/cache_size"
put 1 "$dev/power"
change 0 100
check 'with a write cache' put clean "$dev/rollback"
put 0 "$dev/power"
check 'also while it is off' put clean "$dev/rollback"
put 1 "$dev/power"
check 'a power-off has lost nothing of it' cmp "$dev/disk" "$scratch/clean"
put 0 "$dev/power"
put 0 "$dev/cache_size"
put 8 "$dev/size"
put 1 "$dev/power"
same 'another size begins the history anew' "$(now)" "$(names "$dev/at")"
refused EINVAL 'and is in the way of the snapshot' put clean "$dev/rollback"
rmdir "$dev/snapshots/clean"
put 0 "$dev/history"
if [[ $datapath == auto ]] && passthrough_possible; then
  same 'without history and snapshots the kernel serves it again' passthrough "$(field "$dev/stats.json" .datapath)"
fi
check 'rmdir' rmdir "$dev"
