#include "config/rate_text.h"

#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/quantity.h"

namespace rnullfs {
namespace {

std::optional<uint32_t> ParseOne(std::string_view text, std::string_view unit) {
  const std::optional<uint64_t> value = ParseQuantity(text, unit);
  if (!value.has_value() || *value > std::numeric_limits<uint32_t>::max()) return std::nullopt;
  return static_cast<uint32_t>(*value);
}

}  // namespace

std::optional<RateLimit> ParseRate(std::string_view text, std::string_view unit) {
  text = TrimSpace(text);
  const size_t colon = text.find(':');
  const std::optional<uint32_t> first = ParseOne(text.substr(0, colon), unit);
  if (!first.has_value()) return std::nullopt;
  if (colon == std::string_view::npos) return RateLimit{.both = *first};
  const std::optional<uint32_t> second = ParseOne(text.substr(colon + 1), unit);
  if (!second.has_value()) return std::nullopt;
  return RateLimit{.read = *first, .write = *second};
}

std::string RateText(const RateLimit& rate) {
  if (rate.read == 0 && rate.write == 0) return absl::StrCat(rate.both);
  return absl::StrCat(rate.read, ":", rate.write);
}

}  // namespace rnullfs
