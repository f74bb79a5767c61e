#!/bin/bash
# dpkg upgrades a package on ext4: after a power cut a package that dpkg says is installed has the files of that
# version, and an upgrade that has been answered is there (default).  With --force-unsafe-io (unsafe-io) dpkg
# promises less; no state that shows it has been found.  Usage: dpkg.sh [default|unsafe-io]
set -euo pipefail

rnullctl=${RNULLCTL:-$(dirname "$0")/../../build/rnullctl}
[[ -x $rnullctl ]] || rnullctl=rnullctl
PATH+=:/usr/sbin:/sbin

work() { # MOUNT DEVICE ACKED FLAG: version 2 has files that 1 has not
  local room version i
  room=$(mktemp -d)
  mkdir -p "$1"/var/lib/dpkg/{info,updates,triggers}
  touch "$1"/var/lib/dpkg/{status,available}
  for version in 1 2; do
    mkdir -p "$room/p/DEBIAN" "$room/p/usr/share/p"
    printf 'Package: p\nVersion: %s\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: p\n' \
      "$version" >"$room/p/DEBIAN/control"
    for ((i = 1; i <= 4 * version; ++i)); do yes "$version" | head -n "$((i * 1000))" >"$room/p/usr/share/p/$i"; done
    dpkg-deb --root-owner-group -b "$room/p" "$room/$version.deb" >/dev/null
    dpkg --root="$1" --force-not-root --force-script-chrootless "$4" -i "$room/$version.deb" >/dev/null 2>&1
    if ((version == 1)); then sync; fi
    echo "installed$version" >"$2/log/mark"
    echo "installed$version $version" >>"$3"
  done
  rm -r "$room"
  echo other >"$1/other"
  sync "$1/other" # what ext4 itself would do after five seconds
}

check() { # DISK ACKED
  room=$(mktemp -d -p /dev/shm)
  trap 'rm -r "$room"' EXIT
  debugfs -c -R "rdump / $room" "$1" >/dev/null 2>&1
  read -r version state <<<"$(dpkg-query --admindir="$room/var/lib/dpkg" -W -f '${Version} ${db:Status-Status}' p)"
  promised=$(tail -n 1 "${2:-/dev/null}")
  ((version >= ${promised:-0})) || { echo "$promised was installed, it is $version"; exit 1; }
  [[ $state == installed ]] || exit 0 # it knows that it is not
  for ((i = 1; i <= 4 * version; ++i)); do
    yes "$version" | head -n "$((i * 1000))" | cmp -s - "$room/usr/share/p/$i" && continue
    echo "$version is installed, of its files $i is not: $(stat -c %s "$room/usr/share/p/$i") bytes"
    exit 1
  done
}

promised='{acked}'
case ${1:-default} in
  default) flag=--no-force-unsafe-io ;;
  unsafe-io) flag=--force-unsafe-io promised='' ;;
  --work | --check) set +o pipefail; "${1#--}" "${@:2}"; exit ;;
  *) echo "usage: $0 [default|unsafe-io]" >&2; exit 2 ;;
esac

self=$(realpath "$0")
acked=$(mktemp)
trap '(($? == 1)) || rm "$acked"' EXIT # to see a failure again takes it
"$rnullctl" crash-check --mkfs ext4 --from installed1 --budget "${BUDGET:-60s}" --acked "$acked" \
  --run "$self --work {mount} {device} $acked $flag" \
  --recover 'e2fsck -E journal_only -p {}' --check "$self --check {} $promised"
