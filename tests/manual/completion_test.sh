#!/bin/bash
# The generated completion, asked as bash asks it: with the words broken at spaces and "=".
# usage: completion_test.sh GENERATOR
set -u
source <("$1" completion)
compopt() { :; }  # works only under readline
cd "$(mktemp -d)" || exit 1
trap 'rm -r "$PWD"' EXIT
mkdir mount-here
failures=0

# check LINE EXPECTED: what completes LINE, sorted.
check() {
  local broken=${1//=/ = }
  read -ra COMP_WORDS <<< "$broken"
  [[ $1 == *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
  _rnullfs
  local got
  got=$(printf '%s\n' "${COMPREPLY[@]-}" | sort | tr '\n' ' ')
  [[ ${got% } == "$2" ]] && return
  echo "'$1' completes to '${got% }', expected '$2'"
  failures=$((failures + 1))
}

check 'rnullfs -o si' 'size='
check 'rnullfs -o  mem' 'memory_backed= memory_limit='
check 'rnullfs -osi' '-osize='
check 'rnullfs -o ro,nosu' 'ro,nosuid'
check 'rnullfs -o ro,bs' 'ro,bs='
check 'rnullfs -o tim' 'timeout='
check 'rnullfs -o size=8G,nr' '8G,nr_devices='
check 'rnullfs -o size=8G,power=1,irq' '1,irqmode='
check 'rnullfs -f -o size=' ''
check 'rnullfs --' '--help --rescue --snapshots --upgrade --version'
check 'rnullfs -' '--help --rescue --snapshots --upgrade --version -V -f -h -o'
check 'rnullfs mou' 'mount-here'
check 'rnullfs -f ' 'mount-here'
exit "$((failures > 0))"
