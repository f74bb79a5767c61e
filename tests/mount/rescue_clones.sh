#!/bin/bash
# --rescue of disks that began as others: whole, as long as what they share can be found; else never
# under a name that looks so.
. "$(dirname "$0")/../lib.sh"
needs root fuse jq cmp
mount_rnullfs -o nr_devices=0
guard=$(field "$mnt/status.json" .guard_pid)
daemons=("$guard")
random_file "$scratch/random" 8
page=4096
# write DISK PAGE COUNT; punch DISK PAGE COUNT
write() { dd if="$scratch/random" of="$mnt/$1/disk" bs=$page skip=$((RANDOM % 1000)) seek="$2" count="$3" conv=notrunc status=none; }
punch() { fallocate --punch-hole --offset $(($2 * page)) --length $(($3 * page)) "$mnt/$1/disk"; }
# clone ORIGIN NAME [JSON]
clone() { mkdir "$mnt/$2" && echo '{"origin": "'"$1"'", "discard": true, "power": true'"${3-}"'}' >"$mnt/$2/config.json"; }
# keep NAME: what the disk is now, of which no image may differ.
keep() { cp --sparse=always "$mnt/$1/disk" "$scratch/$1.now"; }

datapath=daemon make_disk d '{"size": 16}'
write d 0 500
write d 3000 100
mkdir "$mnt/d/snapshots/s"
write d 100 50
clone d@s e
write e 90 30
punch e 10 64
printf odd | dd of="$mnt/e/disk" bs=1 seek=1025000 conv=notrunc status=none
mkdir "$mnt/e/snapshots/of e"
cp --sparse=always "$mnt/e/disk" "$scratch/e@of e.now"
write d 0 200
clone e f ', "size": 20'
write e 400 300
write f 200 10
write f 4200 800
clone d hidden
clone f untouched
write f 205 10
head -c 3000000 "$scratch/random" >"$scratch/base"
truncate -s 4500000 "$scratch/base"
clone "$scratch/base" of-file
write of-file 20 5
punch of-file 40 10
clone of-file of-that
write of-that 43 1
write of-file 0 10
put 0 "$mnt/e/power"
put 8 "$mnt/e/size"
put 1 "$mnt/e/power"
put 0 "$mnt/e/power"
put 16 "$mnt/e/size"
put 1 "$mnt/e/power"
write d 450 300
disks=(d e f hidden of-file of-that untouched)
for disk in "${disks[@]}"; do keep "$disk"; done

# right DIRECTORY DISK...
right() {
  local disk
  for disk in "${@:2}"; do cmp "$scratch/$1/$disk.img" "$scratch/$disk.now" || return; done
}
sparse() {
  local disk
  for disk in "${disks[@]}"; do
    (($(stat -c %b "$scratch/$1/$disk.img") <= $(stat -c %b "$scratch/$disk.now") + 64)) || { echo "$disk"; return 1; }
  done
}
check '--rescue of clones' "$RNULLFS" --rescue "$guard" "$scratch/whole"
check 'they are whole' right whole "${disks[@]}"
check 'and sparse' sparse whole
same 'and all that there is' "$(printf '%s.img ' "${disks[@]}")" "$(names "$scratch/whole") "
check '--rescue with snapshots' "$RNULLFS" --rescue "$guard" "$scratch/snapshots" --snapshots
check 'the disks' right snapshots "${disks[@]}"
check 'a snapshot of a clone' right snapshots 'e@of e'

# --- While they are written to --------------------------------------------------------------------

for ((i = 0; i < 40; ++i)); do
  write d $((i * 40)) 400
  write e 700 100
  write of-file 700 $((i + 1))
done &
writer=$!
check '--rescue while they are written to' "$RNULLFS" --rescue "$guard" "$scratch/busy" --snapshots
check 'the writer' wait "$writer"
check 'those that are not written to are as they were' right busy f hidden of-that untouched 'e@of e'

# --- What cannot be whole -------------------------------------------------------------------------

keep e
touch "$scratch/base"
check 'when the file has changed --rescue fails' not "$RNULLFS" --rescue "$guard" "$scratch/changed"
says 'says so' 'of-that: .*is not what it was; .*of-that.own.img, where all else is zeros' "$(<"$scratch/output")"
says 'and whose' '2 of 7 disks are not rescued: of-file, of-that' "$(<"$scratch/output")"
same 'has no image that looks whole' 'd.img e.img f.img hidden.img of-file.own.img of-that.own.img untouched.img' "$(names "$scratch/changed")"
check 'but all others' right changed e f hidden untouched
check 'and what is its own' cmp -i $((43 * page)) -n $page "$scratch/changed/of-that.own.img" "$scratch/of-that.now"

# Without its worker nothing changes any more; then the records are damaged.
worker=$(field "$mnt/status.json" .worker_pid)
kill -STOP "$worker"
for fd in "/proc/$guard/fd"/*; do
  [[ $(readlink "$fd") != /memfd:rnullfs-state* ]] || state=$fd
done
head -c 4096 /dev/zero | dd of="$state" conv=notrunc status=none
check 'without records it fails' not "$RNULLFS" --rescue "$guard" "$scratch/damaged" --snapshots
same 'and has no image that looks whole' 'd.img d@s.img e.own.img f.own.img hidden.own.img of-file.own.img of-that.own.img untouched.own.img' \
  "$(names "$scratch/damaged")"
kill -KILL "$worker"
fails() { ! cat "$mnt/status.json" >/dev/null 2>&1; }
check 'the mount is lost' within 5 fails
unmount "$mnt"
