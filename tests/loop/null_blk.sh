#!/bin/bash
# What blktests, the kernel's tests of its block layer, asks of null_blk, asked of a disk under a loop
# device.  Before each part stands the number of the test that it is about.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq fio

mount_rnullfs -o nr_devices=0
processors=$(nproc)

# disk JSON: a new disk in $dev, and in place of the last loop device one on it.
count=0
disk() {
  [[ -z ${loop-} ]] || detach "$loop"
  make_disk "d$((++count))" "$1"
  attach --direct-io=on "$dev/disk"
  block=/sys/block/${loop#/dev/}
}
io() { fio --name=io --filename="$loop" --direct=1 --ioengine=libaio --iodepth=16 --bs=4k --size=16M "$@"; }
for_a_second() { io --rw=randrw --time_based --runtime=1 "$@"; }
verified() { io --rw=randwrite --verify=crc32c --verify_fatal=1 --verify_state_save=0 "$@"; }
request() { # read|write COUNT [DD-OPTION...]
  if [[ $1 == read ]]; then
    dd if="$loop" of=/dev/null iflag=direct bs=4k count="$2" status=none "${@:3}"
  else
    dd if=/dev/zero of="$loop" oflag=direct conv=notrunc bs=4k count="$2" status=none "${@:3}"
  fi
}
# begin read|write COUNT: the same in the background, as $process itself.
begin() {
  (
    dd() { exec dd "$@"; }
    request "$@"
  ) &
  process=$!
}
errors() { field "$dev/stats.json" '[.[] | objects | .errors] | add'; }
faults() { field "$dev/stats.json" ".faults.$1"; }
in_flight() { field "$dev/stats.json" .in_flight; }
# The columns of /sys/block/X/stat: reads, writes and what they took in ms, then how long it was busy.
accounted() { awk '{print $1, $4, $5, $8, $10}' "$block/stat"; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
# ends WHAT SECONDS PROCESS...: those of this shell that are at work end by then.
ends() {
  local what=$1 seconds=$2 process stuck=()
  shift 2
  for process; do within "$seconds" gone "$process" || stuck+=("$process"); done
  same "$what" '' "${stuck[*]}"
}
# repeat FILE COMMAND...: until FILE appears, whatever comes of it; one character of output each time
# that it has worked.
repeat() {
  local until=$1
  shift
  until [[ -e $until ]]; do
    if "$@" >/dev/null 2>&1; then echo -n .; fi
  done
}

# --- block/006: random I/O with "blocking" ------------------------------------------------------------

for how in daemon auto; do
  disk "{\"blocking\": true, \"submit_queues\": $processors, \"datapath\": \"$how\"}"
  check "blocking, datapath=$how: random reads and writes" io --rw=randrw
  check '  and what was written' verified
  same '  no request failed' 0 "$(errors)"
done

# --- block/014: requests that get lost fail, and nothing hangs ------------------------------------------

disk '{"datapath": "daemon", "io_timeout": 100, "timeout_inject": {"times": -1}}'
put 50 "$dev/timeout_inject/probability"
lossy_reads() {
  local i
  for i in {1..10}; do
    if request read 1 skip=$((i * 4 + $1)) 2>>"$scratch/lost.$1"; then echo; fi
  done
}
readers=()
for i in 0 1 2 3; do
  lossy_reads "$i" >"$scratch/succeeded.$i" &
  readers+=($!)
done
ends 'four readers of a disk that loses requests come to their end' 15 "${readers[@]}"
lost=$(cat "$scratch"/lost.* | grep -c 'Connection timed out' || true)
succeeded=$(cat "$scratch"/succeeded.* | wc -l)
same 'each read works or says ETIMEDOUT' 40 $((lost + succeeded))
check "some do one, some the other: $lost lost" test "$lost" -ge 5 -a "$succeeded" -ge 5
same 'stats.json has them all' "$lost" "$(faults timeouts)"
put 100 "$dev/timeout_inject/probability"
refused EIO 'without direct I/O it is' dd if="$loop" of=/dev/null bs=4k count=1 skip=1000 status=none
put 0 "$dev/timeout_inject/probability"
check 'then all is well' verified
same '  and nothing is under way' 0 "$(in_flight)"

# --- block/015: requests that are sent back succeed -------------------------------------------------------

disk '{"requeue_inject": {"probability": 25, "times": -1}, "irqmode": 1}'
check 'a disk that sends requests back: verified writes' verified --size=8M
check '  many were' test "$(faults requeues)" -ge 100
same '  none failed' 0 "$(errors)"

# --- block/016, 017: signals while requests are under way, and how many of them there are -----------------

disk '{"irqmode": 2, "completion_nsec": 800000000}'
declare -A under_way=([read]='1 0 1' [write]='0 1 1')
show_under_way() { echo "$(xargs <"$block/inflight") $(in_flight)"; }
is_under_way() { [[ $(show_under_way) == "$1" ]]; }
for direction in read write; do
  begin "$direction" 100
  within 3 is_under_way "${under_way[$direction]}" || true
  same "a $direction is under way" "${under_way[$direction]}" "$(show_under_way)"
  disown "$process" # the shell need not tell of it
  kill -KILL "$process"
  ends '  its process is killed: that ends with the request' 3 "$process"
  within 3 is_under_way '0 0 0' || true
  same '  then none is' '0 0 0' "$(show_under_way)"
done
begin read 1
first=$process
within 3 is_under_way "${under_way[read]}" || true
put mq-deadline "$block/queue/scheduler" & # waits for the request, and others for this
change=$!
sleep 0.1
begin read 100 skip=1
second=$process
sleep 0.1
disown "$second"
kill -TERM "$second"
ends 'a signal to who waits for a queue that waits' 5 "$first" "$change" "$second"
status=0
wait "$first" || status=$?
same '  the first request is read' 0 "$status"
wait "$change" || true
says '  the change was made' '\[mq-deadline\]' "$(<"$block/queue/scheduler")"
check '  and the disk goes on' request write 1

# --- block/018: the time of slow requests -----------------------------------------------------------------

read -r reads read_time writes write_time busy < <(accounted)
request read 1
request write 1
read -r reads2 read_time2 writes2 write_time2 busy2 < <(accounted)
same 'stat counts a read and a write' '1 1' "$((reads2 - reads)) $((writes2 - writes))"
for took in "read $((read_time2 - read_time))" "write $((write_time2 - write_time))"; do
  check "a ${took% *} of 800 ms takes ${took#* }" test "${took#* }" -ge 790
done
check "together they keep it busy for $((busy2 - busy)) ms" test $((busy2 - busy)) -ge 1400

# --- block/024: the time of fast ones -----------------------------------------------------------------------

disk '{"irqmode": 2, "completion_nsec": 1000000}'
read -r _ read_time _ write_time busy < <(accounted)
start=$(milliseconds)
request read 250
request write 250
wall=$(($(milliseconds) - start))
read -r reads2 read_time2 writes2 write_time2 busy2 < <(accounted)
for took in "reads $((read_time2 - read_time))" "writes $((write_time2 - write_time))"; do
  check "250 $took ms, each takes one" test "${took#* }" -ge 240 -a "${took#* }" -le "$wall"
done
check "busy for $((busy2 - busy)) of $wall ms" test $((busy2 - busy)) -ge 200 -a $((busy2 - busy)) -le $((wall + 20))
before=$(accounted)
sleep 0.5
same 'no time passes for an idle disk' "$before" "$(accounted)"

# --- block/021: schedulers and their queues under I/O -------------------------------------------------------

disk '{"irqmode": 2, "completion_nsec": 200000}'
schedulers=$(tr -d '[]' <"$block/queue/scheduler")
for_a_second --rw=randrw >"$scratch/fio" 2>&1 &
process=$!
wrong=()
for scheduler in $schedulers; do
  put "$scheduler" "$block/queue/scheduler" 2>/dev/null || continue # its module cannot be had
  grep -qF "[$scheduler]" "$block/queue/scheduler" || wrong+=("$scheduler")
  for requests in 4 16 64 128 4096; do
    before=$(<"$block/queue/nr_requests")
    if put "$requests" "$block/queue/nr_requests" 2>/dev/null; then before=$requests; fi
    [[ $(<"$block/queue/nr_requests") == "$before" ]] || wrong+=("$scheduler:$requests")
  done
done
put none "$block/queue/scheduler"
same "schedulers and nr_requests while it works: $schedulers" '' "${wrong[*]}"
check '  fio saw no error' wait "$process"

# --- block/022: power, rmdir, opens and settings race -------------------------------------------------------

race=$mnt/race
stop=$scratch/stop
cycle() {
  mkdir -p "$race" && put '{"memory_backed": true, "size": 8, "power": true}' "$race/config.json"
  sleep "0.0$((RANDOM % 10))" # the others find it on, and off
  put 0 "$race/power" || true
  rmdir "$race"
}
rm -f "$stop"
processes=()
start_racing() { # NAME COMMAND...
  repeat "$stop" "${@:2}" >"$scratch/$1" 2>/dev/null &
  processes+=($!)
}
many_times() {
  local what
  for what; do (($(wc -c <"$scratch/$what") >= 10)) || return; done
}
raced() { # NAME...: for a second, and until each has been done many times
  sleep 1
  check "$* race: many times" within 10 many_times "$@"
}
start_racing cycles cycle
start_racing opens dd if="$race/disk" of=/dev/null bs=4k count=4
start_racing settings put 16 "$race/size"
start_racing queues put "$processors" "$race/submit_queues"
start_racing faults put 5 "$race/requeue_inject/probability"
start_racing shown cat "$race/stats.json" "$race/config.json"
sleep 1
touch "$stop"
ends 'power, rmdir, opens and settings race: nobody hangs' 10 "${processes[@]}"
processes=()
for what in cycles opens queues shown; do
  check "  there were $what" test -s "$scratch/$what"
done
remove_race() { ! test -d "$race" || rmdir "$race"; }
within 5 remove_race
same '  the worker is the first' 0 "$(field "$mnt/status.json" .workers_replaced)"

# --- block/023: every queue_mode ----------------------------------------------------------------------------

for mode in 0 1 2; do
  disk "{\"queue_mode\": $mode}"
  check "queue_mode $mode: verified writes" verified --size=8M
  same '  no request failed' "$mode 0" "$(<"$dev/queue_mode") $(errors)"
done
detach "$loop"
loop=''
put 0 "$dev/power"
refused EINVAL 'queue_mode 3' put 3 "$dev/queue_mode"

# --- block/029, 040: submit_queues, then the scheduler too, while fio runs ----------------------------------

resize_queues() {
  put 1 "$dev/submit_queues" && put "$processors" "$dev/submit_queues"
}
change_scheduler() {
  put mq-deadline "$block/queue/scheduler"
  put none "$block/queue/scheduler"
}
for what in resize_queues change_scheduler; do
  disk '{"irqmode": 2, "completion_nsec": 50000, "hw_queue_depth": 8}'
  rm -f "$stop"
  start_racing resized resize_queues
  [[ $what == resize_queues ]] || start_racing changed change_scheduler
  check "verified writes beside $what" verified --time_based --runtime=1
  touch "$stop"
  ends '  it ends' 10 "${processes[@]}"
  processes=()
  check '  queues came and went' test -s "$scratch/resized"
  [[ $what == resize_queues ]] || check '  schedulers, too' test -s "$scratch/changed"
  same '  no request failed' "$processors 0 0" "$(<"$dev/submit_queues") $(errors) $(in_flight)"
done
refused EINVAL 'no queue at all' put 0 "$dev/submit_queues"
refused EINVAL 'more queues than processors' put $((processors + 1)) "$dev/submit_queues"

# --- block/031: tags that queues share ------------------------------------------------------------------------

random_file "$scratch/random" 8
for tags in shared_tags shared_tag_bitmap; do
  disk "{\"$tags\": true, \"submit_queues\": $processors, \"hw_queue_depth\": 4, \"irqmode\": 1}"
  check "$tags: I/O" verified --size=4M --numjobs=2 --offset_increment=4M
  check '  writing' dd if="$scratch/random" of="$loop" bs=64k oflag=direct status=none
  detach "$loop"
  put 0 "$dev/power"
  put 1 "$dev/power"
  attach --direct-io=on "$dev/disk"
  check '  it is there after a power cycle' cmp -n $((8 << 20)) "$loop" "$scratch/random"
  check '  and I/O goes on' verified --size=4M
done
detach "$loop"
loop=''

# --- block/030: queues that cannot be set up --------------------------------------------------------------------

make_disk hctx "{\"submit_queues\": $processors}"
put 0 "$dev/power"
put 3 "$dev/init_hctx_fault_inject/times"
put 100 "$dev/init_hctx_fault_inject/probability"
for i in 1 2 3; do
  refused EFAULT "power-on $i" put 1 "$dev/power"
  same '  it stays off' '0 no' "$(<"$dev/power") $(test -e "$dev/disk" && echo disk || echo no)"
done
check 'power-on when there are no more faults' put 1 "$dev/power"
attach --direct-io=on "$dev/disk"
check '  and the disk works' verified
detach "$loop"
loop=''

# --- block/034: memory comes back ---------------------------------------------------------------------------------

used_mib() { echo $(($(field "$mnt/status.json" .memory_used) >> 20)); }
before=$(used_mib)
disk '{"size": 32}'
check 'a disk is filled' dd if=/dev/urandom of="$loop" bs=1M count=32 oflag=direct status=none
check '  which takes memory' test $(($(used_mib) - before)) -ge 32
detach "$loop"
loop=''
put 0 "$dev/power"
same '  also when it is off' 32 "$(stored_mib "$dev")"
rmdir "$dev"
same '  and no more when it is gone' "$before" "$(used_mib)"

# --- block/038: power against submit_queues; then sizes that cannot be, against rmdir ---------------------------------

make_disk powers '{}'
cycle_power() { put 0 "$dev/power" && put 1 "$dev/power"; }
rm -f "$stop"
start_racing power cycle_power
start_racing resized resize_queues
raced power resized
touch "$stop"
ends 'power and submit_queues race: nobody hangs' 10 "${processes[@]}"
processes=()
put 1 "$dev/power"
attach --direct-io=on "$dev/disk"
check '  then the disk works' verified

odd=$mnt/odd
odd_sizes() {
  local size
  mkdir -p "$odd"
  for size in 0 1 0xffffffff 18446744073709551615 -1; do
    put "$size" "$odd/size" || true
    put 4096 "$odd/blocksize" || true
    put 1 "$odd/power" || true
    put 0 "$odd/power" || true
  done
}
rm -f "$stop"
start_racing odd odd_sizes
start_racing removed rmdir "$odd"
raced odd removed
touch "$stop"
ends 'odd sizes and rmdir race: nobody hangs' 10 "${processes[@]}"
same 'the worker is still the first' 0 "$(field "$mnt/status.json" .workers_replaced)"
