#!/bin/bash
# The check of the check: without the kernel's sending again what was not answered, chaos.py fails.
#
# usage: mutation.sh RNULLFS      a program built with -Dmutation=no-resend
set -euo pipefail
RNULLFS=$(realpath "$1")
export RNULLFS
cd "$(dirname "$0")"
echo 1..2
log=$(mktemp)
trap 'rm -f "$log"' EXIT

says() { sed 's/^/#   /' "$log"; }

if ! CHAOS_KILLS=0 timeout --kill-after=30 60 ./chaos.py kill >"$log" 2>&1; then
  echo 'not ok 1 - the program works when nobody is killed'
  says
  exit 1
fi
echo 'ok 1 - the program works when nobody is killed'

# What is not sent again is waited for, for ever.
if CHAOS_KILLS=3 timeout --kill-after=30 60 ./chaos.py kill >"$log" 2>&1; then
  echo 'not ok 2 - chaos.py notices when requests are lost'
  says
  exit 1
fi
echo 'ok 2 - chaos.py notices when requests are lost'
