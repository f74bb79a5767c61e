#!/usr/bin/env python3
"""Checks the rules of the rooms (docs/architecture.md).

usage: rooms.py ROOT        prints "file:line: what is wrong" for each breach; exit status 1 if any

Includes point one way; some headers and the clock belong to one room; files stay short.  The rules
read the text line by line and know no C++ beyond comments: enough to catch what slips in by habit.
"""

import pathlib
import re
import sys

sys.dont_write_bytecode = True
from sources import files, main, without_comments  # pylint: disable=wrong-import-position

# A room may include itself, these rooms and what those may include.
BELOW = {
    "base": [],
    "guard": ["base"],
    "config": ["base"],
    "store": ["base"],
    "past": ["store"],
    "json": ["config"],
    "records": ["json"],
    "command_line": ["config"],
    "manual": ["command_line"],
    "damage": ["config", "past"],
    "crash": ["past"],
    "device": ["config", "damage"],
    "disk": ["crash", "device", "records"],
    "nbdkit": ["disk"],
    "ctl": ["json"],
    "tree": ["disk", "command_line"],
    "fuse": ["tree"],
    "main": ["fuse", "guard"],
}

# include/rnullfs/: which room a public header belongs to.
PUBLIC = {
    "attributes.h": "config",
    "bad_blocks.h": "config",
    "clock.h": "base",
    "command.h": "device",
    "counters.h": "store",
    "device.h": "device",
    "device_config.h": "config",
    "device_counters.h": "device",
    "disk.h": "disk",
    "disk_host.h": "disk",
    "disk_origin.h": "disk",
    "disk_past.h": "disk",
    "error.h": "base",
    "fault_rule.h": "config",
    "histogram.h": "store",
    "index_pool.h": "disk",
    "medium.h": "device",
    "memfd_keeper.h": "base",
    "memory_limit.h": "store",
    "mutex.h": "base",
    "origin.h": "disk",
    "origin_key.h": "base",
    "page_store.h": "store",
    "power_cut.h": "base",
    "rcu.h": "store",
    "requester.h": "base",
    "rule_attributes.h": "config",
    "settings.h": "config",
    "snapshot.h": "past",
    "store.h": "store",
    "unique_fd.h": "base",
    "value_type.h": "config",
    "view.h": "store",
    "xarray.h": "store",
    "xarray_inline.h": "store",
}

# What only one place may have: a pattern of a line without comments, the place, and why.
ONLY_IN = [
    (r"#include <fuse", ["src/fuse/"], "libfuse is for src/fuse"),
    (r"#include <CLI/", ["src/ctl/"], "CLI11 is for src/ctl"),
    (r"#include <nbdkit", ["src/nbdkit/"], "nbdkit is for src/nbdkit"),
    (r"#include [<\"]nlohmann/", ["src/json/", "src/records/"],
     "the JSON library is for src/json and src/records"),
    (r"\b(clock_gettime|gettimeofday)\s*\(", ["src/base/"], "only src/base reads the clock"),
    (r"\bchrono::\w+_clock::now\b", ["src/base/"], "only src/base reads the clock"),
    (r"(?<![\w.>])time\s*\(\s*(nullptr|NULL|0|&)", ["src/base/"], "only src/base reads the clock"),
    (r"\bstd::(shared_)?mutex\b", ["include/rnullfs/mutex.h"],
     "clang checks the locks of rnullfs/mutex.h only"),
    (r"\babsl::Mutex\b", [], "a system's abseil hides its locks from TSan; see rnullfs/mutex.h"),
]

# A variable at the start of a line, outside functions and classes in this format.
GLOBAL = re.compile(r"(?=\w)(?!.*\b(const|constexpr|using|typedef|extern|return|friend)\b)"
                    r"(static |inline |thread_local )*[\w:<>, ]+[ *&]\w+(\[\w*\])?( = .*|\{.*\})?;$")

# Files fit into a head: those of the rooms, but for tables, and all others.
LINES_MAX = 300
LINES_MAX_ELSEWHERE = 400
TABLES = ["src/config/attribute_table.cc"]


def room_of(path):
    """The room of a path below the root, or None."""
    parts = path.parts
    if parts[:2] == ("include", "rnullfs"):
        return PUBLIC.get(path.name)
    if parts[0] != "src":
        return None
    return parts[1] if len(parts) > 2 else path.stem


def may_include(room, other):
    return room == other or any(may_include(below, other) for below in BELOW[room])


def check_include(path, target):
    """What is wrong with `path` including `target` (as written between the quotes), or None."""
    room = room_of(path)
    prefix = "include" if target.startswith("rnullfs/") else "src"
    other = room_of(pathlib.PurePath(prefix, target))
    if other not in BELOW:
        return None
    if path.parts[0] == "include" and prefix == "src":
        return f"a public header includes {target}, which is private"
    if may_include(room, other):
        return None
    return f"{room} includes {target}, but {other} is not below it"


def check_file(path, text):
    """Yields (line number, what is wrong) for a file of src or include."""
    if room_of(path) not in BELOW:
        yield 1, "belongs to no room: tests/lint/rooms.py has the list"
        return
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        include = re.match(r'#include "([^"]+)"', line)
        wrong = check_include(path, include.group(1)) if include else None
        if wrong:
            yield number, wrong
        for pattern, places, why in ONLY_IN:
            if re.search(pattern, line) and not str(path).startswith(tuple(places)):
                yield number, why
        if room_of(path) == "main" and GLOBAL.match(line):
            yield number, "a global variable"


def check_length(path, text):
    lines = text.count("\n")
    room = room_of(path) is not None and str(path) not in TABLES
    most = LINES_MAX if room else LINES_MAX_ELSEWHERE
    if lines > most:
        yield lines, f"longer than {most} lines: split it"


def check_tree(root):
    """All breaches below `root`, as lines of text."""
    breaches = []
    for path, text in files(root):
        found = list(check_length(path, text))
        if path.parts[0] in ("include", "src"):
            found += check_file(path, text)
        breaches += [f"{path}:{number}: {what}" for number, what in found]
    return breaches


if __name__ == "__main__":
    sys.exit(main(check_tree))
