#include "rnullfs/attributes.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <optional>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/quantity.h"
#include "config/rate_text.h"
#include "config/wording.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// The row's value in `settings`, which may be constant.
template <typename Given, typename Field>
auto& ValueIn(Given& settings, Field field) {
  if constexpr (std::is_same_v<Field, FaultField>) {
    return settings.config.*field.group.*field.number;
  } else if constexpr (std::is_same_v<Field, FaultLeftField>) {
    return settings.state.*field.group.*field.number;
  } else if constexpr (std::is_same_v<Field, BadBlocks DeviceState::*>) {
    return settings.state.*field;
  } else {
    return settings.config.*field;
  }
}

template <typename T>
constexpr uint64_t MaxOf() {
  if constexpr (std::is_same_v<T, IrqMode>) {
    return static_cast<uint64_t>(IrqMode::kTimer);
  } else if constexpr (std::is_same_v<T, DataPath>) {
    return static_cast<uint64_t>(DataPath::kDaemon);
  } else {
    return std::numeric_limits<T>::max();
  }
}

std::optional<uint64_t> FindWord(const Attribute& attribute, std::string_view word) {
  const auto it = std::find(attribute.words.begin(), attribute.words.end(), word);
  if (it == attribute.words.end()) return std::nullopt;
  return static_cast<uint64_t>(it - attribute.words.begin());
}

// False, and `value` unchanged, for text that the row does not accept: for each kind of value.
bool Parse(const Attribute& /*row*/, std::string_view text, bool& value) {
  const std::optional<bool> parsed = ParseBool(text);
  if (parsed.has_value()) value = *parsed;
  return parsed.has_value();
}

bool Parse(const Attribute& row, std::string_view text, RateLimit& value) {
  const std::optional<RateLimit> parsed = ParseRate(text, row.unit);
  if (parsed.has_value()) value = *parsed;
  return parsed.has_value();
}

// What has a unit is never negative.
std::optional<int64_t> ParseAmount(const Attribute& row, std::string_view text) {
  if (row.unit.empty()) return ParseSigned(text);
  const std::optional<uint64_t> amount = ParseQuantity(text, row.unit);
  if (!amount.has_value() || *amount > uint64_t{INT64_MAX}) return std::nullopt;
  return static_cast<int64_t>(*amount);
}

template <typename T>
bool Parse(const Attribute& row, std::string_view text, T& value) {
  if constexpr (std::is_signed_v<T>) {
    const std::optional<int64_t> parsed = ParseAmount(row, text);
    if (!parsed.has_value() || *parsed < std::numeric_limits<T>::min() ||
        *parsed > std::numeric_limits<T>::max() ||
        (row.valid != nullptr && !row.valid(static_cast<uint64_t>(*parsed)))) {
      return false;
    }
    value = static_cast<T>(*parsed);
  } else {
    const std::optional<uint64_t> parsed =
        row.words.empty() ? ParseQuantity(text, row.unit) : FindWord(row, TrimSpace(text));
    if (!parsed.has_value() || *parsed > MaxOf<T>() ||
        (row.valid != nullptr && !row.valid(*parsed))) {
      return false;
    }
    value = static_cast<T>(*parsed);
  }
  return true;
}

std::string TextOf(const Attribute& row, auto value) {
  const auto number = static_cast<uint64_t>(value);
  if (!row.words.empty()) return std::string(row.words[number]);
  if constexpr (std::is_signed_v<decltype(value)>) return absl::StrCat(value);
  return absl::StrCat(number);
}
std::string TextOf(const Attribute& /*row*/, const RateLimit& value) { return RateText(value); }
std::string TextOf(const Attribute& /*row*/, const BadBlocks& value) { return value.Commands(); }

}  // namespace

AttributeKind KindOf(const Attribute& attribute) {
  if (!attribute.words.empty()) return AttributeKind::kWord;
  if (std::holds_alternative<bool DeviceConfig::*>(attribute.field)) {
    return AttributeKind::kBoolean;
  }
  if (std::holds_alternative<RateLimit DeviceConfig::*>(attribute.field)) {
    return AttributeKind::kRate;
  }
  if (std::holds_alternative<BadBlocks DeviceState::*>(attribute.field)) {
    return AttributeKind::kRanges;
  }
  return AttributeKind::kNumber;
}

const Attribute* FindAttribute(std::string_view name) {
  for (const Attribute& row : Attributes()) {
    if (row.name == name || (row.alias_is_file && row.alias == name)) return &row;
  }
  return nullptr;
}

std::string_view DirectoryOf(const Attribute& attribute) {
  const size_t slash = attribute.name.find('/');
  return attribute.name.substr(0, slash == std::string_view::npos ? 0 : slash);
}

std::string ShowAttribute(const Attribute& attribute, const Settings& settings) {
  if (KindOf(attribute) == AttributeKind::kRanges) return settings.state.badblocks.Show();
  return ValueText(attribute, settings) + '\n';
}

std::string ValueText(const Attribute& attribute, const Settings& settings) {
  return std::visit([&](auto field) { return TextOf(attribute, ValueIn(settings, field)); },
                    attribute.field);
}

absl::Status StoreAttribute(const Attribute& attribute, std::string_view text, Settings& settings) {
  if (attribute.read_only) {
    return Error(EACCES, Concat({attribute.name, ": the file is read-only"}));
  }
  if (KindOf(attribute) == AttributeKind::kRanges) return settings.state.badblocks.Edit(text);
  const bool taken = std::visit(
      [&](auto field) {
        if constexpr (std::is_same_v<decltype(field), BadBlocks DeviceState::*>) {
          return false;
        } else {
          return Parse(attribute, text, ValueIn(settings, field));
        }
      },
      attribute.field);
  if (taken) return absl::OkStatus();
  // The newline of echo is not shown; a space at the front is, it may be what is wrong.
  std::string_view shown = text;
  if (shown.ends_with('\n')) shown.remove_suffix(1);
  return Rejected(attribute.name, Shown(shown), Accepts(attribute));
}

bool Differs(const Attribute& attribute, const Settings& a, const Settings& b) {
  return std::visit([&](auto field) { return !(ValueIn(a, field) == ValueIn(b, field)); },
                    attribute.field);
}

// The kernel's names first: the seed's six are the beginning of every version's line.
std::string FeaturesLine() {
  std::string line;
  const auto add = [&line](std::string_view name) {
    line += Concat({line.empty() ? "" : ",", name});
  };
  for (const bool ours : {false, true}) {
    for (const Attribute& row : Attributes()) {
      if (row.ours != ours || row.name == "power" || !DirectoryOf(row).empty()) continue;
      add(row.name);
      if (row.alias_is_file) add(row.alias);
    }
    if (ours) continue;
    for (const FaultGroup& group : FaultGroups()) add(group.name);
  }
  return line + '\n';
}

}  // namespace rnullfs
