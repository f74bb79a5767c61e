#!/bin/bash
# The examples of crash-check that are quick: the bugs are found, and what does without passes.
. "$(dirname "$0")/../lib.sh"
needs root fuse loop python3 sfdisk sgdisk mkfs.ext4 debugfs qemu-nbd nbdfuse
grep -qw ext4 /proc/filesystems || modprobe -q ext4 || cannot_run 'the kernel has no ext4'
examples=$(realpath "$tests/../examples/crash")
# As much as is needed, however busy the machine: each search ends by itself, but for one.
export TMPDIR=$scratch/tmp BUDGET=120s
mkdir "$TMPDIR"
# outcome EXAMPLE VARIANT: its exit status, and whether all stretches were judged wholly.
outcome() {
  local status=0 mount
  "$examples/$1.sh" "$2" >"$scratch/said" 2>&1 || status=$?
  for mount in "$TMPDIR"/rnullctl-*; do
    if mountpoint -q "$mount"; then umount "$mount"; fi
    if [[ -d $mount ]]; then rmdir "$mount"; fi
  done
  rm -f "$TMPDIR"/tmp.* # promises of what has failed stay
  if grep -qE '^([0-9]+) stretch(es)?, \1 of them' "$scratch/said"; then echo "$status whole"; else echo "$status"; fi
}
same 'sfdisk keeps a partition table' '0 whole' "$(outcome gpt sfdisk)"
# 1.0.9 writes both copies without a flush in between; a later one may not.
if [[ $(sgdisk --version) == *' 1.0.9'* ]]; then
  same 'sgdisk 1.0.9 may lose both copies' '1 whole' "$(outcome gpt sgdisk)"
  says '  in four of sixteen states' '^ +[0-9]+  table +4 +2\^4.0 +16 +4  all$' "$(<"$scratch/said")"
else
  skip_check 'sgdisk 1.0.9 may lose both copies' "$(sgdisk --version) is another one"
fi
same 'ext4 with a journal recovers' '0 whole' "$(outcome ext4 journal)"
says '  but not with nobarrier' '^1' "$(BUDGET=10s outcome ext4 nobarrier)" # 2^100 states, many of which fail
says '  nor without a journal' '^1' "$(outcome ext4 nojournal)"
says 'SQLite with synchronous=OFF is malformed' '^1' "$(outcome sqlite off)"
says '  it says so' 'malformed|missing from index|wrong|out of order|invalid|never used' "$(<"$scratch/said")"
same 'SQLite in WAL mode keeps what it has promised' '0 whole' "$(outcome sqlite wal)"
says 'a file is renamed without fsync' '^1' "$(outcome rename none)"
same '  and with it' '0 whole' "$(outcome rename fsync)"
same "what qemu has logged of sfdisk" '0 whole' "$(outcome log-from-elsewhere sfdisk)"
says '  with its flushes' 'these are flushes: 3 5 7 9 11 13 ' "$(<"$scratch/said")"
same 'nothing is left' '' "$(ls "$TMPDIR")"
