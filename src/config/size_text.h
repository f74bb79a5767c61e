// Capacities as people write them: "1536M", "8G", "2T".
//
// Thread safety: a pure function.
#ifndef RNULLFS_CONFIG_SIZE_TEXT_H_
#define RNULLFS_CONFIG_SIZE_TEXT_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace rnullfs {

// What kSizeSuffixes is called in sentences.
inline constexpr std::string_view kSizeSuffixes = "the suffix K, M, G or T";

// MiB: a whole number, alone (MiB) or with a binary suffix in either case.  Null for a fraction
// ("1.5G" is 1536M), for KiB that are no whole MiB, and beyond 64 bits.
std::optional<uint64_t> ParseSizeMib(std::string_view text);

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_SIZE_TEXT_H_
