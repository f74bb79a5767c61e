#!/usr/bin/env python3
"""Adds up what a run of `meson test` did, and names what did not pass.

usage: scripts/tally.py TESTLOG.json       prints "PASSED FAILED SKIPPED"; the names go to stderr

A gtest program counts by its cases, a TAP script by its checks, any other test as one.  The cases are
read from what was printed: the XML that gtest leaves behind is an older run's when the program
crashes.  A program that fails without a failed case (a crash, a time-out, a leak that a sanitizer
found) counts as one failure.  What a failed check of a script says below its line is shown with its
name, which meson does not do.
"""

import json
import re
import sys

GTEST = re.compile(r"\[ +(?P<verdict>OK|FAILED|SKIPPED) +\] (?P<name>\S+?),? .*\(\d+ ms\)$", re.M)
TAP = re.compile(r"^(?P<verdict>ok|not ok) \d+ - (?P<name>.*?)(?P<skip> # SKIP.*)?$"
                 r"(?P<said>(?:\n#.*)*)", re.M)


def verdict_of(case):
    if case["verdict"] in ("ok", "OK"):
        return "skipped" if case.groupdict().get("skip") else "passed"
    return "skipped" if case["verdict"] == "SKIPPED" else "failed"


def name_of(case):
    verdict, said = verdict_of(case), case.groupdict().get("said") or ""
    return case["name"] + (said.replace("\n#", "\n  #") if verdict == "failed" else "")


def cases_of(test):
    """(verdict, name) of everything that the program reported on, or of the program itself."""
    output = test.get("stdout", "")
    cases = [(verdict_of(case), f"{test['name']}: {name_of(case)}")
             for pattern in (GTEST, TAP) for case in pattern.finditer(output)]
    passed = test["result"] in ("OK", "EXPECTEDFAIL")
    if test["result"] == "SKIP" and not cases:
        return [("skipped", test["name"])]
    if not passed and "failed" not in [verdict for verdict, _ in cases]:
        cases.append(("failed", f"{test['name']}: {test['result']}, status {test['returncode']}"))
    return cases or [("passed", test["name"])]


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            for verdict, name in cases_of(json.loads(line)):
                counts[verdict] += 1
                if verdict != "passed":
                    print(f"  {verdict}: {name}", file=sys.stderr)
    print(*counts.values())


if __name__ == "__main__":
    main()
