// What is said in words, in several ways: in JSON any text will do that a file takes.
#ifndef RNULLFS_CONFIG_TYPES_LOOSE_TEXT_H_
#define RNULLFS_CONFIG_TYPES_LOOSE_TEXT_H_

#include "rnullfs/value_type.h"

namespace rnullfs {

class LooseText : public ValueType {
 public:
  using ValueType::ValueType;

  absl::StatusOr<Value> FromJson(std::string_view name, const JsonValue& json) const override {
    if (json.kind != JsonValue::Kind::kText) return RefuseJson(name, json);
    absl::StatusOr<Value> value = Parse(name, json.text, {});
    if (!value.ok()) return RefuseJson(name, json);
    return value;
  }

 protected:
  ~LooseText() = default;
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_LOOSE_TEXT_H_
