#!/usr/bin/env python3
"""Shows that rooms.py accepts a clean tree and catches a breach of every rule."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import rooms  # pylint: disable=wrong-import-position

CLEAN = {
    "include/rnullfs/clock.h": "#include <cstdint>\n",
    "src/base/clock.cc": '#include "rnullfs/clock.h"\nclock_gettime(CLOCK_MONOTONIC, &now);\n',
    "src/json/json.cc": "#include <nlohmann/json.hpp>\n",
    "src/store/pages.h": '#include "rnullfs/clock.h"\n',
    "src/device/device.cc": '#include "rnullfs/clock.h"\n#include "store/pages.h"\n',
    "src/tree/tree.cc": '#include "absl/strings/str_cat.h"\n#include "json/json.h"\n',
    "src/fuse/session.cc": "#include <fuse_lowlevel.h>\n",
    "src/main.cc": "constexpr int kLimit = 1;\n\nint main() {\n  int count = 0;\n}\n",
    "tests/store/pages_test.cc": "auto now = std::chrono::steady_clock::now();\n",
}

BREACHES = [
    ("src/base/log.cc", '#include "json/json.h"', "json is not below it"),
    ("src/json/json.cc", '#include "store/pages.h"', "store is not below it"),
    ("src/store/pages.h", '#include "rnullfs/attributes.h"', "config is not below it"),
    ("src/device/device.cc", '#include "tree/tree.h"', "tree is not below it"),
    ("src/tree/tree.cc", '#include "fuse/session.h"', "fuse is not below it"),
    ("src/nbdkit/plugin.cc", '#include "tree/tree.h"', "tree is not below it"),
    ("src/tree/tree.cc", "#include <nbdkit-plugin.h>", "nbdkit is for src/nbdkit"),
    ("include/rnullfs/error.h", '#include "rnullfs/device.h"', "device is not below it"),
    ("include/rnullfs/device.h", '#include "store/pages.h"', "which is private"),
    ("include/rnullfs/novelty.h", "#include <cstdint>", "belongs to no room"),
    ("src/attic/old.cc", "#include <cstdint>", "belongs to no room"),
    ("src/tree/tree.cc", "#include <fuse_lowlevel.h>", "libfuse is for src/fuse"),
    ("src/tree/tree.cc", "#include <nlohmann/json.hpp>", "for src/json"),
    ("src/device/device.cc", "  clock_gettime(CLOCK_MONOTONIC, &now);", "reads the clock"),
    ("src/device/device.cc", "  auto t = std::chrono::steady_clock::now();", "reads the clock"),
    ("src/device/device.cc", "  srand(time(nullptr));", "reads the clock"),
    ("src/store/pages.h", "  std::mutex mutex_;", "rnullfs/mutex.h"),
    ("src/store/pages.h", "  absl::Mutex mutex_;", "rnullfs/mutex.h"),
    ("src/main.cc", "static int count = 0;", "a global variable"),
    ("src/main.cc", "std::string name;", "a global variable"),
    ("src/store/pages.cc", "\n" * 301, "longer than 300 lines"),
    ("tests/store/pages_test.cc", "\n" * 401, "longer than 400 lines"),
]


class RoomsTest(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                file = pathlib.Path(root, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            return rooms.check_tree(pathlib.Path(root))

    def test_clean_tree(self):
        self.assertEqual(self.check(CLEAN), [])

    def test_comments_do_not_count(self):
        self.assertEqual(self.check({"src/tree/tree.cc": "// absl::Mutex\n/*\n absl::Mutex */\n"}), [])

    def test_every_breach_is_caught(self):
        for name, line, complaint in BREACHES:
            with self.subTest(name=name, line=line[:40]):
                breaches = self.check({**CLEAN, name: f"\n{line}\n"})
                self.assertEqual(len(breaches), 1, breaches)
                self.assertIn(complaint, breaches[0])
                self.assertTrue(breaches[0].startswith(f"{name}:"), breaches[0])


if __name__ == "__main__":
    unittest.main()
