#include "config/quantity.h"

#include <limits>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/types/span.h"
#include "base/parse.h"

namespace rnullfs {
namespace {

// `suffix` stands for times / per of the unit.
struct Scale {
  std::string_view suffix;
  uint64_t times;
  uint64_t per;
};

struct Unit {
  std::string_view name;
  bool binary;  // a size: in either case, also with "iB"
  std::string_view suffixes;
  absl::Span<const Scale> scales;
};

constexpr uint64_t kKi = 1024;
constexpr Scale kMib[] = {{"k", 1, kKi}, {"m", 1, 1}, {"g", kKi, 1}, {"t", kKi* kKi, 1}};
constexpr Scale kBytes[] = {{"k", kKi, 1}};
constexpr Scale kSectors[] = {{"k", 2, 1}, {"m", 2 * kKi, 1}, {"g", 2 * kKi* kKi, 1}};
constexpr Scale kNsec[] = {
    {"ns", 1, 1}, {"us", 1'000, 1}, {"ms", 1'000'000, 1}, {"s", 1'000'000'000, 1}};
constexpr Scale kMsec[] = {{"us", 1, 1'000}, {"ms", 1, 1}, {"s", 1'000, 1}};
constexpr Scale kPercent[] = {{"%", 1, 1}};

constexpr Unit kUnits[] = {
    {"MiB", true, "the suffix K, M, G or T", kMib},
    {"MiB/s", true, "the suffix K, M, G or T", kMib},
    {"bytes", true, "the suffix K", kBytes},
    {"sectors of 512 bytes", true, "the suffix K, M or G for bytes", kSectors},
    {"ns", false, "the suffix ns, us, ms or s", kNsec},
    {"ms", false, "the suffix us, ms or s", kMsec},
    {"percent", false, "the suffix %", kPercent},
};

const Unit* FindUnit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

}  // namespace

std::optional<uint64_t> ParseQuantity(std::string_view text, std::string_view unit_name) {
  text = TrimSpace(text);
  const Unit* const unit = FindUnit(unit_name);
  if (unit == nullptr) return ParseUnsigned(text);
  std::string lower(text);
  if (unit->binary) {
    absl::AsciiStrToLower(&lower);
    if (lower.size() > 3 && lower.ends_with("ib")) lower.resize(lower.size() - 2);
    if (lower.size() < text.size() &&
        !absl::ascii_isalpha(static_cast<unsigned char>(lower.back())))
      return std::nullopt;
  }
  for (const Scale& scale : unit->scales) {  // "s" comes last of those that end so
    if (!lower.ends_with(scale.suffix)) continue;
    lower.resize(lower.size() - scale.suffix.size());
    const std::optional<uint64_t> number = ParseUnsigned(lower);
    if (!number.has_value() || *number % scale.per != 0) return std::nullopt;
    const uint64_t whole = *number / scale.per;
    if (whole > std::numeric_limits<uint64_t>::max() / scale.times) return std::nullopt;
    return whole * scale.times;
  }
  return lower.size() < text.size() ? std::nullopt : ParseUnsigned(text);
}

std::string_view SuffixesOf(std::string_view unit_name) {
  const Unit* const unit = FindUnit(unit_name);
  return unit == nullptr ? std::string_view() : unit->suffixes;
}

}  // namespace rnullfs
