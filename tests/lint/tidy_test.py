#!/usr/bin/env python3
"""Shows that tidy.py finds what clang-tidy would find in each file alone."""

import json
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import tidy  # pylint: disable=wrong-import-position

ROOT = pathlib.Path(__file__).parents[2]

FAULTS = {
    "readability-else-after-return": "int Else(int a) { if (a > 1) { return 1; } else { return a; } }",
    "clang-analyzer-core.NullDereference": "int Null() { int* none = nullptr; return *none; }",
    "misc-unused-using-decls": "namespace n { struct S {}; }\nusing n::S;",
    "misc-unused-parameters": "static int Unused(int a) { return 1; }\nint Use() { return Unused(2); }",
}


class TidyTest(unittest.TestCase):
    def found(self, files):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory).resolve()
            (root / "src/room").mkdir(parents=True)
            (root / "build").mkdir()
            shutil.copy(ROOT / ".clang-tidy", root)
            entries = []
            for name, text in files.items():
                (root / "src/room" / name).write_text(text + "\n")
                entries.append({"directory": str(root / "build"), "file": f"../src/room/{name}",
                                "output": f"libroom.a.p/{name}.o",
                                "command": f"c++ -std=c++20 -o {name}.o -c ../src/room/{name}"})
            (root / "build/compile_commands.json").write_text(json.dumps(entries))
            return tidy.Tidy(root, root / "build").look(*tidy.sources(root, root / "build"))

    def test_nothing(self):
        self.assertEqual(self.found({"a.cc": "int A() { return 1; }",
                                     "b.cc": "int B() { return 2; }"}), "")

    def test_each_fault(self):
        found = self.found({f"f{i}.cc": text for i, text in enumerate(FAULTS.values())})
        for fault in FAULTS:
            self.assertIn(fault, found)

    def test_files_that_cannot_be_read_together(self):
        own = "static const {} kOwn = 1;\nint Own{}() {{ return kOwn; }}\n"
        files = {"a.cc": own.format("int", "A") + FAULTS["readability-else-after-return"],
                 "b.cc": own.format("long", "B") + "int Fine() { return 1; }",
                 "c.cc": own.format("short", "C") + FAULTS["clang-analyzer-core.NullDereference"]}
        found = self.found(files)
        self.assertIn("a.cc", found)
        self.assertNotIn("b.cc", found)
        self.assertIn("c.cc", found)

    def test_what_does_not_compile(self):
        self.assertIn("clang-diagnostic-error", self.found({"a.cc": "int A() { return b; }"}))


if __name__ == "__main__":
    unittest.main()
