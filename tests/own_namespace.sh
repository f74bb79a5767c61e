# shellcheck shell=bash
# Sourced first by a test that mounts over the system's own files: as root it starts over in a mount
# namespace of its own.
if [[ -z ${OWN_NAMESPACE-} && $EUID == 0 ]]; then
  # The copies of other tests' mounts go first: they would keep those mounts' daemons alive.
  # shellcheck disable=SC2016 # for the inner shell
  OWN_NAMESPACE=yes exec unshare --mount sh -c \
    'umount --lazy --all --types fuse.rnullfs 2>/dev/null; exec "$0"' "$0"
fi
