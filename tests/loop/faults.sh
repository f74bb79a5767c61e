#!/bin/bash
# Requests that get lost or are sent back, and queues that cannot be set up.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop jq

mount_rnullfs -o nr_devices=0

read_one() { dd if="$loop" of=/dev/null bs=4k count=1 skip="${1:-0}" iflag=direct status=none; }
faults() { field "$dev/stats.json" ".faults.$1"; }

# --- timeout_inject -----------------------------------------------------------------------------------

make_disk lost '{"io_timeout": 300, "datapath": "daemon"}'
attach --direct-io=on "$dev/disk"
check 'without faults' read_one
put 2 "$dev/timeout_inject/times"
put 100 "$dev/timeout_inject/probability"
start=$(date +%s%N)
refused ETIMEDOUT 'a lost request' read_one
took=$((($(date +%s%N) - start) / 1000000))
check "after 300 ms ($took)" test "$took" -ge 300
same 'times counts down' 1 "$(<"$dev/timeout_inject/times")"
refused ETIMEDOUT 'the second' read_one
check 'the third is none' read_one
same 'stats.json counts them' 2 "$(faults timeouts)"
same 'config.json shows what is left' 0 "$(field "$dev/config.json" .timeout_inject.times)"
put 3 "$dev/timeout_inject/interval"
put -1 "$dev/timeout_inject/times"
got=$(for i in {1..6}; do read_one "$i" 2>/dev/null && echo -n . || echo -n X; done)
same 'every third' '..X..X' "$got"
detach "$loop"
put 5 "$dev/timeout_inject/times"
put 0 "$dev/power"
put 1 "$dev/power"
same 'a power cycle takes nothing from times' 5 "$(<"$dev/timeout_inject/times")"

# --- requeue_inject -----------------------------------------------------------------------------------

make_disk back '{"requeue_inject": {"probability": 50, "times": -1}, "seed": 7}'
attach --direct-io=on "$dev/disk"
random_file "$scratch/random" 1
dd if="$scratch/random" of="$loop" bs=4k oflag=direct status=none
check 'requests that are sent back succeed' cmp -n 1048576 "$loop" "$scratch/random"
check 'and are counted' test "$(faults requeues)" -ge 50
detach "$loop"

# --- init_hctx_fault_inject ---------------------------------------------------------------------------

make_disk never '{}'
put 0 "$dev/power"
put 100 "$dev/init_hctx_fault_inject/probability"
refused EFAULT 'power-on' put 1 "$dev/power"
says 'last_error' 'init_hctx_fault_inject: queue 0' "$(<"$dev/last_error")"
check 'once, as times has it' put 1 "$dev/power"

# --- seed -----------------------------------------------------------------------------------------------

pattern() {
  make_disk "$1" "{\"io_timeout\": 10, \"seed\": $2, \"datapath\": \"daemon\",
    \"timeout_inject\": {\"probability\": 40, \"times\": -1}}"
  local i
  for i in {1..40}; do
    dd if="$dev/disk" of=/dev/null bs=4k count=1 iflag=direct status=none 2>/dev/null && echo -n . || echo -n X
  done
}
first=$(pattern a 42)
same 'the same seed makes the same faults' "$first" "$(pattern b 42)"
check 'another one others' test "$first" != "$(pattern c 43)"
same 'stats.json shows the seed' 42 "$(field "$mnt/a/stats.json" .faults.seed)"
pattern d 0 >/dev/null
seed=$(field "$mnt/d/stats.json" .faults.seed)
check 'also one from the clock' test "$seed" != 0
