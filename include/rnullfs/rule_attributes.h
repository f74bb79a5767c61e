// The table of what a fault rule has.  A rule's files, the members of its object in config.json,
// the words of its line and its part of the manual are made from these rows, as a disk's are from
// the table of attributes.
//
// A line says a rule in words: its name and a colon, operations, ranges of sectors, the action with
// what it takes, and whatever else differs from a new rule, by name:
//
//     slow: read 2048-4095 delay 50ms
//     write 0-7 error EIO times 3
//     off all hang
//
// A comma and an equals sign are white space there.  A rule that is said is on, if it does not say
// "off"; one that has no name gets the first of rule1, rule2, ... that is free.
//
// Thread safety: the table is constant; the functions are pure.
// Errors: EINVAL with a sentence that begins with `name`; ENOSPC for more than kRulesMax.
#ifndef RNULLFS_RULE_ATTRIBUTES_H_
#define RNULLFS_RULE_ATTRIBUTES_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "rnullfs/fault_rule.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

inline constexpr size_t kRulesMax = 1024;   // of a disk
inline constexpr size_t kRuleNameMax = 64;  // bytes

// How a row's value is read and written, as its type has it.
struct RuleField {
  Value (*get)(const FaultRule& rule);
  void (*set)(FaultRule& rule, const Value& value);
};

struct RuleAttribute {
  std::string_view name;
  const ValueType* type;
  RuleField field;
  std::string_view summary;
  // Means something with that action alone; in a line it follows the action's word if it has its
  // name.
  std::optional<FaultAction> action = std::nullopt;
};

absl::Span<const RuleAttribute> RuleAttributes();

// Null where there is none.
const RuleAttribute* FindRuleAttribute(std::string_view name);

// What a write of `text` to the attribute's file, called `name`, does to `rule`; unchanged on an
// error.
absl::Status StoreRuleAttribute(const RuleAttribute& attribute, std::string_view name,
                                std::string_view text, FaultRule& rule);

inline bool Differs(const RuleAttribute& attribute, const FaultRule& a, const FaultRule& b) {
  return attribute.field.get(a) != attribute.field.get(b);
}

// What a rule can be called: EINVAL for what a line could not say.
absl::Status CheckRuleName(std::string_view name);

// Puts a rule where its name belongs, for the one that has it; ENOSPC.
absl::Status PutRule(FaultRule rule, FaultRules& rules);

// Puts what a line says.
absl::Status PutRuleLine(std::string_view name, std::string_view line, FaultRules& rules);
// The line that says it.
std::string RuleLine(const FaultRule& rule);

// Whether a word, "read" or "delay=50ms", can be part of a line: of a mount option's that is torn
// apart at its commas.
bool IsRuleWord(std::string_view word);
// Whether a line says what is done.
bool SaysAction(std::string_view line);

}  // namespace rnullfs

#endif  // RNULLFS_RULE_ATTRIBUTES_H_
