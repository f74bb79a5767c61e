#!/bin/bash
# config.json is truly editable: by every program that people edit files with, each of which reads
# and writes in its own way.
. "$(dirname "$0")/../lib.sh"
needs fuse jq python3
mount_rnullfs -o nr_devices=1
one=$mnt/rnullb0
config=$one/config.json
export HOME=$scratch # where editors leave their files

# Each edit sets the size to a value that it has not had before.
sets() {
  local what=$1 size=$2
  shift 2
  check "$what" "$@"
  same "$what: it has taken effect" "$size" "$(cat "$one/size")"
  same "$what: last_error is empty" '' "$(<"$one/last_error")"
}

# with PROGRAM WHAT SIZE COMMAND...: sets, where the program is installed.
with() {
  if command -v "$1" >/dev/null; then sets "${@:2}"; else skip_check "$2" "there is no $1"; fi
}

# --- The shell and its tools ----------------------------------------------------------------------

by_pieces() {
  exec 4>"$config"
  printf '{"si' >&4
  printf 'ze": 1' >&4
  printf '1' >&4
  printf '}' >&4
  exec 4>&-
}
by_appending() {
  printf '{"size":' >"$config"
  printf ' 12' >>"$config"
  printf '}\n' >>"$config"
}
by_lines() { printf '{\n  "size": 13,\n  "irqmode": 0\n}\n' >"$config"; }
by_jq_and_tee() { jq '.size = 14' "$config" | tee "$config" >/dev/null; }
by_cp() {
  jq '.size = 15' "$config" >"$scratch/new.json"
  cp "$scratch/new.json" "$config"
}
by_dd() { jq '.size = 16' "$config" | dd of="$config" bs=1 status=none; }
by_cat() { cat >"$config" <<<'{"size": 17}'; }
# shellcheck disable=SC2016 # for the inner shell
by_children() { sh -c 'printf "{"; /bin/echo "\"size\":"; /bin/echo 18; printf "}"' >"$config"; }
by_copy_of_another() {
  mkdir "$mnt/template"
  put 19 "$mnt/template/size"
  cp "$mnt/template/config.json" "$config"
}
in_place() { # the digits of the size, where they stand
  local at
  at=$(grep -ob '"size": 19' "$config" | cut -d: -f1)
  printf 20 | dd of="$config" bs=1 seek=$((at + 8)) conv=notrunc status=none
}
sets 'several printf to one descriptor' 11 by_pieces
sets 'appending until it is complete' 12 by_appending
sets 'line by line' 13 by_lines
sets 'jq ... | tee' 14 by_jq_and_tee
sets 'cp' 15 by_cp
sets 'byte by byte' 16 by_dd
sets 'cat' 17 by_cat
sets 'several processes that share one descriptor' 18 by_children
sets 'a copy of another device' 19 by_copy_of_another
sets 'digits overwritten in place' 20 in_place

# --- Editors --------------------------------------------------------------------------------------

type_keys() { python3 "$tests/typist.py" "$@"; }
by_ed() { printf '%s\n' '/"size"/s/[0-9][0-9]*/31/' w q | ed -s "$config"; }
by_ed_again() {
  printf '%s\n' '/"size"/s/[0-9][0-9]*/3200000/' w '/"size"/s/3200000/32/' w q | ed -s "$config"
}
by_vim() { vim -u NONE -es -c '%s/"size": [0-9]*/"size": 33/' -c wq "$config"; }
by_vim_on_a_terminal() {
  type_keys ':%s/"size": [0-9]*/"size": 34/\r' 'ZZ' -- vim -u NONE -N "$config"
}
# Alt-t cuts all lines, Ctrl-O and Enter write, Ctrl-X leaves.
by_nano() { type_keys '\x1bt' '{"size": 35}' '\x0f' '\r' '\x18' -- nano --ignorercfiles "$config"; }

with ed 'ed' 31 by_ed
with ed 'ed, writing twice' 32 by_ed_again
# Vim puts the old text back.
by_vim_in_vain() {
  vim -u NONE -es -c '%s/"irqmode": [0-9]*/"irqmode": 7/' -c wq "$config" || true
}
if command -v vim >/dev/null; then
  by_vim_in_vain
  same 'vim, refused: nothing has changed' 0 "$(cat "$one/irqmode")"
  says 'vim, refused: the reason stays' '^irqmode: 7' "$(<"$one/last_error")"
else
  skip_check 'vim, refused' 'there is no vim'
fi
with vim 'vim -es' 33 by_vim
with vim 'vim' 34 by_vim_on_a_terminal
with nano 'nano' 35 by_nano

# --- Python ---------------------------------------------------------------------------------------

python() { python3 - "$config"; }
dump() {
  python <<'END'
import json, sys
with open(sys.argv[1]) as file:
    config = json.load(file)
config["size"] = 41
with open(sys.argv[1], "w") as file:
    json.dump(config, file)
END
}
dump_in_small_writes() {
  python <<'END'
import io, json, sys
raw = open(sys.argv[1], "wb", buffering=0)
with io.TextIOWrapper(raw, write_through=True) as file:
    json.dump({"size": 42, "rotational": False}, file, indent=2)
END
}
load_and_dump_in_place() {
  python <<'END'
import json, sys
with open(sys.argv[1], "r+") as file:
    config = json.load(file)
    config["size"] = 43
    file.seek(0)
    json.dump(config, file, indent=4)
    file.truncate()
END
}
error_reaches_the_writer() {
  python <<'END'
import errno, json, sys
try:
    with open(sys.argv[1], "w") as file:
        json.dump({"size": -1}, file)
except OSError as error:
    sys.exit(0 if error.errno == errno.EINVAL else 2)
sys.exit(1)
END
}
sets 'json.dump' 41 dump
sets 'json.dump in many small writes' 42 dump_in_small_writes
sets 'load, change, dump on one descriptor' 43 load_and_dump_in_place
check 'an error reaches the writer' error_reaches_the_writer
same 'and nothing has changed' 43 "$(cat "$one/size")"
