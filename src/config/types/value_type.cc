#include "rnullfs/value_type.h"

#include "config/quantity.h"
#include "config/wording.h"

namespace rnullfs {

std::string ValueType::AcceptsJson() const { return Concat({Accepts(), ", as a JSON string"}); }

// White space, which a file may have around its text, does not belong there.
absl::StatusOr<Value> ValueType::FromJson(std::string_view name, const JsonValue& json) const {
  absl::StatusOr<Value> value = Parse(name, json.text, {});
  const bool taken = json.kind == JsonValue::Kind::kText && value.ok() && Text(*value) == json.text;
  if (!taken) return RefuseJson(name, json);
  return value;
}

JsonValue ValueType::ToJson(const Value& value) const {
  return {JsonValue::Kind::kText, Text(value)};
}

// The newline of echo is not shown; a space at the front is, it may be what is wrong.
absl::Status ValueType::Refuse(std::string_view name, std::string_view text) const {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return Rejected(name, Shown(text), Accepts());
}

absl::Status ValueType::RefuseJson(std::string_view name, const JsonValue& json) const {
  return Rejected(name, Described(json), AcceptsJson());
}

std::string ValueType::Suffixes(std::string_view before) const {
  const std::string_view suffixes = SuffixesOf(unit_);
  return suffixes.empty() ? "" : Concat({before, suffixes});
}

}  // namespace rnullfs
