#!/bin/bash
# What the mount looks like to the commands people look at trees with.
. "$(dirname "$0")/../lib.sh"
needs fuse jq
mount_rnullfs -o nr_devices=2

# --- Listings -------------------------------------------------------------------------------------

listing() { (cd "$1" && find . -printf '%y %m %P\n' | sort -k 3); }

same 'every file, its type and mode' "$(
  cat <<'END'
d 755 
f 444 features
f 600 power
d 755 rnullb0
f 644 rnullb0/config.json
f 444 rnullb0/index
f 444 rnullb0/last_error
f 644 rnullb0/power
d 755 rnullb0/requeue_inject
f 644 rnullb0/requeue_inject/interval
f 644 rnullb0/requeue_inject/probability
f 644 rnullb0/requeue_inject/space
f 644 rnullb0/requeue_inject/times
f 644 rnullb0/requeue_inject/verbose
f 444 rnullb0/stats.json
END
)" "$(listing "$mnt" | grep -E '^d 755 $|features|rnullb0$|json|error|index|power|requeue' |
  grep -vE 'rnullb1|status.json')"
same 'every attribute in features has a file or a directory' '' "$(
  for name in $(tr ',' ' ' <"$mnt/features"); do [[ -e $mnt/rnullb0/$name ]] || echo "$name"; done)"
same 'the second device has the same files' "$(ls "$mnt/rnullb0")" "$(ls "$mnt/rnullb1")"
check 'ls -la of everything' ls -laR "$mnt"
same 'everything belongs to who mounted' "$(id -u):$(id -g)" \
  "$(find "$mnt" -printf '%U:%G\n' | sort -u)"
same 'the root counts its directories' 4 "$(stat -c %h "$mnt")"
same 'no inode number appears twice' '' "$(find "$mnt" -printf '%i\n' | sort | uniq -d)"
same 'an inode number stays' "$(stat -c %i "$mnt/rnullb0/size")" "$(stat -c %i "$mnt/rnullb0/size")"

# --- features, status.json ------------------------------------------------------------------------

same 'features begins as the seed has it' \
  'blocksize,size,rotational,irqmode,completion_nsec,memory_backed' "$(cut -d, -f1-6 "$mnt/features")"
same 'features is one line' 1 "$(wc -l <"$mnt/features")"
same 'status.json: devices' 2 "$(field "$mnt/status.json" .devices)"
same 'status.json: mount options' '["nr_devices=2"]' \
  "$(field "$mnt/status.json" '.mount_options|tojson')"
same 'status.json: mountpoint' "$mnt" "$(field "$mnt/status.json" .mountpoint)"
program=${RNULLFS##*/}
same 'status.json: the serving process' "${program:0:15}" \
  "$(cat "/proc/$(field "$mnt/status.json" .worker_pid)/comm")"
says 'status.json: versions' '^[0-9]+\.[0-9]+\.[0-9]+ 3\.[0-9]+\.[0-9]+ 7\.[0-9]+$' \
  "$(field "$mnt/status.json" '"\(.version) \(.libfuse) \(.kernel_protocol)"')"
says 'status.json: capabilities in use' async_dio \
  "$(field "$mnt/status.json" '.capabilities|join(",")')"
refused EACCES 'features is read-only' put x "$mnt/features"
refused EACCES 'status.json is read-only' put x "$mnt/status.json"

# --- Reading the text files -----------------------------------------------------------------------

one=$mnt/rnullb0
same 'cat' 4096 "$(cat "$one/size")"
same 'wc -c counts what is there, not what stat says' 5 "$(wc -c <"$one/size")"
same 'stat shows 4096 bytes for an attribute' 4096 "$(stat -c %s "$one/size")"
same 'tail -c' 96 "$(tail -c 3 "$one/size")"
same 'head -c1' 4 "$(head -c1 "$one/size")"
same 'reading byte by byte' 4096 "$(dd if="$one/size" bs=1 status=none)"
same 'grep -r finds values' "$one/blocksize:4096 $one/size:4096" \
  "$(grep -r '^4096$' "$one" | sort | xargs)"
check 'cp -r copies every text file' cp -r "$one" "$scratch/copy"
same 'the copy of config.json is what was shown' "$(<"$one/config.json")" \
  "$(<"$scratch/copy/config.json")"
same 'the copy of an attribute is its text' 5 "$(stat -c %s "$scratch/copy/size")"

# --- disk -----------------------------------------------------------------------------------------

refused ENOENT 'no disk while off' cat "$one/disk"
put 16 "$one/size"
put 1 "$one/power"
same 'disk: type, mode and size' 'regular file 600 16777216' "$(stat -c '%F %a %s' "$one/disk")"
same 'disk stands in the listing' "$one/disk" "$(find "$mnt" -name disk)"
same 'du of an empty disk' 0 "$(du -k "$one/disk" | cut -f1)"
put 0 "$one/power"
same 'and is gone with the power' '' "$(find "$mnt" -name disk)"
refused ENOENT 'also by name' stat "$one/disk"

# --- The file system ------------------------------------------------------------------------------

same 'df: the type' fuse.rnullfs "$(df --output=fstype "$mnt" | tail -n 1)"
same 'df: the source' rnullfs "$(df --output=source "$mnt" | tail -n 1)"
same 'names may have 255 bytes' 255 "$(stat -f -c %l "$mnt")"
same 'the block size' 4096 "$(stat -f -c %s "$mnt")"
same 'df -i: devices of those there may be' "$(field "$mnt/status.json" .devices)" \
  "$(df --output=iused "$mnt" | tail -n 1 | tr -d ' ')"
check 'which is little' test "$(df --output=ipcent "$mnt" | tail -n 1 | tr -d ' %')" -le 1
limited=$mnt
mount_rnullfs -o memory_limit=64,size=16,memory_backed,power
same 'df: memory_limit' $((64 << 10)) "$(df --output=size "$mnt" | tail -n 1 | tr -d ' ')"
head -c 8M /dev/urandom 1<>"$mnt/rnullb0/disk"
used() { df --output=used -B1 "$mnt" | tail -n 1 | tr -d ' '; }
is_what_status_says() { [[ $(used) == "$(field "$mnt/status.json" .memory_used)" ]]; }
check 'and what is used of it' within 5 is_what_status_says
check 'which is something' test "$(used)" -ge $((8 << 20))
unmount "$mnt"
mnt=$limited

# --- What status.json and stats.json say ----------------------------------------------------------

put 1 "$one/power"
of_one_type() { jq -e "[.. | scalars] | length > 0" "$1" >/dev/null; }
check 'status.json' of_one_type "$mnt/status.json"
same 'numbers are numbers' 'number number number' "$(field "$mnt/status.json" \
  '[.memory_limit, .memory_used, .devices] | map(type) | join(" ")')"
# The manual's own text has every key, and every file that is no attribute.
undocumented() {
  local name
  for name; do grep -qF "*$name*" "$tests/../docs/rnullfs.5.scd" || echo "$name"; done
}
mapfile -t names < <(jq -r 'paths | map(strings) | last // empty' "$mnt/status.json" "$one/stats.json")
same 'the manual has all their keys' '' "$(undocumented "${names[@]}")"
mapfile -t names < <(find "$mnt" "$one" -maxdepth 1 -type f -printf '%f\n' |
  grep -vxF -f <(tr ',' '\n' <"$mnt/features"))
check 'there are files that are no attributes' test "${#names[@]}" -ge 6
same 'the manual has all of these' '' "$(undocumented "${names[@]}")"
put 0 "$one/power"
check 'sync' sync "$one/size"

# --- Two mounts at once ---------------------------------------------------------------------------

first=$mnt
mount_rnullfs -o nr_devices=0
mkdir "$mnt/only-here"
same 'a second mount is another tree' 'features only-here power status.json' "$(names "$mnt")"
same 'and leaves the first alone' 'features power rnullb0 rnullb1 status.json' "$(names "$first")"
check 'the second unmounts' unmount "$mnt"
same 'the first goes on' 4096 "$(cat "$first/rnullb1/size")"
