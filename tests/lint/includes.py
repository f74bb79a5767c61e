#!/usr/bin/env python3
"""Does every file include what it uses of the headers that scripts/test precompiles?

usage: includes.py ROOT     prints "file:line: what is missing" for each breach; exit status 1 if any

Where headers are precompiled, a file compiles that has forgotten one of them, and elsewhere does not.
The rule reads the text and knows the names below.  What a header of ours includes is there for those
who include it, as are gtest's own.
"""

import functools
import re
import sys

sys.dont_write_bytecode = True
from sources import files, main, without_comments  # pylint: disable=wrong-import-position

# What of scripts/precompiled/*.h is found in a text, by header.
NAMES = {
    "<algorithm>": r"std::(sort|stable_sort|find|find_if|any_of|all_of|none_of|count|count_if|copy|copy_n|"
                   r"fill|fill_n|min_element|max_element|lower_bound|upper_bound|equal|reverse|rotate|"
                   r"remove_if|unique|clamp|generate|is_sorted|partition_point|shuffle|transform)\(",
    "<atomic>": r"std::atomic\b",
    "<chrono>": r"std::chrono\b",
    "<condition_variable>": r"std::condition_variable",
    "<filesystem>": r"std::filesystem\b",
    "<fstream>": r"std::[io]?fstream\b",
    "<functional>": r"std::(function|bind|plus|less|greater|hash)\b",
    "<future>": r"std::(future|promise|async)\b",
    "<map>": r"std::(multi)?map\b",
    "<memory>": r"std::((make_)?(unique|shared)(_ptr)?|weak_ptr|addressof|align)\b(?=[<(])",
    "<mutex>": r"std::(lock_guard|unique_lock|scoped_lock|once_flag|call_once)\b",
    "<optional>": r"std::(optional|nullopt|make_optional)\b",
    "<random>": r"std::(mt19937(_64)?|uniform_\w+_distribution|random_device)\b",
    "<set>": r"std::(multi)?set\b",
    "<shared_mutex>": r"std::shared_(mutex|lock)\b",
    "<string>": r"std::(string|to_string|stoull|stoul|stoi)\b",
    "<string_view>": r"std::string_view\b",
    "<thread>": r"std::(thread|this_thread|jthread)\b",
    "<variant>": r"std::(variant|visit|get_if|holds_alternative|monostate)\b",
    "<vector>": r"std::vector\b",
    '"absl/functional/function_ref.h"': r"absl::FunctionRef\b",
    '"absl/status/status.h"': r"absl::(Status|OkStatus|StatusCode)\b",
    '"absl/status/statusor.h"': r"absl::StatusOr\b",
    '"absl/strings/str_cat.h"': r"absl::Str(Cat|Append)\b",
    '"absl/types/span.h"': r"absl::(Span|MakeSpan|MakeConstSpan)\b",
    "<gtest/gtest.h>": r"^(TEST(_[FP])?|TYPED_TEST)\(",
    "<gmock/gmock.h>": r"\b(EXPECT|ASSERT)_THAT\(",
}
NAMES = {header: re.compile(pattern) for header, pattern in NAMES.items()}

# What these promise of others.
IMPLIED = {
    "<string>": ["<string_view>"],
    "<filesystem>": ["<string>"],
    "<fstream>": ["<string>"],
    '"absl/status/status.h"': ["<string_view>"],
    '"absl/status/statusor.h"': ['"absl/status/status.h"'],
    '"absl/strings/str_cat.h"': ["<string>"],
    "<gtest/gtest.h>": ["<map>", "<memory>", "<set>", "<string>", "<vector>"],
    "<gmock/gmock.h>": ["<gtest/gtest.h>", "<algorithm>", "<functional>"],
}

INCLUDE = re.compile(r'^#include ([<"][^>"]+[>"])', re.MULTILINE)


class Tree:
    def __init__(self, root):
        self.root = root

    def places(self, file, name):
        """Where a quoted name may lie."""
        return [file.parent / name, *(self.root / below / name for below in ("include", "src", "tests"))]

    @functools.lru_cache(maxsize=None)
    def includes(self, file):
        """(ours, others): what a file includes itself, files and names."""
        ours, others = [], []
        for header in INCLUDE.findall(without_comments(file.read_text(encoding="utf-8"))):
            places = self.places(file, header.strip('"')) if header.startswith('"') else []
            place = next((place for place in places if place.is_file()), None)
            if place:
                ours.append(place.resolve())
            else:
                others.append(header)
        return ours, others

    def included(self, file):
        """The headers of others that a file has once its includes are read."""
        found, seen, files = set(), set(), [file]
        while files:
            file = files.pop()
            if file in seen:
                continue
            seen.add(file)
            ours, others = self.includes(file)
            files += ours
            while others:
                found.update(others)
                others = [implied for header in others for implied in IMPLIED.get(header, [])]
        return found

    def breaches(self, file):
        """(line number, header) of what is used first without its header."""
        has = self.included(file)
        lines = without_comments(file.read_text(encoding="utf-8")).splitlines()
        for header, pattern in NAMES.items():
            if header in has:
                continue
            line = next((number for number, line in enumerate(lines, 1) if pattern.search(line)), None)
            if line:
                yield line, header


def check_tree(root):
    """All breaches below `root`, as lines of text."""
    root = root.resolve()
    tree = Tree(root)
    return [f"{path}:{line}: it uses {header} and does not include it"
            for path, _ in files(root) for line, header in sorted(tree.breaches(root / path))]


if __name__ == "__main__":
    sys.exit(main(check_tree))
