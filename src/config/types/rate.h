// A RateLimit: "100" for what reads and writes share, "100:50" for a limit of each, which is an
// object in JSON.
#ifndef RNULLFS_CONFIG_TYPES_RATE_H_
#define RNULLFS_CONFIG_TYPES_RATE_H_

#include <cstdint>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "config/quantity.h"
#include "config/wording.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

class Rate final : public ValueType {
 public:
  using ValueType::ValueType;  // with a unit: "MiB/s"

  std::string Accepts() const override {
    return Concat({"a number, 0 for no limit, or READ:WRITE for a limit of each (", unit(), ")",
                   Suffixes(", or one with ")});
  }
  std::string AcceptsJson() const override {
    return Concat({"a JSON number (", unit(),
                   "), or an object with a number for \"read\" and one for \"write\"",
                   Suffixes(", or text with ")});
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    const std::optional<RateLimit> rate = Read(text, unit());
    if (!rate.has_value()) return Refuse(name, text);
    return Value(*rate);
  }
  std::string Text(const Value& value) const override {
    const auto& rate = std::get<RateLimit>(value);
    if (rate.read == 0 && rate.write == 0) return absl::StrCat(rate.both);
    return absl::StrCat(rate.read, ":", rate.write);
  }

  absl::StatusOr<Value> FromJson(std::string_view name, const JsonValue& json) const override {
    if (json.kind == JsonValue::Kind::kObject) return FromParts(name, json);
    const bool number =
        json.kind == JsonValue::Kind::kNumber && ParseUnsigned(json.text).has_value();
    const bool quantity = json.kind == JsonValue::Kind::kText && !Read(json.text, "").has_value() &&
                          Read(json.text, unit()).has_value();
    return number || quantity ? Parse(name, json.text, {}) : RefuseJson(name, json);
  }
  JsonValue ToJson(const Value& value) const override {
    const auto& rate = std::get<RateLimit>(value);
    if (rate.read == 0 && rate.write == 0) return {JsonValue::Kind::kNumber, Text(value)};
    JsonValue object = {JsonValue::Kind::kObject};
    object.parts = {{JsonValue::Kind::kNumber, absl::StrCat(rate.read), "read"},
                    {JsonValue::Kind::kNumber, absl::StrCat(rate.write), "write"}};
    return object;
  }

 private:
  static std::optional<uint32_t> ReadOne(std::string_view text, std::string_view unit) {
    const std::optional<uint64_t> value = ParseQuantity(text, unit);
    if (!value.has_value() || *value > std::numeric_limits<uint32_t>::max()) return std::nullopt;
    return static_cast<uint32_t>(*value);
  }

  static std::optional<RateLimit> Read(std::string_view text, std::string_view unit) {
    text = TrimSpace(text);
    const size_t colon = text.find(':');
    const std::optional<uint32_t> first = ReadOne(text.substr(0, colon), unit);
    if (!first.has_value()) return std::nullopt;
    if (colon == std::string_view::npos) return RateLimit{.both = *first};
    const std::optional<uint32_t> second = ReadOne(text.substr(colon + 1), unit);
    if (!second.has_value()) return std::nullopt;
    return RateLimit{.read = *first, .write = *second};
  }

  absl::StatusOr<Value> FromParts(std::string_view name, const JsonValue& json) const {
    std::optional<uint32_t> read;
    std::optional<uint32_t> write;
    for (const JsonValue& part : json.parts) {
      std::optional<uint32_t>& side = part.key == "read" ? read : write;
      if ((part.key != "read" && part.key != "write") || side.has_value()) {
        return Rejected(name, Concat({"the key ", Shown(part.key)}), AcceptsJson());
      }
      // A number, or text with a suffix.
      const bool bare = ParseUnsigned(part.text).has_value();
      if (part.kind == (bare ? JsonValue::Kind::kNumber : JsonValue::Kind::kText)) {
        side = ReadOne(part.text, unit());
      }
      if (!side.has_value()) return RefuseJson(name, part);
    }
    return Value(RateLimit{.read = read.value_or(0), .write = write.value_or(0)});
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_RATE_H_
