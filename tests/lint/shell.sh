#!/bin/bash
# Does shellcheck find nothing in the shell scripts, whatever they are called?
# usage: shell.sh ROOT
set -euo pipefail
cd "$1"

is_shell() { [[ $1 == *.sh ]] || head -n 1 "$1" | grep -qaE '^#!/bin/(ba)?sh'; }

find .ci scripts tests examples -type f | sort | while read -r script; do
  if is_shell "$script"; then echo "$script"; fi
done | xargs -d '\n' shellcheck
