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
  const auto one_of = [](std::string_view letters, std::string_view of) {
    return !of.empty() && letters.find(of[0]) != std::string_view::npos;
  };
  if (one_of("yYtT1", text)) return true;
  if (one_of("nNfF0", text)) return false;
  if (!one_of("oO", text)) return std::nullopt;
  text.remove_prefix(1);
  if (one_of("nN", text)) return true;
  if (one_of("fF", text)) return false;
  return std::nullopt;
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  const bool leading_zero = text.size() > 1 && text.front() == '0';
  if (error != std::errc() || parsed != end || leading_zero) return std::nullopt;
  return number;
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
