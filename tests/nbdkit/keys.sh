#!/bin/bash
# Every attribute is a key, what is refused is said, and faults reach the clients.
. "$(dirname "$0")/lib.sh"
needs nbdkit nbdinfo qemu-io jq
size() { nbdinfo --size "$uri"; }

# --- What it is told to be ------------------------------------------------------------------------

help=$(nbdkit "$PLUGIN" --help)
keys=$(nbdkit "$PLUGIN" --dump-plugin | sed -n 's/^rnullfs_attributes=//p' | tr , '\n')
says 'it says which attributes it has' '^cache_size$' "$keys"
for key in $keys; do
  case $key in
    index | cache_size_mib) ;; # no key; another name of one
    *_inject) says "--help has $key" "^$key\.times=" "$help" ;;
    *) says "--help has $key" "^$key=" "$help" ;;
  esac
done

echo '{"power": true, "size": "2G", "blocksize": 512, "timeout_inject": {"times": 3}}' >"$scratch/d.json"
serve config.json="$scratch/d.json" size=48
same 'a file, then what differs from it' $((48 << 20)) "$(size)"
stop
serve "$scratch/d.json"
same 'the file alone' $((2 << 30)) "$(size)"
stop
serve config='{"size": 16}' timeout_inject.times=5 badblocks=+0-7 badblocks=+16-23 power=1
same 'JSON, faults and bad sectors' $((16 << 20)) "$(size)"
stop

# --- What it refuses ------------------------------------------------------------------------------

tells 'a value' 'error: blocksize: 513 is not accepted; it takes a power of two' blocksize=513
tells 'a key' 'error: sise: there is no such attribute' sise=1
tells 'what is only shown' 'error: index: ' index=1
tells 'a file that is not there' 'error: config.json: /none: No such file' config.json=/none
tells 'a directory' "error: config.json: $scratch: Is a directory" config.json="$scratch"
tells 'JSON' 'error: .*size' config='{"size": "much"}'
tells 'half of an object' error: config='{"size": 1'
tells 'what there is no such disk of' 'error: zoned: ' zoned=1
tells 'a fault at power-on' 'error: init_hctx_fault_inject: queue 0' init_hctx_fault_inject.probability=100

# --- Disks that break -----------------------------------------------------------------------------

serve size=16 memory_backed=1 blocksize=512 badblocks=+2048-2055 timeout_inject.probability=100 \
  timeout_inject.times=1 timeout_inject.space=6 io_timeout=10ms
same 'what is good is served beside bad sectors' 'wrote 1048576/1048576 bytes at offset 0
read failed: Input/output error
write failed: Input/output error
wrote 4096/4096 bytes at offset 1052672' \
  "$(io 'write -P 1 0 1M' 'read 1M 4k' 'write -P 2 1M 512' 'write -P 3 1028k 4k')"
says 'and the log says why' 'error: disk: 4096 bytes at 1048576 have a bad sector' "$(<"$log")"
same 'a request that gets lost' '1' \
  "$(io 'read 0 4k' 'read 0 4k' 'read 0 4k' 'read 0 4k' 'read 0 4k' 'read 0 4k' 'read 0 4k' | grep -c 'failed: Input/output error')"
stop
