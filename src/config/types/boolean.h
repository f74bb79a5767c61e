// A boolean, as kstrtobool() reads it: "1", "0", "y", "off"; in JSON also 1 and 0, as the file
// shows it.
#ifndef RNULLFS_CONFIG_TYPES_BOOLEAN_H_
#define RNULLFS_CONFIG_TYPES_BOOLEAN_H_

#include <optional>

#include "base/parse.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

class Boolean final : public ValueType {
 public:
  std::string Accepts() const override { return "1 or 0, also y/n, t/f, on/off"; }
  std::string AcceptsJson() const override { return "true or false, or 1 or 0"; }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& /*current*/) const override {
    const std::optional<bool> value = ParseBool(text);
    if (!value.has_value()) return Refuse(name, text);
    return Value(*value);
  }
  std::string Text(const Value& value) const override { return std::get<bool>(value) ? "1" : "0"; }

  absl::StatusOr<Value> FromJson(std::string_view name, const JsonValue& json) const override {
    if (json.kind == JsonValue::Kind::kBoolean) return Value(json.text == "true");
    const bool bit = json.text == "0" || json.text == "1";
    if (json.kind != JsonValue::Kind::kNumber || !bit) return RefuseJson(name, json);
    return Value(json.text == "1");
  }
  JsonValue ToJson(const Value& value) const override {
    return {JsonValue::Kind::kBoolean, std::get<bool>(value) ? "true" : "false"};
  }

  std::string_view Alone() const override { return "1"; }
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_BOOLEAN_H_
