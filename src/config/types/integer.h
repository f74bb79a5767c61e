// A whole number within limits, perhaps of a unit; in JSON also text with one of the unit's
// suffixes.  A time is one of "ns" or "ms" ("50ms"), an enumeration of the kernel's one of few.
#ifndef RNULLFS_CONFIG_TYPES_INTEGER_H_
#define RNULLFS_CONFIG_TYPES_INTEGER_H_

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/quantity.h"
#include "config/wording.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

// `Number` is uint64_t, or int64_t for what may be negative.
template <std::integral Number>
class Integer : public ValueType {
 public:
  struct Limits {
    Number min = std::numeric_limits<Number>::min();
    Number max = std::numeric_limits<Number>::max();
    bool (*valid)(Number) = nullptr;  // null: what lies between them is
    std::string_view accepts = {};    // where these do not say it
    bool bare_text = false;           // in JSON also as text without a suffix
  };

  constexpr explicit Integer(Limits limits, std::string_view unit = {})
      : ValueType(unit), limits_(limits) {}

  std::string Accepts() const override { return Concat({Plain(), Suffixes(", or one with ")}); }
  std::string AcceptsJson() const override {
    return Concat({Plain(), ", as a JSON number", Suffixes(", or text with ")});
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    const std::optional<Number> number = Read(text);
    if (!number.has_value() || *number < limits_.min || *number > limits_.max ||
        (limits_.valid != nullptr && !limits_.valid(*number))) {
      return Refuse(name, text);
    }
    return Value(*number);
  }
  std::string Text(const Value& value) const override {
    return absl::StrCat(std::get<Number>(value));
  }

  // A number alone is written as one.
  absl::StatusOr<Value> FromJson(std::string_view name, const JsonValue& json) const override {
    const bool bare = ParseUnsigned(json.text).has_value();
    const bool number =
        bare || (std::signed_integral<Number> && ParseSigned(json.text).has_value());
    const bool quantity =
        (!bare || limits_.bare_text) && ParseQuantity(json.text, unit()).has_value();
    if ((json.kind == JsonValue::Kind::kNumber && number) ||
        (json.kind == JsonValue::Kind::kText && quantity)) {
      return Parse(name, json.text, {});
    }
    return RefuseJson(name, json);
  }
  JsonValue ToJson(const Value& value) const override {
    return {JsonValue::Kind::kNumber, Text(value)};
  }

 private:
  // What has a unit is never negative.
  std::optional<Number> Read(std::string_view text) const {
    if constexpr (std::signed_integral<Number>) {
      if (unit().empty()) return ParseSigned(text);
    }
    const std::optional<uint64_t> number = ParseQuantity(text, unit());
    if (!number.has_value() || *number > uint64_t{std::numeric_limits<Number>::max()}) return {};
    return static_cast<Number>(*number);
  }

  std::string Plain() const {
    const bool all = limits_.max == std::numeric_limits<Number>::max();
    std::string plain(limits_.accepts);
    if (plain.empty())
      plain = all ? "a whole number" : absl::StrCat(limits_.min, " to ", limits_.max);
    return unit().empty() ? plain : Concat({plain, " (", unit(), ")"});
  }

  Limits limits_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_INTEGER_H_
