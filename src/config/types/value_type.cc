#include "rnullfs/value_type.h"

#include "config/json_value.h"
#include "config/wording.h"

namespace rnullfs {

// The newline of echo is not shown; a space at the front is, it may be what is wrong.
absl::Status ValueType::Refuse(std::string_view name, std::string_view text) const {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return Rejected(name, Shown(text), Accepts());
}

absl::Status ValueType::RefuseJson(std::string_view name, const JsonValue& json) const {
  return Rejected(name, Described(json), AcceptsJson());
}

}  // namespace rnullfs
