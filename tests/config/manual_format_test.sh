#!/bin/sh
# groff formats the manual page without a warning.
# usage: manual_format_test.sh GROFF PAGE
set -eu
complaints=$("$1" -man -ww -z "$2" 2>&1)
[ -z "$complaints" ] || {
  echo "$complaints"
  exit 1
}
