// A RateLimit as text: "100" for what reads and writes share, "100:50" for a limit of each.
//
// Thread safety: pure functions.
#ifndef RNULLFS_CONFIG_RATE_TEXT_H_
#define RNULLFS_CONFIG_RATE_TEXT_H_

#include <optional>
#include <string>
#include <string_view>

#include "rnullfs/rate_limit.h"

namespace rnullfs {

// Null for what is no such text, each side of it as ParseQuantity(); white space around it is
// ignored.
std::optional<RateLimit> ParseRate(std::string_view text, std::string_view unit);

std::string RateText(const RateLimit& rate);

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_RATE_TEXT_H_
