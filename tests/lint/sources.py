"""What the checks that read the sources as text have in common."""

import pathlib
import re
import sys


def files(root):
    """Yields (path below `root`, text) for every file of ours in C++."""
    for top in ("include", "src", "tests", "bench"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix in (".cc", ".h"):
                yield file.relative_to(root), file.read_text(encoding="utf-8")


def without_comments(text):
    """The text with its comments and strings blanked but for what is included, line numbers kept."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group())
    keep = lambda match: match.group() if match.group().startswith("#") else blank(match)
    return re.sub(r'^#include[^\n]*|//[^\n]*|/\*.*?\*/|"(\\.|[^"\\\n])*"', keep, text,
                  flags=re.DOTALL | re.MULTILINE)


def main(check_tree):
    """The program of a check: prints its breaches, and returns its exit status."""
    breaches = check_tree(pathlib.Path(sys.argv[1]))
    print("\n".join(breaches), end="\n" if breaches else "")
    return 1 if breaches else 0
