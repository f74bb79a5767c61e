// How likely something is: percent with decimals, "0.5" or "0.5%".  The value counts in millionths
// of a percent.
#ifndef RNULLFS_CONFIG_TYPES_CHANCE_H_
#define RNULLFS_CONFIG_TYPES_CHANCE_H_

#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/wording.h"
#include "rnullfs/fault_rule.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

class Chance final : public ValueType {
 public:
  constexpr Chance() : ValueType("percent") {}

  std::string Accepts() const override {
    return "0 to 100 (percent), with up to 6 decimals, or with the suffix %";
  }
  std::string AcceptsJson() const override {
    return Concat({Accepts(), ", as a JSON number or a string"});
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    std::string_view number = TrimSpace(text);
    if (number.ends_with('%')) number.remove_suffix(1);
    const size_t point = std::min(number.find('.'), number.size());
    const std::optional<uint64_t> whole = Digits(number.substr(0, point), kDecimals);
    const std::string_view behind = number.substr(std::min(point + 1, number.size()));
    const std::optional<uint64_t> part =
        point == number.size() ? std::optional<uint64_t>(0) : Digits(behind, kDecimals);
    if (!whole || !part) return Refuse(name, text);
    uint64_t millionths = *part;
    for (size_t i = behind.size(); i < kDecimals; ++i) millionths *= 10;
    millionths += *whole * kPerPercent;
    if (millionths > FaultRule::kChanceOfAll) return Refuse(name, text);
    return Value(millionths);
  }
  std::string Text(const Value& value) const override {
    const uint64_t millionths = std::get<uint64_t>(value);
    std::string text = absl::StrCat(millionths / kPerPercent);
    std::string part = absl::StrCat(millionths % kPerPercent + kPerPercent).substr(1);
    part.erase(part.find_last_not_of('0') + 1);
    return part.empty() ? text : absl::StrCat(text, ".", part);
  }

  absl::StatusOr<Value> FromJson(std::string_view name, const JsonValue& json) const override {
    const bool taken = json.kind == JsonValue::Kind::kText || json.kind == JsonValue::Kind::kNumber;
    absl::StatusOr<Value> value = taken ? Parse(name, json.text, {}) : RefuseJson(name, json);
    if (!value.ok()) return RefuseJson(name, json);
    return value;
  }
  JsonValue ToJson(const Value& value) const override {
    return {JsonValue::Kind::kNumber, Text(value)};
  }

 private:
  static constexpr size_t kDecimals = 6;
  static constexpr uint64_t kPerPercent = 1'000'000;

  // At least one, and at most so many.
  static std::optional<uint64_t> Digits(std::string_view text, size_t most) {
    uint64_t number = 0;
    for (const char c : text) {
      if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return std::nullopt;
      number = number * 10 + static_cast<uint64_t>(c - '0');
    }
    return text.empty() || text.size() > most ? std::nullopt : std::optional(number);
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_CHANCE_H_
