// A size in MiB: a number that JSON may have as text without a suffix, as it always could.
#ifndef RNULLFS_CONFIG_TYPES_SIZE_H_
#define RNULLFS_CONFIG_TYPES_SIZE_H_

#include "config/types/integer.h"

namespace rnullfs {

class Size final : public Integer<uint64_t> {
 public:
  constexpr Size() : Integer({}, "MiB") {}

  absl::StatusOr<Value> FromJson(std::string_view name, const JsonValue& json) const override {
    const bool bare = json.kind == JsonValue::Kind::kText && ParseUnsigned(json.text).has_value();
    return bare ? Parse(name, json.text, {}) : Integer::FromJson(name, json);
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_SIZE_H_
