#!/bin/bash
# config.json: what it shows, what it takes, and that a write is done whole or not at all.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
mount_rnullfs -o nr_devices=1
one=$mnt/rnullb0
config=$one/config.json
value() { field "$config" ".$1"; }

# --- Reading --------------------------------------------------------------------------------------

same 'the first attributes, with their types' \
  "$(echo '{"power": false, "blocksize": 4096, "size": 4096, "rotational": false,' \
    '"irqmode": 0, "completion_nsec": 10000, "memory_backed": false, "datapath": "auto"}' | jq -c .)" \
  "$(jq -c 'to_entries[:8] | from_entries' "$config")"
same 'every file of an attribute is a key, but index and second names' \
  "$(cd "$(dirname "$config")" && find . -perm 644 -type f ! -name config.json ! -name damage ! -name cache_size_mib ! -path './faults/*' -printf '%P\n' | sort)" \
  "$(jq -r 'paths(type != "object" and type != "array") | join("/")' "$config" | cat - <(echo badblocks) | sort)"
same 'pretty-printed' "$(jq . "$config")" "$(<"$config")"
same 'stat knows its length' "$(wc -c <"$config")" "$(stat -c %s "$config")"

# --- Writing --------------------------------------------------------------------------------------

put '{"size": 64}' "$config"
same 'the key it names is changed' 64 "$(value size)"
same 'the attribute shows it' 64 "$(cat "$one/size")"
same 'the others stay' '4096 10000' "$(value blocksize) $(value completion_nsec)"
put 0x200 "$one/blocksize"
same 'and it shows what attributes are set to' 512 "$(value blocksize)"
for size in 1536M:1536 8G:8192 2T:2097152 1024K:1 7:7; do
  put "{\"size\": \"${size%:*}\"}" "$config"
  same "size takes \"${size%:*}\"" "${size#*:}" "$(value size)"
done
check 'an empty object' put '{}' "$config"
check 'white space around' put $' \n\t{"irqmode" : 2 } \n\n' "$config"
same 'several keys' '1 true 16' "$(
  put '{"irqmode": 1, "rotational": true, "size": 16}' "$config"
  echo "$(value irqmode) $(value rotational) $(value size)"
)"
check 'what it shows can be written back' put "$(<"$config")" "$config"

# --- What it does not take ------------------------------------------------------------------------

before=$(<"$config")

# rejects JSON SENTENCE: EINVAL, nothing changes, and last_error matches SENTENCE.
rejects() {
  refused EINVAL "$1" put "$1" "$config"
  same '  nothing changes' "$before" "$(<"$config")"
  says '  and last_error says why' "$2" "$(<"$one/last_error")"
}

rejects '{"sise": 8}' '^sise: .*no such key.*Did you mean size\?'
rejects '{"size": 8, "blocksize": 513}' '^blocksize: 513 .*power of two from 512 to 4096'
rejects '{"blocksize": 513, "size": 8}' '^blocksize: 513 '
rejects '{"size": -8}' '^size: .*-8 .*whole number'
rejects '{"size": 1.5}' '^size: .*1\.5 '
rejects '{"size": 1e3}' '^size: .*1e3 '
rejects '{"size": true}' '^size: true '
rejects '{"size": "8GB"}' '^size: .*8GB.*suffix'
rejects '{"size": null}' '^size: null '
rejects '{"size": [8]}' '^size: an array '
rejects '{"size": {"MiB": 8}}' '^size: an object '
rejects '{"size": 18446744073709551616}' '^size: .*18446744073709551616'
rejects '{"irqmode": 3}' '^irqmode: 3 '
rejects '{"irqmode": "2"}' '^irqmode: .*2'
rejects '{"memory_backed": 2}' '^memory_backed: .*2 .*true or false'
rejects '{"memory_backed": "yes"}' '^memory_backed: .*yes'
rejects '{"completion_nsec": 3600000000001}' '^completion_nsec: 3600000000001 '
rejects '{"size": 8, "size": 9}' '^size: .*twice'
rejects '{"power": true, "size": 18446744073709551615}' '^size: 18446744073709551615 MiB'
rejects '[]' '^config.json: line 1, column 1'
rejects '8' '^config.json: line 1, column 1'
rejects '{"size": 8,}' '^config.json: line 1, column 12: '
rejects "{'size': 8}" '^config.json: line 1, column 2: '
rejects '{"size": 8} {"irqmode": 0}' '^config.json: line 1, column 13'
rejects '# no {"size": 8}' '^config.json: line 1, column 1: '
rejects '{"memory_backed": yes}' '^config.json: line 1, column 19'

same 'what is incomplete is refused when the file is closed' '11 EINVAL' \
  "$(sys "$config" O_WRONLY write '{"size": 12' close)"
same 'nothing changes' "$before" "$(<"$config")"
says 'last_error says why' '^config.json: the text ends ' "$(<"$one/last_error")"
same 'an object larger than 256 KiB' "100000 100000 EFBIG" "$(
  sys "$config" O_WRONLY write "{$(printf '%99999s' '')" write "$(printf '%100000s' '')" write "$(printf '%100000s' '')"
)"
put '{"irqmode": 0}' "$config"
same 'last_error is empty after a good write' '' "$(<"$one/last_error")"

# Of 400 opens that each leave 60 KiB of a beginning, one text is kept.
worker_kib() { awk '/^VmRSS:/ { print $2 }' "/proc/$(field "$mnt/status.json" .worker_pid)/status"; }
kib=$(worker_kib) size=$(cat "$one/size")
many_beginnings() {
  python3 - "$config" <<'END'
import os, sys
opens = [os.open(sys.argv[1], os.O_WRONLY) for _ in range(400)]
for file in opens:
    os.write(file, b'{"size":' + b' ' * 60000)
os.write(opens[-1], b'77}')
END
}
check 'many opens may begin a text; the last one completes its own' many_beginnings
same 'it is applied' 77 "$(cat "$one/size")"
if sanitized; then
  skip_check 'the others cost nothing' 'a sanitizer keeps what is freed'
else
  check 'the others cost nothing' test $(($(worker_kib) - kib)) -lt 12000
fi
put "$size" "$one/size"

# --- Power ----------------------------------------------------------------------------------------

check 'power on' put '{"power": true}' "$config"
check 'the disk is there' test -f "$one/disk"
before=$(<"$config")
refused EBUSY 'a change while powered' put '{"irqmode": 2, "blocksize": 1024, "discard": 1}' "$config"
says 'last_error names every key' '^blocksize, discard: .*write 0 to power first' "$(<"$one/last_error")"
same 'nothing changes' "$before" "$(<"$config")"
check 'what changes nothing is taken' put "$before" "$config"
refused EINVAL 'what is wrong is that first' put '{"irqmode": 3}' "$config"
exec 3<"$one/disk"
refused EBUSY 'power off with the disk open' put '{"power": false, "size": 8}' "$config"
same 'nothing changes' "$before" "$(<"$config")"
exec 3<&-
check 'power off, and a change with it' put '{"power": false, "size": 8}' "$config"
check 'on again, and a change with it' put '{"power": true, "size": 9}' "$config"
same 'the disk is as told' $((9 << 20)) "$(stat -c %s "$one/disk")"
