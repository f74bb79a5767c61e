// Fault rules: a line of text puts a rule, "-NAME" takes it away; in JSON they are an object with
// an object for each, by its name.
#ifndef RNULLFS_CONFIG_TYPES_RULE_LIST_H_
#define RNULLFS_CONFIG_TYPES_RULE_LIST_H_

#include "rnullfs/value_type.h"

namespace rnullfs {

class RuleList final : public ValueType {
 public:
  std::string Accepts() const override {
    return "lines like slow: read 2048-4095 delay 50ms, or -NAME to remove a rule";
  }
  std::string AcceptsJson() const override {
    return "a JSON object with an object for each rule, by its name";
  }

  absl::StatusOr<Value> Parse(std::string_view name, std::string_view text,
                              const Value& current) const override;
  std::string Text(const Value& value) const override;
  std::string Show(const Value& value) const override;
  absl::StatusOr<Value> FromJson(std::string_view name, const JsonValue& json) const override;
  JsonValue ToJson(const Value& value) const override;
};

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_TYPES_RULE_LIST_H_
