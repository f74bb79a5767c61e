#!/usr/bin/env python3
"""Does clang-tidy find nothing in the rooms and, through them, the public headers?

usage: tidy.py ROOT BUILD-DIRECTORY

Most of clang-tidy's time goes into the headers of others, again for each file.  So a processor's share
of all files is read together, as one that includes them; those which have their own idea of a name that
another one has are put apart, and read together after them.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# What has nothing to say about files that are included, but about a file with such a line.
ALONE = "-*,misc-unused-using-decls,misc-unused-alias-decls"
USING = re.compile(r"^\s*(using [\w:]+|namespace \w+ = [\w:]+);", re.MULTILINE)

# The analyzer looks at functions of the main file, and of files that one of such a name includes.
NAME = "UnifiedSource"
# How far it follows a function: most faults are found long before, and no end is several times as slow.
ANALYZER = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=30000"]

# Whose fault it is that files cannot be read together: he defines a name again, or hides it from those
# after him.  Else anybody's who has an error.
CLASH = re.compile(r"^(.+?):\d+:\d+: (error: redefinition of|note: candidate found by name lookup is "
                   r"'[^']*\(anonymous namespace\)|note: \w+ '[^']*' is hidden by)", re.MULTILINE)
ERROR = re.compile(r"^(.+?):\d+:\d+: (fatal )?error: ", re.MULTILINE)


def sources(root, build):
    """The files below src/ that are built, and how they are to be read."""
    files, how = [], []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if file.is_relative_to(root / "src") and file not in files:
            files.append(file)
            how += [word for word in arguments(entry["command"]) if word not in how]
    return sorted(files), how


def shares(files, count):
    """The files in `count` parts of about the same size."""
    parts = [[] for _ in range(count)]
    sizes = [0] * count
    for file in sorted(files, key=lambda file: -file.stat().st_size):
        smallest = sizes.index(min(sizes))
        parts[smallest].append(file)
        sizes[smallest] += file.stat().st_size
    return [sorted(part) for part in parts if part]


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
        # First of all, so that a file which has its own idea of a name that a header has is wrong itself,
        # and not whoever needs that header after it.  Such files are read after the others, without.
        self.headers = sorted(file for top in ("include", "src") for file in (root / top).rglob("*.h"))
        self.unified = build / "tidy"
        self.unified.mkdir(exist_ok=True)

    def look(self, files, how):
        """What is wrong with them, as a text."""
        found = ""
        headers = self.headers
        while files:
            together, files = self.split(headers, files, how)
            if together:
                found += self.tidy(self.unify(headers, together), how)
            for file in together:
                if USING.search(file.read_text()):
                    found += self.tidy(file, how, f"--checks={ALONE}")
            headers = []
        return found

    def split(self, headers, files, how):
        """(those that can be read together after these headers, the others)"""
        apart = []
        while len(headers + files) > 1 and files:
            done = self.run(["clang++", "-fsyntax-only", "-w", "-ferror-limit=0", *how,
                             self.unify(headers, files)])
            if done.returncode == 0:
                break
            others = files if headers else files[1:]
            for pattern in (CLASH, ERROR):
                named = {pathlib.Path(match[0]).resolve() for match in pattern.findall(done.stderr)}
                clashing = [file for file in others if file in named]
                if clashing:
                    break
            else:  # a header says what is wrong, or the first file is
                clashing = others[len(others) // 2:]
            apart += clashing
            files = [file for file in files if file not in clashing]
        return files, apart

    def unify(self, headers, files):
        together = self.unified / f"{NAME}-{files[0].parent.name}-{files[0].stem}.cc"
        together.write_text("".join(f'#include "{file}"  // NOLINT\n' for file in headers + files))
        return together

    def tidy(self, file, how, *options):
        config = self.root / ".clang-tidy"
        done = self.run(["clang-tidy", "--quiet", f"--config-file={config}", *options, file, "--", *how, *ANALYZER])
        # What it says on stderr is a count of what it did not show.
        stderr = re.sub(r".* warnings? .*generated\.\n", "", done.stderr)
        return "" if done.returncode == 0 else done.stdout + stderr

    def run(self, command):
        return subprocess.run(command, cwd=self.build, capture_output=True, text=True, check=False)


def main():
    root, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    files, how = sources(root, build)
    tidy = Tidy(root, build)
    processors = os.cpu_count()
    with ThreadPoolExecutor(processors) as pool:
        found = "".join(pool.map(lambda share: tidy.look(share, how), shares(files, processors)))
    print(found, end="")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
