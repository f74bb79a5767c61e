// Values for any row of the table, for tests that go through all of it.
#ifndef RNULLFS_TESTS_CONFIG_ATTRIBUTE_VALUES_H_
#define RNULLFS_TESTS_CONFIG_ATTRIBUTE_VALUES_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

#include "rnullfs/attributes.h"

namespace rnullfs {

// Text that changes the row, whatever it is, in a new configuration; empty if nothing does.
inline std::string OtherText(const Attribute& row) {
  for (const char* text : {"1", "0", "2", "512", "daemon", "random", "+8-15", "read hang"}) {
    Settings settings;
    if (StoreAttribute(row, text, settings).ok() && Differs(row, settings, Settings())) return text;
  }
  return {};
}

// Some text that the row takes.
inline std::string RandomText(const Attribute& row, std::mt19937_64& random) {
  const absl::Span<const std::string_view> words = row.type->words();
  for (;;) {
    const uint64_t first = (uint64_t{1} << random() % 64) - random() % 2;
    const uint64_t second = random() % 5000;
    const std::string texts[] = {
        std::to_string(first),
        "-" + std::to_string(second),
        std::to_string(second) + ":" + std::to_string(random() % 3),
        "+" + std::to_string(second) + "-" + std::to_string(second + random() % 700),
        "r" + std::to_string(second) + ": write 8-15 delay " + std::to_string(first),
        words.empty() ? "1" : std::string(words[random() % words.size()]),
    };
    const std::string& text = texts[random() % std::size(texts)];
    Settings settings;
    if (StoreAttribute(row, text, settings).ok()) return text;
  }
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_CONFIG_ATTRIBUTE_VALUES_H_
