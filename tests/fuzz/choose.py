#!/usr/bin/env python3
"""Chooses inputs for a committed corpus from what libFuzzer knows of a larger one.

usage: choose.py CONTROL-FILE COUNT     prints at most COUNT names, one a line

CONTROL-FILE is what `-set_cover_merge=1 -use_counters=0 -merge_control_file=...` leaves: names, then
the features of each input ("FT"), mostly the edges it takes.  Those of the first directory are in the
corpus already.  libFuzzer itself would take every input that adds a feature; here the most useful come
first, and a corpus stays small.
"""

import os
import sys

BYTES_MAX = 2048  # an input in the repository should be small, and quick


def read(lines):
    """The names, how many of them are in the corpus already, and each input's features."""
    count, known = int(lines[0]), int(lines[1])
    features = [set() for _ in range(count)]
    for line in lines[2 + count:]:
        kind, number, *values = line.split()
        if kind == "FT":
            features[int(number)].update(values)
    return lines[2:2 + count], known, features


def choose(names, known, features, wanted):
    """Greedily: the input with the most new features, among equals the smallest."""
    covered = set().union(*features[:known])
    left = [(found, name) for found, name in zip(features[known:], names[known:])
            if found - covered and os.path.getsize(name) <= BYTES_MAX]
    while left and wanted > 0:
        left.sort(key=lambda one: (-len(one[0] - covered), os.path.getsize(one[1])))
        found, name = left.pop(0)
        if not found - covered:
            return
        covered |= found
        wanted -= 1
        yield name


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        names, known, features = read(file.read().splitlines())
    for name in choose(names, known, features, int(sys.argv[2])):
        print(name)


if __name__ == "__main__":
    main()
