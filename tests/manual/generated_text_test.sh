#!/bin/sh
# What is checked in is what the generator prints.
# usage: generated_text_test.sh GENERATOR NAME FILE [FIRST LAST]
# FIRST and LAST are how the lines begin between which FILE carries the text; without them all of
# FILE is the text.
set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
"$1" "$2" > "$work/generated"
if [ $# -eq 5 ]; then
  awk -v first="$4" -v last="$5" '
    index($0, last) == 1 { inside = 0 }
    inside { print }
    index($0, first) == 1 { inside = 1 }' "$3" > "$work/checked-in"
else
  cp "$3" "$work/checked-in"
fi
diff -u "$work/checked-in" "$work/generated" || {
  echo "update $3 with: $1 $2"
  exit 1
}
