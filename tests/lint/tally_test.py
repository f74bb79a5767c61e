#!/usr/bin/env python3
"""Shows that scripts/tally.py misses no failure: the last line of scripts/test rests on it."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parents[2] / "scripts"))
import tally  # pylint: disable=wrong-import-position


def count(stdout, result="OK", status=0):
    test = {"name": "t", "stdout": stdout, "result": result, "returncode": status}
    verdicts = [verdict for verdict, _ in tally.cases_of(test)]
    return tuple(verdicts.count(verdict) for verdict in ("passed", "failed", "skipped"))


class TallyTest(unittest.TestCase):
    def test_gtest(self):
        output = ("[ RUN      ] A.One\n[       OK ] A.One (0 ms)\n"
                  "no newline[       OK ] A/B.Two/0 (12 ms)\n"
                  "[  SKIPPED ] A.Three (0 ms)\n"
                  "[  FAILED  ] A/B.Four/1, where GetParam() = (a b) (3 ms)\n"
                  "[  FAILED  ] 1 test, listed below:\n"
                  "[  FAILED  ] A/B.Four/1, where GetParam() = (a b)\n")
        self.assertEqual(count(output, "FAIL", 1), (2, 1, 1))

    def test_tap(self):
        self.assertEqual(count("ok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no d\n1..3\n", "FAIL"),
                         (1, 1, 1))

    def test_a_program_that_ends_badly_has_failed(self):
        for result in ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS"):
            self.assertEqual(count("[       OK ] A.One (0 ms)\n", result), (1, 1, 0))
            self.assertEqual(count("", result), (0, 1, 0))

    def test_a_program_without_cases(self):
        self.assertEqual(count("whatever\n"), (1, 0, 0))
        self.assertEqual(count("1..0 # SKIP no fuse\n", "SKIP"), (0, 0, 1))


if __name__ == "__main__":
    unittest.main()
