#include "base/parse.h"

#include <charconv>

namespace rnullfs {

std::string_view TrimSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::optional<bool> ParseBool(std::string_view text) {
  switch (text.empty() ? '\0' : text[0]) {
    case 'y':
    case 'Y':
    case 't':
    case 'T':
    case '1':
      return true;
    case 'n':
    case 'N':
    case 'f':
    case 'F':
    case '0':
      return false;
    case 'o':
    case 'O':
      switch (text.size() < 2 ? '\0' : text[1]) {
        case 'n':
        case 'N':
          return true;
        case 'f':
        case 'F':
          return false;
        default:
          return std::nullopt;
      }
    default:
      return std::nullopt;
  }
}

std::string_view UpToNul(std::string_view text) { return text.substr(0, text.find('\0')); }

std::optional<uint64_t> ParseUnsigned(std::string_view text) {
  text = TrimSpace(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  const char* const end = text.data() + text.size();
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<int64_t> ParseSigned(std::string_view text) {
  text = TrimSpace(text);
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  // White space may stand around the number, not within it.
  if (TrimSpace(text).size() != text.size()) return std::nullopt;
  if (negative && text.starts_with('+')) return std::nullopt;
  const std::optional<uint64_t> amount = ParseUnsigned(text);
  const uint64_t most = uint64_t{INT64_MAX} + (negative ? 1 : 0);
  if (!amount.has_value() || *amount > most) return std::nullopt;
  return static_cast<int64_t>(negative ? uint64_t{0} - *amount : *amount);
}

}  // namespace rnullfs
