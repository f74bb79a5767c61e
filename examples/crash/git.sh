#!/bin/bash
# git commit on ext4, before another program syncs a file of its own: by default git 2.39 does not sync loose
# objects, and after a power cut the branch names a commit that is an empty file (default); with
# core.fsync=all every state passes git fsck (all).  Usage: git.sh [default|all]
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

work() { # MOUNT DEVICE CORE.FSYNC
  export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
  git init -q "$1/repository"
  cd "$1/repository"
  [[ $3 == default ]] || git config core.fsync "$3"
  seq 100 >file
  git add file
  git commit -qm one
  sync
  echo one >"$2/log/mark"
  seq 200 >file
  git add file
  git commit -qm two
  echo two >"$2/log/mark"
  echo other >../other
  sync ../other
  echo other >"$2/log/mark"
}

check() { # DISK: without a mount, which would be slow
  room=$(mktemp -d -p /dev/shm)
  trap 'rm -r "$room"' EXIT
  debugfs -c -R "rdump repository $room" "$1" >/dev/null 2>&1
  git -C "$room/repository" fsck --no-dangling
  git -C "$room/repository" log -p >/dev/null
}

case ${1:-default} in
  default | all) ;;
  --work | --check) "${1#--}" "${@:2}"; exit ;;
  *) echo "usage: $0 [default|all]" >&2; exit 2 ;;
esac

self=$(realpath "$0")
"$rnullctl" crash-check --mkfs ext4 --from one --budget "${BUDGET:-60s}" \
  --run "$self --work {mount} {device} ${1:-default}" \
  --recover 'e2fsck -E journal_only -p {}' --check "$self --check {}"
