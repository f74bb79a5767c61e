#!/usr/bin/env python3
"""Shows that includes.py accepts a clean tree and misses no header that is precompiled."""

import pathlib
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import includes  # pylint: disable=wrong-import-position

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Of which every file has one from whatever else it includes.
EVERYWHERE = {"<utility>"}

CLEAN = {
    "include/rnullfs/view.h": '#include <vector>\n#include "rnullfs/view_inline.h"\n',
    "include/rnullfs/view_inline.h": '#include "rnullfs/view.h"\n',
    "src/store/a.cc": '#include "rnullfs/view.h"\nstd::vector<int> all;\n',
    "src/store/b.cc": '#include <string>\nstd::string_view text = "std::map";  // as a std::set\n',
    "tests/store/helper.h": "#include <optional>\n",
    "tests/store/c_test.cc": '#include <gtest/gtest.h>\n#include "helper.h"\nTEST(A, B) { std::optional<int> c; }\n',
}

BREACHES = [
    ("src/store/a.cc", "std::vector<int> all;", "<vector>"),
    ("src/store/a.cc", "std::sort(a, b);", "<algorithm>"),
    ("src/store/a.cc", "auto a = std::make_unique<int>(1);", "<memory>"),
    ("src/store/a.cc", "#include <vector>\n// of a\nstd::vector<std::string> all;", "3: it uses <string>"),
    ("include/rnullfs/view.h", "absl::StatusOr<int> Get();", '"absl/status/statusor.h"'),
    ("tests/store/c_test.cc", "TEST(A, B) {}", "<gtest/gtest.h>"),
]


class IncludesTest(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                file = pathlib.Path(root, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            return includes.check_tree(pathlib.Path(root))

    def test_clean_tree(self):
        self.assertEqual(self.check(CLEAN), [])

    def test_breaches(self):
        for name, text, what in BREACHES:
            found = self.check({name: text + "\n"})
            self.assertEqual(len(found), 1, (text, found))
            self.assertIn(what, found[0])

    def test_knows_what_is_precompiled(self):
        precompiled = set()
        for file in (ROOT / "scripts" / "precompiled").glob("*.h"):
            precompiled |= set(includes.INCLUDE.findall(file.read_text(encoding="utf-8")))
        self.assertEqual(precompiled - {'"rooms.h"'} - EVERYWHERE, set(includes.NAMES))


if __name__ == "__main__":
    unittest.main()
