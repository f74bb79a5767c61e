#!/bin/bash
# The built manual pages: man shows them without a warning, their NAME can be indexed, and they name
# all that the tables have.
# usage: manual_test.sh GENERATOR RNULLFS.5 RNULLFS.8 [PAGE...]
set -u
generator=$1 files=$2 command=$3
export LC_ALL=C.UTF-8
failures=0

fail() {
  echo "$*"
  failures=$((failures + 1))
}

for page in "${@:2}"; do
  complaints=$(man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
  [[ -z $complaints ]] || fail "$page: $complaints"
  name=${page##*/}
  [[ $(lexgrog "$page") == *": \"${name%.*} - "* ]] || fail "$page: $(lexgrog "$page")"
done

# As they are read, words not broken.
unset MAN_KEEP_FORMATTING
text() { MANWIDTH=1000 man --nh --nj -l "$1"; }
files=$(text "$files") command=$(text "$command")

# has TEXT HOW NAME...: grep finds each in the text, as a word or (-x) as a heading.
has() {
  local text=$1 how=$2 name
  shift 2
  for name; do
    grep -qF "$how" -e "$name" <<<"$text" || fail "the manual has no $name"
  done
}

# In the first column of the README's table.
# shellcheck disable=SC2016 # backticks are meant
mapfile -t attributes < <("$generator" readme-table | sed -n 's/^| `\([^`]*\)`.*/       \1/p')
((${#attributes[@]} >= 40)) || fail "only ${#attributes[@]} attributes"
has "$files" -x "${attributes[@]}"
_rnullfs_options=''
source <("$generator" completion)
read -ra options <<<"${_rnullfs_options//=/}"
((${#options[@]} > 50)) || fail "only ${#options[@]} options"
has "$command" -w "${options[@]}" --upgrade --rescue --snapshots --help --version -f -o -h -V

echo '@NO_SUCH@' | "$generator" manual 2>/dev/null && fail 'an unknown marker is taken'
exit "$((failures > 0))"
