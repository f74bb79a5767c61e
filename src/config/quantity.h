// Numbers with a unit, as people write them: "8G" of a size, "50ms" of a time.
//
// A number alone counts in the value's own unit (ValueType::unit), as in configfs.
// Thread safety: pure functions.
#ifndef RNULLFS_CONFIG_QUANTITY_H_
#define RNULLFS_CONFIG_QUANTITY_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace rnullfs {

// How many `unit` the text says: a whole number, alone or with one of the unit's suffixes; sizes
// are binary and in either case ("8g", "8GiB").  Null for a fraction ("1.5G" is 1536M), for what is
// no whole number of `unit` ("1K" of MiB), and beyond 64 bits.
std::optional<uint64_t> ParseQuantity(std::string_view text, std::string_view unit);

// What they are called in sentences, "the suffix K, M, G or T"; empty for a unit without.
std::string_view SuffixesOf(std::string_view unit);

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_QUANTITY_H_
