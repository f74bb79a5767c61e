#!/bin/bash
# The worker dies again and again, or is replaced, while disks are used in every way: nobody sees an
# error, and no block is lost or old.
# usage: chaos.sh kill|quick|upgrade COUNT: killed now and then, or every 50 ms, or replaced
#
# CHAOS_KILLS, if set, is how often instead of COUNT; CHAOS_SEED makes the random choices of an
# earlier run again; CHAOS_PATIENCE is how many seconds a load may take to end.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio python3 mkfs.ext4 mkfs.xfs
how=${1:-kill}
count=${CHAOS_KILLS:-${2:-20}}
seed=${CHAOS_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
patience=${CHAOS_PATIENCE:-120}
chaos=$tests/chaos
model=${CHAOS_MODEL:-$tests/../build/tests/chaos/model}
echo "# CHAOS_SEED=$seed CHAOS_KILLS=$count: $how"

for type in ext4 xfs; do
  grep -qw "$type" /proc/filesystems || modprobe -q "$type" || cannot_run "the kernel has no $type"
done
mount_rnullfs -o nr_devices=0,memory_limit=4G
guard=$(field "$mnt/status.json" .guard_pid)
daemons=("$guard")
stop=$scratch/stop
source_files=$tests/../src
guard_descriptors() { find "/proc/$guard/fd" -mindepth 1 | wc -l; }
guard_kib() { awk '/^VmRSS:/ { print $2 }' "/proc/$guard/status"; }
before_descriptors=$(guard_descriptors)

# --- Loads ----------------------------------------------------------------------------------------

# Each runs until $stop is there, and fails with the first command that fails.

# fio_load FILE SEED FIO-OPTION...
fio_load() {
  local round=0
  while [[ ! -e $stop ]]; do
    fio --name=load --filename="$1" --size=16M --verify=crc32c --verify_fatal=1 \
      --verify_state_save=0 --allrandrepeat=1 --randseed=$(($2 + ++round)) "${@:3}" || return
  done
  echo "$round rounds"
}

sums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

# fs_load TYPE LOOP
fs_load() {
  local round=0 fs=$scratch/fs-${2##*/} files
  files=$fs.files
  mkdir "$fs" "$files"
  while [[ ! -e $stop ]]; do
    mount "$2" "$fs" || return
    rm -rf "$files" "$fs/old" || return
    mkdir "$files" && cp -r "$source_files" "$files" && random_file "$files/random" 8 || return
    if [[ -d $fs/new ]]; then mv "$fs/new" "$fs/old" || return; fi
    cp -r "$files" "$fs/new" || return
    truncate -s 3M "$fs/new/random" && truncate -s 3M "$files/random" || return
    fstrim "$fs" || return
    umount "$fs" || return
    case $1 in
      ext4) e2fsck -fn "$2" || return ;;
      xfs) xfs_repair -n "$2" || return ;;
    esac
    blockdev --flushbufs "$2" && mount "$2" "$fs" || return
    diff <(sums "$files") <(sums "$fs/new") || return
    umount "$fs" || return
    round=$((round + 1))
  done
  echo "$round rounds"
}

# clone_load NAME: disks of that name begin as others do, which are written to meanwhile, and some
# come to stand alone.
clone_load() {
  local round=0 clone=$mnt/$1 contents=$scratch/contents halt=$scratch/halt snapshot origin
  while [[ ! -e $stop ]]; do
    rm -f "$halt" "$contents"
    round=$((round + 1))
    origin=past-$((round % 2 * 2))
    snapshot=$mnt/$origin/snapshots/of-a-clone
    if ((round % 3)); then
      mkdir "$snapshot" && cp --sparse=always "$snapshot/disk" "$contents" || return
      origin+=@of-a-clone
    fi
    mkdir "$clone" && echo '{"origin": "'$origin'", "discard": true, "power": true}' >"$clone/config.json" || return
    [[ -e $contents ]] || cp --sparse=always "$clone/disk" "$contents" || return
    "$model" "$clone/disk" 16 $((seed + round)) "$halt" "$clone/snapshots" "$contents" &
    sleep 0.5
    if ((round % 4 == 0)); then echo >"$clone/origin" || return; fi
    sleep 0.5
    touch "$halt"
    wait $! || return
    within 5 is_closed "$clone" && rmdir "$clone" || return
    if [[ -d $snapshot ]]; then rmdir "$snapshot" || return; fi
  done
  echo "$round rounds"
}
is_closed() { [[ $(field "$1/stats.json" .disk_opens) == 0 ]]; }

declare -A load_pids=()
# load NAME COMMAND...: in the background.
load() {
  local name=$1
  shift
  (
    trap - EXIT ERR
    "$@"
  ) >"$scratch/load-$name" 2>&1 </dev/null &
  load_pids[$name]=$!
}

# loop_disk NAME JSON
loop_disk() {
  make_disk "$1" "$2"
  attach --direct-io=on "$dev/disk"
}

cached=(--rw=randrw --bsrange=512-1M --blockalign=512 --ioengine=psync)
queued=(--rw=randwrite --bsrange=4k-256k --blockalign=4k --ioengine=libaio --direct=1 --iodepth=16)

start_loads() {
  make_disk "file-$datapath" '{}'
  load "fio on the file, $datapath" fio_load "$dev/disk" "$seed" "${cached[@]}"
  make_disk "model-$datapath" '{"size": 16}'
  load "the model, $datapath" "$model" "$dev/disk" 16 "$seed" "$stop"
  loop_disk "loop-$datapath" '{}'
  load "fio on a loop device, $datapath" fio_load "$loop" "$seed" "${queued[@]}"
  loop_disk "ext4-$datapath" '{"size": 128}'
  mkfs.ext4 -q "$loop"
  load "ext4 on a loop device, $datapath" fs_load ext4 "$loop"
  loop_disk "xfs-$datapath" '{"size": 320}'
  mkfs.xfs -q "$loop"
  load "xfs on a loop device, $datapath" fs_load xfs "$loop"
}

datapath=daemon
start_loads
# Snapshots come and go, without and with a history that is soon full.
for history in 0 2; do
  make_disk "past-$history" '{"size": 16, "history": '$history'}'
  load "the model with snapshots, history $history" \
    "$model" "$dev/disk" 16 "$seed" "$stop" "$dev/snapshots"
done
# And clones of these, as they were and as they are.
load 'the model on clones' clone_load clone
# Many requests wait for their answers.
make_disk late '{"irqmode": 2, "completion_nsec": 3000000}'
load 'fio on a file with late answers' fio_load "$dev/disk" "$seed" "${queued[@]}"
if passthrough_possible; then
  datapath=passthrough
  start_loads
fi
load 'mkdir, rmdir, settings, power' python3 "$chaos/control.py" "$mnt" "$seed" "$stop"

# --- The kills ------------------------------------------------------------------------------------

before_kib=$(guard_kib)
check "$count times: $how" python3 "$chaos/killer.py" "$how" "$mnt" "$count" "$seed"
sed 's/^/# /' "$scratch/output"
touch "$stop"

# --- What must be left ----------------------------------------------------------------------------

deadline=$((SECONDS + patience))
hung=0
for name in "${!load_pids[@]}"; do
  pid=${load_pids[$name]}
  if ! slack=1 within $((deadline > SECONDS ? deadline - SECONDS : 0)) gone "$pid"; then
    fail "$name: ends" "it hangs" "$(tail -n 5 "$scratch/load-$name")"
    hung=1
  elif wait "$pid"; then
    pass "$name"
    tail -n 1 "$scratch/load-$name" | sed 's/^/# /'
  else
    fail "$name" "$(tail -n 20 "$scratch/load-$name")"
  fi
done
if ((hung)); then
  # Nobody will answer them: so that they fail, and everything can be taken down.
  pids=$(<"/proc/$guard/task/$guard/children")
  # shellcheck disable=SC2086 # several
  kill -KILL "$guard" $pids
  exit
fi

((failures == 0)) || exit # what is still in use cannot be looked at

same 'no request failed' 0 "$(jq -s '[.[] | .[] | objects | .errors] | add' "$mnt"/*/stats.json)"
same 'the guard is the same' "$guard" "$(field "$mnt/status.json" .guard_pid)"
for loop in "${loops[@]}"; do detach "$loop"; done
remove_all() {
  local each
  for each in "$mnt"/*/; do rmdir "$each" || return; done
}
check 'all devices can be removed' remove_all
same 'their memory is accounted for' 0 "$(field "$mnt/status.json" .memory_used)"
all_dropped() { [[ $(guard_descriptors) == "$before_descriptors" ]]; }
check 'the guard has let go of their memfds' within 5 all_dropped
grown=$(($(guard_kib) - before_kib))
if [[ $how != upgrade ]]; then check "the guard has not grown: $grown KiB" test "$grown" -lt 1024; fi
unmount "$mnt"
check 'and it ends' within 10 gone "$guard"
