#!/bin/bash
# Random requests, bad blocks and power cycles, compared with a model of null_blk.
#
# RNULLFS_TEST_SEED and RNULLFS_TEST_OPERATIONS ask for others than the usual ones.
. "$(dirname "$0")/../lib.sh"
needs fuse jq

mount_rnullfs -o nr_devices=0
mkdir "$mnt/d"
seed=${RNULLFS_TEST_SEED:-1}
usual=20000
if sanitized; then usual=4000; fi # each takes several times as long
operations=${RNULLFS_TEST_OPERATIONS:-$usual}
check "$operations operations from seed $seed on" "$DIFFERENTIAL" "$mnt/d" "$seed" "$operations"
same 'none is in flight' 0 "$(field "$mnt/d/stats.json" .in_flight)"
