# shellcheck shell=bash
# Shell functions that the scripts share.  Sourced, not run: `. "$(dirname "$0")/lib.sh"`.

set -euo pipefail

# mkfs and losetup live in sbin, which is not on every user's PATH.
PATH=$PATH:/usr/sbin:/sbin
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export root

say() { printf '%s\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Prints the comment that the running script begins with.
usage() { sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"; }

# quietly LOG COMMAND...: the command's output goes to LOG alone.
quietly() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 </dev/null
}

# Says that the disk of DIR is full, if it is: tools put it in many different ways, or not at all.
explain_full_disk() {
  local free_kib
  free_kib=$(df --output=avail -k "$1" 2>/dev/null | tail -n 1) || return 0
  ((free_kib >= 1024)) || printf 'the disk that holds %s is full\n' "$1" >&2
}

# --- Packages -------------------------------------------------------------------------------------

# Reads lines "PACKAGE KIND NAME" and prints the packages whose command, pkg-config module or file is
# not there.  What counts is the thing itself: it may have come without a package.
missing_packages() {
  local package kind name
  while read -r package kind name; do
    case $kind in
      command) command -v "$name" >/dev/null || say "$package" ;;
      module) pkg-config --exists "$name" 2>/dev/null || say "$package" ;;
      file) [[ -e $name ]] || say "$package" ;;
    esac
  done
}

# install_packages PACKAGE...: with apt, as root; otherwise says what to install and ends.
install_packages() {
  (($# > 0)) || return 0
  command -v apt-get >/dev/null ||
    die "these are missing, and there is no apt to install them with (Debian's names): $*"
  ((EUID == 0)) || die "these are missing; as root: apt-get install $*"
  say "installing $*"
  local log
  log=$(mktemp)
  # Lists that are old, or not there at all, name files that the archive no longer has.
  if quietly "$log" apt-get update &&
    DEBIAN_FRONTEND=noninteractive quietly "$log" apt-get install -y --no-install-recommends "$@"; then
    rm -f "$log"
    return
  fi
  tail -n 15 "$log" >&2
  rm -f "$log"
  explain_full_disk /var
  die "apt-get could not install them (is there a network?): $*"
}

install_build_packages() {
  # shellcheck disable=SC2046 # one word a package
  install_packages $(missing_packages <<'END'
g++ command g++
meson command meson
ninja-build command ninja
pkgconf command pkg-config
libabsl-dev module absl_base
nlohmann-json3-dev module nlohmann_json
libcli11-dev module CLI11
liburcu-dev module liburcu-bp
liburing-dev module liburing
libnuma-dev module numa
libgtest-dev module gtest
libgmock-dev module gmock
scdoc command scdoc
nbdkit-plugin-dev module nbdkit
END
  )
}

# install_test_packages SUITES: what these suites of scripts/test need beyond a build.
install_test_packages() {
  local wanted=''
  case " $1 " in
    *' unit '* | *' clang '* | *' tsan '* | *' system-libfuse '*)
      wanted+=$'\nman-db command man'
      ;;
  esac
  case " $1 " in
    *' library '*)
      wanted+='
nbdkit command nbdkit
libnbd-bin command nbdcopy
qemu-utils command qemu-io
fio command fio
jq command jq'
      ;;
  esac
  case " $1 " in
    *' mount '* | *' loop '* | *' chaos '* | *' long '* | *' clang '* | *' system-libfuse '*)
      wanted+='
fuse3 command fusermount3
e2fsprogs command mkfs.ext4
xfsprogs command mkfs.xfs
mount command losetup
fio command fio
qemu-utils command qemu-img
libnbd-bin command nbdcopy
rsync command rsync
attr command setfattr
btrfs-progs command mkfs.btrfs
gdisk command sgdisk
fdisk command sfdisk
jq command jq
procps command pgrep
systemd command systemd-analyze
ed command ed
vim command vim
nano command nano'
      ;;
  esac
  case " $1 " in
    *' long '*) wanted+=$'\npostgresql command psql' ;;
  esac
  case " $1 " in
    *' clang '* | *' lint '*) wanted+=$'\nclang command clang++\nlibbenchmark-dev module benchmark' ;;
  esac
  case " $1 " in
    *' system-libfuse '*) wanted+=$'\nlibfuse3-dev module fuse3' ;;
  esac
  case " $1 " in
    *' lint '*)
      wanted+='
clang-format command clang-format
clang-tidy command clang-tidy
shellcheck command shellcheck'
      ;;
  esac
  # shellcheck disable=SC2046 # one word a package
  install_packages $(missing_packages <<<"$wanted")
  case " $1 " in
    *' clang '*) install_clang_runtime ;;
  esac
}

# Whether clang++ can link with libFuzzer and AddressSanitizer.
has_clang_runtime() {
  clang++ -fsanitize=fuzzer,address -x c++ -o /dev/null - 2>/dev/null \
    <<<'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }'
}

# What clang's sanitizers need beside clang: its package has clang's number in its name.
install_clang_runtime() {
  local version
  # shellcheck disable=SC2046
  install_packages $(missing_packages <<<'clang command clang++')
  if has_clang_runtime; then return; fi
  version=$(clang++ -dumpversion)
  install_packages "libclang-rt-${version%%.*}-dev"
  has_clang_runtime || die 'clang++ -fsanitize=fuzzer,address does not link'
}

# --- Building -------------------------------------------------------------------------------------

# choose_libfuse WISH DIR: sets $libfuse to bundled or system and sees to it that it is there.  WISH
# may also be auto: what DIR was set up with, else bundled, else system.
choose_libfuse() {
  libfuse=$1
  if [[ $libfuse == auto ]]; then
    if "$root/scripts/get-libfuse" --here; then
      libfuse=bundled
    elif grep -qs -e -Dlibfuse=system "$2/setup.txt"; then
      say "libfuse: the system's, as before; --libfuse=bundled tries again for a newer one"
      libfuse=system
    elif "$root/scripts/get-libfuse"; then
      libfuse=bundled
    else
      say "libfuse: falling back to the system's, which may lack passthrough"
      libfuse=system
    fi
  elif [[ $libfuse == bundled ]]; then
    "$root/scripts/get-libfuse" || die 'no source of libfuse; --libfuse=system does without it'
  fi
  if [[ $libfuse == system ]]; then
    # shellcheck disable=SC2046
    install_packages $(missing_packages <<<'libfuse3-dev module fuse3')
  fi
}

# CC alone says which compiler is meant; meson wants to hear it for C++ as well.
if [[ -n ${CC-} && -z ${CXX-} ]]; then
  case ${CC##*/} in
    clang*) export CXX=${CC%clang*}clang++${CC##*clang} ;;
    *gcc*) export CXX=${CC%gcc*}g++${CC##*gcc} ;;
  esac
fi

# configure DIR ARGUMENT...: sets DIR up with meson, unless it already is with these arguments and
# this environment; another set-up in DIR is replaced.
configure() {
  local dir=$1 stamp=$1/setup.txt
  shift
  local wanted="CC=${CC-} CXX=${CXX-} CFLAGS=${CFLAGS-} CXXFLAGS=${CXXFLAGS-} LDFLAGS=${LDFLAGS-} $*"
  if [[ -f $dir/build.ninja && -f $stamp && $(<"$stamp") == "$wanted" ]]; then return; fi

  if [[ -e $dir ]]; then
    [[ -d $dir/meson-private ]] || die "$dir is in the way: it is not a build directory"
    rm -rf "$dir"
  fi
  local log
  log=$(mktemp)
  if ! quietly "$log" meson setup "$dir" "$root" "$@"; then
    grep -a 'ERROR' "$log" >&2 || tail -n 15 "$log" >&2
    rm -f "$log"
    explain_full_disk "$root"
    die "meson could not set up $dir"
  fi
  rm -f "$log"
  printf '%s\n' "$wanted" >"$stamp"
}

# compile DIR TARGET...: shows progress on a terminal, else only warnings and errors.
compile() {
  local dir=$1
  shift
  if [[ -t 1 ]]; then
    ninja -C "$dir" "$@" && return
  else
    ninja --quiet -C "$dir" "$@" | sed '/^ninja: no work to do/d' && return
  fi
  explain_full_disk "$dir"
  return 1
}
