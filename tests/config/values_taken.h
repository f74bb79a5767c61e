// What a type takes, for the tests of types.
#ifndef RNULLFS_TESTS_CONFIG_VALUES_TAKEN_H_
#define RNULLFS_TESTS_CONFIG_VALUES_TAKEN_H_

#include <string>
#include <string_view>

#include "json/json.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

// What a type without a value yet makes of text, as text again; "?" where it is refused.
inline std::string Taken(const ValueType& type, std::string_view text, const Value& current = {}) {
  const absl::StatusOr<Value> value = type.Parse("x", text, current);
  return value.ok() ? type.Text(*value) : "?";
}

inline JsonValue Json(const std::string& text) {
  return ReadJson("{\"x\":" + text + "}").value.parts.at(0);
}

inline std::string TakenJson(const ValueType& type, const std::string& text) {
  const absl::StatusOr<Value> value = type.FromJson("x", Json(text));
  return value.ok() ? type.Text(*value) : "?";
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_CONFIG_VALUES_TAKEN_H_
