#!/bin/bash
# tar(1) copies disks with their configuration, to another mount and back.
. "$(dirname "$0")/../lib.sh"
needs fuse jq tar
mount_rnullfs -o nr_devices=0
from=$mnt
make_disk on '{"blocksize": 512, "size": 16, "cache_size": 1, "mbps": 1000, "badblocks": ["30000-30007"],
  "completion_nsec": 5000, "timeout_inject": {"space": 3}, "datapath": "daemon"}'
mkdir "$from/off"
put '{"size": 3, "rotational": true}' "$from/off/config.json"
put '{"badblocks": []}' "$from/on/config.json"
random_file "$scratch/random" 4
dd if="$scratch/random" of="$from/on/disk" bs=1M seek=2 conv=notrunc status=none
mount_rnullfs -o nr_devices=0
to=$mnt

copy() { (cd "$from" && tar c --sparse ./*/config.json ./*/disk) | tar x --overwrite -C "$to"; }
is_the_same() {
  local name
  for name in on off; do diff "$from/$name/config.json" "$to/$name/config.json" || return; done
  cmp "$from/on/disk" "$to/on/disk"
}
check 'disks are copied to an empty mount' copy
check 'as they were' is_the_same
check 'once more, over disks that are on' copy
check 'nothing is different' is_the_same
put 0 "$to/on/power"
put '{"size": 5, "blocksize": 4096, "power": false}' "$to/on/config.json"
check 'over disks that are off and other' copy
check 'they are as they were' is_the_same

# All files, read-only ones and the list of bad blocks left out: `power` comes last.  (tar complains
# that they are shorter than stat(2) has it, as in sysfs.)
whole() {
  { tar c -C "$from" --exclude={features,status.json,stats.json,last_error,index,badblocks} . \
    2>/dev/null || true; } | tar x --overwrite -C "$to"
}
rmdir "$to/on" "$to/off"
check 'attributes one by one' whole
check 'are a configuration, too' is_the_same
