#include "config/size_text.h"

#include <limits>

#include "base/parse.h"

namespace rnullfs {

std::optional<uint64_t> ParseSizeMib(std::string_view text) {
  constexpr uint64_t kKibPerMib = 1024;
  text = TrimSpace(text);
  uint64_t unit_mib = 1;
  bool kib = false;
  bool suffix = true;
  switch (text.empty() ? '\0' : text.back()) {
    case 'k':
    case 'K':
      kib = true;
      break;
    case 'm':
    case 'M':
      break;
    case 'g':
    case 'G':
      unit_mib = uint64_t{1} << 10;
      break;
    case 't':
    case 'T':
      unit_mib = uint64_t{1} << 20;
      break;
    default:
      suffix = false;
  }
  if (suffix) text.remove_suffix(1);
  const std::optional<uint64_t> number = ParseUnsigned(text);
  if (!number.has_value()) return std::nullopt;
  if (kib) {
    if (*number % kKibPerMib != 0) return std::nullopt;
    return *number / kKibPerMib;
  }
  if (*number > std::numeric_limits<uint64_t>::max() / unit_mib) return std::nullopt;
  return *number * unit_mib;
}

}  // namespace rnullfs
