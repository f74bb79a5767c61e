#!/usr/bin/env python3
"""Does clang-tidy find nothing in the rooms and, through them, the public headers?

usage: tidy.py ROOT BUILD-DIRECTORY

Most of clang-tidy's time goes into the headers of others, again for each file.  So the files of a
room are read together, as one that includes them; where they cannot be, because two of them have
their own idea of a name, in two halves, and so on.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# More would leave a processor without work at the end.
FILES_MAX = 12

# What has nothing to say about files that are included, but about a file with such a line.
ALONE = "-*,misc-unused-using-decls,misc-unused-alias-decls"
USING = re.compile(r"^\s*(using [\w:]+|namespace \w+ = [\w:]+);", re.MULTILINE)

# The analyzer looks at functions of the main file, and of files that one of such a name includes.
NAME = "UnifiedSource"


def groups(root, build):
    """The files below src/ by what they are built for: a list of (files, command to compile one)."""
    targets = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if file.is_relative_to(root / "src"):
            target = targets.setdefault(os.path.dirname(entry["output"]), {})
            target.setdefault("files", []).append(file)
            target["command"] = entry["command"]
    seen = set()
    for target in targets.values():
        files = [file for file in sorted(target["files"]) if file not in seen]
        seen.update(files)
        pieces = -(-len(files) // FILES_MAX)
        for i in range(pieces):
            yield files[i::pieces], target["command"]


def arguments(command):
    """What of a command to compile says how the file is to be read."""
    kept = []
    words = iter(shlex.split(command))
    for word in words:
        if word in ("-o", "-MF", "-MQ", "-c", "-include", "-include-pch"):
            next(words)
        elif re.match(r"-(I|isystem|D|U|W|std=|pthread)", word):
            kept.append(word)
    return kept + ["-Wno-unknown-warning-option"]


class Tidy:
    def __init__(self, root, build):
        self.root, self.build = root, build
        self.unified = build / "tidy"
        self.unified.mkdir(exist_ok=True)

    def look(self, files, command):
        """What is wrong with them, as a text."""
        together = self.unified / f"{NAME}-{files[0].parent.name}-{files[0].stem}.cc"
        together.write_text("".join(f'#include "{file}"  // NOLINT\n' for file in files))
        how = arguments(command)
        if len(files) > 1 and self.run(["clang++", "-fsyntax-only", "-w", *how, together]).returncode:
            middle = len(files) // 2
            return self.look(files[:middle], command) + self.look(files[middle:], command)
        found = self.tidy(together, how)
        for file in files:
            if USING.search(file.read_text()):
                found += self.tidy(file, how, f"--checks={ALONE}")
        return found

    def tidy(self, file, how, *options):
        config = self.root / ".clang-tidy"
        done = self.run(["clang-tidy", "--quiet", f"--config-file={config}", *options, file, "--", *how])
        # What it says on stderr is a count of what it did not show.
        stderr = re.sub(r".* warnings? .*generated\.\n", "", done.stderr)
        return "" if done.returncode == 0 else done.stdout + stderr

    def run(self, command):
        return subprocess.run(command, cwd=self.build, capture_output=True, text=True, check=False)


def main():
    root, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    tidy = Tidy(root, build)
    wholes = sorted(groups(root, build), key=lambda whole: -len(whole[0]))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = "".join(pool.map(lambda whole: tidy.look(*whole), wholes))
    print(found, end="")
    return 1 if found or not wholes else 0


if __name__ == "__main__":
    sys.exit(main())
