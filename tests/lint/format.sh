#!/bin/bash
# Is every C++ file as clang-format would have it?
# usage: format.sh ROOT
set -euo pipefail
cd "$1"
find include src tests bench -name '*.cc' -o -name '*.h' | sort |
  xargs -d '\n' -n 8 -P "$(nproc)" clang-format --dry-run -Werror
